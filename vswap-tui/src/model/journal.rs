//! What an allocation did on its way: the path taken, the lists visited, and on demand every step.

use super::cluster::Flag;
use super::lists::ListId;
use vswap_common::Entry;

/// Where a slot was found, or where the search ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Path {
    /// Not tried.
    #[default]
    Untried,
    /// In the cluster the per-CPU cache names (`swap_alloc_fast`).
    Fast,
    /// By the lists (`swap_alloc_slow`).
    Slow,
}

/// One search on physical or virtual devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Walk {
    /// Path that ended the search.
    pub path: Path,
    /// Bit [`ListId::index`] of every list visited, and [`Walk::SHARED`], [`Walk::NEW`], [`Walk::RECLAIM`].
    pub visited: u32,
    /// Devices tried by the slow path.
    pub devices: u8,
    /// Clusters scanned.
    pub scans: u32,
}

impl Walk {
    /// The shared cache of a rotational device was looked at.
    pub const SHARED: u32 = 1 << 24;
    /// A new virtual cluster was asked for.
    pub const NEW: u32 = 1 << 25;
    /// Full clusters were reclaimed from.
    pub const RECLAIM: u32 = 1 << 26;

    /// `list` was visited.
    pub const fn saw(&self, list: ListId) -> bool {
        self.visited >> list.index() & 1 == 1
    }
}

/// How [`super::Model::alloc_folio`] ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The folio has slots.
    Done,
    /// No slot: the caller splits the folio, or keeps it in memory.
    NoSpace,
    /// The memcg refused the charge; the slots were freed again.
    Refused,
    /// The kernel took another slot than this one; nothing was installed ([`super::oracle::Oracle::agrees`]).
    Mismatch(Entry),
}

/// Result of an allocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// First slot, if the folio has one now.
    pub slot: Option<Entry>,
    /// How it ended.
    pub end: End,
    /// Search on the virtual device.
    pub virt: Walk,
    /// Search on physical devices.
    pub phys: Walk,
    /// Clusters freed by a synchronous discard before a second try.
    pub discarded: u32,
}

/// One step, recorded while [`super::Model::record_steps`] is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The slow path turned to a device.
    Device(u8),
    /// A list was asked for a cluster (`isolate_lock_cluster`): device, list, the cluster taken off it, `None` if it
    /// had none. The lists of a request are asked one by one, so these steps are its path.
    Isolate(u8, ListId, Option<u32>),
    /// A cluster was scanned: device, cluster, first offset looked at, offset found.
    Scan(u8, u32, u64, Option<u64>),
    /// A cluster changed its flag, and so its list: device, cluster, flag, order.
    Move(u8, u32, Flag, u8),
    /// Reclaim tried a folio: head and result (slots freed, or the negative size).
    Reclaim(Entry, i64),
    /// A folio is about to leave the swap cache (`__swap_cache_do_del_folio`).
    Uncache(Uncached),
    /// Slots of one cluster are about to become free, in one batch (`__swap_cluster_free_entries`).
    Free(Entry, u16),
    /// One of the slots just freed was in zswap; its entry goes (`zswap_invalidate`). Direct-mapped slots only.
    Invalidate(Entry),
}

/// A folio on its way out of the swap cache, as its first word has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Uncached {
    /// First slot.
    pub head: Entry,
    /// Order of the folio.
    pub order: u8,
    /// Zero flag.
    pub zero: bool,
    /// Recorded memcg id, 0 for none.
    pub memcg: u16,
}

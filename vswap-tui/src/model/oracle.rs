//! What the model cannot know: locks, writeback, mappings, memory, limits set elsewhere. A replay answers from the
//! trace, a generator from its load.

use vswap_common::Entry;

/// State of a cached folio at the moment reclaim looks at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FolioFacts {
    /// `folio_trylock` succeeds.
    pub lockable: bool,
    /// Under writeback.
    pub writeback: bool,
    /// Storage is suspended (`pm_suspended_storage`).
    pub suspended: bool,
    /// Mapped by some page table.
    pub mapped: bool,
    /// Its memcg or an ancestor has used half of swap.high or swap.max (`mem_cgroup_swap_full`).
    pub memcg_full: bool,
}

impl FolioFacts {
    /// Nothing stands in the way of giving the folio's slots up.
    pub const IDLE: Self =
        Self { lockable: true, writeback: false, suspended: false, mapped: false, memcg_full: false };
    /// The lock is taken.
    pub const LOCKED: Self = Self { lockable: false, ..Self::IDLE };
}

/// A request for memory that the kernel makes under the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// Tables of a free physical cluster, after the sleeping retry (`swap_cluster_populate`).
    Tables,
    /// Struct and tables of a new virtual cluster.
    VirtualCluster,
    /// Extend table for a count of 15 (atomic).
    Extend,
}

/// Outcomes that the kernel had and the model asks for. Every default is the undisturbed one.
pub trait Oracle {
    /// State of the cached folio of `order` whose first slot is `head`.
    fn folio(&mut self, head: Entry, order: u8) -> FolioFacts {
        let _ = (head, order);
        FolioFacts::IDLE
    }

    /// Memcg `memcg` may charge `nr` more; asked after the limits known to the model.
    fn charge(&mut self, memcg: u16, nr: u64) -> bool {
        let _ = (memcg, nr);
        true
    }

    /// The allocation of memory succeeds.
    fn memory(&mut self, what: Memory) -> bool {
        let _ = what;
        true
    }

    /// Another CPU holds the cluster's lock: a list walk skips it (`isolate_lock_cluster`), the fast path waits.
    fn locked(&mut self, dev: u8, cluster: u32) -> bool {
        let _ = (dev, cluster);
        false
    }

    /// The slot found is the one the kernel took. If not, nothing is installed and the call ends with a mismatch.
    fn agrees(&mut self, at: Entry) -> bool {
        let _ = at;
        true
    }
}

/// Nothing disturbs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Undisturbed;

impl Oracle for Undisturbed {}

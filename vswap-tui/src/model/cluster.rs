//! A cluster: 512 slots, their words, and the flag that names its list (`struct swap_cluster_info`).

use super::vword::Vword;
use super::word::Word;
use vswap_common::slot::CLUSTER_SLOTS;

/// Where a cluster is (`CLUSTER_FLAG_*`; the numbers are the kernel's).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Flag {
    /// On no list: being scanned, or vswap cluster 0.
    None = 0,
    /// Empty, without tables.
    Free = 1,
    /// Partly used, a slot was freed since the last scan.
    Nonfull = 2,
    /// Partly used, scanned since the last free.
    Frag = 3,
    /// No free slot.
    Full = 4,
    /// Empty, waiting for its discard.
    Discard = 5,
    /// Virtual cluster that is gone; its index may be taken again.
    Dead = 6,
}

/// What last decided the list of a cluster: for invariant 5 only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Touch {
    /// Device setup or a free.
    Free,
    /// A scan, successful or not.
    Scan,
}

/// Slots the tables have room for. Without THP swap a cluster uses the first half of them.
const ROOM: usize = CLUSTER_SLOTS as usize;

/// The tables of a populated cluster, taken back when it empties. Words and ids lie in one allocation: a free or an
/// allocation reaches both by one pointer, and cache misses are what bounds the model's speed.
#[derive(Debug)]
pub struct Tables {
    /// Swap table.
    pub words: [Word; ROOM],
    /// Recorded memcg id of each slot, 0 for none (`memcg_table`).
    pub ids: [u16; ROOM],
    /// Where virtual slots have their data; empty on physical devices (`virtual_table`).
    pub vwords: Box<[Vword]>,
    /// Counts of 15 and more (`extend_table`).
    pub extend: Option<Box<[u32]>>,
}

impl Tables {
    /// Zeroed tables.
    pub fn new(virt: bool) -> Self {
        Self {
            words: [Word::NULL; ROOM],
            ids: [0; ROOM],
            vwords: vec![Vword::NONE; if virt { ROOM } else { 0 }].into_boxed_slice(),
            extend: None,
        }
    }

    /// Bytes of all tables.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&*self.vwords)
            + self.extend.as_ref().map_or(0, |cells| size_of_val(&**cells))
    }
}

/// One cluster.
#[derive(Debug)]
pub struct Cluster {
    /// Tables, while populated.
    pub tables: Option<Box<Tables>>,
    /// Non-NULL words, Bad included.
    pub count: u16,
    /// Order of the first allocation since the cluster was empty.
    pub order: u8,
    /// Which list.
    pub flag: Flag,
    /// Held a direct-mapped slot since it was populated: RFC v2 gives it a memcg table only then.
    pub direct: bool,
    /// Last event that decided the list.
    pub touch: Touch,
    /// Times the cluster was populated (wraps): tells a recycled virtual index from the cluster before it.
    pub generation: u16,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            tables: None,
            count: 0,
            order: 0,
            flag: Flag::Free,
            direct: false,
            touch: Touch::Free,
            generation: 0,
        }
    }
}

impl Cluster {
    /// An allocation of `order` may look into it (`cluster_is_usable`). Order 0 takes any order's cluster.
    pub fn usable(&self, order: u8) -> bool {
        matches!(self.flag, Flag::None | Flag::Free | Flag::Nonfull | Flag::Frag)
            && self.tables.is_some()
            && (order == 0 || self.count == 0 || self.order == order)
    }

    /// Word of a slot; NULL where the cluster has no table.
    pub fn word(&self, slot: usize) -> Word {
        self.tables.as_ref().and_then(|t| t.words.get(slot).copied()).unwrap_or(Word::NULL)
    }

    /// Vword of a slot; NONE on physical devices.
    pub fn vword(&self, slot: usize) -> Vword {
        self.tables.as_ref().and_then(|t| t.vwords.get(slot).copied()).unwrap_or(Vword::NONE)
    }

    /// Recorded memcg id of a slot.
    pub fn id(&self, slot: usize) -> u16 {
        self.tables.as_ref().and_then(|t| t.ids.get(slot).copied()).unwrap_or(0)
    }
}

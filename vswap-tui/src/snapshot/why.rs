//! Causes, counted: what wrote back, who swapped out, what was refused and why, how long pages stayed in zswap.

use super::Percentiles;
use serde::{Deserialize, Serialize};
use vswap_common::slot::ORDERS;
use vswap_common::why::{RECLAIMERS, REFUSALS, WRITEBACKS};

/// Why a folio got no slot. A large one is split then, and its pages ask one by one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(usize)]
pub enum Fallback {
    /// None of these.
    Unknown = 0,
    /// Fewer slots are free than it needs.
    NoSpace = 1,
    /// Enough slots are free, but no aligned run of them.
    NoRun = 2,
    /// The cgroup is at `memory.swap.max`.
    MemcgLimit = 3,
    /// The kernel does not swap folios of that order in one piece.
    Unsupported = 4,
}

/// Number of values of [`Fallback`].
pub const FALLBACKS: usize = Fallback::ALL.len();

impl Fallback {
    /// All of them in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::Unknown, Self::NoSpace, Self::NoRun, Self::MemcgLimit, Self::Unsupported];

    /// Name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::NoSpace => "no_space",
            Self::NoRun => "no_run",
            Self::MemcgLimit => "memcg_limit",
            Self::Unsupported => "unsupported",
        }
    }
}

/// What a writeout came to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(usize)]
pub enum Outcome {
    /// Stored in zswap.
    Zswap = 0,
    /// Zero-filled.
    Zero = 1,
    /// Queued to the device.
    Phys = 2,
    /// Refused: the folio stays in memory.
    Refused = 3,
}

/// How a page's time in zswap ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(usize)]
pub enum Stay {
    /// It was swapped in.
    Loaded = 0,
    /// It was written back to the device.
    WrittenBack = 1,
    /// It was swapped out anew, or to elsewhere.
    Replaced = 2,
    /// Its slot was freed.
    Freed = 3,
}

/// Number of values of [`Stay`].
pub const STAYS: usize = Stay::ALL.len();

impl Stay {
    /// All of them in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Loaded, Self::WrittenBack, Self::Replaced, Self::Freed];

    /// Name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::WrittenBack => "written_back",
            Self::Replaced => "replaced",
            Self::Freed => "freed",
        }
    }
}

/// What became of the entries that walks over zswap's list looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Walks {
    /// Walks that looked at an entry.
    pub walks: u64,
    /// Written back.
    pub written: u64,
    /// Used since they were stored: given a second chance.
    pub spared: u64,
    /// Could not be written back: no memory, no physical slot, or gone meanwhile.
    pub failed: u64,
    /// In the swap cache: the walk ended there.
    pub stopped: u64,
}

/// Stores that zswap refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refused {
    /// Folios.
    pub folios: u64,
    /// Their pages.
    pub pages: u64,
}

/// Causes since the start of the events. Index 0 of a cause is "unknown": nobody told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Why {
    /// Pages written back from zswap, by [`vswap_common::why::Writeback`] and [`vswap_common::why::Reclaimer`].
    pub writeback: [[u64; RECLAIMERS]; WRITEBACKS],
    /// Walks over zswap's list, by [`vswap_common::why::Writeback`].
    pub walks: [Walks; WRITEBACKS],
    /// Pages of writeouts by [`vswap_common::why::Reclaimer`] and [`Outcome`]; zswap's writeback is not among them.
    pub writeout: [[u64; 4]; RECLAIMERS],
    /// Stores refused by [`vswap_common::why::Refusal`].
    pub refusals: [Refused; REFUSALS],
    /// Folios without slots by [`Fallback`] and order, as the kernel told.
    pub fallbacks: [[u64; ORDERS]; FALLBACKS],
    /// The same where the reason is inferred from what the map has free.
    pub inferred_fallbacks: [[u64; ORDERS]; FALLBACKS],
    /// Time in zswap by [`Stay`], resolution 1 ms.
    #[serde(skip)]
    pub stays: [Percentiles; STAYS],
    /// Time from writeback to the read from the device, resolution 1 ms; `count` is pages read back, readahead included.
    #[serde(skip)]
    pub refaults: Percentiles,
}

impl Why {
    /// Every count.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        let walks = self.walks.iter().flat_map(|w| [w.walks, w.written, w.spared, w.failed, w.stopped]);
        let refusals = self.refusals.iter().flat_map(|r| [r.folios, r.pages]);
        let tables = self.fallbacks.iter().chain(&self.inferred_fallbacks).flatten();
        let outs = self.writeback.iter().flatten().chain(self.writeout.iter().flatten());
        tables.chain(outs).copied().chain(walks).chain(refusals)
    }

    /// Pages written back for this cause.
    pub fn written_back(&self, cause: vswap_common::why::Writeback) -> u64 {
        self.writeback[cause as usize].iter().sum()
    }

    /// Pages that this reclaimer swapped out.
    pub fn swapped_out(&self, who: vswap_common::why::Reclaimer) -> u64 {
        self.writeout[who as usize][..Outcome::Refused as usize].iter().sum()
    }

    /// Folios of orders above 0 without slots for this reason, told or inferred.
    pub fn large_fallbacks(&self, reason: Fallback) -> u64 {
        let of = |table: &[[u64; ORDERS]; FALLBACKS]| table[reason as usize][1..].iter().sum::<u64>();
        of(&self.fallbacks) + of(&self.inferred_fallbacks)
    }
}

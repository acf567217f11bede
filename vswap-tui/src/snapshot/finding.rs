//! What the history of the slots says against the kernel.

use serde::Serialize;
use std::sync::Arc;

/// A way in which an event contradicts the slot's confirmed state. Each would be a bug of the kernel or of this tool.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Fault {
    /// Slots were given to a folio while in use.
    DoubleAllocation = 0,
    /// Slots were freed that were free.
    FreeOfFreeSlot = 1,
    /// Slots were freed under a folio in the swap cache.
    FreeInCache = 2,
    /// The data is nowhere: the folio left the cache and nothing holds its data, or data is read from where none is.
    LostBacking = 3,
    /// Two folios or two cgroups for one slot.
    TwoOwners = 4,
    /// A cgroup was charged for slots that are free.
    ChargeWithoutBacking = 5,
    /// Something was done to slots that are free.
    UseOfFreeSlot = 6,
    /// Something was done to a folio that is not in the swap cache.
    NotCached = 7,
    /// The zero flag does not fit what was stored.
    ZeroFlag = 8,
    /// The device went away (or came back) with slots in use.
    LeakAtSwapoff = 9,
    /// A physical slot backs two virtual ones, or a virtual one was given a second.
    TwoBackings = 10,
}

impl Fault {
    /// All of them in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::DoubleAllocation,
        Self::FreeOfFreeSlot,
        Self::FreeInCache,
        Self::LostBacking,
        Self::TwoOwners,
        Self::ChargeWithoutBacking,
        Self::UseOfFreeSlot,
        Self::NotCached,
        Self::ZeroFlag,
        Self::LeakAtSwapoff,
        Self::TwoBackings,
    ];

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::DoubleAllocation => "double allocation",
            Self::FreeOfFreeSlot => "free of a free slot",
            Self::FreeInCache => "free of a slot in the swap cache",
            Self::LostBacking => "lost backing: the data is nowhere",
            Self::TwoOwners => "two owners of one slot",
            Self::ChargeWithoutBacking => "charge without backing",
            Self::UseOfFreeSlot => "use of a free slot",
            Self::NotCached => "use of a folio that is not in the swap cache",
            Self::ZeroFlag => "zero flag that does not fit the data",
            Self::LeakAtSwapoff => "slots in use when the device went",
            Self::TwoBackings => "two owners of one physical slot, or two physical slots of one owner",
        }
    }
}

/// One event that shows a fault.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// Which fault.
    pub fault: Fault,
    /// When, `CLOCK_MONOTONIC` ns.
    pub ts: u64,
    /// Kind of the event.
    pub event: &'static str,
    /// Device number.
    pub dev: u8,
    /// First slot of the event's run.
    pub off: u64,
    /// Slots of the run.
    pub nr: u16,
    /// CPU.
    pub cpu: u16,
    /// Thread.
    pub tid: u32,
}

/// What the trace's own history says against the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Events by fault, indexed by [`Fault`].
    pub counts: [u64; Fault::ALL.len()],
    /// The first few of each.
    pub first: Arc<Vec<Finding>>,
}

impl Findings {
    /// Events that show a fault; one with two faults counts twice.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

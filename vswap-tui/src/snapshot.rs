//! Immutable values for views and reports: made by the collector, owned by the reader.

pub mod closeup;
pub mod latency;
pub mod watch;
pub mod why;

use crate::meta::{CgroupUse, Header, HookTotals};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use vswap_common::slot::ORDERS;
use vswap_common::why::WRITEBACKS;

/// Where a slot's data lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Backend {
    /// Free, or in use with a place nobody told us yet (see `confirmed`).
    #[default]
    None = 0,
    /// Only in the folio in the swap cache.
    Folio = 1,
    /// Nowhere: the page is all zeroes.
    Zero = 2,
    /// Compressed in zswap.
    Zswap = 3,
    /// On the device.
    Phys = 4,
}

impl Backend {
    /// All five in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Folio, Self::Zero, Self::Zswap, Self::Phys];

    /// The word for it in JSON and on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Folio => "folio",
            Self::Zero => "zero",
            Self::Zswap => "zswap",
            Self::Phys => "phys",
        }
    }
}

/// Slots in use by backend, indexed by `Backend as usize`; index 0 counts slots in use with unknown backend.
pub type Mix = [u64; 5];

/// Lists a cluster can be on (`enum swap_cluster_flags`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum List {
    /// Off every list (being scanned), or not known.
    #[default]
    None = 0,
    /// No slot in use.
    Free = 1,
    /// Partly used, last changed by a free.
    Nonfull = 2,
    /// Partly used, last changed by an allocation.
    Frag = 3,
    /// All slots in use.
    Full = 4,
    /// Waiting for a discard.
    Discard = 5,
}

impl List {
    /// The list that `enum swap_cluster_flags` has under this number.
    pub const fn from_kernel(n: i32) -> Self {
        match n {
            1 => Self::Free,
            2 => Self::Nonfull,
            3 => Self::Frag,
            4 => Self::Full,
            5 => Self::Discard,
            _ => Self::None,
        }
    }
}

/// One cluster of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ClusterCell {
    /// Slots in use by backend (as [`Mix`]); those that back virtual slots count as `phys`.
    pub mix: [u16; 5],
    /// Slots in use that are not confirmed.
    pub unconfirmed: u16,
    /// List it is on.
    pub list: List,
    /// Order it serves.
    pub order: u8,
}

impl ClusterCell {
    /// Slots in use, 0 to 512.
    pub fn used(&self) -> u16 {
        self.mix.iter().sum()
    }

    /// Backend most slots have, `None` when the cluster is empty.
    pub fn dominant(&self) -> Option<Backend> {
        let (i, n) = self.mix.iter().enumerate().max_by_key(|(_, n)| **n)?;
        (*n > 0).then(|| Backend::ALL[i])
    }
}

/// A device with its clusters.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DeviceView {
    /// Swap type.
    pub dev: u8,
    /// Path, or `dev N` when nobody told it.
    pub name: String,
    /// Usable pages, 0 if unknown.
    pub pages: u64,
    /// Slots in use.
    pub used: u64,
    /// Slots that nobody owns and the kernel counts as in use: they wait in per-CPU caches (6.12). `None` where there are
    /// none such, or not every event about them was seen.
    pub idle: Option<u64>,
    /// Slots in use that hold the data of virtual slots: these are counted again on the virtual device.
    pub backing: u64,
    /// Slots in use by backend; those that back virtual slots count as `phys`.
    pub mix: Mix,
    /// Priority.
    pub prio: i32,
    /// Device of the virtual swap layer.
    pub r#virtual: bool,
    /// False after swapoff.
    pub active: bool,
    /// Aligned runs of free slots by order: folios of that order that would still fit, reclaim left aside.
    pub aligned: [u64; ORDERS],
    /// Nothing about free slots is unknown; otherwise `aligned` is what there is at most.
    pub aligned_exact: bool,
    /// Clusters by index.
    #[serde(skip)]
    pub clusters: Arc<Vec<ClusterCell>>,
}

/// A cgroup with slots.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MemcgView {
    /// Kernel-private id.
    pub id: u16,
    /// Path, or `#id`.
    pub path: Arc<str>,
    /// Slots in use.
    pub slots: u64,
    /// Slots in use by backend.
    pub mix: Mix,
    /// Slots charged to `memory.swap`: all on a plain device, those with a physical slot on a virtual one.
    pub charged: u64,
    /// Compressed bytes in zswap, as far as lengths are known.
    pub zswap_bytes: u64,
    /// Pages written back from zswap by [`vswap_common::why::Writeback`].
    pub writebacks: [u64; WRITEBACKS],
    /// Pages read from the device after zswap had written them back.
    pub refaults: u64,
    /// Pages moved out to zero, zswap or the device since the start, writeback not counted.
    pub out: u64,
    /// Pages served to swap-ins since the start.
    pub into: u64,
    /// Pages that zswap wrote back to a device since the start.
    pub written_back: u64,
    /// What the kernel's files say of it and all below it.
    pub usage: Option<CgroupUse>,
    /// Slots charged to it and all below it when `usage` was told.
    pub charged_then: u64,
}

/// Things that take time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(usize)]
pub enum LatencyKind {
    /// Swap-in of a zero-filled folio.
    LoadZero = 0,
    /// Swap-in from zswap.
    LoadZswap = 1,
    /// Swap-in from the device, until the read completed.
    LoadPhys = 2,
    /// Store of a whole folio into zswap.
    StoreZswap = 3,
    /// Physical write, queued to completed.
    WritePhys = 4,
    /// Time a page spent in zswap, resolution 1 ms.
    InZswap = 5,
}

impl LatencyKind {
    /// All kinds in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::LoadZero, Self::LoadZswap, Self::LoadPhys, Self::StoreZswap, Self::WritePhys, Self::InZswap];

    /// Key in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoadZero => "load_zero",
            Self::LoadZswap => "load_zswap",
            Self::LoadPhys => "load_phys",
            Self::StoreZswap => "store_zswap",
            Self::WritePhys => "write_phys",
            Self::InZswap => "in_zswap",
        }
    }
}

/// Percentiles of one kind, nanoseconds. Values are within 1 % (two significant digits of the histogram).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// Largest.
    pub max: u64,
    /// Samples.
    pub count: u64,
}

/// Pages counted as the kernel's vmstat counts them, since the start of the events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Slots allocated.
    pub alloc: u64,
    /// Slots allocated without a folio, for images of hibernation.
    pub hibernate: u64,
    /// Clusters queued to be discarded.
    pub discards: u64,
    /// Allocation requests refused (folios).
    pub alloc_fail: u64,
    /// Slots freed.
    pub free: u64,
    /// Pages stored in zswap (`zswpout`).
    pub zswpout: u64,
    /// Pages loaded from zswap (`zswpin`).
    pub zswpin: u64,
    /// Pages written back from zswap (`zswpwb`).
    pub zswpwb: u64,
    /// Pages queued to the device (`pswpout`).
    pub pswpout: u64,
    /// Pages read from the device (`pswpin`).
    pub pswpin: u64,
    /// Zero-filled pages swapped out (`swpout_zero`).
    pub swpout_zero: u64,
    /// Zero-filled pages swapped in (`swpin_zero`).
    pub swpin_zero: u64,
    /// Pages zswap refused.
    pub zswap_reject: u64,
    /// Pages whose writeout was refused.
    pub writeout_reject: u64,
    /// Pages whose I/O failed.
    pub io_error: u64,
}

/// What is missing or uncertain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Losses {
    /// Records lost (ring full, faults, maps, recursion).
    pub lost: u64,
    /// Gap events seen.
    pub gaps: u64,
    /// Records that did not decode.
    pub undecodable: u64,
    /// Events that contradict the slot's state; the event won.
    pub contradictions: u64,
    /// Events that arrived after what they describe was over; ignored for the state.
    pub inversions: u64,
    /// Bounded tables that overflowed: latency samples lost, slots beyond the first 64 M not tracked.
    pub overflow: u64,
}

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

/// A scan of the kernel's tables: what was in swap before the recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScanView {
    /// Scans begun so far; those after the first came after a loss.
    pub scans: u32,
    /// Slots read.
    pub slots: u64,
    /// From its begin to its end.
    pub ns: u64,
    /// Slots whose place it could not tell; unconfirmed until an event touches them.
    pub doubtful: u64,
    /// It is over.
    pub ended: bool,
    /// Everything was read.
    pub complete: bool,
}

/// The slot map compared with the kernel's tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyView {
    /// Confirmed slots compared.
    pub checked: u64,
    /// Slots in use that one side knows nothing certain of.
    pub unknown: u64,
    /// Slots that differ.
    pub differing: u64,
    /// Times looked: only what differs twice in a row differs.
    pub looks: u32,
    /// Time of all looks together, ns.
    pub ns: u64,
    /// No look runs.
    pub ended: bool,
    /// The last look read everything.
    pub complete: bool,
    /// Some that differ, in words.
    pub examples: Vec<String>,
}

/// One point of the history: what held at the end of an interval and what happened in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    /// End of the interval, `CLOCK_MONOTONIC` ns.
    pub ts: u64,
    /// Slots in use by backend at the end.
    pub mix: Mix,
    /// Difference of [`Totals`] in the interval.
    pub delta: Totals,
    /// Events in the interval.
    pub events: u64,
    /// Length of the interval in ns.
    pub span_ns: u64,
}

/// The state at one instant. Cheap to clone and to send: big parts are behind `Arc`.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Time of the last event, `CLOCK_MONOTONIC` ns.
    pub ts: u64,
    /// Time of the first event.
    pub first_ts: u64,
    /// The recording's own description.
    pub header: Arc<Header>,
    /// Events taken in.
    pub events: u64,
    /// Slots in use by backend, all devices. Physical slots that back virtual ones are no slots of their own here.
    pub mix: Mix,
    /// Slots in use and cached.
    pub cached: u64,
    /// Slots in use that are not confirmed.
    pub unconfirmed: u64,
    /// Compressed bytes in zswap as far as known.
    pub zswap_bytes: u64,
    /// Devices by number.
    pub devices: Vec<DeviceView>,
    /// Cgroups, most slots first.
    pub memcgs: Vec<MemcgView>,
    /// Page counts.
    pub totals: Totals,
    /// Latencies by kind, indexed by [`LatencyKind`].
    pub latency: [Percentiles; 6],
    /// Transition counts, `[from][to]` in slots, indexed by [`Backend`]; row and column 0 mean "free".
    pub transitions: [[u64; 5]; 5],
    /// Causes: of writeback, writeout, refusals, and how long pages stay.
    pub why: why::Why,
    /// Loss and doubt.
    pub losses: Losses,
    /// Events that contradict confirmed state, by fault.
    pub findings: Findings,
    /// The scan of the kernel's tables, if there was one.
    pub scan: Option<ScanView>,
    /// The last comparison with the kernel's tables, if there was one.
    pub verify: Option<VerifyView>,
    /// Counters by hook, empty where the source has none.
    pub hooks: Vec<HookTotals>,
    /// How latencies are spread, how they change, the worst.
    pub latencies: Arc<latency::LatencyDetail>,
    /// The cluster that somebody looks into.
    pub closeup: Option<Arc<closeup::Closeup>>,
    /// Bounded history, oldest first, one point per interval of event time.
    pub history: Arc<Vec<Point>>,
}

impl Snapshot {
    /// Slots in use.
    pub fn used(&self) -> u64 {
        self.mix.iter().sum()
    }

    /// Every slot in use is known to be: nothing was in use at the start, or a scan found what was.
    pub fn all_known(&self) -> bool {
        self.header.from_swapon || self.scan.is_some_and(|scan| scan.ended && scan.complete)
    }

    /// Share of slots in use whose state is confirmed, 0.0 to 1.0 (1.0 when none is in use).
    pub fn confirmed_share(&self) -> f64 {
        let used = self.used();
        if used == 0 { 1.0 } else { (used - self.unconfirmed.min(used)) as f64 / used as f64 }
    }
}

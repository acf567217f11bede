//! Immutable values for views and reports: made by the collector, owned by the reader.

pub mod closeup;
mod device;
mod finding;
pub mod latency;
mod tables;
pub mod watch;
pub mod why;

pub use device::{ClusterCell, DeviceView, List};
pub use finding::{Fault, Finding, Findings};
pub use latency::{LatencyKind, Percentiles};
pub use tables::{ScanView, VerifyView};

use crate::meta::{CgroupUse, Header, HookTotals};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
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

/// One list of counts for the struct and for what is done with all of them alike.
macro_rules! totals {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Pages counted as the kernel's vmstat counts them, since the start of the events.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Totals {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Totals {
            const COUNT: usize = [$(stringify!($name)),*].len();

            /// All counts, in the order of the fields.
            pub const fn numbers(&self) -> [u64; Self::COUNT] {
                [$(self.$name),*]
            }

            /// From counts in the order of the fields.
            pub const fn from_numbers([$($name),*]: [u64; Self::COUNT]) -> Self {
                Self { $($name),* }
            }
        }
    };
}

totals! {
    /// Slots allocated.
    alloc,
    /// Slots allocated without a folio, for images of hibernation.
    hibernate,
    /// Clusters queued to be discarded.
    discards,
    /// Allocation requests refused (folios).
    alloc_fail,
    /// Slots freed.
    free,
    /// Pages stored in zswap (`zswpout`).
    zswpout,
    /// Pages loaded from zswap (`zswpin`).
    zswpin,
    /// Pages written back from zswap (`zswpwb`).
    zswpwb,
    /// Pages queued to the device (`pswpout`).
    pswpout,
    /// Pages read from the device (`pswpin`).
    pswpin,
    /// Zero-filled pages swapped out (`swpout_zero`).
    swpout_zero,
    /// Zero-filled pages swapped in (`swpin_zero`).
    swpin_zero,
    /// Pages zswap refused.
    zswap_reject,
    /// Pages whose writeout was refused.
    writeout_reject,
    /// Pages whose I/O failed.
    io_error,
    /// Physical slots taken for virtual ones.
    backed,
    /// Physical slots behind virtual ones given back.
    unbacked,
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
    /// Bounded tables that overflowed: latency samples lost.
    pub overflow: u64,
    /// Changes of slots that were not followed: beyond the first 64 M, or beyond `--memory-limit`.
    pub untracked: u64,
}

impl Losses {
    /// Events that should have been taken in and were not, whatever the reason; `told` is what a trailer says was lost.
    pub fn missing(&self, told: u64) -> u64 {
        self.lost.max(told).saturating_add(self.undecodable).saturating_add(self.untracked)
    }
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
    /// Path of every cgroup that was ever told, with slots or without.
    pub paths: Arc<BTreeMap<u16, Arc<str>>>,
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

    /// Path of a cgroup, by which people know it; `None` where nobody told it.
    pub fn path(&self, memcg: u16) -> Option<&str> {
        self.paths.get(&memcg).map(|path| &**path)
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

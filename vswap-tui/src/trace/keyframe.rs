//! Key frames: the state after all records before a place in the file, so that reading can begin there.
//!
//! A frame is a KEY block (the [`KeyState`] as JSON) and the KEY_SLOTS blocks right after it, at least one. Each of
//! those holds a u32 count, a u32 that is 1 in the last of them and else 0, and as many records as columns
//! ([`super::columns`]), whose fields mean:
//!
//! | field | kind 1: a run of slots in equal state | kind 2: a cluster | kind 3: a run of virtual slots |
//! |---|---|---|---|
//! | entry, nr | first slot and number of slots, within one cluster | first slot of the cluster, 0 | as kind 1 |
//! | flags | bits 0-2: 0 free, else backend + 1; bit 3 cached; bit 4 confirmed; bit 5 backed; bits 6, 7 only the place, only the owner is certain | 0 | 0 |
//! | arg | in zswap, or on the device by its writeback: ms of `CLOCK_MONOTONIC` modulo 2^32 (2^33 in old files, whose last one also here means not known) since which, plus one; else 0 | 0 | first physical slot behind them |
//! | val | compressed bytes, 0 if unknown | list | 0 |
//! | memcg, order | owner; order of the folio it was allocated for | 0; order of the cluster | 0 |
//!
//! Slots that no record names are free: known to be if the device's `free_known` says so, else as far as anybody
//! knows. `seq` counts the records, everything else is 0. A frame whose last part is missing is no frame.

use crate::capped;
use crate::meta::{CgroupUse, HookTotals};
use crate::snapshot::latency::{KINDS, Offender, WORST};
use crate::snapshot::why::Why;
use crate::snapshot::{Losses, ScanView, Totals};
use serde::{Deserialize, Serialize};
use vswap_common::why::WRITEBACKS;

/// Kind of a record that describes a run of slots.
pub const RUN: u8 = 1;
/// Kind of a record that describes a cluster.
pub const CLUSTER: u8 = 2;
/// Kind of a record that tells the physical slots behind a run of virtual ones.
pub const LINK: u8 = 3;
/// Records in a KEY_SLOTS block.
pub(super) const PART_RECORDS: u32 = 32_768;
/// Bytes of a KEY_SLOTS payload before the columns.
pub(super) const PART_HEAD: usize = 8;
/// Larger counts are no writer's; a sum of two of them still fits.
const PLAUSIBLE: u64 = 1 << 60;

/// The JSON object of a KEY block. Names of devices and cgroups are not in it: HEADER and the UPDATE blocks before the
/// frame have them, and are small.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyState {
    /// Largest time stamp so far, ns.
    pub ts: u64,
    /// Time stamp of the first event.
    pub first_ts: u64,
    /// Events so far.
    pub events: u64,
    /// Losses so far: what was known before the last one is in doubt.
    pub epoch: u32,
    /// Devices ever named.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::DEVICES }>")]
    pub devices: Vec<KeyDevice>,
    /// Page counts.
    pub totals: Totals,
    /// Slots that moved, `[from][to]`, 0 = free.
    pub transitions: [[u64; 5]; 5],
    /// Loss and doubt.
    pub losses: Losses,
    /// Records that gap records say are missing.
    pub lost_in_gaps: u64,
    /// Records that the hooks' counters say are missing.
    pub lost_by_hooks: u64,
    /// Counters by hook.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::HOOKS }>")]
    pub hooks: Vec<HookTotals>,
    /// Findings by fault.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::HOOKS }>")]
    pub findings: Vec<u64>,
    /// The first few findings.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::HOOKS }>")]
    pub described: Vec<KeyFinding>,
    /// The scan at the start, if there was one.
    pub scan: Option<ScanView>,
    /// Histograms of latencies by kind: value in ns and how many.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::HOOKS }>")]
    pub latency: Vec<Vec<(u64, u64)>>,
    /// Causes.
    pub causes: KeyCauses,
    /// The worst samples.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::HOOKS }>")]
    pub worst: Vec<Offender>,
    /// Traffic and kernel's figures of each owner that has any.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::CGROUPS }>")]
    pub memcgs: Vec<KeyMemcg>,
    /// Reads under way: entry and when it began.
    pub reads: Vec<(u64, u64)>,
    /// Writes under way.
    pub writes: Vec<(u64, u64)>,
    /// The last frees, oldest first: time, entry, slots.
    pub freed: Vec<(u64, u64, u64)>,
}

/// Causes in a key frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyCauses {
    /// Counts.
    pub counts: Why,
    /// Times in zswap by how they ended: ms and how many.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::HOOKS }>")]
    pub stays: Vec<Vec<(u64, u64)>>,
    /// Times from writeback to the read.
    pub refaults: Vec<(u64, u64)>,
    /// By memcg id: pages written back by cause, pages read after that.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::CGROUPS }>")]
    pub memcgs: Vec<(u16, [u64; WRITEBACKS], u64)>,
}

/// A device in a key frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyDevice {
    /// Swap type.
    pub dev: u8,
    /// Usable pages.
    pub pages: u64,
    /// Slots with header.
    pub max: u64,
    /// `SWP_*` flags as far as told.
    pub flags: u16,
    /// Priority.
    pub prio: i32,
    /// Device of the virtual swap layer.
    pub r#virtual: bool,
    /// In use.
    pub active: bool,
    /// The header or a swapon told of it, and no swapoff since.
    pub declared: bool,
    /// Slots no record of the frame names are known to be free.
    pub free_known: bool,
    /// Clusters shown on the map.
    pub clusters: u64,
    /// Slots off the allocator's map, where events tell.
    pub held: Option<u64>,
}

/// An owner in a key frame; its slots are among the slots.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyMemcg {
    /// Kernel-private memcg id.
    pub id: u16,
    /// Pages moved out, writeback not counted.
    pub out: u64,
    /// Pages served to swap-ins.
    pub into: u64,
    /// Pages zswap wrote back.
    pub written_back: u64,
    /// What the kernel's files said last.
    pub usage: Option<CgroupUse>,
    /// Charged slots of it and all below it then.
    pub charged_then: u64,
}

/// A finding in a key frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyFinding {
    /// Index of the fault.
    pub fault: u8,
    /// Number of the event's kind.
    pub kind: u8,
    /// When, ns.
    pub ts: u64,
    /// First slot of the run.
    pub entry: u64,
    /// Slots of the run.
    pub nr: u16,
    /// CPU.
    pub cpu: u16,
    /// Thread.
    pub tid: u32,
}

impl KeyState {
    /// Counts that a recording can have. A frame whose are larger is refused, so that adding to them is safe.
    pub fn plausible(&self) -> bool {
        let l = &self.losses;
        let losses = [l.lost, l.gaps, l.undecodable, l.contradictions, l.inversions, l.overflow, l.untracked];
        let mut all = self
            .totals
            .numbers()
            .into_iter()
            .chain(losses)
            .chain(self.transitions.into_iter().flatten())
            .chain(self.findings.iter().copied())
            .chain(self.causes.counts.numbers())
            .chain(
                self.causes
                    .memcgs
                    .iter()
                    .flat_map(|(_, written, read)| written.iter().copied().chain([*read])),
            )
            .chain(self.memcgs.iter().flat_map(|m| [m.out, m.into, m.written_back]))
            .chain([self.events, (self.worst.len() / (WORST * KINDS + 1)) as u64 * PLAUSIBLE]);
        all.all(|n| n < PLAUSIBLE)
    }
}

//! What a trace says about itself: the JSON blocks at its head, in its course and at its end.
//!
//! Readers ignore members they do not know and default those that are missing, so that files of one major
//! version stay readable both ways.

use crate::capped;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything needed to read the records without the machine they came from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Header {
    /// Version of the tool that wrote the file.
    pub tool_version: String,
    /// Command line of the recording.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::HOOKS }>")]
    pub command: Vec<String>,
    /// `host`, `generator`: where the events come from.
    pub origin: String,
    /// Facts about the kernel.
    pub kernel: KernelInfo,
    /// Hooks used and not used, with reasons.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::HOOKS }>")]
    pub plan: Vec<HookPlan>,
    /// Field label to value, as resolved from BTF.
    pub layout: BTreeMap<String, u32>,
    /// Name of the layout generation, e.g. `swap-table-memcg` (Linux 7.2/7.3).
    pub layout_name: String,
    /// Swap devices in use at the start.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::DEVICES }>")]
    pub devices: Vec<DeviceInfo>,
    /// Kernel-private memcg id to cgroup.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::CGROUPS }>")]
    pub cgroups: Vec<CgroupInfo>,
    /// The same instant on both clocks.
    pub clock: ClockPair,
    /// Bytes of the ring buffer.
    pub ring_bytes: u64,
    /// True if no swap device was in use at the start: every slot is known from its first event.
    pub from_swapon: bool,
    /// Number of the file in a recording over several, from 1; 0 in a recording of one file. From the second on a file
    /// begins with what was known when it began, told as a scan tells it.
    #[serde(skip_serializing_if = "is_zero")]
    pub part: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Facts about the recorded kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KernelInfo {
    /// `uname -r`.
    pub release: String,
    /// `uname -m`.
    pub machine: String,
    /// Possible CPUs.
    pub cpus: u32,
    /// Page size in bytes.
    pub page_size: u32,
    /// Base-2 of slots per cluster is 9 with THP swap.
    pub cluster_slots: u32,
}

/// One hook of the plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HookPlan {
    /// Program name.
    pub hook: String,
    /// Kernel function, empty when none was found; several joined by ` + `.
    pub function: String,
    /// `fentry`, `fexit`, `kprobe`, `kretprobe`, `run`; several joined by `+`.
    pub how: String,
    /// What it makes visible.
    pub shows: String,
    /// `ok`, or `blind` with the reason.
    pub state: HookState,
    /// Why it is not used; empty when ok.
    pub reason: String,
    /// Instructions that the kernel's verifier walked, by program; empty before 5.16.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub verified: BTreeMap<String, u32>,
}

/// Whether a transition is visible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookState {
    /// Attached.
    Ok,
    /// Derived from other hooks.
    Inferred,
    /// Not visible on this kernel.
    #[default]
    Blind,
}

/// A swap device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceInfo {
    /// Swap type: the device number in swap entries.
    pub dev: u8,
    /// Path as in /proc/swaps.
    #[serde(deserialize_with = "capped::text::<_, { capped::PATH }>")]
    pub name: String,
    /// Usable pages.
    pub pages: u64,
    /// Pages in use when this was read.
    pub used: u64,
    /// Priority.
    pub prio: i32,
    /// The device of the virtual swap layer, without storage.
    pub r#virtual: bool,
}

/// A memory cgroup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CgroupInfo {
    /// Kernel-private memcg id, as in the kernel's slot tables.
    pub id: u16,
    /// Inode of the cgroup directory, 0 if unknown.
    pub inode: u64,
    /// Path below the cgroup mount, `/` for the root.
    #[serde(deserialize_with = "capped::text::<_, { capped::PATH }>")]
    pub path: String,
}

/// What the kernel's own files say a cgroup has in swap, bytes. A cgroup's figures hold all those below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CgroupUse {
    /// Kernel-private memcg id.
    pub id: u16,
    /// `memory.swap.current`; `None` if it could not be read.
    pub swap: Option<u64>,
    /// `memory.swap.max`; `None` without a limit.
    pub swap_max: Option<u64>,
    /// `memory.zswap.current`.
    pub zswap: Option<u64>,
    /// `memory.zswap.max`; `None` without a limit.
    pub zswap_max: Option<u64>,
}

/// `CLOCK_MONOTONIC` and `CLOCK_REALTIME` at one instant, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClockPair {
    /// Nanoseconds since boot without suspend.
    pub monotonic_ns: u64,
    /// Nanoseconds since 1970-01-01 UTC.
    pub realtime_ns: u64,
}

/// News in the course of a recording: replaces what the header said about the same device or cgroup.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Update {
    /// Devices seen since the last update.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::DEVICES }>")]
    pub devices: Vec<DeviceInfo>,
    /// Cgroups seen since the last update.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::CGROUPS }>")]
    pub cgroups: Vec<CgroupInfo>,
    /// Counters of the hooks so far.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::HOOKS }>")]
    pub hooks: Vec<HookTotals>,
    /// Use and limits of cgroups with slots, as their files had them.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "capped::list::<_, _, { capped::CGROUPS }>"
    )]
    pub usage: Vec<CgroupUse>,
}

/// Counters of one hook over all CPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HookTotals {
    /// Program name.
    pub hook: String,
    /// Records put into the ring.
    pub emitted: u64,
    /// Records that found the ring full.
    pub lost: u64,
    /// Calls given up on a failed kernel read.
    pub fault: u64,
    /// Calls given up on a full map.
    pub map_full: u64,
    /// Calls the kernel skipped because the program, or another kprobe, was already running on that CPU.
    pub recursion_misses: u64,
    /// Of these, the ones that the programs noticed: they have a number in the sequence of their CPU, as what is lost,
    /// faulted or finds a map full has, so that gaps tell of them.
    pub skipped: u64,
    /// Runs of the program as the kernel counts them; 0 unless `kernel.bpf_stats_enabled` is 1. Of a hook that has
    /// one record to each call: the sum of all others but `recursion_misses`.
    pub runs: u64,
}

impl HookTotals {
    /// Records that should be in the trace and are not.
    pub const fn missing(&self) -> u64 {
        self.lost + self.fault + self.map_full + self.recursion_misses
    }

    /// Of these, the ones that a gap tells where they happened.
    pub const fn numbered(&self) -> u64 {
        self.lost + self.fault + self.map_full + self.skipped
    }
}

/// Last block of a file that was closed cleanly.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trailer {
    /// Records in the file, gaps not counted.
    pub records: u64,
    /// Records lost over the whole recording, all causes.
    pub lost: u64,
    /// Counters by hook.
    #[serde(deserialize_with = "capped::list::<_, _, { capped::HOOKS }>")]
    pub hooks: Vec<HookTotals>,
    /// The same instant on both clocks, at the end.
    pub clock: ClockPair,
    /// Why the recording ended: `duration`, `signal`, `command`, `input`.
    pub reason: String,
}

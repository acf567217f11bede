//! Counters of the programs: records emitted, lost, faulted, and runs the kernel skipped.

use crate::meta::HookTotals;
use anyhow::Context;
use aya::Ebpf;
use aya::maps::{MapData, PerCpuArray};
use std::os::fd::{AsFd, AsRawFd};
use vswap_common::{Hook, HookCounts};

/// Words of [`HookCounts`]: the map's value as plain integers.
const WORDS: usize = size_of::<HookCounts>() / 8;

/// The counter map and where to read recursion misses.
pub(super) struct Counters {
    counts: PerCpuArray<MapData, [u64; WORDS]>,
}

impl Counters {
    pub(super) fn open(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let map =
            ebpf.take_map("COUNTS").context("the eBPF object has no counters: built from another version")?;
        Ok(Self { counts: PerCpuArray::try_from(map).context("open the counters")? })
    }

    /// Totals by hook over all CPUs, in the order of [`Hook`]. A hook that never attached has zeroes.
    ///
    /// Not for every second: while a system call reads a map, the kernel skips kprobe programs on that CPU, so looking
    /// would itself lose records.
    pub(super) fn totals(&self, ebpf: &Ebpf) -> Vec<HookTotals> {
        let of = |(i, hook): (usize, &Hook)| {
            let mut sum = HookCounts::default();
            if let Ok(values) = self.counts.get(&(i as u32), 0) {
                for [emitted, lost, fault, map_full, skipped] in values.iter().copied() {
                    sum.add(&HookCounts { emitted, lost, fault, map_full, skipped });
                }
            }
            HookTotals {
                hook: hook.program().to_owned(),
                emitted: sum.emitted,
                lost: sum.lost,
                fault: sum.fault,
                map_full: sum.map_full,
                recursion_misses: sum.skipped + recursion_misses(ebpf, *hook),
            }
        };
        Hook::ALL.iter().enumerate().map(of).collect()
    }
}

/// Calls of all hooks that the kernel skipped and nothing else tells. Reads no map.
pub(super) fn all_recursion_misses(ebpf: &Ebpf) -> u64 {
    Hook::ALL.iter().map(|hook| recursion_misses(ebpf, *hook)).sum()
}

/// Calls that the kernel skipped. Of a hook with two copies they lose nothing unless both were skipped, which the
/// programs notice and count themselves.
fn recursion_misses(ebpf: &Ebpf, hook: Hook) -> u64 {
    match hook.second() {
        Some(_) => 0,
        None => skipped(ebpf, hook.program()).unwrap_or(0),
    }
}

/// Runs of a program that the kernel skipped because it, or for a kprobe any other, was already running on that CPU;
/// told in fdinfo.
fn skipped(ebpf: &Ebpf, name: &str) -> Option<u64> {
    let fd = ebpf.program(name)?.fd().ok()?.as_fd().as_raw_fd();
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    text.lines().find_map(|l| l.strip_prefix("recursion_misses:"))?.trim().parse().ok()
}

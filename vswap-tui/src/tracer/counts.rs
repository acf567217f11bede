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
                recursion_misses: match hook.second() {
                    Some(_) => sum.skipped,
                    None => skipped(ebpf, hook.program()).unwrap_or(0),
                },
            }
        };
        Hook::ALL.iter().enumerate().map(of).collect()
    }
}

/// Runs of a program that the kernel skipped because it was already running on that CPU; told in fdinfo. Of a hook
/// with two copies these lose nothing unless both were skipped, which the programs count themselves.
fn skipped(ebpf: &Ebpf, name: &str) -> Option<u64> {
    let fd = ebpf.program(name)?.fd().ok()?.as_fd().as_raw_fd();
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    text.lines().find_map(|l| l.strip_prefix("recursion_misses:"))?.trim().parse().ok()
}

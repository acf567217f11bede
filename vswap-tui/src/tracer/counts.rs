//! Counters of the programs: records emitted, lost, faulted, and calls that the kernel did not hand to them.

use super::fdinfo;
use crate::kernel::hooks::{lonely_twin, twin_name};
use crate::meta::HookTotals;
use anyhow::Context;
use aya::Ebpf;
use aya::maps::{MapData, PerCpuArray};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use vswap_common::hook::HOOKS;
use vswap_common::{Hook, HookCounts};

/// Words of [`HookCounts`]: the map's value as plain integers.
const WORDS: usize = size_of::<HookCounts>() / 8;

/// The counter map and where to read what the kernel skipped.
pub(super) struct Counters {
    counts: PerCpuArray<MapData, [u64; WORDS]>,
    /// Descriptors of the links that tell what their kprobe missed, by hook.
    links: [Vec<RawFd>; HOOKS],
    /// What the links said last; they are gone when the books are closed.
    missed: [u64; HOOKS],
}

impl Counters {
    /// Opens the counters of programs that are attached. Call [`Counters::close_links`] before the links are dropped.
    pub(super) fn open(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let map =
            ebpf.take_map("COUNTS").context("the eBPF object has no counters: built from another version")?;
        let counts = PerCpuArray::try_from(map).context("open the counters")?;
        let counting = fdinfo::counting_links();
        let mut links = [const { Vec::new() }; HOOKS];
        for hook in Hook::ALL {
            let ids: Vec<u64> = single(*hook).filter_map(|name| number(ebpf, name, "prog_id")).collect();
            let ours = counting.iter().filter(|(_, id)| ids.contains(id));
            links[*hook as usize] = ours.map(|(fd, _)| *fd).collect();
        }
        Ok(Self { counts, links, missed: [0; HOOKS] })
    }

    /// Totals by hook over all CPUs, in the order of [`Hook`]. A hook that never attached has zeroes.
    ///
    /// Not for every second: while a system call reads a map, the kernel skips kprobe programs on that CPU, so looking
    /// would itself lose records.
    ///
    /// # Errors
    /// If the kernel does not hand out the counters: losses would go unseen.
    pub(super) fn totals(&self, ebpf: &Ebpf) -> anyhow::Result<Vec<HookTotals>> {
        Hook::ALL.iter().map(|hook| self.totals_of(ebpf, *hook)).collect()
    }

    fn totals_of(&self, ebpf: &Ebpf, hook: Hook) -> anyhow::Result<HookTotals> {
        let mut sum = HookCounts::default();
        let values = self.counts.get(&(hook as u32), 0).context("read the counters of the hooks")?;
        for [emitted, lost, fault, map_full, skipped] in values.iter().copied() {
            sum.add(&HookCounts { emitted, lost, fault, map_full, skipped });
        }
        Ok(HookTotals {
            hook: hook.program().to_owned(),
            emitted: sum.emitted,
            lost: sum.lost,
            fault: sum.fault,
            map_full: sum.map_full,
            recursion_misses: sum.skipped + self.unseen_by(ebpf, hook),
            runs: [Some(hook.program()), twin_name(hook.program())]
                .into_iter()
                .flatten()
                .filter_map(|name| number(ebpf, name, "run_cnt"))
                .sum(),
        })
    }

    /// Calls of all hooks that the kernel skipped and nothing else tells. Reads no map.
    pub(super) fn unseen(&self, ebpf: &Ebpf) -> u64 {
        Hook::ALL.iter().map(|hook| self.unseen_by(ebpf, *hook)).sum()
    }

    /// Calls that the kernel did not hand to the program: because it, or for a kprobe any other, was already running
    /// on that CPU (`recursion_misses`), or because another kprobe was being handled there (`missed`, the kprobe's
    /// `nmissed`). Of a hook with two copies they lose nothing unless both were skipped, which the programs notice
    /// and count themselves.
    fn unseen_by(&self, ebpf: &Ebpf, hook: Hook) -> u64 {
        let skipped = single(hook).filter_map(|name| number(ebpf, name, "recursion_misses"));
        skipped.sum::<u64>() + self.missed_by(hook)
    }

    fn missed_by(&self, hook: Hook) -> u64 {
        let links = &self.links[hook as usize];
        let now: u64 = links.iter().filter_map(|fd| fdinfo::number(*fd, "missed")).sum();
        now.max(self.missed[hook as usize])
    }

    /// To be called just before the links are dropped: keeps what only they can tell.
    pub(super) fn close_links(&mut self) {
        for hook in Hook::ALL {
            self.missed[*hook as usize] = self.missed_by(*hook);
            self.links[*hook as usize].clear();
        }
    }
}

/// Programs of the hook that have no second copy to make up for what the kernel skips.
fn single(hook: Hook) -> impl Iterator<Item = &'static str> {
    let own = if hook.second().is_none() { Some(hook.program()) } else { None };
    let names = own.into_iter().chain(hook.helpers().iter().copied());
    names.flat_map(|name| std::iter::once(name).chain(lonely_twin(name)))
}

/// What fdinfo says about a program; `None` if it is not loaded.
fn number(ebpf: &Ebpf, program: &str, name: &str) -> Option<u64> {
    fdinfo::number(ebpf.program(program)?.fd().ok()?.as_fd().as_raw_fd(), name)
}

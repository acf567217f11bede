//! Counters of the programs: records emitted, lost, faulted, and calls that the kernel did not hand to them.

use super::{fdinfo, mapped};
use crate::kernel::hooks::{lonely_twin, twin_name};
use crate::meta::HookTotals;
use anyhow::{Context, bail};
use aya::Ebpf;
use aya::maps::Map;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use vswap_common::hook::HOOKS;
use vswap_common::{Hook, HookCounts};

/// Words of [`HookCounts`]: the map's value as plain integers.
const WORDS: usize = size_of::<HookCounts>() / 8;

/// Where the kernel tells which numbers its CPUs may have.
const POSSIBLE: &str = "/sys/devices/system/cpu/possible";

/// Elements that the map needs: all hooks for each number that a CPU may have.
pub(super) fn elements() -> anyhow::Result<u32> {
    let text = std::fs::read_to_string(POSSIBLE).context(POSSIBLE)?;
    let last = last_cpu(&text).with_context(|| format!("{POSSIBLE}: cannot read '{}'", text.trim()))?;
    Ok((last + 1) * HOOKS as u32)
}

/// The highest number of a list as `0-3,8-11`, where numbers may be left out.
fn last_cpu(list: &str) -> Option<u32> {
    list.trim().rsplit([',', '-']).next()?.parse().ok().filter(|last| *last < 1 << 16)
}

/// The counter map and where to read what the kernel skipped.
pub(super) struct Counters {
    /// [`HookCounts`] by CPU and hook, as words.
    counts: &'static [AtomicU64],
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
        let Map::Array(map) = map else {
            bail!("the counters are no array: the eBPF object is of another version")
        };
        let counts = mapped::words(&map)?;
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
    pub(super) fn totals(&self, ebpf: &Ebpf) -> Vec<HookTotals> {
        Hook::ALL.iter().map(|hook| self.totals_of(ebpf, *hook)).collect()
    }

    fn totals_of(&self, ebpf: &Ebpf, hook: Hook) -> HookTotals {
        let mut sum = HookCounts::default();
        for of_cpu in self.counts.chunks_exact(HOOKS * WORDS) {
            let words = &of_cpu[hook as usize * WORDS..][..WORDS];
            let [emitted, lost, fault, map_full, skipped] =
                std::array::from_fn(|i| words[i].load(Ordering::Relaxed));
            sum.add(&HookCounts { emitted, lost, fault, map_full, skipped });
        }
        HookTotals {
            hook: hook.program().to_owned(),
            emitted: sum.emitted,
            lost: sum.lost,
            fault: sum.fault,
            map_full: sum.map_full,
            recursion_misses: sum.skipped + self.unseen_by(ebpf, hook),
            skipped: sum.skipped,
            runs: runs(ebpf, hook),
        }
    }

    /// Records of the hook that got into the ring. Reads memory, nothing else.
    pub(super) fn emitted(&self, hook: Hook) -> u64 {
        // The first word is what was emitted.
        let of_hook = self.counts.chunks_exact(WORDS).skip(hook as usize).step_by(HOOKS);
        of_hook.filter_map(|words| words.first()).map(|n| n.load(Ordering::Relaxed)).sum()
    }

    /// Records of all hooks that the programs gave up, those included that no later record has told of yet. Reads
    /// memory, nothing else.
    pub(super) fn given_up(&self) -> u64 {
        // The first word is what was emitted.
        let gone = self.counts.chunks_exact(WORDS).flat_map(|words| &words[1..]);
        gone.map(|n| n.load(Ordering::Relaxed)).sum()
    }

    /// Calls of all hooks that the kernel skipped and no program knows of. Reads a file for each program.
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

/// Runs of the hook's own program and its twin, or of those that stand in for it on a kernel where neither is loaded.
fn runs(ebpf: &Ebpf, hook: Hook) -> u64 {
    let of = |name: &str| number(ebpf, name, "run_cnt");
    let own = [Some(hook.program()), twin_name(hook.program())].into_iter().flatten();
    let own = own.filter_map(of).reduce(|sum, runs| sum + runs);
    own.unwrap_or_else(|| hook.helpers().iter().filter_map(|name| of(name)).sum())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_numbers_may_have_holes() {
        assert_eq!(last_cpu("0\n"), Some(0));
        assert_eq!(last_cpu("0-3\n"), Some(3));
        assert_eq!(last_cpu("0-3,8-11"), Some(11));
        assert_eq!(last_cpu("0,2"), Some(2));
        assert_eq!((last_cpu(""), last_cpu("0-x"), last_cpu("0-4294967295")), (None, None, None));
    }
}

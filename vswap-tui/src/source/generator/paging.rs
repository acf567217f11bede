//! What happens to one folio: it is paged out, written, read, mapped, unmapped.

use super::machine::{GROUPS, Group};
use super::runs::{Content, Id, Io, Run};
use super::sim::Sim;
use crate::model::backend::{Writeout, Written};
use crate::model::{Backing, End};
use std::cmp::Reverse;
use vswap_common::why::Refusal;

const US: u64 = 1_000;
/// Single pages that found no slot before the killer comes.
const PATIENCE: u32 = 96;

impl Sim {
    /// Reclaim of a folio that is not in the swap cache yet.
    pub(super) fn page_out(&mut self, order: u8, group: &Group) -> bool {
        let content = self.content();
        let entry = match self.kernel.alloc(order, group.id, group.inode) {
            Ok(entry) => entry,
            Err(end) => {
                self.failures += u32::from(order == 0 && end == End::NoSpace);
                if self.failures > PATIENCE {
                    self.kill();
                }
                return false;
            }
        };
        let id = self.kernel.runs.insert(Run {
            entry,
            nr: 1 << order,
            memcg: group.id,
            mapped: 1,
            cached: true,
            dirty: true,
            shmem: group.shmem,
            wanted: false,
            io: None,
            content,
            serial: 0,
        });
        self.evict(id);
        true
    }

    /// Reclaim of a cached folio: it is unmapped, written out if that is needed, and leaves the cache.
    pub(super) fn evict(&mut self, id: Id) {
        let Some(run) = self.kernel.runs.get(id).filter(|run| run.cached && run.io.is_none()) else { return };
        for _ in 0..run.mapped {
            let step = if run.shmem { run.nr } else { 1 };
            for i in (0..run.nr).step_by(step.into()) {
                self.kernel.dup(run.entry.add(i.into()), step, run.order());
            }
        }
        if let Some(run) = self.kernel.runs.get_mut(id) {
            run.mapped = 0;
        }
        if run.dirty { self.write_out(id) } else { self.kernel.cache_del(run.entry) }
    }

    fn write_out(&mut self, id: Id) {
        let Some(run) = self.kernel.runs.get(id) else { return };
        let nr = u64::from(run.nr);
        // The pool takes a little more than its limit, as the kernel's hysteresis does.
        let room = self.kernel.pool_bytes + nr * 1024 <= self.load.pool_limit * 105 / 100;
        let stored = match room {
            true if !run.content.incompressible => nr,
            true => self.rng.below(nr),
            false => 0,
        };
        let how = Writeout {
            // A page that zswap still holds from before is stored over: a zero page would leave that entry behind.
            zero: run.content.zero && !self.kernel.model.word(run.entry).in_zswap(),
            stored,
            writeback_allowed: GROUPS.iter().any(|group| group.id == run.memcg && group.writeback),
        };
        self.kernel.refusal = if room { Refusal::CompressFail } else { Refusal::PoolLimit };
        match self.kernel.writeout(run.entry, run.order(), how, run.content) {
            Some(Written::Zero | Written::Zswap) => {
                self.change(id, |run| run.dirty = false);
                if !self.rng.chance(self.load.linger) {
                    self.kernel.cache_del(run.entry);
                }
            }
            Some(Written::Device(_)) => self.start_write(id, run),
            _ => {}
        }
    }

    pub(super) fn change(&mut self, id: Id, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.kernel.runs.get_mut(id) {
            change(run);
        }
    }

    pub(super) fn start_write(&mut self, id: Id, run: Run) {
        self.change(id, |run| (run.dirty, run.io) = (false, Some(Io::Write)));
        let due = self.now() + self.rng.duration(250 * US);
        self.io.push(Reverse((due, run.entry, run.serial)));
    }

    /// One page enters the cache and is read; true if its data is there.
    pub(super) fn read(&mut self, id: Id, page: Run, faults: bool) -> bool {
        self.kernel.cache_add(page.entry);
        if self.now() >= self.next_broken && self.kernel.model.word(page.entry).in_zswap() {
            self.next_broken += self.load.wave_ns;
            self.kernel.load_fails(page.entry);
            self.unmap(id);
            return false;
        }
        match self.kernel.swapin(page.entry) {
            Some(Backing::Phys(_)) => {
                self.change(id, |run| (run.io, run.wanted) = (Some(Io::Read), faults));
                let due = self.now() + self.rng.duration(120 * US);
                self.io.push(Reverse((due, page.entry, page.serial)));
                false
            }
            source => {
                self.change(id, |run| run.dirty = matches!(source, Some(Backing::Zswap(_))));
                source.is_some()
            }
        }
    }

    /// A process maps a cached folio that is read in. Mostly it writes, and alone then gives the slot up.
    pub(super) fn map(&mut self, id: Id) {
        let Some(run) = self.kernel.runs.get(id) else { return };
        self.kernel.put(run.entry, run.nr, false);
        let writes = self.rng.chance(800);
        let content = self.content();
        self.change(id, |run| {
            run.mapped += 1;
            run.wanted = false;
        });
        if writes && self.kernel.model.count(run.entry) == Some(0) {
            self.change(id, |run| (run.dirty, run.content) = (true, content));
            self.kernel.free_swap(run.entry);
        } else if self.kernel.model.swap_full() || self.kernel.memcg_used(run.memcg, 2) {
            self.kernel.free_swap(run.entry);
        }
    }

    /// One user of a run less: a page table entry that holds the slot, or one that maps the cached folio.
    pub(super) fn unmap(&mut self, id: Id) {
        let Some(run) = self.kernel.runs.get(id) else { return };
        if self.kernel.model.count(run.entry) > Some(0) {
            self.kernel.put(run.entry, run.nr, true);
        } else {
            self.change(id, |run| run.mapped = run.mapped.saturating_sub(1));
            if run.mapped <= 1 {
                self.kernel.free_swap(run.entry);
            }
        }
    }

    fn content(&mut self) -> Content {
        Content {
            zero: self.rng.chance(self.load.zero),
            incompressible: self.rng.chance(self.load.incompressible),
            seed: self.rng.next(),
        }
    }
}

//! The generated processes and their pressure: pages go out, come back, are written back, forked and die. Only what
//! happens is decided here; where it leads, the [`Kernel`] tells.

use super::Spec;
use super::kernel::Kernel;
use super::load::Load;
use super::machine::{self, DEVICES, GROUPS, START_NS};
use super::ring::{KSWAPD, PROCESSES, Ring, about};
use super::rng::Rng;
use super::runs::{Io, Run};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use vswap_common::slot::CLUSTER_SLOTS;
use vswap_common::why::Writeback;
use vswap_common::{Entry, Kind};

const S: u64 = 1_000_000_000;
/// A process ends this often within a wave.
const EXITS_PER_WAVE: u64 = 2;
/// Pages of a split folio that reclaim tries in one round (`SWAP_CLUSTER_MAX`).
const ROUND: u16 = 32;
/// I/O that may be under way; whoever wants more waits for the first to end.
const MOST_IO: usize = 256;
/// Thread of the workers.
const WORKER: u32 = 90;

/// State of the generated processes.
pub(super) struct Sim {
    pub(super) load: Load,
    pub(super) rng: Rng,
    cpus: u64,
    next_exit: u64,
    pub(super) kernel: Kernel,
    /// I/O under way by the time of its end.
    pub(super) io: BinaryHeap<Reverse<(u64, Entry, u64)>>,
    shrinking: bool,
    /// Runs of processes that are ending, the lowest slot last.
    dying: Vec<(Entry, u64)>,
    /// Single pages that found no slot since the killer came.
    pub(super) failures: u32,
    /// The next time a page in zswap turns out to be damaged.
    pub(super) next_broken: u64,
    /// The next time the guest device comes or goes.
    pub(super) next_swap: u64,
    /// A device came: nothing more happens before its news are told.
    pub(super) announce: bool,
}

impl Sim {
    pub(super) fn new(spec: &Spec) -> Self {
        let load = Load::of(spec.workload, spec.slots);
        let sizes = machine::sizes(spec.slots);
        let mut model = machine::model(spec);
        let mut ring = Ring::new(spec.cpus, START_NS, !spec.seed);
        while let Some(record) = machine::swapon(&mut model, sizes) {
            ring.push(record);
        }
        Self {
            load,
            rng: Rng::new(spec.seed),
            cpus: spec.cpus.into(),
            next_exit: START_NS + load.wave_ns / EXITS_PER_WAVE,
            kernel: Kernel::new(model, ring, sizes),
            io: BinaryHeap::new(),
            shrinking: false,
            dying: Vec::new(),
            failures: 0,
            next_broken: START_NS + load.wave_ns / 2,
            next_swap: START_NS + load.wave_ns,
            announce: true,
        }
    }

    /// Event time.
    pub(super) const fn now(&self) -> u64 {
        self.kernel.ring.now()
    }

    /// Runs until event time reaches `until`, at least `limit` records wait, or a device was switched on.
    pub(super) fn run(&mut self, until: u64, limit: usize) {
        while self.now() < until && self.kernel.ring.waiting() < limit && !self.announce {
            self.step();
        }
    }

    /// One operation, after the I/O that ended before it.
    fn step(&mut self) {
        let pause = S / self.load.ops_per_s;
        let next = self.now() + self.rng.between(pause / 4, pause * 7 / 4 + 1);
        while let Some(Reverse((due, ..))) = self.io.peek()
            && (*due <= next || self.io.len() > MOST_IO)
        {
            self.io_done();
        }
        self.on_cpu(WORKER, next);
        self.workers();
        self.come_or_go();
        self.as_thread(KSWAPD);
        self.begin_exit();
        self.decide_shrinking();

        let wanted = self.load.wanted_fill(self.now() - START_NS);
        let (growing, faults) = (self.fill() < wanted, self.load.faults);
        let weights: [u64; 6] = [
            if growing { 100 } else { 25 },
            faults * 5 / 10 + if growing { 0 } else { faults / 2 },
            if growing { 5 } else { 80 },
            if self.shrinking { 160 } else { 0 },
            if self.dying.is_empty() { 0 } else { 300 },
            2,
        ];
        match self.rng.weighted(weights.into_iter()) {
            0 => self.swap_out(),
            1 => self.swap_in(),
            2 => self.give_up(),
            3 => self.write_back(),
            4 => self.die(),
            _ => self.fork(),
        }
        // Folios that stayed in the cache are used again, or reclaimed.
        if self.rng.chance(self.load.linger + 100) {
            self.settle();
        }
    }

    pub(super) fn on_cpu(&mut self, tid: u32, at: u64) {
        let cpu = self.rng.below(self.cpus);
        self.kernel.ring.run(cpu as u16, tid, at);
    }

    /// What follows is done by this thread, on the same CPU.
    pub(super) fn as_thread(&mut self, tid: u32) {
        let cpu = self.kernel.ring.cpu();
        self.kernel.ring.run(cpu, tid, 0);
    }

    /// What follows is done by a process of the cgroup.
    pub(super) fn as_process(&mut self, memcg: u16) {
        let cpu = u32::from(self.kernel.ring.cpu());
        self.as_thread(PROCESSES + u32::from(memcg) * 512 + cpu);
    }

    /// Share of all slots in use, permille.
    fn fill(&self) -> u64 {
        let all = self.kernel.model.total_pages().max(1);
        ((all - self.kernel.model.free_pages()) * 1000 / all) as u64
    }

    /// The shrinker works in bursts: it begins at the limit and goes on down to a part of it.
    fn decide_shrinking(&mut self) {
        let (limit, bytes) = (self.load.pool_limit, self.kernel.pool_bytes);
        self.shrinking =
            if self.shrinking { bytes > limit * self.load.pool_low / 100 } else { bytes > limit * 95 / 100 };
    }

    /// Work that devices have queued: discards, and reclaim after one filled up.
    fn workers(&mut self) {
        for d in 0..DEVICES as u8 {
            let Some(dev) = self.kernel.model.device(d) else { continue };
            let (discard, reclaim) = (dev.discard_queued, dev.reclaim_queued);
            if (discard || reclaim) && self.rng.chance(100) {
                if discard {
                    self.kernel.discard(d);
                }
                if reclaim {
                    self.kernel.reclaim_full(d);
                }
            }
        }
    }

    fn begin_exit(&mut self) {
        if self.now() < self.next_exit {
            return;
        }
        self.next_exit += self.load.wave_ns / EXITS_PER_WAVE;
        let memcg = GROUPS[self.rng.below(GROUPS.len() as u64) as usize].id;
        self.dying = self.kernel.runs.all(|run| run.memcg == memcg && run.serial % 3 != 0);
    }

    /// The killer takes the cgroup with the most slots.
    pub(super) fn kill(&mut self) {
        self.failures = 0;
        let charges = self.kernel.model.charges();
        let Some(victim) = GROUPS.iter().max_by_key(|group| charges.get(group.id).own) else { return };
        self.dying = self.kernel.runs.all(|run| run.memcg == victim.id);
    }

    fn swap_out(&mut self) {
        let order = self.load.orders[self.rng.weighted(self.load.orders.iter().map(|(_, w)| *w))].0;
        let group = &GROUPS[self.rng.weighted(GROUPS.iter().map(|g| g.share))];
        // Reclaim leaves the anonymous memory of a cgroup alone that is at its limit; now and then it learns late.
        if self.kernel.memcg_used(group.id, 1) && self.rng.chance(900) {
            return;
        }
        if self.rng.chance(400) {
            self.as_process(group.id);
        }
        if self.page_out(order, group) || order == 0 {
            return;
        }
        // Reclaim splits a large folio that found no slots and tries its pages.
        for _ in 0..ROUND.min(1 << order) {
            self.page_out(0, group);
        }
    }

    /// The first I/O to end ends, in an interrupt.
    pub(super) fn io_done(&mut self) {
        let Some(Reverse((due, entry, serial))) = self.io.pop() else { return };
        self.on_cpu(0, due);
        let Some((id, run)) = self.kernel.runs.at(entry).filter(|(_, run)| run.serial == serial) else {
            return;
        };
        let kind = if run.io == Some(Io::Write) { Kind::WriteEnd } else { Kind::ReadEnd };
        self.kernel.ring.push(about(kind, entry, run.nr, run.order()));
        self.change(id, |run| run.io = None);
        if kind == Kind::ReadEnd {
            if run.wanted {
                self.as_process(run.memcg);
                self.map(id);
            }
        } else if run.mapped == 0 && !self.rng.chance(self.load.linger) {
            self.as_thread(KSWAPD);
            self.kernel.cache_del(entry);
        }
    }

    fn swap_in(&mut self) {
        let Some((id, run)) = self.kernel.runs.draw(&mut self.rng, |run| !run.cached) else { return };
        self.as_process(run.memcg);
        let wanted = self.rng.below(run.nr.into()) as u16;
        // Readahead: the pages around, as far as they are the same process's.
        let window = 1u16 << self.rng.below(4);
        let pages = self.kernel.runs.carve(id, wanted / window * window, window);
        let mut mapped = Vec::new();
        for id in pages {
            let Some(page) = self.kernel.runs.get(id) else { continue };
            let faults = page.entry == run.entry.add(wanted.into());
            if self.read(id, page, faults) && (faults || self.rng.chance(500)) {
                mapped.push(id);
            }
        }
        mapped.into_iter().for_each(|id| self.map(id));
    }

    /// A process unmaps or truncates.
    fn give_up(&mut self) {
        for _ in 0..self.load.unmapped {
            if let Some((id, run)) = self.kernel.runs.draw(&mut self.rng, |run| run.io != Some(Io::Read)) {
                self.as_process(run.memcg);
                self.unmap(id);
            }
        }
    }

    /// A process ends: its page tables give up neighbouring slots together.
    fn die(&mut self) {
        for _ in 0..16 {
            let Some((entry, serial)) = self.dying.pop() else { return };
            let Some((id, run)) = self.kernel.runs.at(entry).filter(|(_, run)| run.serial == serial) else {
                continue;
            };
            if run.io == Some(Io::Read) {
                continue;
            }
            self.as_process(run.memcg);
            if run.cached {
                self.unmap(id);
                continue;
            }
            let mut nr = run.nr;
            while let Some(&(next, serial)) = self.dying.last()
                && next == entry.add(nr.into())
                && !next.off().is_multiple_of(CLUSTER_SLOTS.into())
                && let Some((_, more)) = self.kernel.runs.at(next)
                && more.serial == serial
                && !more.cached
            {
                nr += more.nr;
                self.dying.pop();
            }
            self.kernel.put(entry, nr, true);
        }
    }

    /// A process forks: its page tables are copied.
    fn fork(&mut self) {
        let found = self.kernel.runs.draw(&mut self.rng, |run| !run.cached && run.nr <= 16);
        let Some((_, run)) = found.filter(|(_, run)| self.kernel.model.count(run.entry) == Some(1)) else {
            return;
        };
        self.as_process(run.memcg);
        (0..run.nr).for_each(|i| self.kernel.dup(run.entry.add(i.into()), 1, 0));
    }

    /// A folio that stayed in the cache: somebody uses it, or reclaim takes it.
    fn settle(&mut self) {
        let found = self.kernel.runs.draw(&mut self.rng, |run| run.cached && run.io.is_none());
        let Some((id, run)) = found else { return };
        if self.kernel.model.count(run.entry) > Some(0) && self.rng.chance(300) {
            self.as_process(run.memcg);
            self.map(id);
        } else {
            self.evict(id);
        }
    }

    fn write_back(&mut self) {
        let model = &self.kernel.model;
        let fits = |run: &Run| {
            let allowed = GROUPS.iter().any(|group| group.id == run.memcg && group.writeback);
            allowed && !run.cached && model.word(run.entry).in_zswap()
        };
        let Some((id, run)) = self.kernel.runs.draw(&mut self.rng, fits) else { return };
        let page = self.rng.below(run.nr.into()) as u16;
        let Some(&id) = self.kernel.runs.carve(id, page, 1).first() else { return };
        let Some(run) = self.kernel.runs.get(id) else { return };
        let decompresses = self.rng.below(20_000) != 0;
        // A full pool has a worker of its own; what is left to do is the shrinker's, when kswapd asks it.
        let (cause, thread) = if self.kernel.pool_bytes > self.load.pool_limit {
            (Writeback::PoolLimit, WORKER)
        } else {
            (Writeback::Shrinker, KSWAPD)
        };
        self.as_thread(thread);
        if self.kernel.writeback(run.entry, decompresses, cause) {
            self.start_write(id, run);
        }
    }
}

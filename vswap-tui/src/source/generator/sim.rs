//! The generated kernel: pages go out, come back, are written back and die, and every step leaves the records that
//! the hooks would leave, in the order in which Linux 7.3 does things.
//!
//! ```text
//! out:        Alloc [ClusterMove] Charge  Zero | ZswapStore | ZswapPage.. ZswapStore | ZswapReject Write .. WriteEnd
//! reclaimed:  CacheDel(SWAPOUT)
//! in:         CacheAdd  LoadZero | ZswapFree LoadZswap | LoadPhys .. ReadEnd
//! given up:   [CacheDel] Free ZswapFree.. [ClusterMove]
//! writeback:  CacheAdd ZswapFree Write(WRITEBACK) .. WriteEnd CacheDel(SWAPOUT)
//! ```

use super::device::{Device, Move};
use super::folios::{Folio, Folios, Id, Place};
use super::load::Load;
use super::rng::Rng;
use crate::meta::{CgroupInfo, DeviceInfo};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use vswap_common::slot::CLUSTER_SLOTS;
use vswap_common::{Entry, Kind, Record, flags};

const US: u64 = 1_000;
const S: u64 = 1_000_000_000;
const CPUS: usize = 4;
const ENOMEM: i32 = -12;
/// `AOP_WRITEPAGE_ACTIVATE`.
const ACTIVATE: i32 = 0x8_0000;
/// A process ends this often within a wave.
const EXITS_PER_WAVE: u64 = 2;
/// Clusters of the two devices: 256 MiB and 128 MiB.
const CLUSTERS: [usize; 2] = [128, 64];
const PRIORITIES: [i32; 2] = [10, -2];
/// Path, id and share of the load of each cgroup. The last one may not write zswap pages back
/// (`memory.zswap.writeback` = 0).
const CGROUPS: [(&str, u16, u64); 5] =
    [("/web", 21, 40), ("/db", 22, 25), ("/batch", 23, 20), ("/desktop", 24, 10), ("/db/pinned", 25, 5)];
const NO_WRITEBACK: u16 = 25;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Io {
    Read,
    Write,
}

/// State of the generated kernel.
pub(super) struct Sim {
    load: Load,
    rng: Rng,
    started: u64,
    clock: u64,
    next_exit: u64,
    cpu: usize,
    seq: [u32; CPUS],
    devices: [Device; 2],
    folios: Folios,
    /// I/O under way by the time of its end.
    io: BinaryHeap<Reverse<(u64, Id, Io)>>,
    pool_bytes: u64,
    shrinking: bool,
    /// Folios of processes that are ending.
    dying: Vec<(Id, u64)>,
    out: Vec<Record>,
}

impl Sim {
    pub(super) fn new(load: Load, seed: u64, start: u64) -> Self {
        let mut sim = Self {
            load,
            rng: Rng::new(seed),
            started: start,
            clock: start,
            next_exit: start + load.wave_ns / EXITS_PER_WAVE,
            cpu: 0,
            seq: [0; CPUS],
            devices: CLUSTERS.map(Device::new),
            folios: Folios::default(),
            io: BinaryHeap::new(),
            pool_bytes: 0,
            shrinking: false,
            dying: Vec::new(),
            out: Vec::new(),
        };
        for info in devices() {
            let max = sim.devices[usize::from(info.dev)].max();
            let entry = Entry::new(info.dev, max).0;
            sim.push(Record { entry, arg: info.pages, val: info.prio, ..draft(Kind::SwapOn) });
        }
        sim
    }

    /// Event time.
    pub(super) const fn now(&self) -> u64 {
        self.clock
    }

    /// Records until event time reaches `until` or there are at least `limit`.
    pub(super) fn run(&mut self, until: u64, limit: usize) -> &mut Vec<Record> {
        while self.clock < until && self.out.len() < limit {
            self.step();
        }
        &mut self.out
    }

    /// One operation, after the I/O that ended before it.
    fn step(&mut self) {
        let pause = S / self.load.ops_per_s;
        let next = self.clock + self.rng.between(pause / 4, pause * 7 / 4 + 1);
        while let Some(Reverse((due, id, io))) = self.io.peek().copied()
            && due <= next
        {
            self.io.pop();
            self.clock = self.clock.max(due);
            self.io_done(id, io);
        }
        self.clock = self.clock.max(next);
        self.cpu = self.rng.below(CPUS as u64) as usize;
        self.begin_exit();
        self.decide_shrinking();

        let wanted = self.load.wanted_fill(self.clock - self.started);
        let (growing, faults) = (self.fill() < wanted, self.load.faults);
        let weights: [u64; 5] = [
            if growing { 100 } else { 25 },
            faults * 5 / 10 + if growing { 0 } else { faults / 2 },
            if growing { 5 } else { 80 },
            if self.shrinking { 160 } else { 0 },
            if self.dying.is_empty() { 0 } else { 300 },
        ];
        match self.rng.weighted(weights.into_iter()) {
            0 => self.swap_out(),
            1 => self.swap_in(),
            2 => self.give_up(),
            3 => self.write_back(),
            _ => self.die(),
        }
        // Folios that stayed in the cache are reclaimed or freed sooner or later.
        if self.rng.chance(self.load.linger + 100) {
            self.settle();
        }
    }

    /// Share of all slots in use, permille.
    fn fill(&self) -> u64 {
        let (used, all) = self.devices.iter().fold((0, 0), |(u, a), d| (u + d.used(), a + d.max()));
        used * 1000 / all
    }

    /// The shrinker works in bursts: it begins at the limit and goes on down to a part of it.
    fn decide_shrinking(&mut self) {
        let limit = self.load.pool_limit;
        self.shrinking = if self.shrinking {
            self.pool_bytes > limit * self.load.pool_low / 100
        } else {
            self.pool_bytes > limit * 95 / 100
        };
    }

    fn begin_exit(&mut self) {
        if self.clock < self.next_exit {
            return;
        }
        self.next_exit += self.load.wave_ns / EXITS_PER_WAVE;
        let (_, memcg, _) = CGROUPS[self.rng.below(CGROUPS.len() as u64) as usize];
        self.dying = self.folios.all(|f| f.memcg == memcg && f.serial % 3 != 0);
    }

    fn swap_out(&mut self) {
        let order = self.load.orders[self.rng.weighted(self.load.orders.iter().map(|(_, w)| *w))].0;
        let memcg = CGROUPS[self.rng.weighted(CGROUPS.iter().map(|(_, _, w)| *w))].1;
        if self.swap_out_folio(order, memcg) || order == 0 {
            return;
        }
        // Reclaim splits a large folio that found no slots and tries its pages.
        for _ in 0..4 {
            self.swap_out_folio(0, memcg);
        }
    }

    fn swap_out_folio(&mut self, order: u8, memcg: u16) -> bool {
        let found = (0u8..).zip(&mut self.devices).find_map(|(dev, d)| Some((dev, d.alloc(order)?)));
        let Some((dev, (off, moved))) = found else {
            self.push(Record { val: ENOMEM, order, ..draft(Kind::AllocFail) });
            return false;
        };
        let folio = Folio {
            entry: Entry::new(dev, off),
            order,
            memcg,
            cached: true,
            place: Place::Folio,
            busy: false,
            content: self.rng.next(),
            first_page: 0,
            serial: 0,
        };
        self.push(about(Kind::Alloc, &folio));
        self.list_moved(dev, moved);
        let refused = self.fill() > 970 && self.rng.chance(20);
        let val = if refused { ENOMEM } else { 0 };
        self.push(Record { val, memcg, flags: flags::MEMCG, ..about(Kind::Charge, &folio) });
        let id = self.folios.insert(folio);
        if refused {
            self.free(id);
            return false;
        }
        self.write_out(id);
        true
    }

    /// `swap_writeout` of a locked, dirty folio, and its reclaim.
    fn write_out(&mut self, id: Id) {
        let Some(folio) = self.folios.get(id) else { return };
        let in_zswap = folio.place == Place::Zswap;
        if !in_zswap && self.rng.chance(self.load.zero) {
            let arg = self.spend(2 * US);
            self.push(Record { arg, ..about(Kind::Zero, &folio) });
            self.set_place(id, Place::Zero);
            self.reclaim_soon(id);
            return;
        }
        if in_zswap {
            self.entries_freed(&folio, flags::IN_STORE);
        }
        // The pool takes a little more than its limit, as the kernel's hysteresis does.
        let room = self.pool_bytes + folio.bytes() <= self.load.pool_limit * 105 / 100;
        if room && !self.rng.chance(self.load.incompressible) {
            self.store(id, &folio);
            self.reclaim_soon(id);
            return;
        }
        if folio.order > 0 && room {
            // One page did not compress: what was stored of the folio goes again.
            let page = folio.part(0);
            self.push(Record { val: page.len(0), ..about(Kind::ZswapPage, &page) });
            self.push(Record { val: page.len(0), flags: flags::IN_STORE, ..about(Kind::ZswapFree, &page) });
        }
        let arg = self.spend(4 * US);
        self.push(Record { arg, ..about(Kind::ZswapReject, &folio) });
        if folio.memcg == NO_WRITEBACK {
            self.push(Record { arg: arg + US, val: ACTIVATE, ..about(Kind::WriteoutReject, &folio) });
            self.set_place(id, Place::Folio);
            return;
        }
        self.write(id, &folio, 0);
    }

    fn store(&mut self, id: Id, folio: &Folio) {
        let arg = self.spend(5 * US * u64::from(folio.nr()));
        let mut stored = Record { arg, ..about(Kind::ZswapStore, folio) };
        if folio.order == 0 {
            stored.val = folio.len(0);
        } else {
            for page in 0..folio.nr() {
                self.push(Record { val: folio.len(page), ..about(Kind::ZswapPage, &folio.part(page)) });
            }
        }
        self.push(stored);
        self.pool_bytes += folio.bytes();
        self.set_place(id, Place::Zswap);
    }

    fn write(&mut self, id: Id, folio: &Folio, why: u16) {
        self.push(Record { flags: why, ..about(Kind::Write, folio) });
        self.set_place(id, Place::Phys);
        self.start_io(id, Io::Write, 250 * US);
    }

    fn start_io(&mut self, id: Id, io: Io, typical: u64) {
        if let Some(folio) = self.folios.get_mut(id) {
            folio.busy = true;
            let due = self.clock + self.rng.duration(typical);
            self.io.push(Reverse((due, id, io)));
        }
    }

    fn io_done(&mut self, id: Id, io: Io) {
        let Some(folio) = self.folios.get_mut(id) else { return };
        folio.busy = false;
        let folio = *folio;
        match io {
            Io::Write => {
                self.push(about(Kind::WriteEnd, &folio));
                self.reclaim_soon(id);
            }
            Io::Read => {
                self.push(about(Kind::ReadEnd, &folio));
                self.fault_done(id);
            }
        }
    }

    /// Reclaim takes the folio right after its writeout, unless somebody touched it.
    fn reclaim_soon(&mut self, id: Id) {
        if !self.rng.chance(self.load.linger) {
            self.reclaim(id);
        }
    }

    fn reclaim(&mut self, id: Id) {
        let Some(folio) = self.folios.get_mut(id) else { return };
        folio.cached = false;
        let folio = *folio;
        self.push(Record {
            memcg: folio.memcg,
            flags: words(&folio) | flags::SWAPOUT,
            ..about(Kind::CacheDel, &folio)
        });
    }

    fn swap_in(&mut self) {
        let Some((id, _)) = self.folios.draw(&mut self.rng, |f| !f.cached) else { return };
        let Some((id, folio)) = self.enter_cache(id) else { return };
        match folio.place {
            Place::Zero => {
                let arg = self.spend(US);
                self.push(Record { arg, ..about(Kind::LoadZero, &folio) });
                self.fault_done(id);
            }
            Place::Zswap => {
                let arg = self.spend(3 * US);
                self.entries_freed(&folio, flags::IN_LOAD);
                self.push(Record { arg, ..about(Kind::LoadZswap, &folio) });
                self.set_place(id, Place::Folio);
                self.fault_done(id);
            }
            Place::Phys | Place::Folio => {
                let arg = self.spend(US);
                self.push(Record { arg, ..about(Kind::LoadPhys, &folio) });
                self.start_io(id, Io::Read, 120 * US);
            }
        }
    }

    /// One page enters the swap cache; a large folio that is out comes back page by page.
    fn enter_cache(&mut self, id: Id) -> Option<(Id, Folio)> {
        let whole = self.folios.get(id)?;
        let id = if whole.order > 0 {
            self.folios.remove(id);
            let wanted = self.rng.below(u64::from(whole.nr())) as u16;
            let mut at = id;
            for page in 0..whole.nr() {
                let part = self.folios.insert(whole.part(page));
                if page == wanted {
                    at = part;
                }
            }
            at
        } else {
            id
        };
        let folio = self.folios.get_mut(id)?;
        folio.cached = true;
        let folio = *folio;
        self.push(Record { memcg: folio.memcg, flags: words(&folio), ..about(Kind::CacheAdd, &folio) });
        Some((id, folio))
    }

    /// The page is mapped again; its slot is mostly given up at once (`folio_free_swap`).
    fn fault_done(&mut self, id: Id) {
        if self.rng.chance(800) {
            self.free(id);
        }
    }

    /// A process unmaps or truncates.
    fn give_up(&mut self) {
        for _ in 0..self.load.unmapped {
            if let Some((id, _)) = self.folios.draw(&mut self.rng, |_| true) {
                self.free(id);
            }
        }
    }

    fn die(&mut self) {
        for _ in 0..16 {
            let Some((id, serial)) = self.dying.pop() else { return };
            if self.folios.get(id).is_some_and(|f| f.serial == serial && !f.busy) {
                self.free(id);
            }
        }
    }

    /// A folio still in the cache is reclaimed if its data is elsewhere, else written out again.
    fn settle(&mut self) {
        let Some((id, folio)) = self.folios.draw(&mut self.rng, |f| f.cached) else { return };
        if folio.place == Place::Folio || self.rng.chance(200) {
            self.write_out(id);
        } else {
            self.reclaim(id);
        }
    }

    fn write_back(&mut self) {
        let fits = |f: &Folio| f.place == Place::Zswap && !f.cached && f.memcg != NO_WRITEBACK;
        let Some((id, _)) = self.folios.draw(&mut self.rng, fits) else { return };
        let Some((id, folio)) = self.enter_cache(id) else { return };
        self.spend(3 * US);
        self.entries_freed(&folio, 0);
        self.write(id, &folio, flags::WRITEBACK);
    }

    /// Slots return to the device, out of the cache first, zswap entries last.
    fn free(&mut self, id: Id) {
        let Some(folio) = self.folios.remove(id) else { return };
        if folio.cached {
            self.push(Record { memcg: folio.memcg, flags: words(&folio), ..about(Kind::CacheDel, &folio) });
        }
        self.push(Record { order: 0, ..about(Kind::Free, &folio) });
        if folio.place == Place::Zswap {
            self.entries_freed(&folio, 0);
        }
        let moved = self.devices[usize::from(folio.entry.dev())].free(folio.entry.off(), folio.nr());
        self.list_moved(folio.entry.dev(), moved);
    }

    fn entries_freed(&mut self, folio: &Folio, why: u16) {
        for page in 0..folio.nr() {
            self.push(Record {
                val: folio.len(page),
                flags: why,
                ..about(Kind::ZswapFree, &folio.part(page))
            });
        }
        self.pool_bytes -= folio.bytes();
    }

    fn list_moved(&mut self, dev: u8, moved: Option<Move>) {
        if let Some(m) = moved {
            let entry = Entry::new(dev, m.index * u64::from(CLUSTER_SLOTS)).0;
            self.push(Record { entry, val: i32::from(m.list), order: m.order, ..draft(Kind::ClusterMove) });
        }
    }

    fn set_place(&mut self, id: Id, place: Place) {
        if let Some(folio) = self.folios.get_mut(id) {
            folio.place = place;
        }
    }

    /// Lets time pass and tells how much.
    fn spend(&mut self, typical: u64) -> u64 {
        let ns = self.rng.duration(typical);
        self.clock += ns;
        ns
    }

    /// Stamps a record and puts it into the ring.
    fn push(&mut self, record: Record) {
        self.clock += self.rng.between(150, 600);
        let seq = self.seq[self.cpu];
        self.seq[self.cpu] = seq.wrapping_add(1);
        let tid = 1000 + self.cpu as u32;
        self.out.push(Record { ts: self.clock, seq, tid, cpu: self.cpu as u16, ..record });
    }
}

/// A record of nothing yet.
fn draft(kind: Kind) -> Record {
    Record { kind: kind as u8, ..Record::default() }
}

/// A record about a folio's slots.
fn about(kind: Kind, folio: &Folio) -> Record {
    Record { entry: folio.entry.0, nr: folio.nr(), order: folio.order, ..draft(kind) }
}

/// What the hooks under the cluster lock read in the tables: owner known, words readable, zero or not.
fn words(folio: &Folio) -> u16 {
    flags::MEMCG | flags::WORDS | if folio.place == Place::Zero { flags::ZERO } else { 0 }
}

/// The devices, as /proc/swaps would list them.
pub(super) fn devices() -> Vec<DeviceInfo> {
    (0u8..)
        .zip(CLUSTERS.iter().zip(PRIORITIES))
        .map(|(dev, (clusters, prio))| DeviceInfo {
            dev,
            name: format!("generated{dev}"),
            pages: *clusters as u64 * u64::from(CLUSTER_SLOTS) - 1,
            used: 0,
            prio,
            r#virtual: false,
        })
        .collect()
}

/// The cgroups.
pub(super) fn cgroups() -> Vec<CgroupInfo> {
    CGROUPS.iter().map(|(path, id, _)| CgroupInfo { id: *id, inode: 0, path: (*path).to_owned() }).collect()
}

/// CPUs that run the load.
pub(super) const fn cpus() -> u32 {
    CPUS as u32
}

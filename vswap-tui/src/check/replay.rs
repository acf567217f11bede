//! Drives the model with the events of a trace.

use super::backing::Backings;
use super::devices::MAX_SLOTS;
use super::moves::{Moves, Place, Side};
use super::request::{Request, Witness};
use super::warm::Warm;
use super::{Agreement, CpuCaches, Invariant};
use crate::decode::Event;
use crate::memory::Claim;
use crate::meta::Header;
use crate::model::cache::Removal;
use crate::model::policy::SWAP_TABLE;
use crate::model::{Config, Device, Flag, Model, invariant};
use crate::recorded;
use rustc_hash::FxHashMap;
use vswap_common::slot::MAX_DEVICES;
use vswap_common::{Entry, Kind, flags};

/// The invariants are checked after this many events, and not before as many as a few times the slots they walk: so
/// their cost per event is bounded.
const INVARIANTS_EVERY: u64 = 200_000;
const EVENTS_PER_SLOT: u64 = 4;

/// The model beside a trace.
pub struct Checker {
    pub(super) model: Model,
    /// What the devices of the model take.
    pub(super) memory: Claim,
    /// The kernel has a virtual layer.
    pub(super) virt: bool,
    /// Slots of the virtual device that there is room for so far.
    pub(super) reach: u64,
    pub(super) requests: FxHashMap<u32, Request>,
    /// What threads do about physical slots behind virtual ones.
    pub(super) backings: Backings,
    pub(super) moves: Moves,
    pub(super) result: Agreement,
    invariants: invariant::Checker,
    /// Clusters that a worker has taken off the full list, at most one of each device.
    pub(super) held: Vec<(u8, u32)>,
    /// Events when the invariants were checked last.
    checked_at: u64,
    /// Frames to tell folios apart.
    next_pfn: u64,
    /// Events seen by CPU, to notice what other CPUs did during a request.
    pub(super) by_cpu: Vec<u64>,
    events: u64,
    /// What the scan that runs found so far.
    warm: Option<Box<Warm>>,
    /// The lists are known: from swapon on, or from a scan that left nothing open.
    pub(super) known: bool,
    /// Records were lost: from here on the model has to learn the lists again.
    pub(super) lost: bool,
    /// Priorities are told where the kernel relies on them.
    pub(super) priorities_told: bool,
    /// Devices used before their priority was told, by swap type.
    pub(super) used_untold: u32,
    /// Priorities told, by swap type.
    pub(super) priorities: [Option<i32>; MAX_DEVICES],
}

impl Checker {
    /// A model of the recorded machine before its first event.
    pub fn new(header: &Header) -> Self {
        let cpus = (header.kernel.cpus as usize).clamp(1, 8192);
        let policy = super::policy(header).unwrap_or(SWAP_TABLE);
        let mut model = Model::new(Config { cpus, ..Config::new(policy) });
        model.record_steps();
        Self {
            model,
            memory: Claim::default(),
            virt: policy.virt.is_some(),
            reach: 0,
            requests: FxHashMap::default(),
            backings: Backings::default(),
            moves: Moves::default(),
            result: Agreement {
                from_swapon: header.from_swapon,
                references: recorded::references(header),
                ..Agreement::default()
            },
            invariants: invariant::Checker::default(),
            held: Vec::new(),
            checked_at: 0,
            next_pfn: 1,
            by_cpu: vec![0; cpus],
            events: 0,
            warm: None,
            known: header.from_swapon,
            lost: false,
            priorities_told: false,
            used_untold: 0,
            priorities: [None; MAX_DEVICES],
        }
    }

    /// Takes in one event.
    pub fn apply(&mut self, e: &Event) {
        self.events += 1;
        let cpu = usize::from(e.cpu);
        if let Some(n) = self.by_cpu.get_mut(cpu) {
            *n += 1;
        }
        if self.warming(e) {
            return;
        }
        match e.kind {
            Kind::Gap => self.lose(),
            Kind::SwapOn => self.swap_on(e),
            Kind::SwapOff => self.swap_off(e.entry.dev()),
            Kind::SwapOffBegin => self.swap_off_begin(e.entry.dev()),
            Kind::AllocBegin => self.begin(e),
            Kind::Alloc => self.allocated(e),
            Kind::Hibernate => self.hibernated(e),
            Kind::AllocFail => self.refused(e),
            Kind::CacheAdd => self.cache_add(e),
            Kind::CacheDel => self.cache_del(e),
            Kind::Free => self.free(e),
            Kind::Dup => self.dup(e),
            Kind::Put => self.put(e),
            Kind::ClusterMove => self.cluster_move(e),
            Kind::Isolate => self.isolate(e),
            Kind::Back
            | Kind::Unback
            | Kind::Release
            | Kind::ZswapStore
            | Kind::Zero
            | Kind::WriteoutReject => {}
            _ => return,
        }
        if self.virt {
            self.virtual_event(e);
        }
        self.settle_moves(e.ts);
        if self.events - self.checked_at >= INVARIANTS_EVERY {
            let slots = self.physical_slots();
            if self.events - self.checked_at >= slots.saturating_mul(EVENTS_PER_SLOT) {
                self.check_invariants();
            }
        }
    }

    /// While a scan runs the model waits: its state is what the scan finds. True if the event is taken care of.
    fn warming(&mut self, e: &Event) -> bool {
        let learns = e.flags & flags::VERIFY == 0;
        if self.virt {
            // The model does not take virtual tables over: from here on it is cold.
            if e.kind == Kind::ScanBegin && learns {
                self.lose();
            } else if e.kind == Kind::Isolate && !self.on_virtual(e.entry) {
                self.learn_priority(e);
            }
            return false;
        }
        match e.kind {
            Kind::ScanBegin if learns => {
                self.put_back(|_| true);
                self.warm = Some(Box::new(Warm::new(self.by_cpu.len())));
                true
            }
            Kind::ScanEnd if learns => {
                if let Some(warm) = self.warm.take().filter(|_| !e.failed()) {
                    self.start_from(*warm);
                }
                true
            }
            Kind::Gap => {
                self.warm = None;
                false
            }
            // Priorities are told by these, whoever waits.
            Kind::Isolate => {
                self.learn_priority(e);
                self.warm.as_mut().is_some_and(|warm| {
                    warm.apply(e);
                    true
                })
            }
            _ => self.warm.as_mut().is_some_and(|warm| {
                warm.apply(e);
                self.result.not_compared += u64::from(matches!(e.kind, Kind::Alloc | Kind::AllocFail));
                true
            }),
        }
    }

    /// The scan is over: the model goes on where the kernel is.
    fn start_from(&mut self, warm: Warm) {
        let slots = warm.slots_of_devices();
        self.memory = Claim::default();
        if slots > MAX_SLOTS || !self.memory.grow(Device::memory(slots, self.model.config().shift())) {
            return self.too_large(slots);
        }
        match warm.model(*self.model.config()) {
            Ok((model, exact)) => {
                self.model = model;
                self.model.record_steps();
                (self.known, self.lost) = (exact, false);
                self.result.from_scan = true;
            }
            Err(_) => self.fault(),
        }
        self.requests.clear();
        self.held.clear();
        self.moves.forget();
        for (dev, device) in self.model.devices() {
            self.priorities[usize::from(dev) % MAX_DEVICES] = Some(device.priority);
        }
    }

    /// Checks the invariants of the model, now or as soon as no worker has a cluster off its list.
    pub(super) fn check_invariants(&mut self) {
        // Where virtual slots had their data when records were lost, nothing brings back: a slot without is no fault.
        if self.virt && self.lost {
            return;
        }
        let model = &self.model;
        self.held.retain(|&(d, c)| model.cluster_state(d, c).is_some_and(|(flag, ..)| flag == Flag::None));
        if self.held.is_empty() {
            self.checked_at = self.events;
            self.invariants.check(&self.model);
        }
    }

    /// Clusters that workers of `which` devices still hold go back to their lists.
    pub(super) fn put_back(&mut self, which: impl Fn(u8) -> bool) {
        for (d, c) in self.held.extract_if(.., |(d, _)| which(*d)) {
            self.model.relocate_full(d, c);
        }
    }

    /// Per-CPU caches as the model has them, those of CPUs that have any.
    pub fn caches(&self) -> impl Iterator<Item = CpuCaches> + '_ {
        (0..self.model.cpus()).filter_map(|cpu| {
            let cache = self.model.cache(cpu);
            let next = std::array::from_fn(|order| match cache.physical(order as u8) {
                (Some(dev), off) if off != 0 => Some((dev, off)),
                _ => None,
            });
            next.iter().any(Option::is_some).then_some(CpuCaches { cpu, next })
        })
    }

    /// The result so far.
    pub fn agreement(&self) -> Agreement {
        let mut r = self.result.clone();
        r.known = self.known && !self.lost;
        r.agreement = if r.allocations == 0 { 1.0 } else { r.agreed as f64 / r.allocations as f64 };
        r.invariants = self
            .invariants
            .tallies()
            .map(|(_, name, t)| Invariant { name, checked: t.checked, broken: t.broken })
            .collect();
        r
    }

    /// The end of the events: checks the invariants once more.
    pub fn end(&mut self) {
        // The trace may end in the middle of a worker's walk.
        self.put_back(|_| true);
        self.check_invariants();
    }

    /// The result at the end.
    pub fn finish(mut self) -> Agreement {
        self.end();
        self.agreement()
    }

    /// Records that did not decode: what they said is lost.
    pub fn note_undecodable(&mut self, n: u64) {
        if n > 0 {
            self.lose();
        }
    }

    /// Something happened that the trace does not tell.
    pub(super) fn lose(&mut self) {
        self.put_back(|_| true);
        (self.lost, self.known, self.warm) = (true, false, None);
        self.result.from_swapon = false;
        self.requests.clear();
        self.backings.clear();
    }

    /// Slots of the devices that have a size.
    pub(super) fn physical_slots(&self) -> u64 {
        self.model.devices().filter(|(_, dev)| !dev.virt).map(|(_, dev)| dev.max).sum()
    }

    /// The thread frees the slot on its way to others: the model frees it when it comes to that.
    pub(super) fn frees(&self, tid: u32, at: Entry) -> bool {
        let covers = |&(first, nr): &(Entry, u16)| at.0.wrapping_sub(first.0) < u64::from(nr);
        self.requests.get(&tid).is_some_and(|r| !r.told && r.freed.iter().any(covers))
    }

    /// swapoff takes the device from the allocator before it brings its pages back. Told again for every round.
    fn swap_off_begin(&mut self, dev: u8) {
        // Told twice, or not known to the model: nothing to do.
        let _ = self.model.swapoff_begin(dev);
        self.model.clear_steps();
    }

    /// Events of all CPUs but this one.
    pub(super) fn foreign(&self, cpu: u16) -> u64 {
        self.events - self.by_cpu.get(usize::from(cpu)).copied().unwrap_or(0)
    }

    fn cache_add(&mut self, e: &Event) {
        let pfn = self.pfn();
        if self.model.cache_add(e.entry, e.order, pfn).is_err() {
            self.fault();
        }
    }

    fn cache_del(&mut self, e: &Event) {
        if let Some(request) = self.searching(e.tid) {
            request.reclaim(e.entry);
            return;
        }
        let by_reclaim = e.flags & flags::SWAPOUT != 0;
        if by_reclaim && !self.result.references {
            // Without references in the trace: what leaves the cache by reclaim is in use.
            for i in 0..u64::from(e.nr) {
                let at = e.entry.add(i);
                if self.model.count(at) == Some(0) {
                    let _ = self.model.dup(at, 1, &mut Witness { took: None, reclaimed: &[] });
                }
            }
        }
        if self.model.cache_del(e.entry, 0, Removal::Dropped).is_err() {
            self.fault();
        }
    }

    fn free(&mut self, e: &Event) {
        if let Some(request) = self.searching(e.tid) {
            request.freed.push((e.entry, e.nr));
            return;
        }
        self.free_used(e.entry, e.nr);
    }

    /// Frees those slots of a run that the model has not freed by itself already.
    pub(super) fn free_used(&mut self, at: Entry, nr: u16) {
        let mut i = 0;
        let nr = u64::from(nr);
        while i < nr {
            let run = (i..nr).take_while(|&k| self.model.word(at.add(k)).is_used()).count() as u64;
            if run > 0 && self.model.free_slots(at.add(i), run).is_err() {
                self.fault();
            }
            i += run.max(1);
        }
    }

    fn dup(&mut self, e: &Event) {
        let mut nobody = Witness { took: None, reclaimed: &[] };
        if self.model.dup(e.entry, e.nr.into(), &mut nobody).is_err() {
            self.fault();
        }
    }

    fn put(&mut self, e: &Event) {
        // Folios given up in the course of it are told as events of their own.
        let mut nobody = Witness { took: None, reclaimed: &[] };
        if self.model.put(e.entry, e.nr.into(), false, &mut nobody).is_err() {
            self.fault();
        }
    }

    /// The discard worker puts a cluster back on the free list, the reclaim worker one on the full list; every other
    /// move follows from what moved it, and is compared.
    fn cluster_move(&mut self, e: &Event) {
        let (d, flag) = (e.entry.dev(), e.val as u8);
        let Some(dev) = self.model.device(d) else { return };
        let c = dev.cluster_of(e.entry.off());
        let now = self.model.cluster_state(d, c).map(|(flag, ..)| flag);
        if let Some(request) = self.searching(e.tid) {
            request.moved(c, flag);
        } else if flag == Flag::Free as u8 && now == Some(Flag::Discard) {
            if self.model.run_discard_worker(d, 1).is_err() {
                self.fault();
            }
        } else if flag == Flag::Full as u8 && now == Some(Flag::None) {
            self.model.relocate_full(d, c);
        }
        self.settle_moves(e.ts);
        self.moved((d, c), Side::Kernel, Place::new(flag, e.order), e.ts);
    }

    pub(super) fn fault(&mut self) {
        self.result.faults += 1;
    }

    pub(super) fn pfn(&mut self) -> u64 {
        self.next_pfn += 512;
        self.next_pfn
    }
}

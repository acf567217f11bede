//! Drives the model with the events of a trace.

use super::request::{Request, Witness};
use super::{Agreement, Cause, Divergence, Invariant};
use crate::decode::Event;
use crate::meta::{Header, HookState};
use crate::model::cache::Removal;
use crate::model::policy::SWAP_TABLE;
use crate::model::{Config, DeviceSpec, End, Flag, Folio, ListId, Model, Outcome, invariant};
use rustc_hash::FxHashMap;
use std::fmt::Write as _;
use vswap_common::{Entry, Hook, Kind, flags};

/// Threads with an open request that are remembered; more than a machine has at one time.
const MAX_THREADS: usize = 16_384;
/// Clusters of a list named in the context of a divergence.
const SHOWN: usize = 8;
/// `SWP_*` bits (include/linux/swap.h; the numbers have been the same since 4.x).
const SWP_SOLIDSTATE: u16 = 1 << 4;
const SWP_BLKDEV: u16 = 1 << 6;
const SWP_PAGE_DISCARD: u16 = 1 << 10;
const SWP_SYNCHRONOUS_IO: u16 = 1 << 12;
/// `-EAGAIN` and `-EINVAL`: the folio was too large to begin with, no slot was looked for.
const NOT_LOOKED: [i32; 2] = [-11, -22];

/// The model beside a trace of a kernel without the virtual layer.
pub struct Checker {
    model: Model,
    requests: FxHashMap<u32, Request>,
    result: Agreement,
    invariants: invariant::Checker,
    /// Frames to tell folios apart.
    next_pfn: u64,
    /// Events seen by CPU, to notice what other CPUs did during a request.
    by_cpu: Vec<u64>,
    events: u64,
    /// Records were lost: from here on the model has to learn the lists again.
    lost: bool,
}

impl Checker {
    /// A model of the recorded machine before its first event.
    pub fn new(header: &Header) -> Self {
        let attached = |hook: Hook| {
            header.plan.iter().any(|p| p.hook == hook.program() && p.state == HookState::Ok)
                || header.plan.is_empty()
        };
        let cpus = (header.kernel.cpus as usize).clamp(1, 8192);
        Self {
            model: Model::new(Config { cpus, ..Config::new(SWAP_TABLE) }),
            requests: FxHashMap::default(),
            result: Agreement {
                from_swapon: header.from_swapon,
                references: [Hook::Dup, Hook::DupDirect, Hook::Put].into_iter().all(attached),
                ..Agreement::default()
            },
            invariants: invariant::Checker::default(),
            next_pfn: 1,
            by_cpu: vec![0; cpus],
            events: 0,
            lost: false,
        }
    }

    /// Takes in one event.
    pub fn apply(&mut self, e: &Event) {
        self.events += 1;
        let cpu = usize::from(e.cpu);
        if let Some(n) = self.by_cpu.get_mut(cpu) {
            *n += 1;
        }
        match e.kind {
            Kind::Gap => {
                self.lost = true;
                self.result.from_swapon = false;
                self.requests.clear();
            }
            Kind::SwapOn => self.swap_on(e),
            Kind::SwapOff => self.swap_off(e.entry.dev()),
            Kind::AllocBegin => self.begin(e),
            Kind::Alloc => self.allocated(e),
            Kind::AllocFail => self.refused(e),
            Kind::CacheAdd => self.cache_add(e),
            Kind::CacheDel => self.cache_del(e),
            Kind::Free => self.free(e),
            Kind::Dup => self.dup(e),
            Kind::Put => self.put(e),
            Kind::ClusterMove => self.cluster_move(e),
            Kind::Isolate => self.isolate(e),
            _ => {}
        }
    }

    /// The result so far; checks the invariants once more.
    pub fn finish(mut self) -> Agreement {
        self.invariants.check(&self.model);
        let r = &mut self.result;
        r.agreement = if r.allocations == 0 { 1.0 } else { r.agreed as f64 / r.allocations as f64 };
        r.invariants = self
            .invariants
            .tallies()
            .map(|(_, name, t)| Invariant { name, checked: t.checked, broken: t.broken })
            .collect();
        self.result
    }

    fn swap_on(&mut self, e: &Event) {
        let max = e.entry.off();
        // Which pages are bad is not in the trace: a device with any is followed from a cold start.
        if e.arg + 1 != max {
            self.result.from_swapon = false;
        }
        let spec = DeviceSpec {
            block_device: e.flags & SWP_BLKDEV != 0,
            solid_state: e.flags & SWP_SOLIDSTATE != 0,
            synchronous: e.flags & SWP_SYNCHRONOUS_IO != 0,
            page_discard: e.flags & SWP_PAGE_DISCARD != 0,
            ..DeviceSpec::block(max)
        };
        match self.model.swapon(&spec) {
            Ok(dev) if dev == e.entry.dev() => {}
            _ => self.fault(),
        }
    }

    fn swap_off(&mut self, dev: u8) {
        if self.model.swapoff(dev).is_err() {
            self.fault();
        }
        self.invariants.check(&self.model);
    }

    fn begin(&mut self, e: &Event) {
        if self.requests.len() >= MAX_THREADS {
            self.requests.clear();
        }
        let foreign_before = self.foreign(e.cpu);
        let request = Request { order: e.order, foreign_before, ..Request::default() };
        self.requests.insert(e.tid, request);
    }

    /// The thread's search, if it is in one.
    fn searching(&mut self, tid: u32) -> Option<&mut Request> {
        self.requests.get_mut(&tid).filter(|r| !r.told)
    }

    fn isolate(&mut self, e: &Event) {
        if let Some(request) = self.searching(e.tid).filter(|r| r.first_look.is_none()) {
            request.first_look = Some((e.val, e.order, (e.nr > 0).then_some(e.entry)));
        }
    }

    /// The kernel passed over the head of a list: somebody else held its lock (`isolate_lock_cluster` skips those, and
    /// takes a list whose clusters are all locked for empty).
    fn passed_over(&self, request: &Request, dev: u8) -> bool {
        let Some((list, order, found)) = request.first_look else { return false };
        let list = match list {
            1 => ListId::Free,
            2 => ListId::Nonfull(order),
            3 => ListId::Frag(order),
            4 => ListId::Full,
            _ => return false,
        };
        let Some(device) = self.model.device(dev) else { return false };
        let looked = found.map(|at| device.cluster_of(at.off()));
        self.by_cpu.len() > 1 && device.lists.first(list).is_some_and(|head| looked != Some(head))
    }

    fn allocated(&mut self, e: &Event) {
        let mut request = self.requests.remove(&e.tid).filter(|r| !r.told).unwrap_or_default();
        let folio = Folio { pfn: self.pfn(), order: e.order, memcg: 0 };
        let passed_over = self.passed_over(&request, e.entry.dev());
        let mut witness = Witness { took: Some(e.entry), reclaimed: &request.reclaimed };
        let outcome = self.model.alloc_folio(e.cpu.into(), folio, &mut witness);
        let agreed = outcome.end == End::Done;
        // What was reclaimed to make room lies under the new slots now.
        let taken = if agreed { 1u64 << e.order } else { 0 };
        self.settle(&request, |at| at.dev() == e.entry.dev() && at.off().wrapping_sub(e.entry.off()) < taken);
        if !agreed && self.model.force_alloc(e.cpu.into(), folio, e.entry).is_err() {
            self.fault();
        }
        self.judge(e, &request, Some(e.entry), &outcome, agreed, passed_over);
        // A refused charge is told after this; the search is over.
        request.told = true;
        self.requests.insert(e.tid, request);
    }

    fn refused(&mut self, e: &Event) {
        let Some(request) = self.requests.remove(&e.tid).filter(|r| !r.told) else { return };
        if NOT_LOOKED.contains(&e.val) {
            return;
        }
        self.result.refused += 1;
        let folio = Folio { pfn: self.pfn(), order: request.order, memcg: 0 };
        let passed_over = self.model.avail().first().is_some_and(|dev| self.passed_over(&request, *dev));
        let mut witness = Witness { took: None, reclaimed: &request.reclaimed };
        let outcome = self.model.alloc_folio(e.cpu.into(), folio, &mut witness);
        let agreed = outcome.end == End::NoSpace;
        self.settle(&request, |_| false);
        self.judge(e, &request, None, &outcome, agreed, passed_over);
    }

    /// What the thread freed on its way and the model did not is freed now, except slots that are `taken` again.
    fn settle(&mut self, request: &Request, taken: impl Fn(Entry) -> bool) {
        for &head in request.reclaimed.iter().filter(|head| !taken(**head)) {
            if self.model.word(head).is_cached() && self.model.cache_del(head, 0, Removal::Dropped).is_err() {
                self.fault();
            }
        }
        for &(run, nr) in &request.freed {
            for i in 0..u64::from(nr) {
                if !taken(run.add(i)) {
                    self.free_used(run.add(i), 1);
                }
            }
        }
    }

    fn judge(
        &mut self,
        e: &Event,
        request: &Request,
        kernel: Option<Entry>,
        outcome: &Outcome,
        agreed: bool,
        passed_over: bool,
    ) {
        self.result.allocations += 1;
        if agreed {
            self.result.agreed += 1;
            return;
        }
        let model = match outcome.end {
            End::Mismatch(at) => Some(at),
            _ => outcome.slot,
        };
        let cause = self.cause(e.cpu, request, kernel, model, passed_over);
        *self.result.misses.entry(cause).or_default() += 1;
        if self.result.first_divergence.is_none() {
            self.result.first_divergence = Some(Divergence {
                ts: e.ts,
                request: self.result.allocations,
                cpu: e.cpu,
                order: e.order,
                kernel: kernel.map(Into::into),
                model: model.map(Into::into),
                cause,
                context: self.context(e.cpu, e.order, kernel.or(model).map_or(0, Entry::dev)),
            });
        }
    }

    /// As far as the trace tells; [`Cause::Model`] only when nothing else can explain the miss.
    fn cause(
        &self,
        cpu: u16,
        request: &Request,
        kernel: Option<Entry>,
        model: Option<Entry>,
        passed_over: bool,
    ) -> Cause {
        let discarding = |at: Option<Entry>| {
            at.and_then(|at| {
                let dev = self.model.device(at.dev())?;
                self.model.cluster_state(at.dev(), dev.cluster_of(at.off()))
            })
            .is_some_and(|(flag, ..)| flag == Flag::Discard)
        };
        if self.lost || !self.result.from_swapon || (!self.result.references && self.model.swap_full()) {
            Cause::ColdStart
        } else if discarding(kernel) || discarding(model) {
            Cause::LateWorker
        } else if passed_over || self.foreign(cpu) != request.foreign_before {
            Cause::Contention
        } else {
            Cause::Model
        }
    }

    /// Events of all CPUs but this one.
    fn foreign(&self, cpu: u16) -> u64 {
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
    fn free_used(&mut self, at: Entry, nr: u16) {
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

    /// The discard worker puts a cluster back on the free list; every other move follows from what moved it.
    fn cluster_move(&mut self, e: &Event) {
        let (d, free) = (e.entry.dev(), e.val == 1);
        let Some(dev) = self.model.device(d) else { return };
        let c = dev.cluster_of(e.entry.off());
        let discarding = self.model.cluster_state(d, c).is_some_and(|(flag, ..)| flag == Flag::Discard);
        if free && discarding && self.model.run_discard_worker(d, 1).is_err() {
            self.fault();
        }
    }

    fn fault(&mut self) {
        self.result.faults += 1;
    }

    fn pfn(&mut self) -> u64 {
        self.next_pfn += 512;
        self.next_pfn
    }

    /// Cache and lists as the model has them, in words.
    fn context(&self, cpu: u16, order: u8, dev: u8) -> String {
        let (cached, off) = self.model.cache(cpu.into()).physical(order);
        let mut out = format!("cpu {cpu} order {order} cache {cached:?}:{off}");
        let Some(device) = self.model.device(dev) else { return out };
        for list in [ListId::Nonfull(order), ListId::Free, ListId::Frag(order), ListId::Full] {
            let _ = write!(out, "; {list:?} ({})", device.lists.len(list));
            for c in device.lists.iter(list).take(SHOWN) {
                let _ = write!(out, " {c}");
            }
        }
        out
    }
}

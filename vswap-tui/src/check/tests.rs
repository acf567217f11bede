//! The check against histories whose truth is known: a second model plays the kernel.

use super::*;
use crate::decode::Event;
use crate::meta::{Header, HookPlan, HookState, KernelInfo};
use crate::model::cache::Removal;
use crate::model::policy::SWAP_TABLE;
use crate::model::{Config, DeviceSpec, Flag, Folio, ListId, Model, Step, Undisturbed};
use std::collections::BTreeMap;
use vswap_common::{Entry, Hook, Kind};

const MAX: u64 = 8192;

/// A kernel of one or two CPUs that writes events as the hooks do.
struct Kernel {
    model: Model,
    events: Vec<Event>,
    ts: u64,
    /// Folios the allocator took back to make room.
    reclaimed: u32,
}

impl Kernel {
    fn new() -> Self {
        let mut kernel =
            Self { model: Model::new(Config::new(SWAP_TABLE)), events: Vec::new(), ts: 0, reclaimed: 0 };
        kernel.model.swapon(&DeviceSpec::block(MAX)).unwrap();
        kernel.model.record_steps();
        kernel.tell(Kind::SwapOn, Entry::new(0, MAX), 0, 0, 0);
        let on = kernel.events.last_mut().unwrap();
        (on.arg, on.flags) = (MAX - 1, 1 << 4 | 1 << 6);
        kernel
    }

    fn tell(&mut self, kind: Kind, entry: Entry, nr: u16, order: u8, cpu: u16) {
        self.ts += 1000;
        let tid = u32::from(cpu) + 100;
        let (arg, val, memcg, flags) = (0, 0, 0, 0);
        self.events.push(Event { ts: self.ts, entry, arg, val, tid, nr, memcg, cpu, flags, kind, order });
    }

    fn alloc(&mut self, cpu: u16, order: u8) -> Option<Entry> {
        self.tell(Kind::AllocBegin, Entry(0), 0, order, cpu);
        let folio = Folio { pfn: self.ts, order, memcg: 0 };
        self.model.clear_steps();
        let slot = self.model.alloc_folio(cpu.into(), folio, &mut Undisturbed).slot;
        let steps = self.model.take_steps();
        // The last move is that of the cluster that served, after the slots were taken.
        let served = steps.iter().rposition(|s| matches!(s, Step::Scan(..)));
        let (before, after) =
            steps.split_at(served.filter(|_| slot.is_some()).map_or(steps.len(), |i| i + 1));
        self.tell_steps(before, cpu);
        match slot {
            Some(at) => {
                self.tell(Kind::Alloc, at, 1 << order, order, cpu);
                self.tell_steps(after, cpu);
                self.model.dup(at, 1 << order, &mut Undisturbed).unwrap();
                self.tell(Kind::Dup, at, 1 << order, order, cpu);
                self.model.cache_del(at, 0, Removal::Dropped).unwrap();
                self.tell(Kind::CacheDel, at, 1 << order, order, cpu);
            }
            None => {
                self.tell(Kind::AllocFail, Entry(0), 0, order, cpu);
                self.events.last_mut().unwrap().val = -12;
            }
        }
        slot
    }

    /// Records of what the allocator did on its way.
    fn tell_steps(&mut self, steps: &[Step], cpu: u16) {
        for step in steps {
            match *step {
                Step::Reclaim(head, freed @ 1..) => {
                    self.tell(Kind::CacheDel, head, freed as u16, 0, cpu);
                    self.tell(Kind::Free, head, freed as u16, 0, cpu);
                    self.reclaimed += 1;
                }
                Step::Isolate(dev, list, found) => {
                    let (number, order) = match list {
                        ListId::Free => (1, 0),
                        ListId::Nonfull(order) => (2, order),
                        ListId::Frag(order) => (3, order),
                        ListId::Full => (4, 0),
                        ListId::Discard => (5, 0),
                    };
                    let at = Entry::new(dev, u64::from(found.unwrap_or(0)) * 512);
                    self.tell(Kind::Isolate, at, u16::from(found.is_some()), order, cpu);
                    self.events.last_mut().unwrap().val = number;
                }
                Step::Move(dev, c, flag, order) if flag != Flag::None => {
                    self.tell(Kind::ClusterMove, Entry::new(dev, u64::from(c) * 512), 0, order, cpu);
                    self.events.last_mut().unwrap().val = flag as i32;
                }
                _ => {}
            }
        }
    }

    /// Reads a page back: its slot stays, held by the swap cache alone.
    fn read_back(&mut self, at: Entry) {
        self.model.cache_add(at, 0, self.ts).unwrap();
        self.tell(Kind::CacheAdd, at, 1, 0, 0);
        self.tell(Kind::Put, at, 1, 0, 0);
        self.model.put(at, 1, false, &mut Undisturbed).unwrap();
    }

    /// A slot for a hibernation image: told when the search is over, moves before.
    fn hibernate(&mut self, cpu: u16) -> Entry {
        self.model.clear_steps();
        let at = self.model.alloc_hibernation(cpu.into(), 0, &mut Undisturbed).unwrap();
        let steps = self.model.take_steps();
        self.tell_steps(&steps, cpu);
        self.tell(Kind::Hibernate, at, 1, 0, cpu);
        at
    }

    fn free(&mut self, cpu: u16, at: Entry, nr: u16) {
        self.tell(Kind::Put, at, nr, 0, cpu);
        self.model.put(at, nr.into(), false, &mut Undisturbed).unwrap();
        self.tell(Kind::Free, at, nr, 0, cpu);
        let steps = self.model.take_steps();
        self.tell_steps(&steps, cpu);
    }

    /// Allocates and frees in a fixed pattern over all orders until some requests fail.
    fn busy() -> Self {
        let mut kernel = Self::new();
        let mut held: Vec<(Entry, u16)> = Vec::new();
        for i in 0u64..6000 {
            let (cpu, order) = ((i % 3) as u16, [0, 0, 0, 2, 4, 0, 9][(i % 7) as usize]);
            if let Some(at) = kernel.alloc(cpu, order) {
                held.push((at, 1 << order));
            }
            if i % 5 != 0 && held.len() > 20 {
                let (at, nr) = held.swap_remove((i * 7919 % held.len() as u64) as usize);
                kernel.free(cpu, at, nr);
            }
        }
        kernel
    }
}

fn header() -> Header {
    let ok =
        |hook: Hook| HookPlan { hook: hook.program().into(), state: HookState::Ok, ..HookPlan::default() };
    Header {
        kernel: KernelInfo { cpus: 4, ..KernelInfo::default() },
        plan: [Hook::Dup, Hook::DupDirect, Hook::Put].into_iter().map(ok).collect(),
        from_swapon: true,
        ..Header::default()
    }
}

fn check(events: &[Event]) -> Agreement {
    let mut checker = Checker::new(&header());
    events.iter().for_each(|e| checker.apply(e));
    checker.finish()
}

#[test]
fn a_kernel_that_follows_the_rules_agrees_everywhere() {
    let result = check(&Kernel::busy().events);
    assert_eq!((result.agreed, result.faults), (result.allocations, 0), "{:?}", result.first_divergence);
    assert_eq!(result.allocations, 6000);
    assert_eq!((result.paths.compared, result.paths.agreed), (6000, 6000), "{:?}", result.paths.first);
    assert!(result.moves.compared > 1000 && result.moves.first.is_none(), "{:?}", result.moves);
    assert!(!result.diverged());
    assert!(result.refused > 0, "the pattern fills the device");
    assert!(result.invariants.iter().all(|i| i.broken == 0 && i.checked > 0 || i.checked == 0));
}

#[test]
fn slots_of_a_hibernation_image_are_followed_beside_the_requests() {
    let mut kernel = Kernel::busy();
    let before = kernel.events.iter().filter(|e| e.kind == Kind::Alloc).count() as u64;
    let image: Vec<Entry> = (0..40).map(|i| kernel.hibernate(i % 2)).collect();
    let more: Vec<Entry> = (0..40).filter_map(|_| kernel.alloc(0, 0)).collect();
    for at in image {
        kernel.tell(Kind::Free, at, 1, 0, 0);
        kernel.model.free_slots(at, 1).unwrap();
        let steps = kernel.model.take_steps();
        kernel.tell_steps(&steps, 0);
    }
    kernel.alloc(1, 0);
    let result = check(&kernel.events);
    assert_eq!((result.agreed, result.faults), (result.allocations, 0), "{:?}", result.first_divergence);
    assert_eq!(result.allocations - result.refused, before + more.len() as u64 + 1);
    assert_eq!(result.moves.misses, BTreeMap::new());
}

#[test]
fn what_the_allocator_reclaims_on_its_way_is_followed() {
    let mut kernel = Kernel::new();
    // Nearly full; a hole in every cluster brings it back on a list, every third page was read back: the next
    // requests take those slots back on their way to the holes.
    let held: Vec<Entry> = (0..8000).filter_map(|_| kernel.alloc(0, 0)).collect();
    for (i, &at) in held.iter().enumerate() {
        match i % 300 {
            299 => kernel.free(0, at, 1),
            n if n % 3 == 0 => kernel.read_back(at),
            _ => {}
        }
    }
    for _ in 0..1500 {
        kernel.alloc(0, 0);
    }
    assert!(kernel.reclaimed > 500, "{}", kernel.reclaimed);
    let result = check(&kernel.events);
    assert_eq!((result.agreed, result.faults), (result.allocations, 0), "{:?}", result.first_divergence);
    assert_eq!((result.paths.first, result.moves.first), (None, None));
}

#[test]
fn another_way_to_the_same_slot_and_a_move_left_out_are_told() {
    let mut events = Kernel::busy().events;
    let look = events.iter().rposition(|e| e.kind == Kind::Isolate && e.val == 2).unwrap();
    events[look].order += 1;
    let result = check(&events);
    assert_eq!((result.agreed, result.paths.agreed + 1), (result.allocations, result.paths.compared));
    assert_eq!(result.paths.misses.keys().collect::<Vec<_>>(), [&Cause::Model]);
    assert!(result.paths.first.as_ref().unwrap().contains("the model's: 0:"), "{:?}", result.paths.first);
    assert!(result.diverged());

    // One CPU: what differs has no excuse.
    let mut one = header();
    one.kernel.cpus = 1;
    let mut kernel = Kernel::new();
    (0..600).for_each(|_| {
        kernel.alloc(0, 0);
    });
    let mut events = kernel.events;
    let first = events.iter().position(|e| e.kind == Kind::ClusterMove).unwrap();
    events.remove(first);
    let mut checker = Checker::new(&one);
    events.iter().for_each(|e| checker.apply(e));
    let result = checker.finish();
    assert_eq!(result.moves.misses.get(&Cause::Model), Some(&1), "{:?}", result.moves);
    assert_eq!(result.agreed, result.allocations, "the slots are the same");
}

#[test]
fn memory_that_failed_and_traces_without_begins_have_causes_of_their_own() {
    let mut kernel = Kernel::new();
    kernel.alloc(0, 0);
    // No memory for the tables of cluster 1: back to the tail of free, the request goes without.
    kernel.tell(Kind::AllocBegin, Entry(0), 0, 4, 0);
    kernel.tell(Kind::Isolate, Entry::new(0, 0), 0, 4, 0);
    kernel.events.last_mut().unwrap().val = 2;
    kernel.tell(Kind::Isolate, Entry::new(0, 512), 1, 0, 0);
    kernel.events.last_mut().unwrap().val = 1;
    kernel.tell(Kind::ClusterMove, Entry::new(0, 512), 0, 0, 0);
    kernel.events.last_mut().unwrap().val = 1;
    kernel.tell(Kind::AllocFail, Entry(0), 0, 4, 0);
    kernel.events.last_mut().unwrap().val = -12;
    let result = check(&kernel.events);
    assert_eq!(result.misses.keys().collect::<Vec<_>>(), [&Cause::Memory], "{:?}", result.first_divergence);

    let mut kernel = Kernel::new();
    kernel.tell(Kind::Alloc, Entry::new(0, 77), 1, 0, 0);
    let result = check(&kernel.events);
    assert_eq!(result.misses.keys().collect::<Vec<_>>(), [&Cause::NotRecorded]);
}

#[test]
fn a_priority_told_after_the_device_was_used_makes_it_a_cold_start() {
    let device = |dev, prio| crate::meta::DeviceInfo { dev, prio, pages: MAX - 1, ..Default::default() };
    let mut kernel = Kernel::new();
    kernel.tell(Kind::SwapOn, Entry::new(1, MAX), 0, 0, 0);
    kernel.events.last_mut().unwrap().arg = MAX - 1;
    for (used, prio, from_swapon) in [(false, 5, true), (true, -1, true), (true, 5, false)] {
        let mut checker = Checker::new(&header());
        kernel.events.iter().for_each(|e| checker.apply(e));
        if used {
            checker.apply(&Event { kind: Kind::Alloc, entry: Entry::new(0, 1), nr: 1, ..kernel.events[0] });
        }
        checker.update(&crate::meta::Update { devices: vec![device(1, prio)], ..Default::default() });
        assert_eq!(checker.agreement().from_swapon, from_swapon, "{used} {prio}");
    }
}

#[test]
fn a_priority_told_before_its_swapon_record_holds_from_the_start() {
    let device = |dev, prio| crate::meta::DeviceInfo { dev, prio, pages: MAX - 1, ..Default::default() };
    let mut kernel = Kernel::new();
    kernel.tell(Kind::SwapOn, Entry::new(1, MAX), 0, 0, 0);
    kernel.events.last_mut().unwrap().arg = MAX - 1;
    kernel.tell(Kind::AllocBegin, Entry(0), 0, 0, 0);
    kernel.tell(Kind::Isolate, Entry::new(1, 0), 1, 0, 0);
    kernel.events.last_mut().unwrap().val = 2;
    kernel.tell(Kind::Alloc, Entry::new(1, 1), 1, 0, 0);
    let mut checker = Checker::new(&header());
    checker.update(&crate::meta::Update { devices: vec![device(1, 9)], ..Default::default() });
    kernel.events.iter().for_each(|e| checker.apply(e));
    let result = checker.finish();
    assert_eq!((result.allocations, result.agreed), (1, 1), "{:?}", result.first_divergence);
}

#[test]
fn one_slot_elsewhere_is_the_first_divergence_and_the_rest_is_followed() {
    let mut kernel = Kernel::new();
    for _ in 0..10 {
        kernel.alloc(0, 0);
    }
    let mut events = kernel.events;
    // The fifth allocation lands 100 slots further on, in the trace only.
    let fifth = events.iter().filter(|e| e.kind == Kind::Alloc).nth(4).unwrap().entry;
    for e in events.iter_mut().filter(|e| e.entry == fifth && e.kind != Kind::SwapOn) {
        e.entry = fifth.add(100);
    }
    let result = check(&events);
    let first = result.first_divergence.unwrap();
    assert_eq!((first.request, first.model), (5, Some(fifth.into())));
    assert_eq!(first.kernel, Some(fifth.add(100).into()));
    assert_eq!(first.cause, Cause::Model, "one CPU, nothing else to blame");
    assert!(first.context.contains("cache of cpu 0") && first.context.contains("way"));
    assert!(result.allocations == 10);
    assert!(result.agreed < 10);
}

#[test]
fn a_locked_cluster_on_two_cpus_is_contention() {
    let mut kernel = Kernel::new();
    kernel.alloc(0, 0);
    // The kernel goes past the head of the free list; the trace shows which cluster it looked into instead.
    kernel.tell(Kind::AllocBegin, Entry(0), 0, 4, 0);
    kernel.tell(Kind::Isolate, Entry::new(0, 0), 0, 4, 0);
    kernel.events.last_mut().unwrap().val = 2;
    kernel.tell(Kind::Isolate, Entry::new(0, 1024), 1, 0, 0);
    kernel.events.last_mut().unwrap().val = 1;
    kernel.tell(Kind::Alloc, Entry::new(0, 1024), 16, 4, 0);
    let result = check(&kernel.events);
    assert_eq!(result.first_divergence.unwrap().cause, Cause::Contention);
}

#[test]
fn a_search_under_way_on_another_cpu_is_contention() {
    for (ended, cause) in [(false, Cause::Contention), (true, Cause::Model)] {
        let mut kernel = Kernel::new();
        let cached = kernel.alloc(1, 0).unwrap();
        // It may have slots that are not told yet, and tells nothing while the other one searches.
        if ended {
            kernel.alloc(0, 0);
        } else {
            kernel.tell(Kind::AllocBegin, Entry(0), 0, 0, 0);
        }
        kernel.tell(Kind::AllocBegin, Entry(0), 0, 0, 1);
        kernel.tell(Kind::Alloc, cached.add(100), 1, 0, 1);
        assert_eq!(check(&kernel.events).first_divergence.unwrap().cause, cause);
    }
}

#[test]
fn refusal_where_the_model_finds_a_slot_is_a_divergence() {
    let mut kernel = Kernel::new();
    kernel.alloc(0, 0);
    kernel.tell(Kind::AllocBegin, Entry(0), 0, 0, 0);
    kernel.tell(Kind::AllocFail, Entry(0), 0, 0, 0);
    kernel.events.last_mut().unwrap().val = -12;
    let result = check(&kernel.events);
    assert_eq!((result.allocations, result.agreed, result.refused), (2, 1, 1));
    assert_eq!(result.first_divergence.unwrap().kernel, None);
}

#[test]
fn refused_charge_is_an_allocation_and_a_free_not_a_second_request() {
    let mut kernel = Kernel::new();
    kernel.tell(Kind::AllocBegin, Entry(0), 0, 0, 0);
    let folio = Folio { pfn: 7, order: 0, memcg: 0 };
    let at = kernel.model.alloc_folio(0, folio, &mut Undisturbed).slot.unwrap();
    kernel.tell(Kind::Alloc, at, 1, 0, 0);
    kernel.model.cache_del(at, 0, Removal::Dropped).unwrap();
    kernel.tell(Kind::CacheDel, at, 1, 0, 0);
    kernel.tell(Kind::Free, at, 1, 0, 0);
    kernel.tell(Kind::AllocFail, Entry(0), 0, 0, 0);
    kernel.events.last_mut().unwrap().val = -12;
    kernel.alloc(0, 0);
    let result = check(&kernel.events);
    assert_eq!((result.allocations, result.agreed, result.refused, result.faults), (2, 2, 0, 0));
}

#[test]
fn loss_makes_it_a_cold_start_and_never_a_model_error() {
    let mut kernel = Kernel::new();
    for _ in 0..4 {
        kernel.alloc(0, 0);
    }
    // What happened in between is not in the trace.
    let known = kernel.events.len();
    for _ in 0..50 {
        kernel.alloc(0, 0);
    }
    kernel.events.truncate(known);
    kernel.tell(Kind::Gap, Entry(0), 0, 0, 0);
    for _ in 0..20 {
        kernel.alloc(0, 0);
    }
    let result = check(&kernel.events);
    assert!(!result.from_swapon);
    assert_eq!(result.misses.keys().copied().collect::<Vec<_>>(), [Cause::ColdStart]);
    assert!(result.agreed > result.allocations / 2, "it learns: {result:?}");
}

#[test]
fn any_events_are_taken_without_panic() {
    let mut checker = Checker::new(&header());
    let mut seed = 1u64;
    for _ in 0..20_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let kind = Kind::ALL[(seed >> 33) as usize % Kind::ALL.len()];
        let order = (seed >> 20 & 3) as u8;
        let entry = Entry::new((seed >> 40 & 1) as u8, seed >> 44 & 0xfff & !((1 << order) - 1));
        let (tid, cpu) = ((seed >> 57) as u32, (seed >> 60 & 3) as u16);
        let (arg, val, memcg, flags, nr) = (1024, -12, 0, (seed >> 10) as u16, 1 << order);
        checker.apply(&Event { ts: seed >> 40, entry, arg, val, tid, nr, memcg, cpu, flags, kind, order });
    }
    assert!(checker.finish().allocations > 0);
}

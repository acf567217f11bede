//! Random histories on the model: every numbered invariant holds after every step, whatever the design, the devices
//! and the order of things. A history is a short list of steps that prints as it would be told.

#![expect(clippy::unwrap_used, reason = "a history that cannot run should stop")]

use proptest::prelude::*;
use vswap_common::Entry;
use vswap_tui::model::backend::Writeout;
use vswap_tui::model::cache::Removal;
use vswap_tui::model::invariant::Checker;
use vswap_tui::model::policy::POLICIES;
use vswap_tui::model::{
    Backing, Cgroup, Config, DeviceSpec, Folio, FolioFacts, Memory, Model, Oracle, Policy, Undisturbed,
};

/// A used slot: which device (modulo those in use), which of its used slots (modulo their number).
#[derive(Clone, Copy, Debug)]
struct Pick(u8, u16);

#[derive(Clone, Debug)]
enum Act {
    Swapon { max: u16, kind: u8, priority: i32, bad: Option<u16> },
    OffBegin(u8),
    OffStep(u8, u16),
    OffEnd(u8),
    Alloc { cpu: u8, order: u8, memcg: u16, times: u16 },
    Dup(Pick, u8),
    Put { at: Pick, nr: u16, reclaim: bool },
    Write { cpu: u8, at: Pick, zero: bool, stored: u8, allowed: bool },
    Evict(Pick),
    EvictAll,
    SwapIn { at: Pick, order: u8 },
    Writeback { cpu: u8, at: Pick, decompresses: bool },
    GiveUp(Pick),
    Free(Pick, u8),
    Split(Pick),
    Limit { memcg: u16, limit: u8 },
    DiscardWorker(u8),
    ReclaimWorker(u8),
    Force { cpu: u8, dev: u8, off: u16, order: u8 },
}

/// Outcomes from a small generator: locks taken, writeback, memory that fails, refused charges, skipped clusters.
struct Whim(u64);

impl Whim {
    fn one_in(&mut self, n: u64) -> bool {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33).is_multiple_of(n)
    }
}

impl Oracle for Whim {
    fn folio(&mut self, _: Entry, _: u8) -> FolioFacts {
        FolioFacts {
            lockable: !self.one_in(4),
            writeback: self.one_in(6),
            suspended: false,
            mapped: self.one_in(2),
            memcg_full: self.one_in(4),
        }
    }
    fn charge(&mut self, _: u16, _: u64) -> bool {
        !self.one_in(40)
    }
    fn memory(&mut self, _: Memory) -> bool {
        !self.one_in(40)
    }
    fn locked(&mut self, _: u8, _: u32) -> bool {
        self.one_in(30)
    }
    fn agrees(&mut self, _: Entry) -> bool {
        !self.one_in(100)
    }
}

struct World {
    model: Model,
    whim: Whim,
    pfn: u64,
}

impl World {
    fn device(&self, n: u8) -> Option<u8> {
        let live: Vec<u8> = self.model.devices().map(|(d, _)| d).collect();
        (!live.is_empty()).then(|| live[n as usize % live.len()])
    }

    fn used(&self, d: u8) -> Vec<u64> {
        let device = self.model.device(d).unwrap();
        (0..device.clusters.len() as u64 * device.cluster_slots())
            .filter(|&o| device.word(o).is_used())
            .collect()
    }

    fn pick(&self, Pick(dev, nth): Pick) -> Option<Entry> {
        let d = self.device(dev)?;
        let used = self.used(d);
        (!used.is_empty()).then(|| Entry::new(d, used[nth as usize % used.len()]))
    }

    /// Reclaim drops a folio from the cache only when its data is somewhere else.
    fn evict(&mut self, at: Entry) {
        let word = self.model.word(at);
        if !word.is_cached() {
            return;
        }
        let nr = 1 << word.order();
        let head = Entry::new(at.dev(), at.off() & !(nr - 1));
        let safe = |i| !matches!(self.model.backing(head.add(i)), Some(Backing::None | Backing::Folio));
        if (0..nr).all(safe) {
            self.model.cache_del(head, 0, Removal::Reclaimed { memcg: 3 }).unwrap();
        }
    }

    fn fresh(&mut self) -> u64 {
        self.pfn += 1;
        self.pfn
    }

    fn run(&mut self, step: &Act) {
        match *step {
            Act::Swapon { max, kind, priority, bad } => {
                let spec = DeviceSpec {
                    priority,
                    block_device: kind != 1,
                    solid_state: kind != 2,
                    synchronous: kind == 3,
                    page_discard: kind == 4,
                    bad_pages: bad
                        .filter(|&b| b > 0 && b < max && kind != 1)
                        .map(u64::from)
                        .into_iter()
                        .collect(),
                    ..DeviceSpec::block(u64::from(max))
                };
                let _ = self.model.swapon(&spec);
            }
            Act::OffBegin(n) => {
                let _ = self.device(n).map(|d| self.model.swapoff_begin(d));
            }
            Act::OffStep(n, most) => {
                let _ = self.device(n).map(|d| self.model.swapoff_step(d, most.into()));
            }
            Act::OffEnd(n) => {
                if let Some(d) = self.device(n)
                    && self.model.swapoff_finish(d).is_err()
                {
                    let _ = self.model.swapoff_abort(d);
                }
            }
            Act::Alloc { cpu, order, memcg, times } => {
                for _ in 0..times {
                    let folio = Folio { pfn: self.fresh(), order, memcg };
                    self.model.alloc_folio(cpu.into(), folio, &mut self.whim);
                }
            }
            Act::Free(at, nr) => {
                // What the kernel frees at once: a whole cached folio, or uncached slots that follow each other.
                let Some(at) = self.pick(at) else { return };
                let word = self.model.word(at);
                if word.is_cached() {
                    let size = 1 << word.order();
                    self.model.free_slots(Entry::new(at.dev(), at.off() & !(size - 1)), size).unwrap();
                } else {
                    let one = |i: u64| !self.model.word(at.add(i)).is_cached();
                    let nr = (1..=u64::from(nr)).take_while(|&n| one(n - 1)).last().unwrap_or(1);
                    let _ = self.model.free_slots(at, nr);
                }
            }
            Act::Limit { memcg, limit } => self.model.charges_mut().group_mut(memcg).limit = limit.into(),
            Act::DiscardWorker(n) => {
                let _ = self.device(n).map(|d| self.model.run_discard_worker(d, u32::MAX));
            }
            Act::ReclaimWorker(n) => {
                let _ = self.device(n).map(|d| self.model.run_reclaim_worker(d, &mut self.whim));
            }
            Act::EvictAll => {
                let devices: Vec<u8> = self.model.devices().map(|(d, _)| d).collect();
                for d in devices {
                    self.used(d).into_iter().for_each(|off| self.evict(Entry::new(d, off)));
                }
            }
            Act::Force { cpu, dev, off, order } => {
                let Some(d) = self.device(dev) else { return };
                let at = Entry::new(d, u64::from(off) >> order << order);
                // Forcing part of a cached large folio would leave the rest of it torn.
                let torn =
                    |i| self.model.word(at.add(i)).order() > order && self.model.word(at.add(i)).is_cached();
                if self.model.device(d).is_some_and(|dev| dev.writeok) && !torn(0) {
                    let folio = Folio { pfn: self.fresh(), order, memcg: 2 };
                    let _ = self.model.force_alloc(cpu.into(), folio, at);
                }
            }
            ref on_slot => self.run_on_slot(on_slot),
        }
    }

    fn run_on_slot(&mut self, step: &Act) {
        match *step {
            Act::Dup(at, times) => {
                let Some(at) = self.pick(at) else { return };
                let nr = 1 << self.model.word(at).order();
                let head = Entry::new(at.dev(), at.off() & !(nr - 1));
                for _ in 0..times {
                    let _ = self.model.dup(head, nr, &mut self.whim);
                }
            }
            Act::Put { at, nr, reclaim } => {
                let Some(at) = self.pick(at) else { return };
                let _ = self.model.put(at, nr.into(), reclaim, &mut self.whim);
            }
            Act::Write { cpu, at, zero, stored, allowed } => {
                let Some(at) = self.pick(at) else { return };
                let how = Writeout { zero, stored: stored.into(), writeback_allowed: allowed };
                let _ = self.model.writeout(cpu.into(), at, how, &mut self.whim);
            }
            Act::Evict(at) => {
                if let Some(at) = self.pick(at) {
                    self.evict(at);
                }
            }
            Act::SwapIn { at, order } => {
                let Some(at) = self.pick(at) else { return };
                let pfn = self.fresh();
                if self.model.cache_add(at, order, pfn).is_ok() {
                    self.model.swapin(at).unwrap();
                }
            }
            Act::Writeback { cpu, at, decompresses } => {
                let Some(at) = self.pick(at) else { return };
                let pfn = self.fresh();
                let _ = self.model.zswap_writeback(cpu.into(), at, pfn, decompresses, &mut self.whim);
            }
            Act::GiveUp(at) => {
                let Some(at) = self.pick(at) else { return };
                let _ = self.model.free_folio_swap(at, FolioFacts::IDLE);
            }
            Act::Split(at) => {
                let Some(at) = self.pick(at) else { return };
                let pfn = self.fresh();
                let _ = self.model.split(at, 0, pfn);
            }
            _ => unreachable!("handled by run"),
        }
    }
}

fn order() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(0u8), 3 => 1u8..=4, 1 => Just(9u8)]
}

fn pick() -> impl Strategy<Value = Pick> {
    (0u8..4, any::<u16>()).prop_map(|(d, n)| Pick(d, n))
}

fn step() -> impl Strategy<Value = Act> {
    let times = prop_oneof![4 => 1u16..8, 2 => 50u16..400];
    prop_oneof![
        2 => (2u16..1700, 0u8..5, prop_oneof![Just(-1), Just(5)], proptest::option::of(1u16..1700))
            .prop_map(|(max, kind, priority, bad)| Act::Swapon { max, kind, priority, bad }),
        1 => (0u8..4).prop_map(Act::OffBegin),
        1 => (0u8..4, any::<u16>()).prop_map(|(d, n)| Act::OffStep(d, n)),
        1 => (0u8..4).prop_map(Act::OffEnd),
        10 => (0u8..3, order(), 0u16..4, times)
            .prop_map(|(cpu, order, memcg, times)| Act::Alloc { cpu, order, memcg, times }),
        5 => (pick(), prop_oneof![6 => 1u8..3, 1 => 12u8..20]).prop_map(|(at, n)| Act::Dup(at, n)),
        5 => (pick(), 1u16..40, any::<bool>()).prop_map(|(at, nr, reclaim)| Act::Put { at, nr, reclaim }),
        6 => (0u8..3, pick(), proptest::bool::weighted(0.2), 0u8..20, proptest::bool::weighted(0.8)).prop_map(
            |(cpu, at, zero, stored, allowed)| Act::Write { cpu, at, zero, stored, allowed }),
        4 => pick().prop_map(Act::Evict),
        1 => Just(Act::EvictAll),
        4 => (pick(), 0u8..3).prop_map(|(at, order)| Act::SwapIn { at, order }),
        3 => (0u8..3, pick(), proptest::bool::weighted(0.8))
            .prop_map(|(cpu, at, decompresses)| Act::Writeback { cpu, at, decompresses }),
        2 => pick().prop_map(Act::GiveUp),
        4 => (pick(), 1u8..40).prop_map(|(at, nr)| Act::Free(at, nr)),
        1 => pick().prop_map(Act::Split),
        1 => (1u16..4, any::<u8>()).prop_map(|(memcg, limit)| Act::Limit { memcg, limit }),
        1 => (0u8..4).prop_map(Act::DiscardWorker),
        1 => (0u8..4).prop_map(Act::ReclaimWorker),
        1 => (0u8..3, 0u8..4, 0u16..2000, 0u8..3)
            .prop_map(|(cpu, dev, off, order)| Act::Force { cpu, dev, off, order }),
    ]
}

fn world(policy: Policy, cgroup: Cgroup, thp_swap: bool, seed: u64) -> World {
    let config = Config { cgroup, thp_swap, virtual_max: 2560, ..Config::new(policy) };
    let mut model = Model::new(config);
    model.charges_mut().group_mut(2).parent = 1;
    model.charges_mut().group_mut(1).root = seed.is_multiple_of(2);
    model.swapon(&DeviceSpec::block(1100)).unwrap();
    World { model, whim: Whim(seed), pfn: 0 }
}

/// Histories per property: few in a plain test run, `PROPTEST_CASES` for a long one.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(48)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_invariant_holds_after_every_step(
        policy in 0usize..3,
        cgroup in prop_oneof![3 => Just(Cgroup::V2), 1 => Just(Cgroup::V1), 1 => Just(Cgroup::None)],
        thp_swap in proptest::bool::weighted(0.9),
        seed in any::<u64>(),
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut world = world(POLICIES[policy], cgroup, thp_swap, seed);
        let mut checker = Checker::default();
        for (i, step) in steps.iter().enumerate() {
            world.run(step);
            checker.check(&world.model);
            prop_assert!(checker.broken().is_none(), "{} after step {i}, {step:?}", checker.broken().unwrap());
        }
        let alarms = world.model.alarms();
        prop_assert_eq!((alarms.lost_data, alarms.underflow), (0, 0));
    }

    #[test]
    fn the_same_history_gives_the_same_state(policy in 0usize..3, seed in any::<u64>(),
                                             steps in proptest::collection::vec(step(), 1..30)) {
        let run = || {
            let mut world = world(POLICIES[policy], Cgroup::V2, true, seed);
            steps.iter().for_each(|step| world.run(step));
            let caches: Vec<_> = (0..3).map(|cpu| format!("{:?}", world.model.cache(cpu))).collect();
            let words: Vec<_> = world.model.devices().map(|(d, _)| world.used(d)).collect();
            (caches, words, world.model.avail().to_vec())
        };
        prop_assert_eq!(run(), run());
    }
}

/// A checker that never fails would prove nothing: freed behind the model's back, invariants must break by name.
#[test]
fn the_checker_sees_planted_faults() {
    let mut world = world(POLICIES[1], Cgroup::V2, true, 1);
    for _ in 0..3 {
        world.model.alloc_folio(0, Folio { pfn: 1, order: 0, memcg: 3 }, &mut Undisturbed);
    }
    let mut checker = Checker::default();
    assert!(checker.check(&world.model), "{:?}", checker.broken());
    assert!(checker.tallies().filter(|(.., t)| t.checked > 0).count() >= 20);
    world.model.charges_mut().group_mut(3).refs += 1;
    assert!(!checker.check(&world.model));
    assert!(checker.broken().unwrap().starts_with("invariant 25"));
}

//! The generator, which is the reference allocator under a load, against everything downstream: the check must agree
//! with every choice, the collector must know every slot as the allocator does, and the same seed must give the same
//! records.

#![allow(clippy::unwrap_used, reason = "tests")]

mod recount;

use clap::ValueEnum;
use recount::recount;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vswap_common::{Entry, Kind, Record, flags};
use vswap_tui::check::Checker;
use vswap_tui::cli::Workload;
use vswap_tui::collector::Collector;
use vswap_tui::decode::{Event, decode};
use vswap_tui::model::{Backing, Flag, Model};
use vswap_tui::snapshot::{Backend, LatencyKind, List, Snapshot};
use vswap_tui::source::generator::{Generator, Spec};
use vswap_tui::source::{Batch, Polled, Source};

/// The million that every workload is held to.
const EVENTS: u64 = 1_000_000;
/// Events between two comparisons of all slots.
const STRIDE: u64 = 125_000;
const INTERVAL_NS: u64 = 250_000_000;

/// Things worth seeing that no single kind of record tells.
#[derive(Default)]
struct Sights {
    kinds: BTreeSet<&'static str>,
    orders: BTreeSet<u8>,
    counts: BTreeMap<&'static str, u64>,
    /// Order of the open request of each thread.
    open: BTreeMap<u32, u8>,
}

impl Sights {
    fn look(&mut self, e: &Event) {
        self.kinds.insert(e.kind.name());
        let asking = self.open.contains_key(&e.tid);
        let seen = match e.kind {
            Kind::AllocBegin => {
                assert!(self.open.insert(e.tid, e.order).is_none(), "a thread asks once at a time");
                return;
            }
            Kind::Alloc => {
                self.orders.insert(e.order);
                assert_eq!(self.open.remove(&e.tid), Some(e.order));
                if e.entry.dev() > 0 { "second device" } else { "first device" }
            }
            Kind::AllocFail if self.open.remove(&e.tid).is_none() => "charge refused",
            Kind::AllocFail if e.order > 0 => "no large slot",
            Kind::CacheDel if asking => "reclaimed for a request",
            Kind::CacheDel if e.flags & flags::SWAPOUT == 0 => "given up",
            Kind::Put if e.val == 1 && e.nr > 1 && e.order == 0 => "put of many",
            Kind::Isolate if e.val == 4 && asking => "full cluster looked into",
            Kind::Isolate if e.val == 4 => "worker looked into a full cluster",
            Kind::ClusterMove if e.val == 5 => "cluster waits for discard",
            Kind::Write if e.writeback() => "zswap writeback",
            Kind::ZswapFree if e.flags & flags::IN_STORE != 0 => "store undone",
            _ => return,
        };
        *self.counts.entry(seen).or_default() += 1;
    }
}

/// A generated load with everything that looks at it.
struct Bed {
    generator: Generator,
    collector: Collector,
    checker: Checker,
    sights: Sights,
    events: u64,
}

impl Bed {
    fn new(spec: Spec) -> Self {
        let generator = Generator::of(spec);
        let header = generator.header().clone();
        let checker = Checker::new(&header);
        let collector = Collector::new(Arc::new(header), INTERVAL_NS);
        Self { generator, collector, checker, sights: Sights::default(), events: 0 }
    }

    /// At least `n` more events, by the way every source goes.
    fn run(&mut self, n: u64) {
        let (mut batch, until) = (Batch::default(), self.events + n);
        while self.events < until {
            assert_eq!(self.generator.poll(&mut batch, Duration::ZERO).unwrap(), Polled::More);
            assert!(batch.undecodable == 0 && batch.events.len() <= 65_536);
            for update in &batch.updates {
                self.collector.update(update);
                self.checker.update(update);
            }
            for e in &batch.events {
                self.collector.apply(e);
                self.checker.apply(e);
                self.sights.look(e);
            }
            self.events += batch.events.len() as u64;
        }
        assert_eq!(self.generator.refused(), 0, "the load asked for what cannot be");
    }

    /// The collector's slots and clusters are the model's, one by one.
    fn compare(&mut self) -> Snapshot {
        let s = recount(&mut self.collector);
        let model = self.generator.model();
        let mut used = 0;
        for line in self.collector.slots() {
            let at = Entry::new(line.dev, line.off);
            let word = model.word(at);
            assert!(word.is_used() && line.confirmed, "{at:?} after {} events", self.events);
            let seen = (line.backend, line.cached, line.memcg);
            assert_eq!(seen, (backend(model, at), word.is_cached(), model.memcg(at)), "{at:?}");
            used += 1;
        }
        assert_eq!(used, model.devices().map(|(_, dev)| dev.inuse).sum::<u64>(), "no slot is missing");
        for view in &s.devices {
            let Some(dev) = model.device(view.dev) else {
                assert!(!view.active && view.used == 0);
                continue;
            };
            for (c, cell) in (0..).zip(view.clusters.iter()) {
                let (flag, order, _) = model.cluster_state(view.dev, c).unwrap();
                let seen = (cell.list, if flag == Flag::Free { 0 } else { cell.order });
                // Of a cluster that never moved nothing was told; it is free, or holds the header.
                if cell.list != List::None {
                    assert_eq!(seen, (list(flag), order), "cluster {c} of {}", view.dev);
                }
            }
            assert_eq!((view.active, view.used, view.pages), (true, dev.inuse, dev.pages));
            // News come behind the record of swapon.
            assert!(view.prio == dev.priority || view.used == 0);
        }
        for m in &s.memcgs {
            assert_eq!((m.slots, m.charged), (model.charges().get(m.id).own, m.slots));
        }
        s
    }
}

fn backend(model: &Model, at: Entry) -> Backend {
    match model.backing(at).unwrap() {
        Backing::None => Backend::None,
        Backing::Folio => Backend::Folio,
        Backing::Zero => Backend::Zero,
        Backing::Zswap(_) => Backend::Zswap,
        Backing::Phys(_) => Backend::Phys,
    }
}

fn list(flag: Flag) -> List {
    match flag {
        Flag::Free => List::Free,
        Flag::Nonfull => List::Nonfull,
        Flag::Frag => List::Frag,
        Flag::Full => List::Full,
        Flag::Discard => List::Discard,
        Flag::None | Flag::Dead => List::None,
    }
}

/// A million events of a workload: every choice agreed with, every slot as the model has it at all times.
fn hold(workload: Workload) -> (Sights, Snapshot) {
    let mut bed = Bed::new(Spec::new(workload, 1));
    let mut last = Snapshot::default();
    while bed.events < EVENTS {
        bed.run(STRIDE);
        last = bed.compare();
    }
    let l = &last.losses;
    assert_eq!((l.contradictions, l.inversions, l.overflow, l.lost), (0, 0, 0, 0), "{workload:?}");
    assert_eq!((last.unconfirmed, last.mix[0]), (0, 0), "{workload:?}: every slot is known");
    assert_eq!(last.used(), last.totals.alloc - last.totals.free, "{workload:?}");
    let r = bed.checker.finish();
    assert!(r.allocations > 5_000 && r.references && r.from_swapon, "{workload:?}: {}", r.allocations);
    assert_eq!((r.agreed, r.faults), (r.allocations, 0), "{workload:?}: {:?}", r.first_divergence);
    for (what, compared) in [("way", &r.paths), ("moves", &r.moves)] {
        assert!(compared.compared > 1_000, "{workload:?}: {what}");
        assert_eq!(compared.agreed, compared.compared, "{workload:?}: {what}: {:?}", compared.first);
    }
    assert!(r.invariants.iter().any(|i| i.checked > 0) && r.invariants.iter().all(|i| i.broken == 0));
    (bed.sights, last)
}

fn saw(sights: &Sights, what: &[&str]) {
    for name in what {
        assert!(sights.counts.get(name) > Some(&0), "{name}: {:?}", sights.counts);
    }
}

#[test]
fn mixed_has_everything_a_kernel_writes() {
    let (sights, s) = hold(Workload::Mixed);
    // Gaps are made by user space, and only where something was lost; a scan only where nobody saw the swapon; the kernel
    // that is followed has no caches of slots and no virtual layer; nobody hibernates.
    let scan = |kind: Kind| (Kind::ScanBegin as u8..=Kind::ScanEnd as u8).contains(&(kind as u8));
    let more = [
        Kind::Gap,
        Kind::Reserve,
        Kind::Return,
        Kind::SwapOffBegin,
        Kind::ScanCandidate,
        Kind::Back,
        Kind::Unback,
        Kind::Release,
        Kind::Hibernate,
        Kind::ScanBacked,
    ];
    let not_here = |kind: &Kind| scan(*kind) || more.contains(kind);
    let all = Kind::ALL.iter().filter(|kind| !not_here(kind)).map(|kind| kind.name());
    assert_eq!(sights.kinds, all.collect());
    saw(
        &sights,
        &[
            "first device",
            "second device",
            "charge refused",
            "no large slot",
            "reclaimed for a request",
            "given up",
            "put of many",
            "full cluster looked into",
            "cluster waits for discard",
            "zswap writeback",
            "store undone",
        ],
    );
    assert!(s.mix[1..].iter().all(|n| *n > 50), "all backends at once: {:?}", s.mix);
    assert!(s.latency.iter().all(|l| l.count > 50 && l.p50 <= l.p99 && l.p99 <= l.max));
    assert!(s.memcgs.len() == 5 && s.history.len() > 50 && s.devices.len() == 3);
}

#[test]
fn thp_is_about_large_folios() {
    let (sights, s) = hold(Workload::Thp);
    assert!(sights.orders.is_superset(&[0, 2, 4, 9].into()), "{:?}", sights.orders);
    assert!(s.devices[0].clusters.iter().any(|c| c.order == 9 && c.used() > 0));
    saw(&sights, &["no large slot", "put of many"]);
}

#[test]
fn writeback_is_about_zswap_at_its_limit() {
    let (sights, s) = hold(Workload::Writeback);
    saw(&sights, &["zswap writeback", "second device"]);
    assert!(s.totals.zswpwb > 1_000 && s.latency[LatencyKind::WritePhys as usize].count > 1_000);
}

#[test]
fn churn_is_about_short_lived_slots() {
    let (_, s) = hold(Workload::Churn);
    assert!(s.totals.alloc > 5 * s.used(), "{:?}", s.totals);
}

#[test]
fn oom_is_about_swap_that_is_full() {
    let (sights, s) = hold(Workload::Oom);
    saw(&sights, &["full cluster looked into", "worker looked into a full cluster", "put of many"]);
    assert!(s.totals.alloc_fail > 100, "{:?}", s.totals);
}

#[test]
fn other_machines_agree_too() {
    for (workload, slots, cpus) in
        [(Workload::Mixed, 4096, 1), (Workload::Oom, 5003, 3), (Workload::Thp, 1 << 20, 64)]
    {
        let mut bed = Bed::new(Spec { slots, cpus, ..Spec::new(workload, 9) });
        bed.run(100_000);
        bed.compare();
        let r = bed.checker.finish();
        assert_eq!((r.agreed, r.faults), (r.allocations, 0), "{workload:?} {slots} {:?}", r.first_divergence);
    }
}

#[test]
fn a_trace_cut_inside_a_workers_walk_breaks_no_invariant() {
    let mut generator = Generator::unpaced(Workload::Oom, 1);
    let mut checker = Checker::new(generator.header());
    let (mut sights, mut walking) = (Sights::default(), false);
    for _ in 0..EVENTS / 1000 {
        let (news, records) = generator.next(1000);
        news.iter().for_each(|update| checker.update(update));
        for e in records.iter().map(|r| decode(r).unwrap()) {
            checker.apply(&e);
            sights.look(&e);
            if sights.counts.contains_key("worker looked into a full cluster") {
                walking = e.kind == Kind::Isolate && e.nr == 1;
                break;
            }
        }
        if walking {
            break;
        }
    }
    let r = checker.finish();
    assert!(walking && r.invariants.iter().all(|i| i.broken == 0), "{:?}", r.invariants);
}

#[test]
fn same_seed_same_records_and_another_seed_others() {
    for workload in Workload::value_variants() {
        let records = |seed| -> Vec<Record> { Generator::unpaced(*workload, seed).records(20_000) };
        assert_eq!(records(7), records(7));
        assert_ne!(records(7), records(8));
    }
}

#[test]
fn event_time_and_sequence_never_run_backwards() {
    let records = Generator::unpaced(Workload::Mixed, 1).records(50_000);
    assert!(records.windows(2).all(|w| w[0].ts < w[1].ts));
    let mut next = [0u32; 4];
    for r in &records {
        assert_eq!((r.seq, r.lost), (next[usize::from(r.cpu)], 0));
        next[usize::from(r.cpu)] += 1;
    }
    assert!(next.iter().all(|n| *n > 1000), "all CPUs take part");
}

#[test]
fn records_and_polls_are_the_same_stream() {
    let records = Generator::unpaced(Workload::Churn, 3).records(5_000);
    let (mut source, mut batch, mut polled) =
        (Generator::unpaced(Workload::Churn, 3), Batch::default(), Vec::new());
    while polled.len() < records.len() {
        source.poll(&mut batch, Duration::ZERO).unwrap();
        polled.extend_from_slice(&batch.events);
    }
    assert!(records.iter().zip(&polled).all(|(r, e)| decode(r).unwrap() == *e));
}

#[test]
fn paced_events_keep_up_with_the_wall_clock() {
    let mut source = Generator::new(Workload::Mixed, 1);
    let (mut batch, mut last) = (Batch::default(), 0);
    let begun = Instant::now();
    let first = source.header().clock.monotonic_ns;
    while begun.elapsed() < Duration::from_millis(200) {
        source.poll(&mut batch, Duration::from_millis(10)).unwrap();
        last = batch.events.last().map_or(last, |e| e.ts);
    }
    let (event, wall) = (last - first, begun.elapsed().as_nanos() as u64);
    assert!(event <= wall + 20_000_000, "event time {event} is ahead of {wall}");
    assert!(event >= 50_000_000, "event time stands still at {event}");
}

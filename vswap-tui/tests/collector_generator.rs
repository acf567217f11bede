//! The generator and the collector against each other: generated events are consistent, so the collector must find
//! nothing to complain about, and what it shows must be what the workload is about.

#![allow(clippy::unwrap_used, reason = "tests")]

mod recount;

use clap::ValueEnum;
use recount::recount;
use std::sync::Arc;
use std::time::Duration;
use vswap_common::Record;
use vswap_tui::cli::Workload;
use vswap_tui::collector::Collector;
use vswap_tui::decode::{Event, decode};
use vswap_tui::snapshot::{Backend, LatencyKind, List, Snapshot};
use vswap_tui::source::generator::Generator;
use vswap_tui::source::{Batch, Polled, Source};

const EVENTS: usize = 200_000;

/// At least `n` events of a workload, by the way every source goes.
fn events(workload: Workload, seed: u64, n: usize) -> Vec<Event> {
    let mut source = Generator::unpaced(workload, seed);
    let (mut batch, mut all) = (Batch::default(), Vec::new());
    while all.len() < n {
        assert_eq!(source.poll(&mut batch, Duration::ZERO).unwrap(), Polled::More);
        assert_eq!(batch.undecodable, 0);
        assert!(batch.events.len() <= 65_536);
        all.extend_from_slice(&batch.events);
    }
    all
}

fn collected(workload: Workload, n: usize) -> (Collector, Snapshot) {
    let header = Arc::new(Generator::unpaced(workload, 1).header().clone());
    let mut collector = Collector::new(header, 250_000_000);
    for e in events(workload, 1, n) {
        collector.apply(&e);
    }
    let s = recount(&mut collector);
    (collector, s)
}

#[test]
fn no_workload_contradicts_itself() {
    for workload in Workload::value_variants() {
        let (collector, s) = collected(*workload, EVENTS);
        assert!(s.events >= EVENTS as u64);
        assert_eq!(
            (s.losses.contradictions, s.losses.inversions, s.losses.overflow, s.losses.lost),
            (0, 0, 0, 0),
            "{workload:?}"
        );
        assert_eq!((s.unconfirmed, s.mix[0]), (0, 0), "{workload:?}: every slot is known");
        assert_eq!(s.used(), s.totals.alloc - s.totals.free, "{workload:?}");
        let zswap = s.transitions.iter().map(|row| row[Backend::Zswap as usize]).sum::<u64>()
            - s.transitions[Backend::Zswap as usize].iter().sum::<u64>();
        assert_eq!(zswap, s.mix[Backend::Zswap as usize], "{workload:?}: what went in and not out is there");
        assert!(
            collector
                .slots()
                .all(|l| l.memcg_path.is_some() && (l.len.is_some() == (l.backend == Backend::Zswap)))
        );
        assert_eq!(s.devices.len(), 2);
    }
}

#[test]
fn lists_of_clusters_follow_their_fill() {
    let (_, s) = collected(Workload::Thp, EVENTS);
    for (i, cell) in s.devices[0].clusters.iter().enumerate() {
        let used = cell.used() + u16::from(i == 0);
        let fits = match cell.list {
            List::Free => used == 0,
            List::Full => used == 512,
            List::Nonfull | List::Frag => used > 0 && used < 512,
            List::None | List::Discard => false,
        };
        assert!(fits, "cluster {i}: {used} slots on {:?}", cell.list);
    }
}

#[test]
fn workloads_show_what_they_are_about() {
    let thp = collected(Workload::Thp, EVENTS);
    assert!(thp.0.slots().any(|l| l.order == 9) && thp.1.devices[0].clusters.iter().any(|c| c.order == 9));
    let churn = collected(Workload::Churn, EVENTS).1;
    assert!(churn.totals.alloc > 5 * churn.used(), "short-lived slots");
    let writeback = collected(Workload::Writeback, EVENTS).1;
    assert!(
        writeback.totals.zswpwb > 1000 && writeback.latency[LatencyKind::WritePhys as usize].count > 1000
    );
    let oom = collected(Workload::Oom, 2_000_000).1;
    assert!(oom.totals.alloc_fail > 100, "{:?}", oom.totals);
    let mixed = collected(Workload::Mixed, 1_000_000).1;
    assert!(mixed.mix[1..].iter().all(|n| *n > 50), "all backends at once: {:?}", mixed.mix);
    assert!(mixed.latency.iter().all(|l| l.count > 50 && l.p50 <= l.p99 && l.p99 <= l.max));
    assert!(mixed.totals.writeout_reject > 0 && mixed.totals.zswpwb > 0 && mixed.memcgs.len() == 5);
    assert!(mixed.history.len() > 50);
}

#[test]
fn same_seed_same_records_and_another_seed_others() {
    let records = |seed| -> Vec<Record> { Generator::unpaced(Workload::Mixed, seed).records(20_000) };
    assert_eq!(records(7), records(7));
    assert_ne!(records(7), records(8));
}

#[test]
fn event_time_and_sequence_never_run_backwards() {
    let records = Generator::unpaced(Workload::Mixed, 1).records(50_000);
    assert!(records.windows(2).all(|w| w[0].ts <= w[1].ts));
    let mut next = [0u32; 4];
    for r in &records {
        assert_eq!(r.seq, next[usize::from(r.cpu)]);
        next[usize::from(r.cpu)] += 1;
    }
    assert!(next.iter().all(|n| *n > 1000), "all CPUs take part");
}

#[test]
fn records_and_polls_are_the_same_stream() {
    let records = Generator::unpaced(Workload::Churn, 3).records(5_000);
    let polled = events(Workload::Churn, 3, 5_000);
    assert!(records.iter().zip(&polled).all(|(r, e)| decode(r).unwrap() == *e));
}

#[test]
fn paced_events_keep_up_with_the_wall_clock() {
    let mut source = Generator::new(Workload::Mixed, 1);
    let (mut batch, mut last) = (Batch::default(), 0);
    let begun = std::time::Instant::now();
    let first = source.header().clock.monotonic_ns;
    while begun.elapsed() < Duration::from_millis(200) {
        source.poll(&mut batch, Duration::from_millis(10)).unwrap();
        last = batch.events.last().map_or(last, |e| e.ts);
    }
    let (event, wall) = (last - first, begun.elapsed().as_nanos() as u64);
    assert!(event <= wall + 20_000_000, "event time {event} is ahead of {wall}");
    assert!(event >= 50_000_000, "event time stands still at {event}");
}

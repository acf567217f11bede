//! Decode and slot-map update on a generated stream, snapshots, and memory per tracked slot.
//!
//! `cargo bench -p vswap-tui --bench collector`; with `-- memory` only the memory figures. The figure for 64 M slots
//! takes 0.6 GB and is skipped where less than twice that is free.

use criterion::{BatchSize, Criterion, Throughput};
use std::hint::black_box;
use std::sync::Arc;
use vswap_common::{Entry, Kind, Record, flags};
use vswap_tui::cli::Workload;
use vswap_tui::collector::Collector;
use vswap_tui::decode::decode;
use vswap_tui::meta::Header;
use vswap_tui::source::generator::Generator;

const RECORDS: usize = 2_000_000;
const INTERVAL_NS: u64 = 250_000_000;

fn collector() -> Collector {
    Collector::new(Arc::new(Header { from_swapon: true, ..Header::default() }), INTERVAL_NS)
}

fn take_in(collector: &mut Collector, records: &[Record]) {
    for record in records {
        match decode(record) {
            Ok(event) => collector.apply(&event),
            Err(_) => collector.note_undecodable(1),
        }
    }
}

/// Every slot of `slots` in use in zswap, on devices of at most 64 M slots; 16 slots a record.
fn fill(collector: &mut Collector, slots: u64) {
    let run = |kind, off: u64| Record {
        ts: off,
        entry: Entry::new(0, off).0,
        nr: 16,
        order: 4,
        memcg: 7,
        flags: flags::MEMCG,
        kind: kind as u8,
        ..Record::default()
    };
    for off in (0..slots).step_by(16) {
        take_in(collector, &[run(Kind::Alloc, off), run(Kind::Charge, off), run(Kind::ZswapStore, off)]);
    }
}

fn apply(c: &mut Criterion) {
    for workload in [Workload::Mixed, Workload::Thp, Workload::Churn, Workload::Writeback] {
        let records = Generator::unpaced(workload, 1).records(RECORDS);
        let mut group = c.benchmark_group("decode_apply");
        group.throughput(Throughput::Elements(records.len() as u64)).sample_size(10);
        group.bench_function(format!("{workload:?}").to_lowercase(), |b| {
            b.iter_batched_ref(collector, |bed| take_in(bed, &records), BatchSize::LargeInput);
        });
    }
}

fn decode_only(c: &mut Criterion) {
    let records = Generator::unpaced(Workload::Mixed, 1).records(RECORDS);
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(records.len() as u64)).sample_size(10);
    group.bench_function("mixed", |b| {
        b.iter(|| records.iter().filter(|r| decode(black_box(r)).is_ok()).count());
    });
}

fn snapshot(c: &mut Criterion) {
    let mut bed = collector();
    fill(&mut bed, 4 << 20);
    let mut group = c.benchmark_group("snapshot");
    group.bench_function("4M slots, idle", |b| b.iter(|| black_box(bed.snapshot())));
    let event = Record { kind: Kind::LoadZswap as u8, nr: 1, arg: 900, ..Record::default() };
    let moved = Record { entry: Entry::new(0, 512).0, kind: Kind::CacheAdd as u8, nr: 1, ..event };
    group.bench_function("4M slots, after events", |b| {
        b.iter(|| {
            take_in(&mut bed, &[event, moved]);
            black_box(bed.snapshot())
        });
    });
}

/// Resident bytes of this process, from /proc.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}

/// Bytes that can be had without swapping, from /proc.
fn available() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

fn memory() {
    for (name, slots) in [("1 M", 1u64 << 20), ("64 M", 64 << 20)] {
        if available().is_some_and(|free| free < 2 * 10 * slots) {
            println!("memory/{name} slots: skipped, not enough free memory");
            continue;
        }
        let before = resident();
        let mut bed = collector();
        fill(&mut bed, slots);
        let (Some(before), Some(after)) = (before, resident()) else {
            println!("memory/{name} slots: no /proc/self/statm");
            return;
        };
        let used = bed.snapshot().used();
        assert_eq!(used, slots, "every slot is tracked");
        println!("memory/{name} slots: {:.2} bytes a slot, resident", (after - before) as f64 / used as f64);
    }
}

fn main() {
    // Memory first: later on the allocator holds pages that the benches gave back.
    memory();
    if std::env::args().any(|a| a == "memory") {
        return;
    }
    let mut c = Criterion::default().configure_from_args();
    decode_only(&mut c);
    apply(&mut c);
    snapshot(&mut c);
    c.final_summary();
}

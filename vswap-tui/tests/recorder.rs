//! Recordings over several files and out of memory, from generated records: each file stands alone, and together they
//! hold everything.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail their test")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use vswap_common::{Kind, Record};
use vswap_tui::cli::Workload;
use vswap_tui::collector::Collector;
use vswap_tui::meta::{ClockPair, HookTotals, Trailer, Update};
use vswap_tui::recorder::flight::Flight;
use vswap_tui::recorder::{Options, Recorder, Rotation, Series, Sink, Sync};
use vswap_tui::snapshot::{Snapshot, Totals};
use vswap_tui::source::generator::{Generator, Spec};
use vswap_tui::source::trace::TraceSource;
use vswap_tui::source::{Batch, Polled, Source};
use vswap_tui::trace::Index;
use vswap_tui::trace::index::IndexEntry;

const HISTORY: u64 = 1 << 40;

struct Whole {
    snapshot: Snapshot,
    slots: Vec<String>,
    part: u32,
}

/// A file alone, from its beginning.
fn read(path: &Path) -> Whole {
    let mut source = TraceSource::open(path).unwrap();
    let part = source.header().part;
    let mut collector = Collector::new(Arc::new(source.header().clone()), HISTORY);
    let mut batch = Batch::default();
    loop {
        let polled = source.poll(&mut batch, Duration::ZERO).unwrap();
        batch.updates.iter().for_each(|u| collector.update(u));
        batch.events.iter().for_each(|e| collector.apply(e));
        assert_eq!(batch.undecodable, 0);
        if let Polled::End { trailer, damage } = polled {
            assert!(trailer.is_some() && damage.is_none(), "{damage:?}");
            collector.update(&Update { hooks: trailer.unwrap().hooks, ..Update::default() });
            break;
        }
    }
    Whole { snapshot: collector.snapshot(), slots: lines(&collector), part }
}

/// Slots without their trust: the losses that this test makes up take it away.
fn lines(collector: &Collector) -> Vec<String> {
    collector
        .slots()
        .map(|s| format!("{:?}", vswap_tui::collector::SlotLine { confirmed: true, ..s }))
        .collect()
}

fn trailer(lost: u64) -> Trailer {
    let hooks = vec![HookTotals { hook: "alloc".into(), lost, ..HookTotals::default() }];
    Trailer { lost, hooks, reason: "test".into(), ..Trailer::default() }
}

fn sum(all: impl Iterator<Item = Totals>) -> [u64; 7] {
    all.fold([0; 7], |s, t| {
        let one = [t.alloc, t.free, t.zswpout, t.zswpin, t.zswpwb, t.pswpout, t.swpout_zero];
        std::array::from_fn(|i| s[i] + one[i])
    })
}

#[test]
fn files_of_a_series_stand_alone_and_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let rotation = Rotation { size: Some(150_000), ..Rotation::default() };
    let mut series = Series::new(&dir.path().join("t.vswap"), rotation).unwrap();
    let mut generator = Generator::unpaced(Workload::Mixed, 3);
    let options = Options { key_every: Some(Duration::from_millis(1)), sync: Sync::Flush };
    let sink = Sink::new(series.next_file().unwrap().1, options.sync).unwrap();
    let mut recorder = Recorder::new(sink, generator.header(), options, Some(series)).unwrap();
    let mut live = Collector::new(Arc::new(generator.header().clone()), HISTORY);
    for i in 0..60 {
        let (news, records) = generator.next(8192);
        recorder.take(news.as_slice(), &records).unwrap();
        recorder.flush().unwrap();
        if recorder.rotation_due() {
            // Losses are counted from the beginning by the hooks, and by each file from its own.
            recorder.rotate(&trailer(i), ClockPair::default()).unwrap();
        }
        news.iter().for_each(|u| live.update(u));
        records.iter().for_each(|r| live.apply(&vswap_tui::decode::decode(r).unwrap()));
    }
    let written = recorder.finish(&trailer(100)).unwrap();
    let mut paths: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 4 && paths.len() as u64 == written.files, "{paths:?}");
    let bytes: u64 = paths.iter().map(|p| fs::metadata(p).unwrap().len()).sum();
    assert_eq!(bytes, written.bytes);
    let files: Vec<Whole> = paths.iter().map(|p| read(p)).collect();
    assert_eq!(
        files.iter().map(|f| f.part).collect::<Vec<_>>(),
        (1..=files.len() as u32).collect::<Vec<_>>()
    );
    assert!(files.last().unwrap().slots == lines(&live), "the last file alone has every slot");
    let whole = live.snapshot();
    assert_eq!(sum(files.iter().map(|f| f.snapshot.totals)), sum([whole.totals].into_iter()));
    assert!(whole.totals.zswpwb > 0 && whole.totals.swpout_zero > 0);
    assert_eq!(files.iter().map(|f| f.snapshot.losses.lost).sum::<u64>(), 100, "each loss in one file");
    assert!(files.iter().all(|f| f.snapshot.losses.contradictions == 0));
    assert_eq!(
        files[1].snapshot.memcgs.iter().filter(|m| m.path.starts_with('#')).count(),
        0,
        "names go along"
    );
}

#[test]
fn key_frames_come_with_time_and_cost_a_tenth_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("k.vswap");
    let mut generator = Generator::of(Spec { slots: 4096, ..Spec::new(Workload::Churn, 7) });
    let every = Duration::from_millis(200);
    let options = Options { key_every: Some(every), sync: Sync::None };
    let sink = Sink::new(fs::File::create(&path).unwrap(), options.sync).unwrap();
    let mut recorder = Recorder::new(sink, generator.header(), options, None).unwrap();
    for _ in 0..100 {
        let (news, records) = generator.next(2048);
        recorder.take(news.as_slice(), &records).unwrap();
    }
    recorder.finish(&trailer(0)).unwrap();
    let index = Index::load(&fs::File::open(&path).unwrap()).unwrap();
    let far = index.keys.windows(2).all(|k| k[1].last_ts - k[0].last_ts >= every.as_nanos() as u64);
    assert!(index.keys.len() > 2 && far, "{:?}", index.keys);
    let blocks = [&index.blocks[..], &index.updates[..], &index.keys[..]].concat();
    let next = |k: &IndexEntry| blocks.iter().map(|b| b.offset).filter(|o| *o > k.offset).min();
    let len = fs::metadata(&path).unwrap().len();
    let frames: u64 = index.keys.iter().map(|k| next(k).unwrap_or(len) - k.offset).sum();
    assert!(frames > 0 && frames * 9 <= len, "{frames} of {len} bytes");
}

#[test]
fn a_flight_recorder_saves_the_last_minutes_and_flies_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut series = Series::new(&dir.path().join("f.vswap"), Rotation::default()).unwrap();
    let mut generator = Generator::unpaced(Workload::Writeback, 5);
    let limit = 400_000;
    let mut flight = Flight::new(generator.header(), limit, Options::default()).unwrap();
    let mut live = Collector::new(Arc::new(generator.header().clone()), HISTORY);
    let mut events = 0;
    for round in 1..=3 {
        for _ in 0..40 {
            let (news, records) = generator.next(4096);
            flight.take(news.as_slice(), &records, ClockPair::default()).unwrap();
            events += records.len() as u64;
            assert!(flight.bytes() < limit + 200_000, "{} bytes in memory", flight.bytes());
            news.iter().for_each(|u| live.update(u));
            records.iter().for_each(|r| live.apply(&vswap_tui::decode::decode(r).unwrap()));
        }
        let (path, bytes) = flight.save(&mut series, &trailer(0)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), bytes);
        let saved = read(&path);
        assert!(saved.slots == lines(&live), "round {round}");
        assert_eq!(saved.snapshot.losses.contradictions, 0);
        assert!(saved.snapshot.events > 20_000 && saved.snapshot.events < events, "only the last of them");
        let names: Vec<_> = saved.snapshot.memcgs.iter().map(|m| &*m.path).collect();
        assert!(!names.is_empty() && names.iter().all(|n| n.starts_with('/')), "{names:?}");
    }
}

/// The counters run ahead of the records: a loss just before a rotation has its gap in the next file.
#[test]
fn a_loss_around_a_rotation_is_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    let rotation = Rotation { size: Some(1), ..Rotation::default() };
    let mut series = Series::new(&dir.path().join("t.vswap"), rotation).unwrap();
    let mut generator = Generator::unpaced(Workload::Mixed, 3);
    let sink = Sink::new(series.next_file().unwrap().1, Sync::None).unwrap();
    let mut recorder = Recorder::new(sink, generator.header(), Options::default(), Some(series)).unwrap();
    // Of what has a number, some found the ring full, two could not be read, one was skipped and noticed; of `unseen`
    // calls nobody knows but the kernel.
    let books = |alloc: u64, free: u64, unseen: u64| {
        let hook = |name: &str, numbered: u64, unseen| HookTotals {
            hook: name.into(),
            lost: numbered - 3,
            fault: 2,
            skipped: 1,
            recursion_misses: 1 + unseen,
            ..HookTotals::default()
        };
        let hooks = vec![hook("alloc", alloc, unseen), hook("free", free, 0)];
        let lost = hooks.iter().map(HookTotals::missing).sum();
        Trailer { lost, hooks, reason: "test".into(), ..Trailer::default() }
    };
    let mut records = |recorder: &mut Recorder, gap: u64, told: &Trailer| {
        let (news, mut all) = generator.next(4096);
        if gap > 0 {
            let middle = all.len() / 2;
            let at = Record { ts: all[middle].ts, kind: Kind::Gap as u8, arg: gap, ..Record::default() };
            all.insert(middle, at);
        }
        let counters = Update { hooks: told.hooks.clone(), ..Update::default() };
        recorder.take(&[news.into_iter().collect::<Vec<_>>(), vec![counters]].concat(), &all).unwrap();
    };
    // 40 are lost and told; 7 more and the counters have them, the records not yet.
    records(&mut recorder, 40, &books(30, 17, 5));
    assert_eq!(recorder.rotate(&books(30, 17, 5), ClockPair::default()).unwrap(), 5);
    records(&mut recorder, 7, &books(30, 17, 5));
    // Nothing is open.
    assert_eq!(recorder.rotate(&books(30, 17, 5), ClockPair::default()).unwrap(), 5);
    records(&mut recorder, 0, &books(30, 17, 5));
    // The end: 11 of which no record told, the one of them that nobody saw included.
    let rest = Record { kind: Kind::Gap as u8, arg: 11, ..Record::default() };
    recorder.take(&[], &[rest]).unwrap();
    recorder.finish(&books(35, 22, 6)).unwrap();
    let mut paths: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let lost: Vec<u64> = paths.iter().map(|p| read(p).snapshot.losses.lost).collect();
    assert_eq!(lost, [45, 7, 11], "each loss in one file, where its gap is");
}

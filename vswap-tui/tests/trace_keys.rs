//! Key frames and openings on recordings of real kernels: reading from the middle must give what reading from the
//! beginning gives, slot by slot and number by number.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail their test")]

use std::convert::Infallible;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use vswap_common::Record;
use vswap_tui::collector::Collector;
use vswap_tui::decode::decode;
use vswap_tui::meta::{Header, Update};
use vswap_tui::snapshot::Snapshot;
use vswap_tui::snapshot::why::Why;
use vswap_tui::source::trace::TraceSource;
use vswap_tui::source::{Batch, Polled, Source};
use vswap_tui::trace::{Index, Item, TraceReader, TraceWriter};

const FIXTURES: [&str; 5] = [
    "linux-6.12-1cpu-order0.vswap",
    "linux-7.3-1cpu-order0.vswap",
    "linux-7.3-4cpu-thp.vswap",
    "linux-7.3-1cpu-mixed.vswap",
    "linux-7.3-4cpu-mixed.vswap",
];
const HISTORY: u64 = 1 << 40;

enum Step {
    News(Update),
    Record(Record),
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn read(name: &str) -> (Header, Vec<Step>) {
    let mut reader = TraceReader::new(File::open(fixture(name)).unwrap()).unwrap();
    let (mut steps, mut records) = (Vec::new(), Vec::new());
    loop {
        match reader.next(&mut records).unwrap() {
            Item::Records => steps.extend(records.drain(..).map(Step::Record)),
            Item::Update(update) => steps.push(Step::News(update)),
            Item::End(_) => return (reader.header().clone(), steps),
        }
    }
}

fn take(collector: &mut Collector, step: &Step) {
    match step {
        Step::News(update) => collector.update(update),
        Step::Record(record) => collector.apply(&decode(record).unwrap()),
    }
}

/// Everything the collector knows, but the history.
fn all(collector: &mut Collector) -> String {
    without(collector, |_| {})
}

/// The same but for what is taken out.
fn without(collector: &mut Collector, take_out: impl Fn(&mut Snapshot)) -> String {
    let mut snapshot = collector.snapshot();
    snapshot.history = Arc::default();
    take_out(&mut snapshot);
    let slots: Vec<_> = collector.slots().map(|s| format!("{s:?}")).collect();
    let devices: Vec<_> = snapshot.devices.iter().map(|d| format!("{:?}", d.clusters)).collect();
    format!("{snapshot:#?}\n{}\n{}", devices.join("\n"), slots.join("\n"))
}

/// The recording with a key frame every `every` steps.
fn with_frames(header: &Header, steps: &[Step], every: usize) -> Vec<u8> {
    let mut collector = Collector::new(Arc::new(header.clone()), HISTORY);
    let mut writer = TraceWriter::new(Vec::new(), header).unwrap();
    for (i, step) in steps.iter().enumerate() {
        take(&mut collector, step);
        match step {
            Step::News(update) => writer.update(update).unwrap(),
            Step::Record(record) => writer.push(record).unwrap(),
        }
        if i % every == every - 1 && collector.can_frame() {
            writer.key_frame(&collector.key_state(), collector.key_slots()).unwrap();
        }
    }
    writer.finish(&Default::default()).unwrap()
}

/// Names the first lines that differ: the whole would be megabytes.
fn assert_same(there: &str, begin: &str, context: &str) {
    let pairs = there.lines().zip(begin.lines()).enumerate();
    let different: Vec<_> = pairs.filter(|(_, (a, b))| a != b).take(5).collect();
    assert!(different.is_empty() && there.len() == begin.len(), "{context}: {different:#?}");
}

fn rest(source: &mut TraceSource, collector: &mut Collector, until: u64) {
    let mut batch = Batch::default();
    loop {
        let polled = source.poll(&mut batch, Duration::ZERO).unwrap();
        batch.updates.iter().for_each(|u| collector.update(u));
        for event in &batch.events {
            if event.ts > until {
                return;
            }
            collector.apply(event);
        }
        if let Polled::End { trailer, damage } = polled {
            assert!(trailer.is_some() && damage.is_none(), "{damage:?}");
            return;
        }
    }
}

#[test]
fn state_at_any_time_is_the_same_from_a_key_frame() {
    let dir = tempfile::tempdir().unwrap();
    for name in FIXTURES {
        let (header, steps) = read(name);
        let path = dir.path().join(name);
        std::fs::write(&path, with_frames(&header, &steps, 2500)).unwrap();
        let times: Vec<u64> =
            steps.iter().filter_map(|s| if let Step::Record(r) = s { Some(r.ts) } else { None }).collect();
        let last = times.iter().max().copied().unwrap();
        let mut source = TraceSource::open(&path).unwrap();
        let index = source.index().unwrap().unwrap();
        assert!(index.keys.len() > 8, "{name}: {} key frames", index.keys.len());
        let mut sought = 0;
        for to in times.iter().copied().step_by(times.len() / 9).chain([0, last, u64::MAX]) {
            let mut begin = Collector::new(Arc::new(header.clone()), HISTORY);
            let mut from_begin = TraceSource::open(&path).unwrap();
            rest(&mut from_begin, &mut begin, to);
            let mut there = source.seek(to, HISTORY, &[]).unwrap().unwrap();
            sought += u64::from(there.now() > 0);
            rest(&mut source, &mut there, to);
            assert_same(&all(&mut there), &all(&mut begin), &format!("{name} at {to}"));
        }
        assert!(sought > 6, "{name}: only {sought} times a key frame was used");
    }
}

#[test]
fn a_recording_that_goes_on_in_a_new_file_opens_with_the_same_slots() {
    for name in FIXTURES {
        let (header, steps) = read(name);
        for part in 1..6 {
            let cut = steps.len() * part / 6;
            let mut before = Collector::new(Arc::new(header.clone()), HISTORY);
            steps[..cut].iter().for_each(|s| take(&mut before, s));
            let next = Header { from_swapon: false, part: 2, ..header.clone() };
            let mut after = Collector::new(Arc::new(next), HISTORY);
            for step in &steps[..cut] {
                if let Step::News(update) = step {
                    after.name(update);
                }
            }
            let tell = |record| {
                after.apply(&decode(&record).unwrap());
                Ok::<(), Infallible>(())
            };
            before.opening(tell).unwrap();
            // The opening tells of every slot, and the records that follow mean the same to it.
            for at in [cut, steps.len()] {
                for step in &steps[cut..at] {
                    take(&mut before, step);
                    take(&mut after, step);
                }
                let slots = |c: &Collector| c.slots().map(|s| format!("{s:?}")).collect::<Vec<_>>();
                assert_eq!(slots(&before), slots(&after), "{name} part {part} at {at}");
                let (a, b) = (before.snapshot(), after.snapshot());
                assert_eq!((a.mix, a.cached, a.zswap_bytes), (b.mix, b.cached, b.zswap_bytes), "{name}");
                assert_eq!(b.losses.contradictions, a.losses.contradictions, "{name} part {part}");
                let lists = |s: &vswap_tui::snapshot::Snapshot| {
                    let active = s.devices.iter().filter(|d| d.active);
                    active.map(|d| d.clusters.iter().map(|c| c.list).collect::<Vec<_>>()).collect::<Vec<_>>()
                };
                assert_eq!(lists(&a), lists(&b), "{name} part {part} at {at}");
            }
        }
    }
}

#[test]
fn format_1_1_loads_for_ever() {
    // `with_frames` made it of the 1.0 fixture when 1.1 was new: frames, index and all.
    let file = File::open(fixture("format-1.1.vswap")).unwrap();
    let index = Index::load(&file).unwrap();
    assert!(index.whole && index.keys.len() == 2, "{} key frames", index.keys.len());
    assert_eq!(index, Index::scan(&file).unwrap(), "the index at the end is what the headers say");
    let whole = |name: &str| {
        let mut source = TraceSource::open(&fixture(name)).unwrap();
        let mut collector = Collector::new(Arc::new(source.header().clone()), HISTORY);
        rest(&mut source, &mut collector, u64::MAX);
        collector
    };
    let (mut new, mut old) = (whole("format-1.1.vswap"), whole("linux-7.3-4cpu-thp.vswap"));
    assert_same(&all(&mut new), &all(&mut old), "format 1.1");
    let mut source = TraceSource::open(&fixture("format-1.1.vswap")).unwrap();
    let mut sought = source.seek(u64::MAX, HISTORY, &[]).unwrap().unwrap();
    assert_eq!(sought.now(), index.keys[1].last_ts);
    rest(&mut source, &mut sought, u64::MAX);
    // Frames did not carry causes then: those are counted from the frame on.
    let causes = |s: &mut Snapshot| s.why = Why::default();
    let (sought, old) = (without(&mut sought, causes), without(&mut old, causes));
    assert_same(&sought, &old, "format 1.1 from its last frame");
}

#[test]
fn a_damaged_frame_or_index_is_passed_over() {
    let (header, steps) = read("linux-7.3-1cpu-order0.vswap");
    let bytes = with_frames(&header, &steps, 5000);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.vswap");
    let whole = {
        std::fs::write(&path, &bytes).unwrap();
        Index::load(&File::open(&path).unwrap()).unwrap()
    };
    assert!(whole.whole && whole == Index::scan(&File::open(&path).unwrap()).unwrap(), "both indexes agree");
    let last = *whole.keys.last().unwrap();
    let mut begin = Collector::new(Arc::new(header.clone()), HISTORY);
    rest(&mut TraceSource::open(&path).unwrap(), &mut begin, last.last_ts);
    // A bit anywhere in the newest frame, and anywhere behind it up to the end.
    let span = (last.offset as usize..bytes.len()).step_by(701);
    for at in span {
        let mut bad = bytes.clone();
        bad[at] ^= 0x40;
        std::fs::write(&path, &bad).unwrap();
        let mut source = TraceSource::open(&path).unwrap();
        let mut there = source.seek(last.last_ts, HISTORY, &[]).unwrap().unwrap();
        let mut batch = Batch::default();
        while matches!(source.poll(&mut batch, Duration::ZERO).unwrap(), Polled::More) {
            batch.updates.iter().for_each(|u| there.update(u));
            batch.events.iter().filter(|e| e.ts <= last.last_ts).for_each(|e| there.apply(e));
        }
        let slots =
            |c: &Collector| c.slots().filter(|s| s.confirmed).map(|s| format!("{s:?}")).collect::<Vec<_>>();
        let true_ones = slots(&begin);
        assert!(slots(&there).iter().all(|s| true_ones.contains(s)), "a wrong slot with byte {at} changed");
    }
}

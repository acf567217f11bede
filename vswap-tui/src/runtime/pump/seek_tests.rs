//! Jumps through the pump: the state at an instant is that of plain replay up to there, whatever the way to it.

use super::*;
use crate::app::message::Landmark;
use crate::cli::{Speed, Workload};
use crate::decode::{Event, decode};
use crate::snapshot::Snapshot;
use crate::snapshot::latency::LatencyDetail;
use crate::source::generator::Generator;
use crate::source::trace::TraceSource;
use crate::trace::TraceWriter;
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::LazyLock;
use vswap_common::{Kind, Record};

/// Records of the recording, and between two of its key frames.
const RECORDS: usize = 120_000;
const FRAME_EVERY: usize = 15_000;

/// A recording with losses and bursts of writeback, its key frames, and its records as they were written.
struct Recording {
    _dir: tempfile::TempDir,
    path: PathBuf,
    header: Arc<crate::meta::Header>,
    steps: Vec<(Option<Update>, Vec<Record>)>,
}

static RECORDING: LazyLock<Recording> = LazyLock::new(|| {
    let mut generator = Generator::unpaced(Workload::Mixed, 5);
    let header = generator.header().clone();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.vswap");
    let mut writer = TraceWriter::new(std::fs::File::create(&path).unwrap(), &header).unwrap();
    let mut collector = Collector::new(Arc::new(header.clone()), HISTORY_NS);
    let (mut steps, mut written, mut framed) = (Vec::new(), 0, 0);
    while written < RECORDS {
        let (news, mut records) = generator.next(2000);
        // Here and there some records are lost.
        if written / 40_000 != (written + records.len()) / 40_000 {
            let last = *records.last().unwrap();
            records.push(Record { ts: last.ts, kind: Kind::Gap as u8, arg: 3, nr: 0, ..Record::default() });
        }
        // Twice zswap writes back in mass, after a silence.
        if written / 50_000 != (written + records.len()) / 50_000 {
            let pages: Vec<Record> =
                records.iter().filter(|r| r.kind == Kind::ZswapStore as u8).take(40).copied().collect();
            let ts = records.last().unwrap().ts + 20_000_000;
            let flags = vswap_common::flags::WRITEBACK;
            let write = |r: Record| Record { ts, kind: Kind::Write as u8, nr: 1, arg: 0, val: 1, flags, ..r };
            records.extend(pages.into_iter().map(write));
        }
        if let Some(news) = &news {
            writer.update(news).unwrap();
            collector.update(news);
        }
        for record in &records {
            writer.push(record).unwrap();
            collector.apply(&decode(record).unwrap());
        }
        written += records.len();
        steps.push((news, records));
        if written >= framed + FRAME_EVERY && collector.can_frame() {
            framed = written;
            writer.key_frame(&collector.key_state(), collector.key_slots()).unwrap();
        }
    }
    writer.finish(&Trailer::default()).unwrap();
    Recording { _dir: dir, path, header: Arc::new(header), steps }
});

impl Recording {
    fn span(&self) -> (u64, u64) {
        let times = || self.steps.iter().flat_map(|(_, records)| records.iter().map(|r| r.ts));
        (times().min().unwrap(), times().max().unwrap())
    }

    /// Plain replay of all events before the first that is later than `until` or that `stop` is true for, that one
    /// included.
    fn plain(&self, until: u64, mut stop: impl FnMut(&Event) -> bool) -> Collector {
        let mut collector = Collector::new(Arc::clone(&self.header), HISTORY_NS);
        for (news, records) in &self.steps {
            // News hold for the events after them, and are taken in with the block they stand before.
            if let Some(news) = news {
                collector.update(news);
            }
            for record in records {
                let event = decode(record).unwrap();
                if event.ts > until {
                    return collector;
                }
                collector.apply(&event);
                if stop(&event) {
                    return collector;
                }
            }
        }
        collector
    }

    fn pump(&self) -> Pump {
        let source = Box::new(TraceSource::open(&self.path).unwrap());
        let mut pump = Pump::new(source, None, Some(Pace::new(Speed::Max)), None).with_journal();
        pump.control(Control::Pause(true)).unwrap();
        pump
    }
}

/// On until the order is carried out. With `frames` by key frames at once, else by reading.
fn go(pump: &mut Pump, order: Control, frames: bool) {
    pump.control(order).unwrap();
    pump.hurry = pump.hurry.and(frames.then(Instant::now));
    for _ in 0..100_000 {
        if !pump.seeks() {
            return;
        }
        pump.advance(Duration::ZERO).unwrap();
    }
    panic!("no arrival");
}

/// All that is shown but histories, which a jump leaves holes in.
fn shown(mut snapshot: Snapshot) -> String {
    snapshot.history = Arc::default();
    let detail = LatencyDetail { points: Arc::default(), ..(*snapshot.latencies).clone() };
    snapshot.latencies = Arc::new(detail);
    let clusters: Vec<_> = snapshot.devices.iter().map(|d| format!("{:?}", d.clusters)).collect();
    format!("{snapshot:#?}\n{}", clusters.join("\n"))
}

#[track_caller]
fn same(pump: &mut Pump, mut plain: Collector, way: &str) {
    assert_eq!(pump.collector.slots().count(), plain.slots().count(), "{way}");
    assert!(pump.collector.slots().eq(plain.slots()), "{way}: slots differ");
    let (there, plain) = (shown(pump.collector.snapshot()), shown(plain.snapshot()));
    let differ: Vec<_> = there.lines().zip(plain.lines()).filter(|(a, b)| a != b).take(5).collect();
    assert!(differ.is_empty() && there.len() == plain.len(), "{way}: {differ:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn any_way_back_and_forth_ends_where_plain_replay_is(
        ways in prop::collection::vec((0.0f64..1.0, any::<bool>()), 1..6),
    ) {
        let recording = &*RECORDING;
        let (first, last) = recording.span();
        let mut pump = recording.pump();
        for (share, frames) in &ways {
            let to = first + ((last - first) as f64 * share) as u64;
            go(&mut pump, Control::Seek(to), *frames);
            same(&mut pump, recording.plain(to, |_| false), &format!("{ways:?} at {to}"));
            prop_assert!(pump.pace.is_some_and(|p| p.paused()), "a pause outlives a jump");
        }
    }
}

#[test]
fn landmarks_after_a_jump_are_those_of_plain_replay() {
    let recording = &*RECORDING;
    let (first, last) = recording.span();
    let whole = recording.plain(u64::MAX, |_| false).snapshot().history.len();
    let mut found = [0, 0];
    for share in [1, 4, 8] {
        let from = first + (last - first) * share / 10;
        for (which, landmark) in [Landmark::Loss, Landmark::Writeback].into_iter().enumerate() {
            let mut pump = recording.pump();
            // There by a key frame, and once by way of a later place.
            go(&mut pump, Control::Seek(last), true);
            let seen = pump.frame().snapshot.history.len();
            assert!(seen < whole, "{seen} of {whole} points: what a jump passes over is in no history");
            go(&mut pump, Control::Seek(from), true);
            assert!(pump.ts <= from && pump.events > 0);
            let (mut goal, mut at) = (Goal::find(landmark, from, 0), None);
            recording.plain(u64::MAX, |e| {
                let is = at.is_none() && e.ts > from && goal.reached(e, 0);
                at = at.or(is.then_some(e.ts));
                is
            });
            go(&mut pump, Control::Find(landmark), false);
            let Some(at) = at else {
                assert!(pump.end.is_some(), "{landmark:?} from {share}: none is left");
                continue;
            };
            assert_eq!(pump.ts, at, "{landmark:?} from {share}");
            found[which] += 1;
        }
    }
    assert!(found.iter().all(|n| *n > 0), "losses and bursts found: {found:?}");
}

#[test]
fn the_beginning_and_beyond_the_end_can_be_gone_to() {
    let recording = &*RECORDING;
    let (_, last) = recording.span();
    let mut pump = recording.pump();
    for frames in [false, true] {
        go(&mut pump, Control::Seek(u64::MAX), frames);
        same(&mut pump, recording.plain(u64::MAX, |_| false), "the end");
        assert_eq!(pump.ts, last);
        assert!(pump.frame().end.is_some_and(|e| e.clean), "the end is told after a jump too");
        go(&mut pump, Control::Seek(0), frames);
        assert_eq!((pump.events, pump.frame().snapshot.used()), (0, 0));
        assert!(pump.frame().end.is_none());
    }
}

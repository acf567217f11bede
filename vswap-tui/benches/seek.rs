//! How long a replay of a large trace takes to begin and to go elsewhere: what a user waits for after `:seek`, `[`, `]`
//! and `0`, through the pump of the dashboard, model and other designs beside it as `vswap replay` has them.
//!
//! `cargo bench -p vswap-tui --bench seek`: a trace of 100 MB; with `-- --gigabyte` one of 1 GB, which takes some
//! minutes to generate. The trace lies in `target/tmp` and is removed at the end.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

use rustix::time::{ClockId, clock_gettime};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use vswap_tui::app::frame::Timeline;
use vswap_tui::app::message::{Control, Landmark};
use vswap_tui::check::Beside;
use vswap_tui::cli::{Speed, Workload};
use vswap_tui::meta::Trailer;
use vswap_tui::recorder::{Options, Recorder, Sink, Sync};
use vswap_tui::runtime::pace::Pace;
use vswap_tui::runtime::pump::Pump;
use vswap_tui::source::Source as _;
use vswap_tui::source::generator::{Generator, Spec};
use vswap_tui::source::trace::TraceSource;
use vswap_tui::whatif::Design;

/// 4 GiB of swap.
const SLOTS: u64 = 1 << 20;
/// Places that are gone to, back and forth.
const JUMPS: u64 = 24;
/// Nobody waits longer.
const GIVE_UP: Duration = Duration::from_secs(60);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let gigabyte = args.iter().any(|a| a == "--gigabyte");
    let mut names = args.iter().filter(|a| !a.starts_with('-')).peekable();
    if names.peek().is_some() && !names.any(|n| "seek".contains(n.as_str())) {
        return;
    }
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = dir.join("seek.vswap");
    let bytes = if gigabyte { 1_000_000_000 } else { 100_000_000 };
    let (events, size) = generate(&path, bytes);
    let begun = Instant::now();
    let (mut pump, timeline) = replay(&path);
    println!(
        "seek: trace of {:.0} MB, {:.1} M events, {:.0} s; first frame after {:.0} ms",
        size as f64 / 1e6,
        events as f64 / 1e6,
        (timeline.end - timeline.start) as f64 / 1e9,
        ms(begun.elapsed())
    );
    jumps(&mut pump, &timeline);
    let (wait, work) = go(&mut pump, Control::Find(Landmark::Writeback));
    println!("seek: next burst of writeback after {:.0} ms, CPU time {:.0} ms", ms(wait), ms(work));
    std::fs::remove_file(&path).unwrap();
}

/// A trace of at least so many bytes, with key frames as a recording has them.
fn generate(path: &Path, bytes: u64) -> (u64, u64) {
    let mut generator = Generator::of(Spec { slots: SLOTS, ..Spec::new(Workload::Mixed, 1) });
    let sink = Sink::new(std::fs::File::create(path).unwrap(), Sync::None).unwrap();
    let mut recorder = Recorder::new(sink, generator.header(), Options::default(), None).unwrap();
    while recorder.written().bytes < bytes {
        let (news, records) = generator.next(65_536);
        recorder.take(news.as_slice(), &records).unwrap();
    }
    let records = recorder.written().records;
    let trailer = Trailer { records, clock: generator.clock(), ..Trailer::default() };
    let written = recorder.finish(&trailer).unwrap();
    (written.records, written.bytes)
}

/// As `vswap replay` begins: up to the first frame.
fn replay(path: &Path) -> (Pump, Timeline) {
    let source = TraceSource::open(path).unwrap();
    let blocks = source.index().unwrap().unwrap().blocks;
    let timeline =
        Timeline::from_blocks(blocks.iter().map(|b| (b.first_ts, b.last_ts, u64::from(b.count)))).unwrap();
    let header = source.header().clone();
    let beside = Beside::new(String::new()).with_model(&header).with_designs(&header, &Design::SHOWN);
    let mut pump =
        Pump::new(Box::new(source), Some(beside), Some(Pace::new(Speed::Times(1.0))), None).with_journal();
    pump.control(Control::Pause(true)).unwrap();
    pump.control(Control::StepEvent).unwrap();
    assert_eq!(pump.frame().snapshot.events, 1);
    (pump, timeline)
}

/// CPU time of this thread, which does everything.
fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Time until the frame that shows what was asked for, and the CPU time in it: on a machine that does nothing else both
/// are the same.
fn go(pump: &mut Pump, order: Control) -> (Duration, Duration) {
    let (asked, worked) = (Instant::now(), cpu_time());
    pump.control(order).unwrap();
    loop {
        pump.advance(Duration::ZERO).unwrap();
        if pump.seeks() {
            assert!(asked.elapsed() < GIVE_UP, "no arrival");
            continue;
        }
        std::hint::black_box(pump.frame());
        return (asked.elapsed(), cpu_time().saturating_sub(worked));
    }
}

/// To places all over the recording, each far from the one before.
fn jumps(pump: &mut Pump, timeline: &Timeline) {
    let span = timeline.end - timeline.start;
    let (mut waits, mut works): (Vec<Duration>, Vec<Duration>) = (1..=JUMPS)
        .map(|i| {
            // The golden ratio walks over all of it.
            let at = timeline.start + (span as f64 * (i as f64 * 0.618_034).fract()) as u64;
            let took = go(pump, Control::Seek(at));
            let frame = pump.frame();
            assert!(frame.snapshot.ts <= at && at - frame.snapshot.ts < 1_000_000_000, "arrived elsewhere");
            took
        })
        .unzip();
    waits.sort_unstable();
    works.sort_unstable();
    let at = |times: &[Duration], share: f64| ms(times[((times.len() - 1) as f64 * share) as usize]);
    for (what, times) in [("wait", &waits), ("CPU time", &works)] {
        println!(
            "seek: {JUMPS} jumps back and forth, {what}: median {:.0} ms, 90 % {:.0} ms, longest {:.0} ms",
            at(times, 0.5),
            at(times, 0.9),
            at(times, 1.0)
        );
    }
}

fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

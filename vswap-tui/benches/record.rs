//! The record path without a kernel: generated records arrive at a fixed rate in a buffer as large as the kernel's
//! ring, and the recorder takes them out, keeps its slot map, writes blocks and key frames to a file. What finds the
//! buffer full is lost, as in the kernel. Then the same records without a pace: where it saturates. Then what holds the
//! recording up with millions of slots in use, no two neighbours alike: a key frame, and the opening of the next file.
//! `vswap record` has it on a thread of its own, behind a backlog that lasts 18 seconds at 300,000 records a second.
//! Times of the clock depend on what else the machine does, so those of the CPU stand beside them.
//!
//! `VSWAP_BENCH_SECONDS` (default 10) and `VSWAP_BENCH_RATE` (default 300000 a second) set the paced part.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

use rustix::time::{ClockId, clock_gettime};
use std::collections::VecDeque;
use std::fs::File;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use vswap_common::record::RECORD_SIZE;
use vswap_common::{Entry, Kind, Record, flags};
use vswap_tui::cli::Workload;
use vswap_tui::meta::{ClockPair, Header, Trailer};
use vswap_tui::recorder::{BACKLOG, Options, Recorder, Rotation, Series, Sink, Sync};
use vswap_tui::source::generator::Generator;
use vswap_tui::trace::TraceWriter;

/// Records in the default ring of 16 MiB; the kernel needs eight bytes more for each.
const RING: usize = (16 << 20) / (RECORD_SIZE + 8);
const TICK: Duration = Duration::from_millis(5);
const FLUSH: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Ring {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    records: VecDeque<Record>,
    peak: usize,
    lost: u64,
    over: bool,
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn recorder(header: &Header, folder: &tempfile::TempDir) -> Recorder {
    let options = Options { sync: Sync::None, ..Options::default() };
    let sink = Sink::new(File::create(folder.path().join("t.vswap")).unwrap(), options.sync).unwrap();
    Recorder::new(sink, header, options, None).unwrap()
}

fn produce(ring: &Ring, mut generator: Generator, rate: u64, seconds: u64) -> u64 {
    let (begin, mut made) = (Instant::now(), 0u64);
    let mut ready: VecDeque<Record> = VecDeque::new();
    while begin.elapsed() < Duration::from_secs(seconds) {
        let due = (begin.elapsed().as_secs_f64() * rate as f64) as u64;
        let mut want = (due - made.min(due)) as usize;
        while ready.len() < want + 4096 {
            ready.extend(generator.next(8192).1);
        }
        let mut state = ring.state.lock().unwrap();
        while want > 0 {
            let Some(record) = ready.pop_front() else { break };
            if state.records.len() < RING {
                state.records.push_back(record);
            } else {
                state.lost += 1;
            }
            made += 1;
            want -= 1;
        }
        state.peak = state.peak.max(state.records.len());
        ring.filled.notify_one();
        drop(state);
        thread::sleep(TICK);
    }
    ring.state.lock().unwrap().over = true;
    ring.filled.notify_one();
    made
}

fn paced(rate: u64, seconds: u64) {
    let folder = tempfile::tempdir().unwrap();
    let generator = Generator::unpaced(Workload::Mixed, 1);
    let header = vswap_tui::source::Source::header(&generator).clone();
    let mut recorder = recorder(&header, &folder);
    let ring = Arc::new(Ring::default());
    let producer = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || produce(&ring, generator, rate, seconds))
    };
    let (mut batch, mut flushed, busy) = (Vec::new(), Instant::now(), cpu());
    loop {
        let mut state = ring.state.lock().unwrap();
        while state.records.is_empty() && !state.over {
            state = ring.filled.wait_timeout(state, Duration::from_millis(20)).unwrap().0;
        }
        let over = state.over && state.records.is_empty();
        let n = state.records.len().min(65_536);
        batch.clear();
        batch.extend(state.records.drain(..n));
        drop(state);
        recorder.take(&[], &batch).unwrap();
        if flushed.elapsed() >= FLUSH {
            recorder.flush().unwrap();
            flushed = Instant::now();
        }
        if over {
            break;
        }
    }
    let used = cpu() - busy;
    let made = producer.join().unwrap();
    let written = recorder.finish(&Trailer::default()).unwrap();
    let state = ring.state.lock().unwrap();
    assert_eq!(written.records + state.lost, made, "every record is written or counted as lost");
    println!(
        "record: {rate} records/s for {seconds} s: {made} made, {} lost, ring at most {:.1} % full, {:.1} % of a core, {:.2} bytes a record",
        state.lost,
        state.peak as f64 / RING as f64 * 100.0,
        used.as_secs_f64() / seconds as f64 * 100.0,
        written.bytes as f64 / written.records as f64
    );
}

fn unpaced() {
    let folder = tempfile::tempdir().unwrap();
    let mut generator = Generator::unpaced(Workload::Mixed, 1);
    let header = vswap_tui::source::Source::header(&generator).clone();
    let records = generator.records(4 << 20);
    let mut recorder = recorder(&header, &folder);
    let busy = cpu();
    for batch in records.chunks(65_536) {
        recorder.take(&[], batch).unwrap();
    }
    let used = cpu() - busy;
    recorder.finish(&Trailer::default()).unwrap();
    println!(
        "record: saturates at {:.2} M records/s of one core (slot map, blocks, key frames, write to a file)",
        records.len() as f64 / used.as_secs_f64() / 1e6
    );
}

/// A zswap store on every slot of a device: lengths differ, so that every slot is a run of its own.
fn stored(slots: u64) -> impl Iterator<Item = Record> {
    (1..slots).flat_map(|off| {
        let base = Record {
            ts: 1_000_000 + off * 100,
            entry: Entry::new(0, off).0,
            nr: 1,
            flags: flags::WORDS | flags::MEMCG,
            memcg: (off % 7) as u16,
            ..Record::default()
        };
        let length = off.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let store = Record { kind: Kind::ZswapStore as u8, val: 500 + (length % 2500) as i32, ..base };
        [Record { kind: Kind::Alloc as u8, ..base }, store]
    })
}

/// Time of the clock and of this thread's CPU.
fn since((begin, busy): (Instant, Duration)) -> String {
    format!("{:.2} s ({:.2} s of a CPU)", begin.elapsed().as_secs_f64(), (cpu() - busy).as_secs_f64())
}

/// The most memory this process has had so far, KiB.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    line.trim_end_matches("kB").trim().parse().unwrap()
}

/// How long nothing else is done.
fn held_up(slots: u64) {
    let folder = tempfile::tempdir().unwrap();
    let header = Header { from_swapon: true, ..Header::default() };
    let rotation = Rotation { size: Some(1 << 40), ..Rotation::default() };
    let mut series = Series::new(&folder.path().join("t.vswap"), rotation).unwrap();
    let sink = Sink::new(series.next_file().unwrap().1, Sync::None).unwrap();
    let options = Options { key_every: None, sync: Sync::None };
    let mut recorder = Recorder::new(sink, &header, options, Some(series)).unwrap();
    let mut records = stored(slots);
    loop {
        let batch: Vec<Record> = records.by_ref().take(65_536).collect();
        if batch.is_empty() {
            break;
        }
        recorder.take(&[], &batch).unwrap();
    }
    let collector = recorder.collector().unwrap();
    let begin = (Instant::now(), cpu());
    let mut writer =
        TraceWriter::new(File::create(folder.path().join("key.vswap")).unwrap(), &header).unwrap();
    writer.key_frame(&collector.key_state(), collector.key_slots()).unwrap();
    let (frame, bytes) = (since(begin), writer.bytes());
    let next = (Instant::now(), cpu());
    recorder.rotate(&Trailer::default(), ClockPair::default()).unwrap();
    println!(
        "record: {:.0} M slots in use: a key frame takes {frame} and {:.1} MB, the next file {}; both fill {:.0} % of the \
         backlog at 300000 records/s; {} MB of memory at most",
        slots as f64 / f64::from(1 << 20),
        bytes as f64 / 1e6,
        since(next),
        begin.0.elapsed().as_secs_f64() * 300_000.0 / BACKLOG as f64 * 100.0,
        most_memory() >> 10
    );
}

fn main() {
    // `cargo bench -- FILTER` runs every bench with the filter; this one has one name.
    let filter = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    if filter.is_none_or(|f| "record".contains(&f)) {
        paced(setting("VSWAP_BENCH_RATE", 300_000), setting("VSWAP_BENCH_SECONDS", 10));
        unpaced();
        held_up(4 << 20);
        held_up(16 << 20);
    }
}

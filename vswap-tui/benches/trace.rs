//! Trace file: bytes per event, and how fast records become a file and a file becomes events.
//!
//! The records mimic what the hooks send for a host that swaps with zswap, on 4 CPUs: reclaim in runs of up to 32
//! folios (alloc, charge, store or write, removal from the cache), faults that load and free, zswap writeback,
//! completions on any CPU; one folio in eight is large. Sizes, latencies and distances are drawn at random, so
//! that the columns cannot shrink to nothing.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::collections::VecDeque;
use std::hint::black_box;
use vswap_common::{Entry, Kind, Record, flags};
use vswap_tui::decode::decode;
use vswap_tui::meta::{Header, Trailer};
use vswap_tui::trace::columns::Decoder;
use vswap_tui::trace::format::{BLOCK_HEADER_LEN, BlockHeader, PREAMBLE_LEN, block_type};
use vswap_tui::trace::{Item, TraceReader, TraceWriter};

const RECORDS: usize = 1 << 20;
const CPUS: usize = 4;

/// splitmix64: good enough to look random to a compressor.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    /// Around `mean`, with the long tail that latencies have.
    fn tailed(&mut self, mean: u64) -> u64 {
        let spread = self.below(mean) + self.below(mean);
        if self.below(50) == 0 { spread * 8 } else { spread / 2 + mean / 2 }
    }
}

struct Slot {
    off: u64,
    order: u8,
    memcg: u16,
    len: i32,
}

struct Cpu {
    ts: u64,
    seq: u32,
    tid: u32,
    next_off: u64,
    stored: VecDeque<Slot>,
    written: VecDeque<Slot>,
}

struct Load {
    random: Random,
    cpus: Vec<Cpu>,
    out: Vec<Record>,
}

impl Load {
    fn emit(&mut self, cpu: usize, kind: Kind, s: &Slot, change: impl FnOnce(&mut Record)) {
        let step = 150 + self.random.tailed(350);
        let c = &mut self.cpus[cpu];
        c.ts += step;
        c.seq = c.seq.wrapping_add(1);
        let mut r = Record {
            ts: c.ts,
            entry: Entry::new(1, s.off).0,
            seq: c.seq,
            tid: c.tid,
            nr: 1 << s.order,
            cpu: cpu as u16,
            kind: kind as u8,
            order: s.order,
            flags: flags::WORDS,
            ..Record::default()
        };
        change(&mut r);
        self.out.push(r);
    }

    fn reclaim(&mut self, cpu: usize) {
        let memcg = 40 + self.random.below(6) as u16;
        self.cpus[cpu].tid = if self.random.below(3) == 0 { 88 } else { 2000 + self.random.below(24) as u32 };
        let mut queued = Vec::new();
        for _ in 0..1 + self.random.below(32) {
            let order = if self.random.below(8) == 0 { 4 } else { 0 };
            let nr = 1 << order;
            let next = &mut self.cpus[cpu].next_off;
            if *next % 512 + nr > 512 || next.is_multiple_of(512) {
                *next = self.random.below(8192) * 512;
            }
            let off = next.next_multiple_of(nr);
            *next = off + nr;
            let mut s = Slot { off, order, memcg, len: 0 };
            self.emit(cpu, Kind::Alloc, &s, |_| ());
            self.emit(cpu, Kind::Charge, &s, |r| {
                r.memcg = memcg;
                r.flags |= flags::MEMCG;
            });
            let took = self.random.tailed(4000);
            match self.random.below(10) {
                0 => self.emit(cpu, Kind::Zero, &s, |r| {
                    r.arg = took;
                    r.flags |= flags::ZERO;
                }),
                1 | 2 => {
                    self.emit(cpu, Kind::ZswapReject, &s, |r| r.arg = took);
                    self.emit(cpu, Kind::Write, &s, |_| ());
                    queued.push(s);
                    continue;
                }
                _ => {
                    for page in 0..nr {
                        let len = 300 + self.random.tailed(1100).min(3700) as i32;
                        s.len = len;
                        if order > 0 {
                            let page = Slot { off: off + page, order: 0, memcg, len };
                            self.emit(cpu, Kind::ZswapPage, &page, |r| r.val = len);
                        }
                    }
                    let len = if order == 0 { s.len } else { 0 };
                    self.emit(cpu, Kind::ZswapStore, &s, |r| {
                        r.arg = took * nr;
                        r.val = len;
                    });
                }
            }
            self.emit(cpu, Kind::CacheDel, &s, |r| r.flags |= flags::SWAPOUT);
            self.cpus[cpu].stored.push_back(s);
        }
        let on = self.random.below(CPUS as u64) as usize;
        for s in queued {
            self.emit(on, Kind::WriteEnd, &s, |r| r.tid = 0);
            self.emit(cpu, Kind::CacheDel, &s, |r| r.flags |= flags::SWAPOUT);
            self.cpus[cpu].written.push_back(s);
        }
    }

    fn fault(&mut self, cpu: usize) {
        self.cpus[cpu].tid = 2000 + self.random.below(24) as u32;
        for _ in 0..1 + self.random.below(8) {
            let from = self.random.below(CPUS as u64) as usize;
            let n = self.cpus[from].stored.len() as u64;
            if n < 2000 {
                return;
            }
            let at = self.random.below(n) as usize;
            let Some(s) = self.cpus[from].stored.swap_remove_back(at) else { return };
            let (took, len) = (self.random.tailed(2500), s.len);
            self.emit(cpu, Kind::CacheAdd, &s, |r| {
                r.memcg = s.memcg;
                r.flags |= flags::MEMCG;
            });
            if s.order == 0 {
                self.emit(cpu, Kind::ZswapFree, &s, |r| {
                    r.val = len;
                    r.flags |= flags::IN_LOAD;
                });
            }
            self.emit(cpu, Kind::LoadZswap, &s, |r| r.arg = took);
            self.emit(cpu, Kind::CacheDel, &s, |_| ());
            self.emit(cpu, Kind::Free, &s, |_| ());
        }
    }

    fn writeback(&mut self, cpu: usize) {
        self.cpus[cpu].tid = 301;
        for _ in 0..1 + self.random.below(16) {
            let Some(s) = self.cpus[cpu].stored.pop_front() else { return };
            let len = s.len;
            self.emit(cpu, Kind::CacheAdd, &s, |_| ());
            self.emit(cpu, Kind::ZswapFree, &s, |r| r.val = len);
            self.emit(cpu, Kind::Write, &s, |r| r.flags |= flags::WRITEBACK);
            self.emit(cpu, Kind::WriteEnd, &s, |r| r.tid = 0);
            self.emit(cpu, Kind::CacheDel, &s, |r| r.flags |= flags::SWAPOUT);
            self.cpus[cpu].written.push_back(s);
        }
    }

    fn read_back(&mut self, cpu: usize) {
        for _ in 0..1 + self.random.below(8) {
            let Some(s) = self.cpus[cpu].written.pop_front() else { return };
            let took = self.random.tailed(900);
            self.emit(cpu, Kind::CacheAdd, &s, |r| {
                r.memcg = s.memcg;
                r.flags |= flags::MEMCG;
            });
            self.emit(cpu, Kind::LoadPhys, &s, |r| r.arg = took);
            self.emit(cpu, Kind::ReadEnd, &s, |r| r.tid = 0);
            self.emit(cpu, Kind::CacheDel, &s, |_| ());
            self.emit(cpu, Kind::Free, &s, |_| ());
        }
    }
}

/// In the order of time, as one ring buffer has them.
fn records() -> Vec<Record> {
    let cpu = |i: usize| Cpu {
        ts: 1_000_000_000 + i as u64 * 77,
        seq: i as u32 * 1000,
        tid: 0,
        next_off: i as u64 * 512 * 1000,
        stored: VecDeque::new(),
        written: VecDeque::new(),
    };
    let mut load = Load { random: Random(1), cpus: (0..CPUS).map(cpu).collect(), out: Vec::new() };
    while load.out.len() < RECORDS {
        // The CPU that is behind acts next, so that all of them advance together.
        let at = (0..CPUS).min_by_key(|i| load.cpus[*i].ts).unwrap();
        match load.random.below(8) {
            0..3 => load.reclaim(at),
            3..6 => load.fault(at),
            6 => load.writeback(at),
            _ => load.read_back(at),
        }
    }
    load.out.sort_by_key(|r| r.ts);
    load.out.truncate(RECORDS);
    load.out
}

fn write(records: &[Record]) -> Vec<u8> {
    let mut w = TraceWriter::new(Vec::with_capacity(8 << 20), &Header::default()).unwrap();
    for r in records {
        w.push(r).unwrap();
    }
    w.finish(&Trailer::default()).unwrap()
}

fn read(bytes: &[u8]) -> usize {
    let mut reader = TraceReader::new(bytes).unwrap();
    let mut events = Vec::new();
    let mut n = 0;
    loop {
        events.clear();
        let item = reader.next_with(&mut events, |r| decode(r).ok()).unwrap();
        n += black_box(&events).len();
        if let Item::End(_) = item {
            return n;
        }
    }
}

/// Payload and header of one block in the middle.
fn block(bytes: &[u8]) -> (BlockHeader, &[u8]) {
    let mut at = PREAMBLE_LEN;
    loop {
        let h = BlockHeader::decode(bytes[at..].first_chunk().unwrap()).unwrap();
        let payload = &bytes[at + BLOCK_HEADER_LEN..at + h.block_len()];
        if h.kind == block_type::RECORDS && h.number > 8 {
            return (h, payload);
        }
        at += h.block_len();
    }
}

fn trace(c: &mut Criterion) {
    let records = records();
    let bytes = write(&records);
    assert_eq!(read(&bytes), RECORDS, "every record must come back as an event");
    println!(
        "trace: {:.3} bytes per event ({} events, {} bytes)",
        bytes.len() as f64 / RECORDS as f64,
        RECORDS,
        bytes.len()
    );

    let mut group = c.benchmark_group("trace");
    group.sample_size(20);
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("write", |b| b.iter(|| write(black_box(&records))));
    group.bench_function("read_decode", |b| b.iter(|| read(black_box(&bytes))));
    let (h, payload) = block(&bytes);
    group.throughput(Throughput::Elements(u64::from(h.count)));
    group.bench_function("decode_block", |b| {
        b.iter_batched_ref(
            || Decoder::new().unwrap(),
            |decoder| {
                let mut sum = 0u64;
                decoder
                    .decode(black_box(payload), h.count, h.raw_len, |r| sum = sum.wrapping_add(r.ts))
                    .unwrap();
                sum
            },
            BatchSize::NumIterations(64),
        );
    });
    group.finish();
}

criterion_group!(benches, trace);
criterion_main!(benches);

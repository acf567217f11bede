//! Records to columns.

use super::{
    ARG, COLUMNS, CPU, CPU_DIFFERS, ENTRY, FLAGS, FLAGS_DIFFER, KIND, LOST, LOST_DIFFERS, Lanes, MASK0,
    MASK1, MEMCG, MEMCG_DIFFERS, NR, ORDER, RUN_DIFFERS, SEQ, SEQ_DIFFERS, TID, TID_DIFFERS, TS, VAL,
};
use std::io;
use vswap_common::Record;

/// Collects the records of one block.
pub struct Encoder {
    columns: [Vec<u8>; COLUMNS],
    lanes: Lanes,
    zstd: zstd::bulk::Compressor<'static>,
    scratch: Vec<u8>,
    count: u32,
    first_ts: u64,
    last_ts: u64,
}

impl Encoder {
    /// An encoder with this zstd level.
    ///
    /// # Errors
    /// If zstd has no memory.
    pub fn new(level: i32) -> io::Result<Self> {
        Ok(Self {
            columns: std::array::from_fn(|_| Vec::new()),
            lanes: Lanes::new(),
            zstd: zstd::bulk::Compressor::new(level)?,
            scratch: Vec::new(),
            count: 0,
            first_ts: u64::MAX,
            last_ts: 0,
        })
    }

    /// Records collected so far.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Smallest and largest time stamp collected; 0 and 0 without records.
    pub fn span(&self) -> (u64, u64) {
        if self.count == 0 { (0, 0) } else { (self.first_ts, self.last_ts) }
    }

    fn put16(&mut self, at: usize, v: u16) {
        let [a, b] = v.to_le_bytes();
        self.columns[at].push(a);
        self.columns[at + 1].push(b);
    }

    fn put32(&mut self, at: usize, v: u32) {
        self.put16(at, v as u16);
        self.columns[at + 2].extend_from_slice(&((v >> 16) as u16).to_le_bytes());
    }

    fn put64(&mut self, at: usize, v: u64) {
        self.put32(at, v as u32);
        self.columns[at + 3].extend_from_slice(&((v >> 32) as u32).to_le_bytes());
    }

    /// Adds a record. The caller closes the block at [`MAX_RECORDS`] at the latest.
    pub fn push(&mut self, r: &Record) {
        self.first_ts = self.first_ts.min(r.ts);
        self.last_ts = self.last_ts.max(r.ts);
        self.count += 1;

        let mut mask0 = 0;
        let mut mask1 = 0;
        if r.cpu != self.lanes.cpu {
            mask0 |= CPU_DIFFERS;
            self.put16(CPU, r.cpu);
        }
        let delta = r.ts.wrapping_sub(self.lanes.ts);
        self.lanes.ts = r.ts;
        self.lanes.cpu = r.cpu;
        let (lane, kind) = self.lanes.at(r.cpu, r.kind);
        let (was, like) = (*lane, *kind);
        lane.learn(r);
        kind.learn(r);

        if let Ok(d) = u16::try_from(delta) {
            self.put16(TS, d);
        } else if let Ok(d) = i32::try_from(delta as i64) {
            mask0 |= 1;
            self.put32(TS, d as u32);
        } else {
            mask0 |= 2;
            self.put64(TS, delta);
        }
        let step = r.entry.wrapping_sub(like.next) as i64;
        if r.entry == was.entry {
        } else if step == 0 {
            mask0 |= 1 << 2;
        } else if let Ok(d) = i16::try_from(step) {
            mask0 |= 2 << 2;
            self.put16(ENTRY, d as u16);
        } else if let Ok(d) = i32::try_from(step) {
            mask0 |= 3 << 2;
            self.put32(ENTRY, d as u32);
        } else {
            mask0 |= 4 << 2;
            self.put64(ENTRY, step as u64);
        }
        if r.arg == 0 {
        } else if let Ok(v) = u16::try_from(r.arg) {
            mask0 |= 1 << 5;
            self.put16(ARG, v);
        } else if let Ok(v) = u32::try_from(r.arg) {
            mask0 |= 2 << 5;
            self.put32(ARG, v);
        } else {
            mask0 |= 3 << 5;
            self.put64(ARG, r.arg);
        }
        if r.val == 0 {
        } else if r.val == like.val {
            mask1 |= 1;
        } else if let Ok(v) = u16::try_from(r.val) {
            mask1 |= 2;
            self.put16(VAL, v);
        } else {
            mask1 |= 3;
            self.put32(VAL, r.val as u32);
        }
        if r.seq != was.seq.wrapping_add(1) {
            mask1 |= SEQ_DIFFERS;
            self.put32(SEQ, r.seq);
        }
        if r.tid != was.tid {
            mask1 |= TID_DIFFERS;
            self.put32(TID, r.tid);
        }
        if r.memcg != like.memcg {
            mask1 |= MEMCG_DIFFERS;
            self.put16(MEMCG, r.memcg);
        }
        if r.lost != was.lost {
            mask1 |= LOST_DIFFERS;
            self.put16(LOST, r.lost);
        }
        if r.flags != like.flags {
            mask1 |= FLAGS_DIFFER;
            self.put16(FLAGS, r.flags);
        }
        if (r.nr, r.order) != (like.nr, like.order) {
            mask1 |= RUN_DIFFERS;
            self.put16(NR, r.nr);
            self.columns[ORDER].push(r.order);
        }
        self.columns[KIND].push(r.kind);
        self.columns[MASK0].push(mask0);
        self.columns[MASK1].push(mask1);
    }

    /// Appends the payload to `out`, returns its raw length and begins the next block.
    ///
    /// # Errors
    /// If zstd fails (no memory).
    pub fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<u32> {
        let bitmap =
            self.columns.iter().enumerate().fold(0u64, |m, (i, c)| m | (u64::from(!c.is_empty()) << i));
        out.extend_from_slice(&bitmap.to_le_bytes());
        let mut directory = out.len();
        out.resize(directory + 8 * bitmap.count_ones() as usize, 0);
        let mut raw_len = 0;
        for column in self.columns.iter().filter(|c| !c.is_empty()) {
            self.scratch.resize(zstd::zstd_safe::compress_bound(column.len()), 0);
            let packed = self.zstd.compress_to_buffer(column, &mut self.scratch[..])?;
            let stored = if packed < column.len() { &self.scratch[..packed] } else { &column[..] };
            out[directory..directory + 4].copy_from_slice(&(column.len() as u32).to_le_bytes());
            out[directory + 4..directory + 8].copy_from_slice(&(stored.len() as u32).to_le_bytes());
            directory += 8;
            raw_len += column.len() as u32;
            out.extend_from_slice(stored);
        }
        self.columns.iter_mut().for_each(Vec::clear);
        self.lanes.reset();
        self.count = 0;
        self.first_ts = u64::MAX;
        self.last_ts = 0;
        Ok(raw_len)
    }
}

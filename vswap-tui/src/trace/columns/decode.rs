//! Columns to records: total on any bytes.

use super::{
    ARG, COLUMNS, CPU, CPU_DIFFERS, ENTRY, FLAGS, FLAGS_DIFFER, KIND, LOST, LOST_DIFFERS, Lanes, MASK0,
    MASK1, MEMCG, MEMCG_DIFFERS, NR, ORDER, RUN_DIFFERS, SEQ, SEQ_DIFFERS, TID, TID_DIFFERS, TS, VAL, WIDTH,
};
use crate::trace::format::{MAX_RECORDS, u32_at, u64_at};
use std::io;
use thiserror::Error;
use vswap_common::Record;

/// A payload whose checksum holds but that no writer of this version makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ColumnFault {
    /// Lengths that contradict each other or the block header.
    #[error("column lengths contradict the block header")]
    Lengths,
    /// A zstd frame that does not give the promised bytes.
    #[error("a column does not decompress to its length")]
    Zstd,
    /// More or fewer values than the records need.
    #[error("columns do not hold exactly the records of the block")]
    Values,
}

/// Decodes payloads; keeps its buffers between blocks.
pub struct Decoder {
    lanes: Lanes,
    zstd: zstd::bulk::Decompressor<'static>,
    raw: Vec<u8>,
}

/// What is left of a column. Reading past the end gives zeroes and is noticed at the end of the block, so that
/// the loop over the records carries no error branch for each value.
#[derive(Clone, Copy, Default)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    #[inline(always)]
    fn u8(&mut self) -> u8 {
        let v = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        v
    }

    #[inline(always)]
    fn chunk<const N: usize>(&mut self) -> [u8; N] {
        let v = self.bytes.get(self.at..self.at + N).and_then(|s| s.first_chunk()).copied().unwrap_or([0; N]);
        self.at += N;
        v
    }
}

#[inline(always)]
fn get16(c: &mut [Cursor<'_>; COLUMNS], at: usize) -> u16 {
    u16::from_le_bytes([c[at].u8(), c[at + 1].u8()])
}

#[inline(always)]
fn get32(c: &mut [Cursor<'_>; COLUMNS], at: usize) -> u32 {
    u32::from(get16(c, at)) | u32::from(u16::from_le_bytes(c[at + 2].chunk())) << 16
}

#[inline(always)]
fn get64(c: &mut [Cursor<'_>; COLUMNS], at: usize) -> u64 {
    u64::from(get32(c, at)) | u64::from(u32::from_le_bytes(c[at + 3].chunk())) << 32
}

impl Decoder {
    /// A decoder.
    ///
    /// # Errors
    /// If zstd has no memory.
    pub fn new() -> io::Result<Self> {
        Ok(Self { lanes: Lanes::new(), zstd: zstd::bulk::Decompressor::new()?, raw: Vec::new() })
    }

    /// Hands the `count` records of a payload to `each`, in order. What was handed out before an error must be
    /// dropped by the caller.
    ///
    /// # Errors
    /// See [`ColumnFault`].
    pub fn decode(
        &mut self,
        payload: &[u8],
        count: u32,
        raw_len: u32,
        mut each: impl FnMut(&Record),
    ) -> Result<(), ColumnFault> {
        let lanes = &mut self.lanes;
        let mut columns = unpack(&mut self.zstd, &mut self.raw, payload, count, raw_len)?;
        lanes.reset();
        for _ in 0..count {
            let r = next_record(&mut columns, lanes).ok_or(ColumnFault::Values)?;
            each(&r);
        }
        if columns.iter().any(|c| c.at != c.bytes.len()) {
            return Err(ColumnFault::Values);
        }
        Ok(())
    }
}

/// Decompresses the columns into `space`. All lengths are checked before memory is taken.
fn unpack<'a>(
    zstd: &mut zstd::bulk::Decompressor<'static>,
    space: &'a mut Vec<u8>,
    payload: &[u8],
    count: u32,
    raw_len: u32,
) -> Result<[Cursor<'a>; COLUMNS], ColumnFault> {
    let bitmap = u64_at(payload, 0);
    let directory = 8 + 8 * bitmap.count_ones() as usize;
    if bitmap >> COLUMNS != 0 || count > MAX_RECORDS || payload.len() < directory {
        return Err(ColumnFault::Lengths);
    }
    let present = (0..COLUMNS).filter(|i| bitmap >> i & 1 != 0);
    let lengths = |n: usize| (u32_at(payload, 8 + 8 * n) as usize, u32_at(payload, 12 + 8 * n) as usize);
    let mut sum = 0;
    for (n, i) in present.clone().enumerate() {
        let (raw, _) = lengths(n);
        if raw > count as usize * usize::from(WIDTH[i]) {
            return Err(ColumnFault::Lengths);
        }
        sum += raw;
    }
    if sum != raw_len as usize {
        return Err(ColumnFault::Lengths);
    }
    if space.len() < sum {
        space.resize(sum, 0);
    }
    let mut columns = [Cursor::default(); COLUMNS];
    let mut stored_bytes = &payload[directory..];
    let mut space = &mut space[..sum];
    for (n, i) in present.enumerate() {
        let (raw, stored) = lengths(n);
        let (from, rest) = stored_bytes.split_at_checked(stored).ok_or(ColumnFault::Lengths)?;
        stored_bytes = rest;
        let (to, rest) = space.split_at_mut_checked(raw).ok_or(ColumnFault::Lengths)?;
        space = rest;
        if stored == raw {
            to.copy_from_slice(from);
        } else if zstd.decompress_to_buffer(from, to).ok() != Some(raw) {
            return Err(ColumnFault::Zstd);
        }
        columns[i].bytes = to;
    }
    if stored_bytes.is_empty() { Ok(columns) } else { Err(ColumnFault::Lengths) }
}

/// The mirror image of [`Encoder::push`]; `None` for a class that does not exist.
#[inline(always)]
fn next_record(c: &mut [Cursor<'_>; COLUMNS], lanes: &mut Lanes) -> Option<Record> {
    let mut r = Record { kind: c[KIND].u8(), ..Record::default() };
    let mask0 = c[MASK0].u8();
    let mask1 = c[MASK1].u8();
    r.cpu = if mask0 & CPU_DIFFERS != 0 { get16(c, CPU) } else { lanes.cpu };
    let delta = match mask0 & 3 {
        0 => u64::from(get16(c, TS)),
        1 => i64::from(get32(c, TS) as i32) as u64,
        2 => get64(c, TS),
        _ => return None,
    };
    r.ts = lanes.ts.wrapping_add(delta);
    lanes.ts = r.ts;
    lanes.cpu = r.cpu;
    let (lane, kind) = lanes.at(r.cpu, r.kind);
    r.entry = match mask0 >> 2 & 7 {
        0 => lane.entry,
        1 => kind.next,
        2 => kind.next.wrapping_add(i64::from(get16(c, ENTRY) as i16) as u64),
        3 => kind.next.wrapping_add(i64::from(get32(c, ENTRY) as i32) as u64),
        4 => kind.next.wrapping_add(get64(c, ENTRY)),
        _ => return None,
    };
    r.arg = match mask0 >> 5 & 3 {
        0 => 0,
        1 => u64::from(get16(c, ARG)),
        2 => u64::from(get32(c, ARG)),
        _ => get64(c, ARG),
    };
    r.val = match mask1 & 3 {
        0 => 0,
        1 => kind.val,
        2 => i32::from(get16(c, VAL)),
        _ => get32(c, VAL) as i32,
    };
    r.seq = if mask1 & SEQ_DIFFERS != 0 { get32(c, SEQ) } else { lane.seq.wrapping_add(1) };
    r.tid = if mask1 & TID_DIFFERS != 0 { get32(c, TID) } else { lane.tid };
    r.memcg = if mask1 & MEMCG_DIFFERS != 0 { get16(c, MEMCG) } else { kind.memcg };
    r.lost = if mask1 & LOST_DIFFERS != 0 { get16(c, LOST) } else { lane.lost };
    r.flags = if mask1 & FLAGS_DIFFER != 0 { get16(c, FLAGS) } else { kind.flags };
    (r.nr, r.order) =
        if mask1 & RUN_DIFFERS != 0 { (get16(c, NR), c[ORDER].u8()) } else { (kind.nr, kind.order) };
    lane.learn(&r);
    kind.learn(&r);
    Some(r)
}

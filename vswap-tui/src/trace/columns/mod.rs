//! Records as columns: the payload of a RECORDS block with encoding 2.
//!
//! Consecutive records of one CPU tell one story (allocate, charge, write out, store), and the same step of the
//! next story differs little from the last. So each field is predicted from the last record of the same CPU and
//! from the last record of the same CPU and kind; three bytes per record say which fields differ, and the
//! differing values go to byte columns that are compressed one by one.
//!
//! Payload: a u64 bitmap of the columns that are not empty, then for each of those a u32 raw and a u32 stored
//! length, then their bytes in the same order. Stored = raw means plain, stored < raw one zstd frame. The raw
//! lengths add up to the block's raw length. The columns by number:
//!
//! | column | per record | meaning |
//! |---|---|---|
//! | 0 | 1 byte | kind |
//! | 1 | 1 byte | bits 0-1 time class, 2-4 entry class, 5-6 arg class, 7 CPU differs from the record before |
//! | 2 | 1 byte | bits 0-1 val class, then "differs" for 2 seq, 3 tid, 4 memcg, 5 lost, 6 flags, 7 nr and order |
//! | 3-6 | time | difference to the record before: class 0 u16, 1 i32, 2 i64 |
//! | 7-10 | entry | class 0 that of the last record of this CPU; 1 the end of the last run of this CPU and kind, also called *next*; 2 *next* plus i16, 3 plus i32, 4 plus i64 |
//! | 11-14 | arg | class 0 zero, 1 u16, 2 u32, 3 u64 |
//! | 15-17 | val | class 0 zero, 1 that of the last record of this CPU and kind, 2 u16, 3 i32 |
//! | 18-20 | seq | u32, else one more than the last record of this CPU |
//! | 21-23 | tid | u32, else that of the last record of this CPU |
//! | 24-25 | cpu | u16, else that of the record before |
//! | 26-27 | memcg | u16, else that of the last record of this CPU and kind; so for the next two |
//! | 28-29 | lost | u16, but predicted from the last record of this CPU |
//! | 30-31 | flags | u16 |
//! | 32-34 | nr, order | u16 and u8 |
//!
//! The columns of a field hold its bytes 0, 1, 2-3 and 4-7; a value fills as many as its class is wide. "This
//! CPU" is the CPU modulo 256 and "kind" the kind modulo 32: collisions cost bytes, not truth. All predictions
//! start at zero in every block, and all sums wrap.

mod decode;
mod encode;

pub use decode::{ColumnFault, Decoder};
pub use encode::Encoder;

use vswap_common::Record;

const KIND: usize = 0;
const MASK0: usize = 1;
const MASK1: usize = 2;
const TS: usize = 3;
const ENTRY: usize = 7;
const ARG: usize = 11;
const VAL: usize = 15;
const SEQ: usize = 18;
const TID: usize = 21;
const CPU: usize = 24;
const MEMCG: usize = 26;
const LOST: usize = 28;
const FLAGS: usize = 30;
const NR: usize = 32;
const ORDER: usize = 34;
const COLUMNS: usize = 35;

/// Bytes one record may add to each column.
const WIDTH: [u8; COLUMNS] =
    [1, 1, 1, 1, 1, 2, 4, 1, 1, 2, 4, 1, 1, 2, 4, 1, 1, 2, 1, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];

/// Largest directory: bitmap and two lengths for each column.
pub const MAX_DIRECTORY: usize = 8 + 8 * COLUMNS;

const SEQ_DIFFERS: u8 = 1 << 2;
const TID_DIFFERS: u8 = 1 << 3;
const MEMCG_DIFFERS: u8 = 1 << 4;
const LOST_DIFFERS: u8 = 1 << 5;
const FLAGS_DIFFER: u8 = 1 << 6;
const RUN_DIFFERS: u8 = 1 << 7;
const CPU_DIFFERS: u8 = 1 << 7;

/// Last record of a CPU.
#[derive(Clone, Copy, Default)]
struct Lane {
    entry: u64,
    seq: u32,
    tid: u32,
    lost: u16,
}

/// Last record of a CPU and kind.
#[derive(Clone, Copy, Default)]
struct KindLane {
    next: u64,
    val: i32,
    memcg: u16,
    flags: u16,
    nr: u16,
    order: u8,
}

/// All predictions; the same steps on both sides keep them equal.
struct Lanes {
    cpus: Box<[Lane; 256]>,
    kinds: Box<[[KindLane; 32]; 256]>,
    ts: u64,
    cpu: u16,
}

impl Lanes {
    fn new() -> Self {
        Self {
            cpus: Box::new([Lane::default(); 256]),
            kinds: Box::new([[KindLane::default(); 32]; 256]),
            ts: 0,
            cpu: 0,
        }
    }

    fn reset(&mut self) {
        self.cpus.fill(Lane::default());
        self.kinds.fill([KindLane::default(); 32]);
        self.ts = 0;
        self.cpu = 0;
    }

    fn at(&mut self, cpu: u16, kind: u8) -> (&mut Lane, &mut KindLane) {
        let c = usize::from(cpu as u8);
        (&mut self.cpus[c], &mut self.kinds[c][usize::from(kind & 31)])
    }
}

impl Lane {
    fn learn(&mut self, r: &Record) {
        *self = Self { entry: r.entry, seq: r.seq, tid: r.tid, lost: r.lost };
    }
}

impl KindLane {
    fn learn(&mut self, r: &Record) {
        *self = Self {
            next: r.entry.wrapping_add(u64::from(r.nr)),
            val: r.val,
            memcg: r.memcg,
            flags: r.flags,
            nr: r.nr,
            order: r.order,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(records: &[Record]) -> Vec<Record> {
        let mut encoder = Encoder::new(1).unwrap();
        let mut payload = Vec::new();
        let mut back = Vec::new();
        // Twice through the same encoder: the second block must not depend on the first.
        for _ in 0..2 {
            payload.clear();
            back.clear();
            records.iter().for_each(|r| encoder.push(r));
            let raw_len = encoder.finish(&mut payload).unwrap();
            let mut decoder = Decoder::new().unwrap();
            decoder.decode(&payload, records.len() as u32, raw_len, |r| back.push(*r)).unwrap();
        }
        back
    }

    fn record() -> impl Strategy<Value = Record> {
        // Small values make predictions come true, wild ones use every class.
        let near = (0..3u64, 0..4u64, 0..2u64, 0..3u32, -2..3i32, 0..2u32, 0..3u16, 0..2u16, 0..25u8, 0..2u8);
        let near = near.prop_map(|(ts, entry, arg, seq, val, tid, nr, cpu, kind, order)| Record {
            ts,
            entry,
            arg,
            seq,
            val,
            tid,
            nr,
            memcg: nr,
            cpu,
            lost: 0,
            flags: cpu,
            kind,
            order,
        });
        let wild = any::<[u8; 48]>().prop_map(|b| Record::from_bytes(&b));
        prop_oneof![3 => near, 1 => wild]
    }

    proptest! {
        #[test]
        fn any_records_come_back(records in prop::collection::vec(record(), 0..200)) {
            prop_assert_eq!(round_trip(&records), records);
        }

        #[test]
        fn any_bytes_are_refused_or_give_the_promised_number(bytes in prop::collection::vec(any::<u8>(), 0..400), count in 0..300u32, raw in 0..2000u32) {
            let mut n = 0;
            if Decoder::new().unwrap().decode(&bytes, count, raw, |_| n += 1).is_ok() {
                prop_assert_eq!(n, count);
            }
        }

        #[test]
        fn a_changed_payload_never_panics(records in prop::collection::vec(record(), 1..40), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut encoder = Encoder::new(1).unwrap();
            let mut payload = Vec::new();
            records.iter().for_each(|r| encoder.push(r));
            let raw_len = encoder.finish(&mut payload).unwrap();
            let i = at.index(payload.len());
            payload[i] = byte;
            let mut n = 0;
            if Decoder::new().unwrap().decode(&payload, records.len() as u32, raw_len, |_| n += 1).is_ok() {
                prop_assert_eq!(n, records.len());
            }
        }
    }

    #[test]
    fn widths_add_up_below_the_block_limit() {
        let widest: u32 = WIDTH.iter().map(|w| u32::from(*w)).sum();
        assert!(widest * crate::trace::format::MAX_RECORDS <= crate::trace::format::MAX_RAW);
    }

    #[test]
    fn a_missing_and_a_surplus_record_are_noticed() {
        let records = [Record { ts: 70_000, kind: 2, nr: 1, ..Record::default() }; 8];
        let mut encoder = Encoder::new(1).unwrap();
        let mut payload = Vec::new();
        records.iter().for_each(|r| encoder.push(r));
        let raw_len = encoder.finish(&mut payload).unwrap();
        for count in [7, 9] {
            assert!(Decoder::new().unwrap().decode(&payload, count, raw_len, |_| ()).is_err(), "{count}");
        }
    }
}

//! Things that take time: percentiles, how they are spread, how they change, and which samples were the worst. All of
//! fixed size.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Things that take time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(usize)]
pub enum LatencyKind {
    /// Swap-in of a zero-filled folio.
    LoadZero = 0,
    /// Swap-in from zswap.
    LoadZswap = 1,
    /// Swap-in from the device, until the read completed.
    LoadPhys = 2,
    /// Store of a whole folio into zswap.
    StoreZswap = 3,
    /// Physical write, queued to completed.
    WritePhys = 4,
    /// Time a page spent in zswap, resolution 1 ms.
    InZswap = 5,
}

impl LatencyKind {
    /// All kinds in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::LoadZero, Self::LoadZswap, Self::LoadPhys, Self::StoreZswap, Self::WritePhys, Self::InZswap];

    /// Key in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoadZero => "load_zero",
            Self::LoadZswap => "load_zswap",
            Self::LoadPhys => "load_phys",
            Self::StoreZswap => "store_zswap",
            Self::WritePhys => "write_phys",
            Self::InZswap => "in_zswap",
        }
    }
}

/// Percentiles of one kind, nanoseconds. Values are within 1 % (two significant digits of the histogram).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// Largest.
    pub max: u64,
    /// Samples.
    pub count: u64,
}

/// Two buckets to each doubling, over all of a `u64`.
pub const BUCKETS: usize = 128;
/// Worst samples kept of each kind.
pub const WORST: usize = 8;
/// Kinds of latencies.
pub const KINDS: usize = LatencyKind::ALL.len();

/// Bucket of a duration: twice the binary logarithm, plus one in the upper half of the doubling.
pub const fn bucket(ns: u64) -> usize {
    if ns < 2 {
        return ns as usize;
    }
    let log = ns.ilog2();
    (2 * log + ((ns >> (log - 1)) & 1) as u32) as usize
}

/// Smallest duration of a bucket.
pub const fn bucket_start(bucket: usize) -> u64 {
    match bucket {
        0 | 1 => bucket as u64,
        b => {
            let base = 1u64 << (b / 2);
            base + if b % 2 == 1 { base / 2 } else { 0 }
        }
    }
}

/// Percentiles of one interval of the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatencyPoint {
    /// End of the interval.
    pub ts: u64,
    /// Median by kind; 0 without samples.
    pub p50: [u64; KINDS],
    /// 99th percentile by kind.
    pub p99: [u64; KINDS],
    /// Samples by kind.
    pub count: [u64; KINDS],
}

/// One of the worst samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offender {
    /// What took so long.
    pub kind: LatencyKind,
    /// How long.
    pub ns: u64,
    /// When it was over.
    pub ts: u64,
    /// Device number.
    pub dev: u8,
    /// First slot.
    pub off: u64,
    /// Slots.
    pub nr: u16,
    /// Owner of the first slot then, 0 if not known.
    pub memcg: u16,
    /// Thread of the record; arbitrary for what ends in an interrupt.
    pub tid: u32,
    /// CPU of the record.
    pub cpu: u16,
}

/// Everything the latency view shows beside the percentiles.
#[derive(Clone, Debug)]
pub struct LatencyDetail {
    /// Samples by kind and [`bucket`].
    pub buckets: Box<[[u64; BUCKETS]; KINDS]>,
    /// Oldest first.
    pub points: Arc<Vec<LatencyPoint>>,
    /// Worst first, at most [`WORST`] of a kind, by kind.
    pub worst: Vec<Offender>,
}

impl Default for LatencyDetail {
    fn default() -> Self {
        Self { buckets: Box::new([[0; BUCKETS]; KINDS]), points: Arc::default(), worst: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_tile_all_durations() {
        for b in 2..BUCKETS - 1 {
            let (start, next) = (bucket_start(b), bucket_start(b + 1));
            assert!(start < next, "{b}");
            assert_eq!((bucket(start), bucket(next - 1)), (b, b));
        }
        assert_eq!((bucket(0), bucket(1), bucket(2), bucket(3), bucket(u64::MAX)), (0, 1, 2, 3, BUCKETS - 1));
    }
}

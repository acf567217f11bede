//! How long things take: one bounded histogram per kind, and the I/O that is still under way.

use crate::snapshot::{LatencyKind, Percentiles};
use hdrhistogram::Histogram;
use rustc_hash::FxHashMap;
use vswap_common::Entry;

/// Digits that are kept: values are within 1 %.
const DIGITS: u8 = 2;
/// Operations longer than this count as this (one hour).
const LONGEST_NS: u64 = 3_600 * 1_000_000_000;
/// Stays longer than this count as this (400 days, more than a slot can remember).
const LONGEST_STAY_NS: u64 = 400 * 24 * LONGEST_NS;
/// Resolution of a stay: what a slot remembers of the time it entered zswap.
const STAY_RESOLUTION_NS: u64 = 1_000_000;
/// I/O that is followed at once: more than any queue holds, bounded for hostile traces.
const PENDING: usize = 65_536;

/// One histogram with its percentiles, recomputed only when asked for after a change.
struct Track {
    histogram: Histogram<u64>,
    percentiles: Percentiles,
    stale: bool,
}

impl Track {
    fn new(lowest: u64, highest: u64) -> Self {
        let histogram = Histogram::new_with_bounds(lowest, highest, DIGITS)
            .expect("constant bounds, 1 <= lowest, 2 * lowest <= highest, DIGITS <= 5");
        Self { histogram, percentiles: Percentiles::default(), stale: false }
    }

    fn percentiles(&mut self) -> Percentiles {
        if std::mem::take(&mut self.stale) {
            let h = &self.histogram;
            // The largest value equivalent to a quantile may lie above the largest seen; never show that.
            let at = |q: f64| h.value_at_quantile(q).min(h.max());
            self.percentiles = Percentiles {
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                p999: at(0.999),
                max: h.max(),
                count: h.len(),
            };
        }
        self.percentiles
    }
}

/// All kinds of latencies.
pub(super) struct Latencies {
    tracks: [Track; 6],
}

impl Latencies {
    pub(super) fn new() -> Self {
        Self {
            tracks: LatencyKind::ALL.map(|kind| match kind {
                LatencyKind::InZswap => Track::new(STAY_RESOLUTION_NS, LONGEST_STAY_NS),
                _ => Track::new(1, LONGEST_NS),
            }),
        }
    }

    /// Adds a sample; values above the range count as its end.
    #[inline]
    pub(super) fn record(&mut self, kind: LatencyKind, ns: u64) {
        let track = &mut self.tracks[kind as usize];
        track.histogram.saturating_record(ns);
        track.stale = true;
    }

    /// What was recorded: value and how often, by kind.
    pub(super) fn dump(&self) -> Vec<Vec<(u64, u64)>> {
        let bins = |t: &Track| {
            t.histogram.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())).collect()
        };
        self.tracks.iter().map(bins).collect()
    }

    /// Records what [`Latencies::dump`] gave.
    pub(super) fn restore(&mut self, dump: &[Vec<(u64, u64)>]) {
        for (track, bins) in self.tracks.iter_mut().zip(dump) {
            for (ns, count) in bins {
                track.histogram.saturating_record_n(*ns, *count);
            }
            track.stale = true;
        }
    }

    /// Percentiles by kind; costs nothing when no sample came since the last call.
    pub(super) fn percentiles(&mut self) -> [Percentiles; 6] {
        LatencyKind::ALL.map(|kind| self.tracks[kind as usize].percentiles())
    }
}

/// Reads or writes that have begun and not ended, by first slot.
pub(super) struct Pending {
    begun: FxHashMap<Entry, u64>,
    /// False when the plan says that ends are not visible: then nothing would ever leave the table.
    followed: bool,
}

impl Pending {
    pub(super) fn new(followed: bool) -> Self {
        Self { begun: FxHashMap::default(), followed }
    }

    /// Notes a beginning; false if the table is full and the sample is lost.
    #[inline]
    pub(super) fn begin(&mut self, entry: Entry, ts: u64) -> bool {
        if !self.followed {
            return true;
        }
        if self.begun.len() >= PENDING && !self.begun.contains_key(&entry) {
            return false;
        }
        self.begun.insert(entry, ts);
        true
    }

    /// Time since the beginning, if that was seen.
    #[inline]
    pub(super) fn end(&mut self, entry: Entry, ts: u64) -> Option<u64> {
        self.begun.remove(&entry).map(|begin| ts.saturating_sub(begin))
    }

    /// What is under way, by entry.
    pub(super) fn dump(&self) -> Vec<(u64, u64)> {
        let mut all: Vec<_> = self.begun.iter().map(|(entry, ts)| (entry.0, *ts)).collect();
        all.sort_unstable();
        all
    }

    /// Notes what [`Pending::dump`] gave.
    pub(super) fn restore(&mut self, dump: &[(u64, u64)]) {
        for (entry, ts) in dump.iter().take(PENDING) {
            self.begin(Entry(*entry), *ts);
        }
    }

    /// After a loss a beginning may be paired with the wrong end: forget them all.
    pub(super) fn forget(&mut self) {
        if !self.begun.is_empty() {
            self.begun.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_within_one_percent_and_nothing_exceeds_max() {
        let mut l = Latencies::new();
        for ns in 1..=10_000u64 {
            l.record(LatencyKind::LoadZswap, ns * 100);
        }
        let p = l.percentiles()[LatencyKind::LoadZswap as usize];
        for (got, want) in [(p.p50, 500_000.0), (p.p90, 900_000.0), (p.p99, 990_000.0), (p.p999, 999_000.0)] {
            assert!((got as f64 / want - 1.0).abs() <= 0.01, "{got} is not {want}");
        }
        assert!(p.max >= 1_000_000 && p.max < 1_010_000 && p.p999 <= p.max);
        assert_eq!(p.count, 10_000);
        assert_eq!(l.percentiles()[LatencyKind::LoadZero as usize], Percentiles::default());
    }

    #[test]
    fn absurd_durations_saturate() {
        let mut l = Latencies::new();
        for kind in LatencyKind::ALL {
            l.record(kind, u64::MAX);
            l.record(kind, 0);
        }
        assert!(l.percentiles().iter().all(|p| p.count == 2 && p.max >= LONGEST_NS));
    }

    #[test]
    fn pending_pairs_once_and_is_bounded() {
        let mut p = Pending::new(true);
        assert!(p.begin(Entry::new(0, 1), 100));
        assert_eq!(p.end(Entry::new(0, 1), 350), Some(250));
        assert_eq!(p.end(Entry::new(0, 1), 400), None);
        assert!((0..PENDING as u64).all(|off| p.begin(Entry::new(1, off), 1)));
        assert!(!p.begin(Entry::new(2, 0), 1), "full");
        assert!(p.begin(Entry::new(1, 0), 2), "a known one may begin again");
        p.forget();
        assert_eq!(p.end(Entry::new(1, 0), 9), None);
    }

    #[test]
    fn ends_that_nobody_reports_do_not_fill_the_table() {
        let mut p = Pending::new(false);
        assert!((0..2 * PENDING as u64).all(|off| p.begin(Entry::new(1, off), 1)));
        assert!(p.begun.is_empty());
    }
}

//! How long things take: one bounded histogram per kind, and the I/O that is still under way.

use crate::decode::Event;
use crate::snapshot::latency::{BUCKETS, KINDS, LatencyDetail, LatencyPoint, Offender, WORST, bucket};
use crate::snapshot::{LatencyKind, Percentiles};
use hdrhistogram::Histogram;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use vswap_common::Entry;

/// Digits that are kept: values are within 1 %.
const DIGITS: u8 = 2;
/// Operations longer than this count as this (one hour).
const LONGEST_NS: u64 = 3_600 * 1_000_000_000;
/// Stays longer than this count as this (400 days, more than a slot can remember).
const LONGEST_STAY_NS: u64 = 400 * 24 * LONGEST_NS;
/// Resolution of a stay: what a slot remembers of the time it entered zswap.
const STAY_RESOLUTION_NS: u64 = 1_000_000;
/// Intervals of percentiles kept, as many as of the history.
const POINTS: usize = 600;
/// I/O that is followed at once: more than any queue holds, bounded for hostile traces.
const PENDING: usize = 65_536;

/// One histogram with its percentiles, recomputed only when asked for after a change.
struct Track {
    histogram: Histogram<u64>,
    percentiles: Percentiles,
    stale: bool,
    /// Samples of the open interval.
    recent: Histogram<u64>,
    /// Duration a sample must exceed to be among the worst.
    floor: u64,
    /// Worst first.
    worst: Vec<Offender>,
}

impl Track {
    fn new(lowest: u64, highest: u64) -> Self {
        let histogram = Histogram::new_with_bounds(lowest, highest, DIGITS)
            .expect("constant bounds, 1 <= lowest, 2 * lowest <= highest, DIGITS <= 5");
        let recent = Histogram::new_from(&histogram);
        let (percentiles, worst) = (Percentiles::default(), Vec::with_capacity(WORST + 1));
        Self { histogram, percentiles, stale: false, recent, floor: 0, worst }
    }

    /// Median, 99th percentile and count of the open interval, which ends.
    fn close(&mut self) -> (u64, u64, u64) {
        let h = &mut self.recent;
        if h.is_empty() {
            return (0, 0, 0);
        }
        let at = |q: f64| h.value_at_quantile(q).min(h.max());
        let closed = (at(0.5), at(0.99), h.len());
        h.reset();
        closed
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
    tracks: [Track; KINDS],
    points: VecDeque<LatencyPoint>,
    /// What the last snapshot got, while still true; the points by themselves change less often.
    shared: Option<Arc<LatencyDetail>>,
    shared_points: Option<Arc<Vec<LatencyPoint>>>,
}

impl Latencies {
    pub(super) fn new() -> Self {
        Self {
            tracks: LatencyKind::ALL.map(|kind| match kind {
                LatencyKind::InZswap => Track::new(STAY_RESOLUTION_NS, LONGEST_STAY_NS),
                _ => Track::new(1, LONGEST_NS),
            }),
            points: VecDeque::new(),
            shared: None,
            shared_points: None,
        }
    }

    /// Adds a sample; values above the range count as its end. True if it is among the worst: then
    /// [`Latencies::blame`] wants to know whose it was.
    #[inline]
    pub(super) fn record(&mut self, kind: LatencyKind, ns: u64) -> bool {
        let track = &mut self.tracks[kind as usize];
        track.histogram.saturating_record(ns);
        track.recent.saturating_record(ns);
        track.stale = true;
        self.shared = None;
        ns > track.floor
    }

    /// Notes one of the worst samples.
    #[cold]
    pub(super) fn blame(&mut self, offender: Offender) {
        let track = &mut self.tracks[offender.kind as usize];
        let at = track.worst.partition_point(|o| o.ns >= offender.ns);
        track.worst.insert(at, offender);
        track.worst.truncate(WORST);
        if let (WORST, Some(last)) = (track.worst.len(), track.worst.last()) {
            track.floor = last.ns;
        }
    }

    /// An interval ended at `ts`. Intervals without samples leave no point.
    pub(super) fn close(&mut self, ts: u64) {
        let mut point = LatencyPoint { ts, ..LatencyPoint::default() };
        for (i, track) in self.tracks.iter_mut().enumerate() {
            (point.p50[i], point.p99[i], point.count[i]) = track.close();
        }
        if point.count.iter().all(|n| *n == 0) {
            return;
        }
        if self.points.len() == POINTS {
            self.points.pop_front();
        }
        self.points.push_back(point);
        (self.shared, self.shared_points) = (None, None);
    }

    /// Everything beside the percentiles; copied only after a change.
    pub(super) fn detail(&mut self) -> Arc<LatencyDetail> {
        let points = &self.points;
        let points = self.shared_points.get_or_insert_with(|| Arc::new(points.iter().copied().collect()));
        let points = Arc::clone(points);
        if self.shared.is_none() {
            let mut buckets = Box::new([[0; BUCKETS]; KINDS]);
            for (buckets, track) in buckets.iter_mut().zip(&self.tracks) {
                for v in track.histogram.iter_recorded() {
                    let ns = track.histogram.lowest_equivalent(v.value_iterated_to());
                    buckets[bucket(ns) % BUCKETS] += v.count_at_value();
                }
            }
            self.shared = Some(Arc::new(LatencyDetail { buckets, points, worst: self.worst() }));
        }
        self.shared.clone().unwrap_or_default()
    }

    /// The worst samples by kind, worst first.
    pub(super) fn worst(&self) -> Vec<Offender> {
        self.tracks.iter().flat_map(|t| t.worst.iter().copied()).collect()
    }

    /// Takes over the percentiles of intervals up to `ts`.
    pub(super) fn remember(&mut self, before: &Self, ts: u64) {
        self.points = before.points.iter().filter(|p| p.ts <= ts).copied().collect();
        (self.shared, self.shared_points) = (None, None);
    }

    /// What was recorded: value and how often, by kind.
    pub(super) fn dump(&self) -> Vec<Vec<(u64, u64)>> {
        let bins = |t: &Track| {
            t.histogram.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())).collect()
        };
        self.tracks.iter().map(bins).collect()
    }

    /// Records what [`Latencies::dump`] gave.
    pub(super) fn restore(&mut self, dump: &[Vec<(u64, u64)>], worst: &[Offender]) {
        worst.iter().for_each(|offender| self.blame(*offender));
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

impl Offender {
    /// A sample that ended with this event.
    pub(super) const fn of(kind: LatencyKind, ns: u64, e: &Event, memcg: u16) -> Self {
        let (dev, off) = (e.entry.dev(), e.entry.off());
        Self { kind, ns, ts: e.ts, dev, off, nr: e.nr, memcg, tid: e.tid, cpu: e.cpu }
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
    fn the_worst_are_kept_in_order_and_intervals_closed() {
        let mut l = Latencies::new();
        let e = crate::decode::decode(&vswap_common::Record {
            kind: vswap_common::Kind::Gap as u8,
            ts: 9,
            ..vswap_common::Record::default()
        })
        .unwrap();
        for ns in [50, 900, 10, 700, 20, 60, 70, 80, 90, 5, 800] {
            if l.record(LatencyKind::LoadPhys, ns) {
                l.blame(Offender::of(LatencyKind::LoadPhys, ns, &e, 3));
            }
        }
        let worst: Vec<u64> = l.detail().worst.iter().map(|o| o.ns).collect();
        assert_eq!(worst, [900, 800, 700, 90, 80, 70, 60, 50]);
        assert!(!l.record(LatencyKind::LoadPhys, 50));
        assert!(l.detail().points.is_empty());
        l.close(1000);
        l.close(2000);
        let detail = l.detail();
        assert_eq!((detail.points.len(), detail.points[0].ts), (1, 1000));
        assert_eq!(detail.points[0].count[LatencyKind::LoadPhys as usize], 12);
        assert_eq!(detail.buckets[LatencyKind::LoadPhys as usize].iter().sum::<u64>(), 12);
        assert!(Arc::ptr_eq(&detail, &l.detail()), "nothing new: not copied");
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

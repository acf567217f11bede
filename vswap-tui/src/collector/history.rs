//! Bounded history over event time: one point per interval, so that a replay draws what live drew.

use crate::snapshot::{Mix, Point, Totals};
use std::collections::VecDeque;
use std::sync::Arc;

/// Points kept; at four a second this is two and a half minutes.
const POINTS: usize = 600;

/// The last [`POINTS`] intervals.
pub(super) struct History {
    interval_ns: u64,
    /// End of the interval that is open; `None` before the first event.
    open_end: Option<u64>,
    totals_before: Totals,
    events_before: u64,
    points: VecDeque<Point>,
    /// What the last snapshot got, while still true.
    shared: Option<Arc<Vec<Point>>>,
}

impl History {
    pub(super) fn new(interval_ns: u64) -> Self {
        Self {
            interval_ns: interval_ns.max(1),
            open_end: None,
            totals_before: Totals::default(),
            events_before: 0,
            points: VecDeque::new(),
            shared: None,
        }
    }

    /// True if an event at `ts` lies beyond the open interval, so that [`History::close`] has work to do.
    #[inline]
    pub(super) fn due(&self, ts: u64) -> bool {
        self.open_end.is_none_or(|end| ts >= end)
    }

    /// End of the open interval; 0 before the first event.
    pub(super) fn end(&self) -> u64 {
        self.open_end.unwrap_or(0)
    }

    /// Closes every interval that ended at or before `ts`. The first gets what happened since the last point, the
    /// idle ones after it nothing; more idle ones than the ring holds are not even made.
    pub(super) fn close(&mut self, ts: u64, mix: Mix, totals: &Totals, events: u64) {
        let Some(end) = self.open_end else {
            self.open_end = Some(ts.saturating_add(self.interval_ns));
            return;
        };
        if ts < end {
            return;
        }
        self.push(end, mix, difference(totals, &self.totals_before), events - self.events_before);
        self.totals_before = *totals;
        self.events_before = events;
        let idle = (ts - end) / self.interval_ns;
        // An interval is idle when its end is not after `ts` either; only the newest ones would survive anyway.
        for i in idle.saturating_sub(POINTS as u64) + 1..=idle {
            self.push(end + i * self.interval_ns, mix, Totals::default(), 0);
        }
        let last = end + idle * self.interval_ns;
        self.open_end = Some(last.saturating_add(self.interval_ns));
    }

    /// Goes on from a key frame made at `ts` with these totals; `before` is what is known of the time before.
    pub(super) fn restore(&mut self, before: &[Point], ts: u64, totals: &Totals, events: u64) {
        self.points = before.iter().filter(|p| p.ts <= ts).copied().collect();
        while self.points.len() > POINTS {
            self.points.pop_front();
        }
        let last = self.points.back().map_or(ts, |p| p.ts);
        self.open_end = Some(last.max(ts).saturating_add(self.interval_ns));
        (self.totals_before, self.events_before) = (*totals, events);
        self.shared = None;
    }

    /// The totals begin again at zero.
    pub(super) fn restart_totals(&mut self) {
        self.totals_before = Totals::default();
    }

    fn push(&mut self, ts: u64, mix: Mix, delta: Totals, events: u64) {
        if self.points.len() == POINTS {
            self.points.pop_front();
        }
        self.points.push_back(Point { ts, mix, delta, events, span_ns: self.interval_ns });
        self.shared = None;
    }

    /// All points, oldest first; copied only when one was added since the last call.
    pub(super) fn share(&mut self) -> Arc<Vec<Point>> {
        let points = &self.points;
        Arc::clone(self.shared.get_or_insert_with(|| Arc::new(points.iter().copied().collect())))
    }
}

fn difference(now: &Totals, before: &Totals) -> Totals {
    let (now, before) = (now.numbers(), before.numbers());
    Totals::from_numbers(std::array::from_fn(|i| now[i] - before[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIX: Mix = [0, 1, 2, 3, 4];

    fn totals(alloc: u64) -> Totals {
        Totals { alloc, ..Totals::default() }
    }

    #[test]
    fn first_event_opens_and_idle_intervals_are_filled() {
        let mut h = History::new(100);
        assert!(h.due(50));
        h.close(50, MIX, &totals(0), 0);
        assert!(!h.due(149) && h.due(150));
        h.close(449, MIX, &totals(7), 3);
        let p = h.share();
        assert_eq!(
            p.iter().map(|p| (p.ts, p.delta.alloc, p.events)).collect::<Vec<_>>(),
            [(150, 7, 3), (250, 0, 0), (350, 0, 0)]
        );
        assert!(!h.due(449) && h.due(450));
        assert_eq!((p[0].mix, p[0].span_ns), (MIX, 100));
    }

    #[test]
    fn a_leap_in_time_keeps_the_ring_and_the_grid() {
        let mut h = History::new(100);
        h.close(0, MIX, &totals(0), 0);
        h.close(1_000_000_000, MIX, &totals(9), 9);
        let p = h.share();
        assert_eq!((p.len(), p[POINTS - 1].ts), (POINTS, 1_000_000_000));
        assert!(p.windows(2).all(|w| w[1].ts == w[0].ts + 100));
        h.close(u64::MAX, MIX, &totals(9), 9);
        assert!(!h.due(5), "time that runs backwards closes nothing");
        assert_eq!(h.share().len(), POINTS);
    }

    #[test]
    fn deltas_add_up_to_the_totals() {
        let mut h = History::new(10);
        h.close(0, MIX, &totals(0), 0);
        for t in 1..=5u64 {
            h.close(t * 10, MIX, &totals(t * t), t);
        }
        assert_eq!(h.share().iter().map(|p| p.delta.alloc).sum::<u64>(), 25);
        assert_eq!(h.share().iter().map(|p| p.events).sum::<u64>(), 5);
    }

    #[test]
    fn unchanged_history_is_not_copied() {
        let mut h = History::new(10);
        h.close(0, MIX, &totals(0), 0);
        h.close(10, MIX, &totals(0), 1);
        assert!(Arc::ptr_eq(&h.share(), &h.share()));
    }
}

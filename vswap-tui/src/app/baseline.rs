//! An instant a second or two ago, to take rates from: snapshots are immutable, so keeping one costs nothing.

use crate::app::frame::Frame;
use crate::snapshot::Snapshot;
use std::sync::Arc;

/// Rates are taken over at least this much event time.
const SPAN_NS: u64 = 1_000_000_000;

/// Two instants of the past.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    older: Option<(u64, Arc<Snapshot>)>,
    newer: Option<(u64, Arc<Snapshot>)>,
}

impl Baseline {
    /// Takes note of a frame that is about to be shown.
    pub fn note(&mut self, frame: &Frame) {
        // Before the first event there is no time: a rate since then would be one since the boot of the machine.
        if frame.snapshot.first_ts == 0 {
            *self = Self::default();
            return;
        }
        let this = (frame.now, Arc::clone(&frame.snapshot));
        match &self.newer {
            // Time went back: a replay was sought in, or began anew.
            Some((then, _)) if frame.now < *then => *self = Self { older: None, newer: Some(this) },
            Some((then, _)) if frame.now - then >= SPAN_NS => self.older = self.newer.replace(this),
            Some(_) => {}
            None => self.newer = Some(this),
        }
    }

    /// The state to compare `now` with, and the seconds since; `None` before there is any.
    pub fn before(&self, now: u64) -> Option<(&Snapshot, f64)> {
        let (then, snapshot) = self.older.as_ref().or(self.newer.as_ref())?;
        let ns = now.checked_sub(*then).filter(|ns| *ns > 0)?;
        Some((snapshot, ns as f64 / 1e9))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(now: u64, events: u64) -> Frame {
        let snapshot = Arc::new(Snapshot { events, first_ts: u64::from(events > 0), ..Snapshot::default() });
        Frame { now, snapshot, ..Frame::default() }
    }

    #[test]
    fn rates_are_over_a_second_or_two_and_survive_seeking() {
        let mut b = Baseline::default();
        assert!(b.before(5).is_none());
        for i in 0..=20u64 {
            b.note(&frame(i * SPAN_NS / 4, i + 1));
        }
        let (then, seconds) = b.before(5 * SPAN_NS).unwrap();
        assert_eq!((then.events, seconds), (17, 1.0));
        b.note(&frame(SPAN_NS, 4));
        assert!(b.before(SPAN_NS).is_none(), "nothing is known of before");
        assert_eq!(b.before(2 * SPAN_NS).unwrap().0.events, 4);
    }

    #[test]
    fn nothing_is_counted_from_before_the_first_event() {
        let mut b = Baseline::default();
        b.note(&frame(0, 0));
        b.note(&frame(40 * SPAN_NS, 1));
        b.note(&frame(41 * SPAN_NS, 9));
        assert_eq!(b.before(42 * SPAN_NS).map(|(then, s)| (then.events, s)), Some((1, 2.0)));
        b.note(&frame(0, 0));
        assert!(b.before(42 * SPAN_NS).is_none(), "back at the beginning");
    }
}

//! Event time against wall time: which events of a recording are due now.

use crate::cli::Speed;
use std::time::{Duration, Instant};

/// A clock on the events' time axis that runs at a speed and can stand still.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    speed: Speed,
    paused: bool,
    /// An instant on both axes; `None` before the first event.
    anchor: Option<(u64, Instant)>,
}

impl Pace {
    /// A clock that starts with the first event.
    pub const fn new(speed: Speed) -> Self {
        Self { speed, paused: false, anchor: None }
    }

    /// Starts the clock at the first event; later calls change nothing.
    pub fn start(&mut self, ts: u64, wall: Instant) {
        self.anchor.get_or_insert((ts, wall));
    }

    /// Event time up to which events are due.
    pub fn due(&self, wall: Instant) -> u64 {
        let Some((ts, since)) = self.anchor else { return 0 };
        match self.speed {
            _ if self.paused => ts,
            Speed::Max => u64::MAX,
            Speed::Times(x) => {
                let ns = wall.saturating_duration_since(since).as_nanos() as f64 * x;
                ts.saturating_add(ns as u64)
            }
        }
    }

    /// Wall time until an event at `ts` is due; `None` while paused.
    pub fn wait(&self, ts: u64, wall: Instant) -> Option<Duration> {
        if self.paused {
            return None;
        }
        match self.speed {
            Speed::Max => Some(Duration::ZERO),
            Speed::Times(x) => {
                let ns = ts.saturating_sub(self.due(wall)) as f64 / x;
                Some(Duration::from_nanos(ns as u64))
            }
        }
    }

    /// Speed when not paused.
    pub const fn speed(&self) -> Speed {
        self.speed
    }

    /// Whether time stands still.
    pub const fn paused(&self) -> bool {
        self.paused
    }

    /// Changes the speed from `at` on, the event time reached.
    pub fn set_speed(&mut self, speed: Speed, at: u64, wall: Instant) {
        self.rebase(at, wall);
        self.speed = speed;
    }

    /// Stops time at `at`, or lets it go on from there.
    pub fn set_paused(&mut self, paused: bool, at: u64, wall: Instant) {
        self.rebase(at, wall);
        self.paused = paused;
    }

    fn rebase(&mut self, at: u64, wall: Instant) {
        if self.anchor.is_some() {
            self.anchor = Some((at, wall));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn time_runs_at_its_speed_from_the_first_event() {
        let wall = Instant::now();
        let mut p = Pace::new(Speed::Times(10.0));
        assert_eq!(p.due(wall + S), 0, "nothing is due before the first event is known");
        p.start(5_000, wall);
        p.start(9_000, wall + S);
        assert_eq!(p.due(wall), 5_000);
        assert_eq!(p.due(wall + S), 10_000_005_000);
        assert_eq!(p.wait(20_000_005_000, wall + S), Some(S));
        assert_eq!(p.wait(1, wall + S), Some(Duration::ZERO));
    }

    #[test]
    fn pause_loses_no_time_and_speed_does_not_jump() {
        let wall = Instant::now();
        let mut p = Pace::new(Speed::Times(1.0));
        p.start(0, wall);
        let reached = p.due(wall + S);
        p.set_paused(true, reached, wall + S);
        assert_eq!(p.due(wall + 9 * S), reached);
        assert_eq!(p.wait(u64::MAX, wall), None);
        p.set_paused(false, reached, wall + 9 * S);
        assert_eq!(p.due(wall + 10 * S), 2_000_000_000);
        p.set_speed(Speed::Times(100.0), p.due(wall + 10 * S), wall + 10 * S);
        assert_eq!(p.due(wall + 10 * S), 2_000_000_000);
        p.set_speed(Speed::Max, 7, wall);
        assert_eq!(p.due(wall), u64::MAX);
    }
}

//! When to read the kernel's tables again after a loss: what was lost nobody knows, so every slot is in doubt, and patching
//! the map would be a guess.
//!
//! Bounded: not while records are still being lost, not more often than costs a twentieth of the time, and less and
//! less often while losses go on.

use std::time::{Duration, Instant};

/// Without another loss for so long, the reader keeps up again.
const QUIET: Duration = Duration::from_millis(500);
/// First and longest wait between two rescans.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(64));
/// So many times the time a rescan took, none begins.
const SHARE: u32 = 20;

/// What is known of losses, and what to do about them.
#[derive(Debug)]
pub(in crate::tracer) struct Rescan {
    /// Records lost at the last look.
    lost: u64,
    /// When that number grew last.
    grew: Instant,
    /// Lost since the last scan began.
    due: bool,
    wait: Duration,
    not_before: Instant,
    began: Instant,
    runs: bool,
    /// Rescans begun.
    count: u64,
}

impl Rescan {
    /// Nothing is lost yet.
    pub(in crate::tracer) const fn new(now: Instant) -> Self {
        Self {
            lost: 0,
            grew: now,
            due: false,
            wait: WAIT.0,
            not_before: now,
            began: now,
            runs: false,
            count: 0,
        }
    }

    /// So many records are lost by now. True if the tables are to be read again at once.
    pub(in crate::tracer) fn begins(&mut self, now: Instant, lost: u64) -> bool {
        if lost != self.lost {
            (self.lost, self.grew, self.due) = (lost, now, true);
        }
        if !self.due || self.runs || now < self.not_before || now.duration_since(self.grew) < QUIET {
            return false;
        }
        (self.due, self.runs, self.began) = (false, true, now);
        self.count += 1;
        true
    }

    /// So many records were lost when the scan began: the tables are read after that.
    pub(in crate::tracer) fn knows(&mut self, lost: u64) {
        if self.runs {
            self.lost = lost;
        }
    }

    /// A scan is due that has not begun.
    pub(in crate::tracer) const fn due(&self) -> bool {
        self.due
    }

    /// The scan that runs, whoever asked for it, is over.
    pub(in crate::tracer) fn ended(&mut self, now: Instant) {
        if !std::mem::take(&mut self.runs) {
            return;
        }
        let took = now.duration_since(self.began);
        self.not_before = now + self.wait.max(took * SHARE);
        // Lost again meanwhile: the next one waits longer. A rescan that helped begins anew.
        self.wait = if self.due { (self.wait * 2).min(WAIT.1) } else { WAIT.0 };
    }

    /// Rescans begun so far.
    pub(in crate::tracer) const fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(100);

    #[test]
    fn waits_until_nothing_is_lost_any_more_and_reads_once() {
        let start = Instant::now();
        let mut r = Rescan::new(start);
        let at = |n: u32| start + STEP * n;
        assert!(!r.begins(at(1), 0), "nothing is lost");
        assert!(!r.begins(at(2), 7) && !r.begins(at(6), 9), "still losing");
        assert!(!r.begins(at(10), 9));
        assert!(r.begins(at(11), 9));
        assert!(!r.begins(at(30), 9), "it runs");
        r.ended(at(31));
        assert!(!r.begins(at(1000), 9), "once for each loss");
        assert_eq!(r.count(), 1);
    }

    #[test]
    fn what_is_known_when_it_begins_is_no_reason_for_another() {
        let start = Instant::now();
        let mut r = Rescan::new(start);
        assert!(!r.begins(start, 1) && r.due());
        assert!(r.begins(start + QUIET, 1) && !r.due());
        r.knows(4);
        r.ended(start + QUIET);
        assert!(!r.begins(start + WAIT.0 * 3, 4) && !r.due());
        // Not its business: nobody reads the tables because of this one.
        r.knows(6);
        assert!(!r.begins(start + WAIT.0 * 3, 6) && r.due());
    }

    #[test]
    fn a_loss_that_goes_on_is_followed_ever_more_seldom() {
        let start = Instant::now();
        let mut r = Rescan::new(start);
        let (mut now, mut lost, mut times) = (start, 0, Vec::new());
        // Every scan makes the ring overflow anew.
        for _ in 0..6000 {
            now += STEP;
            lost += u64::from(times.is_empty() && lost == 0);
            if r.begins(now, lost) {
                times.push(now);
                lost += 1;
                assert!(!r.begins(now, lost));
                r.ended(now);
            }
        }
        let waits: Vec<u64> = times.windows(2).map(|w| (w[1] - w[0]).as_secs()).collect();
        assert_eq!(waits[..4], [1, 2, 4, 8]);
        assert!(times.len() < 20 && waits.iter().all(|s| *s <= 65), "{waits:?}");
    }

    #[test]
    fn a_long_scan_is_not_repeated_at_once() {
        let start = Instant::now();
        let mut r = Rescan::new(start);
        assert!(!r.begins(start, 1) && r.begins(start + QUIET, 1));
        let end = start + QUIET + Duration::from_secs(10);
        assert!(!r.begins(end, 2));
        r.ended(end);
        assert!(!r.begins(end + Duration::from_secs(199), 2));
        assert!(r.begins(end + Duration::from_secs(200), 2));
    }
}

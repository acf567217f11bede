//! CPU time of this process, as a share of one core.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Shorter spans than this would show single frames, not the load.
const SPAN: Duration = Duration::from_secs(1);

/// Share of a core over the last second or so.
#[derive(Debug, Default)]
pub(super) struct OwnCpu {
    /// Wall and CPU time when the share was last taken.
    taken: Option<(Instant, Duration)>,
    share: f64,
}

impl OwnCpu {
    /// The share at `wall`; taken anew once a second.
    pub(super) fn share(&mut self, wall: Instant) -> f64 {
        let (since, before) = *self.taken.get_or_insert_with(|| (wall, cpu_time()));
        let span = wall.saturating_duration_since(since);
        if span >= SPAN {
            let now = cpu_time();
            self.share = now.saturating_sub(before).as_secs_f64() / span.as_secs_f64();
            self.taken = Some((wall, now));
        }
        self.share
    }
}

fn cpu_time() -> Duration {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(t.tv_sec.unsigned_abs(), u32::try_from(t.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_and_is_taken_once_a_second() {
        let start = Instant::now();
        let mut cpu = OwnCpu::default();
        assert_eq!(cpu.share(start), 0.0);
        let before = cpu_time();
        let mut x = 1u64;
        while cpu_time() - before < Duration::from_millis(20) {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
        let share = cpu.share(start + SPAN);
        assert!(share >= 0.02, "{share}");
        assert_eq!(cpu.share(start + SPAN + SPAN / 2), share);
    }
}

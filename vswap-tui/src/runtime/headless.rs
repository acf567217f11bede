//! A run without a screen: the same pump, and the last state as the result.

use crate::check::Beside;
use crate::runtime::Outcome;
use crate::runtime::exposition::Exposition;
use crate::runtime::pace::Pace;
use crate::runtime::pump::{Advanced, Pump};
use crate::source::Source;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Longest wait before the stop flag is looked at again.
const TICK: Duration = Duration::from_millis(50);

/// When a run ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// With the input.
    Input,
    /// After this much wall time: the source is a kernel that will not wait.
    Wall(Duration),
    /// After this much event time: the same input gives the same result on any machine.
    Events(Duration),
}

/// Runs to the limit, the end of the input, or until `stop` is set. `exposition` serves the state meanwhile.
///
/// # Errors
/// Those of the source.
pub fn run(
    source: Box<dyn Source>,
    beside: Option<Beside>,
    pace: Option<Pace>,
    limit: Limit,
    mut exposition: Option<Exposition>,
    stop: &AtomicBool,
) -> anyhow::Result<Outcome> {
    let events = if let Limit::Events(d) = limit { Some(d) } else { None };
    let deadline = if let Limit::Wall(d) = limit { Instant::now().checked_add(d) } else { None };
    let mut pump = Pump::new(source, beside, pace, events);
    while !stop.load(Ordering::Relaxed) {
        let left = deadline.map_or(TICK, |d| d.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            break;
        }
        if let Some(exposition) = exposition.as_mut().filter(|e| e.due()) {
            exposition.show(&pump.frame().snapshot);
        }
        match pump.advance(left.min(TICK))? {
            Advanced::Busy => {}
            Advanced::Wait(wait) => std::thread::sleep(wait.unwrap_or(TICK).min(TICK).min(left)),
            Advanced::Ended => break,
        }
    }
    Ok(pump.finish())
}

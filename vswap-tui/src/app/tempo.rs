//! How fast time goes on the screen: pause and freeze, interval of frames, speed and place in a recording.

use crate::app::Playback;
use crate::app::message::{Control, Effect};
use crate::app::state::App;
use crate::app::update::show;
use crate::cli::Speed;
use std::time::Duration;

/// Intervals the keys walk through, in milliseconds; an odd one from the command line joins at its neighbour.
const INTERVALS: [u64; 8] = [50, 100, 250, 500, 1000, 2000, 5000, 10_000];
/// Speeds the keys walk through; the fastest is "as fast as the machine goes".
const SPEEDS: [f64; 10] = [0.01, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0, 1000.0];
/// Time stands still in a replay; elsewhere only the picture does, because the kernel does not wait.
pub(super) fn freeze(app: &mut App) -> Option<Effect> {
    if let Some(playback) = app.frame.playback {
        let paused = !playback.paused;
        // Shown at once; the pump's next frame says the same.
        app.frame.playback = Some(Playback { paused, ..playback });
        return Some(Effect::Pump(Control::Pause(paused)));
    }
    app.frozen = !app.frozen;
    if !app.frozen
        && let Some(frame) = app.held.take()
    {
        show(app, frame);
    }
    None
}

/// Longer or shorter intervals, or higher and lower speed.
pub(super) fn tempo(app: &mut App, by: isize) -> Option<Effect> {
    if let Some(playback) = app.frame.playback {
        let speed = match playback.speed {
            Speed::Max if by > 0 => return None,
            Speed::Max => Speed::Times(SPEEDS[SPEEDS.len() - 1]),
            Speed::Times(x) => match walk(&SPEEDS, x, by) {
                Some(x) => Speed::Times(x),
                None if by > 0 => Speed::Max,
                None => return None,
            },
        };
        return Some(set_speed(app, speed));
    }
    let steps = INTERVALS.map(|ms| ms as f64);
    let ms = walk(&steps, app.interval.as_secs_f64() * 1e3, by)?;
    Some(set_interval(app, Duration::from_millis(ms as u64)))
}

/// Time runs at this speed from now on.
pub(super) fn set_speed(app: &mut App, speed: Speed) -> Effect {
    if let Some(playback) = &mut app.frame.playback {
        playback.speed = speed;
    }
    Effect::Pump(Control::Speed(speed))
}

/// Frames come this often from now on.
pub(super) fn set_interval(app: &mut App, interval: Duration) -> Effect {
    app.interval = interval;
    app.notice = Some(format!("a frame every {}", humantime::format_duration(interval)));
    Effect::Pump(Control::Interval(interval))
}

/// The next step above or below `at`; `None` at the end.
fn walk(steps: &[f64], at: f64, by: isize) -> Option<f64> {
    // Steps are far apart: a thousandth tells "on a step" from "beside it".
    if by > 0 {
        steps.iter().copied().find(|s| *s > at * 1.001)
    } else {
        steps.iter().rev().copied().find(|s| *s < at * 0.999)
    }
}

/// On or back by twentieths of the recording.
pub(super) fn skip(app: &App, by: i8) -> Option<Effect> {
    let timeline = app.timeline.as_ref()?;
    let part = timeline.end.saturating_sub(timeline.start) / 20 * u64::from(by.unsigned_abs());
    let to = if by < 0 { app.frame.now.saturating_sub(part) } else { app.frame.now.saturating_add(part) };
    Some(Effect::Pump(Control::Seek(to.clamp(timeline.start, timeline.end))))
}

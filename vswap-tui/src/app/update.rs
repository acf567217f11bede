//! The one place where the dashboard changes.

use crate::app::frame::Frame;
use crate::app::grid::Grid;
use crate::app::layout;
use crate::app::message::{Action, Control, Effect, Message, Step};
use crate::app::state::{App, View};
use crate::app::summary::Summary;
use crate::cli::Speed;
use std::time::Duration;

/// Intervals the keys walk through, in milliseconds; an odd one from the command line joins at its neighbour.
const INTERVALS: [u64; 8] = [50, 100, 250, 500, 1000, 2000, 5000, 10_000];
/// Speeds the keys walk through; the fastest is "as fast as the machine goes".
const SPEEDS: [f64; 10] = [0.01, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0, 1000.0];

/// Applies a message; what the event loop has to do about it comes back.
pub fn update(app: &mut App, message: Message) -> Option<Effect> {
    match message {
        Message::Frame(frame) => {
            if app.frozen {
                app.held = Some(frame);
            } else {
                show(app, frame);
            }
            None
        }
        Message::Resize(size) => {
            app.size = size;
            keep_in_range(app);
            None
        }
        Message::Do(action) => act(app, action),
    }
}

fn act(app: &mut App, action: Action) -> Option<Effect> {
    match action {
        Action::Quit => return Some(Effect::Quit),
        Action::Suspend => return Some(Effect::Suspend),
        Action::Redraw => return Some(Effect::Redraw),
        Action::Help => {
            app.help = !app.help;
            app.help_top = 0;
        }
        Action::Back if app.help => app.help = false,
        Action::Back => app.view = View::Overview,
        Action::NextView | Action::PreviousView => {
            let at = View::ALL.iter().position(|v| *v == app.view).unwrap_or(0);
            let by = if action == Action::NextView { 1 } else { View::ALL.len() - 1 };
            app.view = View::ALL[(at + by) % View::ALL.len()];
        }
        Action::Show(view) => app.view = view,
        Action::Move(step) => travel(app, step),
        Action::Freeze => return freeze(app),
        Action::Plus => return tempo(app, 1),
        Action::Minus => return tempo(app, -1),
        Action::StepEvent => return Some(Effect::Pump(Control::StepEvent)),
        Action::StepBlock => return Some(Effect::Pump(Control::StepBlock)),
        Action::NextDevice => switch_device(app, 1),
        Action::PreviousDevice => switch_device(app, -1),
        Action::ZoomIn => zoom(app, 1),
        Action::ZoomOut => zoom(app, -1),
        Action::Paint => app.clusters.paint = app.clusters.paint.next(),
    }
    None
}

fn show(app: &mut App, frame: Frame) {
    app.frame = frame;
    app.summary = Summary::new(&app.frame, app.device_clusters());
    keep_in_range(app);
}

/// Cursor and scroll positions outlive the data and the terminal size they were set for.
fn keep_in_range(app: &mut App) {
    let clusters = app.device_clusters().len();
    app.clusters.cursor = app.clusters.cursor.min(clusters.saturating_sub(1));
    app.clusters.zoom = app.clusters.zoom.min(max_zoom(app));
    app.clusters.top = app.grid().top_for(app.clusters.cursor, app.clusters.top);
    app.cgroup_top = app.cgroup_top.min(app.frame.snapshot.memcgs.len().saturating_sub(1));
}

/// Time stands still in a replay; elsewhere only the picture does, because the kernel does not wait.
fn freeze(app: &mut App) -> Option<Effect> {
    if let Some(playback) = app.frame.playback {
        let paused = !playback.paused;
        // Shown at once; the pump's next frame says the same.
        app.frame.playback = Some(crate::app::Playback { paused, ..playback });
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

fn tempo(app: &mut App, by: isize) -> Option<Effect> {
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
        app.frame.playback = Some(crate::app::Playback { speed, ..playback });
        return Some(Effect::Pump(Control::Speed(speed)));
    }
    let steps = INTERVALS.map(|ms| ms as f64);
    let ms = walk(&steps, app.interval.as_secs_f64() * 1e3, by)?;
    app.interval = Duration::from_millis(ms as u64);
    Some(Effect::Pump(Control::Interval(app.interval)))
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

fn travel(app: &mut App, step: Step) {
    if app.help {
        app.help_top = scroll(app.help_top, step, usize::from(app.size.height / 2), usize::MAX);
        return;
    }
    match app.view {
        View::Overview => {
            let last = app.frame.snapshot.memcgs.len().saturating_sub(1);
            app.cgroup_top = scroll(app.cgroup_top, step, 10, last);
        }
        View::Allocator => app.allocator_top = scroll(app.allocator_top, step, 10, 1000),
        View::Clusters => {
            let grid = app.grid();
            app.clusters.cursor = moved(&grid, app.clusters.cursor, step);
            app.clusters.top = grid.top_for(app.clusters.cursor, app.clusters.top);
        }
    }
}

fn scroll(top: usize, step: Step, page: usize, last: usize) -> usize {
    match step {
        Step::Up => top.saturating_sub(1),
        Step::Down => top.saturating_add(1).min(last),
        Step::PageUp => top.saturating_sub(page),
        Step::PageDown => top.saturating_add(page).min(last),
        Step::First => 0,
        // Help does not know its last line here; drawing stops it at the end.
        Step::Last => last.min(1000),
        Step::Left | Step::Right => top,
    }
}

fn moved(grid: &Grid, cursor: usize, step: Step) -> usize {
    let last = grid.clusters.saturating_sub(1);
    let row = grid.per_cell * grid.columns;
    let back = |by: usize| cursor.checked_sub(by).unwrap_or(cursor % row.max(1));
    let on = |by: usize| if cursor + by <= last { cursor + by } else { last };
    match step {
        Step::Left => cursor.saturating_sub(grid.per_cell),
        Step::Right => on(grid.per_cell),
        Step::Up => back(row),
        Step::Down => on(row),
        Step::PageUp => back(row * grid.visible),
        Step::PageDown => on(row * grid.visible),
        Step::First => 0,
        Step::Last => last,
    }
}

fn switch_device(app: &mut App, by: isize) {
    let devices: Vec<u8> = app.frame.snapshot.devices.iter().map(|d| d.dev).collect();
    let Some(shown) = app.device().map(|d| d.dev) else { return };
    let at = devices.iter().position(|d| *d == shown).unwrap_or(0) as isize;
    let next = (at + by).rem_euclid(devices.len() as isize) as usize;
    app.clusters.dev = Some(devices[next]);
    (app.clusters.cursor, app.clusters.top, app.clusters.zoom) = (0, 0, 0);
    app.summary.lists = crate::app::summary::lists(app.device_clusters());
    keep_in_range(app);
}

fn max_zoom(app: &App) -> u8 {
    let body = layout::screen(app.size, app.timeline.is_some()).body;
    Grid::max_zoom(app.device_clusters().len(), layout::clusters(body).map)
}

fn zoom(app: &mut App, by: i8) {
    app.clusters.zoom = app.clusters.zoom.saturating_add_signed(by).min(max_zoom(app));
    keep_in_range(app);
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;

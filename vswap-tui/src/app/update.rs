//! The one place where the dashboard changes.

use crate::app::frame::Frame;
use crate::app::grid::Grid;
use crate::app::layout;
use crate::app::message::{Action, Control, Effect, Message, Step};
use crate::app::movement::{self, go};
use crate::app::palette;
use crate::app::state::{App, View};
use crate::app::summary::Summary;
use crate::app::tempo::{freeze, skip, tempo};
use crate::app::typing::{accept, ask_for};
use crate::app::views::FlowState;
use crate::app::{cgroups, summary};
use crate::kernel::recorded;
use ratatui::layout::Position;
use std::sync::Arc;
use vswap_common::slot::CLUSTER_SLOTS;

/// Slots followed that can be gone back to.
const BACK: usize = 64;

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
        Message::Do(action) => {
            app.notice = None;
            let effect = act(app, action);
            refresh(app);
            effect
        }
        Message::Mouse(x, y, scrolled) => {
            mouse(app, Position::new(x, y), scrolled);
            None
        }
        Message::Told(text) => {
            app.notice = Some(text);
            None
        }
    }
}

fn act(app: &mut App, action: Action) -> Option<Effect> {
    match action {
        Action::Quit => return Some(Effect::Quit),
        Action::Suspend => return Some(Effect::Suspend),
        Action::Redraw => return Some(Effect::Redraw),
        Action::Save => return Some(Effect::Save(None)),
        Action::Help => {
            app.help = !app.help;
            app.help_top = 0;
        }
        Action::Back => back(app),
        Action::NextView | Action::PreviousView => {
            let at = View::ALL.iter().position(|v| *v == app.view).unwrap_or(0);
            let by = if action == Action::NextView { 1 } else { View::ALL.len() - 1 };
            app.view = View::ALL[(at + by) % View::ALL.len()];
        }
        Action::Show(view) => app.view = view,
        Action::Move(step) => movement::travel(app, step),
        Action::Freeze => return freeze(app),
        Action::Plus if app.view == View::Clusters => zoom(app, 1),
        Action::Minus if app.view == View::Clusters => zoom(app, -1),
        Action::Plus => return tempo(app, 1),
        Action::Minus => return tempo(app, -1),
        // An interval grows when things get slower, a speed shrinks.
        Action::Slower(slower) => return tempo(app, if slower == app.plays() { -1 } else { 1 }),
        Action::Verify => return Some(Effect::Pump(Control::Verify)),
        Action::StepEvent => return Some(Effect::Pump(Control::StepEvent)),
        Action::StepBlock => return Some(Effect::Pump(Control::StepBlock)),
        Action::StepSecond => return Some(Effect::Pump(Control::StepTime(1_000_000_000))),
        Action::Skip(by) => return skip(app, by),
        Action::Restart => return Some(Effect::Pump(Control::Seek(0))),
        Action::Find(landmark) => return Some(Effect::Pump(Control::Find(landmark))),
        Action::NextDevice => switch_device(app, 1),
        Action::PreviousDevice => switch_device(app, -1),
        Action::ZoomIn => zoom(app, 1),
        Action::ZoomOut => zoom(app, -1),
        Action::Paint => app.clusters.paint = app.clusters.paint.next(),
        Action::Open => open(app),
        Action::Return => {
            if let Some((dev, off)) = app.mapping.back.pop() {
                jump(app, dev, off);
            }
        }
        Action::Map => {
            app.clusters.open = false;
            app.view = View::Clusters;
            go(app, app.mapping.off);
        }
        Action::Sort => app.cgroups.sort = app.cgroups.sort.next(),
        Action::Reverse => app.cgroups.reverse = !app.cgroups.reverse,
        Action::Totals => app.flow.totals = !app.flow.totals,
        Action::Tree => app.cgroups.tree = !app.cgroups.tree,
        Action::FoldAll => fold_all(app),
        Action::Ask(ask) => ask_for(app, ask),
        Action::Type(c) => {
            if let Some(prompt) = &mut app.prompt {
                prompt.push(c);
            }
        }
        Action::Erase => {
            if let Some(prompt) = &mut app.prompt
                && prompt.text.pop().is_none()
            {
                app.prompt = None;
            }
        }
        Action::EraseAll => {
            if let Some(prompt) = &mut app.prompt {
                prompt.text.clear();
            }
        }
        Action::Complete => {
            if let Some(mut prompt) = app.prompt.take() {
                prompt.complete(&palette::candidates(app, &prompt));
                app.prompt = Some(prompt);
            }
        }
        Action::Accept => return accept(app),
    }
    None
}

pub(super) fn show(app: &mut App, frame: Frame) {
    app.baseline.note(&frame);
    // A recording has one header, shared by all its frames.
    if !Arc::ptr_eq(&frame.snapshot.header, &app.frame.snapshot.header) {
        app.transitions = recorded::transitions(&frame.snapshot.header, &app.counters);
    }
    app.frame = frame;
    app.summary = Summary::new(&app.frame, app.device_clusters());
    refresh(app);
    keep_in_range(app);
}

/// Makes anew what is made for the shown view only.
fn refresh(app: &mut App) {
    if app.view == View::Cgroups {
        app.cgroup_rows = cgroups::rows(&app.cgroups, &app.frame, &app.baseline, app.page_size());
    }
    app.summary.runs = app.closeup().map(crate::snapshot::closeup::Closeup::runs).unwrap_or_default();
}

/// Cursor and scroll positions outlive the data and the terminal size they were set for.
fn keep_in_range(app: &mut App) {
    let clusters = app.device_clusters().len();
    app.clusters.cursor = app.clusters.cursor.min(clusters.saturating_sub(1));
    app.clusters.zoom = app.clusters.zoom.min(max_zoom(app));
    app.clusters.top = app.grid().top_for(app.clusters.cursor, app.clusters.top);
    app.mapping.off = app.mapping.off.min(movement::last_slot(app));
    app.cgroup_top = app.cgroup_top.min(app.frame.snapshot.memcgs.len().saturating_sub(1));
    app.cgroups.cursor = app.cgroups.cursor.min(app.cgroup_rows.len().saturating_sub(1));
    movement::keep_row_visible(app);
}

/// Out of the innermost thing: prompt, help, opened cluster, filter, view.
fn back(app: &mut App) {
    if app.prompt.take().is_some() {
        return;
    }
    if std::mem::take(&mut app.help) {
        return;
    }
    match app.view {
        View::Clusters if app.clusters.open => app.clusters.open = false,
        View::Cgroups if !app.cgroups.filter.is_empty() => app.cgroups.filter.clear(),
        View::Flow if !app.flow.text.is_empty() => {
            app.flow = FlowState { totals: app.flow.totals, ..FlowState::default() };
        }
        _ => app.view = View::Overview,
    }
}

fn open(app: &mut App) {
    match app.view {
        View::Clusters if app.clusters.open => app.view = View::Mapping,
        View::Clusters => {
            let base = app.clusters.cursor as u64 * u64::from(CLUSTER_SLOTS);
            // Coming back to the same cluster finds the slot that was looked at.
            if app.mapping.off / u64::from(CLUSTER_SLOTS) != app.clusters.cursor as u64 {
                app.mapping.off = base;
            }
            app.clusters.open = !app.device_clusters().is_empty();
        }
        View::Mapping => {
            let here = app.device().map(|d| (d.dev, app.mapping.off));
            let to = app.closeup().and_then(|c| c.at(app.mapping.off)?.other_end());
            if let (Some(here), Some(to)) = (here, to) {
                app.mapping.back.push(here);
                if app.mapping.back.len() > BACK {
                    app.mapping.back.remove(0);
                }
                jump(app, to.dev(), to.off());
            } else {
                let why = match (app.device().is_some_and(|d| d.r#virtual), app.virtual_swap()) {
                    (true, _) => "no physical slot is behind this one",
                    (false, true) => "no virtual slot owns this one",
                    (false, false) => "no virtual swap here: this slot is its own physical slot",
                };
                app.notice = Some(why.into());
            }
        }
        View::Cgroups => {
            if let Some(row) = app.cgroup_rows.get(app.cgroups.cursor).filter(|r| r.below > 0)
                && !app.cgroups.folded.remove(&row.path)
            {
                app.cgroups.folded.insert(row.path.clone());
            }
        }
        _ => {}
    }
}

/// Folds what is below the top rows, or unfolds everything if anything is folded.
fn fold_all(app: &mut App) {
    if app.cgroups.folded.is_empty() {
        let tops = app.cgroup_rows.iter().filter(|r| r.depth == 0 && r.below > 0);
        app.cgroups.folded = tops.map(|r| r.path.clone()).collect();
    } else {
        app.cgroups.folded.clear();
    }
    app.cgroups.cursor = 0;
    app.cgroups.top = 0;
}

/// Puts the cursor of the mapping on a slot of any device.
pub(super) fn jump(app: &mut App, dev: u8, off: u64) {
    if app.device().is_none_or(|d| d.dev != dev) {
        choose_device(app, dev);
    }
    app.view = View::Mapping;
    go(app, off);
}

fn switch_device(app: &mut App, by: isize) {
    let devices: Vec<u8> = app.frame.snapshot.devices.iter().map(|d| d.dev).collect();
    let Some(shown) = app.device().map(|d| d.dev) else { return };
    let at = devices.iter().position(|d| *d == shown).unwrap_or(0) as isize;
    let next = (at + by).rem_euclid(devices.len() as isize) as usize;
    choose_device(app, devices[next]);
}

/// Cluster map, mapping and allocator show this device from now on.
pub(super) fn choose_device(app: &mut App, dev: u8) {
    app.clusters.dev = Some(dev);
    (app.clusters.cursor, app.clusters.top, app.clusters.zoom) = (0, 0, 0);
    app.mapping.off = 0;
    app.summary.lists = summary::lists(app.device_clusters());
    keep_in_range(app);
}

fn max_zoom(app: &App) -> u8 {
    let body = layout::screen(app.size, app.timeline.is_some()).body;
    Grid::max_zoom(app.device_clusters().len(), layout::clusters(body).map)
}

/// Smaller or larger cells.
pub(super) fn zoom(app: &mut App, by: i8) {
    app.clusters.zoom = app.clusters.zoom.saturating_add_signed(by).min(max_zoom(app));
    keep_in_range(app);
}

/// The wheel scrolls; a click chooses a view in the header or a cluster in the map.
fn mouse(app: &mut App, at: Position, scrolled: Option<i8>) {
    if app.prompt.is_some() {
        return;
    }
    if let Some(lines) = scrolled {
        let step = if lines < 0 { Step::Up } else { Step::Down };
        (0..lines.unsigned_abs()).for_each(|_| movement::travel(app, step));
        return;
    }
    if app.help {
        return;
    }
    if at.y == 0
        && let Some((view, _)) = layout::tabs(app).into_iter().find(|(_, tab)| tab.contains(at))
    {
        app.view = view;
        return refresh(app);
    }
    let map = layout::clusters(layout::screen(app.size, app.timeline.is_some()).body).map;
    if app.view == View::Clusters && !app.clusters.open && map.contains(at) {
        let grid = app.grid();
        let row = grid.top_for(app.clusters.cursor, app.clusters.top) + usize::from(at.y - map.y);
        if let Some(column) = (at.x - map.x).checked_sub(layout::LABEL) {
            let cell = grid.cell(row, usize::from(column));
            if usize::from(column) < grid.columns && !cell.is_empty() {
                app.clusters.cursor = cell.start;
            }
        }
    }
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;

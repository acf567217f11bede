//! Cursors and scrolling: what a step means in each view.

use crate::app::grid::Grid;
use crate::app::layout;
use crate::app::message::Step;
use crate::app::state::{App, View};
use crate::snapshot::LatencyKind;
use vswap_common::slot::CLUSTER_SLOTS;

/// Slots in a row of an opened cluster.
pub(crate) const SLOTS_A_ROW: u64 = 64;
const SLOTS: u64 = CLUSTER_SLOTS as u64;

/// One step in the shown view.
pub(super) fn travel(app: &mut App, step: Step) {
    if app.help {
        app.help_top = scroll(app.help_top, step, usize::from(app.size.height / 2), usize::MAX);
        return;
    }
    let page = usize::from(app.size.height.saturating_sub(8)).max(1);
    match app.view {
        View::Overview => {
            let last = app.frame.snapshot.memcgs.len().saturating_sub(1);
            app.cgroup_top = scroll(app.cgroup_top, step, 10, last);
        }
        View::Allocator => app.allocator_top = scroll(app.allocator_top, step, 10, 1000),
        View::Doctor => app.doctor_top = scroll(app.doctor_top, step, page, 1000),
        View::Clusters if app.clusters.open => within_cluster(app, step),
        View::Clusters => {
            let grid = app.grid();
            app.clusters.cursor = moved(&grid, app.clusters.cursor, step);
            app.clusters.top = grid.top_for(app.clusters.cursor, app.clusters.top);
        }
        View::Mapping => along_runs(app, step),
        View::Cgroups => {
            let last = app.cgroup_rows.len().saturating_sub(1);
            app.cgroups.cursor = scroll(app.cgroups.cursor, step, page, last);
            keep_row_visible(app);
        }
        View::Latency => app.latency = scroll(app.latency, step, 1, LatencyKind::ALL.len() - 1),
        // The newest event is at the bottom: up means back in time.
        View::Flow => {
            let events = app.frame.watched.log.events.len();
            app.flow.up = match step {
                Step::Up => app.flow.up + 1,
                Step::PageUp => app.flow.up + page,
                Step::Down => app.flow.up.saturating_sub(1),
                Step::PageDown => app.flow.up.saturating_sub(page),
                Step::First => events,
                Step::Last => 0,
                Step::Left | Step::Right => app.flow.up,
            }
            .min(events.saturating_sub(1));
        }
    }
}

/// Keeps the row under the cursor on the screen.
pub(super) fn keep_row_visible(app: &mut App) {
    let body = layout::screen(app.size, app.timeline.is_some()).body;
    let rows = usize::from(layout::cgroups(body).rows.height.saturating_sub(1)).max(1);
    let (cursor, top) = (app.cgroups.cursor, app.cgroups.top);
    app.cgroups.top = top.clamp((cursor + 1).saturating_sub(rows), cursor);
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

/// Last slot of the shown device.
pub(super) fn last_slot(app: &App) -> u64 {
    let Some(device) = app.device() else { return 0 };
    // The header takes slot 0 and is not among the usable pages.
    let told = (device.clusters.len() as u64 * SLOTS).saturating_sub(1);
    if device.pages > 0 && !device.r#virtual { device.pages } else { told }
}

/// In an opened cluster: from slot to slot; a page is the next cluster.
fn within_cluster(app: &mut App, step: Step) {
    let (off, last) = (app.mapping.off, last_slot(app));
    let base = off / SLOTS * SLOTS;
    let end = (base + SLOTS - 1).min(last);
    let to = match step {
        Step::Left => off.saturating_sub(1).max(base),
        Step::Right => (off + 1).min(end),
        Step::Up => off.checked_sub(SLOTS_A_ROW).filter(|o| *o >= base).unwrap_or(off),
        Step::Down => Some(off + SLOTS_A_ROW).filter(|o| *o <= end).unwrap_or(off),
        Step::PageUp => off.checked_sub(SLOTS).unwrap_or(off),
        Step::PageDown => Some(off + SLOTS).filter(|o| *o <= last).unwrap_or(off),
        Step::First => base,
        Step::Last => end,
    };
    go(app, to);
}

/// In the mapping: from run to run, slot to slot, cluster to cluster.
fn along_runs(app: &mut App, step: Step) {
    let (off, last) = (app.mapping.off, last_slot(app));
    let base = off / SLOTS * SLOTS;
    let at = (off - base) as u16;
    let runs = &app.summary.runs;
    let this = runs.iter().position(|r| (r.first..r.first + r.nr).contains(&at));
    let start = |i: usize| runs.get(i).map(|r| base + u64::from(r.first));
    let to = match step {
        Step::Left => off.saturating_sub(1),
        Step::Right => off + 1,
        Step::Up => match this {
            // First to the start of this run, so that no run is passed over.
            Some(i) if start(i).is_some_and(|s| s < off) => start(i).unwrap_or(off),
            Some(i) if i > 0 => start(i - 1).unwrap_or(off),
            _ => base.saturating_sub(1),
        },
        Step::Down => match this {
            Some(i) if i + 1 < runs.len() => start(i + 1).unwrap_or(off),
            _ => base + SLOTS,
        },
        Step::PageUp => base.saturating_sub(SLOTS),
        Step::PageDown => base + SLOTS,
        Step::First => 0,
        Step::Last => last,
    };
    // A step beyond the device stays where it is.
    if to <= last || step == Step::Last {
        go(app, to);
    }
}

/// Puts the cursors of mapping and cluster map on a slot of the shown device.
pub(super) fn go(app: &mut App, off: u64) {
    let off = off.min(last_slot(app));
    app.mapping.off = off;
    app.clusters.cursor = (off / SLOTS) as usize;
    app.clusters.top = app.grid().top_for(app.clusters.cursor, app.clusters.top);
}

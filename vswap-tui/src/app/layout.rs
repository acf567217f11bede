//! Where the parts of the screen are, from its size alone: drawing and the keys that move over it must agree.

use crate::app::SLOTS_A_ROW;
use crate::app::state::{App, View};
use ratatui::layout::{Rect, Size};
use vswap_common::slot::CLUSTER_SLOTS;

/// Smallest terminal that is drawn on; below it only a message fits.
pub const MIN: Size = Size::new(40, 10);

/// The lines around a view and the view itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Source, kernel, time, confirmed share, losses.
    pub header: Rect,
    /// The view.
    pub body: Rect,
    /// Time bar; empty height without a timeline.
    pub timeline: Rect,
    /// Keys and news.
    pub footer: Rect,
}

/// Splits the terminal.
pub fn screen(size: Size, timeline: bool) -> Screen {
    let (w, h) = (size.width, size.height);
    let bar = if timeline && h >= 12 { 2 } else { 0 };
    let body = h.saturating_sub(2 + bar);
    Screen {
        header: Rect::new(0, 0, w, h.min(1)),
        body: Rect::new(0, 1, w, body),
        timeline: Rect::new(0, 1 + body, w, bar),
        footer: Rect::new(0, h.saturating_sub(1), w, h.min(1)),
    }
}

/// Parts of the cluster view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterScreen {
    /// Title with device and scale.
    pub title: Rect,
    /// Row labels and cells.
    pub map: Rect,
    /// Cluster under the cursor, legend, lists; right of the map on wide terminals, below it on narrow ones.
    pub side: Rect,
}

/// Columns of the row labels left of the cells.
pub const LABEL: u16 = 9;
/// Columns of the side panel.
const SIDE: u16 = 42;
/// Rows of the panel below the map.
const BELOW: u16 = 9;

/// Splits the body of the cluster view.
pub fn clusters(body: Rect) -> ClusterScreen {
    let title = Rect { height: body.height.min(1), ..body };
    let rest = Rect { y: body.y + title.height, height: body.height - title.height, ..body };
    if body.width >= 110 {
        let map = Rect { width: rest.width - SIDE - 1, ..rest };
        let side = Rect { x: rest.x + map.width + 1, width: SIDE, ..rest };
        ClusterScreen { title, map, side }
    } else {
        // The map keeps at least half of the rows; the panel drops its last lines first.
        let below = BELOW.min(rest.height / 2);
        let map = Rect { height: rest.height - below, ..rest };
        let side = Rect { y: rest.y + map.height, height: below, ..rest };
        ClusterScreen { title, map, side }
    }
}

/// Rows of one cluster slot by slot: title, slots, legend.
pub const SLOT_ROWS: u16 = 2 + CLUSTER_SLOTS as u16 / SLOTS_A_ROW as u16;

/// Room below a map of `rows` rows for the slots of the cluster under the cursor, where it would be empty else.
pub fn preview(map: Rect, rows: usize) -> Option<Rect> {
    let used = u16::try_from(rows).ok()?.checked_add(1)?;
    let fits = map.width >= LABEL + SLOTS_A_ROW as u16 && map.height >= used.checked_add(SLOT_ROWS)?;
    fits.then(|| Rect { y: map.y + used, height: SLOT_ROWS, ..map })
}

/// Parts of the cgroup view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CgroupScreen {
    /// Head and rows.
    pub rows: Rect,
    /// The cgroup under the cursor.
    pub detail: Rect,
}

/// Splits the body of the cgroup view.
pub fn cgroups(body: Rect) -> CgroupScreen {
    let below = 6.min(body.height / 3);
    let rows = Rect { height: body.height - below, ..body };
    CgroupScreen { rows, detail: Rect { y: rows.y + rows.height, height: below, ..body } }
}

/// Where the views stand in the header: all by number, with names as far as there is room; the shown one always has
/// its name.
pub fn tabs(app: &App) -> Vec<(View, Rect)> {
    let room = app.size.width.saturating_sub(TABS_AFTER);
    let name = |v: &View| v.name().len() as u16;
    let all: u16 = View::ALL.iter().map(|v| 3 + name(v)).sum();
    let mut x = TABS_FROM;
    View::ALL
        .into_iter()
        .map(|view| {
            let named = all <= room.saturating_sub(TABS_FROM) || view == app.view;
            let width = 3 + if named { name(&view) } else { 0 } - u16::from(!named);
            let tab = Rect::new(x, 0, width, 1);
            x += width;
            (view, tab)
        })
        .collect()
}

/// Columns of the header before the tabs: the tool and the source.
pub const TABS_FROM: u16 = 14;
/// Columns kept free behind the tabs for what is never left out: confirmed share and losses.
const TABS_AFTER: u16 = 46;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_tile_every_terminal() {
        for w in 0..200 {
            for h in 0..80 {
                for timeline in [false, true] {
                    let s = screen(Size::new(w, h), timeline);
                    let rows = s.header.height + s.body.height + s.timeline.height + s.footer.height;
                    assert!(rows == h || h < 2, "{w}x{h}");
                    let c = clusters(s.body);
                    for part in [c.title, c.map, c.side] {
                        assert_eq!(part.intersection(s.body), part, "{w}x{h} {part:?} leaves {:?}", s.body);
                    }
                    assert!(c.map.intersection(c.side).is_empty());
                }
            }
        }
    }
}

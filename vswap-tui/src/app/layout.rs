//! Where the parts of the screen are, from its size alone: drawing and the keys that move over it must agree.

use ratatui::layout::{Rect, Size};

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

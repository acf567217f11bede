//! Map of the clusters of one device: a cell a cluster, or as many clusters a cell as make the device fit.

pub mod cell;
mod panel;
pub(crate) mod slots;

use crate::app::grid::Grid;
use crate::app::layout::{self, LABEL};
use crate::app::{App, Paint};
use crate::snapshot::DeviceView;
use crate::ui::format;
use crate::ui::pen::{Pen, tail};
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the view.
pub fn draw(buf: &mut Buffer, body: Rect, theme: Theme, app: &App) {
    let Some(device) = app.device().filter(|d| !d.clusters.is_empty()) else {
        return super::empty(buf, body, theme, app);
    };
    if app.clusters.open {
        return slots::draw(buf, body, theme, app);
    }
    let parts = layout::clusters(body);
    // The drawn size decides, so that a buffer of another size than the state's is still drawn inside its area.
    let grid = Grid::new(device.clusters.len(), parts.map, app.clusters.zoom);
    heading(&mut Pen::new(buf, parts.title), theme, app, device, &grid);
    map(&mut Pen::new(buf, parts.map), theme, app, device, &grid);
    // Not before the collector has looked there; never over cells.
    let below = layout::preview(parts.map, grid.rows).filter(|_| app.preview().is_some());
    if let (Some(part), Some(near)) = (below, app.closeup()) {
        slots::slots(&mut Pen::new(buf, part), theme, near, None);
    }
    panel::draw(&mut Pen::new(buf, parts.side), theme, app, device, &grid);
}

fn heading(pen: &mut Pen<'_>, theme: Theme, app: &App, device: &DeviceView, grid: &Grid) {
    let devices = &app.frame.snapshot.devices;
    let at = devices.iter().position(|d| d.dev == device.dev).unwrap_or(0);
    let which = if devices.len() > 1 { format!(" ({}/{})", at + 1, devices.len()) } else { String::new() };
    let scale = match grid.per_cell {
        1 => "a cell each".into(),
        n => format!("{n} a cell"),
    };
    let part = if grid.rows > grid.visible {
        let last = (app.clusters.top + grid.visible).min(grid.rows);
        format!(", rows {}-{last} of {}", app.clusters.top + 1, grid.rows)
    } else {
        String::new()
    };
    let text = format!(
        "{}{which} {} used; {} clusters, {scale}{part}; {}",
        tail(&device.name, usize::from(pen.width() / 3)),
        format::percent_of(device.used, device.pages),
        format::count(grid.clusters as u64),
        app.clusters.paint.name()
    );
    title(pen, 0, theme, &text, &[]);
}

fn map(pen: &mut Pen<'_>, theme: Theme, app: &App, device: &DeviceView, grid: &Grid) {
    let top = grid.top_for(app.clusters.cursor, app.clusters.top);
    let cursor = grid.place(app.clusters.cursor);
    for y in 0..grid.visible.min(grid.rows.saturating_sub(top)) {
        let row = top + y;
        let first = grid.cell(row, 0).start;
        pen.right(LABEL - 1, y as u16, &first.to_string(), theme.dim());
        for column in 0..grid.columns {
            let range = grid.cell(row, column);
            if range.is_empty() {
                break;
            }
            let group = cell::Group::of(&device.clusters[range]);
            let (c, style) = group.look(theme, app.clusters.paint);
            let style = if (row, column) == cursor { theme.cursor() } else { style };
            pen.cell(LABEL + column as u16, y as u16, c, style);
        }
    }
}

/// Characters of clusters on no list.
const OFF_LIST: &str = "A-I";

/// What the cells show, for the legend: characters with their meaning.
pub(crate) fn legend(paint: Paint) -> &'static [(&'static str, &'static str)] {
    match paint {
        Paint::List => &[
            (".", "free"),
            ("1-9", "nonfull, tenths used"),
            ("a-i", "frag, tenths used"),
            (OFF_LIST, "off list, tenths used"),
            ("#", "full"),
            ("x", "discard"),
        ],
        Paint::Fill => &[(".", "empty"), ("0-9", "tenths of the slots used"), ("#", "full")],
        Paint::Backend => {
            &[("=", "folio"), ("o", "zero"), ("z", "zswap"), ("%", "phys"), ("?", "unknown"), (".", "empty")]
        }
        Paint::Order => &[("0-9", "order the cluster serves"), (".", "empty")],
    }
}

//! Who has how much where: a tree with sums or a flat list, and the one under the cursor against the kernel's files.

mod columns;
mod detail;

use crate::app::App;
use crate::app::layout;
use crate::ui::pen::{Pen, tail, width};
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use columns::{COLUMNS, Column};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

/// Draws the view.
pub fn draw(buf: &mut Buffer, body: Rect, theme: Theme, app: &App) {
    let s = &app.frame.snapshot;
    if s.memcgs.is_empty() {
        return super::empty(buf, body, theme, app);
    }
    let parts = layout::cgroups(body);
    let mut pen = Pen::new(buf, parts.rows);
    heading(&mut pen, theme, app);
    let columns = fitting(pen.width());
    let path = pen.width().saturating_sub(columns.iter().map(|c| c.width).sum::<u16>() + 1);
    let mut end = path;
    for c in &columns {
        end += c.width;
        let sorted = c.sort == Some(app.cgroups.sort);
        let style = if sorted { theme.strong().add_modifier(Modifier::UNDERLINED) } else { theme.dim() };
        pen.right(end, 1, c.head, style);
    }
    let rows = usize::from(pen.height().saturating_sub(2));
    let count = app.cgroup_rows.len();
    // The size drawn may be another than the one the position was kept for.
    let top = app.cgroups.top.clamp((app.cgroups.cursor + 1).saturating_sub(rows.max(1)), app.cgroups.cursor);
    for (i, row) in app.cgroup_rows.iter().enumerate().skip(top).take(rows) {
        let y = (i - top) as u16 + 2;
        let cursor = i == app.cgroups.cursor;
        if cursor {
            pen.row(y, " ", theme.cursor());
        }
        let style = if cursor { theme.cursor() } else { Style::new() };
        let mark = match (row.below, row.folded) {
            (0, _) => ' ',
            (_, true) => '+',
            (_, false) => '-',
        };
        let indent = (row.depth as u16 * 2).min(path / 3);
        pen.cell(1 + indent, y, if app.cgroups.tree { mark } else { ' ' }, style);
        let room = usize::from(path.saturating_sub(indent + 4));
        pen.put(3 + indent, y, &tail(&row.label, room), style);
        let mut end = path;
        for c in &columns {
            end += c.width;
            pen.right(end, y, &(c.value)(row, app), style);
        }
    }
    if count == 0 {
        pen.put(1, 2, "no path fits the filter; Esc takes it off", theme.warn());
    }
    detail::draw(&mut Pen::new(buf, parts.detail), theme, app);
}

fn heading(pen: &mut Pen<'_>, theme: Theme, app: &App) {
    let c = &app.cgroups;
    let all = app.frame.snapshot.memcgs.len();
    let s = if all == 1 { "" } else { "s" };
    let mut text = format!("{all} cgroup{s} with slots, {}", if c.tree { "tree with sums" } else { "flat" });
    text.push_str(&format!(", by {}{}", c.sort.name(), if c.reverse { ", least first" } else { "" }));
    if !c.filter.is_empty() {
        text.push_str(&format!(", only '{}'", c.filter));
    }
    title(pen, 0, theme, &text, &[]);
    let at = format!(" {}/{} ", (c.cursor + 1).min(app.cgroup_rows.len()), app.cgroup_rows.len());
    let x = pen.width().saturating_sub(width(&at) as u16 + 1);
    if usize::from(x) > width(&text) + 4 {
        pen.put(x, 0, &at, theme.dim());
    }
}

/// Columns of the path at least; of long paths the end says most.
const PATH: u16 = 44;

/// Columns from the first on, as long as the path keeps a third of the width, or what most paths take.
fn fitting(width: u16) -> Vec<&'static Column> {
    let mut room = width.saturating_sub((width / 3).clamp(14, PATH));
    let fits = |c: &&Column| {
        let fits = c.width <= room;
        room = room.saturating_sub(c.width);
        fits
    };
    COLUMNS.iter().take_while(fits).collect()
}

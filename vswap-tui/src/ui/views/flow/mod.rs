//! From where to where pages move, and the events that say so.

mod matrix;
mod why;

use super::event;
use crate::app::App;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the view.
pub fn draw(buf: &mut Buffer, body: Rect, theme: Theme, app: &App) {
    let s = &app.frame.snapshot;
    if s.events == 0 && s.used() == 0 {
        return super::empty(buf, body, theme, app);
    }
    let mut rest = body;
    let mut take = |rows: u16| {
        let rows = rows.min(rest.height);
        let part = Rect { height: rows, ..rest };
        rest = Rect { y: rest.y + rows, height: rest.height - rows, ..rest };
        part
    };
    let mut top = take(matrix::ROWS);
    let causes = why::lines(app);
    if body.width >= matrix::BOTH + why::WIDE {
        // Beside the matrices, where nothing else would be.
        let side = Rect { x: top.x + matrix::BOTH, width: top.width - matrix::BOTH, ..top };
        top.width = matrix::BOTH;
        why::draw(&mut Pen::new(buf, side), theme, app, &causes);
    } else if !causes.is_empty() {
        why::draw(&mut Pen::new(buf, take(1 + causes.len() as u16)), theme, app, &causes);
    }
    matrix::draw(&mut Pen::new(buf, top), theme, app);
    log(&mut Pen::new(buf, take(u16::MAX)), theme, app);
}

/// The newest events at the bottom.
fn log(pen: &mut Pen<'_>, theme: Theme, app: &App) {
    let picked = &app.frame.watched.log;
    let filter = if app.flow.text.is_empty() { "all events".into() } else { format!("'{}'", app.flow.text) };
    let since = match picked.whole {
        true => String::new(),
        false => {
            let since = picked.since.saturating_sub(app.frame.snapshot.first_ts);
            format!(", since {}", crate::ui::format::span(since))
        }
    };
    let scrolled = if app.flow.up > 0 { format!(", {} below", app.flow.up) } else { String::new() };
    title(pen, 0, theme, &format!("Events: {filter}, last {}{since}{scrolled}", picked.events.len()), &[]);
    event::heads(pen, 1, theme);
    let rows = usize::from(pen.height().saturating_sub(2));
    let end = picked.events.len().saturating_sub(app.flow.up);
    let shown = &picked.events[end.saturating_sub(rows)..end];
    for (y, e) in (2..).zip(shown) {
        event::draw(pen, y, theme, app, e);
    }
    if picked.events.is_empty() {
        let text = match app.flow.text.is_empty() {
            true => "nothing yet",
            false => "no event fits the filter; Esc takes it off",
        };
        pen.put(1, 2, text, theme.warn());
    }
}

//! The allocator from inside: does the kernel do what the model does, what is on which list, what do the CPUs' caches
//! name, and what would this load need under other designs.

mod agreement;
mod caches;
mod designs;
mod lists;
mod tables;

use crate::app::App;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use crate::ui::widgets::lines::Lines;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the view.
pub fn draw(buf: &mut Buffer, body: Rect, theme: Theme, app: &App) {
    if app.frame.snapshot.events == 0 && app.frame.snapshot.used() == 0 {
        return super::empty(buf, body, theme, app);
    }
    let mut lines = Lines::default();
    agreement::add(&mut lines, body.width, theme, app);
    tables::add(&mut lines, body.width, theme, app);
    lists::add(&mut lines, theme, app);
    caches::add(&mut lines, body.width, app);
    designs::add(&mut lines, app);
    // The last line can be scrolled to, not past.
    let top = app.allocator_top.min(lines.len().saturating_sub(usize::from(body.height)));
    lines.draw(&mut Pen::new(buf, body), theme, top);
}

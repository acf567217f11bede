//! What the load would need under other designs: the table that `vswap replay --compare` prints.

use crate::app::App;
use crate::report::designs;
use crate::ui::widgets::lines::{Lines, Put};
use ratatui::style::Style;

pub(super) fn add(lines: &mut Lines, app: &App) {
    let Some(beside) = app.frame.beside.as_deref().filter(|b| !b.designs.is_empty()) else { return };
    lines.title("The same load under other designs of swap");
    for text in designs::text(&beside.designs, app.page_size()).lines() {
        lines.line().put(1, text, Style::new());
    }
}

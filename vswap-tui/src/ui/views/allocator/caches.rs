//! What the CPUs' caches name: where the next request of an order looks first.

use crate::app::App;
use crate::ui::widgets::lines::{Lines, NAME, Put};
use ratatui::style::Style;

/// Columns of an order.
const COLUMN: u16 = 16;

pub(super) fn add(lines: &mut Lines, width: u16, app: &App) {
    let Some(beside) = app.frame.beside.as_deref().filter(|b| !b.caches.is_empty()) else { return };
    lines.title("CPU caches: order, next slot");
    for cpu in &beside.caches {
        let named = (0u8..).zip(cpu.next).filter_map(|(order, next)| next.map(|at| (order, at)));
        let texts: Vec<String> = named.map(|(order, (dev, off))| format!("o{order} {dev}:{off}")).collect();
        // An offset has up to ten digits; columns of one width can be read down.
        let a_line = usize::from((width.saturating_sub(NAME) / COLUMN).max(1));
        for (i, texts) in texts.chunks(a_line).enumerate() {
            let cells = lines.line();
            if i == 0 {
                cells.put(1, &format!("cpu {}", cpu.cpu), Style::new());
            }
            for (x, text) in (NAME..).step_by(COLUMN.into()).zip(texts) {
                cells.put(x, text, Style::new());
            }
        }
    }
}

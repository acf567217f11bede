//! What the CPUs' caches name: where the next request of an order looks first.

use crate::app::App;
use crate::ui::widgets::lines::{Lines, Put};
use ratatui::style::Style;

pub(super) fn add(lines: &mut Lines, width: u16, app: &App) {
    let Some(beside) = app.frame.beside.as_deref().filter(|b| !b.caches.is_empty()) else { return };
    lines.title("CPU caches: order, next slot");
    for cpu in &beside.caches {
        let named = (0u8..).zip(cpu.next).filter_map(|(order, next)| next.map(|at| (order, at)));
        let texts: Vec<String> = named.map(|(order, (dev, off))| format!("o{order} {dev}:{off}")).collect();
        let cells = lines.line();
        cells.put(1, &format!("cpu {}", cpu.cpu), Style::new());
        let mut x = crate::ui::widgets::lines::NAME;
        for text in texts {
            // An offset has up to ten digits; columns of one width can be read down.
            if x + 15 > width {
                break;
            }
            cells.put(x, &text, Style::new());
            x += 16;
        }
    }
}

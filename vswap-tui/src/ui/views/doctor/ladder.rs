//! The ladder: what can be known of each transition of a slot, on which rung, and why not more.

use crate::app::App;
use crate::kernel::ladder::{Rung, Sight};
use crate::ui::theme::Theme;
use crate::ui::widgets::lines::{Lines, Put};
use ratatui::style::Style;

/// Beginnings of the columns.
const STATE: u16 = 24;
const RUNG: u16 = 33;
const SHOWS: u16 = 47;
/// Where there is room for them: the hooks.
const BY: u16 = 122;

pub(super) fn add(lines: &mut Lines, width: u16, theme: Theme, app: &App) {
    let all = &app.transitions;
    if all.is_empty() {
        return;
    }
    let count = |sight| all.iter().filter(|t| t.state == sight).count();
    lines.title(format!(
        "Transitions of a slot: {} seen, {} inferred, {} blind",
        count(Sight::Seen),
        count(Sight::Inferred),
        count(Sight::Blind)
    ));
    let heads = lines.line();
    for (x, head) in [(1, "transition"), (STATE, "state"), (RUNG, "rung"), (SHOWS, "shows"), (BY, "by")] {
        if x < BY || width > BY + 20 {
            heads.put(x, head, theme.dim());
        }
    }
    for t in all {
        let style = if t.state == Sight::Seen { Style::new() } else { theme.warn() };
        let name = if t.state == Sight::Blind { "BLIND" } else { t.state.name() };
        let cells = lines.line();
        cells.put(1, t.transition, theme.strong());
        cells.put(STATE, name, style);
        cells.put(RUNG, if t.rung == Rung::Nothing { "-" } else { t.rung.name() }, theme.dim());
        cells.put(SHOWS, t.shows, Style::new());
        if width > BY + 20 {
            cells.put(BY, &t.by.join(", "), theme.dim());
        }
        if !t.reason.is_empty() {
            lines.pair("", &t.reason, width, theme.dim());
        }
    }
}

//! The ladder: what can be known of each transition of a slot, on which rung, and why not more.

use crate::app::{App, Origin};
use crate::kernel::ladder::{Rung, Sight};
use crate::ui::theme::Theme;
use crate::ui::widgets::lines::{Lines, Put, wrap};
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
    let room = usize::from(if width > BY + 20 { BY } else { width }.saturating_sub(SHOWS + 1));
    for t in all {
        let style = if t.state == Sight::Seen { Style::new() } else { theme.warn() };
        let name = if t.state == Sight::Blind { "BLIND" } else { t.state.name() };
        let cells = lines.line();
        cells.put(1, t.transition, theme.strong());
        cells.put(STATE, name, style);
        cells.put(RUNG, if t.rung == Rung::Nothing { "-" } else { t.rung.name() }, theme.dim());
        cells.put(SHOWS, &head(t.shows, room), Style::new());
        if width > BY + 20 {
            cells.put(BY, &t.by.join(", "), theme.dim());
        }
        if !t.reason.is_empty() {
            lines.pair("", &t.reason, width, theme.dim());
        }
    }
    if app.origin != Origin::Live && count(Sight::Blind) > 0 {
        let text = "What that host counts without being traced is in no recording: `vswap doctor` there tells what of \
                    the blind ones it counts.";
        lines.pair("", text, width, Style::new());
    }
}

/// The words that fit, marked where some do not.
fn head(text: &str, room: usize) -> String {
    let parts = wrap(text, room);
    if let [whole] = &parts[..] {
        return whole.clone();
    }
    let first = wrap(text, room.saturating_sub(3)).into_iter().next().unwrap_or_default();
    format!("{first} ..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_marked() {
        assert_eq!(head("a page is read", 20), "a page is read");
        assert_eq!(head("a page moves from zswap to the device", 20), "a page moves from ..");
        assert!(head("zswap off, pool or cgroup at its limit", 24).len() <= 24);
    }
}

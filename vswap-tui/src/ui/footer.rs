//! Last line: state of the picture, event rate, and the keys that matter here.

use crate::app::keymap::KEYS;
use crate::app::{App, Playback};
use crate::cli::Speed;
use crate::ui::format;
use crate::ui::pen::{Pen, width};
use crate::ui::theme::Theme;
use ratatui::style::Modifier;

/// Draws the line: what is unusual first, then keys as far as there is room.
pub fn draw(pen: &mut Pen<'_>, theme: Theme, app: &App) {
    let bar = theme.bar();
    pen.row(0, " ", bar);
    let right = format!(" {} events/s ", format::rate(app.frame.events_per_s, 9));
    let mut x = 0u16;
    if let Some(text) = state(app) {
        let text = format!(" {text} ");
        let alarm = app.frame.end.as_ref().is_some_and(|e| !e.clean);
        let style = if alarm { theme.bad() } else { bar.add_modifier(Modifier::BOLD) };
        pen.put(0, 0, &text, style);
        x = width(&text) as u16;
    }
    let end = pen.width().saturating_sub(width(&right) as u16);
    if x < end {
        pen.right(pen.width(), 0, &right, bar);
    }
    for binding in KEYS.iter().filter(|b| !b.hint.is_empty() && b.scope.holds(app)) {
        let key = binding.keys[0].name();
        let room = usize::from(end.saturating_sub(x));
        if width(&key) + width(binding.hint) + 3 > room {
            break;
        }
        pen.put(x + 1, 0, &key, bar.add_modifier(Modifier::BOLD));
        x += 1 + width(&key) as u16;
        pen.put(x + 1, 0, binding.hint, bar);
        x += 2 + width(binding.hint) as u16;
    }
}

fn state(app: &App) -> Option<String> {
    if let Some(end) = &app.frame.end {
        return Some(end.words());
    }
    if let Some(Playback { paused, speed }) = app.frame.playback {
        let speed = match speed {
            Speed::Max => "max".into(),
            Speed::Times(x) => format!("{x}x"),
        };
        return Some(if paused { format!("PAUSED {speed}") } else { speed });
    }
    app.frozen.then(|| "FROZEN, collection goes on".into())
}

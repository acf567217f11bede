//! Last line: what is being typed, or the state of the picture, what this program takes, and the keys that matter here.

use crate::app::keys::KEYS;
use crate::app::{App, Playback, palette};
use crate::cli::Speed;
use crate::ui::format;
use crate::ui::pen::{Pen, width};
use crate::ui::theme::Theme;
use ratatui::style::Modifier;

/// Draws the line: what is unusual first, then keys as far as there is room.
pub fn draw(pen: &mut Pen<'_>, theme: Theme, app: &App) {
    let bar = theme.bar();
    pen.row(0, " ", bar);
    if app.prompt.is_some() {
        return prompt(pen, theme, app);
    }
    let right = vitals(pen.width(), app);
    let mut x = 0u16;
    if let Some((text, alarm)) = state(app) {
        let text = format!(" {text} ");
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

/// Event rate always; own CPU and the ring where there is room.
fn vitals(room: u16, app: &App) -> String {
    let v = &app.frame.vitals;
    let mut parts = Vec::new();
    if room >= 70 {
        parts.push(format!("cpu {}", format::percent(v.own_cpu)));
    }
    if let Some(fill) = v.ring_fill.filter(|_| room >= 100) {
        parts.push(format!("ring {}", format::percent(fill)));
    }
    parts.push(format!("{} events/s", format::rate(app.frame.events_per_s, 9)));
    format!(" {} ", parts.join("  "))
}

/// The line being typed, the cursor, and words that fit.
fn prompt(pen: &mut Pen<'_>, theme: Theme, app: &App) {
    let Some(prompt) = &app.prompt else { return };
    let bar = theme.bar();
    let text = format!("{}{}", prompt.ask.mark(), prompt.text);
    // The end is what is being typed.
    let room = usize::from(pen.width().saturating_sub(2));
    let shown = crate::ui::pen::tail(&text, room);
    pen.put(0, 0, &shown, bar.add_modifier(Modifier::BOLD));
    let mut x = width(&shown) as u16;
    pen.put(x, 0, " ", theme.cursor());
    x += 3;
    for word in palette::candidates(app, prompt) {
        if usize::from(x) + width(&word) > usize::from(pen.width()) {
            break;
        }
        pen.put(x, 0, &word, bar);
        x += width(&word) as u16 + 2;
    }
}

/// What is unusual, and whether it is bad news.
fn state(app: &App) -> Option<(String, bool)> {
    if let Some(notice) = &app.notice {
        return Some((notice.clone(), false));
    }
    if let Some(end) = &app.frame.end {
        return Some((end.words(), !end.clean));
    }
    if let Some(Playback { paused, speed, seeking }) = app.frame.playback {
        let speed = match speed {
            Speed::Max => "max".into(),
            Speed::Times(x) => format!("{x}x"),
        };
        let text = match (seeking, paused) {
            (true, _) => "SEEKING".into(),
            (false, true) => format!("PAUSED {speed}"),
            (false, false) => speed,
        };
        return Some((text, false));
    }
    app.frozen.then(|| ("FROZEN, collection goes on".into(), false))
}

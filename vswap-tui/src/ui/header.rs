//! First line: what is watched, when, how much of it is sure, and what was lost.

use crate::app::{App, View};
use crate::ui::format;
use crate::ui::pen::{Pen, width};
use crate::ui::theme::Theme;
use ratatui::style::Modifier;

/// Columns the beginning of the kernel's release needs to say something.
const RELEASE: usize = 8;

/// Draws the line. Loss is never dropped for want of room; tabs and release go first.
pub fn draw(pen: &mut Pen<'_>, theme: Theme, app: &App) {
    let bar = theme.bar();
    pen.row(0, " ", bar);
    let s = &app.frame.snapshot;
    let lost = s.losses.lost;
    let loss = if lost > 0 || s.losses.gaps > 0 {
        format!(" LOST {} ", format::count(lost))
    } else {
        " lost 0 ".into()
    };
    let style = if lost > 0 || s.losses.gaps > 0 { theme.bad() } else { bar };
    let mut end = pen.width();
    pen.right(end, 0, &loss, style);
    end -= (width(&loss) as u16).min(end);

    let confirmed = format!(" {} confirmed ", format::percent(s.confirmed_share()));
    let sure = if s.unconfirmed > 0 { theme.warn().patch(bar) } else { bar };
    pen.right(end, 0, &confirmed, sure);
    end -= (width(&confirmed) as u16).min(end);

    let mut x = 0;
    let mut put = |x: &mut u16, text: String, style| {
        let fits = usize::from(*x) + width(&text) <= usize::from(end);
        if fits {
            pen.put(*x, 0, &text, style);
            *x += width(&text) as u16;
        }
        fits
    };
    put(&mut x, format!(" vswap {} ", app.origin.name()), bar.add_modifier(Modifier::BOLD));
    let since = if s.first_ts == 0 { 0 } else { app.frame.now.saturating_sub(s.first_ts) };
    let since = format!("  {} ", format::span(since));
    // Time is worth more than the names of the views that are not shown.
    let names: usize = View::ALL.iter().map(|view| 3 + width(view.name())).sum();
    let all = usize::from(x) + names + width(&since) + RELEASE <= usize::from(end);
    for (i, view) in View::ALL.iter().enumerate() {
        let shown = *view == app.view;
        let marks = if shown { Modifier::BOLD | Modifier::UNDERLINED } else { Modifier::empty() };
        // Number and name come together or not at all.
        if usize::from(x) + 3 + width(view.name()) <= usize::from(end) {
            put(&mut x, format!(" {} ", i + 1), bar);
            if shown || all {
                put(&mut x, view.name().into(), bar.add_modifier(marks));
            }
        }
    }
    put(&mut x, since, bar);
    let release = s.header.kernel.release.as_str();
    if !put(&mut x, format!(" {release}"), bar) {
        // The version comes first in a release: its start says most.
        let room = usize::from(end).saturating_sub(usize::from(x) + 3);
        let start: String = release.chars().take(room).collect();
        if room >= 4 {
            put(&mut x, format!(" {start}.."), bar);
        }
    }
    if let Some(realtime) = time_of_day(app) {
        put(&mut x, format!("  {}", format::time_of_day(realtime)), bar);
    }
}

/// The shown instant on the watched machine's wall clock, ns; `None` before the first event and without a clock pair.
fn time_of_day(app: &App) -> Option<u64> {
    let s = &app.frame.snapshot;
    let clock = s.header.clock;
    if clock.realtime_ns == 0 || s.first_ts == 0 {
        return None;
    }
    let ns = i128::from(clock.realtime_ns) + i128::from(app.frame.now) - i128::from(clock.monotonic_ns);
    u64::try_from(ns).ok()
}

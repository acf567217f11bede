//! First line: what is watched, when, how much of it is sure, and what was lost.

use crate::app::App;
use crate::app::layout;
use crate::ui::format;
use crate::ui::pen::{Pen, width};
use crate::ui::theme::Theme;
use ratatui::style::Modifier;

/// Draws the line. Loss is never dropped for want of room; the release goes first, then the time.
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

    // Where nobody looked for what was there before, no share of it can be told.
    let confirmed = match s.all_known() {
        true => format!(" {} confirmed ", format::percent(s.confirmed_share())),
        false => " not all slots known ".to_owned(),
    };
    let doubt = s.unconfirmed > 0 || !s.all_known();
    let sure = if doubt { theme.warn().patch(bar) } else { bar };
    pen.right(end, 0, &confirmed, sure);
    end -= (width(&confirmed) as u16).min(end);
    if let Some((text, differs)) = verified(app) {
        pen.right(end, 0, &text, if differs { theme.bad() } else { bar });
        end -= (width(&text) as u16).min(end);
    }

    pen.put(0, 0, &format!(" vswap {} ", app.origin.name()), bar.add_modifier(Modifier::BOLD));
    let mut x = layout::TABS_FROM;
    for (i, (view, tab)) in layout::tabs(app).into_iter().enumerate() {
        if tab.right() >= end {
            break;
        }
        let shown = view == app.view;
        let marks = if shown { Modifier::BOLD | Modifier::UNDERLINED } else { Modifier::empty() };
        pen.put(tab.x, 0, &format!(" {}", i + 1), bar);
        if tab.width > 2 {
            pen.put(tab.x + 3, 0, view.name(), bar.add_modifier(marks));
        }
        x = tab.right();
    }
    let mut put = |text: String| {
        let fits = usize::from(x) + width(&text) <= usize::from(end);
        if fits {
            pen.put(x, 0, &text, bar);
            x += width(&text) as u16;
        }
        fits
    };
    let since = if s.first_ts == 0 { 0 } else { app.frame.now.saturating_sub(s.first_ts) };
    put(format!("  {}", format::span(since)));
    let release = s.header.kernel.release.as_str();
    if !release.is_empty() && !put(format!("  {release}")) {
        // The version comes first in a release: its start says most.
        let short: String = release.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        if !short.is_empty() {
            put(format!("  {short}.."));
        }
    }
    if let Some(realtime) = time_of_day(app) {
        put(format!("  {}", format::time_of_day(realtime)));
    }
}

/// The last comparison with the kernel's tables in a few words, and whether it is bad news.
fn verified(app: &App) -> Option<(String, bool)> {
    if app.frame.refused.is_some() {
        return Some((" cannot verify ".into(), true));
    }
    let v = app.frame.snapshot.verify.as_ref()?;
    let text = match v.ended {
        true => format!(" verified: {} differ ", format::count(v.differing)),
        false => " verifying ".to_owned(),
    };
    Some((text, v.ended && v.differing > 0))
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

//! First screen: where are the pages, is it getting worse, who is it, what does it cost.
//!
//! ```text
//! [ notice: what was lost or is doubtful ]          only when there is something to say
//! Where it is      now and as sparklines, mix bar, zswap pool
//! Over time        stacked columns                  tall terminals
//! Pages/s          | Latency
//! Why                                               one line, when there is something to say
//! Devices          | Cgroups
//! ```

mod latency;
mod tables;
mod traffic;
mod whereabouts;

use super::causes;
use crate::app::App;
use crate::ui::format;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use crate::ui::widgets::{self, stack};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the view.
pub fn draw(buf: &mut Buffer, body: Rect, theme: Theme, app: &App) {
    let mut rest = body;
    let mut take = |rows: u16| {
        let rows = rows.min(rest.height);
        let part = Rect { height: rows, ..rest };
        rest = Rect { y: rest.y + rows, height: rest.height - rows, ..rest };
        part
    };
    if let Some((text, bad)) = notice(app) {
        let mut pen = Pen::new(buf, take(1));
        let style = if bad { theme.bad() } else { theme.warn() };
        pen.put(0, 0, &format!(" {text} "), style);
    }
    if app.frame.snapshot.events == 0 && app.frame.snapshot.used() == 0 {
        return super::empty(buf, take(u16::MAX), theme, app);
    }
    whereabouts::draw(&mut Pen::new(buf, take(whereabouts::ROWS)), theme, app);
    // On a tall terminal the history gets half of what is left beside the fixed parts.
    let spare = body.height.saturating_sub(whereabouts::ROWS + traffic::ROWS + 8);
    if spare >= 9 {
        let part = take((spare / 2).clamp(6, 20));
        widgets::title(&mut Pen::new(buf, part), 0, theme, "Slots in use, one column a second", &[]);
        let chart = Rect {
            x: part.x + 1,
            y: part.y + 1,
            width: part.width.saturating_sub(2),
            height: part.height - 1,
        };
        stack::draw(&mut Pen::new(buf, chart), theme, &app.summary.bins);
    }
    pair(buf, take(traffic::ROWS), theme, app, traffic::draw, latency::draw);
    // The tables below need their room more, and the flow has it too.
    if body.height > whereabouts::ROWS + traffic::ROWS + 3 && causes::any(app) {
        causes::line(&mut Pen::new(buf, take(1)), theme, &app.frame.snapshot.why);
    }
    pair(buf, take(u16::MAX), theme, app, tables::devices, tables::cgroups);
}

type Panel = fn(&mut Pen<'_>, Theme, &App);

/// Two panels side by side; on narrow terminals the left one keeps its share and the right one is cut.
fn pair(buf: &mut Buffer, part: Rect, theme: Theme, app: &App, left: Panel, right: Panel) {
    if part.width < 60 {
        return left(&mut Pen::new(buf, part), theme, app);
    }
    let w = part.width / 2 - 2;
    left(&mut Pen::new(buf, Rect { width: w, ..part }), theme, app);
    right(&mut Pen::new(buf, Rect { x: part.x + w + 1, width: part.width - w - 1, ..part }), theme, app);
}

/// What the reader must know before believing the numbers, and whether data is missing for it.
fn notice(app: &App) -> Option<(String, bool)> {
    let s = &app.frame.snapshot;
    let l = &s.losses;
    let mut parts = Vec::new();
    let mut say = |n: u64, one: &str, many: &str| {
        if n > 0 {
            parts.push(format!("{} {}", format::count(n), if n == 1 { one } else { many }));
        }
    };
    say(l.lost, "record lost", "records lost");
    say(l.gaps, "gap", "gaps");
    say(l.undecodable, "record unreadable", "records unreadable");
    say(l.untracked, "change not followed (memory)", "changes not followed (memory)");
    let bad = l.lost + l.gaps + l.undecodable + l.untracked > 0;
    say(s.unconfirmed, "slot unconfirmed", "slots unconfirmed");
    say(l.contradictions, "contradiction", "contradictions");
    say(l.inversions, "late event", "late events");
    say(l.overflow, "latency sample dropped", "latency samples dropped");
    (!parts.is_empty()).then(|| (parts.join(", "), bad))
}

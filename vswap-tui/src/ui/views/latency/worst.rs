//! The worst samples of one kind: when, which slot, whose.

use super::super::event::seconds;
use super::label;
use crate::app::App;
use crate::snapshot::LatencyKind;
use crate::ui::format;
use crate::ui::pen::{Pen, tail};
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use ratatui::style::Style;

pub(super) fn draw(pen: &mut Pen<'_>, theme: Theme, app: &App, kind: LatencyKind) {
    let s = &app.frame.snapshot;
    let heads = [(12, "took"), (26, "at second"), (31, "cpu"), (40, "thread")];
    title(pen, 0, theme, "", &heads);
    pen.put(1, 0, " Worst ", theme.strong());
    pen.put(42, 0, " slot ", theme.dim());
    pen.put(58, 0, " owner ", theme.dim());
    let worst = s.latencies.worst.iter().filter(|o| o.kind == kind);
    let mut any = false;
    for (y, o) in (1..pen.height()).zip(worst) {
        any = true;
        pen.right(12, y, &format::duration(o.ns), theme.strong());
        pen.right(26, y, &seconds(o.ts, s.first_ts), Style::new());
        pen.right(31, y, &o.cpu.to_string(), Style::new());
        pen.right(40, y, &o.tid.to_string(), Style::new());
        pen.put(43, y, &format!("{}:{}", o.dev, o.off), Style::new());
        let owner = match (o.memcg, s.path(o.memcg)) {
            (0, _) => "not known".into(),
            (_, Some(path)) => tail(path, usize::from(pen.width().saturating_sub(59))),
            (id, None) => format!("#{id}, path not told"),
        };
        pen.put(59, y, &owner, Style::new());
    }
    if !any {
        pen.put(1, 1, &format!("no sample of {} yet", label(kind).0), theme.dim());
    }
}

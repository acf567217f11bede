//! What a page costs, by kind.

use super::super::latency::label;
use crate::app::App;
use crate::snapshot::LatencyKind;
use crate::ui::format;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use ratatui::style::Style;

pub(super) fn draw(pen: &mut Pen<'_>, theme: Theme, app: &App) {
    // The count goes first when there is no room, then the maximum keeps its place: it is what hurts.
    let wide = pen.width() >= 52;
    let (p50, p99, max, count) = if wide { (23, 33, 43, 52) } else { (21, 31, 41, u16::MAX) };
    let mut heads = vec![(p50, "p50"), (p99, "p99"), (max, "max")];
    if wide {
        heads.push((count, "count"));
    }
    title(pen, 0, theme, "Latency", &heads);
    for (i, kind) in LatencyKind::ALL.iter().enumerate() {
        let y = 1 + i as u16;
        let (name, backend) = label(*kind);
        let p = &app.frame.snapshot.latency[*kind as usize];
        pen.put(1, y, name, theme.backend(backend));
        if p.count == 0 {
            pen.right(p50, y, "-", theme.dim());
            continue;
        }
        for (end, value) in [(p50, p.p50), (p99, p.p99), (max, p.max)] {
            pen.right(end, y, &format::duration(value), Style::new());
        }
        if wide {
            pen.right(count, y, &format::count_in(p.count, 8), Style::new());
        }
    }
}

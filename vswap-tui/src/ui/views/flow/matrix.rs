//! Slots that moved, from each place to each: a second, and since the start.

use crate::app::App;
use crate::snapshot::Backend;
use crate::ui::format;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use ratatui::style::Style;

/// Title, heads, five rows.
pub(super) const ROWS: u16 = 7;
/// Columns of a name and of a figure.
const NAME: u16 = 9;
const FIGURE: u16 = 9;
/// Columns of one matrix.
const WIDTH: u16 = NAME + 5 * FIGURE + 2;

/// Columns of both.
pub(super) const BOTH: u16 = 2 * WIDTH;

/// Both matrices; where there is room for one, the rates, or what they came to since the start.
pub(super) fn draw(pen: &mut Pen<'_>, theme: Theme, app: &App) {
    const TOTALS: &str = "Slots since the start";
    let s = &app.frame.snapshot;
    let total = |from: usize, to: usize| match s.transitions[from][to] {
        0 => ".".into(),
        n => format::count_in(n, 8),
    };
    let wide = pen.width() >= BOTH;
    let before = if wide { app.baseline.before(app.frame.now) } else { app.flow_since() };
    let rate = |from: usize, to: usize| {
        let Some((then, seconds)) = before else { return "-".into() };
        let moved = s.transitions[from][to].saturating_sub(then.transitions[from][to]);
        if moved == 0 { ".".into() } else { format::rate(moved as f64 / seconds, 8) }
    };
    if wide || before.is_some() {
        title(pen, 0, theme, "Slots a second, from row to column", &[]);
        one(pen, 0, theme, rate);
    } else {
        title(pen, 0, theme, &format!("{TOTALS}, from row to column"), &[]);
        one(pen, 0, theme, total);
    }
    if wide {
        pen.put(WIDTH + 1, 0, &format!(" {TOTALS} "), theme.strong());
        one(pen, WIDTH, theme, total);
    } else if before.is_some() {
        // The sums at least, beside the rows.
        pen.right(pen.width().saturating_sub(1), 1, "all so far", theme.dim());
        for (y, row) in (2..).zip(&s.transitions) {
            let sum = format::count_in(row.iter().sum(), 12);
            pen.right(pen.width().saturating_sub(1), y, &sum, Style::new());
        }
    }
}

fn one(pen: &mut Pen<'_>, x: u16, theme: Theme, value: impl Fn(usize, usize) -> String) {
    for (i, backend) in Backend::ALL.into_iter().enumerate() {
        let i16 = i as u16;
        pen.right(x + NAME + (i16 + 1) * FIGURE, 1, name(backend), style(theme, backend));
        pen.put(x + 1, 2 + i16, name(backend), style(theme, backend));
        for to in (0..5).filter(|to| *to != i) {
            let text = value(i, to);
            let plain = if text == "." { theme.dim() } else { Style::new() };
            pen.right(x + NAME + (to as u16 + 1) * FIGURE, 2 + i16, &text, plain);
        }
    }
}

const fn name(backend: Backend) -> &'static str {
    match backend {
        Backend::None => "free",
        other => other.name(),
    }
}

fn style(theme: Theme, backend: Backend) -> Style {
    if backend == Backend::None { theme.dim() } else { theme.backend(backend) }
}

//! Why pages move, a second or since the start: by who reclaims, by the cause of a writeback, by the reason of a refusal.

use super::super::causes::{Question, questions};
use crate::app::App;
use crate::ui::format;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use ratatui::style::Style;

/// Columns that the lines are worth beside the matrices.
pub(super) const WIDE: u16 = 60;
/// Column of the causes.
const CAUSES: u16 = 22;

/// A question with the rates of its answers, largest first.
pub(super) struct Line {
    head: &'static str,
    text: String,
}

/// What had a cause since the start, with the rates of now or the sums: a line that is there once stays.
pub(super) fn lines(app: &App) -> Vec<Line> {
    let then = app.flow_since().map(|(s, seconds)| (questions(&s.why), seconds));
    let line = |(i, q): (usize, Question)| {
        if q.answers.iter().all(|(_, n)| *n == 0) {
            return None;
        }
        let text = match &then {
            None => sums(q.answers.iter().copied(), |n| format::count_in(n, 9)),
            Some((was, seconds)) => rates(&q, &was[i], *seconds),
        };
        Some(Line { head: q.head, text })
    };
    questions(&app.frame.snapshot.why).into_iter().enumerate().filter_map(line).collect()
}

fn rates(now: &Question, was: &Question, seconds: f64) -> String {
    let both = now.answers.iter().zip(&was.answers);
    let more = both.map(|((name, n), (_, before))| (*name, n.saturating_sub(*before)));
    sums(more, |n| format::rate(n as f64 / seconds, 9))
}

/// Causes with their numbers, largest first.
fn sums<'a>(answers: impl Iterator<Item = (&'a str, u64)>, told: impl Fn(u64) -> String) -> String {
    let mut some: Vec<(&str, u64)> = answers.filter(|(_, n)| *n > 0).collect();
    some.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let texts: Vec<String> = some.iter().map(|(name, n)| format!("{name} {}", told(*n))).collect();
    if texts.is_empty() { "0".into() } else { texts.join(", ") }
}

/// Title and lines; what does not fit is cut from their ends.
pub(super) fn draw(pen: &mut Pen<'_>, theme: Theme, app: &App, lines: &[Line]) {
    let head = if app.flow_since().is_some() { "Why, a second" } else { "Why, since the start" };
    title(pen, 0, theme, head, &[]);
    for (y, line) in (1..).zip(lines) {
        pen.put(1, y, line.head, theme.dim());
        pen.put(CAUSES, y, &line.text, Style::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_rate_comes_first_and_silence_is_nothing() {
        let question =
            |n: [u64; 3]| Question { head: "", answers: ["a", "b", "c"].into_iter().zip(n).collect() };
        let (was, now) = (question([1, 1, 7]), question([11, 31, 7]));
        assert_eq!(rates(&now, &was, 2.0), "b 15, a 5.0");
        assert_eq!(rates(&now, &now, 2.0), "0");
    }
}

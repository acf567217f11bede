//! Time bar of a replay: where it stands, and when much happened.

use crate::app::App;
use crate::app::frame::Timeline;
use crate::ui::format;
use crate::ui::pen::{Pen, width};
use crate::ui::theme::Theme;
use crate::ui::widgets::spark;

/// Draws two lines: density of events over the whole recording, position below it.
pub fn draw(pen: &mut Pen<'_>, theme: Theme, app: &App, timeline: &Timeline) {
    let now = app.frame.now.clamp(timeline.start, timeline.end.max(timeline.start));
    let total = format::span(timeline.end.saturating_sub(timeline.start));
    let at = format::span(now.saturating_sub(timeline.start));
    // As wide as the total, so that the bar does not move while the position grows.
    let margin = width(&total).max(width(&at)) as u16 + 2;
    let bar = pen.width().saturating_sub(2 * margin);
    if bar == 0 {
        return;
    }
    let columns = squeeze(&timeline.density, usize::from(bar));
    let max = columns.iter().copied().max().unwrap_or(0);
    let position = (timeline.position(now) * f64::from(bar - 1)).round() as u16;
    let glyphs = theme.spark();
    for (i, events) in columns.iter().enumerate() {
        let i = i as u16;
        let style = if i <= position { theme.strong() } else { theme.dim() };
        pen.put(margin + i, 0, glyphs[spark::level(*events, max)], style);
        pen.put(margin + i, 1, if i < position { "=" } else { theme.rule() }, style);
    }
    pen.put(margin + position, 1, "|", theme.cursor());
    pen.put(0, 0, " events", theme.dim());
    pen.right(margin - 1, 1, &at, theme.strong());
    pen.put(margin + bar + 1, 1, &total, theme.dim());
}

/// Sums equal parts into `columns` columns, keeping every event.
fn squeeze(density: &[u64], columns: usize) -> Vec<u64> {
    let mut out = vec![0u64; columns];
    for (i, events) in density.iter().enumerate() {
        if columns <= density.len() {
            out[i * columns / density.len()] += events;
        } else {
            let from = i * columns / density.len();
            let to = (i + 1) * columns / density.len();
            out[from..to].fill(*events);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squeezing_keeps_every_event_and_stretching_leaves_no_hole() {
        let density: Vec<u64> = (0..512).collect();
        for columns in [1, 7, 60, 511, 512] {
            assert_eq!(squeeze(&density, columns).iter().sum::<u64>(), (0..512).sum::<u64>());
        }
        assert!(squeeze(&[3; 512], 700).iter().all(|n| *n == 3));
        assert_eq!(squeeze(&[], 4), [0; 4]);
    }
}

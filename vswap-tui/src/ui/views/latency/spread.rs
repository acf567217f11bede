//! The spread of one kind: a bar for each step of duration.

use super::label;
use crate::app::App;
use crate::snapshot::LatencyKind;
use crate::snapshot::latency::bucket_start;
use crate::ui::format;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use ratatui::style::Style;

/// Ends of duration and count.
const FROM: u16 = 10;
const COUNT: u16 = 20;

pub(super) fn draw(pen: &mut Pen<'_>, theme: Theme, app: &App, kind: LatencyKind) {
    let (name, backend) = label(kind);
    title(pen, 0, theme, &format!("Spread of {name}"), &[]);
    let buckets = &app.frame.snapshot.latencies.buckets[kind as usize];
    let bars = bars(buckets, usize::from(pen.height().saturating_sub(1)));
    if bars.is_empty() {
        pen.put(1, 1, "no sample yet", theme.dim());
        return;
    }
    let most = bars.iter().map(|b| b.1).max().unwrap_or(1).max(1);
    let room = pen.width().saturating_sub(COUNT + 2);
    let fill = if theme.colour() { ' ' } else { Theme::backend_char(backend) };
    for (y, (from, n)) in (1..).zip(&bars) {
        pen.right(FROM, y, &format::duration(*from), theme.dim());
        pen.right(COUNT, y, &format::count_in(*n, 9), Style::new());
        let long = (u128::from(*n) * u128::from(room)).div_ceil(u128::from(most)) as u16;
        for x in 0..long {
            pen.cell(COUNT + 1 + x, y, fill, theme.backend_area(backend));
        }
    }
}

/// Smallest duration and samples of each bar, from the first with samples to the last; as many neighbours are put
/// together as it takes to fit into `rows`.
fn bars(buckets: &[u64], rows: usize) -> Vec<(u64, u64)> {
    let (Some(first), Some(last)) =
        (buckets.iter().position(|n| *n > 0), buckets.iter().rposition(|n| *n > 0))
    else {
        return Vec::new();
    };
    let mut step = 1;
    while (last / step) - (first / step) + 1 > rows.max(1) {
        step *= 2;
    }
    let first = first / step * step;
    let sums = buckets[first..=last].chunks(step).map(|c| c.iter().sum());
    (0..).map(|i| bucket_start(first + i * step)).zip(sums).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::latency::{BUCKETS, bucket};

    #[test]
    fn every_sample_is_in_a_bar_and_the_bars_fit() {
        let mut buckets = [0u64; BUCKETS];
        for ns in [3, 900, 81_000, 90_000, 4_000_000, 3_600_000_000_000] {
            buckets[bucket(ns)] += 1;
        }
        for rows in [1, 2, 5, 10, 100] {
            let bars = bars(&buckets, rows);
            assert!(bars.len() <= rows, "{} in {rows}", bars.len());
            assert_eq!(bars.iter().map(|b| b.1).sum::<u64>(), 6);
            assert!(bars[0].0 <= 3);
        }
        assert!(bars(&[0; BUCKETS], 9).is_empty());
    }
}

//! Percentiles of one kind over time: a column an interval, the newest at the right.

use super::label;
use crate::app::App;
use crate::snapshot::LatencyKind;
use crate::snapshot::latency::{LatencyPoint, bucket, bucket_start};
use crate::ui::format;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use crate::ui::widgets::title;

/// Columns of the scale.
const SCALE: u16 = 10;

pub(super) fn draw(pen: &mut Pen<'_>, theme: Theme, app: &App, kind: LatencyKind) {
    let (name, backend) = label(kind);
    title(pen, 0, theme, &format!("{name} over time: o p50, x p99"), &[]);
    let k = kind as usize;
    let room = usize::from(pen.width().saturating_sub(SCALE + 2));
    let points = &app.frame.snapshot.latencies.points;
    let shown: Vec<&LatencyPoint> = points.iter().filter(|p| p.count[k] > 0).collect();
    let shown = &shown[shown.len().saturating_sub(room)..];
    let rows = usize::from(pen.height().saturating_sub(1));
    let (Some(low), Some(high)) =
        (shown.iter().map(|p| bucket(p.p50[k])).min(), shown.iter().map(|p| bucket(p.p99[k])).max())
    else {
        pen.put(1, 1, "no interval with samples yet", theme.dim());
        return;
    };
    if rows == 0 {
        return;
    }
    // A row for each step of the logarithmic scale, or several steps a row.
    let step = (high - low + 1).div_ceil(rows).max(1);
    let used = (high - low) / step;
    let row = |ns: u64| 1 + (used - (bucket(ns).clamp(low, high) - low) / step) as u16;
    for i in 0..=used {
        let text = format::duration(bucket_start(low + (used - i) * step));
        pen.right(SCALE, 1 + i as u16, &text, theme.dim());
    }
    let start = SCALE + 1 + (room - shown.len()) as u16;
    for (x, p) in (start..).zip(shown) {
        pen.cell(x, row(p.p50[k]), 'o', theme.backend(backend));
        pen.cell(x, row(p.p99[k]), 'x', theme.strong());
    }
}

//! How long pages take: percentiles of every kind, the spread of the one under the cursor, how it changed, the worst.
//!
//! ```text
//! kinds with percentiles
//! spread of one kind      | its percentiles over time
//! worst samples           | (below each other on narrow terminals)
//! ```

mod over_time;
mod spread;
mod worst;

use crate::app::App;
use crate::snapshot::{Backend, LatencyKind};
use crate::ui::format;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Title and kinds.
const KINDS: u16 = 1 + LatencyKind::ALL.len() as u16;

/// Name of a kind and the backend whose colour it has.
pub(super) const fn label(kind: LatencyKind) -> (&'static str, Backend) {
    match kind {
        LatencyKind::LoadZero => ("in zero", Backend::Zero),
        LatencyKind::LoadZswap => ("in zswap", Backend::Zswap),
        LatencyKind::LoadPhys => ("in phys", Backend::Phys),
        LatencyKind::StoreZswap => ("out zswap", Backend::Zswap),
        LatencyKind::WritePhys => ("out phys", Backend::Phys),
        LatencyKind::InZswap => ("stay zswap", Backend::Zswap),
    }
}

/// What is measured, in words.
const fn meaning(kind: LatencyKind) -> &'static str {
    match kind {
        LatencyKind::LoadZero => "swap-in of a zero page: filling it",
        LatencyKind::LoadZswap => "swap-in from zswap: finding and decompressing",
        LatencyKind::LoadPhys => "swap-in from the device: until the read was done",
        LatencyKind::StoreZswap => "swap-out of a folio into zswap: compressing",
        LatencyKind::WritePhys => "write to the device: queued until done",
        LatencyKind::InZswap => "how long a page stayed in zswap",
    }
}

/// Draws the view.
pub fn draw(buf: &mut Buffer, body: Rect, theme: Theme, app: &App) {
    let s = &app.frame.snapshot;
    if s.events == 0 && s.used() == 0 {
        return super::empty(buf, body, theme, app);
    }
    let kind = LatencyKind::ALL[app.latency.min(LatencyKind::ALL.len() - 1)];
    let top = KINDS.min(body.height);
    kinds(&mut Pen::new(buf, Rect { height: top, ..body }), theme, app);
    let rest = Rect { y: body.y + top, height: body.height - top, ..body };
    // The worst need the width; the two charts stand beside each other above them where there is room.
    let worst_rows = (rest.height / 3).clamp(3, 12).min(rest.height);
    let charts = Rect { height: rest.height - worst_rows, ..rest };
    let half = if body.width >= 76 { charts.width / 2 } else { charts.width };
    spread::draw(&mut Pen::new(buf, Rect { width: half, ..charts }), theme, app, kind);
    if half < charts.width {
        let right = Rect { x: charts.x + half + 1, width: charts.width - half - 1, ..charts };
        over_time::draw(&mut Pen::new(buf, right), theme, app, kind);
    }
    let low = Rect { y: rest.y + charts.height, height: worst_rows, ..rest };
    worst::draw(&mut Pen::new(buf, low), theme, app, kind);
}

fn kinds(pen: &mut Pen<'_>, theme: Theme, app: &App) {
    const FIRST: u16 = 14;
    const WIDTH: u16 = 10;
    let columns = ["samples", "p50", "p90", "p99", "p99.9", "max"];
    let ends: Vec<u16> = (0..columns.len() as u16).map(|i| FIRST + (i + 1) * WIDTH).collect();
    let heads: Vec<(u16, &str)> = ends.iter().copied().zip(columns).collect();
    title(pen, 0, theme, "Latency", &heads);
    for (i, kind) in LatencyKind::ALL.into_iter().enumerate() {
        let y = 1 + i as u16;
        let cursor = i == app.latency;
        let (name, backend) = label(kind);
        if cursor {
            pen.row(y, " ", theme.cursor());
        }
        let plain = if cursor { theme.cursor() } else { Style::new() };
        pen.put(1, y, name, if cursor { plain } else { theme.backend(backend) });
        let p = &app.frame.snapshot.latency[kind as usize];
        pen.right(ends[0], y, &format::count_in(p.count, 9), plain);
        for (end, value) in ends[1..].iter().zip([p.p50, p.p90, p.p99, p.p999, p.max]) {
            let text = if p.count == 0 { "-".into() } else { format::duration(value) };
            pen.right(*end, y, &text, plain);
        }
        if pen.width() > ends[5] + 40 {
            pen.put(ends[5] + 3, y, meaning(kind), plain);
        }
    }
}

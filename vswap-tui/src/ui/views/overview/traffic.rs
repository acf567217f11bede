//! Pages that move, per second, by the backend that takes or serves them.

use crate::app::App;
use crate::snapshot::{Backend, Totals};
use crate::ui::format;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use crate::ui::widgets::{spark, title};
use ratatui::style::Style;

/// Title and six rows.
pub(super) const ROWS: u16 = 7;

/// Ends of the columns.
const OUT: u16 = 24;
const IN: u16 = 35;

/// Backend, name, pages out, pages in, both of a second of history.
type Row = (Option<Backend>, &'static str, f64, Option<f64>, fn(&Totals) -> u64);

pub(super) fn draw(pen: &mut Pen<'_>, theme: Theme, app: &App) {
    let r = &app.summary.rates;
    title(pen, 0, theme, "Pages/s", &[(OUT, "out"), (IN, "in")]);
    let rows: [Row; 6] = [
        (Some(Backend::Zero), "zero", r.zero_out, Some(r.zero_in), |t| t.swpout_zero + t.swpin_zero),
        (Some(Backend::Zswap), "zswap", r.zswap_out, Some(r.zswap_in), |t| t.zswpout + t.zswpin),
        (Some(Backend::Phys), "phys", r.phys_out, Some(r.phys_in), |t| t.pswpout + t.pswpin),
        (None, "zswap>phys", r.writeback, None, |t| t.zswpwb),
        (None, "slots +/-", r.alloc, Some(r.free), |t| t.alloc + t.free),
        (None, "refused", r.refused, None, |t| t.zswap_reject + t.writeout_reject + t.alloc_fail),
    ];
    let room = pen.width().saturating_sub(IN + 3);
    for (i, (backend, name, out, into, total)) in rows.into_iter().enumerate() {
        let y = 1 + i as u16;
        let style = backend.map_or(Style::new(), |b| theme.backend(b));
        if let Some(b) = backend {
            pen.cell(1, y, Theme::backend_char(b), style);
        }
        pen.put(3, y, name, style);
        let alarm = name == "refused" && out > 0.0;
        pen.right(OUT, y, &format::rate(out, 9), if alarm { theme.warn() } else { Style::new() });
        if let Some(into) = into {
            pen.right(IN, y, &format::rate(into, 9), Style::new());
        }
        if room >= 8 {
            let values = app.summary.bins.iter().map(|b| total(&b.delta));
            spark::draw(pen, (IN + 2, y), room, theme, style, values);
        }
    }
}

//! Devices and cgroups, as many as there is room for.

use crate::app::App;
use crate::snapshot::{Backend, MemcgView};
use crate::ui::format;
use crate::ui::pen::{Pen, tail};
use crate::ui::theme::Theme;
use crate::ui::widgets::{mix_bar, title};
use ratatui::style::Style;

pub(super) fn devices(pen: &mut Pen<'_>, theme: Theme, app: &App) {
    let w = pen.width();
    // Name takes what the numbers leave; the mix is drawn where there is room for it.
    let bar = if w >= 50 { (w - 40).min(40) } else { 0 };
    let prio = w.saturating_sub(1);
    let used = prio.saturating_sub(5 + if bar > 0 { bar + 1 } else { 0 });
    let size = used.saturating_sub(8);
    let name = usize::from(size.saturating_sub(10 + 3));
    let mut heads = vec![(size, "size"), (used, "used"), (prio, "prio")];
    if bar > 0 {
        heads.push((used + bar + 1, "mix"));
    }
    title(pen, 0, theme, "Devices", &heads);
    let rows = pen.height().saturating_sub(1);
    let all = &app.frame.snapshot.devices;
    if all.is_empty() {
        pen.put(1, 1, "none in use", theme.warn());
    }
    let fit = fits(all.len(), rows);
    for (i, d) in all.iter().take(fit).enumerate() {
        let y = 1 + i as u16;
        pen.right(2, y, &d.dev.to_string(), theme.dim());
        pen.put(3, y, &tail(&d.name, name), Style::new());
        let pages = match (d.r#virtual, d.pages) {
            (true, _) => "virtual".into(),
            (false, 0) => "-".into(),
            (false, pages) => format::bytes(pages.saturating_mul(app.page_size())),
        };
        pen.right(size, y, &pages, Style::new());
        let full = d.pages > 0 && d.used.saturating_mul(10) >= d.pages.saturating_mul(9);
        // A virtual device has no size: slots in use say more.
        let share = match (d.active, d.r#virtual) {
            (false, _) => "off".into(),
            (true, true) => format::count_in(d.used, 5),
            (true, false) => format::percent_of(d.used, d.pages),
        };
        pen.right(used, y, &share, if full { theme.warn() } else { Style::new() });
        if bar > 0 {
            mix_bar::draw(pen, (used + 1, y), bar, theme, &d.mix, d.pages);
        }
        pen.right(prio, y, &d.prio.to_string(), Style::new());
    }
    more(pen, theme, all.len(), fit);
}

/// Columns of the cgroup table in the order in which they are worth their room: head, columns, value.
type Column = (&'static str, u16, fn(&MemcgView, u64) -> String);
const COLUMNS: [Column; 7] = [
    ("slots", 10, |m, _| format::count_in(m.slots, 9)),
    ("zswap", 9, |m, _| format::count_in(m.mix[Backend::Zswap as usize], 8)),
    ("phys", 9, |m, _| format::count_in(m.mix[Backend::Phys as usize], 8)),
    ("zero", 8, |m, _| format::count_in(m.mix[Backend::Zero as usize], 7)),
    ("ratio", 6, |m, page| ratio(m, page)),
    ("charged", 10, |m, _| format::count_in(m.charged, 9)),
    ("bytes", 10, |m, page| format::bytes(m.slots.saturating_mul(page))),
];

/// Uncompressed over compressed bytes in zswap.
fn ratio(m: &MemcgView, page: u64) -> String {
    let pages = m.mix[Backend::Zswap as usize];
    if m.zswap_bytes == 0 || pages == 0 {
        return "-".into();
    }
    format!("{:.2}", pages.saturating_mul(page) as f64 / m.zswap_bytes as f64)
}

pub(super) fn cgroups(pen: &mut Pen<'_>, theme: Theme, app: &App) {
    let all = &app.frame.snapshot.memcgs;
    let rows = pen.height().saturating_sub(1);
    // The path keeps at least a third; columns that do not fit are dropped from the end.
    let mut room = (pen.width().saturating_sub(2)).saturating_sub((pen.width() / 3).max(12));
    let shown: Vec<&Column> = COLUMNS
        .iter()
        .take_while(|(_, w, _)| {
            let fits = *w <= room;
            room = room.saturating_sub(*w);
            fits
        })
        .collect();
    let wide: u16 = shown.iter().map(|c| c.1).sum();
    let path = pen.width().saturating_sub(wide + 2);
    let mut heads = Vec::new();
    let mut end = path + 1;
    for (head, w, _) in &shown {
        end += w;
        heads.push((end, *head));
    }
    let text = if all.is_empty() { "Cgroups".into() } else { format!("Cgroups {}", all.len()) };
    title(pen, 0, theme, &text, &heads);
    if all.is_empty() {
        pen.put(1, 1, "none has slots", Style::new());
    }
    let fit = fits(all.len().saturating_sub(app.cgroup_top), rows);
    let top = app.cgroup_top.min(all.len().saturating_sub(1));
    for (i, m) in all.iter().skip(top).take(fit).enumerate() {
        let y = 1 + i as u16;
        pen.put(1, y, &tail(&m.path, usize::from(path)), Style::new());
        let mut end = path + 1;
        for (_, w, value) in &shown {
            end += w;
            pen.right(end, y, &value(m, app.page_size()), Style::new());
        }
    }
    more(pen, theme, all.len() - top.min(all.len()), fit);
}

/// Rows to draw: one is given up for "and N more" when not all fit.
fn fits(items: usize, rows: u16) -> usize {
    let rows = usize::from(rows);
    if items <= rows { items } else { rows.saturating_sub(1) }
}

fn more(pen: &mut Pen<'_>, theme: Theme, items: usize, fit: usize) {
    if items > fit && pen.height() > 1 {
        let y = pen.height() - 1;
        pen.put(3, y, &format!("and {} more", items - fit), theme.dim());
    }
}

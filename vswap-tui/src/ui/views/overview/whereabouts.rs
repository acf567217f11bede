//! Where the swapped pages are: slots, bytes, share and history of each backend, the mix as a bar, the zswap pool.

use crate::app::App;
use crate::snapshot::{Backend, DeviceView, Snapshot};
use crate::ui::format;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use crate::ui::widgets::mix_bar::{self, ORDER};
use crate::ui::widgets::{spark, title};
use ratatui::style::Style;

/// Title, five backends, total, bar, zswap, waste.
pub(super) const ROWS: u16 = 10;

/// Ends of the columns.
const SLOTS: u16 = 24;
const BYTES: u16 = 35;
const SHARE: u16 = 44;

pub(super) fn draw(pen: &mut Pen<'_>, theme: Theme, app: &App) {
    let s = &app.frame.snapshot;
    let used = s.used();
    let room = pen.width().saturating_sub(SHARE + 3);
    let shown = usize::from(room).min(app.summary.bins.len());
    let last = format!("last {}", if shown < 2 { "seconds".into() } else { format!("{shown} s") });
    let mut heads = vec![(SLOTS, "slots"), (BYTES, "bytes"), (SHARE, "share")];
    if room >= 12 {
        heads.push((pen.width() - 1, &last));
    }
    title(pen, 0, theme, "Where it is", &heads);
    for (i, backend) in ORDER.iter().enumerate() {
        let y = 1 + i as u16;
        let n = s.mix[*backend as usize];
        let style = theme.backend(*backend);
        pen.cell(1, y, Theme::backend_char(*backend), style);
        pen.put(3, y, Theme::backend_name(*backend), style);
        numbers(pen, y, n, app);
        pen.right(SHARE, y, &format::percent_of(n, used), Style::new());
        if room >= 8 {
            let values = app.summary.bins.iter().map(|b| b.mix[*backend as usize]);
            spark::draw(pen, (SHARE + 2, y), room, theme, style, values);
        }
    }
    pen.put(3, 6, "in use", theme.strong());
    numbers(pen, 6, used, app);
    if s.cached > 0 {
        // "also": the folio is a copy, the slot counts where its data is.
        let text =
            format!("also cached {} ({})", format::count(s.cached), format::percent_of(s.cached, used));
        pen.put(SHARE + 2, 6, &text, Style::new());
    }
    let width = pen.width().saturating_sub(2);
    mix_bar::draw(pen, (1, 7), width, theme, &s.mix, 0);
    pen.put(1, 8, &zswap(s, app.page_size()), Style::new());
    let (text, much) = waste(s, app.page_size());
    pen.put(1, 9, &text, if much { theme.warn() } else { Style::new() });
}

/// Slots that take room on devices and hold nothing there, and whether they are most of those in use. With a virtual
/// device: how many virtual slots, and how many of the devices' own.
fn waste(s: &Snapshot, page: u64) -> (String, bool) {
    let sum = |is_virtual: bool, part: fn(&DeviceView) -> u64| {
        s.devices.iter().filter(|d| d.r#virtual == is_virtual).map(part).sum::<u64>()
    };
    let real = sum(false, |d| d.used);
    let waste = sum(false, DeviceView::waste);
    let much = format!("{}, {}", format::bytes(waste.saturating_mul(page)), format::percent_of(waste, real));
    let n = format::count(waste);
    let text = if s.devices.iter().any(|d| d.r#virtual) {
        let used = format::count(sum(true, |d| d.used));
        let idle = if waste == 0 {
            "none of them wasted".to_owned()
        } else {
            format!("{n} of them wasted ({much})")
        };
        format!("virtual slots in use {used}, physical ones {}, {idle}", format::count(real))
    } else if waste == 0 {
        "no slot of a device holds only zswap or zero pages".to_owned()
    } else {
        format!("waste: {n} device slots ({much}) hold only zswap or zero pages")
    };
    (text, waste > real / 2 && waste > 0)
}

fn numbers(pen: &mut Pen<'_>, y: u16, slots: u64, app: &App) {
    pen.right(SLOTS, y, &format::count_in(slots, 13), Style::new());
    pen.right(BYTES, y, &format::bytes(slots.saturating_mul(app.page_size())), Style::new());
}

/// The zswap pool in a sentence: what it holds, what that takes, the ratio.
fn zswap(s: &Snapshot, page: u64) -> String {
    let pages = s.mix[Backend::Zswap as usize];
    if pages == 0 {
        return "zswap holds nothing".into();
    }
    let held = pages.saturating_mul(page);
    if s.zswap_bytes == 0 {
        return format!("zswap holds {}; compressed size not known yet", format::bytes(held));
    }
    let ratio = held as f64 / s.zswap_bytes as f64;
    format!(
        "zswap holds {} in {}, ratio {ratio:.2}, saves {}",
        format::bytes(held),
        format::bytes(s.zswap_bytes),
        format::bytes(held.saturating_sub(s.zswap_bytes))
    )
}

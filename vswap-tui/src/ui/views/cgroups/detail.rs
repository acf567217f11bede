//! The cgroup under the cursor: what moved, and our count against the kernel's own files.

use super::super::causes::{cause, shares};
use super::columns::{difference, ratio};
use crate::app::App;
use crate::app::cgroups::{Row, Sums};
use crate::ui::format;
use crate::ui::pen::{Pen, tail};
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use ratatui::style::Style;
use vswap_common::why::Writeback;

pub(super) fn draw(pen: &mut Pen<'_>, theme: Theme, app: &App) {
    let Some(row) = app.cgroup_rows.get(app.cgroups.cursor) else { return };
    let room = usize::from(pen.width().saturating_sub(6));
    title(pen, 0, theme, &tail(&row.path, room), &[]);
    let page = app.page_size();
    let s = &row.sums;
    let [out, into, _] = s.moved.map(format::count);
    let charged = format::count(s.charged);
    let text = format!("since the start  out {out}, in {into} pages; charged now {charged} slots");
    pen.put(1, 1, &text, Style::new());
    pen.put(1, 2, &format!("written back     {}", written_back(s)), Style::new());
    let pool = format!(
        "zswap            {} hold {}, ratio {}",
        format::bytes(s.zswap_bytes),
        format::bytes(s.mix[crate::snapshot::Backend::Zswap as usize].saturating_mul(page)),
        ratio(row, page)
    );
    pen.put(1, 3, &pool, Style::new());
    let (text, style) = audit(row, app, theme);
    pen.put(1, 4, &text, style);
    pen.put(1, 5, &limits(row, app), Style::new());
}

/// What zswap wrote back of it, why, and how much of that was read again.
fn written_back(s: &Sums) -> String {
    let pages: u64 = s.writebacks.iter().sum();
    if pages == 0 {
        return "nothing by zswap".into();
    }
    let causes = shares(Writeback::ALL.iter().map(|c| (cause(*c), s.writebacks[*c as usize])));
    format!(
        "{} pages, {}; read again {}",
        format::count(pages),
        causes.unwrap_or_default(),
        format::count(s.refaults)
    )
}

/// Our count of charged slots against `memory.swap.current`.
fn audit(row: &Row, app: &App, theme: Theme) -> (String, Style) {
    let memcg = row.memcg.and_then(|i| app.frame.snapshot.memcgs.get(i));
    let usage = memcg.and_then(|m| Some((m.charged_then, m.usage.as_ref()?.swap?)));
    let Some((ours, kernel)) = usage else {
        let text = "charge audit     none: memory.swap.current of this path was not read";
        return (text.into(), theme.dim());
    };
    // Slots given up are charged for as long as they wait in a cache of slots, and nobody tells whose they were: both
    // numbers are shown, and only a difference that they cannot explain stands out.
    let idle: u64 = app.frame.snapshot.devices.iter().filter_map(|d| d.idle).sum();
    let idle = idle.saturating_mul(app.page_size());
    let explained = row.audit.is_some_and(|more| more >= 0 && more.unsigned_abs() <= idle);
    let text = format!(
        "charge audit     {}{}; memory.swap.current {}, counted {}",
        match row.audit {
            Some(0) => "the same".into(),
            other => difference(other),
        },
        if idle > 0 { format!(", {} in CPU caches", format::bytes(idle)) } else { String::new() },
        format::bytes(kernel),
        format::bytes(ours.saturating_mul(app.page_size()))
    );
    (text, if explained { Style::new() } else { theme.warn() })
}

fn limits(row: &Row, app: &App) -> String {
    let Some(usage) = row.memcg.and_then(|i| app.frame.snapshot.memcgs.get(i)?.usage.as_ref()) else {
        return String::new();
    };
    let limit = |n: Option<u64>| n.map_or_else(|| "max".into(), format::bytes);
    let zswap = usage.zswap.map_or_else(|| "not read".into(), format::bytes);
    format!(
        "limits           swap {}, zswap {} (memory.zswap.current {zswap})",
        limit(usage.swap_max),
        limit(usage.zswap_max)
    )
}

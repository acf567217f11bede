//! One slot in words, and its history: below the opened cluster and beside the mapping.

use super::event;
use crate::app::App;
use crate::snapshot::Backend;
use crate::snapshot::closeup::{Closeup, SlotView};
use crate::ui::format;
use crate::ui::pen::{Pen, tail};
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use ratatui::style::Style;
use vswap_common::Entry;

/// The slot under the cursor: state, owner, physical slot; then what happened to it, newest first.
pub(super) fn draw(pen: &mut Pen<'_>, theme: Theme, app: &App, near: &Closeup) {
    let off = app.mapping.off;
    title(pen, 0, theme, &format!("Slot {}:{off}", near.dev), &[]);
    let Some(slot) = near.at(off) else {
        pen.put(1, 1, "beyond the end of the device", theme.warn());
        return;
    };
    let style = if slot.used { theme.backend(slot.backend) } else { theme.dim() };
    pen.put(1, 1, &state(slot, app.page_size()), style);
    let room = usize::from(pen.width()).saturating_sub(9);
    pen.put(1, 2, "owner", theme.dim());
    pen.put(8, 2, &if slot.used { tail(&near.owner(slot.memcg), room) } else { "-".into() }, Style::new());
    pen.put(1, 3, "leads", theme.dim());
    pen.put(8, 3, &leads(app, slot, off), Style::new());
    history(pen, 4, theme, app);
}

/// `zswap, 1,234 B of 4.00 KiB for 12.3 s, order 0, in the swap cache too`.
fn state(slot: &SlotView, page: u64) -> String {
    if !slot.used {
        return if slot.confirmed { "free".into() } else { "free as far as anybody told".into() };
    }
    let mut text = match slot.backend {
        Backend::None => "in use, nobody told where its data is".to_owned(),
        Backend::Folio => "folio: the only copy is in the swap cache".into(),
        Backend::Zero => "zero: nothing is stored".into(),
        Backend::Zswap if slot.len > 0 => {
            format!("zswap, {} of {}", format::bytes(slot.len.into()), format::bytes(page))
        }
        Backend::Zswap => "zswap".into(),
        Backend::Phys if slot.virt.is_some() => "phys: held for a virtual slot".into(),
        Backend::Phys => "phys: written to the device".into(),
    };
    if let Some(ms) = slot.in_zswap_ms {
        text.push_str(&format!(" for {}", format::duration(ms * 1_000_000)));
    }
    text.push_str(&format!(", order {}", slot.order));
    if slot.cached && slot.backend != Backend::Folio {
        text.push_str(", in the swap cache too");
    }
    if !slot.confirmed {
        text.push_str(", unconfirmed");
    }
    text
}

/// Where the slot leads, or what leads to it.
fn leads(app: &App, slot: &SlotView, off: u64) -> String {
    let is_virtual = app.device().is_some_and(|d| d.r#virtual);
    match (slot.phys.map(Entry), slot.virt.map(Entry)) {
        (Some(to), _) => format!("to physical slot {}:{} (Enter follows)", to.dev(), to.off()),
        (None, Some(of)) => {
            format!("back to virtual slot {}:{}, whose data it holds (Enter follows)", of.dev(), of.off())
        }
        _ if is_virtual => "to no physical slot".into(),
        _ if app.virtual_swap() => "back to no virtual slot: none holds it".into(),
        _ => format!("nowhere else: no virtual swap here, page {off} of the device is its place"),
    }
}

fn history(pen: &mut Pen<'_>, y: u16, theme: Theme, app: &App) {
    let watched = &app.frame.watched;
    if watched.watch.slot != app.watch().slot {
        return;
    }
    let s = &app.frame.snapshot;
    let picked = &watched.slot;
    let since = match picked.whole {
        true => "since the start".into(),
        false => format!(
            "since {}, older ones are not kept",
            format::span(picked.since.saturating_sub(s.first_ts))
        ),
    };
    let n = picked.events.len();
    title(pen, y, theme, &format!("{n} event{} {since}, newest first", if n == 1 { "" } else { "s" }), &[]);
    let rows = pen.height().saturating_sub(y + 1);
    for (i, e) in (0..rows).zip(picked.events.iter().rev()) {
        event::draw(pen, y + 1 + i, theme, app, e);
    }
    if n == 0 {
        pen.put(1, y + 1, "nothing happened to it", theme.dim());
    }
}

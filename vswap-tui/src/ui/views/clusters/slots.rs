//! One cluster slot by slot: a character each, by backend.

use super::super::slot;
use crate::app::App;
use crate::app::SLOTS_A_ROW;
use crate::app::layout::{LABEL, SLOT_ROWS};
use crate::snapshot::Backend;
use crate::snapshot::closeup::{Closeup, SlotView};
use crate::ui::pen::{Pen, width};
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use vswap_common::slot::CLUSTER_SLOTS;

/// Draws the opened cluster, and below it the slot under the cursor.
pub(super) fn draw(buf: &mut Buffer, body: Rect, theme: Theme, app: &App) {
    let at = app.mapping.off / u64::from(CLUSTER_SLOTS);
    let Some(near) = app.closeup() else {
        let mut pen = Pen::new(buf, body);
        title(&mut pen, 0, theme, &format!("Cluster {at}"), &[]);
        let why = if app.frozen {
            "The picture is frozen; Space goes on and looks into it."
        } else {
            "Looking into it."
        };
        pen.put(1, 2, why, Style::new());
        return;
    };
    // Beside each other on wide terminals.
    let wide = body.width >= LABEL + SLOTS_A_ROW as u16 + 60;
    let top = SLOT_ROWS.min(body.height);
    let (map, rest) = if wide {
        let w = LABEL + SLOTS_A_ROW as u16 + 2;
        (Rect { width: w, ..body }, Rect { x: body.x + w, width: body.width - w, ..body })
    } else {
        (Rect { height: top, ..body }, Rect { y: body.y + top, height: body.height - top, ..body })
    };
    slots(&mut Pen::new(buf, map), theme, near, Some(app.mapping.off));
    slot::draw(&mut Pen::new(buf, rest), theme, app, near);
}

/// All slots of a cluster and how many are where; the one at `cursor` is marked.
pub(super) fn slots(pen: &mut Pen<'_>, theme: Theme, near: &Closeup, cursor: Option<u64>) {
    let used = near.slots.iter().filter(|s| s.used).count();
    let text =
        format!("Cluster {} of dev {}: {used} of {} slots used", near.cluster, near.dev, near.slots.len());
    title(pen, 0, theme, &text, &[]);
    for (i, slot) in near.slots.iter().enumerate() {
        let (x, y) = ((i as u64 % SLOTS_A_ROW) as u16, (i as u64 / SLOTS_A_ROW) as u16);
        let off = near.base() + i as u64;
        if x == 0 {
            pen.right(LABEL - 1, 1 + y, &off.to_string(), theme.dim());
        }
        let (c, style) = look(theme, slot);
        pen.cell(LABEL + x, 1 + y, c, if Some(off) == cursor { theme.cursor() } else { style });
    }
    let mut x = 1;
    for backend in [Backend::Folio, Backend::Zero, Backend::Zswap, Backend::Phys, Backend::None] {
        let n = near.slots.iter().filter(|s| s.used && s.backend == backend).count();
        let text = format!("{} {} {n}", Theme::backend_char(backend), Theme::backend_name(backend));
        pen.put(x, SLOT_ROWS - 1, &text, theme.backend(backend));
        x += width(&text) as u16 + 2;
    }
    pen.put(x, SLOT_ROWS - 1, ". free", theme.dim());
}

/// Character and style of a slot; what is not sure is underlined.
pub(crate) fn look(theme: Theme, slot: &SlotView) -> (char, Style) {
    if !slot.used {
        return ('.', theme.dim());
    }
    let style = theme.backend(slot.backend);
    let style = if slot.confirmed { style } else { style.add_modifier(Modifier::UNDERLINED) };
    (Theme::backend_char(slot.backend), style)
}

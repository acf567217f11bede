//! The mapping: runs of slots of one cluster, where they lead or what they hold, and the slot under the cursor with its
//! history.

use super::clusters::slots::look;
use super::slot;
use crate::app::App;
use crate::snapshot::closeup::{Closeup, Run};
use crate::ui::format;
use crate::ui::pen::{Pen, tail};
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use vswap_common::Entry;

/// Ends and beginnings of the columns.
const SLOTS: u16 = 16;
const COUNT: u16 = 22;
const STATE: u16 = 23;
const PHYS: u16 = 33;
const SIZE: u16 = 58;
const OWNER: u16 = 60;

/// Draws the view.
pub fn draw(buf: &mut Buffer, body: Rect, theme: Theme, app: &App) {
    if app.device().is_none() {
        return super::empty(buf, body, theme, app);
    }
    let Some(near) = app.closeup() else {
        let mut pen = Pen::new(buf, body);
        title(&mut pen, 0, theme, "Mapping", &[]);
        let why = match app.frozen {
            true => "The picture is frozen; Space goes on and looks there.",
            false => "Looking there.",
        };
        pen.put(1, 2, why, Style::new());
        return;
    };
    let wide = body.width >= 150;
    let (list, rest) = if wide {
        let w = body.width / 2;
        (Rect { width: w - 1, ..body }, Rect { x: body.x + w, width: body.width - w, ..body })
    } else {
        let h = body.height.div_ceil(2);
        (Rect { height: h, ..body }, Rect { y: body.y + h, height: body.height - h, ..body })
    };
    runs(&mut Pen::new(buf, list), theme, app, near);
    slot::draw(&mut Pen::new(buf, rest), theme, app, near);
}

fn runs(pen: &mut Pen<'_>, theme: Theme, app: &App, near: &Closeup) {
    let runs = &app.summary.runs;
    let name = app.device().map_or(String::new(), |d| tail(&d.name, 24));
    let s = if runs.len() == 1 { "" } else { "s" };
    let text = format!("{name}: cluster {}, {} run{s} of slots", near.cluster, runs.len());
    title(pen, 0, theme, &text, &[]);
    for (x, head, right) in [
        (SLOTS, "first slot", true),
        (COUNT, "slots", true),
        (STATE, "  where", false),
        (PHYS, "leads to", false),
        (SIZE, "bytes", true),
        (OWNER, "owner", false),
    ] {
        if right { pen.right(x, 1, head, theme.dim()) } else { pen.put(x, 1, head, theme.dim()) }
    }
    let at = app.mapping.off.saturating_sub(near.base());
    let cursor =
        runs.iter().position(|r| (u64::from(r.first)..u64::from(r.first + r.nr)).contains(&at)).unwrap_or(0);
    let rows = usize::from(pen.height().saturating_sub(2));
    // The run under the cursor stays in the middle, so that both neighbours show.
    let top = cursor.saturating_sub(rows / 2).min(runs.len().saturating_sub(rows));
    for (i, run) in runs.iter().enumerate().skip(top).take(rows) {
        line(pen, (i - top) as u16 + 2, theme, near, run, i == cursor, app.page_size());
    }
}

fn line(pen: &mut Pen<'_>, y: u16, theme: Theme, near: &Closeup, run: &Run, cursor: bool, page: u64) {
    let first = near.base() + u64::from(run.first);
    let (c, style) = look(theme, &run.slot);
    if cursor {
        pen.row(y, " ", theme.cursor());
    }
    let plain = if cursor { theme.cursor() } else { Style::new() };
    let style = if cursor { theme.cursor() } else { style };
    pen.right(SLOTS, y, &format!("{}:{first}", near.dev), plain);
    pen.right(COUNT, y, &run.nr.to_string(), plain);
    pen.cell(STATE, y, c, style);
    let word = if run.slot.used { Theme::backend_name(run.slot.backend) } else { "free" };
    pen.put(STATE + 2, y, word, style);
    let leads = match (run.slot.phys.map(Entry), run.slot.virt.map(Entry)) {
        (Some(to), _) => format!("{}:{}", to.dev(), to.off()),
        (None, Some(of)) => format!("holds {}:{}", of.dev(), of.off()),
        _ if run.slot.used && run.slot.cached => "swap cache".into(),
        _ => "-".into(),
    };
    pen.put(PHYS, y, &leads, plain);
    if run.slot.used {
        let whole = u64::from(run.nr) * page;
        let size = match run.bytes {
            0 => format::bytes(whole),
            bytes => format!("{} in {}", format::bytes(whole), format::bytes(bytes)),
        };
        pen.right(SIZE, y, &size, plain);
        let room = usize::from(pen.width().saturating_sub(OWNER));
        pen.put(OWNER, y, &tail(&near.owner(run.slot.memcg), room), plain);
    }
}

//! Drawing of the totals: what a kernel tells that does not let its functions be traced, and what it does not tell.

use crate::app::layout;
use crate::app::totals::TotalsApp;
use crate::kernel::ladder::Rung;
use crate::meta::HookState;
use crate::totals::{Reclaim, Row, Trust, View};
use crate::ui::format;
use crate::ui::pen::{Pen, tail, width};
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::{Modifier, Style};

/// Columns of the transitions; reclaim and devices stand to the right of them.
const LEFT: u16 = 44;
/// Lines between header and the first panel.
const INTRO: u16 = 2;

/// Draws the whole screen.
pub fn draw(app: &TotalsApp, theme: Theme, buf: &mut Buffer) {
    let size = Size::new(buf.area.width, buf.area.height);
    if size.width < layout::MIN.width || size.height < layout::MIN.height {
        return super::too_small(size, buf);
    }
    let screen = layout::screen(size, false);
    header(&mut Pen::new(buf, screen.header), theme, &app.view);
    if app.help {
        help(&mut Pen::new(buf, screen.body), theme, app);
    } else {
        body(buf, screen.body, theme, app);
    }
    footer(&mut Pen::new(buf, screen.footer), theme, app);
}

fn header(pen: &mut Pen<'_>, theme: Theme, view: &View) {
    let bar = theme.bar();
    pen.row(0, " ", bar);
    let lost = view.lost();
    let missed = format!(" missed {} ", format::count(lost));
    let style = if view.short() {
        theme.bad()
    } else if lost > 0 {
        theme.warn().patch(bar)
    } else {
        bar
    };
    let end = pen.width();
    pen.right(end, 0, &missed, style);
    let rung = format!(" rung: {} ", view.rung.name());
    pen.right(end.saturating_sub(width(&missed) as u16), 0, &rung, bar.add_modifier(Modifier::BOLD));
    let name = " vswap totals ";
    pen.put(0, 0, name, bar.add_modifier(Modifier::BOLD));
    let room = usize::from(end).saturating_sub(width(&missed) + width(&rung) + width(name));
    let about = format!(" {}  {}", format::span((view.seconds * 1e9) as u64), view.kernel);
    let about: String = about.chars().take(room).collect();
    pen.put(width(name) as u16, 0, &about, bar);
}

fn body(buf: &mut Buffer, area: Rect, theme: Theme, app: &TotalsApp) {
    let view = &app.view;
    let mut pen = Pen::new(buf, area);
    pen.put(1, 0, intro(view.rung), theme.warn());
    pen.put(1, 1, &devices(view), Style::new());
    let wide = area.width >= LEFT + 30;
    let rows = view.transitions.len() as u16;
    let panels = Rect { y: area.y + INTRO, height: area.height.saturating_sub(INTRO), ..area };
    let left = Rect { width: if wide { LEFT } else { area.width }, ..panels };
    transitions(&mut Pen::new(buf, left), theme, &view.transitions);
    let mut used = rows + 1;
    if wide && view.rung == Rung::Tracepoint {
        let right = Rect { x: area.x + LEFT + 1, width: area.width - LEFT - 1, ..panels };
        used = used.max(beside(&mut Pen::new(buf, right), theme, view));
    }
    let below = panels.y.saturating_add(used);
    let rest = area.bottom().saturating_sub(below);
    if rest >= 2 {
        cgroups(&mut Pen::new(buf, Rect { y: below, height: rest, ..area }), theme, app);
    }
}

const fn intro(rung: Rung) -> &'static str {
    match rung {
        Rung::Tracepoint => "Sums only, no slot map: this kernel's functions are not traced (? says why)",
        _ => "Sums only, no slot map: nothing of this kernel is traced (? says why)",
    }
}

fn devices(view: &View) -> String {
    if view.devices.is_empty() {
        return "No swap device is on: nothing is swapped until `swapon`, and all sums stay 0.".to_owned();
    }
    let (used, pages) = view.devices.iter().fold((0, 0), |(u, p), d| (u + d.used, p + d.pages));
    let names: Vec<&str> = view.devices.iter().map(|d| d.name.as_str()).collect();
    let size = |pages: u64| format::bytes(pages.saturating_mul(4096));
    format!("Swap: {} of {} in use on {}", size(used), size(pages), names.join(", "))
}

/// The sign before a number that is not exact.
const fn mark(trust: Trust) -> &'static str {
    match trust {
        Trust::Exact => "",
        Trust::AtLeast => ">",
        Trust::Approximate => "~",
    }
}

fn transitions(pen: &mut Pen<'_>, theme: Theme, rows: &[Row]) {
    let (rate, total) = (32, pen.width().min(LEFT));
    title(pen, 0, theme, "Pages", &[(rate, "a second"), (total, "total")]);
    for (y, row) in (1u16..).zip(rows) {
        let style = if row.rate > 0.0 { theme.strong() } else { Style::new() };
        pen.put(1, y, row.name, style);
        pen.right(rate, y, &format::rate(row.rate, 9), style);
        let sum = format!("{}{}", mark(row.trust), format::count_in(row.total, 10));
        pen.right(total, y, &sum, style);
    }
}

/// Reclaim and requests; returns the lines used.
fn beside(pen: &mut Pen<'_>, theme: Theme, view: &View) -> u16 {
    let end = pen.width();
    let (runs, time) = (end.saturating_sub(18), end.saturating_sub(9));
    let mut y = 0;
    if !view.reclaim.is_empty() {
        title(pen, y, theme, "Reclaim", &[(runs, "runs"), (time, "time"), (end, "folios")]);
        for Reclaim { by, runs: n, ns, written, trust, .. } in &view.reclaim {
            y += 1;
            pen.put(1, y, by, Style::new());
            let dash = || "-".to_owned();
            pen.right(runs, y, &n.map_or_else(dash, |n| format::count_in(n, 6)), Style::new());
            pen.right(time, y, &ns.filter(|ns| *ns > 0).map_or_else(dash, format::duration), Style::new());
            pen.right(end, y, &format!("{}{}", mark(*trust), format::count_in(*written, 6)), Style::new());
        }
        y += 1;
    }
    if let Some(io) = &view.swap_io {
        title(pen, y, theme, "Swap devices", &[(time, "requests"), (end, "bytes")]);
        for (name, n, bytes) in [("read", io.reads, io.read_bytes), ("written", io.writes, io.written_bytes)]
        {
            y += 1;
            pen.put(1, y, name, Style::new());
            pen.right(time, y, &format!("{}{}", mark(io.trust), format::count_in(n, 8)), Style::new());
            pen.right(end, y, &format::bytes(bytes), Style::new());
        }
        y += 1;
    }
    y
}

fn cgroups(pen: &mut Pen<'_>, theme: Theme, app: &TotalsApp) {
    let view = &app.view;
    let end = pen.width();
    let at = |from_right: u16| end.saturating_sub(from_right);
    let heads = [(at(33), "slots"), (at(22), "out/s"), (at(11), "in/s"), (end, "counted")];
    title(pen, 0, theme, &format!("Cgroups {}", view.cgroups.len()), &heads);
    if view.cgroups.is_empty() {
        let text = match view.rung {
            Rung::Tracepoint => "none has swapped since we began to count",
            _ => "not told: without tracing, memory.stat of each cgroup has its own sums",
        };
        pen.put(1, 1, text, theme.dim());
        return;
    }
    let room = usize::from(pen.height().saturating_sub(1));
    let path = usize::from(at(43)).max(8);
    for (y, row) in (1u16..).zip(view.cgroups.iter().skip(app.top).take(room)) {
        pen.put(1, y, &tail(&row.path, path), Style::new());
        let slots = row.slots.map_or_else(|| "-".to_owned(), |n| format::count_in(n, 9));
        pen.right(at(33), y, &slots, Style::new());
        pen.right(at(22), y, &format::rate(row.out_rate, 9), Style::new());
        pen.right(at(11), y, &format::rate(row.in_rate, 9), Style::new());
        pen.right(end, y, &format::count_in(row.sums.values().sum(), 9), Style::new());
    }
    let hidden = view.cgroups.len().saturating_sub(app.top + room);
    if hidden > 0 {
        let text = format!(" and {hidden} more ");
        pen.right(end, pen.height().saturating_sub(1), &text, theme.dim());
    }
}

fn footer(pen: &mut Pen<'_>, theme: Theme, app: &TotalsApp) {
    let bar = theme.bar();
    pen.row(0, " ", bar);
    let keys: &[(&str, &str)] = if app.help {
        &[("q", "quit"), ("?", "back"), ("j/k", "scroll")]
    } else {
        &[("q", "quit"), ("?", "what is missing, and why"), ("d", "demo of the full dashboard")]
    };
    let mut x = 1;
    for (key, text) in keys {
        pen.put(x, 0, key, bar.add_modifier(Modifier::BOLD));
        x += width(key) as u16 + 1;
        pen.put(x, 0, text, bar);
        x += width(text) as u16 + 2;
    }
    if app.view.rung == Rung::Tracepoint && usize::from(pen.width()) > usize::from(x) + 9 {
        pen.right(pen.width(), 0, " ~ near ", bar);
    }
}

/// A line of the explanations: indented text, bold or not.
type Line = (u16, String, bool);

fn help(pen: &mut Pen<'_>, theme: Theme, app: &TotalsApp) {
    let lines = lines(&app.view, usize::from(pen.width()));
    let room = usize::from(pen.height());
    let top = app.help_top.min(lines.len().saturating_sub(room));
    for (y, (x, text, strong)) in (0u16..).zip(lines.iter().skip(top).take(room)) {
        pen.put(*x, y, text, if *strong { theme.strong() } else { Style::new() });
    }
}

fn lines(view: &View, columns: usize) -> Vec<Line> {
    let mut out = Vec::new();
    if !view.why.is_empty() {
        out.push((1, "Why there is no slot map".to_owned(), true));
        wrap(&mut out, 3, &view.why, columns);
    }
    out.push((1, "What is not told here".to_owned(), true));
    for blind in view.blind {
        wrap(&mut out, 3, &format!("{}: {}", blind.what, blind.why), columns);
    }
    if let Some(io) = view.swap_io.as_ref().filter(|io| !io.left_out.is_empty()) {
        wrap(&mut out, 3, &format!("{}: other files of their disk would count too", io.left_out), columns);
    }
    out.push((1, "Where the numbers come from".to_owned(), true));
    for row in &view.transitions {
        wrap(&mut out, 3, &format!("{}: {}, {}", row.name, row.by, trusted(row.trust)), columns);
    }
    if !view.reclaim.is_empty() {
        let text = "folios of reclaim: vmscan:mm_vmscan_write_folio, told apart by the begin and end of the task's \
                    reclaim; near to swapped folios: without zswap's writeback and what was refused, with files on old \
                    kernels";
        wrap(&mut out, 3, text, columns);
        wrap(&mut out, 3, "requests: block:block_bio_queue on the swap devices, exact", columns);
        wrap(
            &mut out,
            3,
            "cgroups: each without its children; slots: memory.swap.current, with them",
            columns,
        );
    }
    let refused: Vec<_> = view.tracepoints.iter().filter(|p| p.state != HookState::Ok).collect();
    if !refused.is_empty() {
        out.push((1, "Tracepoints not used".to_owned(), true));
    }
    for point in refused {
        wrap(&mut out, 3, &format!("{} ({}): {}", point.function, point.shows, point.reason), columns);
    }
    for (program, n) in &view.missed {
        wrap(&mut out, 3, &format!("{program}: {n} calls missed, the kernel was inside it already"), columns);
    }
    out
}

const fn trusted(trust: Trust) -> &'static str {
    match trust {
        Trust::Exact => "exact",
        Trust::AtLeast => "at least so many: calls were missed",
        Trust::Approximate => "near to it",
    }
}

/// Words into lines of the screen's width, the later ones indented deeper.
fn wrap(out: &mut Vec<Line>, x: u16, text: &str, columns: usize) {
    let mut line = String::new();
    let mut at = x;
    for word in text.split_whitespace() {
        if !line.is_empty() && usize::from(at) + width(&line) + 1 + width(word) > columns {
            out.push((at, std::mem::take(&mut line), false));
            at = x + 2;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.push((at, line, false));
}

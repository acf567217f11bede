//! What this kernel lets be seen, live: what of a slot's life is visible and why not, and what each hook tells and loses.

mod ladder;

use crate::app::App;
use crate::meta::{HookPlan, HookState, HookTotals};
use crate::ui::format;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use crate::ui::widgets::lines::{Lines, Put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Draws the view.
pub fn draw(buf: &mut Buffer, body: Rect, theme: Theme, app: &App) {
    let mut lines = Lines::default();
    kernel(&mut lines, body.width, theme, app);
    trust(&mut lines, body.width, theme, app);
    ladder::add(&mut lines, body.width, theme, app);
    hooks(&mut lines, body.width, theme, app);
    // The last line can be scrolled to, not past.
    let top = app.doctor_top.min(lines.len().saturating_sub(usize::from(body.height)));
    lines.draw(&mut Pen::new(buf, body), theme, top);
}

fn kernel(lines: &mut Lines, width: u16, theme: Theme, app: &App) {
    let h = &app.frame.snapshot.header;
    lines.title("Kernel");
    let k = &h.kernel;
    let text = match k.release.is_empty() {
        true => "not told".to_owned(),
        false => format!(
            "Linux {} {}, {} CPU{}, pages of {}",
            k.release,
            k.machine,
            k.cpus,
            if k.cpus == 1 { "" } else { "s" },
            format::bytes(k.page_size.into())
        ),
    };
    lines.pair("watched", &text, width, Style::new());
    let text = match h.layout_name.as_str() {
        "" => "not told".to_owned(),
        name => format!("{name}, {} fields read from BTF", h.layout.len()),
    };
    lines.pair("layout", &text, width, Style::new());
    let told: String = [h.origin.as_str(), &h.command.join(" ")].join(": ");
    lines.pair("events of", told.trim_matches([' ', ':']), width, theme.dim());
}

/// How far the figures can be believed.
fn trust(lines: &mut Lines, width: u16, theme: Theme, app: &App) {
    let s = &app.frame.snapshot;
    let l = &s.losses;
    lines.title("Trust");
    let text = format!(
        "{} of the slots in use, {} not",
        format::percent(s.confirmed_share()),
        format::count(s.unconfirmed)
    );
    let style = if s.unconfirmed > 0 { theme.warn() } else { Style::new() };
    lines.pair("confirmed", &text, width, style);
    let text = format!(
        "{} records in {} gaps, {} unreadable, {} contradictions, {} late events, {} beyond a bounded table",
        format::count(l.lost),
        format::count(l.gaps),
        format::count(l.undecodable),
        format::count(l.contradictions),
        format::count(l.inversions),
        format::count(l.overflow + l.untracked)
    );
    let bad = l.lost + l.gaps + l.undecodable + l.untracked > 0;
    lines.pair("lost", &text, width, if bad { theme.bad() } else { Style::new() });
    let text = match &s.scan {
        None if s.header.from_swapon => "not needed: no swap device was in use at the start".to_owned(),
        None => "none: slots from before are unknown until something happens to them".to_owned(),
        Some(scan) => format!(
            "{} slots read in {}, {} in doubt{}",
            format::count(scan.slots),
            format::duration(scan.ns),
            format::count(scan.doubtful),
            match (scan.ended, scan.complete) {
                (false, _) => ", still reading",
                (true, false) => ", NOT complete",
                (true, true) => "",
            }
        ),
    };
    lines.pair("first scan", &text, width, Style::new());
    if let Some(v) = &s.verify {
        let text = format!(
            "{} slots compared with the kernel's tables, {} differ, {} not comparable",
            format::count(v.checked),
            format::count(v.differing),
            format::count(v.unknown)
        );
        lines.pair("verified", &text, width, if v.differing > 0 { theme.bad() } else { Style::new() });
    }
    let ring = match app.frame.vitals.ring_fill {
        None => "none between the source and this program".to_owned(),
        Some(fill) => {
            format!("{} full at most, of {}", format::percent(fill), format::bytes(s.header.ring_bytes))
        }
    };
    lines.pair("ring", &ring, width, Style::new());
}

/// Ends and beginnings of the columns of the hooks.
const HOOK: u16 = 9;
const RECORDS: u16 = 38;
const LOST: u16 = 47;
const HOW: u16 = 49;
const SHOWS: u16 = 63;

fn hooks(lines: &mut Lines, width: u16, theme: Theme, app: &App) {
    let s = &app.frame.snapshot;
    let plan = &s.header.plan;
    let count = |state| plan.iter().filter(|h| h.state == state).count();
    lines.title(format!(
        "Hooks: {} ok, {} inferred, {} blind",
        count(HookState::Ok),
        count(HookState::Inferred),
        count(HookState::Blind)
    ));
    if plan.is_empty() {
        lines.line().put(
            1,
            "no hook in these events: a generated load, or a trace without a plan",
            theme.dim(),
        );
    } else {
        let heads = lines.line();
        heads.put(1, "state", theme.dim());
        heads.put(HOOK, "hook", theme.dim());
        heads.right(RECORDS, "records", theme.dim());
        heads.right(LOST, "lost", theme.dim());
        heads.put(HOW, "how", theme.dim());
        heads.put(SHOWS, "shows", theme.dim());
    }
    for hook in plan {
        let totals = s.hooks.iter().find(|t| t.hook == hook.hook);
        line(lines, theme, hook, totals);
        if !hook.reason.is_empty() {
            lines.pair("", &format!("because {}", hook.reason), width, theme.dim());
        }
    }
    let unplanned: Vec<&HookTotals> =
        s.hooks.iter().filter(|t| t.missing() > 0 && !plan.iter().any(|h| h.hook == t.hook)).collect();
    for totals in unplanned {
        let text = format!("{} lost {} records", totals.hook, format::count(totals.missing()));
        lines.line().put(1, &text, theme.bad());
    }
}

fn line(lines: &mut Lines, theme: Theme, hook: &HookPlan, totals: Option<&HookTotals>) {
    let (state, style) = match hook.state {
        HookState::Ok => ("ok", Style::new()),
        HookState::Inferred => ("infer", theme.warn()),
        HookState::Blind => ("BLIND", theme.warn()),
    };
    let cells = lines.line();
    cells.put(1, state, style);
    cells.put(HOOK, &hook.hook, theme.strong());
    let records = totals.map_or_else(|| "-".into(), |t| format::count_in(t.emitted, 11));
    cells.right(RECORDS, &records, Style::new());
    let lost = totals.map_or(0, HookTotals::missing);
    let text = totals.map_or_else(|| "-".into(), |_| format::count_in(lost, 8));
    cells.right(LOST, &text, if lost > 0 { theme.bad() } else { Style::new() });
    cells.put(HOW, &hook.how, theme.dim());
    cells.put(SHOWS, &hook.shows, Style::new());
}

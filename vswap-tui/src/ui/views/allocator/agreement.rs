//! Model and kernel: how often the same, and where first not.

use crate::app::App;
use crate::check::{Agreement, Cause, Compared};
use crate::report::FaultGroup;
use crate::ui::format::{count, duration, percent_of};
use crate::ui::theme::Theme;
use crate::ui::widgets::lines::Lines;
use ratatui::style::Style;

pub(super) fn add(lines: &mut Lines, width: u16, theme: Theme, app: &App) {
    lines.title("Model beside the kernel");
    match app.frame.beside.as_deref() {
        Some(beside) => match &beside.agreement {
            Some(agreement) => add_agreement(lines, width, theme, app, agreement),
            None => lines.pair("no model", &beside.why_not, width, theme.warn()),
        },
        None => lines.pair("no model", "none runs beside this source", width, theme.warn()),
    }
    let findings = &app.frame.snapshot.findings;
    if findings.total() == 0 {
        lines.pair("slot states", "no event contradicts the history of its slot", width, Style::new());
    }
    for group in FaultGroup::of(findings) {
        lines.pair("FAULT", &group.line(), width, theme.bad());
    }
}

fn add_agreement(lines: &mut Lines, width: u16, theme: Theme, app: &App, a: &Agreement) {
    if a.allocations == 0 {
        lines.pair("same slot", "no allocation yet", width, Style::new());
        return;
    }
    let all = a.agreed == a.allocations;
    let text = format!(
        "{} of {} allocations ({}), {} refused by the kernel",
        count(a.agreed),
        count(a.allocations),
        percent_of(a.agreed, a.allocations),
        count(a.refused)
    );
    lines.pair("same slot", &text, width, if all { Style::new() } else { theme.warn() });
    for (cause, n) in &a.misses {
        lines.pair("", &format!("{} missed: {}", count(*n), cause.words()), width, style(theme, *cause));
    }
    compared(lines, "same way", &a.paths, width, theme);
    compared(lines, "list moves", &a.moves, width, theme);
    match (a.from_swapon, a.from_scan, a.known) {
        (true, ..) => {}
        (false, true, true) => {
            let text = "the model began with what a scan of the kernel's tables found";
            lines.pair("warm start", text, width, Style::new());
        }
        (false, true, false) => {
            let text = "the scan that the model began with left something open, or records were lost";
            lines.pair("warm start", text, width, theme.warn());
        }
        (false, false, _) => {
            let text = "recording began late, or records were lost: the model has to learn the lists";
            lines.pair("cold start", text, width, theme.warn());
        }
    }
    if !a.references {
        let text = "references are not recorded: what may be reclaimed is not known";
        lines.pair("doubt", text, width, theme.warn());
    }
    if let Some(d) = &a.first_divergence {
        let since = d.ts.saturating_sub(app.frame.snapshot.first_ts);
        let slot =
            |s: Option<crate::check::Slot>| s.map_or("none".into(), |s| format!("{}:{}", s.dev, s.off));
        let text = format!(
            "request {} after {}, cpu {}, order {}: kernel {}, model {}; {}",
            count(d.request),
            duration(since),
            d.cpu,
            d.order,
            slot(d.kernel),
            slot(d.model),
            d.cause.words()
        );
        lines.pair("first miss", &text, width, style(theme, d.cause));
        d.context.lines().for_each(|line| lines.pair("", line, width, Style::new()));
    }
    let broken: Vec<_> = a.invariants.iter().filter(|i| i.broken > 0).collect();
    let checks: u64 = a.invariants.iter().map(|i| i.checked).sum();
    let text = match (checks, broken.len()) {
        (0, _) => format!("{}, not checked yet", a.invariants.len()),
        (_, 0) => format!("{}, {} checks, none broken", a.invariants.len(), count(checks)),
        (_, n) => format!("{}, {} checks, {n} BROKEN", a.invariants.len(), count(checks)),
    };
    lines.pair("invariants", &text, width, if broken.is_empty() { Style::new() } else { theme.bad() });
    for i in broken {
        lines.pair("", i.name, width, theme.bad());
    }
}

fn compared(lines: &mut Lines, name: &str, c: &Compared, width: u16, theme: Theme) {
    if c.compared == 0 {
        return lines.pair(name, "not in this trace", width, Style::new());
    }
    let text = format!("{} of {}", count(c.agreed), count(c.compared));
    lines.pair(name, &text, width, if c.misses.is_empty() { Style::new() } else { theme.warn() });
    for (cause, n) in &c.misses {
        lines.pair("", &format!("{} differ: {}", count(*n), cause.words()), width, style(theme, *cause));
    }
}

fn style(theme: Theme, cause: Cause) -> Style {
    if cause == Cause::Model { theme.bad() } else { theme.warn() }
}

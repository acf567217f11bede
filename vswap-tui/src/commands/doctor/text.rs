//! The findings as text.

use super::Findings;
use crate::kernel::ladder::{Rung, Sight};
use crate::meta::HookState;
use std::fmt::Write as _;

/// Everything, the ladder first: it is what most people ask for.
pub(super) fn render(f: &Findings) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = writeln!(
        out,
        "Linux {} {}, {} CPUs, swap layout: {}",
        f.kernel.release, f.kernel.machine, f.kernel.cpus, f.layout
    );
    if !f.lockdown.is_empty() {
        let _ = writeln!(out, "lockdown: {}", f.lockdown);
    }
    if let Some(why) = &f.attach_error {
        let _ = writeln!(out, "hooks not attached: {why}");
    }
    ladder(f, &mut out);
    hooks(f, &mut out);
    let verdict = match f.rung {
        _ if f.usable => "`vswap live` and `vswap record` work here.",
        Rung::Tracepoint => {
            "`vswap live` shows the sums of the tracepoints here, no slots; `vswap record` does not work. `vswap demo`, \
             `vswap live --input` and `vswap replay` do."
        }
        _ => {
            "`vswap live` and `vswap record` do not work here, only `vswap live --totals`; `vswap demo`, `vswap live \
             --input` and `vswap replay` do."
        }
    };
    let _ = writeln!(out, "{verdict}");
    out
}

fn ladder(f: &Findings, out: &mut String) {
    let _ = writeln!(out, "\n{:<13} WORKS", "RUNG");
    for rung in &f.rungs {
        let works = if rung.works { "yes".to_owned() } else { format!("no: {}", rung.reason) };
        let works = if rung.works { format!("{works}: {}", rung.limits) } else { works };
        let used = if rung.rung == f.rung { "  <- in use" } else { "" };
        let _ = writeln!(out, "{:<13} {works}{used}", rung.rung.name());
    }
    let _ = writeln!(out, "\n{:<22} {:<9} {:<13} {:<46} SHOWS", "TRANSITION", "STATE", "RUNG", "BY");
    for t in &f.transitions {
        let by = t.by.join(", ");
        let _ = writeln!(
            out,
            "{:<22} {:<9} {:<13} {:<46} {}",
            t.transition,
            t.state.name(),
            t.rung.name(),
            dash(&by),
            t.shows
        );
        if !t.reason.is_empty() {
            let _ = writeln!(out, "                       `- {}", t.reason);
        }
    }
    let count = |sight| f.transitions.iter().filter(|t| t.state == sight).count();
    let _ = writeln!(
        out,
        "\n{} transitions seen, {} inferred, {} blind.",
        count(Sight::Seen),
        count(Sight::Inferred),
        count(Sight::Blind)
    );
    let totals: Vec<String> = f.counters.values().iter().map(|(name, n)| format!("{name} {n}")).collect();
    if !totals.is_empty() {
        let _ = writeln!(out, "Totals now, in pages: {}.", totals.join(", "));
    }
}

fn hooks(f: &Findings, out: &mut String) {
    let _ = writeln!(out, "\n{:<6} {:<15} {:<13} {:<32} SHOWS", "STATE", "HOOK", "HOW", "FUNCTION");
    for h in &f.hooks {
        let state = match h.state {
            HookState::Ok => "ok",
            HookState::Inferred => "infer",
            HookState::Blind => "blind",
        };
        let mut functions = h.function.split(" + ");
        let first = dash(functions.next().unwrap_or_default());
        let _ = writeln!(out, "{state:<6} {:<15} {:<13} {first:<32} {}", h.hook, h.how, h.shows);
        for helper in functions {
            let _ = writeln!(out, "{:<36} + {helper}", "");
        }
        if !h.reason.is_empty() {
            let _ = writeln!(out, "       `- {}", h.reason);
        }
    }
    for p in f.tracepoints.iter().filter(|_| !f.usable) {
        let state = if p.state == HookState::Ok { "ok" } else { "blind" };
        let _ = writeln!(out, "{state:<6} {:<15} {:<13} {:<32} {}", p.hook, p.how, p.function, p.shows);
        if !p.reason.is_empty() {
            let _ = writeln!(out, "       `- {}", p.reason);
        }
    }
    let ok = f.hooks.iter().filter(|h| h.state == HookState::Ok).count();
    let _ = writeln!(out, "\n{ok} of {} hooks usable.", f.hooks.len());
    if !f.missing_fields.is_empty() {
        let _ = writeln!(out, "Not in this kernel's BTF: {}.", f.missing_fields.join(", "));
    }
}

fn dash(s: &str) -> &str {
    if s.is_empty() { "-" } else { s }
}

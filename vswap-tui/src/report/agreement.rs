//! How model and kernel agree, for people.

use crate::check::{Agreement, Divergence, Slot};
use std::fmt::Write as _;

/// The agreement in lines.
pub fn text(r: &Agreement) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "Allocations  {} ({} refused by the kernel)", r.allocations, r.refused);
    let _ = writeln!(out, "Agreed       {} ({:.3} %)", r.agreed, r.agreement * 100.0);
    for (cause, n) in &r.misses {
        let _ = writeln!(out, "  missed     {n}: {}", cause.words());
    }
    for (what, compared) in [("Same way", &r.paths), ("List moves", &r.moves)] {
        let _ = writeln!(out, "{what:<12} {} of {} compared", compared.agreed, compared.compared);
        for (cause, n) in &compared.misses {
            let _ = writeln!(out, "  differ     {n}: {}", cause.words());
        }
    }
    if let Some(start) = start(r) {
        let _ = writeln!(out, "{start}");
    }
    if !r.references {
        let _ =
            writeln!(out, "References   not in the trace (--slots-only): what may be reclaimed is not known");
    }
    if r.faults > 0 {
        let _ = writeln!(out, "Faults       {} events that the model could not apply to its state", r.faults);
    }
    if let Some(d) = &r.first_divergence {
        let _ = writeln!(out, "\nFirst divergence\n  {}\n  {}", divergence(d), d.context);
    }
    for (what, first) in [("way", &r.paths.first), ("list move", &r.moves.first)] {
        if let Some(first) = first {
            let _ = writeln!(out, "\nFirst {what} that differs\n  {first}");
        }
    }
    let checked: u64 = r.invariants.iter().map(|i| i.checked).sum();
    let broken: Vec<_> = r.invariants.iter().filter(|i| i.broken > 0).collect();
    let _ = writeln!(
        out,
        "\nInvariants   {} of the model, {checked} checks, {} broken",
        r.invariants.len(),
        broken.len()
    );
    for i in broken {
        let _ = writeln!(out, "  BROKEN     {} ({} of {})", i.name, i.broken, i.checked);
    }
    out
}

/// What the model began with, unless it saw everything.
fn start(r: &Agreement) -> Option<String> {
    let skipped = match r.not_compared {
        0 => String::new(),
        n => format!("; {n} requests came while it ran and are not compared"),
    };
    match (r.from_swapon, r.from_scan, r.known) {
        (true, ..) => None,
        (false, true, true) => {
            Some(format!("Warm start   the state is that of a scan of the kernel's tables{skipped}"))
        }
        (false, true, false) => Some(format!(
            "Warm start   the state is that of a scan that left something open, or records were lost{skipped}"
        )),
        (false, false, _) => Some(
            "Cold start   the trace began late or lost records: the model had to learn the lists".to_owned(),
        ),
    }
}

/// A difference in one line, without its context.
pub fn divergence(d: &Divergence) -> String {
    let slot = |s: Option<Slot>| s.map_or("none".to_owned(), |s| format!("{}:{}", s.dev, s.off));
    format!(
        "request {} at {} ns, cpu {}, order {}: the kernel took {}, the model {} ({})",
        d.request,
        d.ts,
        d.cpu,
        d.order,
        slot(d.kernel),
        slot(d.model),
        d.cause.words()
    )
}

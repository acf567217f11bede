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
    if !r.from_swapon {
        let _ = writeln!(
            out,
            "Cold start   the trace began late or lost records: the model had to learn the lists"
        );
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

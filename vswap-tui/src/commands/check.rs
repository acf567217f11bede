//! `vswap replay --check`: the model beside a trace.

use super::drain::quiet_on_broken_pipe;
use crate::check::{Agreement, Cause, Checker, Divergence};
use crate::cli::ReplayArgs;
use crate::exit::{Exit, ExitError};
use crate::meta::Header;
use crate::source::trace::TraceSource;
use crate::source::{Batch, Polled, Source};
use anyhow::Context;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

/// Layouts whose allocator the model follows: owners in the cluster (Linux 7.2, 7.3), no virtual layer.
const LAYOUTS: [&str; 2] = ["swap-table-memcg", "swap-table-memcg-ops"];

/// Runs the check over the whole trace.
///
/// # Errors
/// If the trace cannot be read, or the model does not know its kernel's allocator.
pub(super) fn run(args: &ReplayArgs) -> anyhow::Result<Exit> {
    let mut source = TraceSource::open(&args.file)?;
    known(source.header())?;
    let mut checker = Checker::new(source.header());
    let mut batch = Batch::default();
    let damage = loop {
        let polled = source.poll(&mut batch, Duration::from_millis(500))?;
        batch.events.iter().for_each(|event| checker.apply(event));
        if let Polled::End { damage, .. } = polled {
            break damage;
        }
    };
    let result = checker.finish();
    let text = if args.view.json {
        serde_json::to_string_pretty(&result).context("result to JSON")? + "\n"
    } else {
        render(&result)
    };
    quiet_on_broken_pipe(io::stdout().write_all(text.as_bytes())).context("write to stdout")?;
    if let Some(damage) = &damage {
        eprintln!("vswap: {damage}");
    }
    let broken = result.invariants.iter().any(|i| i.broken > 0);
    Ok(if result.agreed < result.allocations || broken {
        Exit::Divergence
    } else if damage.is_some() {
        Exit::Damaged
    } else {
        Exit::Ok
    })
}

fn known(header: &Header) -> anyhow::Result<()> {
    if header.origin != "host" {
        return Err(ExitError::new(
            Exit::Failure,
            "this trace was generated: no kernel chose its slots, there is nothing to hold against the model",
        ));
    }
    if !LAYOUTS.contains(&header.layout_name.as_str()) {
        return Err(ExitError::new(
            Exit::NotSupported,
            format!(
                "the model does not know the allocator of layout '{}' (Linux {}); it knows {}",
                header.layout_name,
                header.kernel.release,
                LAYOUTS.join(", ")
            ),
        ));
    }
    Ok(())
}

fn render(r: &Agreement) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "Allocations  {} ({} refused by the kernel)", r.allocations, r.refused);
    let _ = writeln!(out, "Agreed       {} ({:.3} %)", r.agreed, r.agreement * 100.0);
    for (cause, n) in &r.misses {
        let _ = writeln!(out, "  missed     {n}: {}", words(*cause));
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
        let _ = writeln!(out, "\nFirst divergence\n{}", divergence(d));
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

fn divergence(d: &Divergence) -> String {
    let slot =
        |s: Option<crate::check::Slot>| s.map_or("none".to_owned(), |s| format!("{}:{}", s.dev, s.off));
    format!(
        "  request {} at {} ns, cpu {}, order {}: the kernel took {}, the model {} ({})\n  {}",
        d.request,
        d.ts,
        d.cpu,
        d.order,
        slot(d.kernel),
        slot(d.model),
        words(d.cause),
        d.context
    )
}

const fn words(cause: Cause) -> &'static str {
    match cause {
        Cause::ColdStart => "the state before was not known",
        Cause::Contention => "another CPU was at work in between",
        Cause::LateWorker => "a worker was in the middle of its work",
        Cause::Model => "NOT EXPLAINED: the model or the kernel does not follow the specification",
    }
}

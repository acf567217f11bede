//! `vswap replay --check`: the model beside a trace, and the trace's own history against the state machine of a slot.

use super::drain::{Progress, quiet_on_broken_pipe, tell};
use crate::check::{Agreement, Cause, Checker, Divergence};
use crate::cli::ReplayArgs;
use crate::collector::Collector;
use crate::exit::{Exit, ExitError};
use crate::meta::Header;
use crate::report::FaultGroup;
use crate::snapshot::Snapshot;
use crate::source::trace::TraceSource;
use crate::source::{Batch, Polled, Source};
use anyhow::Context;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

/// Layouts whose allocator the model follows: owners in the cluster (Linux 7.2, 7.3), no virtual layer.
const LAYOUTS: [&str; 2] = ["swap-table-memcg", "swap-table-memcg-ops"];
/// One point of history; nothing here shows it.
const HISTORY_NS: u64 = u64::MAX;

/// What `--check --json` prints.
#[derive(Serialize)]
struct Checked<'a> {
    #[serde(flatten)]
    agreement: &'a Agreement,
    shadow: Shadow<'a>,
}

/// The trace's own history, whatever the allocator's choices were.
#[derive(Serialize)]
struct Shadow<'a> {
    /// Events held against the state of their slots.
    events: u64,
    /// Events that should be there and are not: what they would have told is not concluded upon.
    lost: u64,
    /// What contradicts, by fault.
    faults: Vec<FaultGroup<'a>>,
}

/// Runs the check over the whole trace.
///
/// # Errors
/// If the trace cannot be read, or the model does not know its kernel's allocator.
pub(super) fn run(args: &ReplayArgs) -> anyhow::Result<Exit> {
    let mut source = TraceSource::open(&args.file)?;
    known(source.header())?;
    let mut checker = Checker::new(source.header());
    let mut collector = Collector::new(Arc::new(source.header().clone()), HISTORY_NS);
    let mut progress = Progress::new();
    let mut batch = Batch::default();
    let damage = loop {
        let polled = source.poll(&mut batch, Duration::from_millis(500))?;
        for update in &batch.updates {
            checker.update(update);
            collector.update(update);
        }
        for event in &batch.events {
            checker.apply(event);
            collector.apply(event);
        }
        collector.note_undecodable(batch.undecodable);
        progress.show(&source);
        if let Polled::End { damage, .. } = polled {
            break damage;
        }
    };
    drop(progress);
    let result = checker.finish();
    let snapshot = collector.snapshot();
    let shadow = Shadow {
        events: snapshot.events,
        lost: snapshot.losses.lost,
        faults: FaultGroup::of(&snapshot.findings),
    };
    let text = if args.view.json {
        let checked = Checked { agreement: &result, shadow };
        serde_json::to_string_pretty(&checked).context("result to JSON")? + "\n"
    } else {
        render(&result, &shadow)
    };
    quiet_on_broken_pipe(io::stdout().write_all(text.as_bytes())).context("write to stdout")?;
    tell(damage.as_deref(), snapshot.losses.lost.saturating_add(snapshot.losses.undecodable));
    Ok(exit(&result, &snapshot, damage.is_some()))
}

/// A divergence is graver news than damage, and damage graver than loss.
fn exit(result: &Agreement, snapshot: &Snapshot, damaged: bool) -> Exit {
    if result.diverged() || snapshot.findings.total() > 0 {
        Exit::Divergence
    } else if damaged {
        Exit::Damaged
    } else if snapshot.losses.lost + snapshot.losses.undecodable > 0 {
        Exit::Lost
    } else {
        Exit::Ok
    }
}

fn known(header: &Header) -> anyhow::Result<()> {
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

fn render(r: &Agreement, shadow: &Shadow<'_>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "Allocations  {} ({} refused by the kernel)", r.allocations, r.refused);
    let _ = writeln!(out, "Agreed       {} ({:.3} %)", r.agreed, r.agreement * 100.0);
    for (cause, n) in &r.misses {
        let _ = writeln!(out, "  missed     {n}: {}", words(*cause));
    }
    for (what, compared) in [("Same way", &r.paths), ("List moves", &r.moves)] {
        let _ = writeln!(out, "{what:<12} {} of {} compared", compared.agreed, compared.compared);
        for (cause, n) in &compared.misses {
            let _ = writeln!(out, "  differ     {n}: {}", words(*cause));
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
        let _ = writeln!(out, "\nFirst divergence\n{}", divergence(d));
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
    let faults = if shadow.faults.is_empty() { "no fault" } else { "FAULTS" };
    let _ = writeln!(out, "Slot states  {} events followed, {faults}", shadow.events);
    for group in &shadow.faults {
        let _ = writeln!(out, "  FAULT      {}", group.line());
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
        Cause::Memory => "the kernel had no memory for a cluster's tables",
        Cause::NotRecorded => "not to be told from a trace recorded with --slots-only",
        Cause::Model => "NOT EXPLAINED: the model or the kernel does not follow the specification",
    }
}

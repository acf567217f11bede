//! `vswap replay --check`: the model beside a trace, and the trace's own history against the state machine of a slot.

use super::drain::{Progress, quiet_on_broken_pipe, tell};
use crate::check::{self, Agreement, Checker};
use crate::cli::ReplayArgs;
use crate::collector::Collector;
use crate::exit::{Exit, ExitError};
use crate::report::{FaultGroup, agreement, designs as designs_text};
use crate::snapshot::Snapshot;
use crate::source::trace::TraceSource;
use crate::source::{Batch, Polled, Source};
use crate::whatif::{Comparison, Design, Row};
use anyhow::Context;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

/// One point of history; nothing here shows it.
const HISTORY_NS: u64 = u64::MAX;

/// What `--check --json` prints.
#[derive(Serialize)]
struct Checked<'a> {
    #[serde(flatten)]
    agreement: &'a Agreement,
    shadow: Shadow<'a>,
    /// Designs replayed beside it.
    #[serde(skip_serializing_if = "<[Row]>::is_empty")]
    models: &'a [Row],
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

/// Runs the check over the whole trace, with the designs of a what-if beside it.
///
/// # Errors
/// If the trace cannot be read, or the model does not know its kernel's allocator.
pub(super) fn run(args: &ReplayArgs, designs: &[Design]) -> anyhow::Result<Exit> {
    let mut source = TraceSource::open(&args.file)?;
    let known =
        if designs.is_empty() { check::knows(source.header()) } else { check::plain(source.header()) };
    known.map_err(|why| ExitError::new(Exit::NotSupported, why))?;
    let mut checker = Checker::new(source.header());
    let mut collector = Collector::new(Arc::new(source.header().clone()), HISTORY_NS);
    let mut comparison = Comparison::new(source.header(), designs);
    let mut progress = Progress::new();
    let mut batch = Batch::default();
    let damage = loop {
        let polled = source.poll(&mut batch, Duration::from_millis(500))?;
        for update in &batch.updates {
            checker.update(update);
            collector.update(update);
            comparison.update(update);
        }
        for event in &batch.events {
            checker.apply(event);
            collector.apply(event);
            comparison.apply(event);
        }
        checker.note_undecodable(batch.undecodable);
        collector.note_undecodable(batch.undecodable);
        progress.show(&source);
        if let Polled::End { damage, .. } = polled {
            break damage;
        }
    };
    drop(progress);
    let result = checker.finish();
    let models = comparison.rows();
    let snapshot = collector.snapshot();
    let shadow = Shadow {
        events: snapshot.events,
        lost: snapshot.losses.lost,
        faults: FaultGroup::of(&snapshot.findings),
    };
    let text = if args.view.json {
        let checked = Checked { agreement: &result, shadow, models: &models };
        serde_json::to_string_pretty(&checked).context("result to JSON")? + "\n"
    } else {
        let mut text = render(&result, &shadow);
        if !models.is_empty() {
            text += "\n";
            text += &designs_text::text(&models, source.header().kernel.page_size.into());
        }
        text
    };
    quiet_on_broken_pipe(io::stdout().write_all(text.as_bytes())).context("write to stdout")?;
    tell(damage.as_deref(), snapshot.losses.missing(0), snapshot.losses.untracked);
    Ok(exit(&result, &snapshot, damage.is_some()))
}

/// A divergence is graver news than damage, and damage graver than loss.
fn exit(result: &Agreement, snapshot: &Snapshot, damaged: bool) -> Exit {
    if result.diverged() || snapshot.findings.total() > 0 {
        Exit::Divergence
    } else if damaged {
        Exit::Damaged
    } else if snapshot.losses.missing(0) > 0 {
        Exit::Lost
    } else {
        Exit::Ok
    }
}

fn render(r: &Agreement, shadow: &Shadow<'_>) -> String {
    let mut out = agreement::text(r);
    let faults = if shadow.faults.is_empty() { "no fault" } else { "FAULTS" };
    let _ = writeln!(out, "Slot states  {} events followed, {faults}", shadow.events);
    for group in &shadow.faults {
        let _ = writeln!(out, "  FAULT      {}", group.line());
    }
    out
}

//! `vswap replay --model` and `--compare`: what the recorded load would have needed under other designs of swap.

use super::drain::{Progress, quiet_on_broken_pipe};
use crate::check;
use crate::cli::{DesignArgs, ReplayArgs};
use crate::exit::{Exit, ExitError};
use crate::report;
use crate::source::trace::TraceSource;
use crate::source::{Batch, Polled, Source};
use crate::whatif::{Comparison, Design, Row, Settings};
use anyhow::Context;
use serde::Serialize;
use std::io::{self, Write};
use std::time::Duration;

/// The JSON object: what `--check` prints has the same member.
#[derive(Serialize)]
struct Models<'a> {
    models: &'a [Row],
}

/// The designs asked for, none if the question was not asked. A single `--model` is shown beside what was recorded.
///
/// # Errors
/// [`Exit::Usage`] for names and settings that do not exist.
pub(super) fn designs(args: &DesignArgs) -> anyhow::Result<Vec<Design>> {
    let usage = |message: String| ExitError::new(Exit::Usage, message);
    let settings = Settings::parse(&args.set.join(",")).map_err(|e| usage(format!("--set: {e}")))?;
    let (names, option) = match (&args.model, &args.compare) {
        (Some(model), _) => (vec![model.as_str()], "--model"),
        (None, Some(list)) => (list.split(',').collect(), "--compare"),
        (None, None) if args.set.is_empty() => return Ok(Vec::new()),
        (None, None) => {
            return Err(usage("--set needs --model or --compare: it changes what they replay".into()));
        }
    };
    let mut designs = Design::list(names, settings).map_err(|e| usage(format!("{option}: {e}")))?;
    if args.model.is_some() && !designs.contains(&Design::AS_RECORDED) {
        designs.insert(0, Design::AS_RECORDED);
    }
    Ok(designs)
}

/// Replays the trace under the designs and prints them side by side.
///
/// # Errors
/// If the trace cannot be read, or its kernel is one whose events mean something else.
pub(super) fn run(args: &ReplayArgs, designs: &[Design]) -> anyhow::Result<Exit> {
    let mut source = TraceSource::open(&args.file)?;
    check::plain(source.header()).map_err(|why| ExitError::new(Exit::NotSupported, why))?;
    let mut comparison = Comparison::new(source.header(), designs);
    let mut progress = Progress::new();
    let mut batch = Batch::default();
    let damage = loop {
        let polled = source.poll(&mut batch, Duration::from_millis(500))?;
        batch.updates.iter().for_each(|update| comparison.update(update));
        batch.events.iter().for_each(|event| comparison.apply(event));
        comparison.note_undecodable(batch.undecodable);
        progress.show(&source);
        if let Polled::End { damage, .. } = polled {
            break damage;
        }
    };
    drop(progress);
    let rows = comparison.rows();
    let text = if args.view.json {
        serde_json::to_string_pretty(&Models { models: &rows }).context("result to JSON")? + "\n"
    } else {
        report::designs::text(&rows, source.header().kernel.page_size.into())
    };
    quiet_on_broken_pipe(io::stdout().write_all(text.as_bytes())).context("write to stdout")?;
    if let Some(damage) = &damage {
        crate::say!("vswap: {damage}");
    }
    Ok(match damage {
        Some(_) => Exit::Damaged,
        None if comparison.lost() => Exit::Lost,
        None => Exit::Ok,
    })
}

//! `vswap export`: a recording for other tools.

use super::drain::{Progress, drain, exit_of, quiet_on_broken_pipe, tell};
use crate::cli::ExportArgs;
use crate::exit::{Exit, ExitError};
use crate::export::lines::{Csv, Ndjson};
use crate::export::perfetto::Perfetto;
use crate::export::row::{Names, SlotRow};
use crate::export::{Export, Facts, Format, parquet, schema};
use crate::meta::HookTotals;
use crate::source::trace::TraceSource;
use crate::source::{Batch, Polled, Source};
use crate::trace::file;
use anyhow::Context;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;
use vswap_common::Kind;

const POLL: Duration = Duration::from_millis(500);

/// Runs `vswap export`.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(args: &ExportArgs) -> anyhow::Result<Exit> {
    if args.json_schema {
        let schema = if args.slots { schema::slots() } else { schema::events() };
        let mut text = serde_json::to_string_pretty(&schema)?;
        text.push('\n');
        quiet_on_broken_pipe(io::stdout().write_all(text.as_bytes())).context("write to standard output")?;
        return Ok(Exit::Ok);
    }
    let (Some(input), Some(output)) = (&args.file, &args.output) else {
        return Err(ExitError::new(Exit::Usage, "export needs a trace and -o OUT"));
    };
    let format = args.format.or_else(|| Format::of(output)).ok_or_else(|| {
        let message =
            "the name of the output says no format: use .pftrace, .parquet, .ndjson or .csv, or --format";
        ExitError::new(Exit::Usage, message)
    })?;
    let result =
        if args.slots { slots(args, input, output, format) } else { events(args, input, output, format) };
    match result {
        // Whoever reads the stream has seen enough.
        Err(err) if err.chain().any(is_broken_pipe) => Ok(Exit::Ok),
        other => other,
    }
}

fn is_broken_pipe(err: &(dyn std::error::Error + 'static)) -> bool {
    err.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
}

fn create(args: &ExportArgs, output: &Path) -> anyhow::Result<BufWriter<File>> {
    Ok(BufWriter::with_capacity(1 << 16, file::create(output, args.force)?))
}

fn events(args: &ExportArgs, input: &Path, output: &Path, format: Format) -> anyhow::Result<Exit> {
    let mut source = TraceSource::open(input)?;
    let mut names = Names::new(source.header());
    let out = create(args, output)?;
    let mut export: Box<dyn Export> = match format {
        Format::Perfetto => Box::new(Perfetto::new(out, source.header(), args.interval)?),
        Format::Parquet => Box::new(parquet::Events::new(out, source.header())?),
        Format::Ndjson => Box::new(Ndjson::new(out)),
        Format::Csv => Box::new(Csv::events(out)?),
    };
    let shown = || format!("write {}", output.display());
    let mut batch = Batch::default();
    let mut progress = Progress::new();
    let (mut facts, mut undecodable, mut hooks) = (Facts::default(), 0u64, 0u64);
    loop {
        let polled = source.poll(&mut batch, POLL)?;
        for update in &batch.updates {
            names.update(update);
            hooks = hooks.max(update.hooks.iter().map(HookTotals::missing).sum());
        }
        let gaps = batch.events.iter().filter(|e| e.kind == Kind::Gap).map(|e| e.arg.max(1));
        facts.lost = gaps.fold(facts.lost, u64::saturating_add);
        undecodable += batch.undecodable;
        export.batch(&batch, &names).with_context(shown)?;
        progress.show(&source);
        if let Polled::End { trailer, damage } = polled {
            facts.lost = facts.lost.max(hooks).max(trailer.map_or(0, |t| t.lost)).saturating_add(undecodable);
            facts.damage = damage;
            break;
        }
    }
    export.finish(&facts, &names).with_context(shown)?;
    drop(progress);
    tell(facts.damage.as_deref(), facts.lost, 0);
    Ok(exit_of(facts.damage.as_deref(), facts.lost))
}

fn slots(args: &ExportArgs, input: &Path, output: &Path, format: Format) -> anyhow::Result<Exit> {
    let mut drained = drain(input, args.at)?;
    let snapshot = drained.collector.snapshot();
    let missing = snapshot.losses.missing(drained.trailer.as_ref().map_or(0, |t| t.lost));
    let rows = drained.collector.slots().map(SlotRow::from);
    let shown = || format!("write {}", output.display());
    match format {
        Format::Parquet => {
            parquet::slots(create(args, output)?, &snapshot.header, rows).with_context(shown)?;
        }
        Format::Ndjson => Ndjson::new(create(args, output)?).slots(rows).with_context(shown)?,
        Format::Csv => Csv::slots(create(args, output)?, rows).with_context(shown)?,
        Format::Perfetto => {
            let message = "slots at one time are a table: export them as .parquet, .ndjson or .csv";
            return Err(ExitError::new(Exit::Usage, message));
        }
    }
    tell(drained.damage.as_deref(), missing, snapshot.losses.untracked);
    Ok(exit_of(drained.damage.as_deref(), missing))
}

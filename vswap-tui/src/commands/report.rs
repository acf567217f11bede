//! `vswap report`: a trace in numbers.

use super::drain::{drain, exit_of, quiet_on_broken_pipe, tell};
use crate::cli::ReportArgs;
use crate::exit::Exit;
use crate::report::{Report, text};
use anyhow::Context;
use std::io::{self, BufWriter, Write};

/// Runs `vswap report`.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(args: &ReportArgs) -> anyhow::Result<Exit> {
    let mut drained = drain(&args.file, None)?;
    let snapshot = drained.collector.snapshot();
    let report = Report::new(&snapshot, drained.trailer, drained.damage);
    quiet_on_broken_pipe(print(&report, args.json)).context("write to standard output")?;
    let missing = report.losses.missing(report.lost);
    if args.json {
        tell(report.damage.as_deref(), missing, report.losses.untracked);
    }
    Ok(exit_of(report.damage.as_deref(), missing))
}

/// The report on standard output, as text or as one JSON object.
pub(super) fn print(report: &Report<'_>, json: bool) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    if json {
        serde_json::to_writer_pretty(&mut out, report)?;
        out.write_all(b"\n")?;
    } else {
        text::write(report, &mut out)?;
    }
    out.flush()
}

//! `vswap diff`: two recordings, or two sets of them, side by side.

use super::drain::{drain, exit_of, quiet_on_broken_pipe, tell};
use crate::check::{self, Beside};
use crate::cli::DiffArgs;
use crate::exit::{Exit, ExitError};
use crate::report::{Report, diff};
use crate::runtime::headless::{self, Limit};
use crate::source::Source;
use crate::source::trace::TraceSource;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Longest name in the head of the table.
const NAME: usize = 14;

/// Runs `vswap diff`.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(args: &DiffArgs) -> anyhow::Result<Exit> {
    let mut exit = Exit::Ok;
    let a = set(&args.a, args.check, &mut exit)?;
    let b = set(&args.b, args.check, &mut exit)?;
    let rows = diff::compare(&a, &b);
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = if args.json {
        serde_json::to_writer_pretty(&mut out, &rows).map_err(io::Error::from).and_then(|()| writeln!(out))
    } else {
        let [left, right] = names(&args.a, &args.b);
        diff::table(&rows, [&left, &right], [a.len(), b.len()], &mut out)
    };
    quiet_on_broken_pipe(printed.and_then(|()| out.flush())).context("write to standard output")?;
    Ok(exit)
}

/// Heads of the columns: the begin of each name, or the end where they begin alike; told apart in any case.
fn names(a: &Path, b: &Path) -> [String; 2] {
    let stem =
        |path: &Path| path.file_stem().map_or_else(|| "?".into(), |s| s.to_string_lossy().into_owned());
    let begin = |name: &String| name.chars().take(NAME).collect::<String>();
    let end =
        |name: &String| name.chars().skip(name.chars().count().saturating_sub(NAME)).collect::<String>();
    let full = [stem(a), stem(b)];
    let (begins, ends) = (full.each_ref().map(begin), full.each_ref().map(end));
    match (begins[0] != begins[1], ends[0] != ends[1]) {
        (true, _) => begins,
        (false, true) => ends,
        (false, false) => ["A".into(), "B".into()],
    }
}

/// Reports of all recordings of one side.
fn set(side: &Path, checked: bool, exit: &mut Exit) -> anyhow::Result<Vec<Value>> {
    let mut reports = Vec::new();
    for path in recordings(side)? {
        let (report, code) = report(&path, checked).with_context(|| path.display().to_string())?;
        // Damage may hide more than loss, and either makes the whole comparison doubtful.
        *exit = match (*exit, code) {
            (Exit::Damaged, _) | (_, Exit::Damaged) => Exit::Damaged,
            (Exit::Ok, code) => code,
            (before, _) => before,
        };
        reports.push(report);
    }
    Ok(reports)
}

/// The file itself, or the recordings in the folder.
fn recordings(side: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !side.is_dir() {
        return Ok(vec![side.to_path_buf()]);
    }
    let entries = fs::read_dir(side).with_context(|| format!("read the folder {}", side.display()))?;
    let mut all: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "vswap")).collect();
    all.sort();
    ensure!(!all.is_empty(), "{} has no recordings (*.vswap)", side.display());
    Ok(all)
}

/// What `report --json` says, with the agreement of the model if that is asked for.
fn report(path: &Path, checked: bool) -> anyhow::Result<(Value, Exit)> {
    if !checked {
        let mut drained = drain(path, None)?;
        let snapshot = drained.collector.snapshot();
        let report = Report::new(&snapshot, drained.trailer, drained.damage);
        let missing = report.losses.missing(report.lost);
        tell(report.damage.as_deref(), missing, report.losses.untracked);
        let exit = exit_of(report.damage.as_deref(), missing);
        return Ok((serde_json::to_value(&report)?, exit));
    }
    let source = TraceSource::open(path)?;
    let header = source.header();
    check::knows(header).map_err(|why| ExitError::new(Exit::NotSupported, why))?;
    let beside = Beside::new(String::new()).with_model(header);
    let outcome =
        headless::run(Box::new(source), Some(beside), None, Limit::Input, None, &AtomicBool::new(false))?;
    let damage = outcome.end.as_ref().and_then(|e| e.damage.clone());
    let mut report = Report::new(&outcome.snapshot, outcome.trailer.clone(), damage);
    if let Some(beside) = &outcome.beside {
        report.check = beside.agreement.as_ref();
    }
    tell(outcome.damage().as_deref(), outcome.missing(), outcome.snapshot.losses.untracked);
    Ok((serde_json::to_value(&report)?, outcome.exit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_apart() {
        let of = |a: &str, b: &str| names(Path::new(a), Path::new(b));
        assert_eq!(of("x/base", "patched.vswap"), ["base", "patched"]);
        let alike = of("linux-7.3-1cpu-order0.vswap", "linux-7.3-1cpu-mixed.vswap");
        assert!(alike[0].ends_with("order0") && alike[1].ends_with("mixed"), "{alike:?}");
        assert_eq!(of("base/run.vswap", "patched/run.vswap"), ["A", "B"]);
    }
}

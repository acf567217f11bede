//! The guest suite: real kernels swap real pages, and vswap must be right about each one.
//!
//! ```text
//! scenario (what to do) -> guest/lib.sh (does it, with `vswap record` beside) -> evidence (files) -> check
//! ```

mod boots;
mod check;
#[cfg(test)]
mod check_tests;
mod evidence;
mod scenario;
mod ways;

use super::{Programs, kernel};
use anyhow::{Result, bail};
use std::num::NonZero;
use std::path::PathBuf;

/// Shell functions of the scenarios.
pub(crate) const LIB: &str = include_str!("../../../guest/lib.sh");

/// How to run the suite.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Where traces and evidence go, below target/vm if not given.
    pub(crate) out: Option<PathBuf>,
    /// Only what has this in the name of the boot or the scenario.
    pub(crate) only: Option<String>,
    /// Do not boot: judge what the last run left.
    pub(crate) judge_only: bool,
    /// Guests at a time.
    pub(crate) guests: NonZero<u8>,
}

/// Kernels of every generation of swap that Debian has.
pub(crate) const MATRIX: [&str; 7] = ["7.3", "7.2", "7.1", "7.0", "6.19", "6.18", "6.12"];

/// What CI runs: all of it on the newest kernel and the long-term one, and one boot on the first with pure swap tables.
/// One guest after the other: beside another, a load may be too slow for what its scenario wants to see.
pub(crate) fn run_all() -> Result<()> {
    run_each(&[("7.3", None), ("6.12", None), ("7.0", Some("one-cpu"))], false, NonZero::<u8>::MIN)
}

/// The suite on these kernels.
pub(crate) fn run_versions(versions: &[&str], refresh: bool, guests: NonZero<u8>) -> Result<()> {
    let all: Vec<_> = versions.iter().map(|version| (*version, None)).collect();
    run_each(&all, refresh, guests)
}

/// Kernels, and what of the suite: everything, or what has this in its name.
fn run_each(runs: &[(&str, Option<&str>)], refresh: bool, guests: NonZero<u8>) -> Result<()> {
    let programs = Programs::build()?;
    let mut tasks = Vec::new();
    // All, whatever the first says: one run shall tell everything that is wrong, and its last lines say it.
    let mut failures = Vec::new();
    for (version, only) in runs {
        let found = kernel::find(version, None, refresh).and_then(|kernel| boots::of(&kernel, *only));
        match found {
            Ok(found) => tasks.extend(found),
            Err(err) => failures.push(format!("{version}: {err:#}")),
        }
    }
    failures.extend(boots::run(
        &tasks,
        &programs,
        &Options { out: None, only: None, judge_only: false, guests },
    ));
    verdict(&failures)
}

/// The suite for this kernel.
pub(crate) fn run_on(kernel: &kernel::Kernel, programs: &Programs, options: &Options) -> Result<()> {
    let tasks = boots::of(kernel, options.only.as_deref())?;
    verdict(&boots::run(&tasks, programs, options))
}

/// Every failure, or none.
fn verdict(failures: &[String]) -> Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    for failure in failures {
        eprintln!("FAILED {failure}");
    }
    bail!("{} checks failed", failures.len())
}

//! The guest suite: real kernels swap real pages, and vswap must be right about each one.
//!
//! ```text
//! scenario (what to do) -> guest/lib.sh (does it, with `vswap record` beside) -> evidence (files) -> check
//! ```

mod check;
#[cfg(test)]
mod check_tests;
mod evidence;
mod scenario;
mod ways;

use super::{Guest, Programs, boot, kernel};
use crate::sh;
use anyhow::{Context, Result, bail};
use scenario::{Boot, End, Scenario};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ways::Ways;

/// Shell functions of the scenarios.
pub(crate) const LIB: &str = include_str!("../../../guest/lib.sh");

/// Longer than the slowest boot of the suite takes on two busy cores.
const TIMEOUT: Duration = Duration::from_secs(900);

/// How to run the suite.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// Where traces and evidence go, below target/vm if not given.
    pub(crate) out: Option<PathBuf>,
    /// Only what has this in the name of the boot or the scenario.
    pub(crate) only: Option<String>,
    /// Do not boot: judge what the last run left.
    pub(crate) judge_only: bool,
}

/// Kernels of every generation of swap that Debian has.
pub(crate) const MATRIX: [&str; 7] = ["7.3", "7.2", "7.1", "7.0", "6.19", "6.18", "6.12"];

/// What CI runs: all of it on the newest kernel and the long-term one, and one boot on the first with pure swap tables.
pub(crate) fn run_all() -> Result<()> {
    run_each(&[("7.3", None), ("6.12", None), ("7.0", Some("one-cpu"))], false)
}

/// The suite on these kernels.
pub(crate) fn run_versions(versions: &[&str], refresh: bool) -> Result<()> {
    let all: Vec<_> = versions.iter().map(|version| (*version, None)).collect();
    run_each(&all, refresh)
}

/// Kernels, and what of the suite: everything, or what has this in its name.
fn run_each(runs: &[(&str, Option<&str>)], refresh: bool) -> Result<()> {
    let programs = Programs::build()?;
    let run = |version: &str, only: Option<&str>| {
        let options = Options { only: only.map(str::to_owned), ..Options::default() };
        failures_on(&kernel::find(version, None, refresh)?, &programs, &options)
    };
    // All, whatever the first says: one run shall tell everything that is wrong, and its last lines say it.
    let mut failures = Vec::new();
    for (version, result) in runs.iter().map(|(version, only)| (version, run(version, *only))) {
        failures.extend(result.unwrap_or_else(|err| vec![format!("{version}: {err:#}")]));
    }
    verdict(&failures)
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

/// The suite for this kernel.
pub(crate) fn run_on(kernel: &kernel::Kernel, programs: &Programs, options: &Options) -> Result<()> {
    verdict(&failures_on(kernel, programs, options)?)
}

/// Runs the boots of this kernel; returns what does not hold.
fn failures_on(kernel: &kernel::Kernel, programs: &Programs, options: &Options) -> Result<Vec<String>> {
    let mut boots = Ways::of(&kernel.name).boots();
    if let Some(only) = &options.only {
        for plan in boots.iter_mut().filter(|plan| !plan.name.contains(only.as_str())) {
            plan.scenarios.retain(|s| s.name.contains(only.as_str()));
        }
        boots.retain(|plan| !plan.scenarios.is_empty() || plan.name.contains(only.as_str()));
        if boots.is_empty() {
            bail!("no boot and no scenario has '{only}' in its name");
        }
    }
    let mut failures = Vec::new();
    for plan in boots {
        // A guest that died says nothing about those after it.
        let found = run_boot(kernel, programs, &plan, options);
        failures.extend(found.unwrap_or_else(|err| vec![format!("{}-{}: {err:#}", kernel.name, plan.name)]));
    }
    if failures.is_empty() {
        sh::say(format!("Linux {}: every scenario holds", kernel.name));
    }
    Ok(failures)
}

fn run_boot(
    kernel: &kernel::Kernel,
    programs: &Programs,
    plan: &Boot,
    options: &Options,
) -> Result<Vec<String>> {
    let guest = Guest {
        kernel: kernel.clone(),
        name: format!("{}-{}", kernel.name, plan.name),
        script: scenario::script(LIB, plan),
        memory: 2000,
        cpus: plan.cpus,
        swap: plan.swap,
        append: plan.append.to_owned(),
        in_turn: plan.in_turn,
        timeout: TIMEOUT,
        echo: false,
    };
    let out = options.out.as_ref().map_or_else(|| guest.dir().join("out"), |out| out.join(plan.name));
    let mut failures = Vec::new();
    if !options.judge_only {
        let title = format!("Linux {}, {} CPUs: {} scenarios", kernel.name, plan.cpus, plan.scenarios.len());
        let code = sh::timed(&title, || boot(&guest, programs, &out))?;
        if code != 0 {
            let log = guest.dir().join("console.log");
            failures.push(format!("{}: the script ended with {code}; see {}", guest.name, log.display()));
            failures.extend(said(&log).into_iter().map(|said| format!("{}: {said}", guest.name)));
        }
    }
    for scenario in &plan.scenarios {
        let dir = out.join(scenario.name);
        if let Some(why) = evidence::skipped(&dir) {
            sh::say(format!("{}: skipped, not on a kernel {why}", scenario.name));
            continue;
        }
        let found = judge(kernel, plan, scenario, &dir, &programs.vswap)
            .unwrap_or_else(|err| vec![format!("cannot be judged: {err:#}")]);
        sh::say(format!("{}: {}", scenario.name, if found.is_empty() { "holds" } else { "FAILED" }));
        failures.extend(found.into_iter().map(|f| format!("{} {}: {f}", guest.name, scenario.name)));
    }
    Ok(failures)
}

/// What the guest's script found wrong.
fn said(log: &Path) -> Vec<String> {
    let log = fs::read(log).unwrap_or_default();
    let lines = String::from_utf8_lossy(&log);
    let failed = lines.lines().filter_map(|line| line.split_once("VSWAP-SCENARIO-FAILED "));
    failed.map(|(_, reason)| reason.trim_end().to_owned()).collect()
}

fn judge(
    kernel: &kernel::Kernel,
    boot: &Boot,
    scenario: &Scenario,
    dir: &Path,
    vswap: &Path,
) -> Result<Vec<String>> {
    let mut kernel = evidence::Kernel::read(dir, Ways::of(&kernel.name)).context("evidence")?;
    if scenario.end == End::Late {
        kernel.ways = kernel.ways.begun_late();
    }
    let mut failures = check::load(scenario, boot.cpus, &kernel);
    let vswap = match scenario.end {
        End::Live => evidence::Vswap::live(dir)?,
        _ => evidence::Vswap::read(dir, vswap, kernel.ways)?,
    };
    failures.extend(check::trace(scenario, &kernel, &vswap));
    Ok(failures)
}

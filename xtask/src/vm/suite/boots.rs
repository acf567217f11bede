//! The boots of a run, and what each says: one after the other or some at a time.

use super::scenario::{self, Boot, End, Scenario};
use super::ways::Ways;
use super::{LIB, Options, check, evidence};
use crate::sh;
use crate::vm::kernel::Kernel;
use crate::vm::{Guest, Programs, boot};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than the slowest boot of the suite takes on two busy cores.
const TIMEOUT: Duration = Duration::from_secs(900);

/// One boot on one kernel.
#[derive(Debug)]
pub(super) struct Task {
    kernel: Kernel,
    plan: Boot,
}

impl Task {
    fn name(&self) -> String {
        format!("{}-{}", self.kernel.name, self.plan.name)
    }
}

/// What a boot came to.
#[derive(Debug, Default)]
struct Outcome {
    /// What does not hold.
    failures: Vec<String>,
    /// Scenarios and scripts that hold.
    held: usize,
    /// Scenarios that are not for this kernel.
    skipped: usize,
    took: Duration,
}

/// The boots of the suite for this kernel: all, or what has `only` in the name of the boot or the scenario.
pub(super) fn of(kernel: &Kernel, only: Option<&str>) -> Result<Vec<Task>> {
    let mut boots = Ways::of(&kernel.name).boots();
    if let Some(only) = only {
        for plan in boots.iter_mut().filter(|plan| !plan.name.contains(only)) {
            plan.scenarios.retain(|s| s.name.contains(only));
        }
        boots.retain(|plan| !plan.scenarios.is_empty() || plan.name.contains(only));
        if boots.is_empty() {
            bail!("no boot and no scenario has '{only}' in its name");
        }
    }
    Ok(boots.into_iter().map(|plan| Task { kernel: kernel.clone(), plan }).collect())
}

/// Runs them, so many at a time as the options say; returns what does not hold, in the order of the tasks.
pub(super) fn run(tasks: &[Task], programs: &Programs, options: &Options) -> Vec<String> {
    let next = Mutex::new(tasks.iter().enumerate());
    let outcomes = Mutex::new(tasks.iter().map(|_| Outcome::default()).collect::<Vec<_>>());
    let take = || next.lock().ok()?.next();
    thread::scope(|scope| {
        for _ in 0..options.guests.get() {
            scope.spawn(|| {
                while let Some((at, task)) = take() {
                    let start = Instant::now();
                    // A guest that died says nothing about those after it.
                    let mut outcome = run_boot(task, programs, options).unwrap_or_else(|err| Outcome {
                        failures: vec![format!("{}: {err:#}", task.name())],
                        ..Outcome::default()
                    });
                    outcome.took = start.elapsed();
                    if let Ok(mut outcomes) = outcomes.lock() {
                        outcomes[at] = outcome;
                    }
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    summary(tasks, &outcomes);
    outcomes.into_iter().flat_map(|outcome| outcome.failures).collect()
}

/// A line for each kernel.
fn summary(tasks: &[Task], outcomes: &[Outcome]) {
    let mut kernels: Vec<&str> = tasks.iter().map(|task| task.kernel.name.as_str()).collect();
    kernels.dedup();
    for kernel in kernels {
        let all = tasks.iter().zip(outcomes).filter(|(task, _)| task.kernel.name == kernel);
        let outcomes: Vec<&Outcome> = all.map(|(_, outcome)| outcome).collect();
        let sum = |part: fn(&Outcome) -> usize| outcomes.iter().map(|o| part(o)).sum::<usize>();
        let (failed, skipped) = (sum(|o| o.failures.len()), sum(|o| o.skipped));
        sh::say(format!(
            "Linux {kernel}: {} boots, {} scenarios and scripts hold, {skipped} skipped, {failed} checks failed, {:.0} s{}",
            outcomes.len(),
            sum(|o| o.held),
            outcomes.iter().map(|o| o.took).sum::<Duration>().as_secs_f64(),
            if failed == 0 { ": every scenario holds" } else { "" }
        ));
    }
}

fn run_boot(task: &Task, programs: &Programs, options: &Options) -> Result<Outcome> {
    let Task { kernel, plan } = task;
    let guest = Guest {
        kernel: kernel.clone(),
        name: task.name(),
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
    let mut outcome = Outcome::default();
    if !options.judge_only {
        let title = format!("{}: {} CPUs, {} scenarios", guest.name, plan.cpus, plan.scenarios.len());
        let code = sh::timed(&title, || boot(&guest, programs, &out))?;
        if code != 0 {
            let log = guest.dir().join("console.log");
            outcome.failures.push(format!(
                "{}: the script ended with {code}; see {}",
                guest.name,
                log.display()
            ));
            outcome.failures.extend(said(&log).into_iter().map(|said| format!("{}: {said}", guest.name)));
        } else if !plan.extra.is_empty() {
            outcome.held += 1;
        }
    }
    for scenario in &plan.scenarios {
        let dir = out.join(scenario.name);
        if let Some(why) = evidence::skipped(&dir) {
            sh::say(format!("{} {}: skipped, not on a kernel {why}", guest.name, scenario.name));
            outcome.skipped += 1;
            continue;
        }
        let found = judge(kernel, plan, scenario, &dir, &programs.vswap)
            .unwrap_or_else(|err| vec![format!("cannot be judged: {err:#}")]);
        let verdict = if found.is_empty() { "holds" } else { "FAILED" };
        sh::say(format!("{} {}: {verdict}", guest.name, scenario.name));
        outcome.held += usize::from(found.is_empty());
        outcome.failures.extend(found.into_iter().map(|f| format!("{} {}: {f}", guest.name, scenario.name)));
    }
    Ok(outcome)
}

/// What the guest's script found wrong.
fn said(log: &Path) -> Vec<String> {
    let log = fs::read(log).unwrap_or_default();
    let lines = String::from_utf8_lossy(&log);
    let failed = lines.lines().filter_map(|line| line.split_once("VSWAP-SCENARIO-FAILED "));
    failed.map(|(_, reason)| reason.trim_end().to_owned()).collect()
}

fn judge(kernel: &Kernel, boot: &Boot, scenario: &Scenario, dir: &Path, vswap: &Path) -> Result<Vec<String>> {
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

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

use super::{Guest, Programs, boot, kernel};
use crate::sh;
use anyhow::{Context, Result, bail};
use scenario::{Boot, End, Scenario};
use std::path::Path;
use std::time::Duration;

/// Shell functions of the scenarios.
const LIB: &str = include_str!("../../../guest/lib.sh");

/// Longer than the slowest boot of the suite takes on two busy cores.
const TIMEOUT: Duration = Duration::from_secs(900);

/// Everything: the full suite on 7.3, boot and swap on 6.12.
pub(crate) fn run_all() -> Result<()> {
    let programs = Programs::build()?;
    for version in ["7.3", "6.12"] {
        let kernel = kernel::find(version, None, false)?;
        run_on(&kernel, &programs, None)?;
    }
    Ok(())
}

/// The suite for this kernel; traces and evidence go to `out`, below target/vm if not given.
pub(crate) fn run_on(kernel: &kernel::Kernel, programs: &Programs, out: Option<&Path>) -> Result<()> {
    // The tracer knows the swap table with memcg ids in it, which came with 7.2.
    let boots = if kernel.name == "6.12" { scenario::unrecorded() } else { scenario::full() };
    let mut failures = Vec::new();
    for plan in boots {
        failures.extend(run_boot(kernel, programs, &plan, out)?);
    }
    if failures.is_empty() {
        sh::say(format!("Linux {}: every scenario holds", kernel.name));
        return Ok(());
    }
    for failure in &failures {
        eprintln!("FAILED {failure}");
    }
    bail!("{} checks failed on Linux {}", failures.len(), kernel.name)
}

fn run_boot(
    kernel: &kernel::Kernel,
    programs: &Programs,
    plan: &Boot,
    out: Option<&Path>,
) -> Result<Vec<String>> {
    let guest = Guest {
        kernel: kernel.clone(),
        name: format!("{}-{}", kernel.name, plan.name),
        script: scenario::script(LIB, &plan.scenarios),
        memory: 2000,
        cpus: plan.cpus,
        swap: 512,
        timeout: TIMEOUT,
        echo: false,
    };
    let out = out.map_or_else(|| guest.dir().join("out"), |out| out.join(plan.name));
    let title = format!("Linux {}, {} CPUs: {} scenarios", kernel.name, plan.cpus, plan.scenarios.len());
    let code = sh::timed(&title, || boot(&guest, programs, &out))?;
    let mut failures = Vec::new();
    if code != 0 {
        failures.push(format!(
            "{}: the script ended with {code}; see {}/console.log",
            guest.name,
            guest.dir().display()
        ));
    }
    for scenario in &plan.scenarios {
        let found = judge(scenario, &out.join(scenario.name), &programs.vswap)
            .unwrap_or_else(|err| vec![format!("cannot be judged: {err:#}")]);
        sh::say(format!("{}: {}", scenario.name, if found.is_empty() { "holds" } else { "FAILED" }));
        failures.extend(found.into_iter().map(|f| format!("{} {}: {f}", guest.name, scenario.name)));
    }
    Ok(failures)
}

fn judge(scenario: &Scenario, dir: &Path, vswap: &Path) -> Result<Vec<String>> {
    let kernel = evidence::Kernel::read(dir).context("evidence")?;
    let mut failures = check::load(scenario, &kernel);
    if scenario.end != End::Unrecorded {
        failures.extend(check::trace(scenario, &kernel, &evidence::Vswap::read(dir, vswap)?));
    }
    Ok(failures)
}

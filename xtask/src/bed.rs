//! What other people's tools make of our exports: DuckDB, Perfetto's protobuf definitions, a Prometheus parser, JSON
//! Schema. They are Python packages in a folder of their own (`target/bed`); the tool itself needs none of them.

use crate::sh;
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the checks, or says what they lack.
pub(crate) fn exports() -> Result<()> {
    let Some(python) = python()? else {
        sh::say("Exports read by other tools: SKIPPED (no python3 with venv and pip, or no network)");
        return Ok(());
    };
    sh::run(sh::cargo().args(["build", "--package", "vswap-tui"]))?;
    let fixtures = sh::root().join("vswap-tui/tests/fixtures");
    let mut traces: Vec<PathBuf> = std::fs::read_dir(fixtures)?.flatten().map(|e| e.path()).collect();
    traces.retain(|t| t.extension().is_some_and(|e| e == "vswap"));
    traces.sort();
    ensure!(!traces.is_empty(), "no recordings in vswap-tui/tests/fixtures");
    let mut check = Command::new(python);
    check
        .arg(sh::root().join("xtask/bed/exports.py"))
        .arg(sh::root().join("target/debug/vswap"))
        .args(traces);
    sh::step("Exports read by other tools", &mut check)
}

/// A Python that has the packages; made once.
fn python() -> Result<Option<PathBuf>> {
    let bed = sh::root().join("target/bed");
    let python = bed.join("bin/python");
    let wanted = sh::root().join("xtask/bed/requirements.txt");
    let stamp = bed.join("requirements.txt");
    let same = |a: &Path, b: &Path| matches!((std::fs::read(a), std::fs::read(b)), (Ok(a), Ok(b)) if a == b);
    if python.is_file() && same(&stamp, &wanted) {
        return Ok(Some(python));
    }
    let Some(system) = sh::which("python3") else { return Ok(None) };
    let made = sh::run(Command::new(system).args(["-m", "venv"]).arg(&bed)).is_ok()
        && sh::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&wanted))
            .is_ok();
    if made {
        std::fs::copy(&wanted, &stamp)?;
    }
    Ok(made.then_some(python))
}

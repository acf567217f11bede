//! What others make of our files: a reader of traces that was written from their description alone; and of our exports
//! DuckDB, Perfetto's protobuf definitions, a Prometheus parser and JSON Schema, Python packages in a folder of their own
//! (`target/bed`). Prometheus' own `promtool` comes out of Debian's package, which is unpacked beside them, not installed:
//! it would start a server. vswap itself needs none of them.

use crate::{setup, sh};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the checks. What cannot be had is skipped on a laptop, and says so; CI fails: a check that never runs there is
/// none.
pub(crate) fn exports() -> Result<()> {
    rules()?;
    let Some(python) = python()? else {
        return lacking(
            "Exports read by other tools",
            "no python3 with venv and pip, or no network for xtask/bed/requirements.txt",
        );
    };
    sh::run(sh::cargo().args(["build", "--package", "vswap-tui"]))?;
    let fixtures = sh::root().join("vswap-tui/tests/fixtures");
    let kinds = fixtures.join("kinds/kinds-1-43.vswap");
    let mut traces: Vec<PathBuf> = std::fs::read_dir(&fixtures)?.flatten().map(|e| e.path()).collect();
    traces.retain(|t| t.extension().is_some_and(|e| e == "vswap"));
    traces.sort();
    ensure!(!traces.is_empty(), "no recordings in vswap-tui/tests/fixtures");
    let run = |title: &str, script: &str, more: &[PathBuf]| {
        let mut check = Command::new(&python);
        check.arg(sh::root().join("xtask/bed").join(script)).arg(sh::root().join("target/debug/vswap"));
        sh::step(title, check.args(&traces).args(more))
    };
    run("Exports read by other tools", "exports.py", &[])?;
    run("Traces read by docs/trace-format.md alone", "format.py", &[kinds])
}

/// Prometheus evaluates the rules in `dist/` over series whose answers are known.
fn rules() -> Result<()> {
    const TITLE: &str = "Prometheus rules evaluated by promtool";
    let Some(promtool) = promtool()? else {
        return lacking(TITLE, "no promtool, and Debian's package prometheus cannot be fetched");
    };
    let mut check = Command::new(promtool);
    check.args(["test", "rules"]).arg(sh::root().join("xtask/bed/rules.test.yml"));
    sh::step(TITLE, &mut check)
}

/// `promtool` of this system, else out of Debian's package; unpacked once.
fn promtool() -> Result<Option<PathBuf>> {
    if let Some(installed) = sh::which("promtool") {
        return Ok(Some(installed));
    }
    let bed = sh::root().join("target/bed-prometheus");
    let promtool = bed.join("usr/bin/promtool");
    if promtool.is_file() {
        return Ok(Some(promtool));
    }
    if sh::which("dpkg-deb").is_none() || !setup::apt_has("prometheus").unwrap_or(false) {
        return Ok(None);
    }
    std::fs::create_dir_all(&bed).with_context(|| format!("make {}", bed.display()))?;
    let mut fetch = Command::new("apt-get");
    fetch.args(["download", "-qq", "prometheus"]).current_dir(&bed);
    if sh::run(&mut fetch).is_err() {
        return Ok(None);
    }
    for package in std::fs::read_dir(&bed)?.flatten().map(|e| e.path()) {
        if package.extension().is_some_and(|e| e == "deb") {
            sh::run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&bed))?;
            std::fs::remove_file(&package)?;
        }
    }
    Ok(promtool.is_file().then_some(promtool))
}

/// Something was not checked for want of `what`.
fn lacking(title: &str, what: &str) -> Result<()> {
    ensure!(!in_ci(std::env::var("CI").ok().as_deref()), "{title}: {what}");
    sh::say(format!("{title}: SKIPPED ({what}; with CI=1 this fails)"));
    Ok(())
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

/// CI systems set `CI`; some that are switched off set it to nothing, `0` or `false`.
fn in_ci(ci: Option<&str>) -> bool {
    ci.is_some_and(|v| !matches!(v, "" | "0" | "false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_says_so() {
        assert!(in_ci(Some("true")) && in_ci(Some("1")));
        assert!(!in_ci(None) && !in_ci(Some("")) && !in_ci(Some("false")) && !in_ci(Some("0")));
    }
}

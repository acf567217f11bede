//! `cargo xtask bench`: figures mean nothing without the machine and the commit they were taken on.

use crate::sh;
use anyhow::Result;
use std::process::Command;

/// Options of `bench`.
#[derive(clap::Args)]
pub(crate) struct BenchArgs {
    /// Only benchmarks whose name contains this; `idle`: what an open dashboard takes, beside btop; `seek`: jumps in a
    /// large trace; `size`: bytes for an event, beside trace-cmd and perf, in a guest
    filter: Vec<String>,
    /// Seek in a trace of 1 GB instead of 100 MB; takes some minutes to generate
    #[arg(long)]
    gigabyte: bool,
}

/// Runs the command.
pub(crate) fn run(args: &BenchArgs) -> Result<()> {
    println!("machine: {}", machine());
    println!("commit: {}", commit());
    // `bench idle` is the dashboard alone, half a minute.
    if args.filter.iter().any(|f| f == "idle") {
        return crate::idle::run();
    }
    if args.filter.iter().any(|f| f == "size") {
        return crate::vm::size::run();
    }
    let mut cmd = sh::cargo();
    cmd.args(["bench", "--package", "vswap-tui"]);
    // criterion knows no such option.
    match args.gigabyte || args.filter.iter().any(|f| f == "seek") {
        true => cmd.args(["--bench", "seek", "--"]).args(args.gigabyte.then_some("--gigabyte")),
        false => cmd.args(["--benches", "--"]).args(&args.filter),
    };
    sh::run(&mut cmd)?;
    if args.filter.is_empty() && !args.gigabyte { crate::idle::run() } else { Ok(()) }
}

/// CPU model and the number of CPUs we may use.
fn machine() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{}, {cores} cores", model_name(&cpuinfo).unwrap_or("unknown CPU"))
}

fn model_name(cpuinfo: &str) -> Option<&str> {
    cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()))
}

/// The commit, marked when files differ from it.
fn commit() -> String {
    let git = |args: &[&str]| sh::output(Command::new("git").current_dir(sh::root()).args(args));
    match git(&["rev-parse", "--short=12", "HEAD"]) {
        Ok(hash) => {
            let changed = git(&["status", "--porcelain"]).is_ok_and(|out| !out.trim().is_empty());
            format!("{}{}", hash.trim(), if changed { " (with changes)" } else { "" })
        }
        Err(_) => "not a git checkout".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_model() {
        assert_eq!(model_name("processor\t: 0\nmodel name\t: Some CPU @ 2GHz\n"), Some("Some CPU @ 2GHz"));
        assert_eq!(model_name("Features: fp"), None);
    }
}

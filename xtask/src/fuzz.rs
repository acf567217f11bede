//! `cargo xtask fuzz`: every parser against bytes of anybody. Coverage instrumentation is an option of every compiler;
//! only sanitizers want nightly, and no parser here has `unsafe`. So stable Rust builds the targets, with libFuzzer from
//! its crate; `cargo fuzz run TARGET` on nightly works too.

use crate::sh;
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::process::Command;

/// Options of `fuzz`.
#[derive(clap::Args)]
pub(crate) struct FuzzArgs {
    /// Only these targets
    targets: Vec<String>,
    /// Time for each target
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// What cargo-fuzz gives a compiler, without the sanitizer.
const INSTRUMENT: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";
/// More memory than any input of this size may cost.
const RSS_MB: u32 = 2048;

/// Runs the command.
pub(crate) fn run(args: &FuzzArgs) -> Result<()> {
    let folder = sh::root().join("fuzz");
    let target = sh::root().join("target/fuzz");
    let mut build = sh::cargo();
    build
        .args(["build", "--release", "--target", TRIPLE, "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTFLAGS", INSTRUMENT)
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    sh::step("Fuzz targets", &mut build)?;
    let known = targets(&folder)?;
    let wanted = if args.targets.is_empty() { known.clone() } else { args.targets.clone() };
    for name in wanted {
        if !known.contains(&name) {
            bail!("no fuzz target {name}; there are {}", known.join(", "));
        }
        let corpus = target.join("corpus").join(&name);
        std::fs::create_dir_all(&corpus).with_context(|| format!("make {}", corpus.display()))?;
        let found = target.join("artifacts").join(&name);
        std::fs::create_dir_all(&found).with_context(|| format!("make {}", found.display()))?;
        let mut run = Command::new(target.join(TRIPLE).join("release").join(&name));
        run.arg(&corpus).args(seeds(&folder, &name)).args([
            format!("-max_total_time={}", args.seconds),
            format!("-rss_limit_mb={RSS_MB}"),
            "-timeout=20".to_owned(),
            "-print_final_stats=1".to_owned(),
            "-verbosity=1".to_owned(),
            format!("-artifact_prefix={}/", found.display()),
        ]);
        let title = format!("Fuzzing {name}");
        sh::step(&title, &mut run)
            .with_context(|| format!("the input that fails is in {}", found.display()))?;
    }
    Ok(())
}

/// Compiles the targets, uninstrumented: they are a workspace of their own, which nothing else looks at. libFuzzer is
/// written in C++; where there is no compiler for it they are left out, and that is said.
pub(crate) fn check() -> Result<()> {
    if sh::which("c++").is_none() {
        sh::say("Fuzz targets: SKIPPED (no c++ to compile libFuzzer with)");
        return Ok(());
    }
    let mut check = sh::cargo();
    check.args(["check", "--quiet", "--manifest-path"]).arg(sh::root().join("fuzz/Cargo.toml"));
    check.arg("--target-dir").arg(sh::root().join("target/fuzz"));
    sh::step("Fuzz targets compile", &mut check)
}

/// Names of the targets: the files of the folder.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = std::fs::read_dir(folder.join("fuzz_targets"))?
        .flatten()
        .filter_map(|e| Some(e.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    ensure!(!names.is_empty(), "no fuzz targets in {}", folder.display());
    Ok(names)
}

/// Folders of inputs to begin with; whole recordings for whom reads whole recordings.
fn seeds(folder: &Path, name: &str) -> Vec<std::path::PathBuf> {
    let mut all = vec![folder.join("corpus").join(name)];
    if name == "replay" {
        all.push(sh::root().join("vswap-tui/tests/fixtures"));
    }
    all.retain(|f| f.is_dir());
    all
}

//! The developer's and newcomer's door.
//!
//! ```text
//! setup  -> finds or installs what the rest needs
//! build  -> eBPF object (own toolchain) -> target/bpf/vswap.bpf.o -> embedded by vswap-tui/build.rs -> vswap
//! live   -> setup, build, `vswap live`; where the kernel refuses: why, then `vswap demo`
//! vm     -> kernel package + static vswap + workload -> initramfs -> QEMU -> /out of the guest
//! test   -> everything, guests included; `ci` is what `.ci/run` calls
//! bench  -> criterion, with machine and commit
//! fuzz   -> libFuzzer against every parser
//! ```

mod bed;
mod bench;
mod build;
mod captures;
mod ci;
mod fuzz;
mod idle;
mod live;
mod setup;
mod sh;
mod test;
mod toolchain;
mod vm;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Set up, build, run and test vswap")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find or install what building (and, with --vm, booting guests) needs
    Setup(setup::SetupArgs),
    /// Build the eBPF object and the vswap binary with the object inside
    Build(build::BuildArgs),
    /// Build everything and start the dashboard on this host, or the demo where the kernel refuses
    Live(live::LiveArgs),
    /// Boot a kernel under QEMU and run a script, or our suite, in it
    Vm(vm::VmArgs),
    /// Run everything: formatting, lints, unit tests, guests
    Test(test::TestArgs),
    /// What CI runs
    Ci,
    /// Fuzz every parser, a minute each
    Fuzz(fuzz::FuzzArgs),
    /// Draw the pictures in the README anew
    Captures,
    /// Run the benchmarks; prints machine and commit beside the figures
    Bench(bench::BenchArgs),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Setup(args) => setup::run(&args).map(|()| 0),
        Command::Build(args) => build::run(&args).map(|()| 0),
        Command::Live(args) => live::run(&args),
        Command::Vm(args) => vm::run(&args),
        Command::Test(args) => test::run(&args).map(|()| 0),
        Command::Ci => ci::run().map(|()| 0),
        Command::Fuzz(args) => fuzz::run(&args).map(|()| 0),
        Command::Captures => captures::run().map(|()| 0),
        Command::Bench(args) => bench::run(&args).map(|()| 0),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(err) => {
            eprintln!("xtask: {err:#}");
            ExitCode::FAILURE
        }
    }
}

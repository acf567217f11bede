//! `cargo xtask test`: everything, cheapest first.

use crate::{bed, build, fuzz, setup, sh, vm};
use anyhow::Result;

/// Options of `test`.
#[derive(clap::Args, Default)]
pub(crate) struct TestArgs {
    /// Skip what boots guests
    #[arg(long)]
    no_vm: bool,
    /// Only what other people's tools make of our exports and rules
    #[arg(long)]
    exports: bool,
}

/// Runs the command.
pub(crate) fn run(args: &TestArgs) -> Result<()> {
    if args.exports {
        return bed::exports();
    }
    setup::run(&setup::SetupArgs { vm: !args.no_vm })?;
    sh::step("Formatting", sh::cargo().args(["fmt", "--all", "--check"]))?;
    build::ebpf()?;
    sh::step(
        "Lints",
        sh::cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]),
    )?;
    fuzz::check()?;
    sh::step("Unit and integration tests", sh::cargo().args(["test", "--workspace"]))?;
    bed::exports()?;
    build::static_vswap()?;
    if args.no_vm {
        sh::say("Guests: SKIPPED (--no-vm)");
        return Ok(());
    }
    vm::suite::run_all()
}

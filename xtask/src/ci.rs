//! `cargo xtask ci`: exactly what `.ci/run` calls, so that CI has no steps of its own.

use crate::{setup, sh, test};
use anyhow::Result;

/// Runs the command.
pub(crate) fn run() -> Result<()> {
    sh::timed("Setting up", || setup::run(&setup::SetupArgs { vm: true }))?;
    test::run(&test::TestArgs::default())
}

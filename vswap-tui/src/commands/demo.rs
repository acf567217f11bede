//! `vswap demo`.

use crate::cli::DemoArgs;
use crate::exit::Exit;

/// Runs `vswap demo`.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(_args: &DemoArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("demo: being built")
}

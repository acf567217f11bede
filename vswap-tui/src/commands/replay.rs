//! `vswap replay`.

use crate::cli::ReplayArgs;
use crate::exit::Exit;

/// Runs `vswap replay`.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(_args: &ReplayArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("replay: being built")
}

//! `vswap slots`.

use crate::cli::SlotsArgs;
use crate::exit::Exit;

/// Runs `vswap slots`.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(_args: &SlotsArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("slots: being built")
}

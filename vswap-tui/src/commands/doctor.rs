//! `vswap doctor`.

use crate::cli::DoctorArgs;
use crate::exit::Exit;

/// Runs `vswap doctor`.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(_args: &DoctorArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("doctor: being built")
}

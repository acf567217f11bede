//! `vswap report`.

use crate::cli::ReportArgs;
use crate::exit::Exit;

/// Runs `vswap report`.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(_args: &ReportArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("report: being built")
}

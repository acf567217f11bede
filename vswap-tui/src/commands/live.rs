//! `vswap live`.

use crate::cli::LiveArgs;
use crate::exit::Exit;

/// Runs `vswap live`; `debug_bpf` shows the debug messages of the eBPF programs.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(_args: &LiveArgs, _debug_bpf: bool) -> anyhow::Result<Exit> {
    anyhow::bail!("live: being built")
}

//! `vswap record`.

use crate::cli::RecordArgs;
use crate::exit::Exit;

/// Runs `vswap record`; `debug_bpf` shows the debug messages of the eBPF programs.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(_args: &RecordArgs, _debug_bpf: bool) -> anyhow::Result<Exit> {
    anyhow::bail!("record: being built")
}

//! `vswap completions` and `vswap man`: made from the command line's definition.

use crate::cli::Cli;
use crate::exit::Exit;
use anyhow::Context;
use clap::CommandFactory;
use std::io::Write;

/// Completions for `shell` on stdout.
///
/// # Errors
/// If stdout cannot be written.
pub fn completions(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vswap", &mut out);
    write_out(&out)
}

/// The man page (roff) on stdout.
///
/// # Errors
/// If stdout cannot be written.
pub fn man() -> anyhow::Result<Exit> {
    let mut out = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut out).context("render man page")?;
    write_out(&out)
}

fn write_out(bytes: &[u8]) -> anyhow::Result<Exit> {
    std::io::stdout().write_all(bytes).context("write to stdout")?;
    Ok(Exit::Ok)
}

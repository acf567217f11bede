//! `cargo xtask captures`: the pictures in the README, drawn anew by the test that compares them.

use crate::sh;
use anyhow::Result;

/// Runs the command.
pub(crate) fn run() -> Result<()> {
    let mut cmd = sh::cargo();
    cmd.args(["test", "--quiet", "--package", "vswap-tui", "--test", "captures"]);
    cmd.env("VSWAP_WRITE_CAPTURES", "1");
    sh::run(&mut cmd)
}

//! `cargo xtask live`: the newcomer's first command. It always ends in a dashboard.

use crate::{build, sh};
use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::thread;

/// Exit codes of `vswap` that mean "this host cannot, the demo can": not permitted, not supported.
const REFUSED: [i32; 2] = [6, 7];

/// Options of `live`.
#[derive(clap::Args)]
pub(crate) struct LiveArgs {
    /// Options of `vswap live` that `vswap demo` knows too: --interval, --headless, --duration, --json
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Runs the command; returns the exit code of the dashboard that was shown.
pub(crate) fn run(args: &LiveArgs) -> Result<u8> {
    let object = build::ebpf();
    let vswap = build::vswap()?;
    match object {
        Ok(_) => {
            let (code, said) = watched(Command::new(&vswap).arg("live").args(&args.args))?;
            if !REFUSED.contains(&code) {
                return Ok(u8::try_from(code).unwrap_or(1));
            }
            let kind = if code == 6 { "does not permit tracing" } else { "lacks what tracing needs" };
            sh::say(format!("This host {kind} (exit code {code}). vswap said:"));
            for line in said.lines() {
                eprintln!("    {line}");
            }
            sh::say("`vswap doctor` lists every hook and its reason.");
        }
        Err(err) => {
            sh::say(format!("The eBPF object could not be built, so this host cannot be traced: {err:#}"));
        }
    }
    sh::say("Starting the demo: the same dashboard on a generated load.");
    let status = Command::new(&vswap).arg("demo").args(&args.args).status().context("vswap demo")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Runs with the terminal as it is, but keeps a copy of what comes on stderr: a dashboard clears the screen, and the
/// reason for its end must not go with it.
fn watched(cmd: &mut Command) -> Result<(i32, String)> {
    let mut child = cmd.stderr(Stdio::piped()).spawn().context("vswap live")?;
    let stderr = child.stderr.take().context("stderr of vswap live")?;
    let reader = thread::spawn(move || {
        let mut said = String::new();
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            // A closed stderr of ours is no reason to stop reading the child's.
            let _ = writeln!(std::io::stderr(), "{line}");
            said.push_str(&line);
            said.push('\n');
        }
        said
    });
    let status = child.wait().context("vswap live")?;
    let said = reader.join().unwrap_or_default();
    Ok((status.code().unwrap_or(1), said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_words_are_kept() {
        let (code, said) = watched(Command::new("sh").args(["-c", "echo no CAP_BPF >&2; exit 6"])).unwrap();
        assert_eq!(code, 6);
        assert_eq!(said, "no CAP_BPF\n");
    }
}

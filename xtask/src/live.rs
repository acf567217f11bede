//! `cargo xtask live`: the newcomer's first command. It always ends in a dashboard: of slots where the kernel lets its
//! functions be traced, of the sums of its tracepoints where it does not (key `d` there starts the demo), else the demo.

use crate::{build, sh};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// Exit codes of `vswap` that mean "this host cannot, the demo can": not permitted, not supported.
const REFUSED: [u8; 2] = [6, 7];

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
            let code = dashboard(&vswap, "live", args)?;
            match refusal(code) {
                None => return Ok(code),
                Some(reason) => sh::say(format!(
                    "{reason}: vswap said above what is missing (exit code {code}), `{} doctor` says it for each hook",
                    vswap.display()
                )),
            }
        }
        Err(err) => {
            sh::say(format!("The eBPF object could not be built, so this host cannot be traced: {err:#}"));
        }
    }
    sh::say("Starting the demo: the same dashboard on a generated load");
    dashboard(&vswap, "demo", args)
}

/// Runs a dashboard to its end; death by a signal counts as failure.
fn dashboard(vswap: &Path, which: &str, args: &LiveArgs) -> Result<u8> {
    let status = Command::new(vswap).arg(which).args(&args.args).status();
    let status = status.with_context(|| format!("{} {which}", vswap.display()))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Why the host cannot be shown, if that is what the code means.
fn refusal(code: u8) -> Option<&'static str> {
    REFUSED.contains(&code).then_some(if code == 6 {
        "This host does not permit tracing"
    } else {
        "This host's kernel lacks what tracing needs"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_leads_to_the_demo() {
        assert!(refusal(6).is_some_and(|r| r.contains("permit")) && refusal(7).is_some());
        assert!([0, 1, 2, 3].iter().all(|code| refusal(*code).is_none()));
    }

    #[test]
    fn the_code_of_a_dashboard() {
        let args = LiveArgs { args: vec!["exit 3".into()] };
        assert_eq!(dashboard(Path::new("sh"), "-c", &args).unwrap(), 3);
        assert!(dashboard(Path::new("/no/vswap"), "live", &args).is_err());
    }
}

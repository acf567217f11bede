//! Swaps pages of known content and prints where the kernel put them: the ground truth of the guest tests.
//!
//! ```text
//! fill by pattern -> steps (pageout, touch, free, fork, ...) -> truth on stdout -> hold
//! ```
//!
//! Content is verified on every touch; a page that came back changed ends the program with code 1.

mod cgroup;
mod hibernate;
mod pattern;
mod run;
mod steps;
mod sys;
mod terminal;
mod truth;
mod user;

use anyhow::{Context, Result};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Swap pages of known content and print where they are.
#[derive(Parser)]
#[command(name = "vswap-workload")]
struct Args {
    /// Pages of 4 KiB
    #[arg(long, default_value_t = 1024)]
    pages: usize,
    /// Content of the pages
    #[arg(long, value_enum, default_value_t = pattern::Pattern::Mix)]
    pattern: pattern::Pattern,
    /// Neighbouring pages of the same kind in a mix; 512 makes huge pages of one kind
    #[arg(long, default_value_t = 1)]
    block: usize,
    /// Same seed, same content and same random touches
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ask for huge pages
    #[arg(long)]
    thp: bool,
    /// Shared anonymous memory (shmem) instead of private
    #[arg(long)]
    shared: bool,
    /// Run in this cgroup, created if need be
    #[arg(long)]
    cgroup: Option<PathBuf>,
    /// A setting of the cgroup, e.g. memory.max=64M
    #[arg(long, value_parser = setting, requires = "cgroup")]
    set: Vec<(String, String)>,
    /// What to do, in order, e.g. pageout:all,touch-read:0-255,free:400-500,fork,truth
    #[arg(long, default_value = "pageout:all,truth")]
    steps: String,
    /// Do nothing of that, but switch this swap device on, with --priority if given (busybox cannot)
    #[arg(long, value_name = "DEVICE")]
    swapon: Option<PathBuf>,
    /// Priority of --swapon
    #[arg(long, requires = "swapon")]
    priority: Option<u16>,
    /// --swapon: let freed clusters be discarded
    #[arg(long, requires = "swapon")]
    discard: bool,
    /// Do nothing of that, but run a command as this user
    #[arg(long, requires = "command")]
    as_user: Option<u32>,
    /// The capabilities it keeps, e.g. cap_bpf,cap_perfmon
    #[arg(long, requires = "as_user", value_delimiter = ',', value_parser = user::capability)]
    caps: Vec<rustix::thread::CapabilitySet>,
    /// Do nothing of that, but run a command on a terminal of its own: wait for TEXT, type KEYS, and so on
    #[arg(long, value_name = "TEXT|KEYS", value_parser = terminal::line, requires = "command")]
    terminal: Vec<terminal::Line>,
    /// The command of --as-user and --terminal
    #[arg(last = true)]
    command: Vec<String>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((file, value)) if file.starts_with("memory.") => Ok((file.to_owned(), value.to_owned())),
        _ => Err(format!("'{text}' is not like memory.max=64M")),
    }
}

fn main() -> ExitCode {
    match work(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("vswap-workload: {err:#}");
            ExitCode::FAILURE
        }
    }
}

fn work(args: &Args) -> Result<()> {
    if let Some(id) = args.as_user {
        return user::become_user(id, &args.caps, &args.command);
    }
    if !args.terminal.is_empty() {
        return terminal::talk(&args.terminal, &args.command, &mut std::io::stdout().lock());
    }
    if let Some(device) = &args.swapon {
        return sys::swapon(device, args.priority, args.discard)
            .with_context(|| format!("swapon {}", device.display()));
    }
    let steps = steps::parse(&args.steps)?;
    let content = pattern::Content { seed: args.seed, pattern: args.pattern, block: args.block };
    let cgroup = args.cgroup.as_ref().map(|dir| cgroup::Cgroup::create(dir, &args.set)).transpose()?;
    let mut run = run::Run::new(args.pages, args.shared, args.thp, content, cgroup)?;
    let mut out = std::io::stdout().lock();
    for step in &steps {
        run.step(step, &mut out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn command_line() {
        Args::command().debug_assert();
        assert_eq!(setting("memory.max=64M"), Ok(("memory.max".into(), "64M".into())));
        assert!(setting("memory.max").is_err() && setting("cgroup.kill=1").is_err());
    }
}

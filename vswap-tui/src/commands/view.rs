//! What `live`, `demo` and `replay` share: the dashboard, or the same run without a screen.

use super::drain::{quiet_on_broken_pipe, tell};
use super::report::print;
use crate::app::Origin;
use crate::app::frame::Timeline;
use crate::check::Beside;
use crate::cli::ViewArgs;
use crate::config::Config;
use crate::exit::{Exit, ExitError};
use crate::report::Report;
use crate::runtime::Outcome;
use crate::runtime::dashboard;
use crate::runtime::exposition::Exposition;
use crate::runtime::headless::{self, Limit};
use crate::runtime::pace::Pace;
use crate::source::Source;
use crate::term;
use anyhow::Context;
use std::io::Write as _;
use std::time::Duration;

/// Drawing more often than this only costs.
const FASTEST: Duration = Duration::from_millis(20);

pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Fails early when a screen was asked for and there can be none: before hooks are attached or files read.
///
/// # Errors
/// Names what is in the way and `--headless`.
pub(super) fn check_terminal(args: &ViewArgs) -> anyhow::Result<()> {
    match term::obstacle(environment).filter(|_| !args.headless()) {
        Some(why) => Err(ExitError::new(Exit::Failure, why)),
        None => Ok(()),
    }
}

/// Prints the configuration that holds, for `--print-config`.
///
/// # Errors
/// If it is wrong, or standard output cannot be written to.
pub(super) fn print_config(args: &ViewArgs) -> anyhow::Result<Exit> {
    let config = Config::load(args.config.as_deref(), environment)?;
    let text = config.to_toml()?;
    quiet_on_broken_pipe(std::io::stdout().write_all(text.as_bytes())).context("write to standard output")?;
    Ok(Exit::Ok)
}

/// How a source is shown.
pub(super) struct Show {
    /// Word in the header.
    pub(super) origin: Origin,
    /// Runs the model beside the collector.
    pub(super) beside: Option<Beside>,
    /// The model was asked for: that it differs is a result of the run.
    pub(super) judge: bool,
    /// Event time against wall time; `None` for a source with a time of its own.
    pub(super) pace: Option<Pace>,
    /// What `--duration` means without a screen.
    pub(super) limit: Limit,
    /// Extent of a whole recording.
    pub(super) timeline: Option<Timeline>,
}

/// Runs the source to its end, the limit, or until the user leaves.
///
/// # Errors
/// Those of source and terminal, and of writing to standard output.
pub(super) fn run(source: Box<dyn Source>, show: Show, args: &ViewArgs) -> anyhow::Result<Exit> {
    if args.headless() {
        let stop = term::stop_flag()?;
        let exposition = args.openmetrics.map(Exposition::listen).transpose()?;
        if let Some(exposition) = &exposition {
            crate::say!("vswap: metrics at http://{}/metrics", exposition.address());
        }
        let outcome = headless::run(source, show.beside, show.pace, show.limit, exposition, &stop)?;
        let damage = outcome.end.as_ref().and_then(|e| e.damage.clone());
        let mut report = Report::new(&outcome.snapshot, outcome.trailer.clone(), damage);
        if let Some(beside) = &outcome.beside {
            report.check = beside.agreement.as_ref();
            report.models = &beside.designs;
        }
        quiet_on_broken_pipe(print(&report, args.json)).context("write to standard output")?;
        // The text has it already.
        if args.json {
            tell(outcome.damage().as_deref(), outcome.missing(), outcome.snapshot.losses.untracked);
        }
        return Ok(exit(&outcome, show.judge));
    }
    let config = Config::load(args.config.as_deref(), environment)?;
    let options = dashboard::Options {
        origin: show.origin,
        interval: args.interval.map_or_else(|| config.interval(), Ok)?.max(FASTEST),
        duration: args.duration,
        timeline: show.timeline,
        theme: config.theme(environment)?,
        config,
    };
    let outcome = dashboard::run(source, show.beside, show.pace, options)?;
    tell(outcome.damage().as_deref(), outcome.missing(), outcome.snapshot.losses.untracked);
    Ok(exit(&outcome, show.judge))
}

/// A divergence is the gravest news, if somebody asked.
fn exit(outcome: &Outcome, judge: bool) -> Exit {
    if judge && outcome.diverged() { Exit::Divergence } else { outcome.exit() }
}

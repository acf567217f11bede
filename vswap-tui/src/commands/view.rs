//! What `live`, `demo` and `replay` share: the dashboard, or the same run without a screen.

use crate::app::Origin;
use crate::app::frame::Timeline;
use crate::cli::ViewArgs;
use crate::exit::{Exit, ExitError};
use crate::runtime::headless::{self, Limit};
use crate::runtime::pace::Pace;
use crate::runtime::{Outcome, dashboard};
use crate::source::Source;
use crate::ui::theme::Theme;
use crate::{term, ui::format};
use std::io::{self, Write};
use std::time::Duration;

/// Drawing more often than this only costs.
const FASTEST: Duration = Duration::from_millis(20);

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Fails early when a screen was asked for and there can be none: before hooks are attached or files read.
///
/// # Errors
/// Names what is in the way and `--headless`.
pub(super) fn check_terminal(args: &ViewArgs) -> anyhow::Result<()> {
    match term::obstacle(environment).filter(|_| !args.headless) {
        Some(why) => Err(ExitError::new(Exit::Failure, why)),
        None => Ok(()),
    }
}

/// How a source is shown.
pub(super) struct Show {
    /// Word in the header.
    pub(super) origin: Origin,
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
    if args.headless {
        let stop = term::stop_flag()?;
        let outcome = headless::run(source, show.pace, show.limit, &stop)?;
        write_summary(&outcome, args.json)?;
        tell(&outcome);
        return Ok(outcome.exit());
    }
    let options = dashboard::Options {
        origin: show.origin,
        interval: args.interval.max(FASTEST),
        duration: args.duration,
        timeline: show.timeline,
        theme: Theme::from_env(environment),
    };
    let outcome = dashboard::run(source, show.pace, options)?;
    tell(&outcome);
    Ok(outcome.exit())
}

/// What the exit code means, in words, on standard error.
fn tell(outcome: &Outcome) {
    if let Some(end) = outcome.end.as_ref().filter(|e| !e.clean) {
        eprintln!("vswap: {}; what is whole was used", end.words());
    }
    let lost = outcome.snapshot.losses.lost;
    if lost > 0 {
        eprintln!("vswap: {} records were lost; a larger --ring-size loses fewer", format::count(lost));
    }
}

/// The last state on standard output. A reader that went away is no error.
fn write_summary(outcome: &Outcome, json: bool) -> anyhow::Result<()> {
    let s = &outcome.snapshot;
    let text = if json {
        let backends = serde_json::json!({
            "folio": s.mix[1], "zero": s.mix[2], "zswap": s.mix[3], "phys": s.mix[4], "unknown": s.mix[0],
        });
        let all = serde_json::json!({
            "events": s.events, "lost": s.losses.lost, "duration_ns": s.ts.saturating_sub(s.first_ts),
            "kernel": s.header.kernel.release, "layout": s.header.layout_name, "devices": s.devices,
            "backends": backends, "memcgs": s.memcgs, "unconfirmed": s.unconfirmed,
        });
        format!("{all}\n")
    } else {
        format!(
            "{} events in {}, {} lost\n{} slots in use: {} folio, {} zero, {} zswap, {} phys, {} unknown\n",
            format::count(s.events),
            format::duration(s.ts.saturating_sub(s.first_ts)),
            format::count(s.losses.lost),
            format::count(s.used()),
            format::count(s.mix[1]),
            format::count(s.mix[2]),
            format::count(s.mix[3]),
            format::count(s.mix[4]),
            format::count(s.mix[0])
        )
    };
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(err) if err.kind() != io::ErrorKind::BrokenPipe => Err(err.into()),
        _ => Ok(()),
    }
}

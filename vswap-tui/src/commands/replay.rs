//! `vswap replay`: the dashboard of a trace file, with time under control.

use crate::app::Origin;
use crate::app::frame::Timeline;
use crate::check::Beside;
use crate::cli::{ReplayArgs, Speed};
use crate::commands::view::{self, Show};
use crate::commands::{check, whatif};
use crate::exit::Exit;
use crate::runtime::headless::Limit;
use crate::runtime::pace::Pace;
use crate::source::Source;
use crate::source::trace::TraceSource;
use crate::whatif::Design;

/// Runs `vswap replay`.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(args: &ReplayArgs) -> anyhow::Result<Exit> {
    if args.view.print_config {
        return view::print_config(&args.view);
    }
    let designs = whatif::designs(&args.designs)?;
    if args.check {
        return check::run(args, &designs);
    }
    if !designs.is_empty() {
        return whatif::run(args, &designs);
    }
    view::check_terminal(&args.view)?;
    let source = TraceSource::open(&args.file)?;
    let blocks = source.index()?.map(|i| i.blocks).unwrap_or_default();
    let timeline = Timeline::from_blocks(blocks.iter().map(|b| (b.first_ts, b.last_ts, u64::from(b.count))));
    let default = if args.view.headless() { Speed::Max } else { Speed::Times(1.0) };
    let pace = Some(Pace::new(args.speed.unwrap_or(default)));
    let limit = args.view.duration.map_or(Limit::Input, Limit::Events);
    // Without a screen nobody would see it; `--check` is for that.
    let beside = (!args.view.headless()).then(|| {
        let header = source.header();
        Beside::new(String::new()).with_model(header).with_designs(header, &Design::SHOWN)
    });
    let show = Show { origin: Origin::Replay, beside, judge: false, pace, limit, timeline };
    view::run(Box::new(source), show, &args.view)
}

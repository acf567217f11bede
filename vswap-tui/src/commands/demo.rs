//! `vswap demo`: the dashboard of a generated load; needs neither root nor eBPF.

use crate::app::Origin;
use crate::check::Beside;
use crate::cli::DemoArgs;
use crate::commands::view::{self, Show};
use crate::exit::Exit;
use crate::runtime::headless::Limit;
use crate::source::Source;
use crate::source::generator::Generator;
use crate::whatif::Design;

/// Runs `vswap demo`.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(args: &DemoArgs) -> anyhow::Result<Exit> {
    if args.view.print_config {
        return view::print_config(&args.view);
    }
    view::check_terminal(&args.view)?;
    // Without a screen and with an end nobody waits for time to pass: same seed and duration, same result.
    let (source, limit) = match args.view.duration {
        Some(d) if args.view.headless() => (Generator::unpaced(args.workload, args.seed), Limit::Events(d)),
        _ => (Generator::new(args.workload, args.seed), Limit::Input),
    };
    let header = source.header();
    let beside = Some(Beside::new(String::new()).with_model(header).with_designs(header, &Design::SHOWN));
    let show = Show { origin: Origin::Demo, beside, judge: false, pace: None, limit, timeline: None };
    view::run(Box::new(source), show, &args.view)
}

//! `vswap live`: the dashboard of this host, or of a recording that is being made elsewhere.

use crate::app::Origin;
use crate::cli::LiveArgs;
use crate::commands::view::{self, Show};
use crate::exit::Exit;
use crate::runtime::headless::Limit;
use crate::source::Source;
use crate::source::live::LiveSource;
use crate::source::trace::TraceSource;

/// Runs `vswap live`; `debug_bpf` shows the debug messages of the eBPF programs.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(args: &LiveArgs, debug_bpf: bool) -> anyhow::Result<Exit> {
    view::check_terminal(&args.view)?;
    let (source, origin): (Box<dyn Source>, Origin) = match &args.input {
        Some(path) => (Box::new(TraceSource::open(path)?), Origin::Stream),
        None => (Box::new(LiveSource::open(args.ring_size, debug_bpf)?), Origin::Live),
    };
    let limit = args.view.duration.map_or(Limit::Input, Limit::Wall);
    view::run(source, Show { origin, pace: None, limit, timeline: None }, &args.view)
}

//! `vswap live`: the dashboard of this host, or of a recording that is being made elsewhere.

use crate::app::Origin;
use crate::check::{self, Beside};
use crate::cli::LiveArgs;
use crate::commands::view::{self, Show};
use crate::commands::{totals, whatif};
use crate::exit::{Exit, ExitError, code_of};
use crate::runtime::headless::Limit;
use crate::source::Source;
use crate::source::live::LiveSource;
use crate::source::trace::TraceSource;
use crate::tracer::drop_privileges;

/// Runs `vswap live`; `debug_bpf` shows the debug messages of the eBPF programs.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(args: &LiveArgs, debug_bpf: bool) -> anyhow::Result<Exit> {
    if args.totals {
        return totals::run(&args.view);
    }
    let designs = whatif::designs(&args.designs)?;
    view::check_terminal(&args.view)?;
    let (source, origin): (Box<dyn Source>, Origin) = match &args.input {
        Some(path) => (Box::new(TraceSource::open(path)?), Origin::Stream),
        None => (
            Box::new(open(args.ring_size, args.check || !designs.is_empty(), !args.no_scan, debug_bpf)?),
            Origin::Live,
        ),
    };
    // Before the first thread is started. A stream needs no privilege from the beginning.
    drop_privileges()?;
    let header = source.header();
    let mut beside = Beside::new("start with `vswap live --check` to run the model beside the kernel".into());
    if args.check || !designs.is_empty() {
        check::knows(header).map_err(|why| ExitError::new(Exit::NotSupported, why))?;
        beside = beside.with_designs(header, &designs);
    }
    if args.check {
        beside = beside.with_model(header);
    }
    let limit = args.view.duration.map_or(Limit::Input, Limit::Wall);
    let show = Show { origin, beside: Some(beside), judge: args.check, pace: None, limit, timeline: None };
    view::run(source, show, &args.view)
}

/// Attaches; a host that does not let us still has its totals.
fn open(ring_size: u64, for_model: bool, scan: bool, debug_bpf: bool) -> anyhow::Result<LiveSource> {
    LiveSource::open(ring_size, for_model, scan, debug_bpf).map_err(|err| match code_of(&err) {
        exit @ (Exit::NotPermitted | Exit::NotSupported) => ExitError::new(
            exit,
            format!("{err:#}. `vswap live --totals` shows what this kernel counts without being traced"),
        ),
        _ => err,
    })
}

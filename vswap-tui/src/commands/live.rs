//! `vswap live`: the dashboard of this host, or of a recording that is being made elsewhere.

use crate::app::Origin;
use crate::check::{self, Beside};
use crate::cli::{LiveArgs, Rung};
use crate::commands::view::{self, Show};
use crate::commands::{totals, whatif};
use crate::exit::{Exit, ExitError, code_of};
use crate::kernel::Facts;
use crate::runtime::headless::Limit;
use crate::source::Source;
use crate::source::live::LiveSource;
use crate::source::trace::TraceSource;
use crate::tracer::{Options, Tallies, drop_privileges};
use clap::ValueEnum as _;
use std::path::Path;

/// Runs `vswap live`; `debug_bpf` shows the debug messages of the eBPF programs.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(args: &LiveArgs, debug_bpf: bool) -> anyhow::Result<Exit> {
    if args.view.print_config {
        return view::print_config(&args.view);
    }
    let designs = whatif::designs(&args.designs)?;
    let model = args.check || !designs.is_empty();
    let slots_only = model || args.view.openmetrics.is_some();
    match if args.totals { Rung::Counters } else { args.rung } {
        rung @ (Rung::Tracepoint | Rung::Counters) if slots_only => {
            let rung = rung.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned());
            let what = if model { "the model" } else { "--openmetrics" };
            return Err(ExitError::new(
                Exit::Usage,
                format!("{what} needs slots, which --rung {rung} does not tell"),
            ));
        }
        Rung::Counters => return totals::run(&args.view, None, "only counters were asked for".to_owned()),
        Rung::Tracepoint => {
            let why = "only tracepoints were asked for".to_owned();
            return totals::run(&args.view, Some(tallies()?), why);
        }
        Rung::Auto | Rung::Kprobe => {}
    }
    view::check_terminal(&args.view)?;
    let (source, origin): (Box<dyn Source>, Origin) = match &args.input {
        Some(path) => (Box::new(TraceSource::open(path)?), Origin::Stream),
        None => {
            let options = Options {
                ring_bytes: args.ring_size,
                debug: debug_bpf,
                // Two to three records more a page.
                slots_only: !model,
                scan: !args.no_scan,
                probes_only: args.rung == Rung::Kprobe,
            };
            match LiveSource::open(options) {
                Ok(source) => (Box::new(source), Origin::Live),
                Err(refusal) => return below(args, slots_only, refusal),
            }
        }
    };
    // Before the first thread is started. A stream needs no privilege from the beginning.
    drop_privileges()?;
    if origin == Origin::Live && args.view.headless() {
        // Whoever starts a load when he reads this has all of it counted.
        crate::say!("vswap: watching this host");
    }
    let header = source.header();
    let mut beside = Beside::new("start with `vswap live --check` to run the model beside the kernel".into());
    if model {
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

/// The kernel does not let its functions be traced: the next rung down that works, unless what was asked for cannot be
/// had from there: the model and the endpoint need slots.
fn below(args: &LiveArgs, slots_only: bool, refusal: anyhow::Error) -> anyhow::Result<Exit> {
    let exit = code_of(&refusal);
    if !matches!(exit, Exit::NotPermitted | Exit::NotSupported) {
        return Err(refusal);
    }
    let why = format!("{refusal:#}");
    if !slots_only
        && args.rung == Rung::Auto
        && let Ok(tallies) = tallies()
    {
        crate::say!(
            "vswap: slots cannot be traced on this kernel (`vswap doctor` shows why, hook by hook); these are the sums of \
             its tracepoints"
        );
        return totals::run(&args.view, Some(tallies), why);
    }
    Err(ExitError::new(
        exit,
        format!("{why}. `vswap live --totals` shows what this kernel counts without being traced"),
    ))
}

fn tallies() -> anyhow::Result<Tallies> {
    Tallies::start(&Facts::read(Path::new("/"))?)
}

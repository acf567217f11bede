//! `vswap generate`: a synthetic trace into a file or stream. Nothing in it depends on when, where or by whom it is
//! made: the same options and version give the same bytes.

use crate::cli::GenerateArgs;
use crate::exit::Exit;
use crate::meta::Trailer;
use crate::recorder::{Options, Recorder, Sink, Written};
use crate::source::Source as _;
use crate::source::generator::{Generator, Spec};
use crate::trace::{TraceError, file};
use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::fs::File;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Records generated before signals and the clock are looked at.
const SLICE: u64 = 65_536;

/// Runs `vswap generate`.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(args: &GenerateArgs) -> anyhow::Result<Exit> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("install signal handlers")?;
    }
    let spec = Spec { workload: args.workload, seed: args.seed, slots: args.slots, cpus: args.cpus };
    let out = file::create(&args.output, args.force)?;
    let written = match write(out, Generator::of(spec), args.events, &stop) {
        Err(TraceError::Io(e)) if e.kind() == io::ErrorKind::BrokenPipe => {
            crate::say!("vswap: the reader closed the stream");
            return Ok(Exit::Ok);
        }
        other => other.context("write the trace; what was written before is kept")?,
    };
    let per = written.bytes as f64 / written.records.max(1) as f64;
    crate::say!("vswap: {} generated events, {} bytes ({per:.1} an event)", written.records, written.bytes);
    Ok(Exit::Ok)
}

fn write(out: File, mut generator: Generator, events: u64, stop: &AtomicBool) -> Result<Written, TraceError> {
    let options = Options::default();
    let mut recorder = Recorder::new(Sink::new(out, options.sync)?, generator.header(), options, None)?;
    let progress = io::stderr().is_terminal();
    let mut shown = Instant::now();
    let mut left = events;
    while left > 0 && !stop.load(Ordering::Relaxed) {
        let most = left.min(SLICE) as usize;
        let (news, records) = generator.next(most);
        let records = &records[..records.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        recorder.take(news.as_slice(), records)?;
        left -= records.len() as u64;
        if progress && shown.elapsed() >= Duration::from_millis(500) {
            shown = Instant::now();
            let done = events - left;
            eprint!(
                "\r{:>3} %  {done} events  {:.1} MiB\x1b[K",
                done * 100 / events,
                mib(recorder.written().bytes)
            );
        }
    }
    if progress {
        eprint!("\r\x1b[K");
    }
    let records = events - left;
    let reason = if left > 0 { "signal" } else { "events" }.to_owned();
    let trailer = Trailer { records, clock: generator.clock(), reason, ..Trailer::default() };
    recorder.finish(&trailer)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

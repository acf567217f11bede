//! `vswap generate`: a synthetic trace into a file or stream. Nothing in it depends on when, where or by whom it is
//! made: the same options and version give the same bytes.

use crate::cli::GenerateArgs;
use crate::exit::Exit;
use crate::meta::Trailer;
use crate::source::Source as _;
use crate::source::generator::{Generator, Spec};
use crate::trace::{TraceError, TraceWriter, file};
use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{self, IsTerminal, Write};
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
            eprintln!("vswap: the reader closed the stream");
            return Ok(Exit::Ok);
        }
        other => other.context("write the trace; what was written before is kept")?,
    };
    let per = written.bytes as f64 / written.records.max(1) as f64;
    eprintln!("vswap: {} generated events, {} bytes ({per:.1} an event)", written.records, written.bytes);
    Ok(Exit::Ok)
}

struct Written {
    records: u64,
    bytes: u64,
}

fn write(
    out: impl Write,
    mut generator: Generator,
    events: u64,
    stop: &AtomicBool,
) -> Result<Written, TraceError> {
    let mut writer = TraceWriter::new(out, generator.header())?;
    let progress = io::stderr().is_terminal();
    let mut shown = Instant::now();
    let mut left = events;
    while left > 0 && !stop.load(Ordering::Relaxed) {
        let most = left.min(SLICE) as usize;
        let (news, records) = generator.next(most);
        if let Some(news) = news {
            writer.update(&news)?;
        }
        for record in records.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            writer.push(record)?;
            left -= 1;
        }
        if progress && shown.elapsed() >= Duration::from_millis(500) {
            shown = Instant::now();
            let done = events - left;
            eprint!("\r{:>3} %  {done} events  {:.1} MiB\x1b[K", done * 100 / events, mib(writer.bytes()));
        }
    }
    if progress {
        eprint!("\r\x1b[K");
    }
    let records = events - left;
    let reason = if left > 0 { "signal" } else { "events" }.to_owned();
    let trailer = Trailer { records, clock: generator.clock(), reason, ..Trailer::default() };
    writer.flush()?;
    let bytes = writer.bytes();
    writer.finish(&trailer)?.flush()?;
    Ok(Written { records, bytes })
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

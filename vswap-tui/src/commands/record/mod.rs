//! `vswap record`: the ring of this host into a trace file or stream.

mod desk;
mod recording;
mod verify;

use super::held::Held;
use crate::cli::{RecordArgs, Rung};
use crate::exit::{Exit, ExitError};
use crate::kernel::facts::clock_pair;
use crate::meta::{HookTotals, Trailer};
use crate::recorder::Written;
use crate::tracer::{Drained, Options, ScanResult, Tracer, drop_privileges};
use anyhow::Context;
use desk::{Desk, Status};
use recording::Recording;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A stream has somebody watching.
const FLUSH_STREAM: Duration = Duration::from_millis(200);

/// Signals that were heard.
struct Signals {
    stop: Arc<AtomicBool>,
    save: Arc<AtomicBool>,
}

impl Signals {
    fn listen(flight: bool) -> anyhow::Result<Self> {
        let signals = Self { stop: Arc::default(), save: Arc::default() };
        let mut all = vec![(SIGINT, &signals.stop), (SIGTERM, &signals.stop), (SIGHUP, &signals.stop)];
        if flight {
            all.push((SIGUSR1, &signals.save));
        }
        for (signal, flag) in all {
            signal_hook::flag::register(signal, Arc::clone(flag)).context("install signal handlers")?;
        }
        Ok(signals)
    }
}

/// Runs `vswap record`; `debug_bpf` shows the debug messages of the eBPF programs.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(args: &RecordArgs, debug_bpf: bool) -> anyhow::Result<Exit> {
    if matches!(args.rung, Rung::Tracepoint | Rung::Counters) {
        return Err(ExitError::new(
            Exit::Usage,
            "a recording is made of slots, which this rung does not tell: `vswap live` shows its sums",
        ));
    }
    let signals = Signals::listen(args.keeping.ring.is_some())?;
    let stream = args.output.as_os_str() == "-";
    let options = Options {
        ring_bytes: args.ring_size,
        debug: debug_bpf,
        slots_only: args.slots_only,
        scan: !args.no_scan,
        probes_only: args.rung == Rung::Kprobe,
    };
    let held = Held::spawn(&args.run)?;
    let mut tracer = Tracer::start(options)?;
    if args.verify {
        verify::check(&tracer)?;
    }
    let recording = Recording::begin(args, tracer.header())?;
    drop_privileges()?;
    crate::say!("vswap: recording to {}", recording.target());
    let mut desk = Desk::open(recording)?;

    let mut child = held.map(Held::let_go).transpose()?;
    if let Some(why) = tracer.late() {
        crate::say!("vswap: slots in use before are unknown until something happens to them: {why}");
    }
    let every = if stream { args.keeping.flush.min(FLUSH_STREAM) } else { args.keeping.flush };
    let reason = pump(&mut tracer, &mut desk, args.duration, every, &signals, child.as_mut())?;
    let verified = if args.verify { Some(verify::compare(&mut tracer, &mut desk)?) } else { None };
    // Every file that is being closed is closed: what it counts is not told again at the end.
    let elsewhere = desk.ask(|recording| Ok(recording.elsewhere))?;
    tracer.settle(elsewhere);
    let trailer = tracer.finish(reason, |drained| desk.take(drained))?;
    let last = trailer.clone();
    let written = desk.ask(move |recording| recording.finish(&last))?;
    if desk.ask(|recording| Ok(recording.reader_gone))? {
        crate::say!("vswap: the reader closed the stream");
    }
    summarize(written, trailer.lost);
    if let Some(view) = &verified {
        verify::tell(view);
    }
    Ok(match (trailer.lost, verified.map_or(0, |v| v.differing)) {
        (0, 0) => Exit::Ok,
        (0, _) => Exit::Divergence,
        _ => Exit::Lost,
    })
}

/// Moves records until something ends the recording; returns what.
fn pump(
    tracer: &mut Tracer,
    desk: &mut Desk,
    duration: Option<Duration>,
    flush_every: Duration,
    signals: &Signals,
    mut child: Option<&mut Child>,
) -> anyhow::Result<&'static str> {
    let begin = Instant::now();
    let (mut flushed, mut shown) = (begin, begin);
    let progress = std::io::stderr().is_terminal();
    let mut drained = Drained::default();
    let mut due = false;
    let reason = loop {
        tracer.drain(&mut drained, Duration::from_millis(100).min(flush_every))?;
        desk.take(&drained)?;
        if let Some(scan) = tracer.scan_result() {
            tell_scan(&scan);
        }
        // Whoever waits for a map that is certain again wants to know both: that it is not, and that it is.
        if tracer.rescan_due() && !std::mem::replace(&mut due, true) {
            crate::say!("vswap: records were lost: the kernel's tables are read again when no more are");
        }
        due &= tracer.rescan_due();
        let now = Instant::now();
        if now - flushed >= flush_every {
            flushed = now;
            desk.tell(Recording::flush)?;
        }
        if signals.save.swap(false, Ordering::Relaxed) {
            desk.tell(|recording| {
                recording.trigger("asked to save".to_owned());
                Ok(())
            })?;
        }
        let status = desk.status();
        tracer.settle(status.elsewhere);
        if let Some(why) = desk.wanted() {
            let books = books(tracer, why)?;
            desk.give(move |recording| recording.close_books(&books))?;
        }
        if progress && now - shown >= Duration::from_secs(1) {
            show(&status, tracer, now - begin);
            shown = now;
        }
        if signals.stop.load(Ordering::Relaxed) {
            break "signal";
        }
        if status.reader_gone {
            break "reader";
        }
        if duration.is_some_and(|d| now - begin >= d) {
            break "duration";
        }
        if let Some(child) = child.as_deref_mut()
            && let Some(status) = child.try_wait().context("wait for the command")?
        {
            if !status.success() {
                crate::say!("vswap: the command ended with {status}");
            }
            break "command";
        }
    };
    if progress {
        crate::say!("");
    }
    Ok(reason)
}

/// What a file that is closed now says at its end.
fn books(tracer: &Tracer, reason: String) -> anyhow::Result<Trailer> {
    let (hooks, clock) = (tracer.totals(), clock_pair());
    let lost = hooks.iter().map(HookTotals::missing).sum();
    Ok(Trailer { records: 0, lost, hooks, clock, reason })
}

/// What was in swap before: how much was read, and what could not be.
fn tell_scan(scan: &ScanResult) {
    if let Some(why) = &scan.failed {
        crate::say!(
            "vswap: the scan of the kernel's tables ended early: {why}. Slots it did not read are unknown until \
             something happens to them"
        );
        return;
    }
    let doubt = match scan.doubtful {
        0 => String::new(),
        n => format!(", {n} of them in doubt"),
    };
    crate::say!("vswap: scanned {} slots in {} ms{doubt}", scan.slots, scan.took.as_millis());
}

fn show(status: &Status, tracer: &Tracer, elapsed: Duration) {
    let (lost, written) = (tracer.lost(), status.written);
    let mut line = format!(
        "\r{:>5} s  {} records  {:.1} MiB",
        elapsed.as_secs(),
        written.records,
        written.bytes as f64 / f64::from(1 << 20)
    );
    if lost > 0 {
        let _ = write!(line, "  LOST {lost}: a larger --ring-size helps");
    }
    eprint!("{line}\x1b[K");
}

fn summarize(written: Written, lost: u64) {
    let Written { records, bytes, files } = written;
    let per = if records == 0 { 0.0 } else { bytes as f64 / records as f64 };
    let files = if files > 1 { format!(" in {files} files") } else { String::new() };
    crate::say!("vswap: {records} records, {bytes} bytes{files} ({per:.1} a record)");
    if lost > 0 {
        crate::say!("vswap: LOST {lost} records; the trace says where. A larger --ring-size helps");
    }
}

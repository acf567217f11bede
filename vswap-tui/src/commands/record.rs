//! `vswap record`: the ring of this host into a trace file or stream.

use super::held::Held;
use crate::cli::RecordArgs;
use crate::commands::verify::{self, Verifier};
use crate::exit::Exit;
use crate::trace::{TraceError, TraceWriter, file};
use crate::tracer::{Drained, Options, ScanResult, Tracer, drop_privileges};
use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use vswap_common::Kind;

/// A block is closed at least this often, so that a killed recorder loses no more.
const FLUSH_FILE: Duration = Duration::from_secs(1);
/// A stream has somebody watching.
const FLUSH_STREAM: Duration = Duration::from_millis(200);

/// Runs `vswap record`; `debug_bpf` shows the debug messages of the eBPF programs.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(args: &RecordArgs, debug_bpf: bool) -> anyhow::Result<Exit> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("install signal handlers")?;
    }
    let stream = args.output.as_os_str() == "-";
    let options = Options {
        ring_bytes: args.ring_size,
        debug: debug_bpf,
        slots_only: args.slots_only,
        scan: !args.no_scan,
    };
    let held = Held::spawn(&args.run)?;
    let mut tracer = Tracer::start(options)?;
    let verifier = if args.verify { Some(Verifier::new(&tracer)?) } else { None };
    let out = file::create(&args.output, args.force)?;
    // Unbuffered: a block is one write, and a killed recorder leaves every block it closed.
    let mut writer = TraceWriter::new(out, tracer.header())?;
    drop_privileges()?;
    eprintln!(
        "vswap: recording to {}",
        if stream { "standard output".into() } else { args.output.display().to_string() }
    );

    let mut child = held.map(Held::let_go).transpose()?;
    if let Some(why) = tracer.late() {
        eprintln!("vswap: slots in use before are unknown until something happens to them: {why}");
    }
    let mut recording = Recording { writer: &mut writer, records: 0, reader_gone: false, verifier };
    let every = if stream { FLUSH_STREAM } else { FLUSH_FILE };
    let reason = pump(&mut tracer, &mut recording, args.duration, every, &stop, child.as_mut())?;
    let verified = match recording.verifier.take() {
        Some(mut verifier) => Some(verifier.compare(&mut tracer, |drained| recording.take(drained))?),
        None => None,
    };
    let (mut records, mut gone) = (recording.records, recording.reader_gone);
    let mut trailer = tracer.finish(reason, |drained| {
        let mut last = Recording { writer: &mut writer, records, reader_gone: gone, verifier: None };
        last.take(drained)?;
        (records, gone) = (last.records, last.reader_gone);
        Ok(())
    })?;
    trailer.records = records;
    let bytes = writer.bytes();
    if !gone {
        let closed = writer.finish(&trailer).and_then(|mut w| w.flush().map_err(TraceError::from));
        gone = ignore_broken_pipe(closed)?;
    }
    if gone {
        eprintln!("vswap: the reader closed the stream");
    }
    summarize(records, trailer.lost, bytes);
    if let Some(view) = &verified {
        verify::tell(view);
    }
    Ok(match (trailer.lost, verified.map_or(0, |v| v.differing)) {
        (0, 0) => Exit::Ok,
        (0, _) => Exit::Divergence,
        _ => Exit::Lost,
    })
}

/// What is being written.
struct Recording<'a, W: Write> {
    writer: &'a mut TraceWriter<W>,
    records: u64,
    /// The other end of the stream is closed: nothing more to do, and no failure.
    reader_gone: bool,
    /// Holds the slot map against the kernel's tables at the end.
    verifier: Option<Verifier>,
}

impl<W: Write> Recording<'_, W> {
    fn take(&mut self, drained: &Drained) -> anyhow::Result<()> {
        if let Some(verifier) = &mut self.verifier {
            verifier.take(drained);
        }
        if self.reader_gone {
            return Ok(());
        }
        let result = drained
            .updates
            .iter()
            .try_for_each(|u| self.writer.update(u))
            .and_then(|()| drained.records.iter().try_for_each(|r| self.writer.push(r)));
        self.reader_gone = ignore_broken_pipe(result)?;
        self.records += drained.records.iter().filter(|r| r.kind != Kind::Gap as u8).count() as u64;
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        if !self.reader_gone {
            let result = self.writer.flush();
            self.reader_gone = ignore_broken_pipe(result)?;
        }
        Ok(())
    }
}

/// True if the write failed because nobody reads any more.
fn ignore_broken_pipe<T>(result: Result<T, TraceError>) -> anyhow::Result<bool> {
    match result {
        Ok(_) => Ok(false),
        Err(TraceError::Io(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(true),
        Err(e) => Err(anyhow::Error::new(e).context("write the trace; what was written before is kept")),
    }
}

/// Moves records until something ends the recording; returns what.
fn pump<W: Write>(
    tracer: &mut Tracer,
    recording: &mut Recording<'_, W>,
    duration: Option<Duration>,
    flush_every: Duration,
    stop: &AtomicBool,
    mut child: Option<&mut Child>,
) -> anyhow::Result<&'static str> {
    let begin = Instant::now();
    let (mut flushed, mut shown) = (begin, begin);
    let progress = std::io::stderr().is_terminal();
    let mut drained = Drained::default();
    let reason = loop {
        tracer.drain(&mut drained, Duration::from_millis(100).min(flush_every))?;
        recording.take(&drained)?;
        if let Some(scan) = tracer.scan_result() {
            tell_scan(&scan);
        }
        let now = Instant::now();
        if now - flushed >= flush_every {
            recording.flush()?;
            flushed = now;
        }
        if progress && now - shown >= Duration::from_secs(1) {
            show(recording, tracer, now - begin);
            shown = now;
        }
        if stop.load(Ordering::Relaxed) {
            break "signal";
        }
        if recording.reader_gone {
            break "reader";
        }
        if duration.is_some_and(|d| now - begin >= d) {
            break "duration";
        }
        if let Some(child) = child.as_deref_mut()
            && let Some(status) = child.try_wait().context("wait for the command")?
        {
            if !status.success() {
                eprintln!("vswap: the command ended with {status}");
            }
            break "command";
        }
    };
    if progress {
        eprintln!();
    }
    Ok(reason)
}

/// What was in swap before: how much was read, and what could not be.
fn tell_scan(scan: &ScanResult) {
    if let Some(why) = &scan.failed {
        eprintln!(
            "vswap: the scan of the kernel's tables ended early: {why}. Slots it did not read are unknown until \
             something happens to them"
        );
        return;
    }
    let doubt = match scan.doubtful {
        0 => String::new(),
        n => format!(", {n} of them in doubt"),
    };
    eprintln!("vswap: scanned {} slots in {} ms{doubt}", scan.slots, scan.took.as_millis());
}

fn show<W: Write>(recording: &Recording<'_, W>, tracer: &Tracer, elapsed: Duration) {
    let lost = tracer.lost();
    let mut line = format!(
        "\r{:>5} s  {} records  {:.1} MiB",
        elapsed.as_secs(),
        recording.records,
        recording.writer.bytes() as f64 / f64::from(1 << 20)
    );
    if lost > 0 {
        let _ = write!(line, "  LOST {lost}: a larger --ring-size helps");
    }
    eprint!("{line}\x1b[K");
}

fn summarize(records: u64, lost: u64, bytes: u64) {
    let per = if records == 0 { 0.0 } else { bytes as f64 / records as f64 };
    eprintln!("vswap: {records} records, {bytes} bytes ({per:.1} a record)");
    if lost > 0 {
        eprintln!("vswap: LOST {lost} records; the trace says where. A larger --ring-size helps");
    }
}

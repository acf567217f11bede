//! What is being recorded to: files, a stream, or the flight recorder's memory.

use crate::cli::RecordArgs;
use crate::collector::Collector;
use crate::kernel::facts::clock_pair;
use crate::meta::{Header, Trailer, Update};
use crate::recorder::flight::Flight;
use crate::recorder::trigger::Watch;
use crate::recorder::{Options, Recorder, Rotation, Series, Sink, Written};
use crate::trace::{TraceError, file};
use std::time::Instant;
use vswap_common::Record;

/// The output of `vswap record`.
pub(super) struct Recording {
    output: Output,
    /// The other end of the stream is closed: nothing more to do, and no failure.
    pub(super) reader_gone: bool,
    /// Losses that closed files have in their counters and no gap tells.
    pub(super) elsewhere: u64,
    /// Why and when the flight recorder saves.
    due: Option<(String, Instant)>,
    args: RecordArgs,
}

enum Output {
    Files(Box<Recorder>),
    Flight(Box<InFlight>),
    /// Closed.
    Done,
}

/// The flight recorder and what it saves to.
struct InFlight {
    flight: Flight,
    series: Series,
    watch: Watch,
    saved: Written,
}

impl InFlight {
    fn save(&mut self, trailer: &Trailer) -> anyhow::Result<()> {
        let (path, bytes) = self.flight.save(&mut self.series, trailer)?;
        self.saved.files += 1;
        self.saved.bytes += bytes;
        crate::say!("vswap: saved {} ({bytes} bytes): {}", path.display(), trailer.reason);
        Ok(())
    }
}

impl Recording {
    pub(super) fn begin(args: &RecordArgs, header: &Header) -> anyhow::Result<Self> {
        let keeping = &args.keeping;
        // The slot map beside the recording is what is compared.
        let key_every = (!keeping.key_frames.is_zero() || args.verify).then_some(keeping.key_frames);
        let options = Options { key_every, sync: keeping.sync };
        let rotation = Rotation { size: keeping.rotate_size, time: keeping.rotate_time, keep: keeping.keep };
        let rotates = rotation.size.is_some() || rotation.time.is_some();
        if (rotates || keeping.ring.is_some()) && args.output.as_os_str() == "-" {
            anyhow::bail!("a stream is one file: --rotate-size, --rotate-time and --ring need -o FILE");
        }
        let output = if let Some(limit) = keeping.ring {
            Output::Flight(Box::new(InFlight {
                flight: Flight::new(header, limit, options)?,
                series: Series::new(&args.output, rotation)?,
                watch: Watch::new(keeping.trigger.clone()),
                saved: Written::default(),
            }))
        } else if rotates {
            let mut series = Series::new(&args.output, rotation)?;
            let sink = Sink::new(series.next_file()?.1, options.sync)?;
            Output::Files(Box::new(Recorder::new(sink, header, options, Some(series))?))
        } else {
            let sink = Sink::new(file::create(&args.output, args.force)?, options.sync)?;
            Output::Files(Box::new(Recorder::new(sink, header, options, None)?))
        };
        Ok(Self { output, reader_gone: false, elsewhere: 0, due: None, args: args.clone() })
    }

    /// Where it goes, in words.
    pub(super) fn target(&self) -> String {
        let path = self.args.output.display();
        match &self.output {
            Output::Flight(_) => format!("memory; SIGUSR1 or a trigger saves it beside {path}"),
            _ if self.args.output.as_os_str() == "-" => "standard output".into(),
            Output::Files(r) if r.in_series() => format!("files numbered after {path}"),
            _ => path.to_string(),
        }
    }

    /// News, and the records that follow them.
    pub(super) fn take(&mut self, updates: &[Update], records: &[Record]) -> anyhow::Result<()> {
        if self.reader_gone {
            return Ok(());
        }
        match &mut self.output {
            Output::Files(recorder) => {
                self.reader_gone = ignore_broken_pipe(recorder.take(updates, records))?;
            }
            Output::Flight(run) => {
                run.flight.take(updates, records, clock_pair())?;
                let watch = &mut run.watch;
                let why = watch.records(records).or_else(|| watch.host(Instant::now()));
                if let Some(why) = why {
                    self.trigger(why);
                }
            }
            Output::Done => {}
        }
        Ok(())
    }

    /// Something happened that the flight recorder is to save, some time from now; others until then are part of it.
    pub(super) fn trigger(&mut self, why: String) {
        if self.due.is_none() && matches!(self.output, Output::Flight(_)) {
            let after = self.args.keeping.after;
            crate::say!("vswap: {why}; recording on for {} s", after.as_secs());
            self.due = Instant::now().checked_add(after).map(|at| (why, at));
        }
    }

    /// Hands what there is to the operating system.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        if let (false, Output::Files(recorder)) = (self.reader_gone, &mut self.output) {
            self.reader_gone = ignore_broken_pipe(recorder.flush())?;
        }
        Ok(())
    }

    /// Why the counters of the hooks are wanted: a file is to be closed, or to be saved.
    pub(super) fn wants(&self) -> Option<String> {
        match &self.output {
            Output::Files(recorder) if !self.reader_gone && recorder.rotation_due() => {
                Some("rotation".to_owned())
            }
            Output::Flight(_) => {
                self.due.as_ref().filter(|(_, at)| Instant::now() >= *at).map(|(why, _)| why.clone())
            }
            _ => None,
        }
    }

    /// The counters that were wanted: begins the next file, saves what was triggered.
    pub(super) fn close_books(&mut self, trailer: &Trailer) -> anyhow::Result<()> {
        match &mut self.output {
            Output::Files(recorder) => self.elsewhere = recorder.rotate(trailer, clock_pair())?,
            Output::Flight(run) => {
                self.due = None;
                run.save(trailer)?;
            }
            Output::Done => {}
        }
        Ok(())
    }

    /// Closes the recording. What was triggered and not saved yet is saved now.
    pub(super) fn finish(&mut self, trailer: &Trailer) -> anyhow::Result<Written> {
        match std::mem::replace(&mut self.output, Output::Done) {
            Output::Files(recorder) => {
                let written = recorder.written();
                if self.reader_gone {
                    return Ok(written);
                }
                let mut done = written;
                let closed = recorder.finish(trailer).map(|w| done = w);
                self.reader_gone = ignore_broken_pipe(closed)?;
                Ok(done)
            }
            Output::Flight(mut run) => {
                if let Some((why, _)) = self.due.take() {
                    run.save(&Trailer { reason: why, ..trailer.clone() })?;
                }
                Ok(Written { records: run.flight.records(), ..run.saved })
            }
            Output::Done => Ok(Written::default()),
        }
    }

    /// Records and bytes so far; of a flight recorder the bytes in memory.
    pub(super) fn written(&mut self) -> Written {
        match &mut self.output {
            Output::Files(recorder) => recorder.written(),
            Output::Flight(run) => {
                Written { records: run.flight.records(), bytes: run.flight.bytes(), files: run.saved.files }
            }
            Output::Done => Written::default(),
        }
    }

    pub(super) fn slot_map(&mut self) -> Option<&mut Collector> {
        match &mut self.output {
            Output::Files(recorder) => recorder.collector(),
            Output::Flight(_) | Output::Done => None,
        }
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

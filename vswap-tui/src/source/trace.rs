//! A trace as a source of events: a file, or a stream from a recorder that is still running.

use super::{Batch, Polled, Source, seek};
use crate::collector::Collector;
use crate::decode::decode;
use crate::exit::{Exit, ExitError};
use crate::meta::Header;
use crate::snapshot::Point;
use crate::trace::format::{MAJOR, MINOR};
use crate::trace::{Index, Item, TraceError, TraceReader};
use anyhow::Context;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Batches a stream may be ahead of its consumer. When they are full the pipe fills, then the recorder's ring,
/// and that loss is counted there.
const AHEAD: usize = 4;

/// Events from a trace.
pub struct TraceSource {
    header: Arc<Header>,
    feed: Feed,
    end: Option<Polled>,
    /// Made when first asked for.
    index: Option<Index>,
}

enum Feed {
    /// Read in place: a file never makes anyone wait.
    File { reader: Box<TraceReader<File>>, file: File },
    /// Read by a thread, so that `poll` can give up waiting.
    Stream(Receiver<Result<(Batch, Polled), TraceError>>),
}

impl TraceSource {
    /// Opens a file, a named pipe, or standard input (`-`), and reads the header; a stream is waited for.
    ///
    /// # Errors
    /// If it cannot be opened or is no trace; with [`Exit::Damaged`] if it ends before anything usable.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            let stdin = io::stdin();
            if stdin.is_terminal() {
                anyhow::bail!("standard input is a terminal: pipe a trace into it (vswap record -o - | ...)");
            }
            let stdin = File::from(stdin.as_fd().try_clone_to_owned().context("open standard input")?);
            return Self::stream(stdin).context("standard input");
        }
        let shown = || path.display().to_string();
        let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        if !file.metadata().with_context(shown)?.is_file() {
            return Self::stream(file).with_context(shown);
        }
        let input = file.try_clone().with_context(shown)?;
        let reader = Box::new(TraceReader::new(input).map_err(explain).with_context(shown)?);
        newer(&reader);
        let header = Arc::new(reader.header().clone());
        Ok(Self { header, feed: Feed::File { reader, file }, end: None, index: None })
    }

    /// Reads a stream in a thread of its own. The thread ends with the stream, or when the source is dropped and
    /// the next block arrives.
    ///
    /// # Errors
    /// As [`TraceSource::open`].
    pub fn stream(input: impl Read + Send + 'static) -> anyhow::Result<Self> {
        let reader = TraceReader::new(input).map_err(explain)?;
        newer(&reader);
        let header = Arc::new(reader.header().clone());
        let (sender, receiver) = sync_channel(AHEAD);
        thread::Builder::new()
            .name("trace".into())
            .spawn(move || pump(reader, &sender))
            .context("start the thread that reads the trace")?;
        Ok(Self { header, feed: Feed::Stream(receiver), end: None, index: None })
    }

    /// The blocks of a file and their times; `None` for a stream.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn index(&self) -> anyhow::Result<Option<Index>> {
        match &self.feed {
            Feed::File { file, .. } => Ok(Some(Index::load(file).map_err(explain)?)),
            Feed::Stream(_) => Ok(None),
        }
    }

    /// Share of a file that was read, 0.0 to 1.0; `None` for a stream.
    pub fn progress(&self) -> Option<f64> {
        match &self.feed {
            Feed::File { reader, file } => {
                let len = file.metadata().ok()?.len().max(1);
                Some((reader.offset() as f64 / len as f64).min(1.0))
            }
            Feed::Stream(_) => None,
        }
    }
}

impl Source for TraceSource {
    fn header(&self) -> &Header {
        &self.header
    }

    fn poll(&mut self, batch: &mut Batch, timeout: Duration) -> anyhow::Result<Polled> {
        batch.clear();
        if let Some(end) = &self.end {
            return Ok(end.clone());
        }
        let polled = match &mut self.feed {
            Feed::File { reader, file } => surplus(fill(reader, batch).map_err(explain)?, reader, file),
            Feed::Stream(receiver) => match receiver.recv_timeout(timeout) {
                Ok(read) => {
                    let (full, polled) = read.map_err(explain)?;
                    *batch = full;
                    polled
                }
                Err(RecvTimeoutError::Timeout) => Polled::More,
                Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the thread that reads the trace died"),
            },
        };
        if matches!(polled, Polled::End { .. }) {
            self.end = Some(polled.clone());
        }
        Ok(polled)
    }

    fn landing(&mut self, ts: u64) -> anyhow::Result<Option<u64>> {
        if self.index.is_none() {
            self.index = self.index()?;
        }
        let keys = self.index.as_ref().map(|i| i.keys.iter().rev());
        Ok(keys.and_then(|mut keys| keys.find(|k| k.last_ts <= ts)).map(|k| k.last_ts))
    }

    fn seek(&mut self, ts: u64, interval_ns: u64, history: &[Point]) -> anyhow::Result<Option<Collector>> {
        if self.index.is_none() {
            self.index = self.index()?;
        }
        let (Feed::File { reader, .. }, Some(index)) = (&mut self.feed, &self.index) else { return Ok(None) };
        let collector = seek::seek(reader, index, &self.header, ts, interval_ns, history)?;
        self.end = None;
        Ok(Some(collector))
    }
}

/// What a later minor version added is passed over: that is told once.
fn newer<R: Read>(reader: &TraceReader<R>) {
    if let Some((major, minor)) = reader.newer() {
        log::warn!(
            "this trace is of format {major}.{minor}, this vswap knows {MAJOR}.{MINOR}: what was added since is not shown"
        );
    }
}

fn pump<R: Read>(mut reader: TraceReader<R>, out: &SyncSender<Result<(Batch, Polled), TraceError>>) {
    loop {
        let mut batch = Batch::default();
        let read = fill(&mut reader, &mut batch).map(|polled| (batch, polled));
        let last = !matches!(read, Ok((_, Polled::More)));
        if out.send(read).is_err() || last {
            return;
        }
    }
}

/// One block to a batch.
fn fill<R: Read>(reader: &mut TraceReader<R>, batch: &mut Batch) -> Result<Polled, TraceError> {
    let Batch { events, updates, undecodable } = batch;
    let item = reader.next_with(events, |record| {
        let event = decode(record).ok();
        *undecodable += u64::from(event.is_none());
        event
    })?;
    match item {
        Item::Records => Ok(Polled::More),
        Item::Update(update) => {
            updates.push(update);
            Ok(Polled::More)
        }
        Item::End(trailer) => Ok(Polled::End { trailer, damage: reader.damage().map(ToString::to_string) }),
    }
}

/// Bytes after the trailer belong to no trace: told, not read.
fn surplus(polled: Polled, reader: &TraceReader<File>, file: &File) -> Polled {
    match polled {
        Polled::End { trailer: Some(trailer), damage: None } => {
            let end = reader.offset();
            let surplus = file.metadata().map_or(0, |m| m.len()).saturating_sub(end);
            let damage = (surplus > 0).then(|| {
                format!("{surplus} bytes follow the trailer at byte {end}; they are no part of the trace")
            });
            Polled::End { trailer: Some(trailer), damage }
        }
        other => other,
    }
}

/// Gives the errors that scripts branch on their exit code.
pub(crate) fn explain(err: TraceError) -> anyhow::Error {
    match err {
        TraceError::CutShort { .. } => ExitError::new(Exit::Damaged, err.to_string()),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::code_of;
    use crate::meta::{Trailer, Update};
    use crate::trace::TraceWriter;
    use std::io::Write;
    use std::time::Instant;
    use vswap_common::{Kind, Record};

    const LONG: Duration = Duration::from_secs(10);

    fn record(ts: u64) -> Record {
        Record { ts, kind: Kind::Alloc as u8, nr: 1, ..Record::default() }
    }

    fn written() -> Vec<u8> {
        let header = Header { origin: "host".into(), ..Header::default() };
        let mut w = TraceWriter::new(Vec::new(), &header).unwrap();
        w.push(&record(1)).unwrap();
        w.push(&Record { kind: 250, ..record(2) }).unwrap();
        w.update(&Update::default()).unwrap();
        w.push(&record(3)).unwrap();
        w.finish(&Trailer { records: 3, ..Trailer::default() }).unwrap()
    }

    fn drain(source: &mut TraceSource) -> (Vec<u64>, usize, u64, Polled) {
        let (mut times, mut updates, mut undecodable) = (Vec::new(), 0, 0);
        let mut batch = Batch::default();
        loop {
            let polled = source.poll(&mut batch, LONG).unwrap();
            times.extend(batch.events.iter().map(|e| e.ts));
            updates += batch.updates.len();
            undecodable += batch.undecodable;
            if polled != Polled::More {
                assert_eq!(source.poll(&mut batch, LONG).unwrap(), polled, "the end stays the end");
                return (times, updates, undecodable, polled);
            }
        }
    }

    #[test]
    fn file_and_stream_give_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        std::fs::write(&path, written()).unwrap();
        let mut file = TraceSource::open(&path).unwrap();
        let mut stream = TraceSource::stream(io::Cursor::new(written())).unwrap();
        assert_eq!(file.header(), stream.header());
        assert_eq!(file.index().unwrap().unwrap().records(), 3);
        assert!(stream.index().unwrap().is_none());
        let from_file = drain(&mut file);
        assert_eq!(from_file, drain(&mut stream));
        let trailer = Some(Trailer { records: 3, ..Trailer::default() });
        assert_eq!(from_file, (vec![1, 3], 1, 1, Polled::End { trailer, damage: None }));
        assert!(file.progress().unwrap() >= 1.0);
    }

    #[test]
    fn a_silent_stream_does_not_hold_poll_beyond_its_timeout() {
        let (reader, mut writer) = io::pipe().unwrap();
        let bytes = written();
        writer.write_all(&bytes[..bytes.len() - 1]).unwrap();
        let mut source = TraceSource::stream(reader).unwrap();
        let mut batch = Batch::default();
        let mut events = 0;
        let started = Instant::now();
        while events < 2 && started.elapsed() < LONG {
            assert_eq!(source.poll(&mut batch, Duration::from_millis(20)).unwrap(), Polled::More);
            events += batch.events.len();
        }
        let started = Instant::now();
        assert_eq!(source.poll(&mut batch, Duration::from_millis(20)).unwrap(), Polled::More);
        assert!(batch.events.is_empty() && started.elapsed() < LONG);
        drop(writer);
        let Polled::End { trailer: None, damage: Some(damage) } = drain(&mut source).3 else {
            panic!("a stream that breaks off is a torn trace")
        };
        assert!(damage.contains("cut short"), "{damage}");
    }

    #[test]
    fn surplus_bytes_after_the_trailer_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        let mut bytes = written();
        bytes.extend_from_slice(b"more");
        std::fs::write(&path, bytes).unwrap();
        let Polled::End { trailer: Some(_), damage: Some(damage) } =
            drain(&mut TraceSource::open(&path).unwrap()).3
        else {
            panic!("surplus is damage")
        };
        assert!(damage.starts_with("4 bytes follow"), "{damage}");
    }

    #[test]
    fn errors_name_the_file_and_carry_their_code() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        for (bytes, exit) in [(&b""[..], Exit::Damaged), (&b"no trace at all, none"[..], Exit::Failure)] {
            std::fs::write(&path, bytes).unwrap();
            let Err(err) = TraceSource::open(&path) else { panic!("must fail") };
            assert_eq!(code_of(&err), exit);
            assert!(format!("{err:#}").contains(&*path.to_string_lossy()));
        }
        let Err(err) = TraceSource::open(dir.path()) else { panic!("must fail") };
        assert!(format!("{err:#}").contains("directory"), "{err:#}");
    }
}

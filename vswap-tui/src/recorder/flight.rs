//! The flight recorder: the last minutes in memory, written out when something happened.
//!
//! Blocks go to a ring in memory. Every eighth of it a *mark* keeps the state of that moment; when blocks make room for
//! younger ones, the oldest mark goes with them. A saved file begins with the state of the oldest mark, as every file
//! of a series does, and holds all blocks since.

use super::{Options, Series, Sink, State, since};
use crate::meta::{ClockPair, Header, HookTotals, Trailer, Update};
use crate::trace::format::{BLOCK_HEADER_LEN, BlockHeader, block_type};
use crate::trace::{Item, TraceError, TraceReader, TraceWriter};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::PathBuf;
use vswap_common::{Kind, Record};

/// Marks in a full ring.
const MARKS: u64 = 8;

/// Blocks in memory, as a trace has them. A writer hands over each in one piece.
#[derive(Default)]
pub struct Blocks {
    blocks: VecDeque<Vec<u8>>,
    bytes: u64,
    /// Blocks that were dropped, so that a number means the same block for ever.
    dropped: u64,
}

impl Blocks {
    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn end(&self) -> u64 {
        self.dropped + self.blocks.len() as u64
    }

    fn drop_before(&mut self, number: u64) {
        while self.dropped < number {
            let Some(block) = self.blocks.pop_front() else { break };
            self.bytes -= block.len() as u64;
            self.dropped += 1;
        }
    }
}

impl Write for Blocks {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.blocks.push_back(buf.to_vec());
        self.bytes += buf.len() as u64;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The state at one moment: a small trace of its own.
struct Mark {
    /// Number of the first block after it.
    at: u64,
    header: Header,
    opening: Vec<u8>,
    /// The hooks' counters then.
    hooks: Vec<HookTotals>,
}

/// Keeps the last `limit` bytes.
pub struct Flight {
    writer: TraceWriter<Blocks>,
    state: State,
    marks: VecDeque<Mark>,
    hooks: Vec<HookTotals>,
    limit: u64,
    options: Options,
    records: u64,
}

impl Flight {
    /// A ring of `limit` bytes. The state beside it takes nine bytes a slot more, an opening about three.
    ///
    /// # Errors
    /// Never in memory; the writer's type says so.
    pub fn new(header: &Header, limit: u64, options: Options) -> Result<Self, TraceError> {
        let mut writer = TraceWriter::new(Blocks::default(), header)?;
        // The preamble and the header are written anew with each file.
        let begin = writer.sink_mut().end();
        writer.sink_mut().drop_before(begin);
        let mut flight = Self {
            writer,
            state: State::new(header.clone()),
            marks: VecDeque::new(),
            hooks: Vec::new(),
            limit,
            options,
            records: 0,
        };
        let (header, opening) = (header.clone(), trace_of(header, |_| Ok(()))?);
        flight.marks.push_back(Mark { at: begin, header, opening, hooks: Vec::new() });
        Ok(flight)
    }

    fn blocks(&mut self) -> &mut Blocks {
        self.writer.sink_mut()
    }

    /// Adds news and the records that follow them; the oldest go when there is no room.
    ///
    /// # Errors
    /// If zstd has no memory.
    pub fn take(
        &mut self,
        updates: &[Update],
        records: &[Record],
        clock: ClockPair,
    ) -> Result<(), TraceError> {
        for update in updates {
            self.writer.update(update)?;
            self.state.update(update);
            if !update.hooks.is_empty() {
                self.hooks.clone_from(&update.hooks);
            }
        }
        for record in records {
            self.writer.push(record)?;
        }
        self.records += records.iter().filter(|r| r.kind != Kind::Gap as u8).count() as u64;
        self.state.take(records);
        let limit = self.limit;
        let (end, bytes) = (self.blocks().end(), self.blocks().bytes());
        if bytes > limit {
            self.marks.pop_front();
            // Without another mark everything younger goes too: it could not be read.
            let keep = self.marks.front().map_or(end, |m| m.at);
            self.blocks().drop_before(keep);
        }
        let first = self.marks.back().map_or(0, |m| m.at);
        let since_mark: u64 = {
            let blocks = self.blocks();
            let skip = first.saturating_sub(blocks.dropped) as usize;
            blocks.blocks.iter().skip(skip).map(|b| b.len() as u64).sum()
        };
        if (self.marks.is_empty() || since_mark > limit / MARKS) && self.state.can_open() {
            self.writer.flush()?;
            let header = self.state.header(clock, 0);
            let opening = trace_of(&header, |out| self.state.opening(|record| out.push(record)))?;
            let mark = Mark { at: self.blocks().end(), header, opening, hooks: self.hooks.clone() };
            self.marks.push_back(mark);
        }
        Ok(())
    }

    /// Records taken so far, gaps not counted.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Bytes in memory.
    pub fn bytes(&mut self) -> u64 {
        self.blocks().bytes()
    }

    /// Writes what is in memory to the next file of `series`; the ring goes on.
    ///
    /// # Errors
    /// If writing fails.
    pub fn save(&mut self, series: &mut Series, trailer: &Trailer) -> anyhow::Result<(PathBuf, u64)> {
        self.writer.flush()?;
        let (path, file) = series.next_file()?;
        let Some(mark) = self.marks.pop_front() else {
            anyhow::bail!("nothing is in memory yet: a scan of the kernel's tables is still running");
        };
        let result = self.write_out(&mark, Sink::new(file, self.options.sync)?, trailer);
        self.marks.push_front(mark);
        Ok((path, result?))
    }

    fn write_out(&mut self, mark: &Mark, sink: Sink, trailer: &Trailer) -> Result<u64, TraceError> {
        let mut out = TraceWriter::new(sink, &mark.header)?;
        let mut opening = Vec::new();
        let mut reader = TraceReader::new(&mark.opening[..])?;
        while !matches!(reader.next(&mut opening)?, Item::End(_)) {
            opening.drain(..).try_for_each(|r| out.push(&r))?;
        }
        let blocks = self.blocks();
        let skip = mark.at.saturating_sub(blocks.dropped) as usize;
        for block in blocks.blocks.iter().skip(skip) {
            let Some(h) = block.first_chunk::<BLOCK_HEADER_LEN>().and_then(|b| BlockHeader::decode(b).ok())
            else {
                continue;
            };
            let payload = &block[BLOCK_HEADER_LEN..];
            match h.kind {
                block_type::RECORDS => out.copy_records(&h, payload)?,
                block_type::UPDATE => {
                    let update: Update = crate::trace::reader::metadata(&h, payload)?;
                    out.update(&Update { hooks: since(&update.hooks, &mark.hooks), ..update })?;
                }
                _ => {}
            }
        }
        let hooks = since(&trailer.hooks, &mark.hooks);
        let lost = hooks.iter().map(HookTotals::missing).sum();
        let records = out.records();
        let sink = out.finish(&Trailer { records, lost, hooks, ..trailer.clone() })?;
        let bytes = sink.written();
        sink.close()?;
        Ok(bytes)
    }
}

/// A trace of nothing but the records that `tell` writes.
fn trace_of(
    header: &Header,
    tell: impl FnOnce(&mut TraceWriter<Vec<u8>>) -> Result<(), TraceError>,
) -> Result<Vec<u8>, TraceError> {
    let mut writer = TraceWriter::new(Vec::new(), &Header { cgroups: Vec::new(), ..header.clone() })?;
    tell(&mut writer)?;
    writer.finish(&Trailer::default())
}

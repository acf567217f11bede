//! From drained records to files: key frames, rotation, time to disk. Knows no kernel; `commands/record` brings the
//! records, a benchmark or a test may too.
//!
//! ```text
//! records, news -> Recorder -+-> State (slot map) -> key frames, openings
//!                            `-> TraceWriter -> Sink -> file, stream, or memory (flight)
//! ```

pub mod flight;
pub mod series;
pub mod sink;
mod state;
pub mod trigger;

pub use series::{Rotation, Series};
pub use sink::{Sink, Sync};

use crate::meta::{Header, HookTotals, Trailer, Update};
use crate::trace::{TraceError, TraceWriter};
use state::State;
use std::time::{Duration, Instant};
use vswap_common::{Kind, Record};

/// Records that may wait for the recorder: 256 MiB, 18 seconds at 300,000 a second. The longest that it keeps them
/// waiting is for a key frame and the next file with 16 M slots in use (`cargo xtask bench record`), on a machine that has
/// other things to do.
pub const BACKLOG: usize = (256 << 20) / size_of::<Record>();

/// How a recording is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Trace time between key frames; `None` for none.
    pub key_every: Option<Duration>,
    /// When bytes are forced to the disk.
    pub sync: Sync,
}

impl Default for Options {
    fn default() -> Self {
        Self { key_every: Some(Duration::from_secs(5)), sync: Sync::Close }
    }
}

/// What was written, over all files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Records, gaps not counted.
    pub records: u64,
    /// Bytes.
    pub bytes: u64,
    /// Files.
    pub files: u64,
}

/// Writes a recording.
pub struct Recorder {
    writer: TraceWriter<Sink>,
    state: Option<State>,
    options: Options,
    series: Option<Series>,
    /// Records of this file, gaps not counted.
    records: u64,
    /// Of the files before.
    before: Written,
    began: Instant,
    /// Counters when this file began: its own count from there.
    base: Vec<HookTotals>,
    /// Records that gaps in all files say are missing.
    placed: u64,
}

impl Recorder {
    /// Begins a recording in `sink`; with a series, the first of its files.
    ///
    /// # Errors
    /// If writing fails.
    pub fn new(
        sink: Sink,
        header: &Header,
        options: Options,
        series: Option<Series>,
    ) -> Result<Self, TraceError> {
        let part = u32::from(series.is_some());
        let header = Header { part, ..header.clone() };
        let keeps = options.key_every.is_some() || series.is_some();
        Ok(Self {
            writer: TraceWriter::new(sink, &header)?,
            state: keeps.then(|| State::new(header)),
            options,
            series,
            records: 0,
            before: Written { files: 1, ..Written::default() },
            began: Instant::now(),
            base: Vec::new(),
            placed: 0,
        })
    }

    /// Adds news and the records that follow them.
    ///
    /// # Errors
    /// If writing fails.
    pub fn take(&mut self, updates: &[Update], records: &[Record]) -> Result<(), TraceError> {
        for update in updates {
            self.news(update)?;
        }
        for record in records {
            self.writer.push(record)?;
            match record.kind == Kind::Gap as u8 {
                true => self.placed = self.placed.saturating_add(record.arg),
                false => self.records += 1,
            }
        }
        if let Some(state) = &mut self.state {
            state.take(records);
            if let Some(every) = self.options.key_every.filter(|d| !d.is_zero())
                && state.frame_due(every, self.writer.bytes())
            {
                state.write_frame(&mut self.writer)?;
            }
        }
        Ok(())
    }

    fn news(&mut self, update: &Update) -> Result<(), TraceError> {
        let hooks = since(&self.settled(&update.hooks), &self.base);
        let update = Update { hooks, ..update.clone() };
        self.writer.update(&update)?;
        if let Some(state) = &mut self.state {
            state.update(&update);
        }
        Ok(())
    }

    /// Hands everything to the operating system, and to the disk if the policy says so.
    ///
    /// # Errors
    /// If writing fails, or a sync failed since the last call.
    pub fn flush(&mut self) -> Result<(), TraceError> {
        self.writer.flush()?;
        if self.options.sync == Sync::Flush {
            self.writer.sink_mut().sync()?;
        }
        Ok(())
    }

    /// Size or age says that the next file should begin. Not while a scan of the kernel's tables runs: it would be
    /// torn in two.
    pub fn rotation_due(&self) -> bool {
        let whole = self.state.as_ref().is_some_and(State::can_open);
        whole && self.series.as_ref().is_some_and(|s| s.due(self.writer.bytes(), self.began.elapsed()))
    }

    /// The counters without those losses whose gap is still to come. The counters run ahead of the records: a loss is
    /// told in sequence by the next record of its CPU, which may be the first of the next file. It counts where its gap
    /// is, else both files would have it. Which hook's records a gap stands for nobody knows; the sums are exact.
    fn settled(&self, hooks: &[HookTotals]) -> Vec<HookTotals> {
        if self.series.is_none() {
            return hooks.to_vec();
        }
        let numbered: u64 = hooks.iter().map(HookTotals::numbered).sum();
        let mut to_come = numbered.saturating_sub(self.placed);
        let mut settled = hooks.to_vec();
        for hook in &mut settled {
            let new = since(std::slice::from_ref(hook), &self.base).pop().unwrap_or_default();
            let mut cut = |most: u64| {
                let cut = to_come.min(most);
                to_come -= cut;
                cut
            };
            hook.lost -= cut(new.lost);
            hook.fault -= cut(new.fault);
            hook.map_full -= cut(new.map_full);
            let skipped = cut(new.skipped);
            hook.skipped -= skipped;
            hook.recursion_misses -= skipped;
        }
        settled
    }

    /// Closes this file and begins the next. `trailer` has the hooks' counters of the whole recording. Returns how many
    /// records the closed files know to be missing without a gap that says where.
    ///
    /// # Errors
    /// If writing fails, or the next file cannot be made.
    pub fn rotate(&mut self, trailer: &Trailer, clock: crate::meta::ClockPair) -> anyhow::Result<u64> {
        let hooks = self.settled(&trailer.hooks);
        let lost = hooks.iter().map(HookTotals::missing).sum();
        let trailer = &Trailer { hooks, lost, ..trailer.clone() };
        let (Some(series), Some(state)) = (&mut self.series, &mut self.state) else { return Ok(0) };
        let (path, file) = series.next_file()?;
        let header = state.header(clock, series.part());
        let next = TraceWriter::new(Sink::new(file, self.options.sync)?, &header)?;
        let counters = Update { hooks: since(&trailer.hooks, &self.base), ..Update::default() };
        if !counters.hooks.is_empty() {
            self.writer.update(&counters)?;
        }
        let done = std::mem::replace(&mut self.writer, next);
        self.before.records += self.records;
        let own = self.own(trailer);
        let sink = done.finish(&own)?;
        self.before.bytes += sink.written();
        sink.close()?;
        self.base.clone_from(&trailer.hooks);
        (self.records, self.began) = (0, Instant::now());
        self.before.files += 1;
        if let Some(state) = &mut self.state {
            state.go_on(header, |record| self.writer.push(record))?;
        }
        self.writer.flush()?;
        log::info!("the recording goes on in {}", path.display());
        Ok(trailer.hooks.iter().map(|h| h.missing() - h.numbered()).sum())
    }

    /// What the trailer of this file says.
    fn own(&self, trailer: &Trailer) -> Trailer {
        let hooks = since(&trailer.hooks, &self.base);
        let lost = match self.base.is_empty() {
            true => trailer.lost,
            false => hooks.iter().map(HookTotals::missing).sum(),
        };
        Trailer { records: self.records, lost, hooks, ..trailer.clone() }
    }

    /// Closes the recording cleanly.
    ///
    /// # Errors
    /// If writing or syncing fails.
    pub fn finish(self, trailer: &Trailer) -> Result<Written, TraceError> {
        let own = self.own(trailer);
        let mut written = self.before;
        written.records += self.records;
        let sink = self.writer.finish(&own)?;
        written.bytes += sink.written();
        sink.close()?;
        Ok(written)
    }

    /// What was written so far.
    pub fn written(&self) -> Written {
        Written {
            records: self.before.records + self.records,
            bytes: self.before.bytes + self.writer.bytes(),
            files: self.before.files,
        }
    }

    /// It goes to several files.
    pub fn in_series(&self) -> bool {
        self.series.is_some()
    }

    /// The slot map beside the recording, if one is kept.
    pub fn collector(&mut self) -> Option<&mut crate::collector::Collector> {
        self.state.as_mut().map(State::collector)
    }
}

/// Counters of one file: those of the recording without what was counted before the file.
fn since(now: &[HookTotals], base: &[HookTotals]) -> Vec<HookTotals> {
    let minus = |now: &HookTotals| {
        let Some(then) = base.iter().find(|b| b.hook == now.hook) else { return now.clone() };
        HookTotals {
            hook: now.hook.clone(),
            emitted: now.emitted.saturating_sub(then.emitted),
            lost: now.lost.saturating_sub(then.lost),
            fault: now.fault.saturating_sub(then.fault),
            map_full: now.map_full.saturating_sub(then.map_full),
            recursion_misses: now.recursion_misses.saturating_sub(then.recursion_misses),
            skipped: now.skipped.saturating_sub(then.skipped),
            runs: now.runs.saturating_sub(then.runs),
        }
    };
    now.iter().map(minus).collect()
}

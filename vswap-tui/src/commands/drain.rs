//! A whole trace through the collector: what `report` and `slots` begin with.

use crate::collector::Collector;
use crate::exit::Exit;
use crate::meta::{Trailer, Update};
use crate::source::trace::TraceSource;
use crate::source::{Batch, Polled, Source};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Nothing but the clock of the progress line depends on it.
const POLL: Duration = Duration::from_millis(500);
/// One point of history a second; neither command shows it.
const HISTORY_NS: u64 = 1_000_000_000;

/// The state at the end of a trace, or at the time asked for.
pub(super) struct Drained {
    pub(super) collector: Collector,
    pub(super) trailer: Option<Trailer>,
    pub(super) damage: Option<String>,
}

/// Reads `file` up to its end, or up to `at` after its first event: from the last key frame before that.
pub(super) fn drain(file: &Path, at: Option<Duration>) -> anyhow::Result<Drained> {
    let mut source = TraceSource::open(file)?;
    let mut collector = Collector::new(Arc::new(source.header().clone()), HISTORY_NS);
    let mut progress = Progress::new();
    let mut batch = Batch::default();
    let span = at.map(|at| u64::try_from(at.as_nanos()).unwrap_or(u64::MAX));
    let mut limit = None;
    loop {
        let polled = source.poll(&mut batch, POLL)?;
        if let (None, Some(span), Some(first)) = (limit, span, batch.events.first()) {
            let to = first.ts.saturating_add(span);
            limit = Some(to);
            // A file goes there at once and begins anew; a stream has to be read.
            if let Some(there) = source.seek(to, HISTORY_NS, &[])? {
                collector = there;
                continue;
            }
        }
        for update in &batch.updates {
            collector.update(update);
        }
        for event in &batch.events {
            if limit.is_some_and(|limit| event.ts > limit) {
                return Ok(Drained { collector, trailer: None, damage: None });
            }
            collector.apply(event);
        }
        collector.note_undecodable(batch.undecodable);
        progress.show(&source);
        if let Polled::End { trailer, damage } = polled {
            if let Some(trailer) = &trailer {
                // Losses that no gap in the stream accounts for are known only now.
                collector.update(&Update { hooks: trailer.hooks.clone(), ..Update::default() });
            }
            return Ok(Drained { collector, trailer, damage });
        }
    }
}

/// Damage is the graver news: it ends with its own code even if events were lost as well.
pub(super) fn exit_of(damage: Option<&str>, missing: u64) -> Exit {
    match (damage, missing) {
        (Some(_), _) => Exit::Damaged,
        (None, 0) => Exit::Ok,
        (None, _) => Exit::Lost,
    }
}

/// Says on stderr why the exit code is not 0: `missing` events, `untracked` of them for want of memory.
pub(super) fn tell(damage: Option<&str>, missing: u64, untracked: u64) {
    if let Some(damage) = damage {
        crate::say!("vswap: {damage}");
    }
    if untracked > 0 {
        crate::say!(
            "vswap: {untracked} changes of slots were not followed, there was no memory for them: a larger --memory-limit \
             helps, up to 64 M slots"
        );
    }
    let missing = missing.saturating_sub(untracked);
    if missing > 0 {
        crate::say!("vswap: {missing} events were lost; the slots they may have touched are unconfirmed");
    }
}

/// A reader of our output that has seen enough (`| head`) is no failure.
pub(super) fn quiet_on_broken_pipe(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// A line on stderr while a long trace is read, gone when it is done.
pub(super) struct Progress {
    due: Instant,
    shown: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { due: Instant::now() + Duration::from_secs(1), shown: false }
    }

    pub(super) fn show(&mut self, source: &TraceSource) {
        if Instant::now() >= self.due
            && let Some(share) = source.progress()
        {
            self.show_share(share);
        }
    }

    /// The same with a share between 0 and 1.
    pub(super) fn show_share(&mut self, share: f64) {
        let now = Instant::now();
        if now < self.due || !io::stderr().is_terminal() {
            return;
        }
        self.due = now + Duration::from_millis(200);
        self.shown = true;
        // Without a terminal to write to there is nothing to be told.
        let _ = write!(io::stderr(), "\rreading {:.0} % ", share * 100.0);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_outranks_loss() {
        assert_eq!(exit_of(None, 0), Exit::Ok);
        assert_eq!(exit_of(None, 1), Exit::Lost);
        assert_eq!(exit_of(Some("cut"), 1), Exit::Damaged);
    }

    #[test]
    fn only_a_broken_pipe_is_quiet() {
        assert!(quiet_on_broken_pipe(Err(ErrorKind::BrokenPipe.into())).is_ok());
        assert!(quiet_on_broken_pipe(Err(ErrorKind::StorageFull.into())).is_err());
    }
}

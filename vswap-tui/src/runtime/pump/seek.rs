//! Going elsewhere in a recording: to an instant or to the next event of a sort, read faster than the pace, or by the key
//! frames of the file where reading takes too long.

use super::{HISTORY_NS, Pump};
use crate::check::Beside;
use crate::collector::Collector;
use crate::decode::Event;
use crate::runtime::goal::Goal;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Reading on or again is waited for this long before a key frame is used.
const PATIENCE: Duration = Duration::from_millis(300);

impl Pump {
    /// The event that was just taken in is what was looked for; then time stops at it.
    pub(super) fn reaches(&mut self, event: &Event) -> bool {
        let differences = self.differences();
        let reached = self.goal.as_mut().is_some_and(|goal| goal.reached(event, differences));
        if reached {
            self.goal = None;
            self.pause_here();
        }
        reached
    }

    /// Differences of kernel and model, and of events and slot map, so far.
    pub(super) fn differences(&self) -> u64 {
        self.collector.contradictions() + self.beside.as_ref().map_or(0, Beside::misses)
    }

    /// The way to the goal is over: at the instant asked for, or at the end.
    pub(super) fn arrive(&mut self) {
        let at = match self.goal.take() {
            Some(Goal::Time(at)) => at.max(self.ts),
            Some(_) => self.ts,
            None => return,
        };
        let wall = Instant::now();
        if let Some(pace) = &mut self.pace {
            pace.set_paused(pace.paused(), at, wall);
        }
    }

    pub(super) fn pause_here(&mut self) {
        let (at, wall) = (self.ts, Instant::now());
        if let Some(pace) = &mut self.pace {
            pace.start(at, wall);
            pace.set_paused(true, at, wall);
        }
    }

    /// Goes to an instant of event time: on by reading faster, back by reading again from the beginning, so that the
    /// model can follow. What takes too long goes by key frames, without the model ([`Pump::jump`]).
    pub(super) fn seek(&mut self, at: u64) -> anyhow::Result<()> {
        if at < self.ts && self.first_ts.is_some() {
            let Some(collector) = self.source.seek(0, HISTORY_NS, &[])? else { return Ok(()) };
            let header = Arc::new(self.source.header().clone());
            self.beside = self.beside.take().map(|b| b.restarted(&header));
            self.begin_at(collector);
        }
        self.goal = Some(Goal::Time(at));
        self.hurry = Some(Instant::now() + PATIENCE);
        Ok(())
    }

    /// To the last key frame before the goal, if there is one between here and there and reading takes too long.
    pub(super) fn jump(&mut self) -> anyhow::Result<()> {
        let Some(Goal::Time(at)) = self.goal else { return Ok(()) };
        if self.hurry.is_none_or(|due| Instant::now() < due) {
            return Ok(());
        }
        self.hurry = None;
        if self.source.landing(at)?.is_none_or(|frame| frame <= self.ts) {
            return Ok(());
        }
        let history = self.collector.snapshot().history;
        if let Some(collector) = self.source.seek(at, HISTORY_NS, &history)? {
            let why = "the model cannot follow a jump into the middle of a recording: key 0 goes back to its \
                       beginning, a slower speed stays in sequence";
            self.beside = self.beside.take().map(|_| Beside::new(why.into()));
            self.begin_at(collector);
        }
        Ok(())
    }

    /// The next event of the source follows on this state; what is watched, and how, stays.
    fn begin_at(&mut self, mut collector: Collector) {
        collector.remember(&self.collector);
        if let Some(journal) = &mut self.journal {
            journal.clear(collector.now() > 0);
            collector.look_into(journal.wanted().cluster);
        }
        self.batch.clear();
        (self.taken, self.ts, self.events) = (0, collector.now(), collector.taken());
        (self.end, self.trailer) = (None, None);
        self.first_ts = (self.events > 0).then(|| collector.started());
        self.last_frame = (Instant::now(), self.events);
        self.collector = collector;
    }
}

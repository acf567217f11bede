//! The pump: takes events from a source when they are due and feeds the collector.

mod seek;

use crate::app::frame::Vitals;
use crate::app::message::Control;
use crate::app::{End, Frame, Playback};
use crate::check::Beside;
use crate::collector::Collector;
use crate::collector::journal::Journal;
use crate::meta::{Trailer, Update};
use crate::runtime::Outcome;
use crate::runtime::goal::Goal;
use crate::runtime::pace::Pace;
use crate::runtime::vitals::OwnCpu;
use crate::source::{Batch, Polled, Source};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Length of a point of the history: fine enough for a rate, and minutes fit into the bounded history.
const HISTORY_NS: u64 = 500_000_000;
/// Events taken in before keys and frames are looked at again: well under a millisecond of work.
const CHUNK: usize = 8192;

/// What a step of the pump came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advanced {
    /// There may be more to do at once.
    Busy,
    /// Nothing is due for this long; `None` while paused.
    Wait(Option<Duration>),
    /// All events are taken in.
    Ended,
}

/// A source on its way into a collector.
pub struct Pump {
    source: Box<dyn Source>,
    collector: Collector,
    beside: Option<Beside>,
    /// The last events; only where somebody may look at them.
    journal: Option<Journal>,
    /// Where it goes faster than its pace.
    goal: Option<Goal>,
    /// When a way that takes too long is cut short by a key frame.
    hurry: Option<Instant>,
    own_cpu: OwnCpu,
    batch: Batch,
    /// Events of the batch taken in so far.
    taken: usize,
    /// `None`: events are due when the source has them.
    pace: Option<Pace>,
    /// Leave out what comes later than this after the first event, ns.
    limit: Option<u64>,
    events: u64,
    first_ts: Option<u64>,
    ts: u64,
    /// When the last event was taken in.
    heard: Instant,
    end: Option<End>,
    trailer: Option<Trailer>,
    /// Why the last wish to compare with the kernel's tables was not granted.
    refused: Option<String>,
    /// Wall time and event count of the frame before.
    last_frame: (Instant, u64),
}

impl Pump {
    /// A pump that has not moved yet. `beside` gets every event too. `limit` ends the input that long after its first event (event time, ns).
    pub fn new(
        source: Box<dyn Source>,
        beside: Option<Beside>,
        pace: Option<Pace>,
        limit: Option<Duration>,
    ) -> Self {
        let header = Arc::new(source.header().clone());
        let now = Instant::now();
        Self {
            source,
            collector: Collector::new(header, HISTORY_NS),
            beside,
            journal: None,
            goal: None,
            hurry: None,
            own_cpu: OwnCpu::default(),
            batch: Batch::default(),
            taken: 0,
            pace,
            limit: limit.map(|d| d.as_nanos().min(u128::from(u64::MAX)) as u64),
            events: 0,
            first_ts: None,
            ts: 0,
            heard: now,
            end: None,
            trailer: None,
            refused: None,
            last_frame: (now, 0),
        }
    }

    /// Keeps the last events for a log and for the history of a slot.
    #[must_use]
    pub fn with_journal(mut self) -> Self {
        self.journal = Some(Journal::default());
        self
    }

    /// Takes in what is due, at most a chunk; waits at most `wait` for a source that has nothing.
    ///
    /// # Errors
    /// Those of the source.
    pub fn advance(&mut self, wait: Duration) -> anyhow::Result<Advanced> {
        self.jump()?;
        if self.taken == self.batch.events.len() {
            if self.end.is_some() {
                self.arrive();
                return Ok(Advanced::Ended);
            }
            if self.goal.is_none() && self.pace.is_some_and(|p| p.paused()) {
                return Ok(Advanced::Wait(None));
            }
            self.refill(wait)?;
        }
        let Some(next) = self.batch.events.get(self.taken) else {
            return Ok(if self.end.is_some() { Advanced::Ended } else { Advanced::Busy });
        };
        let (wall, next) = (Instant::now(), next.ts);
        let due = match (&mut self.pace, self.goal) {
            (None, _) => u64::MAX,
            (Some(pace), Some(goal)) => {
                pace.start(next, wall);
                if let Goal::Time(at) = goal { at } else { u64::MAX }
            }
            (Some(pace), None) => {
                pace.start(next, wall);
                pace.due(wall)
            }
        };
        if next > due && self.goal.is_some() {
            self.arrive();
            return Ok(Advanced::Busy);
        }
        if next > due || (self.goal.is_none() && self.pace.is_some_and(|p| p.paused())) {
            return Ok(Advanced::Wait(self.pace.and_then(|p| p.wait(next, wall))));
        }
        let mut left = CHUNK;
        while left > 0 && self.batch.events.get(self.taken).is_some_and(|e| e.ts <= due) {
            let event = self.batch.events[self.taken];
            self.take_one();
            left -= 1;
            if self.goal.is_some() && self.reaches(&event) {
                break;
            }
        }
        self.heard = wall;
        Ok(Advanced::Busy)
    }

    /// Next batch; its news hold for all its events, because names may only come with them.
    fn refill(&mut self, wait: Duration) -> anyhow::Result<()> {
        let polled = self.source.poll(&mut self.batch, wait)?;
        self.taken = 0;
        for update in &self.batch.updates {
            self.collector.update(update);
            if let Some(beside) = &mut self.beside {
                beside.update(update);
            }
        }
        if self.batch.undecodable > 0 {
            self.collector.note_undecodable(self.batch.undecodable);
            if let Some(beside) = &mut self.beside {
                beside.note_undecodable(self.batch.undecodable);
            }
        }
        if let Polled::End { trailer, damage } = polled {
            // The last word on losses: what was counted after the last record.
            if let Some(hooks) = trailer.as_ref().map(|t| &t.hooks).filter(|h| !h.is_empty()) {
                self.collector.update(&Update { hooks: hooks.clone(), ..Update::default() });
            }
            self.end = Some(End { clean: trailer.is_some() && damage.is_none(), damage });
            self.trailer = trailer;
        }
        Ok(())
    }

    fn take_one(&mut self) {
        let Some(event) = self.batch.events.get(self.taken) else { return };
        let first = *self.first_ts.get_or_insert(event.ts);
        if self.limit.is_some_and(|limit| event.ts.saturating_sub(first) > limit) {
            // The rest is not looked at, so nothing can be said about how the input ends.
            self.batch.clear();
            self.taken = 0;
            self.end = Some(End { clean: true, damage: None });
            return;
        }
        self.collector.apply(event);
        if let Some(beside) = &mut self.beside {
            beside.apply(event);
        }
        if let Some(journal) = &mut self.journal {
            journal.push(event);
        }
        self.ts = self.ts.max(event.ts);
        self.events += 1;
        self.taken += 1;
    }

    /// Does what the dashboard asks; `Interval` and `Stop` are the thread's business.
    ///
    /// # Errors
    /// Those of the source.
    pub fn control(&mut self, control: Control) -> anyhow::Result<()> {
        if control == Control::Verify {
            self.refused = self.source.verify().err();
            return Ok(());
        }
        let wall = Instant::now();
        let at = self.now(wall);
        if let Control::Watch(watch) = control {
            self.collector.look_into(watch.cluster);
            if let Some(journal) = &mut self.journal {
                journal.watch(watch);
            }
            return Ok(());
        }
        let differences = self.differences();
        let Some(pace) = &mut self.pace else { return Ok(()) };
        // Any other order ends a search.
        self.goal = None;
        match control {
            Control::Pause(paused) => pace.set_paused(paused, at, wall),
            Control::Speed(speed) => pace.set_speed(speed, at, wall),
            Control::StepEvent => self.step(1)?,
            Control::StepBlock => self.step(usize::MAX)?,
            Control::StepTime(ns) => {
                pace.set_paused(true, at, wall);
                // Before the first event there is no time yet.
                let from = if self.first_ts.is_none() { self.peek()?.unwrap_or(at) } else { at };
                self.goal = Some(Goal::Time(from.saturating_add(ns)));
            }
            Control::Seek(to) => self.seek(to)?,
            Control::Find(landmark) => self.goal = Some(Goal::find(landmark, at, differences)),
            Control::Interval(_) | Control::Stop | Control::Verify | Control::Watch(_) => {}
        }
        Ok(())
    }

    /// Time of the next event, if there is one at hand.
    fn peek(&mut self) -> anyhow::Result<Option<u64>> {
        // A batch may bring news only; a few of those are passed over.
        for _ in 0..16 {
            if self.taken == self.batch.events.len() && self.end.is_none() {
                self.refill(Duration::ZERO)?;
            }
        }
        Ok(self.batch.events.get(self.taken).map(|e| e.ts))
    }

    /// Takes in up to `most` events of the batch (of the next one, if this one is used up) and pauses there.
    fn step(&mut self, most: usize) -> anyhow::Result<()> {
        self.peek()?;
        for _ in 0..most.min(self.batch.events.len() - self.taken) {
            self.take_one();
        }
        self.pause_here();
        Ok(())
    }

    /// The instant that has been reached, on the events' clock.
    fn now(&self, wall: Instant) -> u64 {
        if self.first_ts.is_none() {
            return 0;
        }
        if self.taken == self.batch.events.len() && self.end.is_some() {
            return self.ts;
        }
        match &self.pace {
            // Time has gone on to where the clock is, but not past the event that comes next.
            Some(_) if self.goal.is_some() => self.ts,
            Some(pace) => {
                let next = self.batch.events.get(self.taken).map_or(self.ts, |e| e.ts);
                pace.due(wall).clamp(self.ts, next.max(self.ts))
            }
            None => self.ts.saturating_add(wall.saturating_duration_since(self.heard).as_nanos() as u64),
        }
    }

    /// It is on the way to an instant or a landmark.
    pub const fn seeks(&self) -> bool {
        self.goal.is_some()
    }

    /// The state now.
    pub fn frame(&mut self) -> Frame {
        let wall = Instant::now();
        let snapshot = Arc::new(self.collector.snapshot());
        let (before, events) = std::mem::replace(&mut self.last_frame, (wall, self.events));
        let seconds = wall.saturating_duration_since(before).as_secs_f64();
        let ended = self.taken == self.batch.events.len() && self.end.is_some();
        Frame {
            now: self.now(wall).max(snapshot.ts),
            snapshot,
            events_per_s: if seconds > 0.0 {
                self.events.saturating_sub(events) as f64 / seconds
            } else {
                0.0
            },
            vitals: Vitals { own_cpu: self.own_cpu.share(wall), ring_fill: self.source.ring_fill() },
            watched: self.journal.as_mut().map(Journal::view).unwrap_or_default(),
            playback: self.pace.map(|p| Playback {
                paused: p.paused(),
                speed: p.speed(),
                seeking: self.goal.is_some(),
            }),
            beside: self.beside.as_mut().map(Beside::view),
            refused: self.refused.clone(),
            end: if ended { self.end.clone() } else { None },
        }
    }

    /// The state at the end of the run.
    pub fn finish(mut self) -> Outcome {
        let frame = self.frame();
        let beside = self.beside.as_mut().map(Beside::finish);
        Outcome { snapshot: frame.snapshot, beside, end: frame.end, trailer: self.trailer }
    }
}

#[cfg(test)]
mod seek_tests;
#[cfg(test)]
mod tests;

//! Where events come from: the ring of this host, a trace (file or stream), or the generator.
//!
//! One trait; nothing downstream can tell which one it has.

pub mod generator;
pub mod live;
mod seek;
pub mod trace;

use crate::collector::Collector;
use crate::decode::Event;
use crate::meta::{Header, Trailer, Update};
use crate::snapshot::Point;
use std::time::Duration;

/// Events and news since the last call, in order. Reused between calls so that no batch allocates.
#[derive(Default, Debug)]
pub struct Batch {
    /// Events in kernel order, gaps in sequence.
    pub events: Vec<Event>,
    /// Devices, cgroups and counters that changed.
    pub updates: Vec<Update>,
    /// Records that did not decode (newer version or damage); counted, never guessed.
    pub undecodable: u64,
}

impl Batch {
    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.events.clear();
        self.updates.clear();
        self.undecodable = 0;
    }
}

/// What a poll found.
#[derive(Clone, Debug, PartialEq)]
pub enum Polled {
    /// The batch holds something, or nothing happened within the timeout.
    More,
    /// No more will come. The trailer is `None` when the input ended without one; `damage` says where and why.
    End {
        /// Totals of a cleanly closed recording.
        trailer: Option<Trailer>,
        /// Where the input stopped being readable, in words.
        damage: Option<String>,
    },
}

/// A stream of events with a description of itself.
pub trait Source: Send {
    /// Facts about the kernel, plan, devices and cgroups at the start.
    fn header(&self) -> &Header;

    /// Fills `batch` (after clearing it) with what is there, waiting at most `timeout` for the first event.
    /// A batch is bounded: at most about 65,536 events.
    ///
    /// # Errors
    /// Only for failures that end the source; damage in a trace is `Polled::End`.
    fn poll(&mut self, batch: &mut Batch, timeout: Duration) -> anyhow::Result<Polled>;

    /// Compares the slot map with the kernel's tables now; the result comes with the events.
    ///
    /// # Errors
    /// Why that is not possible, in words.
    fn verify(&mut self) -> Result<(), String> {
        Err("only the kernel that runs has tables to compare with".to_owned())
    }

    /// Goes to the last place from which the state at `ts` can be had: a key frame all of whose events are not after
    /// `ts`, else the beginning. Returns the state there; the next poll brings the events that follow, and whoever
    /// takes them in while they are not after `ts` has the state at `ts`, the same as after all events from the
    /// beginning. Only the history (`interval_ns` a point) cannot be in a frame: it begins with `history`, which a
    /// collector that has been there gives. `None` if the source cannot go back.
    ///
    /// # Errors
    /// If reading fails.
    fn seek(&mut self, ts: u64, interval_ns: u64, history: &[Point]) -> anyhow::Result<Option<Collector>> {
        let _ = (ts, interval_ns, history);
        Ok(None)
    }

    /// Time of the key frame that [`Source::seek`] to `ts` would begin with; `None` if it would begin anew.
    ///
    /// # Errors
    /// If reading fails.
    fn landing(&mut self, ts: u64) -> anyhow::Result<Option<u64>> {
        let _ = ts;
        Ok(None)
    }

    /// Largest part of the ring between kernel and reader that was full at a poll since the last call, 0.0 to 1.0;
    /// `None` where there is no ring.
    fn ring_fill(&mut self) -> Option<f64> {
        None
    }
}

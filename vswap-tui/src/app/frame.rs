//! What the pump publishes: one instant, immutable, cheap to hand over.

use crate::check::BesideView;
use crate::cli::Speed;
use crate::snapshot::Snapshot;
use crate::snapshot::watch::Watched;
use std::sync::Arc;

/// A snapshot with what only the pump knows about it.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The state. Shared, never changed.
    pub snapshot: Arc<Snapshot>,
    /// The instant this frame shows, on the events' clock (ns). At or after `snapshot.ts`: time passes without
    /// events too, and rates must fall to zero then.
    pub now: u64,
    /// Events taken in per second of wall time.
    pub events_per_s: f64,
    /// What this program itself takes.
    pub vitals: Vitals,
    /// Events that the shown view asked for.
    pub watched: Arc<Watched>,
    /// Control of time, for sources that have it.
    pub playback: Option<Playback>,
    /// The model beside the collector, where one runs.
    pub beside: Option<Arc<BesideView>>,
    /// Why the comparison with the kernel's tables that was asked for is not possible.
    pub refused: Option<String>,
    /// Set once no more events will come.
    pub end: Option<End>,
}

/// What this program takes of the machine it watches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Vitals {
    /// Share of one CPU over about the last second, all threads.
    pub own_cpu: f64,
    /// Largest part of the kernel's ring that was full at a look since the frame before; `None` without a ring.
    pub ring_fill: Option<f64>,
}

/// Where a paced source stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Playback {
    /// Time stands still until it is resumed or stepped.
    pub paused: bool,
    /// Speed when not paused.
    pub speed: Speed,
    /// On the way to an instant or a landmark, as fast as the machine goes.
    pub seeking: bool,
}

/// How the input ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// The recording was closed properly.
    pub clean: bool,
    /// Where and why the input stopped being readable.
    pub damage: Option<String>,
}

impl End {
    /// One sentence for the status line.
    pub fn words(&self) -> String {
        match (&self.damage, self.clean) {
            (Some(why), _) => format!("input damaged: {why}"),
            (None, true) => "end of trace".into(),
            (None, false) => "end of input without a closing block: the recorder was cut off".into(),
        }
    }
}

/// When things happened in a whole recording, known before it is played: the background of the time bar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// Time of the first event, ns.
    pub start: u64,
    /// Time of the last event, ns.
    pub end: u64,
    /// Events in equal parts of the time between.
    pub density: Vec<u64>,
}

impl Timeline {
    /// Parts of the time bar; finer than any terminal is wide would be wasted.
    pub const PARTS: usize = 512;

    /// Built from blocks of (first time, last time, events); `None` without blocks.
    pub fn from_blocks(blocks: impl Iterator<Item = (u64, u64, u64)> + Clone) -> Option<Self> {
        let start = blocks.clone().map(|b| b.0).min()?;
        let end = blocks.clone().map(|b| b.1).max()?;
        let mut density = vec![0u64; Self::PARTS];
        let span = (end.saturating_sub(start)).max(1) as u128;
        let part = |ts: u64| {
            let p = u128::from(ts.saturating_sub(start)) * Self::PARTS as u128 / span;
            (p as usize).min(Self::PARTS - 1)
        };
        for (first, last, events) in blocks {
            // A block's events are taken as evenly spread over its time; the remainder goes to its first part.
            let (a, b) = (part(first), part(last.max(first)));
            let parts = (b - a + 1) as u64;
            for slot in &mut density[a..=b] {
                *slot += events / parts;
            }
            density[a] += events % parts;
        }
        Some(Self { start, end, density })
    }

    /// Position of an instant, 0.0 to 1.0.
    pub fn position(&self, now: u64) -> f64 {
        let span = self.end.saturating_sub(self.start);
        if span == 0 {
            return 1.0;
        }
        now.clamp(self.start, self.end).saturating_sub(self.start) as f64 / span as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn density_keeps_every_event() {
        let blocks = [(1000, 2000, 10), (2000, 5000, 65_537), (9000, 9000, 3)];
        let t = Timeline::from_blocks(blocks.iter().copied()).unwrap();
        assert_eq!(t.density.iter().sum::<u64>(), 65_550);
        assert_eq!((t.start, t.end), (1000, 9000));
        assert_eq!(t.density[Timeline::PARTS - 1], 3);
        assert!((t.position(5000) - 0.5).abs() < 1e-9);
        assert_eq!(Timeline::from_blocks(std::iter::empty()), None);
    }

    #[test]
    fn times_out_of_order_and_one_instant_do_not_panic() {
        let t = Timeline::from_blocks([(9, 3, 5), (9, 9, 1)].into_iter()).unwrap();
        assert_eq!(t.density.iter().sum::<u64>(), 6);
        let t = Timeline::from_blocks(std::iter::once((7, 7, 2))).unwrap();
        assert!((t.position(7) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn damage_is_named() {
        let end = End { clean: false, damage: Some("checksum at byte 96".into()) };
        assert!(end.words().contains("checksum at byte 96"));
        assert!(End::default().words().contains("cut off"));
    }
}

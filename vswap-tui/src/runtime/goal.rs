//! Where a replay is going when it goes faster than its pace: an instant, or the next event of a sort.

use crate::app::message::Landmark;
use crate::decode::Event;
use vswap_common::Kind;

/// Pages zswap writes back within [`BURST_NS`] that make a burst.
const BURST_PAGES: u64 = 32;
/// Writebacks further apart than this are not one burst.
const BURST_NS: u64 = 10_000_000;

/// What ends the way.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// The last event before this instant.
    Time(u64),
    /// This many differences of model and kernel, contradicted slots included.
    Differences(u64),
    /// The first event after a loss.
    Loss,
    /// Writeback in mass.
    Writeback(Burst),
}

/// Writebacks close together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Burst {
    /// Time of the last one.
    last: u64,
    pages: u64,
}

impl Goal {
    /// The next landmark after `now`; `differences` is how many there were so far.
    pub(super) const fn find(landmark: Landmark, now: u64, differences: u64) -> Self {
        match landmark {
            Landmark::Loss => Self::Loss,
            Landmark::Divergence => Self::Differences(differences),
            // What goes on now is not the next one: as if it were counted already.
            Landmark::Writeback => Self::Writeback(Burst { last: now, pages: BURST_PAGES }),
        }
    }

    /// Looks at an event that was taken in; true if it is the one.
    pub(super) fn reached(&mut self, e: &Event, differences: u64) -> bool {
        match self {
            // Whether the next event is too late is seen before it is taken in.
            Self::Time(_) => false,
            Self::Differences(before) => differences > *before,
            Self::Loss => e.kind == Kind::Gap,
            Self::Writeback(burst) => burst.look(e),
        }
    }
}

impl Burst {
    fn look(&mut self, e: &Event) -> bool {
        if e.kind != Kind::Write || !e.writeback() {
            return false;
        }
        if e.ts.saturating_sub(self.last) > BURST_NS {
            self.pages = 0;
        }
        self.last = e.ts;
        let before = self.pages;
        self.pages += u64::from(e.nr);
        before < BURST_PAGES && self.pages >= BURST_PAGES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vswap_common::{Entry, Record, flags};

    fn event(kind: Kind, ts: u64) -> Event {
        let flags = if kind == Kind::Write { flags::WRITEBACK } else { 0 };
        let entry = Entry::new(0, 8).0;
        crate::decode::decode(&Record { ts, kind: kind as u8, entry, nr: 1, flags, ..Record::default() })
            .unwrap()
    }

    #[test]
    fn a_burst_is_found_once_at_its_32nd_page() {
        let mut goal = Goal::find(Landmark::Writeback, 0, 0);
        let found: Vec<u64> =
            (0..100).map(|i| i * 1000).filter(|ts| goal.reached(&event(Kind::Write, *ts), 0)).collect();
        assert!(found.is_empty(), "the running burst is not the next one");
        let later = |i: u64| 1_000_000_000 + i * 1000;
        let found: Vec<u64> = (0..100).filter(|i| goal.reached(&event(Kind::Write, later(*i)), 0)).collect();
        assert_eq!(found, [31]);
        let sparse = (1..100).any(|i| goal.reached(&event(Kind::Write, later(i * 100_000)), 0));
        assert!(!sparse);
    }

    #[test]
    fn losses_and_differences() {
        let mut loss = Goal::find(Landmark::Loss, 0, 0);
        assert!(!loss.reached(&event(Kind::Alloc, 1), 0) && loss.reached(&event(Kind::Gap, 1), 0));
        let mut other = Goal::find(Landmark::Divergence, 0, 3);
        assert!(!other.reached(&event(Kind::Alloc, 1), 3) && other.reached(&event(Kind::Alloc, 1), 4));
    }
}

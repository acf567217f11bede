//! What the kernel should never do: events that contradict the state which events before them left.
//!
//! The history of a trace is held against the state machine of a slot, whatever the allocator's choices. Only
//! confirmed state counts: after a loss, or for slots in use before recording began, nothing is concluded.

use crate::decode::Event;
use crate::snapshot::{Fault, Finding, Findings};
use std::sync::Arc;

/// Findings described one by one for each class; the rest are counted.
const DESCRIBED: usize = 4;

/// The faults one event shows, a bit per class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Clash(u16);

impl Clash {
    /// Notes a fault if `when` holds.
    #[inline]
    pub(super) fn raise(&mut self, fault: Fault, when: bool) {
        self.0 |= u16::from(when) << fault as u16;
    }

    /// Nothing was noted.
    #[inline]
    pub(super) const fn none(self) -> bool {
        self.0 == 0
    }

    const fn has(self, fault: Fault) -> bool {
        self.0 >> fault as u16 & 1 == 1
    }
}

/// All findings so far.
#[derive(Default)]
pub(super) struct Found {
    counts: [u64; Fault::ALL.len()],
    first: Arc<Vec<Finding>>,
}

impl Found {
    /// Notes the faults that `event` showed.
    #[cold]
    pub(super) fn note(&mut self, event: &Event, clash: Clash) {
        for fault in Fault::ALL.into_iter().filter(|&fault| clash.has(fault)) {
            let count = &mut self.counts[fault as usize];
            *count += 1;
            if *count <= DESCRIBED as u64 {
                Arc::make_mut(&mut self.first).push(Finding {
                    fault,
                    ts: event.ts,
                    event: event.kind.name(),
                    dev: event.entry.dev(),
                    off: event.entry.off(),
                    nr: event.nr,
                    cpu: event.cpu,
                    tid: event.tid,
                });
            }
        }
    }

    /// The first few of each class.
    pub(super) fn first(&self) -> &[Finding] {
        &self.first
    }

    /// Sets the counts; classes not in `counts` keep theirs.
    pub(super) fn set_counts(&mut self, counts: &[u64]) {
        for (count, n) in self.counts.iter_mut().zip(counts) {
            *count = *n;
        }
    }

    /// The findings as views and reports see them.
    pub(super) fn view(&self) -> Findings {
        Findings { counts: self.counts, first: Arc::clone(&self.first) }
    }
}

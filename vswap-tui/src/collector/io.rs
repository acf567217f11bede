//! Reads and writes of slots: pages of zeroes, and what goes to a device and comes from there.

use super::Collector;
use super::apply::held;
use crate::decode::Event;
use crate::snapshot::why::Outcome;
use crate::snapshot::{Backend, Fault, LatencyKind};
use vswap_common::Entry;

impl Collector {
    /// Swap-in filled with zeroes; the zero flag stays. Teaches something only about a slot of unknown place.
    pub(super) fn load_zero(&mut self, e: &Event) {
        self.totals.swpin_zero += u64::from(e.nr);
        self.timed(LatencyKind::LoadZero, e.arg, e);
        if self.recent_frees.freed_since(e.ts.saturating_sub(e.arg), e.entry, e.nr) {
            return;
        }
        self.rewrite(e, |old, _| {
            let unknown = old.used() && old.backend() == Backend::None;
            if unknown { old.with_backend(Backend::Zero).with_placed(true) } else { old }
        });
    }

    /// zswap has no such entry and the words are not zero: the data is on the device. The folio is locked.
    pub(super) fn load_phys(&mut self, e: &Event) {
        if self.counts_submitted_reads {
            self.totals.pswpin += u64::from(e.nr);
        }
        self.refaults(e);
        let followed = self.reads.begin(e.entry, e.ts.saturating_sub(e.arg));
        self.losses.overflow += u64::from(!followed);
        self.rewrite(e, |old, clash| {
            let word = held(old, e, clash);
            clash.raise(Fault::LostBacking, word.confirmed() && word.backend() != Backend::Phys);
            word.with_backend(Backend::Phys).with_placed(true)
        });
    }

    /// `__swap_writepage`, folio locked.
    pub(super) fn write(&mut self, e: &Event) {
        let pages = u64::from(e.nr);
        self.totals.pswpout += pages;
        let cause = if e.writeback() {
            self.totals.zswpwb += pages;
            Some(self.causes.writeback(e))
        } else {
            self.causes.writeout(e, Outcome::Phys);
            None
        };
        let followed = self.writes.begin(e.entry, e.ts);
        self.losses.overflow += u64::from(!followed);
        if e.arg != 0 {
            self.touch_backing(Entry(e.arg), e.nr);
            self.back(e, e.entry, Entry(e.arg));
        }
        let mut owner = 0;
        self.rewrite(e, |old, clash| {
            let word = held(old, e, clash);
            owner = word.memcg();
            // zswap may write back an entry that a later zero writeout left behind; reads still see the zero flag.
            if e.writeback() && word.backend() == Backend::Zero {
                return word;
            }
            word.with_backend(Backend::Phys).with_placed(true)
        });
        if let Some(cause) = cause {
            self.map.sums.memcgs.row_mut(owner).writebacks[cause as usize] += pages;
        }
    }

    /// Write completed (interrupt). PG_writeback kept the slot until now.
    pub(super) fn write_end(&mut self, e: &Event) {
        let took = self.writes.end(e.entry, e.ts);
        if !e.failed() {
            if let Some(ns) = took {
                self.timed(LatencyKind::WritePhys, ns, e);
            }
            return;
        }
        self.totals.io_error += u64::from(e.nr);
        self.rewrite(e, |old, _| match old.backend() {
            Backend::Phys if old.cached() => old.with_backend(Backend::Folio),
            Backend::Phys => old.with_backend(Backend::None).with_placed(false),
            _ => old,
        });
    }

    /// Read completed (interrupt); since 7.3 `pswpin` is counted here.
    pub(super) fn read_end(&mut self, e: &Event) {
        let took = self.reads.end(e.entry, e.ts);
        if e.failed() {
            self.totals.io_error += u64::from(e.nr);
            return;
        }
        if !self.counts_submitted_reads {
            self.totals.pswpin += u64::from(e.nr);
        }
        if let Some(ns) = took {
            self.timed(LatencyKind::LoadPhys, ns, e);
        }
    }
}

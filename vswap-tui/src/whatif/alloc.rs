//! Slots: asked for, granted, split, refused, and whose they are.

use super::{Place, WhatIf};
use crate::decode::Event;
use crate::recorded::{self, MAX_THREADS};
use vswap_common::Entry;

/// A thread that split a folio asks for slots for the parts at once; after this time it is at something else, ns.
const GRANT_NS: u64 = 10_000_000;

/// What is remembered of a thread between its events.
#[derive(Default)]
pub(super) struct Thread {
    /// Its charge was refused: the failure that follows is not one of the search.
    charge_refused: bool,
    /// Slots for a large folio that the record could not place and split: its parts come one by one.
    granted: Option<(Entry, u64)>,
    /// When it was granted or last served.
    since: u64,
}

#[cfg(test)]
impl Thread {
    pub(super) const fn granted(&self) -> Option<(Entry, u64)> {
        self.granted
    }
}

impl WhatIf {
    pub(super) fn alloc(&mut self, e: &Event) {
        // The trace says free slots are taken: whatever was there is gone.
        self.each_run(e, |this, at, nr, _| this.target.free(at, nr));
        let nr = u64::from(e.nr);
        (0..nr).for_each(|i| self.forget(e.entry.add(i)));
        let order = if nr.is_power_of_two() { nr.trailing_zeros() as u8 } else { 0 };
        if order > 0 {
            self.end_grant(e.tid);
            if let Some(at) = self.slots(e.cpu, order, e.entry) {
                (0..nr).for_each(|i| self.places.set(e.entry.add(i), Place::Slot(at.add(i))));
                return;
            }
            self.fall_back(order);
        }
        for recorded in (0..nr).map(|i| e.entry.add(i)) {
            match self.granted(e.tid, e.ts) {
                Some(at) => self.places.set(recorded, Place::Slot(at)),
                None => self.give_slot(e.cpu, recorded, 0),
            }
        }
    }

    fn fall_back(&mut self, order: u8) {
        if let Some(n) = self.tallies.fallbacks.get_mut(usize::from(order)) {
            *n += 1;
        }
    }

    /// Slots for a folio of `order` that the record has at `recorded`.
    fn slots(&mut self, cpu: u16, order: u8, recorded: Entry) -> Option<Entry> {
        if self.design.forced {
            let at = self.target.same_slot(recorded)?;
            return self.target.force(cpu, order, at);
        }
        self.target.alloc(cpu, order)
    }

    /// A slot for one page, or it stays in memory.
    pub(super) fn give_slot(&mut self, cpu: u16, recorded: Entry, owner: u16) {
        match self.slots(cpu, 0, recorded) {
            Some(at) => {
                if owner != 0 {
                    self.target.own(at, 1, owner);
                }
                self.places.set(recorded, Place::Slot(at));
            }
            None => {
                self.tallies.fallbacks[0] += 1;
                self.tallies.kept += 1;
                self.places.set(recorded, Place::Kept);
            }
        }
    }

    /// The next slot of a large folio that only the design could place.
    fn granted(&mut self, tid: u32, now: u64) -> Option<Entry> {
        // No thread waits for its parts but in rare moments.
        if self.threads.is_empty() {
            return None;
        }
        let thread = self.threads.get_mut(&tid)?;
        let (at, left) = thread.granted?;
        thread.since = now;
        thread.granted = (left > 1).then(|| (at.add(1), left - 1));
        if thread.granted.is_none() && !thread.charge_refused {
            self.threads.remove(&tid);
        }
        Some(at)
    }

    /// The thread is done with the folio: parts that needed no slot give theirs back.
    pub(super) fn end_grant(&mut self, tid: u32) {
        if self.threads.is_empty() {
            return;
        }
        let Some(thread) = self.threads.get_mut(&tid) else { return };
        let granted = thread.granted.take();
        if !thread.charge_refused {
            self.threads.remove(&tid);
        }
        self.give_back(granted);
    }

    fn give_back(&mut self, granted: Option<(Entry, u64)>) {
        if let Some((at, left)) = granted {
            self.target.free(at, left);
            self.tallies.returned += left;
        }
    }

    /// Ends the grants of threads that went on without a sign.
    #[inline]
    pub(super) fn end_old_grants(&mut self, now: u64) {
        if self.threads.is_empty() || now < self.sweep {
            return;
        }
        self.sweep = now.saturating_add(GRANT_NS);
        let old = |t: &Thread| t.granted.is_some() && t.since.saturating_add(GRANT_NS) <= now;
        let mut old: Vec<u32> = self.threads.iter().filter(|(_, t)| old(t)).map(|(tid, _)| *tid).collect();
        // The order of frees decides about lists; that of a hash map must not.
        old.sort_unstable();
        old.into_iter().for_each(|tid| self.end_grant(tid));
    }

    /// No thread goes on with what it was at.
    pub(super) fn forget_threads(&mut self) {
        let mut threads: Vec<_> = std::mem::take(&mut self.threads).into_iter().collect();
        threads.sort_unstable_by_key(|(tid, _)| *tid);
        threads.into_iter().for_each(|(_, thread)| self.give_back(thread.granted));
    }

    fn thread(&mut self, tid: u32) -> &mut Thread {
        if self.threads.len() >= MAX_THREADS {
            self.forget_threads();
        }
        self.threads.entry(tid).or_default()
    }

    pub(super) fn charge(&mut self, e: &Event) {
        if e.val < 0 {
            self.tallies.refused_charges += 1;
            self.thread(e.tid).charge_refused = true;
        } else if e.has_memcg() {
            self.each_run(e, |this, at, nr, _| this.target.own(at, nr, e.memcg));
        }
    }

    pub(super) fn alloc_failed(&mut self, e: &Event) {
        if let Some(thread) = self.threads.get_mut(&e.tid)
            && std::mem::take(&mut thread.charge_refused)
        {
            if thread.granted.is_none() {
                self.threads.remove(&e.tid);
            }
            return;
        }
        if recorded::not_looked(e) {
            return;
        }
        let order = e.order;
        if order > 0 {
            self.end_grant(e.tid);
        }
        let served = if self.design.forced { None } else { self.target.alloc(e.cpu, order) };
        match served {
            None => {
                self.fall_back(order);
                self.tallies.kept += u64::from(order == 0);
            }
            // The page stays in memory as recorded; nobody told where it would have gone.
            Some(at) if order == 0 => {
                self.target.free(at, 1);
                self.tallies.untold += 1;
            }
            Some(at) => {
                self.target.split(at);
                let thread = self.thread(e.tid);
                (thread.granted, thread.since) = (Some((at, 1 << order)), e.ts);
            }
        }
    }
}

//! What each kind of event asks of the design.

use super::{Place, WhatIf};
use crate::decode::Event;
use crate::model::Backing;
use crate::model::device::DEFAULT_PRIORITY;
use crate::recorded;
use vswap_common::{Entry, Kind, flags};

impl WhatIf {
    /// Takes in one event.
    pub fn apply(&mut self, e: &Event) {
        self.end_old_grants(e.ts);
        match e.kind {
            // They change neither place nor owner.
            Kind::AllocBegin
            | Kind::Reserve
            | Kind::Return
            | Kind::Shrink
            | Kind::Isolate
            | Kind::ClusterMove
            | Kind::WriteEnd
            | Kind::ReadEnd
            | Kind::LoadFail
            | Kind::ScanBegin
            | Kind::ScanCluster
            | Kind::ScanOwner
            | Kind::ScanEnd
            | Kind::Back
            | Kind::Unback
            | Kind::Release
            | Kind::ScanBacked
            | Kind::ScanCandidate
            | Kind::SwapOffBegin
            // An image is no page of anybody: every design has to find the same slots for it.
            | Kind::Hibernate => {
                return;
            }
            Kind::Gap => {
                self.tallies.gaps += 1;
                self.forget_threads();
            }
            Kind::ScanDevice => self.found_device(e),
            Kind::ScanSlots => self.found_slots(e),
            Kind::SwapOn => self.swap_on(e),
            Kind::SwapOff => self.swap_off(e.entry.dev()),
            Kind::AllocFail => self.alloc_failed(e),
            _ if !self.places.knows(e.entry, e.nr.into()) => {
                self.tallies.strange += 1;
                return;
            }
            Kind::Alloc => self.alloc(e),
            Kind::Charge => self.charge(e),
            Kind::CacheAdd => self.cache_add(e),
            Kind::CacheDel => self.cache_del(e),
            Kind::Free => self.free(e),
            Kind::Dup => self.each_run(e, |this, at, nr, _| this.target.dup(at, nr)),
            Kind::Put => self.each_run(e, |this, at, nr, _| this.target.put(at, nr)),
            Kind::Zero
            | Kind::WriteoutReject
            | Kind::ZswapStore
            | Kind::ZswapReject
            | Kind::ZswapPage
            | Kind::ZswapFree
            | Kind::LoadZswap
            | Kind::LoadZero
            | Kind::LoadPhys
            | Kind::Write => self.data(e),
        }
        self.target.end_of_event();
    }

    /// Calls `then` for each run of the event's slots that lies in one run of the design: slot of the design, slots,
    /// recorded slot. Slots without a place are passed by.
    pub(super) fn each_run(&mut self, e: &Event, mut then: impl FnMut(&mut Self, Entry, u64, Entry)) {
        let (mut i, all, slots) = (0, u64::from(e.nr), self.target.cluster_slots());
        while i < all {
            let from = e.entry.add(i);
            let (place, nr) = self.places.run(from, all - i, slots);
            if let Place::Slot(at) = place {
                then(self, at, nr, from);
            }
            i += nr.max(1);
        }
    }

    /// The trace does not tell every slot's history.
    pub(super) const fn incomplete(&self) -> bool {
        !self.from_swapon || self.tallies.gaps > 0
    }

    fn swap_on(&mut self, e: &Event) {
        let dev = e.entry.dev();
        self.swap_off(dev);
        let priority = self.priorities.get(usize::from(dev)).copied().flatten().unwrap_or(DEFAULT_PRIORITY);
        // Which pages are bad is not in the trace, how many is: none of them is ever asked for.
        self.add_device(dev, &recorded::device(e, priority));
    }

    /// What the record left on the device is back in memory, and so is what the design has on its own.
    pub(super) fn swap_off(&mut self, dev: u8) {
        self.forget_threads();
        for (recorded, place) in self.places.all(Some(dev)) {
            if let Place::Slot(at) = place {
                self.target.free(at, 1);
            }
            self.forget(recorded);
        }
        self.target.swapoff(dev);
        self.places.add_device(dev, 0);
        self.forget_size(dev);
        self.target.mix = super::Mix::default();
        for (recorded, place) in self.places.all(None) {
            let Place::Slot(at) = place else { continue };
            match self.target.model.backing(at) {
                Some(backing) => {
                    *self.target.mix.of(backing) += 1;
                    if !matches!(backing, Backing::Zswap(_)) {
                        self.pool.drop(&mut self.places, recorded);
                    }
                }
                None => {
                    self.pool.drop(&mut self.places, recorded);
                    self.places.set(recorded, Place::Kept);
                }
            }
        }
    }

    /// The recorded slot is free.
    pub(super) fn forget(&mut self, recorded: Entry) {
        self.pool.drop(&mut self.places, recorded);
        self.places.set(recorded, Place::Nowhere);
    }

    fn free(&mut self, e: &Event) {
        self.recent_frees.push(e.ts, e.entry, e.nr);
        self.each_run(e, |this, at, nr, _| this.target.free(at, nr));
        (0..u64::from(e.nr)).for_each(|i| self.forget(e.entry.add(i)));
    }

    fn cache_add(&mut self, e: &Event) {
        // A thread that swaps in is no longer paging out parts of a folio.
        self.end_grant(e.tid);
        self.adopt(e);
        let order = e.order;
        self.each_run(e, |this, at, nr, from| {
            if nr == 1 << order && this.target.cache_add(at, order).is_ok() {
                return;
            }
            for i in 0..nr {
                let slot = at.add(i);
                // Cached already: it had to stay in memory, or the design has the pages of one folio apart.
                let expected = this.places.stays(from.add(i)) || this.target.model.word(slot).is_cached();
                if this.target.cache_add(slot, 0).is_err() && !expected {
                    this.target.faults += 1;
                }
            }
        });
    }

    fn cache_del(&mut self, e: &Event) {
        self.adopt(e);
        let by_reclaim = e.flags & flags::SWAPOUT != 0;
        self.each_run(e, |this, at, nr, from| {
            let mut i = 0;
            while i < nr {
                let (slot, recorded) = (at.add(i), from.add(i));
                let same = |k: u64| {
                    this.homeless(at.add(k)) == this.homeless(slot)
                        && this.places.stays(from.add(k)) == this.places.stays(recorded)
                };
                let run = (i..nr).take_while(|&k| same(k)).count() as u64;
                i += run;
                if by_reclaim && this.homeless(slot) {
                    if !this.places.stays(recorded) {
                        this.find_home(e, slot, run, recorded);
                    }
                    if this.places.stays(recorded) {
                        this.tallies.kept += run;
                        continue;
                    }
                }
                this.target.cache_del(slot, run);
            }
        });
    }

    /// The only copy of the page is the folio.
    fn homeless(&self, at: Entry) -> bool {
        matches!(self.target.model.backing(at), Some(Backing::None | Backing::Folio))
    }

    /// Slots the record uses and has not told of: in use since before the trace or a gap.
    fn adopt(&mut self, e: &Event) {
        if !self.incomplete() {
            return;
        }
        for recorded in (0..u64::from(e.nr)).map(|i| e.entry.add(i)) {
            if self.places.get(recorded) == Place::Nowhere {
                self.tallies.adopted += 1;
                let owner = if e.has_memcg() { e.memcg } else { 0 };
                self.give_slot(e.cpu, recorded, owner);
            }
        }
    }

    /// Adopts what `e` shows to be in use, for kinds that are recorded while the folio is locked.
    pub(super) fn adopt_locked(&mut self, e: &Event) {
        self.adopt(e);
    }
}

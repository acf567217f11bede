//! The replayed design: the model, what it is asked to do, and what is counted meanwhile.

use super::design::Design;
use super::peak::{Mix, Peak};
use super::room::Rooms;
use crate::model::backend::{Writeout, Written};
use crate::model::cache::Removal;
use crate::model::{Backing, Config, DeviceSpec, Fault, Folio, FolioFacts, Model, Oracle};
use vswap_common::Entry;
use vswap_common::slot::{MAX_DEVICES, ORDERS};

/// Nothing is reclaimed but what the record reclaimed.
struct Still;

impl Oracle for Still {
    fn folio(&mut self, _head: Entry, _order: u8) -> FolioFacts {
        FolioFacts::LOCKED
    }
}

/// The model under a design.
pub(super) struct Target {
    pub(super) model: Model,
    pub(super) peak: Peak,
    pub(super) rooms: Rooms,
    /// Slots in use by place.
    pub(super) mix: Mix,
    /// Requests that did not fit the state.
    pub(super) faults: u64,
    /// Device of the design for each recorded one.
    devices: [Option<u8>; MAX_DEVICES],
    /// Some device discards what it frees.
    discards: bool,
    /// The one device that takes the place of all.
    phys_pages: Option<u64>,
    next_pfn: u64,
}

impl Target {
    pub(super) fn new(design: &Design, recorded: Config) -> Self {
        let thp_swap = design.settings.thp_swap.unwrap_or(recorded.thp_swap);
        let mut target = Self {
            model: Model::new(Config { policy: design.policy, thp_swap, ..recorded }),
            peak: Peak::default(),
            rooms: Rooms::default(),
            mix: Mix::default(),
            faults: 0,
            devices: [None; MAX_DEVICES],
            discards: false,
            phys_pages: design.settings.phys_pages,
            next_pfn: 0,
        };
        target.peak.measure(&target.model);
        target
    }

    /// Slots in a cluster.
    pub(super) const fn cluster_slots(&self) -> u64 {
        1 << self.model.config().shift()
    }

    /// A recorded device comes; with `phys-pages` only the first brings one.
    pub(super) fn swapon(&mut self, dev: u8, spec: &DeviceSpec) {
        let Some(place) = usize::from(dev).checked_rem(MAX_DEVICES) else { return };
        let spec = match self.phys_pages {
            Some(0) => return,
            Some(pages) => {
                if let Some(only) = self.devices.iter().flatten().next() {
                    self.devices[place] = Some(*only);
                    return;
                }
                DeviceSpec { last_page: pages, bad_pages: Vec::new(), ..spec.clone() }
            }
            None => spec.clone(),
        };
        match self.model.swapon(&spec) {
            Ok(d) => {
                self.devices[place] = Some(d);
                self.discards |= spec.page_discard;
                let clusters = self.model.device(d).map_or(0, |device| device.clusters.len());
                self.rooms.set_device(d, clusters);
            }
            Err(_) => self.faults += 1,
        }
    }

    /// The priority of a recorded device became known; one that takes the place of all has none to heed.
    pub(super) fn set_priority(&mut self, dev: u8, priority: i32) {
        if let (Some(d), None) = (self.devices.get(usize::from(dev)).copied().flatten(), self.phys_pages) {
            self.model.set_priority(d, priority);
        }
    }

    /// A recorded device goes. Slots of the design that were on it are free, or back in memory; the caller recounts.
    pub(super) fn swapoff(&mut self, dev: u8) {
        let Some(d) = self.devices.get_mut(usize::from(dev)).and_then(Option::take) else { return };
        if self.devices.contains(&Some(d)) {
            return;
        }
        self.settle();
        let ids: Vec<u16> = self.model.charges().iter().map(|(id, _)| id).collect();
        ids.into_iter().for_each(|id| self.peak.charges(id));
        match self.model.swapoff(d) {
            Ok(()) => self.rooms.set_device(d, 0),
            Err(_) => {
                let clusters = self.model.device(d).map_or(0, |device| device.clusters.len());
                self.rooms.set_device(d, clusters);
                self.faults += 1;
            }
        }
    }

    /// The recorded slot on the design's device of the same place.
    pub(super) fn same_slot(&self, at: Entry) -> Option<Entry> {
        let d = self.devices.get(usize::from(at.dev())).copied().flatten()?;
        Some(Entry::new(d, at.off()))
    }

    fn folio(&mut self, order: u8) -> Folio {
        self.next_pfn += 512;
        Folio { pfn: self.next_pfn, order, memcg: 0 }
    }

    /// Slots for a folio of `order`. Its owner is told later.
    pub(super) fn alloc(&mut self, cpu: u16, order: u8) -> Option<Entry> {
        let folio = self.folio(order);
        let at = self.model.alloc_folio(cpu.into(), folio, &mut Still).slot?;
        self.entered(at, 1 << order);
        Some(at)
    }

    /// These slots for a folio of `order`.
    pub(super) fn force(&mut self, cpu: u16, order: u8, at: Entry) -> Option<Entry> {
        let nr = 1 << order;
        self.free(at, nr);
        let folio = self.folio(order);
        if self.model.force_alloc(cpu.into(), folio, at).is_err() {
            self.faults += 1;
            return None;
        }
        self.entered(at, nr);
        Some(at)
    }

    fn entered(&mut self, at: Entry, nr: u64) {
        self.mix.folio += nr;
        self.physical_changed(at);
    }

    /// Slots of a cluster of a physical device change hands.
    fn physical_changed(&mut self, at: Entry) {
        self.rooms.changed(at, self.model.config().shift());
    }

    /// The owner of slots is decided.
    pub(super) fn own(&mut self, at: Entry, nr: u64, memcg: u16) {
        self.peak.charges(self.model.memcg(at));
        if self.model.own(at, nr, memcg).is_err() {
            self.faults += 1;
        }
        self.peak.charges(self.model.memcg(at));
    }

    /// Frees those slots of a run that are in use.
    pub(super) fn free(&mut self, at: Entry, nr: u64) {
        let mut i = 0;
        while i < nr {
            let used = (i..nr).take_while(|&k| self.model.word(at.add(k)).is_used()).count() as u64;
            if used > 0 {
                let from = at.add(i);
                self.settle();
                self.leave(from, used);
                self.physical_changed(from);
                if self.model.free_slots(from, used).is_err() {
                    self.faults += 1;
                }
            }
            i += used.max(1);
        }
    }

    /// Takes the details of the peak if use stands at it.
    pub(super) fn settle(&mut self) {
        self.peak.settle(&self.model, self.mix, &mut self.rooms);
    }

    /// The data of a run is about to leave its place.
    fn leave(&mut self, at: Entry, nr: u64) {
        let virt = self.is_virtual(at);
        for slot in (0..nr).map(|i| at.add(i)) {
            let Some(backing) = self.model.backing(slot) else { continue };
            *self.mix.of(backing) -= 1;
            match backing {
                Backing::Phys(phys) if virt => {
                    self.physical_changed(phys);
                    self.peak.charges(self.model.memcg(slot));
                }
                _ if virt => {}
                _ => self.peak.charges(self.model.memcg(slot)),
            }
        }
    }

    /// The data of a run is in its place.
    fn arrive(&mut self, at: Entry, nr: u64) {
        let virt = self.is_virtual(at);
        for slot in (0..nr).map(|i| at.add(i)) {
            let Some(backing) = self.model.backing(slot) else { continue };
            *self.mix.of(backing) += 1;
            if let (Backing::Phys(phys), true) = (backing, virt) {
                self.physical_changed(phys);
                self.peak.charges(self.model.memcg(slot));
            }
        }
    }

    fn is_virtual(&self, at: Entry) -> bool {
        self.model.device(at.dev()).is_some_and(|device| device.virt)
    }

    /// Moves the data of a run.
    fn move_data<R>(
        &mut self,
        at: Entry,
        nr: u64,
        how: impl FnOnce(&mut Model) -> Result<R, Fault>,
    ) -> Option<R> {
        if self.is_virtual(at) && (0..nr).any(|i| self.model.vword(at.add(i)).phys().is_some()) {
            self.settle();
        }
        self.leave(at, nr);
        let result = how(&mut self.model);
        self.arrive(at, nr);
        self.faults += u64::from(result.is_err());
        result.ok()
    }

    /// Writes the folios cached in a run out, each for itself. Returns those that have to stay in memory, by order.
    pub(super) fn write_out(&mut self, cpu: u16, at: Entry, nr: u64, how: Writeout) -> [u64; ORDERS] {
        self.hold(at, nr);
        let (mut i, mut stay) = (0, [0; ORDERS]);
        while i < nr {
            let from = at.add(i);
            if !self.model.word(from).is_cached() && self.cache_add(from, 0).is_err() {
                self.faults += 1;
            }
            let size = self.whole(from, nr - i);
            let how = Writeout { stored: how.stored.min(size), ..how };
            let written =
                self.move_data(from, size, |model| model.writeout(cpu.into(), from, how, &mut Still));
            let stays = matches!(written, None | Some(Written::Reactivated | Written::Mismatch(_)));
            // A folio has at most 512 pages here: it lies in one cluster.
            stay[size.trailing_zeros() as usize] += u64::from(stays);
            i += size;
        }
        stay
    }

    /// Moves the slot's page from zswap to a device. False if there is no room, or it is not in zswap.
    pub(super) fn zswap_writeback(&mut self, cpu: u16, at: Entry) -> bool {
        if !matches!(self.model.backing(at), Some(Backing::Zswap(_))) {
            return false;
        }
        // The record has the slot cached by now, the model caches it itself.
        self.hold(at, 1);
        let cached = self.model.word(at).is_cached();
        self.whole(at, 1);
        if cached && self.model.cache_del(at, 0, Removal::Dropped).is_err() {
            self.faults += 1;
        }
        self.next_pfn += 512;
        let pfn = self.next_pfn;
        let written =
            self.move_data(at, 1, |model| model.zswap_writeback(cpu.into(), at, pfn, true, &mut Still));
        let done = matches!(written, Some(Written::Device(_)));
        if done != cached
            && self.model.word(at).is_cached()
            && self.model.cache_del(at, 0, Removal::Dropped).is_err()
        {
            self.faults += 1;
        }
        done
    }

    /// The folios cached in a run are read in: zswap gives up its entries.
    pub(super) fn swap_in(&mut self, at: Entry, nr: u64) {
        let mut i = 0;
        while i < nr {
            let from = at.add(i);
            let size = self.whole(from, nr - i);
            if matches!(self.model.backing(from), Some(Backing::Zswap(_)))
                && self.model.word(from).is_cached()
            {
                self.move_data(from, size, |model| model.swapin(from));
            }
            i += size;
        }
    }

    /// A folio of `order` enters the cache.
    pub(super) fn cache_add(&mut self, at: Entry, order: u8) -> Result<(), Fault> {
        self.next_pfn += 512;
        self.model.cache_add(at, order, self.next_pfn)
    }

    /// The folios cached in a run leave the cache; slots are freed by [`Target::free`] alone.
    pub(super) fn cache_del(&mut self, at: Entry, nr: u64) {
        self.hold(at, nr);
        let mut i = 0;
        while i < nr {
            let from = at.add(i);
            let size = self.whole(from, nr - i);
            if self.model.word(from).is_cached() && self.model.cache_del(from, 0, Removal::Dropped).is_err() {
                self.faults += 1;
            }
            i += size;
        }
    }

    /// One more user for each slot of a run.
    pub(super) fn dup(&mut self, at: Entry, nr: u64) {
        if self.model.dup(at, nr, &mut Still).is_err() {
            self.faults += 1;
        }
    }

    /// One user less. The last one of an uncached slot stays until the record frees the slot.
    pub(super) fn put(&mut self, at: Entry, nr: u64) {
        for slot in (0..nr).map(|i| at.add(i)) {
            match (self.model.count(slot), self.model.word(slot).is_cached()) {
                (Some(1), false) => {}
                (Some(1..), _) if self.model.put(slot, 1, false, &mut Still).is_ok() => {}
                _ => self.faults += 1,
            }
        }
    }

    /// A folio of small ones: the record takes it page by page.
    pub(super) fn split(&mut self, at: Entry) {
        self.next_pfn += 512;
        if self.model.split(at, 0, self.next_pfn).is_err() {
            self.faults += 1;
        }
    }

    /// Gives every slot of a run a user: what the record goes on with is in use.
    fn hold(&mut self, at: Entry, nr: u64) {
        for slot in (0..nr).map(|i| at.add(i)) {
            if self.model.count(slot) == Some(0) && self.model.dup(slot, 1, &mut Still).is_err() {
                self.faults += 1;
            }
        }
    }

    /// Slots of the folio cached at `at`, at most `most`: a folio that reaches beyond them, or begins before, is split
    /// first, as the recorded one must have been.
    fn whole(&mut self, at: Entry, most: u64) -> u64 {
        let word = self.model.word(at);
        if !word.is_cached() {
            return 1;
        }
        let nr = 1u64 << word.order();
        if nr > most || !at.off().is_multiple_of(nr) {
            self.split(at);
            return 1;
        }
        nr
    }

    /// Workers run at once, then everything is measured.
    pub(super) fn end_of_event(&mut self) {
        for d in self.devices.into_iter().flatten().take(if self.discards { MAX_DEVICES } else { 0 }) {
            if self.model.device(d).is_some_and(|device| device.discard_queued)
                && self.model.run_discard_worker(d, u32::MAX).is_err()
            {
                self.faults += 1;
            }
        }
        self.peak.measure(&self.model);
    }
}

//! Virtual slots and the physical ones behind them: taken, given back, and what that means for both.
//!
//! Order, as the kernel's locks give it: physical slots are taken and given back with the folio locked that the virtual
//! slots belong to, or under the lock of the virtual cluster while the slots are freed. So of one slot, `Back`, `Write`,
//! `Release` and `Unback` come in the order of what they tell; only `Free` comes before the `Release` inside it.

use super::Collector;
use super::cluster::{SLOTS, Word};
use super::finding::Clash;
use crate::decode::Event;
use crate::snapshot::{Backend, Fault};
use vswap_common::{Entry, flags};

impl Collector {
    /// Physical slots from `phys` on are held for the event's run of virtual slots `virt`: the allocator told, or a write
    /// to them that the allocator was not seen for. Slots of other devices than the virtual one have nothing behind them.
    pub(super) fn back(&mut self, e: &Event, virt: Entry, phys: Entry) {
        if !self.map.device_mut(virt.dev()).is_virtual {
            return;
        }
        let (mut clash, mut linked) = (Clash::default(), true);
        for i in 0..u64::from(e.nr) {
            let (v, p) = (virt.add(i), phys.add(i));
            if self.map.links.phys_of(v) == Some(p) {
                continue;
            }
            if let Some(before) = self.map.links.phys_of(v) {
                clash.raise(Fault::TwoBackings, self.surely_backed(e, v));
                self.unlink(before);
            }
            if let Some(other) = self.map.links.owner_of(p) {
                clash.raise(Fault::TwoBackings, self.surely_backed(e, other));
                self.unlink(p);
                self.rewrite(&one(e, other), |old, _| homeless(old));
            }
            linked = self.map.link(v, p) && linked;
        }
        let hold = |old: Word| if old.used() { old.with_backed(true) } else { old };
        if linked {
            self.rewrite(&Event { entry: virt, ..*e }, |old, _| hold(old));
        } else {
            // More than is kept, or offsets no kernel has.
            self.losses.untracked += 1;
            for v in (0..u64::from(e.nr)).map(|i| virt.add(i)) {
                let held = self.map.links.phys_of(v).is_some();
                self.rewrite(&one(e, v), |old, _| if held { hold(old) } else { old.with_backed(false) });
            }
        }
        if !clash.none() {
            self.contradiction(e, clash);
        }
    }

    /// `__swap_cluster_free_phys_backing`. Slots nobody was seen to take are no fault where taking cannot be seen.
    pub(super) fn unback(&mut self, e: &Event) {
        self.touch_backing(e.entry, e.nr);
        let mut stray = false;
        for i in 0..u64::from(e.nr) {
            match self.unlink(e.entry.add(i)) {
                Some(virt) => self.rewrite(&one(e, virt), |old, _| homeless(old)),
                None => stray = true,
            }
        }
        let epoch = self.map.epoch();
        let known = self.tells_backing && self.map.device_mut(e.entry.dev()).known_whole(epoch);
        let mut clash = Clash::default();
        clash.raise(Fault::FreeOfFreeSlot, stray && known);
        if !clash.none() {
            self.contradiction(e, clash);
        }
    }

    /// `vswap_release_backing`, under the lock of the virtual cluster. With its folio in the swap cache a slot has its
    /// data there alone from here on; without, it is being freed, which was told before, or loses its data.
    pub(super) fn release(&mut self, e: &Event) {
        let cached = e.flags & flags::CACHED != 0;
        self.rewrite(e, |old, clash| {
            if !old.used() {
                return old;
            }
            if cached {
                return old.with_cached(true).with_backend(Backend::Folio).with_placed(true);
            }
            clash.raise(Fault::LostBacking, old.confirmed());
            old.with_backend(Backend::None).with_placed(false)
        });
    }

    /// A physical device is gone. True if a virtual slot surely had its data there.
    pub(super) fn drop_links(&mut self, e: &Event) -> bool {
        let mut leaked = false;
        for phys in self.map.links.of_device(e.entry.dev()) {
            let Some(virt) = self.map.links.owner_of(phys) else { continue };
            leaked |= self.surely_backed(e, virt);
            self.unlink(phys);
            self.rewrite(&one(e, virt), |old, _| homeless(old));
        }
        leaked
    }

    /// A virtual cluster goes with its last slot.
    pub(super) fn retire(&mut self, e: &Event) {
        let epoch = self.map.epoch();
        let device = self.map.device_mut(e.entry.dev());
        if device.is_virtual && device.clusters.retire(e.entry.off() / SLOTS as u64, epoch) {
            device.dirty = true;
            self.map.give_room();
        }
    }

    fn surely_backed(&mut self, e: &Event, virt: Entry) -> bool {
        let mut sure = false;
        self.map.each(&one(e, virt), |word| sure = word.confirmed() && word.backed());
        sure
    }

    fn unlink(&mut self, phys: Entry) -> Option<Entry> {
        let virt = self.map.links.unlink(phys)?;
        self.map.device_mut(phys.dev()).back(phys.off(), false);
        Some(virt)
    }
}

/// The event, about one other slot.
const fn one(e: &Event, at: Entry) -> Event {
    Event { entry: at, nr: 1, ..*e }
}

/// The physical slot behind this one is gone. If the data was there, the folio has it, or nobody.
fn homeless(old: Word) -> Word {
    let word = old.with_backed(false);
    match old.backend() {
        Backend::Phys if old.cached() => word.with_backend(Backend::Folio),
        Backend::Phys => word.with_backend(Backend::None).with_placed(false),
        _ => word,
    }
}

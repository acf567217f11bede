//! Virtual swap: physical slots taken for virtual ones, given back, and what virtual slots hold meanwhile.
//!
//! The kernel asks for backing without telling that it begins (`folio_realloc_swap`), so the lists that a thread asks
//! outside an allocation are kept for the physical slots that it takes next. What it reclaims on such a way, when swap
//! is more than half full, is told as it happens: then the slot is compared, the way is not.

use super::devices::MAX_SLOTS;
use super::replay::Checker;
use super::request::{Look, Request, Witness};
use crate::decode::Event;
use crate::model::{Backing, Device, End, Outcome, Walk};
use crate::recorded::MAX_THREADS;
use rustc_hash::FxHashMap;
use vswap_common::slot::CLUSTER_SLOTS;
use vswap_common::{Entry, Kind, flags};

/// Lists asked on one way to backing that are remembered.
const MAX_LOOKS: usize = 256;

/// The last backing a thread took: a refused charge gives it back.
#[derive(Clone, Copy, Debug)]
struct Taken {
    virt: Entry,
    phys: Entry,
    nr: u16,
    /// The slot was in zswap, and is again if the backing is given back.
    from_zswap: bool,
}

/// What threads do about backing.
#[derive(Debug, Default)]
pub(super) struct Backings {
    looks: FxHashMap<u32, Vec<Look>>,
    taken: FxHashMap<u32, Taken>,
}

impl Backings {
    /// A thread outside an allocation asked a list for a cluster.
    pub(super) fn look(&mut self, tid: u32, look: Look) {
        if self.looks.len() >= MAX_THREADS {
            self.looks.clear();
        }
        let looks = self.looks.entry(tid).or_default();
        if looks.len() < MAX_LOOKS {
            looks.push(look);
        }
    }

    /// Nothing is known any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whatever the thread looked for, it does something else now.
    fn over(&mut self, tid: u32) {
        self.looks.remove(&tid);
        self.taken.remove(&tid);
    }
}

impl Checker {
    /// Takes in an event of the virtual layer's own.
    pub(super) fn virtual_event(&mut self, e: &Event) {
        match e.kind {
            Kind::Back => self.backed(e),
            Kind::Unback => self.unbacked(e),
            Kind::Release => self.released(e),
            Kind::ZswapStore if self.on_virtual(e.entry) => {
                let told = self.model.tell_stored(e.entry, e.nr.into());
                self.result.faults += u64::from(told.is_err());
            }
            Kind::Zero if self.on_virtual(e.entry) => {
                // Told after the folio was unlocked: by then the slot may be free, or have gone on.
                let nr = u64::from(e.nr);
                if (0..nr).all(|i| self.model.backing(e.entry.add(i)) == Some(Backing::None)) {
                    let _ = self.model.tell_zero(e.entry, nr);
                }
            }
            _ => {}
        }
        if matches!(e.kind, Kind::WriteoutReject | Kind::CacheDel | Kind::CacheAdd | Kind::AllocBegin) {
            self.backings.over(e.tid);
        }
    }

    /// There is room for virtual slots up to this one: the kernel hands out the lowest, a damaged trace any.
    pub(super) fn reaches(&mut self, end: u64) -> bool {
        if end <= self.reach {
            return true;
        }
        let end = end.next_multiple_of(u64::from(CLUSTER_SLOTS));
        if end > MAX_SLOTS
            || !self.memory.grow(Device::virtual_memory(end - self.reach, self.model.config().shift()))
        {
            self.too_large(end);
            return false;
        }
        self.reach = end;
        true
    }

    /// The slot is one of the virtual device.
    pub(super) fn on_virtual(&self, at: Entry) -> bool {
        self.model.device(at.dev()).is_some_and(|dev| dev.virt)
    }

    /// Physical slots were taken (`folio_realloc_swap`): the same as the model takes?
    fn backed(&mut self, e: &Event) {
        let (virt, order, nr) = (Entry(e.arg), e.order, u64::from(e.nr));
        let looks = self.backings.looks.remove(&e.tid).unwrap_or_default();
        // On one CPU nothing comes in between; on more nobody knows since when.
        let foreign_before = if self.by_cpu.len() <= 1 { self.foreign(e.cpu) } else { u64::MAX };
        let begun = !self.model.swap_full() && looks.len() < MAX_LOOKS;
        let request = Request { begun, order, looks, foreign_before, ..Request::default() };
        let from_zswap = matches!(self.model.backing(virt), Some(Backing::Zswap(_)));
        if (0..nr).any(|i| self.model.vword(virt.add(i)).phys().is_some()) {
            // The kernel would have returned what was there.
            self.fault();
            let _ = self.model.tell_released(virt, nr);
        }
        let mut witness = Witness { took: Some(e.entry), reclaimed: &[] };
        let told = self.model.tell_backing(e.cpu.into(), virt, order, &mut witness);
        let Ok((phys, slot)) = told else {
            self.model.clear_steps();
            return self.fault();
        };
        let agreed = slot == Ok(e.entry);
        let end = match slot {
            Ok(_) => End::Done,
            Err(Some(other)) => End::Mismatch(other),
            Err(None) => End::NoSpace,
        };
        let outcome = Outcome { slot: slot.ok(), end, virt: Walk::default(), phys, discarded: 0 };
        self.judge(e, &request, Some(e.entry), &outcome, agreed);
        if !agreed {
            self.moves.forget();
            self.model.clear_steps();
            if self.model.force_backing(e.cpu.into(), virt, order, e.entry).is_err() {
                self.fault();
            }
        }
        if self.backings.taken.len() >= MAX_THREADS {
            self.backings.taken.clear();
        }
        self.backings.taken.insert(e.tid, Taken { virt, phys: e.entry, nr: e.nr, from_zswap });
    }

    /// Physical slots are free again: with the virtual ones, which the model has freed already, or without them.
    fn unbacked(&mut self, e: &Event) {
        let refused = self.backings.taken.remove(&e.tid).filter(|t| (t.phys, t.nr) == (e.entry, e.nr));
        for phys in (0..u64::from(e.nr)).map(|i| e.entry.add(i)) {
            if let Some(virt) = self.model.owner_of(phys)
                && !self.frees(e.tid, virt)
                && self.model.tell_released(virt, 1).is_err()
            {
                self.fault();
            }
        }
        if let Some(taken) = refused.filter(|t| t.from_zswap) {
            let _ = self.model.tell_stored(taken.virt, taken.nr.into());
        }
    }

    /// Virtual slots give up what held their data (`vswap_release_backing`).
    fn released(&mut self, e: &Event) {
        // Without a folio in the cache they are being freed, which was told before.
        if e.flags & flags::CACHED == 0 || self.frees(e.tid, e.entry) {
            return;
        }
        if self.model.tell_released(e.entry, e.nr.into()).is_err() {
            self.fault();
        }
    }
}

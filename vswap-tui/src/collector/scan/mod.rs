//! What a scan of the kernel's tables teaches, and what it may not: the state of slots that no event told of yet.
//!
//! A scan locks nothing, so a word is read (R) some time before its record is reserved in the ring (S), and events of
//! the slot are reserved in between. One rule makes every order right: **a scan speaks only of what no event told
//! since the scan began**. Take an event E of the slot, and the change of the kernel's state that it tells of:
//!
//! - *E before S in the ring.* The event is applied first, and the scan leaves alone what it said - also if R was
//!   before the change and the word read is therefore stale. Hooks under the cluster lock run at the entry of the
//!   function, before the change: whatever change R saw has its event before S. An event that tells only a part (a
//!   folio entered the cache; where the data is, it does not say) keeps that part, the scan adds the other: the
//!   other did not change since R, or an event would have told. The owner is such a part: a slot that was stored or
//!   loaded since the scan began has a certain place, and whose it is only the scan can say, unless it was allocated
//!   since.
//! - *E after S.* The event is applied to what the scan said. If R was before the change, that is the state the
//!   event expects. Hooks at the exit of a function (stored in zswap, zero-filled, charged) run after the change, so
//!   R may have seen it: these events set a state and do not step from one to the next, so to hear of it twice
//!   changes nothing.
//! - *A change without an event:* by a thread that was inside a function when its hook came. Locked regions are over
//!   after a moment, which the scan waits for before it begins. What takes longer (writeout, load) holds the folio
//!   lock: the scan calls a slot with a locked folio unknown and comes back until the lock is free.
//!
//! - *A loss after R.* What it hid may have changed the slot since: the scan says nothing of what it read before.
//!
//! What events said before the scan began is forgotten, their counts with it: some hooks were not there yet, so an
//! allocation may have been told and its end not. A scan after a loss forgets the slots alone.

mod backed;
mod held;
#[cfg(test)]
mod tests;
mod verify;

use self::backed::Touched;
use self::held::Holding;
use super::Collector;
use super::causes::Causes;
use super::cluster::{SLOTS, Word};
use super::finding::Found;
use crate::decode::Event;
use crate::snapshot::{Backend, List, ScanView, Totals, VerifyView};
use rustc_hash::FxHashSet;
use vswap_common::slot::MAX_DEVICES;
use vswap_common::{flags, place};

/// State of the scans.
#[derive(Debug, Default)]
pub(super) struct Scanning {
    /// The running scan, or the last one.
    view: Option<ScanView>,
    /// When it began.
    began: u64,
    /// Losses when it began: what a loss put in doubt, its end does not make certain.
    epoch: u32,
    /// Time of the last loss.
    doubted_at: u64,
    /// Devices it told of.
    devices: [bool; MAX_DEVICES],
    verify: Option<VerifyView>,
    /// When the look that runs, or the last one, began.
    verify_began: u64,
    /// Slots that differed in the last look but one, and in the one that runs.
    suspects: FxHashSet<u64>,
    found: FxHashSet<u64>,
    /// Slots that the allocator holds, while the scan runs and if events tell of them.
    holding: Option<Box<Holding>>,
    /// Physical slots that events told of since the scan began.
    touched: Touched,
}

impl Scanning {
    pub(super) const fn view(&self) -> Option<ScanView> {
        self.view
    }

    /// A scan that has not ended, or a comparison, is more than a key frame can tell.
    pub(super) fn under_way(&self) -> bool {
        self.verify.is_some() || self.view.is_some_and(|v| !v.ended)
    }

    /// Records are missing: what was read before `ts` may have changed since.
    pub(super) const fn doubt(&mut self, ts: u64) {
        self.doubted_at = ts;
    }

    /// The result of the scan before a key frame.
    pub(super) fn restore(&mut self, view: Option<ScanView>) {
        self.view = view;
    }

    pub(super) fn verified(&self) -> Option<VerifyView> {
        self.verify.clone()
    }
}

const fn verifies(e: &Event) -> bool {
    e.flags & flags::VERIFY != 0
}

impl Collector {
    pub(super) fn scan_begin(&mut self, e: &Event) {
        let scan = &mut self.scanning;
        if verifies(e) {
            scan.suspects = std::mem::take(&mut scan.found);
            // The first look of a comparison names suspects, the others judge them.
            let before = if e.arg == 1 { None } else { scan.verify.as_ref() };
            let (looks, ns) = before.map_or((1, 0), |v| (v.looks + 1, v.ns));
            scan.verify = Some(VerifyView { looks, ns, ..VerifyView::default() });
            scan.verify_began = e.ts;
            return;
        }
        (scan.began, scan.epoch) = (e.ts, self.map.epoch());
        let again = e.val == 1;
        let scans = scan.view.map_or(0, |view| view.scans) + 1;
        scan.view = Some(ScanView { scans, ..ScanView::default() });
        scan.devices = [false; MAX_DEVICES];
        scan.holding = self.map.holds_told().then(Box::default);
        scan.touched.begin();
        self.map.forget(again);
        if again {
            return;
        }
        // Counts and contradictions of that time are those of a half of the hooks.
        self.totals = Totals::default();
        self.causes = Causes::new();
        self.history.restart_totals();
        self.found = Found::default();
        (self.losses.contradictions, self.losses.inversions) = (0, 0);
    }

    pub(super) fn scan_device(&mut self, e: &Event) {
        let dev = e.entry.dev();
        if !verifies(e) {
            self.scanning.devices[usize::from(dev) % MAX_DEVICES] = true;
            self.map.device_mut(dev).found(e);
        }
    }

    /// The allocator took slots off its map, or put them back.
    pub(super) fn hold(&mut self, e: &Event, taken: bool) {
        match &mut self.scanning.holding {
            Some(holding) => holding.event(e.entry, e.nr, taken),
            None => self.map.hold(e, taken),
        }
    }

    /// The list a cluster is on, unless an event told of a younger one.
    pub(super) fn scan_cluster(&mut self, e: &Event) {
        let index = e.entry.off() / SLOTS as u64;
        if verifies(e) {
            // Nobody looks into the slots of an empty cluster.
            let told =
                self.map.device_mut(e.entry.dev()).clusters.has(index) || self.map.links.reach(e.entry);
            if e.nr == 0 && told {
                let all = Event { nr: SLOTS as u16, arg: place::FREE, flags: flags::VERIFY, ..*e };
                self.compare(&all);
            }
            return;
        }
        let device = self.map.device_mut(e.entry.dev());
        if device.list_of(index) == List::None {
            device.dirty = true;
            device.move_cluster(index, List::from_kernel(e.val), e.order);
        }
    }

    pub(super) fn scan_slots(&mut self, e: &Event) {
        if verifies(e) {
            return self.compare(e);
        }
        let cached = e.flags & flags::CACHED != 0;
        let told = backend(e);
        if e.ts.saturating_sub(place::age(e.arg)) < self.scanning.doubted_at {
            return;
        }
        if let Some(holding) = &mut self.scanning.holding {
            holding.found(e.entry, e.nr, place::place(e.arg) != place::FREE);
        }
        if place::place(e.arg) == place::BACKS {
            // What it holds is told where its virtual slot is.
            return;
        }
        self.rewrite(e, |old, _| {
            if old.confirmed() {
                return old;
            }
            if place::unused(place::place(e.arg)) {
                // An event that came after the read took the slot into use.
                return if old.used() { old } else { Word::FREE };
            }
            let word = if old.used() {
                old
            } else {
                Word::UNKNOWN.with_backend(Backend::None).with_cached(cached).with_order(e.order)
            };
            let word = owned(word, e, told.is_some());
            match told {
                Some(backend) if word.backend() == Backend::None => {
                    let word = word.with_backend(backend).with_placed(true);
                    if backend == Backend::Zswap { word.with_len(e.val) } else { word }
                }
                _ => word,
            }
        });
    }

    pub(super) fn scan_end(&mut self, e: &Event) {
        if verifies(e) {
            if let Some(verify) = &mut self.scanning.verify {
                verify.complete = !e.failed();
                verify.ended = true;
                verify.ns += e.ts.saturating_sub(self.scanning.verify_began);
            }
            return;
        }
        let whole = !e.failed() && self.map.epoch() == self.scanning.epoch;
        if let Some(view) = &mut self.scanning.view {
            let ns = e.ts.saturating_sub(self.scanning.began);
            *view = ScanView {
                scans: view.scans,
                slots: e.arg,
                ns,
                doubtful: e.val.max(0) as u64,
                ended: true,
                complete: !e.failed(),
            };
        }
        let holding = self.scanning.holding.take();
        self.scanning.touched.end();
        for dev in (0..MAX_DEVICES as u8).filter(|_| whole) {
            if self.scanning.devices[usize::from(dev)] {
                self.map.device_mut(dev).held = holding.as_ref().and_then(|h| h.of(dev));
                // Every slot in use was told, by the scan or by an event: the rest is free.
                self.map.rest_is_free(dev);
            }
        }
    }
}

/// The owner that the scan found, if no event told it. While the folio is locked (the place is not `told`) the slot may be
/// an allocation from before our hooks, whose owner is about to be recorded.
fn owned(word: Word, e: &Event, told: bool) -> Word {
    match (word.owned(), e.has_memcg()) {
        (true, _) => word,
        (false, true) if told || e.memcg != 0 => word.with_memcg(e.memcg),
        // No table of owners on this kernel: nobody can say more.
        (false, false) if told => word.with_owned(true),
        (false, _) => word,
    }
}

/// Where the scan found the data; `None` if it could not tell.
const fn backend(e: &Event) -> Option<Backend> {
    match place::place(e.arg) {
        place::FOLIO => Some(Backend::Folio),
        place::ZERO => Some(Backend::Zero),
        place::ZSWAP => Some(Backend::Zswap),
        place::PHYS => Some(Backend::Phys),
        _ => None,
    }
}

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
//!   other did not change since R, or an event would have told.
//! - *E after S.* The event is applied to what the scan said. If R was before the change, that is the state the
//!   event expects. Hooks at the exit of a function (stored in zswap, zero-filled, charged) run after the change, so
//!   R may have seen it: these events set a state and do not step from one to the next, so to hear of it twice
//!   changes nothing.
//! - *A change without an event:* by a thread that was inside a function when its hook came. Locked regions are over
//!   after a moment, which the scan waits for before it begins. What takes longer (writeout, load) holds the folio
//!   lock: the scan calls a slot with a locked folio unknown and comes back until the lock is free.
//!
//! What events said before the scan began is forgotten, their counts with it: some hooks were not there yet, so an
//! allocation may have been told and its end not.

use super::Collector;
use super::cluster::{SLOTS, Word};
use super::finding::Found;
use crate::decode::Event;
use crate::snapshot::{Backend, List, ScanView, Totals, VerifyView};
use rustc_hash::FxHashSet;
use vswap_common::slot::MAX_DEVICES;
use vswap_common::{flags, place};

/// Differing slots remembered from one look to the next; more are counted as differing at the first look.
const MAX_SUSPECTS: usize = 1 << 20;
/// Differing slots named in the result.
const NAMED: usize = 8;

/// State of the scans.
#[derive(Debug, Default)]
pub(super) struct Scanning {
    /// The running scan, or the last one.
    view: Option<ScanView>,
    /// When it began.
    began: u64,
    /// Losses when it began: what a loss put in doubt, its end does not make certain.
    epoch: u32,
    /// Devices it told of.
    devices: [bool; MAX_DEVICES],
    verify: Option<VerifyView>,
    /// Slots that differed in the last look but one, and in the one that runs.
    suspects: FxHashSet<u64>,
    found: FxHashSet<u64>,
}

impl Scanning {
    pub(super) const fn view(&self) -> Option<ScanView> {
        self.view
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
            let looks = scan.verify.as_ref().map_or(0, |v| v.looks) + 1;
            scan.verify = Some(VerifyView { looks, ..VerifyView::default() });
            return;
        }
        (scan.began, scan.epoch) = (e.ts, self.map.epoch());
        scan.view = Some(ScanView::default());
        scan.devices = [false; MAX_DEVICES];
        self.map.forget();
        // Counts and contradictions of that time are those of a half of the hooks.
        self.totals = Totals::default();
        self.history.restart_totals();
        self.found = Found::default();
        (self.losses.contradictions, self.losses.inversions) = (0, 0);
    }

    pub(super) fn scan_device(&mut self, e: &Event) {
        let dev = e.entry.dev();
        if !verifies(e) {
            self.scanning.devices[usize::from(dev) % MAX_DEVICES] = true;
            self.map.device_mut(dev).found(e.arg, e.entry.off(), e.val);
        }
    }

    /// The list a cluster is on, unless an event told of a younger one.
    pub(super) fn scan_cluster(&mut self, e: &Event) {
        let index = e.entry.off() / SLOTS as u64;
        if verifies(e) {
            // Nobody looks into the slots of an empty cluster.
            if e.nr == 0 && self.map.device_mut(e.entry.dev()).clusters.has(index) {
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
        self.rewrite(e, |old, _| {
            if old.confirmed() {
                return old;
            }
            if place::place(e.arg) == place::FREE {
                // An event that came after the read took the slot into use.
                return if old.used() { old } else { Word::FREE };
            }
            let mut word = if old.used() {
                old
            } else {
                Word::UNKNOWN.with_backend(Backend::None).with_cached(cached).with_order(e.order)
            };
            if word.memcg() == 0 && e.has_memcg() {
                word = word.with_memcg(e.memcg);
            }
            match told {
                Some(backend) if word.backend() == Backend::None => {
                    let word = word.with_backend(backend).with_confirmed(true);
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
            }
            return;
        }
        let whole = !e.failed() && self.map.epoch() == self.scanning.epoch;
        if let Some(view) = &mut self.scanning.view {
            let ns = e.ts.saturating_sub(self.scanning.began);
            *view = ScanView {
                slots: e.arg,
                ns,
                doubtful: e.val.max(0) as u64,
                ended: true,
                complete: !e.failed(),
            };
        }
        for dev in (0..MAX_DEVICES as u8).filter(|_| whole) {
            if self.scanning.devices[usize::from(dev)] {
                // Every slot in use was told, by the scan or by an event: the rest is free.
                self.map.rest_is_free(dev);
            }
        }
    }

    /// Compares what the map says for certain with what the tables say. A slot differs if two looks in a row find it
    /// so: one alone may have read between an event and the change it tells of.
    fn compare(&mut self, e: &Event) {
        let suspects = &self.scanning.suspects;
        let (mut found, mut checked, mut unknown, mut at) = (Vec::new(), 0, 0, e.entry);
        let second = self.scanning.verify.as_ref().is_some_and(|v| v.looks > 1);
        self.map.each(e, |word| {
            let entry = at;
            at = at.add(1);
            let used = place::place(e.arg) != place::FREE;
            if !word.confirmed() || (used && backend(e).is_none()) {
                unknown += u64::from(word.used() || used);
                return;
            }
            checked += u64::from(word.used() || used);
            if differs(word, e) && (!second || suspects.contains(&entry.0)) {
                found.push((entry, word));
            }
        });
        let Some(verify) = &mut self.scanning.verify else { return };
        verify.checked += checked;
        verify.unknown += unknown;
        verify.differing += found.len() as u64;
        for (entry, word) in found {
            if self.scanning.found.len() < MAX_SUSPECTS {
                self.scanning.found.insert(entry.0);
            }
            if verify.examples.len() < NAMED {
                verify.examples.push(format!(
                    "slot {}:{} is {} in the map, {} in the kernel's tables",
                    entry.dev(),
                    entry.off(),
                    describe(word),
                    describe_found(e)
                ));
            }
        }
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

fn differs(word: Word, e: &Event) -> bool {
    let cached = e.flags & flags::CACHED != 0;
    let Some(found) = backend(e) else { return word.used() };
    if !word.used() || word.cached() != cached || (e.has_memcg() && word.memcg() != e.memcg) {
        return true;
    }
    let told = word.backend();
    // A cached page may be written to at any time, which no hook tells: what lies behind it is stale then, or was
    // before the folio went back to being clean.
    if cached && matches!((told, found), (Backend::Phys, Backend::Folio)) {
        return false;
    }
    let lengths = i32::from(word.len()) != e.val && word.len() > 0 && e.val > 0;
    told != found || (found == Backend::Zswap && lengths)
}

fn describe(word: Word) -> String {
    if !word.used() {
        return "free".into();
    }
    words(word.backend(), word.cached(), word.memcg(), i32::from(word.len()))
}

fn describe_found(e: &Event) -> String {
    match backend(e) {
        None => "free".into(),
        Some(backend) => words(backend, e.flags & flags::CACHED != 0, e.memcg, e.val),
    }
}

fn words(backend: Backend, cached: bool, memcg: u16, len: i32) -> String {
    let cached = if cached { ", cached" } else { "" };
    let len = if len > 0 { format!(" of {len} bytes") } else { String::new() };
    format!("{}{len}{cached}, cgroup #{memcg}", backend.name())
}

#[cfg(test)]
mod tests {
    use crate::collector::Collector;
    use crate::decode::decode;
    use crate::meta::Header;
    use crate::snapshot::Backend;
    use std::sync::Arc;
    use vswap_common::{Entry, Kind, Record, flags, place};

    struct Bed {
        collector: Collector,
        ts: u64,
    }

    impl Bed {
        /// A collector in the middle of a scan that has found one device.
        fn new() -> Self {
            let mut bed = Self { collector: Collector::new(Arc::new(Header::default()), 1 << 30), ts: 1 };
            bed.tell(Kind::ScanBegin, 0, 0, |_| {});
            bed.tell(Kind::ScanDevice, 1024, 0, |r| r.arg = 1023);
            bed
        }

        fn tell(&mut self, kind: Kind, off: u64, nr: u16, change: impl FnOnce(&mut Record)) {
            self.ts += 1000;
            let mut record = Record {
                ts: self.ts,
                kind: kind as u8,
                entry: Entry::new(0, off).0,
                nr,
                ..Record::default()
            };
            change(&mut record);
            self.collector.apply(&decode(&record).unwrap());
        }

        fn found(&mut self, off: u64, nr: u16, at: u64, more: u16) {
            self.tell(Kind::ScanSlots, off, nr, |r| {
                r.arg = place::pack(at, 1);
                r.memcg = 7;
                r.val = if at == place::ZSWAP { 900 } else { 0 };
                r.flags = more | if at == place::FREE { 0 } else { flags::MEMCG };
            });
        }

        fn slot(&self, off: u64) -> Option<(Backend, bool, bool, u16)> {
            let line = self.collector.slots().find(|l| l.off == off)?;
            Some((line.backend, line.cached, line.confirmed, line.memcg))
        }

        fn unconfirmed(&mut self) -> u64 {
            self.collector.snapshot().unconfirmed
        }
    }

    #[test]
    fn slots_nobody_told_of_are_known_at_once() {
        let mut b = Bed::new();
        b.found(1, 2, place::PHYS, 0);
        b.found(3, 1, place::ZSWAP, 0);
        b.found(4, 1, place::ZERO, flags::CACHED);
        b.found(5, 1, place::FOLIO, flags::CACHED);
        b.found(6, 58, place::FREE, 0);
        b.tell(Kind::ScanEnd, 0, 0, |r| r.arg = 64);
        assert_eq!(b.slot(2), Some((Backend::Phys, false, true, 7)));
        assert_eq!(b.slot(3), Some((Backend::Zswap, false, true, 7)));
        assert_eq!(b.slot(4), Some((Backend::Zero, true, true, 7)));
        assert_eq!(b.slot(5), Some((Backend::Folio, true, true, 7)));
        assert_eq!(b.slot(6), None);
        let s = b.collector.snapshot();
        assert_eq!((s.used(), s.unconfirmed, s.cached, s.zswap_bytes), (5, 0, 2, 900));
        assert_eq!(s.transitions, [[0; 5]; 5], "nothing moved");
        let scan = s.scan.unwrap();
        assert!(scan.ended && scan.complete && scan.ns > 0 && scan.slots == 64, "{scan:?}");
        assert_eq!(s.devices.len(), 1);
        assert_eq!((s.devices[0].pages, s.devices[0].used, s.devices[0].active), (1023, 5, true));
    }

    #[test]
    fn events_win_before_and_after_the_record() {
        let mut b = Bed::new();
        // The free was told, and the word read before it took effect.
        b.tell(Kind::Free, 10, 1, |_| {});
        b.found(10, 1, place::PHYS, 0);
        assert_eq!(b.slot(10), None);
        // Freed and given to another page since the read.
        b.tell(Kind::Alloc, 11, 1, |_| {});
        b.found(11, 1, place::ZSWAP, 0);
        assert_eq!(b.slot(11).map(|s| (s.0, s.1)), Some((Backend::Folio, true)));
        // Taken into use since the read.
        b.tell(Kind::Alloc, 12, 1, |_| {});
        b.found(12, 1, place::FREE, 0);
        assert!(b.slot(12).is_some());
        // The read is older, the event comes later.
        b.found(13, 1, place::ZSWAP, 0);
        b.tell(Kind::CacheAdd, 13, 1, |_| {});
        b.tell(Kind::ZswapFree, 13, 1, |r| r.flags = flags::IN_LOAD);
        assert_eq!(b.slot(13), Some((Backend::Folio, true, true, 7)));
        // The change was read, its event comes later: hearing twice changes nothing.
        b.found(14, 1, place::ZSWAP, flags::CACHED);
        b.tell(Kind::ZswapStore, 14, 1, |r| r.val = 900);
        assert_eq!(b.slot(14), Some((Backend::Zswap, true, true, 7)));
        let s = b.collector.snapshot();
        assert_eq!((s.unconfirmed, s.losses.contradictions), (0, 0));
    }

    #[test]
    fn an_event_that_tells_a_part_keeps_it_and_the_scan_adds_the_rest() {
        let mut b = Bed::new();
        b.tell(Kind::CacheAdd, 20, 1, |_| {});
        assert_eq!(b.slot(20).map(|s| (s.0, s.1, s.2)), Some((Backend::None, true, false)));
        // Read before the folio came: not cached, on the device.
        b.found(20, 1, place::PHYS, 0);
        assert_eq!(b.slot(20), Some((Backend::Phys, true, true, 7)));
        // Read before the folio left.
        b.tell(Kind::CacheDel, 21, 1, |r| r.flags = flags::SWAPOUT);
        b.found(21, 1, place::ZERO, flags::CACHED);
        assert_eq!(b.slot(21), Some((Backend::Zero, false, true, 7)));
    }

    #[test]
    fn what_the_scan_cannot_tell_stays_unconfirmed_until_it_looks_again() {
        let mut b = Bed::new();
        b.found(30, 1, place::UNKNOWN, flags::CACHED);
        assert_eq!(b.slot(30), Some((Backend::None, true, false, 7)));
        assert_eq!(b.unconfirmed(), 1);
        b.found(30, 1, place::PHYS, flags::CACHED);
        assert_eq!(b.slot(30), Some((Backend::Phys, true, true, 7)));
        assert_eq!(b.unconfirmed(), 0);
    }

    #[test]
    fn what_was_told_with_hooks_missing_is_forgotten() {
        let mut b = Bed::new();
        b.tell(Kind::Alloc, 40, 1, |_| {});
        b.tell(Kind::ZswapStore, 40, 1, |_| {});
        b.tell(Kind::Alloc, 40, 1, |_| {});
        assert_eq!(b.collector.snapshot().losses.contradictions, 1);
        b.tell(Kind::ScanBegin, 0, 0, |_| {});
        assert_eq!(b.slot(40), None, "it may have been freed before the free hook came");
        b.tell(Kind::ScanDevice, 1024, 0, |r| r.arg = 1023);
        b.found(40, 1, place::PHYS, 0);
        assert_eq!(b.slot(40), Some((Backend::Phys, false, true, 7)));
        b.tell(Kind::Free, 40, 1, |r| r.ts += 10 << 30);
        let s = b.collector.snapshot();
        assert_eq!(
            (s.losses.contradictions, s.findings.total(), s.totals.alloc, s.totals.free),
            (0, 0, 0, 1)
        );
        assert_eq!(s.history.iter().map(|p| p.delta.free).sum::<u64>(), 0);
        assert_eq!(s.transitions[Backend::Phys as usize][0], 1);
        assert_eq!(s.transitions.as_flattened().iter().sum::<u64>(), 1);
    }

    #[test]
    fn a_scan_with_a_loss_or_a_fault_makes_nothing_free() {
        for fault in [false, true] {
            let mut b = Bed::new();
            b.found(1, 1, place::PHYS, 0);
            if !fault {
                b.tell(Kind::Gap, 0, 0, |r| r.arg = 3);
            }
            b.tell(Kind::ScanEnd, 0, 0, |r| r.flags = if fault { flags::FAILED } else { 0 });
            // A free slot that nobody told of is no contradiction when something happens to it.
            b.tell(Kind::CacheAdd, 2, 1, |_| {});
            let s = b.collector.snapshot();
            assert_eq!((s.losses.contradictions, s.scan.unwrap().complete), (0, !fault));
        }
        let mut whole = Bed::new();
        whole.found(1, 1, place::PHYS, 0);
        whole.tell(Kind::ScanEnd, 0, 0, |_| {});
        whole.tell(Kind::CacheAdd, 2, 1, |_| {});
        assert_eq!(whole.collector.snapshot().losses.contradictions, 1, "known to be free");
    }

    #[test]
    fn lists_come_from_the_scan_until_an_event_moves_them() {
        let mut b = Bed::new();
        b.tell(Kind::ClusterMove, 512, 0, |r| (r.val, r.order) = (4, 0));
        b.tell(Kind::ScanCluster, 0, 9, |r| (r.val, r.order) = (2, 4));
        b.tell(Kind::ScanCluster, 512, 9, |r| (r.val, r.order) = (2, 4));
        let cells = b.collector.snapshot().devices[0].clusters.clone();
        assert_eq!(format!("{:?} {:?}", cells[0].list, cells[1].list), "Nonfull Full");
    }

    #[test]
    fn verifying_counts_only_what_differs_twice_and_changes_nothing() {
        let mut b = Bed::new();
        b.found(1, 2, place::PHYS, 0);
        b.tell(Kind::ScanEnd, 0, 0, |_| {});
        let look = |b: &mut Bed, off: u64| {
            b.tell(Kind::ScanBegin, 0, 0, |r| r.flags = flags::VERIFY);
            b.found(1, 2, place::PHYS, flags::VERIFY);
            b.found(3, 4, place::FREE, flags::VERIFY);
            b.found(off, 1, place::ZSWAP, flags::VERIFY);
            b.tell(Kind::ScanEnd, 0, 0, |r| r.flags = flags::VERIFY);
            b.collector.snapshot().verify.unwrap()
        };
        let first = look(&mut b, 50);
        assert_eq!((first.checked, first.differing, first.looks), (3, 1, 1));
        assert!(first.examples[0].contains("slot 0:50 is free in the map, zswap of 900 bytes"), "{first:?}");
        assert_eq!(look(&mut b, 51).differing, 0, "another slot: neither differs twice");
        assert_eq!(b.slot(50), None);
        let mut b = Bed::new();
        b.found(1, 2, place::PHYS, 0);
        b.tell(Kind::ScanEnd, 0, 0, |_| {});
        look(&mut b, 50);
        assert_eq!(look(&mut b, 50).differing, 1);
        let scan = b.collector.snapshot().scan.unwrap();
        assert!(scan.ended && scan.complete);
    }
}

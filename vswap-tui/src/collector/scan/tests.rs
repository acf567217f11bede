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
        let mut record =
            Record { ts: self.ts, kind: kind as u8, entry: Entry::new(0, off).0, nr, ..Record::default() };
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
    assert_eq!((s.losses.contradictions, s.findings.total(), s.totals.alloc, s.totals.free), (0, 0, 0, 1));
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

#[test]
fn a_new_comparison_forgets_the_suspects_of_the_last() {
    let mut b = Bed::new();
    b.found(1, 2, place::PHYS, 0);
    b.tell(Kind::ScanEnd, 0, 0, |_| {});
    let look = |b: &mut Bed, number: u64, off: u64| {
        b.tell(Kind::ScanBegin, 0, 0, |r| (r.flags, r.arg) = (flags::VERIFY, number));
        assert!(!b.collector.snapshot().verify.unwrap().ended);
        b.found(off, 1, place::ZSWAP, flags::VERIFY);
        b.tell(Kind::ScanEnd, 0, 0, |r| r.flags = flags::VERIFY);
        b.collector.snapshot().verify.unwrap()
    };
    assert_eq!(look(&mut b, 1, 50).differing, 1);
    assert_eq!(look(&mut b, 2, 51).differing, 0);
    let again = look(&mut b, 1, 51);
    assert_eq!((again.differing, again.looks), (1, 1), "new suspects");
    let second = look(&mut b, 2, 51);
    assert_eq!((second.differing, second.looks, second.ended), (1, 2, true));
    assert!(second.ns > again.ns, "the time of all looks");
}

#[test]
fn a_scan_after_a_loss_makes_certain_again_and_keeps_the_counts() {
    let mut b = Bed::new();
    b.found(1, 3, place::PHYS, 0);
    b.tell(Kind::ScanEnd, 0, 0, |_| {});
    b.tell(Kind::CacheAdd, 1, 1, |_| {});
    b.tell(Kind::Free, 3, 1, |r| r.ts += 1);
    b.tell(Kind::Gap, 0, 0, |r| r.arg = 5);
    assert_eq!(b.unconfirmed(), 2);
    b.tell(Kind::ScanBegin, 0, 0, |r| r.val = 1);
    b.tell(Kind::ScanDevice, 1024, 0, |r| r.arg = 1023);
    b.found(2, 1, place::ZSWAP, 0);
    b.found(60, 1, place::ZERO, 0);
    b.tell(Kind::ScanEnd, 0, 0, |_| {});
    assert_eq!(b.slot(1), None, "freed while nobody listened");
    assert_eq!(b.slot(2), Some((Backend::Zswap, false, true, 7)));
    assert_eq!(b.slot(60), Some((Backend::Zero, false, true, 7)));
    let s = b.collector.snapshot();
    assert_eq!((s.unconfirmed, s.totals.free, s.losses.gaps), (0, 1, 1));
    assert_eq!((s.scan.unwrap().scans, s.losses.contradictions), (2, 0));
    assert_eq!(s.transitions[Backend::Phys as usize][0], 1);
}

#[test]
fn without_a_scan_a_late_start_does_not_know_everything() {
    let b = Collector::new(Arc::new(Header::default()), 1 << 30);
    let mut b = Bed { collector: b, ts: 1 };
    b.tell(Kind::Alloc, 5, 1, |_| {});
    let s = b.collector.snapshot();
    assert!(s.confirmed_share() > 0.99 && !s.all_known(), "all that was seen is confirmed, not all was seen");
    let mut b = Bed::new();
    assert!(!b.collector.snapshot().all_known(), "the scan still runs");
    b.tell(Kind::ScanEnd, 0, 0, |_| {});
    assert!(b.collector.snapshot().all_known());
    let header = Header { from_swapon: true, ..Header::default() };
    assert!(Collector::new(Arc::new(header), 1 << 30).snapshot().all_known());
}

#[test]
fn the_owner_of_what_moved_meanwhile_comes_from_the_scan() {
    let mut b = Bed::new();
    // Of these events none tells whose the slot is (Linux 6.12 to 7.1).
    b.tell(Kind::ZswapStore, 70, 1, |r| r.val = 900);
    b.tell(Kind::CacheAdd, 71, 1, |_| {});
    b.tell(Kind::ZswapFree, 71, 1, |r| r.flags = flags::IN_LOAD);
    b.tell(Kind::Write, 72, 1, |_| {});
    assert_eq!(b.unconfirmed(), 3, "their places are known, their owners are not");
    for off in 70..73 {
        // What the scan read of the place is older.
        b.found(off, 1, place::ZERO, 0);
    }
    assert_eq!(b.slot(70), Some((Backend::Zswap, true, true, 7)));
    assert_eq!(b.slot(71), Some((Backend::Folio, true, true, 7)));
    assert_eq!(b.slot(72), Some((Backend::Phys, true, true, 7)));
    // Freed and allocated since the read, which saw the owner from before.
    b.tell(Kind::Free, 73, 1, |_| {});
    b.tell(Kind::Alloc, 73, 1, |_| {});
    b.found(73, 1, place::ZSWAP, 0);
    b.tell(Kind::Charge, 73, 1, |r| (r.memcg, r.flags) = (9, flags::MEMCG));
    assert_eq!(b.slot(73), Some((Backend::Folio, true, true, 9)));
    assert_eq!((b.unconfirmed(), b.collector.snapshot().losses.contradictions), (0, 0));
}

#[test]
fn no_owner_of_a_locked_folio_is_not_yet_an_owner() {
    let mut b = Bed::new();
    let nobody = |b: &mut Bed, at: u64| {
        b.tell(Kind::ScanSlots, 80, 1, |r| {
            (r.arg, r.flags) = (place::pack(at, 1), flags::MEMCG | flags::CACHED);
        });
    };
    nobody(&mut b, place::UNKNOWN);
    b.tell(Kind::ZswapStore, 80, 1, |r| r.val = 900);
    assert_eq!(b.slot(80), Some((Backend::Zswap, true, false, 0)), "its charge may be under way");
    b.found(80, 1, place::ZSWAP, flags::CACHED);
    assert_eq!(b.slot(80), Some((Backend::Zswap, true, true, 7)));
    // Unlocked it has whatever owner it will have.
    b.tell(Kind::Free, 80, 1, |_| {});
    b.tell(Kind::ScanBegin, 0, 0, |r| r.val = 1);
    nobody(&mut b, place::PHYS);
    assert_eq!(b.slot(80), Some((Backend::Phys, true, true, 0)));
}

#[test]
fn what_was_read_before_a_loss_is_not_believed_after_it() {
    let mut b = Bed::new();
    b.found(90, 2, place::PHYS, 0);
    b.tell(Kind::Gap, 0, 0, |r| r.arg = 1);
    assert_eq!(b.unconfirmed(), 2);
    let read = |b: &mut Bed, ns: u64| {
        b.tell(Kind::ScanSlots, 92, 1, |r| {
            (r.arg, r.memcg, r.flags) = (place::aged(place::pack(place::ZSWAP, 1), ns), 7, flags::MEMCG);
        });
    };
    read(&mut b, 1_500);
    assert_eq!(b.slot(92), None, "the loss may have hidden its end");
    read(&mut b, 500);
    assert_eq!(b.slot(92), Some((Backend::Zswap, false, true, 7)));
}

#[test]
fn a_loss_may_hide_that_a_slot_changed_hands() {
    let mut b = Bed::new();
    b.found(95, 1, place::PHYS, 0);
    b.tell(Kind::ScanEnd, 0, 0, |_| {});
    b.tell(Kind::Gap, 0, 0, |r| r.arg = 1);
    b.tell(Kind::ZswapStore, 95, 1, |r| r.val = 900);
    assert_eq!(
        b.slot(95),
        Some((Backend::Zswap, true, false, 7)),
        "its place is certain, whose it is is not"
    );
    b.tell(Kind::CacheDel, 95, 1, |r| (r.memcg, r.flags) = (8, flags::MEMCG | flags::SWAPOUT));
    assert_eq!(b.slot(95), Some((Backend::Zswap, false, true, 8)));
}

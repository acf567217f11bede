//! Virtual slots and the physical ones behind them, found by a scan: what it teaches beside events, and what a
//! comparison with the kernel's tables finds.

mod collector_bed;

use collector_bed::*;
use std::sync::Arc;
use vswap_common::{Entry, Kind, flags, place};
use vswap_tui::collector::Collector;
use vswap_tui::decode::Event;
use vswap_tui::meta::{DeviceInfo, Header};
use vswap_tui::snapshot::{Backend, VerifyView};

/// First virtual slot of the tests, and first physical one; the device is number 1.
const V: u64 = 512;
const P: u64 = 40;

/// A machine with virtual swap in the middle of a scan that has found both devices.
fn scanning() -> Bed {
    let virt = DeviceInfo { dev: 0, name: "vswap".into(), r#virtual: true, ..DeviceInfo::default() };
    let header = Header { devices: vec![virt], ..Header::default() };
    let mut bed = Bed { collector: Collector::new(Arc::new(header), 250 * MS) };
    let device = Event { entry: Entry::new(0, 0), ..ev(Kind::ScanDevice, 2, 0, 0) };
    bed.apply(&[
        ev(Kind::ScanBegin, 1, 0, 0),
        device,
        Event { arg: 4095, ..ev(Kind::ScanDevice, 3, 4096, 0) },
    ]);
    bed
}

fn at(kind: Kind, ts: u64, off: u64, nr: u16) -> Event {
    Event { entry: Entry::new(0, off), ..ev(kind, ts, off, nr) }
}

fn found(ts: u64, off: u64, nr: u16, at_place: u64) -> Event {
    Event { arg: place::pack(at_place, 1), flags: flags::MEMCG, memcg: 7, ..at(Kind::ScanSlots, ts, off, nr) }
}

fn backed(ts: u64, off: u64, phys: u64, nr: u16) -> Event {
    Event { arg: Entry::new(0, off).0, ..ev(Kind::ScanBacked, ts, phys, nr) }
}

/// Physical slots that hold data of virtual ones, or none.
fn holders(ts: u64, phys: u64, nr: u16, holds: bool) -> Event {
    let what = if holds { place::BACKS } else { place::FREE };
    Event { arg: place::pack(what, 0), ..ev(Kind::ScanSlots, ts, phys, nr) }
}

fn unback(ts: u64, phys: u64, nr: u16) -> Event {
    ev(Kind::Unback, ts, phys, nr)
}

fn phys(bed: &Bed, off: u64) -> Option<u64> {
    bed.slot(off).expect("in use").phys.map(Entry::off)
}

#[test]
fn a_scan_finds_slots_and_what_is_behind_them() {
    let mut bed = scanning();
    bed.apply(&[
        holders(10, P, 4, true),
        found(11, V, 4, place::PHYS),
        backed(12, V, P, 4),
        found(13, V + 4, 2, place::ZSWAP),
        ev(Kind::ScanEnd, 14, 0, 0),
    ]);
    assert_eq!((phys(&bed, V + 3), phys(&bed, V + 4)), (Some(P + 3), None));
    let s = bed.clean();
    let used: Vec<_> = s.devices.iter().map(|d| (d.r#virtual, d.used, d.backing)).collect();
    assert_eq!(used, [(true, 6, 0), (false, 4, 4)], "a physical slot is no slot of its own");
    assert_eq!((s.unconfirmed, s.memcgs[0].slots, s.memcgs[0].charged), (0, 6, 4));
    assert!(s.devices[0].active && s.devices[0].pages == 0);
    // From here on everything is known: what is given up is no surprise.
    let release = Event { flags: flags::CACHED, ..at(Kind::Release, 20, V, 1) };
    bed.apply(&[at(Kind::CacheAdd, 19, V, 1), release, unback(21, P, 1)]);
    assert_eq!(bed.clean().devices[1].backing, 3);
}

#[test]
fn what_an_event_told_of_a_physical_slot_is_younger_than_the_scan() {
    let mut bed = scanning();
    // Given back after the scan read the words and before it told them.
    bed.apply(&[unback(10, P, 1), found(11, V, 2, place::PHYS), backed(12, V, P, 2)]);
    assert_eq!((phys(&bed, V), phys(&bed, V + 1)), (None, Some(P + 1)));
    // The virtual slot has another one by now.
    let back = |ts, p, v| Event { arg: Entry::new(0, v).0, ..ev(Kind::Back, ts, p, 1) };
    bed.apply(&[at(Kind::Alloc, 20, V + 8, 1), back(21, P + 50, V + 8), backed(22, V + 8, P + 8, 1)]);
    assert_eq!(phys(&bed, V + 8), Some(P + 50));
    // And a physical slot another virtual one.
    bed.apply(&[at(Kind::Alloc, 23, V + 9, 1), back(24, P + 60, V + 9), backed(25, V + 10, P + 60, 1)]);
    assert_eq!(phys(&bed, V + 9), Some(P + 60));
    assert_eq!(bed.snap().losses.contradictions, 0);
}

#[test]
fn an_event_about_the_virtual_slot_alone_leaves_the_link_to_the_scan() {
    let mut bed = scanning();
    // Read back and told before the scan told the link, which still holds.
    bed.apply(&[
        at(Kind::CacheAdd, 10, V, 1),
        at(Kind::LoadPhys, 11, V, 1),
        found(12, V, 1, place::PHYS),
        backed(13, V, P, 1),
        ev(Kind::ScanEnd, 14, 0, 0),
    ]);
    assert_eq!((bed.backend(V), phys(&bed, V)), (Some(Backend::Phys), Some(P)));
    assert_eq!(bed.clean().memcgs[0].charged, 1);
}

/// A comparison of `looks` looks that find these slots.
fn compared(bed: &mut Bed, looks: u64, tables: &[Event]) -> VerifyView {
    for look in 1..=looks {
        let begin = Event { arg: look, flags: flags::VERIFY, ..ev(Kind::ScanBegin, 100 + look, 0, 0) };
        let end = Event { flags: flags::VERIFY, ..ev(Kind::ScanEnd, 100 + look, 0, 0) };
        bed.apply(&[begin]);
        for e in tables {
            bed.apply(&[Event { flags: e.flags | flags::VERIFY, ..*e }]);
        }
        bed.apply(&[end]);
    }
    bed.snap().verify.expect("compared")
}

fn known() -> Bed {
    let mut bed = scanning();
    let tables = [found(11, V, 2, place::PHYS), backed(12, V, P, 2), ev(Kind::ScanEnd, 14, 0, 0)];
    bed.apply(&tables);
    bed
}

#[test]
fn a_comparison_looks_at_both_sides_of_a_link() {
    let same = [holders(0, P, 2, true), holders(0, P + 2, 8, false), found(0, V, 2, place::PHYS)];
    let right = [&same[..], &[backed(0, V, P, 2)]].concat();
    let verdict = compared(&mut known(), 2, &right);
    assert_eq!((verdict.checked, verdict.differing), (2, 0), "{verdict:?}");

    let crossed = [&same[..], &[backed(0, V, P + 1, 1), backed(0, V + 1, P, 1)]].concat();
    let verdict = compared(&mut known(), 2, &crossed);
    assert_eq!(verdict.differing, 2);
    assert!(
        verdict.examples[0].contains("slot 0:512 is backed by 1:40 in the map, backed by 1:41"),
        "{verdict:?}"
    );

    let given_back = [holders(0, P, 1, false), holders(0, P + 1, 1, true), found(0, V, 2, place::PHYS)];
    let verdict = compared(&mut known(), 2, &given_back);
    assert_eq!(verdict.differing, 1);
    assert!(verdict.examples[0].contains("slot 1:40 is behind a virtual slot in the map"), "{verdict:?}");

    let more = [&right[..], &[holders(0, P + 20, 1, true)]].concat();
    let verdict = compared(&mut known(), 2, &more);
    assert_eq!(verdict.differing, 1);
    assert!(verdict.examples[0].contains("slot 1:60 is behind no virtual slot in the map"), "{verdict:?}");
}

#[test]
fn an_empty_cluster_backs_nothing() {
    let empty = ev(Kind::ScanCluster, 0, 0, 0);
    let verdict = compared(&mut known(), 2, &[empty, found(0, V, 2, place::PHYS)]);
    assert_eq!(verdict.differing, 2, "{verdict:?}");
}

#[test]
fn what_a_loss_put_in_doubt_differs_from_nothing() {
    let mut bed = known();
    bed.apply(&[gap(50, 3)]);
    let verdict = compared(&mut bed, 2, &[holders(0, P, 4, false), backed(0, V, P + 9, 1)]);
    assert_eq!(verdict.differing, 0, "{verdict:?}");
}

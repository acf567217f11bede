//! Recordings that do not tell everything: begun late, with losses, without references.

use super::super::room::Room;
use super::super::script::Script;
use super::super::{Mix, Row, WhatIf};
use super::{at, consistent, design, header, replay, row, written_back};
use crate::decode::Event;
use crate::meta::{Header, HookPlan, HookState};
use vswap_common::{Kind, flags, place};

/// A scan that finds the device of the script.
fn scan(script: &mut Script) {
    script.events.clear();
    script.tell(Kind::ScanBegin, at(0), 0);
    let e = script.tell(Kind::ScanDevice, at(2048), 0);
    (e.arg, e.val, e.flags) = (2047, -1, 1 << 4 | 1 << 6);
}

#[test]
fn a_trace_that_began_late_counts_what_it_meets() {
    let mut script = Script::new(2048);
    scan(&mut script);
    script.read(100, false);
    script.leave(100, 1);
    script.tell(Kind::CacheDel, at(200), 1).flags = flags::SWAPOUT | flags::WORDS | flags::ZERO;
    let late = Header { from_swapon: false, ..header() };
    for (name, phys) in [("as-recorded", 2), ("vswap", 1)] {
        let mut run = WhatIf::new(&late, design(name, ""));
        script.events.iter().for_each(|e| run.apply(e));
        consistent(&mut run);
        let row = run.row();
        assert_eq!((row.phys_slots, row.now), (phys, Mix { zero: 1, phys: 1, ..Mix::default() }), "{name}");
        assert!(
            !row.exact
                && row.notes[0].contains("0 slots in use count from the scan of the kernel's tables on, 2")
        );
    }
}

#[test]
fn a_trace_that_began_late_counts_what_the_scan_found() {
    let mut script = Script::new(2048);
    scan(&mut script);
    let mut found = |off: u64, nr: u16, there: u64, refs: u64, more: u16| {
        let e = script.tell(Kind::ScanSlots, at(off), nr);
        (e.arg, e.flags) = (place::aged(place::pack(there, refs), 500), more | flags::MEMCG);
        e.val = if there == place::ZSWAP { 1000 } else { 0 };
    };
    found(1, 30, place::ZSWAP, 1, 0);
    found(31, 10, place::ZERO, 2, 0);
    found(41, 20, place::PHYS, 1, 0);
    found(61, 5, place::FOLIO, 0, flags::CACHED);
    found(66, 3, place::FREE, 0, 0);
    found(69, 2, place::IDLE, 0, 0);
    // Read before it was freed: the event is younger.
    script.tell(Kind::Free, at(80), 1);
    let e = script.tell(Kind::ScanSlots, at(80), 1);
    e.arg = place::aged(place::pack(place::PHYS, 1), 1 << 20);
    // Told by an event before.
    script.alloc(90, 1);
    let e = script.tell(Kind::ScanSlots, at(90), 1);
    e.arg = place::pack(place::ZERO, 1);
    script.tell(Kind::ScanEnd, at(0), 0);
    script.free(41, 5);
    let late = Header { from_swapon: false, ..header() };
    let now = Mix { folio: 6, zero: 10, zswap: 30, phys: 15 };
    for (name, phys) in [("as-recorded", 61), ("vswap", 15)] {
        let mut run = WhatIf::new(&late, design(name, ""));
        script.events.iter().for_each(|e| run.apply(e));
        consistent(&mut run);
        let row = run.row();
        assert_eq!((row.phys_slots, row.now), (phys, now), "{name} {row:?}");
        assert_eq!(row.zswap_bytes_peak, 30_000);
        assert!(row.notes[0].contains("65 slots in use count from the scan"), "{:?}", row.notes);
        assert!(!row.notes.iter().any(|note| note.contains("does not describe")), "{:?}", row.notes);
    }
}

#[test]
fn loss_is_said_and_the_rest_goes_on() {
    let mut script = written_back();
    script.tell(Kind::Gap, at(0), 0);
    script.alloc(1, 1);
    script.free(900, 1);
    let row = row(&script, "vswap", "");
    assert!(!row.exact && row.notes[0].contains("records were lost"));
    assert_eq!(row.peak_virtual_slots, 600);
}

#[test]
fn swapoff_takes_everything_of_the_device_along() {
    let mut script = written_back();
    script.tell(Kind::SwapOff, at(0), 0);
    for name in ["as-recorded", "swap-table", "vswap-rfc1", "vswap-rfc2"] {
        let row = row(&script, name, "");
        assert_eq!((row.now, row.phys_slots, row.room), (Mix::default(), 0, Room::default()), "{name}");
        assert!(row.peak_phys_slots >= 100 && row.exact, "{name} {:?}", row.notes);
    }
}

#[test]
fn without_references_only_extend_tables_are_unknown() {
    let mut script = written_back();
    (1..=50).for_each(|off| script.read(off, false));
    (1..=50).for_each(|off| script.give_up(off));
    (300..=400).for_each(|off| script.free(off, 1));
    let follows = |e: &&Event| !matches!(e.kind, Kind::Dup | Kind::Put | Kind::AllocBegin);
    let slots_only: Vec<Event> = script.events.iter().filter(follows).copied().collect();
    let hook = HookPlan { hook: "free".into(), state: HookState::Ok, ..HookPlan::default() };
    let header = Header { plan: vec![hook], ..header() };
    for name in ["as-recorded", "swap-table", "vswap-rfc1", "vswap-rfc2"] {
        let mut run = WhatIf::new(&header, design(name, ""));
        slots_only.iter().for_each(|e| run.apply(e));
        consistent(&mut run);
        let known = run.row();
        assert!(known.notes.len() == 1 && known.notes[0].contains("--slots-only"), "{:?}", known.notes);
        assert_eq!(Row { exact: true, notes: vec![], ..known }, row(&script, name, ""), "{name}");
    }
}

#[test]
fn fifteen_users_cost_an_extend_table() {
    let mut script = Script::new(2048);
    script.alloc(5, 1);
    script.store(5, 1, 100);
    let before = row(&script, "swap-table", "").metadata;
    (0..14).for_each(|_| _ = script.tell(Kind::Dup, at(5), 1));
    for name in ["as-recorded", "swap-table", "vswap-rfc1", "vswap-rfc2"] {
        assert_eq!(row(&script, name, "").metadata.extend, 2048, "{name}");
    }
    assert_eq!(before.extend, 0);
    (0..15).for_each(|_| _ = script.tell(Kind::Put, at(5), 1));
    let run = replay(&script.events, "swap-table", "");
    assert_eq!(run.target.model.cost().extend, 0, "the last user of an uncached slot waits for the free");
    assert_eq!(run.target.model.count(at(1)), Some(1));
}

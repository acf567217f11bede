//! Faults planted into a copy of a real kernel's trace, one of each class: all are found and named, and the good copy
//! has none.

#![allow(clippy::unwrap_used, reason = "tests")]

use assert_cmd::Command;
use serde_json::Value;
use std::path::PathBuf;
use vswap_common::{Entry, Kind, Record};
use vswap_tui::meta::{Header, Trailer};
use vswap_tui::trace::{Item, TraceReader, TraceWriter};

/// The records of a guest that recorded from before swapon.
fn good() -> (Header, Vec<Record>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/linux-7.3-1cpu-order0.vswap");
    let mut reader = TraceReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let header = reader.header().clone();
    let mut records = Vec::new();
    while !matches!(reader.next(&mut records).unwrap(), Item::End(_)) {}
    (header, records)
}

/// What `vswap replay --check` says about these records, and its exit code.
fn check(header: &Header, records: &[Record]) -> (Value, i32) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.vswap");
    let mut writer = TraceWriter::new(Vec::new(), header).unwrap();
    records.iter().for_each(|r| writer.push(r).unwrap());
    let trailer = Trailer { records: records.len() as u64, ..Trailer::default() };
    std::fs::write(&path, writer.finish(&trailer).unwrap()).unwrap();
    let run = Command::cargo_bin("vswap").unwrap().args(["replay", "--check", "--json"]).arg(&path).output();
    let run = run.unwrap();
    (serde_json::from_slice(&run.stdout).unwrap(), run.status.code().unwrap())
}

/// Plants a fault and expects it to be told, at the planted record.
fn planted(fault: &str, plant: impl FnOnce(&mut Vec<Record>) -> Record) {
    let (header, mut records) = good();
    let at = plant(&mut records);
    let (result, exit) = check(&header, &records);
    assert_eq!(exit, 4, "{fault}");
    let faults = result["shadow"]["faults"].as_array().unwrap();
    let found = faults.iter().find(|f| f["fault"] == fault).unwrap_or_else(|| panic!("{fault}: {result}"));
    let first = &found["first"][0];
    let entry = Entry(at.entry);
    assert_eq!(
        (first["ts"].as_u64(), first["dev"].as_u64(), first["off"].as_u64()),
        (Some(at.ts), Some(entry.dev().into()), Some(entry.off())),
        "{fault}: {result}"
    );
}

fn nth(records: &[Record], kind: Kind, n: usize) -> usize {
    records.iter().enumerate().filter(|(_, r)| r.kind == kind as u8).nth(n).unwrap().0
}

/// The next record of `kind` about the same slot.
fn next(records: &[Record], from: usize, kind: Kind) -> Option<usize> {
    let entry = records[from].entry;
    (from + 1..records.len()).find(|&i| records[i].kind == kind as u8 && records[i].entry == entry)
}

#[test]
fn the_good_copy_has_none() {
    let (header, records) = good();
    let (result, exit) = check(&header, &records);
    assert_eq!((exit, &result["shadow"]["faults"]), (0, &serde_json::json!([])));
    assert_eq!(result["shadow"]["events"].as_u64(), Some(records.len() as u64));
}

#[test]
fn double_allocation() {
    planted("double_allocation", |records| {
        let i = nth(records, Kind::Alloc, 700);
        let again = records[i];
        records.insert(i + 1, again);
        again
    });
}

#[test]
fn free_of_a_free_slot() {
    planted("free_of_free_slot", |records| {
        let i = nth(records, Kind::Free, 40);
        let again = records[i];
        records.insert(i + 1, again);
        again
    });
}

#[test]
fn free_under_a_cached_folio() {
    planted("free_in_cache", |records| {
        // The folio's way out of the cache before the free is left out.
        let free = (0..records.len())
            .find(|&i| records[i].kind == Kind::Free as u8 && records[i - 1].kind == Kind::CacheDel as u8)
            .unwrap();
        records.remove(free - 1);
        records[free - 1]
    });
}

#[test]
fn lost_backing() {
    planted("lost_backing", |records| {
        let store = nth(records, Kind::ZswapStore, 300);
        let reclaim = next(records, store, Kind::CacheDel).unwrap();
        let at = records[reclaim];
        records.remove(store);
        at
    });
}

#[test]
fn lost_backing_of_an_uncached_slot() {
    planted("lost_backing", |records| {
        // Its zswap entry goes while nothing else has the data.
        let store = nth(records, Kind::ZswapStore, 300);
        let reclaim = next(records, store, Kind::CacheDel).unwrap();
        let gone = Record { kind: Kind::ZswapFree as u8, flags: 0, ..records[reclaim] };
        records.insert(reclaim + 1, gone);
        gone
    });
}

#[test]
fn two_folios_for_one_slot() {
    planted("two_owners", |records| {
        let i = nth(records, Kind::CacheAdd, 50);
        let again = records[i];
        records.insert(i + 1, again);
        again
    });
}

#[test]
fn two_cgroups_for_one_slot() {
    planted("two_owners", |records| {
        let i = nth(records, Kind::Charge, 500);
        let other = Record { memcg: records[i].memcg + 1, ..records[i] };
        records.insert(i + 1, other);
        other
    });
}

#[test]
fn charge_without_backing() {
    planted("charge_without_backing", |records| {
        let charge = nth(records, Kind::Charge, 500);
        let free = (charge..records.len()).find(|&i| records[i].kind == Kind::Free as u8).unwrap();
        let at = Record { entry: records[free].entry, nr: records[free].nr, ..records[charge] };
        let at = Record { ts: records[free].ts, ..at };
        records.insert(free + 1, at);
        at
    });
}

#[test]
fn use_of_a_free_slot() {
    planted("use_of_free_slot", |records| {
        let free = nth(records, Kind::Free, 10);
        let store = Record { kind: Kind::ZswapStore as u8, val: 100, ..records[free] };
        records.insert(free + 1, store);
        store
    });
}

#[test]
fn store_of_a_folio_that_is_not_cached() {
    planted("not_cached", |records| {
        let store = nth(records, Kind::ZswapStore, 300);
        let reclaim = next(records, store, Kind::CacheDel).unwrap();
        let again = Record { ts: records[reclaim].ts, ..records[store] };
        records.insert(reclaim + 1, again);
        again
    });
}

#[test]
fn zero_flag_on_a_slot_in_zswap() {
    planted("zero_flag", |records| {
        let load = nth(records, Kind::LoadZswap, 20);
        let add = (0..load)
            .rev()
            .find(|&i| records[i].kind == Kind::CacheAdd as u8 && records[i].entry == records[load].entry);
        let add = &mut records[add.unwrap()];
        add.flags |= vswap_common::flags::ZERO | vswap_common::flags::WORDS;
        *add
    });
}

#[test]
fn slots_left_when_the_device_goes() {
    planted("leak_at_swapoff", |records| {
        let last = records.last().copied().unwrap();
        let off = Record { kind: Kind::SwapOff as u8, entry: 0, nr: 0, ts: last.ts + 1000, ..last };
        records.push(off);
        off
    });
}

/// After a loss nothing is concluded from what may have been missed.
#[test]
fn a_gap_excuses_what_it_may_hide() {
    let (header, mut records) = good();
    let store = nth(&records, Kind::ZswapStore, 300);
    let gap = Record { kind: Kind::Gap as u8, arg: 1, ..records[store] };
    records[store] = gap;
    let (result, _) = check(&header, &records);
    assert_eq!(result["shadow"]["faults"], serde_json::json!([]));
    assert_eq!(result["shadow"]["lost"].as_u64(), Some(1));
}

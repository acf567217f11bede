//! A frozen file with every kind of record up to 43 and every type of block, so that no kind loses its number, its name or
//! a field: traces of guests that have them all are too large to keep.

use assert_cmd::Command;
use serde_json::Value;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use vswap_common::{Entry, Kind, Record};
use vswap_tui::collector::Collector;
use vswap_tui::decode::decode;
use vswap_tui::meta::{CgroupInfo, Header, HookTotals, Trailer, Update};
use vswap_tui::trace::reader::Item;
use vswap_tui::trace::{TraceReader, TraceWriter};

/// Kinds by number from 1; what the table says is in recordings of users.
const KINDS: [&str; 43] = [
    "gap",
    "alloc",
    "alloc_fail",
    "charge",
    "cache_add",
    "cache_del",
    "free",
    "zero",
    "writeout_reject",
    "zswap_store",
    "zswap_reject",
    "zswap_page",
    "zswap_free",
    "load_zswap",
    "load_zero",
    "load_phys",
    "load_fail",
    "write",
    "write_end",
    "read_end",
    "swapon",
    "swapoff",
    "cluster_move",
    "dup",
    "put",
    "isolate",
    "alloc_begin",
    "scan_begin",
    "scan_device",
    "scan_cluster",
    "scan_slots",
    "scan_owner",
    "scan_end",
    "reserve",
    "return",
    "swapoff_begin",
    "scan_candidate",
    "shrink",
    "back",
    "unback",
    "release",
    "hibernate",
    "scan_backed",
];
/// Bytes and CRC-32C of the file.
const FROZEN: (usize, u32) = (5121, 0x3c5ac71f);

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kinds/kinds-1-43.vswap")
}

/// Each kind twice, no field the same as in another record and every width of a column used. What the records say makes
/// no sense together: the reader of a file must not mind.
fn records() -> Vec<Record> {
    let kinds = KINDS.len() as u64;
    let record = |i: u64| Record {
        ts: 1_000_000_000 + i * i * 70_001,
        entry: Entry::new((i % 3) as u8, i * (1 << (i % 30)) / 512 * 512 + i % 7).0,
        arg: [0, i, i * 0x1_0001, i << 40][(i % 4) as usize],
        seq: (i * i) as u32,
        val: [0, 1 + i as i32, -(i as i32), i as i32 * 100_000][(i / 2 % 4) as usize],
        tid: 1000 + (i / 5) as u32,
        nr: 1 + (i % 32) as u16,
        memcg: (i * 31 % 1000) as u16,
        cpu: (i % 5) as u16,
        lost: (i / 20) as u16,
        flags: (i * 37 % 512) as u16,
        kind: (1 + i % kinds) as u8,
        order: (i % 10) as u8,
    };
    (0..2 * kinds).map(record).collect()
}

fn header() -> Header {
    let cgroups = vec![CgroupInfo { id: 31, inode: 4711, path: "/kept".into() }];
    Header { tool_version: "0.1.0".into(), origin: "generator".into(), cgroups, ..Header::default() }
}

/// How the file was made; for the next one, of newer kinds: this one is never written again.
#[test]
#[ignore = "writes a file that is kept for ever"]
fn write_the_file() {
    let mut writer = TraceWriter::new(File::create_new(fixture()).unwrap(), &header()).unwrap();
    let mut collector = Collector::new(Arc::new(header()), 1 << 40);
    let records = records();
    let (first, second) = records.split_at(KINDS.len());
    for record in first {
        writer.push(record).unwrap();
        collector.apply(&decode(record).unwrap());
    }
    let hooks = vec![HookTotals { hook: "alloc".into(), emitted: 7, ..HookTotals::default() }];
    let update = Update { hooks: hooks.clone(), ..Update::default() };
    writer.update(&update).unwrap();
    collector.update(&update);
    writer.key_frame(&collector.key_state(), collector.key_slots()).unwrap();
    second.iter().for_each(|r| writer.push(r).unwrap());
    let trailer =
        Trailer { records: records.len() as u64, hooks, reason: "test".into(), ..Trailer::default() };
    writer.finish(&trailer).unwrap();
}

#[test]
fn every_kind_keeps_its_number_its_name_and_its_fields() {
    let bytes = std::fs::read(fixture()).unwrap();
    assert_eq!((bytes.len(), crc32c::crc32c(&bytes)), FROZEN, "the file is frozen: it must not change");
    let mut reader = TraceReader::new(&bytes[..]).unwrap();
    assert_eq!(reader.header().cgroups, header().cgroups);
    let (mut read, mut updates) = (Vec::new(), Vec::new());
    let trailer = loop {
        match reader.next(&mut read).unwrap() {
            Item::Records => {}
            Item::Update(update) => updates.push(update),
            Item::End(trailer) => break trailer.unwrap(),
        }
    };
    assert!(read == records(), "records have changed: {read:?}");
    assert_eq!((updates.len(), updates[0].hooks[0].emitted, trailer.records), (1, 7, read.len() as u64));
    for (number, name) in (1u8..).zip(KINDS) {
        assert_eq!(Kind::from_u8(number).map(Kind::name), Some(name), "kind {number}");
    }
    let events: Vec<_> = read.iter().map(|r| decode(r).unwrap()).collect();
    assert!(events.iter().zip(&read).all(|(e, r)| (e.kind as u8, e.arg, e.val) == (r.kind, r.arg, r.val)));
}

#[test]
fn every_command_takes_every_kind() {
    let run = |args: &[&str], code: i32| {
        let run = Command::cargo_bin("vswap").unwrap().args(args).arg(fixture()).assert().code(code);
        run.get_output().stdout.clone()
    };
    // The gaps in it are losses.
    let report: Value = serde_json::from_slice(&run(&["report", "--json"], 3)).unwrap();
    assert_eq!((report["events"].as_u64(), &report["damage"]), (Some(2 * 43), &Value::Null));
    assert_eq!(report["losses"]["undecodable"], 0);
    let slots = run(&["slots"], 3);
    assert!(String::from_utf8(slots).unwrap().lines().count() > 10);
    let lines = run(&["export", "--format", "ndjson", "-o", "-"], 3);
    let lines = String::from_utf8(lines).unwrap();
    for name in KINDS {
        let named = format!("\"kind\":\"{name}\"");
        assert_eq!(lines.lines().filter(|l| l.contains(&named)).count(), 2, "{name}");
    }
}

//! A whole file. The checksums of a fuzzed file never hold, so they are made right first: what is fuzzed is the rest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use std::sync::Arc;
use vswap_tui::collector::Collector;
use vswap_tui::decode::decode;
use vswap_tui::report::Report;
use vswap_tui::trace::format::{BLOCK_HEADER_LEN, PREAMBLE_LEN, block_type, preamble};
use vswap_tui::trace::index::IndexEntry;
use vswap_tui::trace::{Item, TraceReader};

/// Walks the blocks as far as their lengths lead and sets their checksums; returns where key frames begin.
fn mend(bytes: &mut [u8]) -> Vec<IndexEntry> {
    let mut keys = Vec::new();
    if let Some(head) = bytes.first_chunk_mut() {
        *head = preamble();
    }
    let mut at = PREAMBLE_LEN;
    while let Some(head) = bytes.get(at..at + BLOCK_HEADER_LEN) {
        let stored = u32::from_le_bytes([head[12], head[13], head[14], head[15]]) as usize;
        let Some(payload) = bytes.get(at + BLOCK_HEADER_LEN..).and_then(|b| b.get(..stored)) else { break };
        let crc = vswap_tui::trace::format::checksum(payload);
        bytes[at..at + 4].copy_from_slice(b"VBLK");
        bytes[at + 48..at + 52].copy_from_slice(&crc.to_le_bytes());
        let crc = vswap_tui::trace::format::checksum(&bytes[at..at + 52]);
        bytes[at + 52..at + 56].copy_from_slice(&crc.to_le_bytes());
        if bytes[at + 4] == block_type::KEY
            && let Some(Ok(h)) =
                bytes[at..].first_chunk().map(vswap_tui::trace::format::BlockHeader::decode)
        {
            keys.push(IndexEntry::of(&h, at as u64));
        }
        at += BLOCK_HEADER_LEN + stored;
    }
    keys
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = data.to_vec();
    let mended = bytes.first().is_some_and(|b| b & 1 == 1);
    let keys = if mended { mend(&mut bytes) } else { Vec::new() };
    let Ok(mut reader) = TraceReader::new(Cursor::new(&bytes)) else { return };
    let header = Arc::new(reader.header().clone());
    let mut collector = Collector::new(Arc::clone(&header), 1 << 30);
    let mut records = Vec::new();
    let trailer = loop {
        records.clear();
        match reader.next(&mut records) {
            Ok(Item::Records) => {}
            Ok(Item::Update(update)) => collector.update(&update),
            Ok(Item::End(trailer)) => break trailer,
            Err(e) => panic!("reading from memory failed: {e}"),
        }
        for r in &records {
            match decode(r) {
                Ok(event) => collector.apply(&event),
                Err(_) => collector.note_undecodable(1),
            }
        }
    };
    let snapshot = collector.snapshot();
    assert_eq!(collector.slots().count() as u64, snapshot.used());
    let damage = reader.damage().map(ToString::to_string);
    let report = Report::new(&snapshot, trailer, damage);
    serde_json::to_string(&report).expect("a report is JSON");
    for key in keys.iter().take(4) {
        let Ok(Some(state)) = reader.key_state(key) else { continue };
        let mut there = Collector::restore(Arc::clone(&header), 1 << 30, &[], &state, &[]);
        let _ = reader.key_slots(|r| {
            there.restore_slot(r);
        });
        assert_eq!(there.slots().count() as u64, there.snapshot().used());
    }
});

//! Records of the ring: any bytes are an event or an error, and any events leave the slot map in one piece.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use vswap_common::record::RECORD_SIZE;
use vswap_tui::collector::Collector;
use vswap_tui::decode::decode_bytes;
use vswap_tui::meta::Header;

fuzz_target!(|data: &[u8]| {
    let from_swapon = data.first().is_some_and(|b| b & 1 == 0);
    let mut collector = Collector::new(Arc::new(Header { from_swapon, ..Header::default() }), 1 << 30);
    for bytes in data.chunks(RECORD_SIZE) {
        match decode_bytes(bytes) {
            Ok(event) => collector.apply(&event),
            Err(_) => collector.note_undecodable(1),
        }
    }
    let snapshot = collector.snapshot();
    assert_eq!(collector.slots().count() as u64, snapshot.used());
    let unconfirmed = collector.slots().filter(|s| !s.confirmed).count() as u64;
    assert_eq!(unconfirmed, snapshot.unconfirmed);
});

//! Key frames: a state in JSON, a null byte, then the records of its slots. Whatever is restored must hold together.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::convert::Infallible;
use std::sync::Arc;
use vswap_common::Record;
use vswap_common::record::RECORD_SIZE;
use vswap_tui::collector::Collector;
use vswap_tui::decode::decode;
use vswap_tui::meta::Header;
use vswap_tui::trace::KeyState;

fuzz_target!(|data: &[u8]| {
    let (json, slots) = match data.iter().position(|b| *b == 0) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[][..]),
    };
    let Ok(state) = serde_json::from_slice::<KeyState>(json) else { return };
    if !state.plausible() {
        return;
    }
    let mut collector = Collector::restore(Arc::new(Header::default()), 1 << 30, &[], &state, &[]);
    for bytes in slots.chunks_exact(RECORD_SIZE) {
        let Some(bytes) = bytes.first_chunk() else { return };
        let record = Record::from_bytes(bytes);
        // Slots of the frame first, then events on top of them.
        if !collector.restore_slot(&record)
            && let Ok(event) = decode(&record)
        {
            collector.apply(&event);
        }
    }
    let snapshot = collector.snapshot();
    assert_eq!(collector.slots().count() as u64, snapshot.used());
    assert_eq!(collector.key_slots().filter(|r| r.kind == 1 && r.flags & 7 != 0).map(|r| u64::from(r.nr)).sum::<u64>(), snapshot.used());
    // What opens the next file is the same whether the slots stay or go.
    let mut told = Vec::new();
    let keep = |record| {
        told.push(record);
        Ok::<(), Infallible>(())
    };
    let Ok(()) = collector.opening(keep);
    let mut again = told.iter();
    let compare = |record| {
        assert_eq!(again.next(), Some(&record));
        Ok::<(), Infallible>(())
    };
    let Ok(()) = collector.into_opening(compare);
    assert_eq!(again.next(), None);
});

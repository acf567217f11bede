//! Columns of a block whose checksums hold: any payload gives the promised number of records or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vswap_tui::trace::columns::{Decoder, Encoder};

fuzz_target!(|data: &[u8]| {
    let Some((head, payload)) = data.split_at_checked(6) else { return };
    let count = u32::from(u16::from_le_bytes([head[0], head[1]]));
    let raw_len = u32::from_le_bytes([head[2], head[3], head[4], 0]);
    let Ok(mut decoder) = Decoder::new() else { return };
    let mut records = Vec::new();
    if decoder.decode(payload, count, raw_len, |r| records.push(*r)).is_err() {
        return;
    }
    assert_eq!(records.len(), count as usize);
    // What was read can be written and read again.
    let Ok(mut encoder) = Encoder::new(1) else { return };
    records.iter().for_each(|r| encoder.push(r));
    let mut out = Vec::new();
    let Ok(raw_len) = encoder.finish(&mut out) else { return };
    let mut again = Vec::new();
    decoder.decode(&out, count, raw_len, |r| again.push(*r)).expect("what we wrote is whole");
    assert_eq!(records, again);
});

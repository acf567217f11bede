//! Preamble and block header: 16 and 56 bytes of anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vswap_tui::trace::format::{BlockHeader, MAX_RAW, MAX_RECORDS, read_preamble};

fuzz_target!(|data: &[u8]| {
    if let Some(bytes) = data.first_chunk() {
        read_preamble(bytes);
    }
    if let Some(bytes) = data.first_chunk()
        && let Ok(h) = BlockHeader::decode(bytes)
    {
        assert!(h.raw_len <= MAX_RAW && h.count <= MAX_RECORDS && h.block_len() < 16 << 20);
        // Bytes 6 and 7 are not kept, the rest is.
        let again = h.encode();
        assert_eq!(BlockHeader::decode(&again), Ok(h));
    }
});

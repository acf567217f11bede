//! The index at the end of a file, which anybody may have written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vswap_tui::trace::Index;

fuzz_target!(|data: &[u8]| {
    if let Some(index) = Index::parse(data) {
        assert!(index.blocks.len() + index.keys.len() + index.updates.len() <= data.len() / 48);
        index.span();
        index.records();
    }
});

//! What people write: command lines and the small languages in them.
#![no_main]

use clap::Parser;
use libfuzzer_sys::fuzz_target;
use vswap_tui::cli::Cli;
use vswap_tui::recorder::trigger::Trigger;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = text.parse::<Trigger>();
    let _ = vswap_tui::cli::parse_bytes(text);
    let _ = vswap_tui::cli::parse_speed(text);
    let _ = vswap_tui::cli::parse_slots(text);
    let _ = vswap_tui::runtime::exposition::parse_address(text);
    let words = std::iter::once("vswap").chain(text.split('\n'));
    let _ = Cli::try_parse_from(words);
});

//! What people write: command lines and the small languages in them, and the configuration file.
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
    let _ = vswap_tui::cli::parse_memory(text);
    if let Ok(config) = vswap_tui::config::Config::parse(text) {
        let again = vswap_tui::config::Config::parse(&config.to_toml().expect("a configuration is TOML"));
        again.expect("what we print can be read");
    }
    let words = std::iter::once("vswap").chain(text.split('\n'));
    let _ = Cli::try_parse_from(words);
});

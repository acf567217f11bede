//! `vswap slots`: the slot map, one JSON object a line.

use super::drain::{drain, exit_of, quiet_on_broken_pipe, tell};
use crate::cli::SlotsArgs;
use crate::collector::{Collector, SlotLine};
use crate::exit::Exit;
use anyhow::Context;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

/// Runs `vswap slots`.
///
/// # Errors
/// What ends the command, with its exit code.
pub fn run(args: &SlotsArgs) -> anyhow::Result<Exit> {
    let mut drained = drain(&args.file, args.at)?;
    let losses = drained.collector.snapshot().losses;
    let missing = losses.missing(drained.trailer.as_ref().map_or(0, |t| t.lost));
    quiet_on_broken_pipe(print(&drained.collector, args)).context("write to standard output")?;
    tell(drained.damage.as_deref(), missing, losses.untracked);
    Ok(exit_of(drained.damage.as_deref(), missing))
}

/// One line. Keys and their order are a contract (design, "Slot dump").
#[derive(Serialize)]
struct Line<'a> {
    dev: u8,
    off: u64,
    backend: &'static str,
    phys: Option<Phys>,
    memcg: Cow<'a, str>,
    order: u8,
    cached: bool,
    len: Option<u16>,
    confirmed: bool,
}

#[derive(Serialize)]
struct Phys {
    dev: u8,
    off: u64,
}

impl<'a> Line<'a> {
    fn new(slot: &SlotLine<'a>) -> Self {
        Self {
            dev: slot.dev,
            off: slot.off,
            backend: slot.backend.name(),
            phys: slot.phys.map(|entry| Phys { dev: entry.dev(), off: entry.off() }),
            memcg: slot.memcg_path.map_or_else(|| format!("#{}", slot.memcg).into(), Cow::Borrowed),
            order: slot.order,
            cached: slot.cached,
            len: slot.len,
            confirmed: slot.confirmed,
        }
    }
}

fn print(collector: &Collector, args: &SlotsArgs) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    for slot in collector.slots() {
        if args.device.is_some_and(|dev| dev != slot.dev)
            || args.memcg.as_deref().is_some_and(|wanted| !owned_by(&slot, wanted))
        {
            continue;
        }
        serde_json::to_writer(&mut out, &Line::new(&slot))?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// `wanted` is a path or `#id`; the id works for cgroups with a known path too.
fn owned_by(slot: &SlotLine<'_>, wanted: &str) -> bool {
    let by_id = wanted.strip_prefix('#').and_then(|id| id.parse().ok()) == Some(slot.memcg);
    by_id || slot.memcg_path == Some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Backend;
    use vswap_common::Entry;

    fn slot() -> SlotLine<'static> {
        SlotLine {
            dev: 0,
            off: 4711,
            backend: Backend::Zswap,
            phys: None,
            memcg: 7,
            memcg_path: Some("/wl"),
            order: 0,
            cached: true,
            len: Some(1234),
            confirmed: true,
        }
    }

    #[test]
    fn a_line_is_the_contract_to_the_letter() {
        assert_eq!(
            serde_json::to_string(&Line::new(&slot())).unwrap(),
            r##"{"dev":0,"off":4711,"backend":"zswap","phys":null,"memcg":"/wl","order":0,"cached":true,"len":1234,"confirmed":true}"##
        );
        let other = SlotLine {
            phys: Some(Entry::new(1, 99)),
            memcg_path: None,
            len: None,
            confirmed: false,
            backend: Backend::None,
            ..slot()
        };
        assert_eq!(
            serde_json::to_string(&Line::new(&other)).unwrap(),
            r##"{"dev":0,"off":4711,"backend":"none","phys":{"dev":1,"off":99},"memcg":"#7","order":0,"cached":true,"len":null,"confirmed":false}"##
        );
    }

    #[test]
    fn owners_match_by_path_and_by_id() {
        assert!(owned_by(&slot(), "/wl") && owned_by(&slot(), "#7"));
        assert!(!owned_by(&slot(), "/w") && !owned_by(&slot(), "#8") && !owned_by(&slot(), "7"));
    }
}

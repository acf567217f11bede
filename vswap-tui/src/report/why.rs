//! Causes in the report: one line for each that occurred.

use super::table::Table;
use crate::snapshot::Percentiles;
use crate::snapshot::why::{Fallback, Outcome, Refused, Stay, Walks, Why as Counts};
use crate::ui::format::{count, duration, percent_of};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use vswap_common::slot::ORDERS;
use vswap_common::why::{Reclaimer, Refusal, Writeback};

/// Causes. Lists have only what occurred; "unknown" is what nobody told.
#[derive(Debug, Serialize)]
pub struct Why {
    /// Pages that zswap wrote back.
    pub writeback: Vec<WrittenBack>,
    /// Walks over zswap's list of old entries.
    pub zswap_walks: Vec<Walk>,
    /// Pages swapped out, by who reclaimed.
    pub writeout: Vec<Writeout>,
    /// Stores that zswap refused.
    pub store_refused: Vec<Refusals>,
    /// Folios without a slot.
    pub no_slot: Vec<NoSlot>,
    /// Time of pages in zswap by how it ended, ns, resolution 1 ms.
    pub in_zswap_ns: BTreeMap<&'static str, Percentiles>,
    /// Time from writeback by zswap to the read from the device, ns; `count` is pages, readahead included.
    pub refault_ns: Percentiles,
}

/// Pages that zswap wrote back for one cause under one reclaimer.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct WrittenBack {
    /// Cause.
    pub cause: &'static str,
    /// Who reclaimed; a limit's own work has none.
    pub reclaimer: &'static str,
    /// Pages.
    pub pages: u64,
}

/// Walks for one cause.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Walk {
    /// Cause.
    pub cause: &'static str,
    /// What they did.
    #[serde(flatten)]
    pub did: Walks,
}

/// Pages of one reclaimer's writeouts.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Writeout {
    /// Who reclaimed.
    pub reclaimer: &'static str,
    /// Stored in zswap.
    pub zswap: u64,
    /// Zero-filled.
    pub zero: u64,
    /// Queued to the device.
    pub phys: u64,
    /// Refused.
    pub refused: u64,
}

/// Stores refused for one reason.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Refusals {
    /// Reason.
    pub reason: &'static str,
    /// How many.
    #[serde(flatten)]
    pub refused: Refused,
}

/// Folios of one order that got no slot for one reason.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct NoSlot {
    /// Reason.
    pub reason: &'static str,
    /// Order.
    pub order: u8,
    /// Folios.
    pub folios: u64,
    /// Derived from what the events leave free, not told by the kernel.
    pub inferred: bool,
}

impl From<&Counts> for Why {
    fn from(c: &Counts) -> Self {
        let writeback = Writeback::ALL.iter().flat_map(|cause| {
            Reclaimer::ALL.iter().map(|who| WrittenBack {
                cause: cause.name(),
                reclaimer: who.name(),
                pages: c.writeback[*cause as usize][*who as usize],
            })
        });
        let walks =
            Writeback::ALL.iter().map(|cause| Walk { cause: cause.name(), did: c.walks[*cause as usize] });
        let writeout = Reclaimer::ALL.iter().map(|who| {
            let of = |outcome: Outcome| c.writeout[*who as usize][outcome as usize];
            Writeout {
                reclaimer: who.name(),
                zswap: of(Outcome::Zswap),
                zero: of(Outcome::Zero),
                phys: of(Outcome::Phys),
                refused: of(Outcome::Refused),
            }
        });
        let refused = Refusal::ALL
            .iter()
            .map(|reason| Refusals { reason: reason.name(), refused: c.refusals[*reason as usize] });
        Self {
            writeback: writeback.filter(|w| w.pages > 0).collect(),
            zswap_walks: walks.filter(|w| w.did.walks > 0).collect(),
            writeout: writeout.filter(|w| w.zswap + w.zero + w.phys + w.refused > 0).collect(),
            store_refused: refused.filter(|r| r.refused.folios > 0).collect(),
            no_slot: [(&c.fallbacks, false), (&c.inferred_fallbacks, true)]
                .into_iter()
                .flat_map(|(table, inferred)| no_slot(table, inferred))
                .collect(),
            in_zswap_ns: Stay::ALL.map(|stay| (stay.name(), c.stays[stay as usize])).into(),
            refault_ns: c.refaults,
        }
    }
}

fn no_slot(table: &[[u64; ORDERS]], inferred: bool) -> impl Iterator<Item = NoSlot> {
    Fallback::ALL.iter().zip(table).flat_map(move |(reason, orders)| {
        (0u8..).zip(orders).filter(|(_, n)| **n > 0).map(move |(order, n)| NoSlot {
            reason: reason.name(),
            order,
            folios: *n,
            inferred,
        })
    })
}

/// The causes as text; nothing where nothing occurred.
///
/// # Errors
/// If `out` cannot be written.
pub fn text(why: &Why, out: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new(&["  reclaimer", "zswap", "zero", "phys", "refused"]);
    for w in &why.writeout {
        let [zswap, zero, phys, refused] = [w.zswap, w.zero, w.phys, w.refused].map(count);
        table.row([format!("  {}", w.reclaimer), zswap, zero, phys, refused]);
    }
    table.write("Why: pages swapped out, by who reclaims", out)?;
    let mut table = Table::new(&["  cause", " reclaimer", "pages"]);
    for w in &why.writeback {
        table.row([format!("  {}", w.cause), format!(" {}", w.reclaimer), count(w.pages)]);
    }
    table.write("Why: pages written back by zswap", out)?;
    let mut table = Table::new(&["  cause", "walks", "written", "spared", "failed", "stopped"]);
    for Walk { cause, did } in &why.zswap_walks {
        let [walks, written, spared, failed, stopped] =
            [did.walks, did.written, did.spared, did.failed, did.stopped].map(count);
        table.row([format!("  {cause}"), walks, written, spared, failed, stopped]);
    }
    table.write("Why: entries that zswap looked at for writeback", out)?;
    let mut table = Table::new(&["  reason", "folios", "pages"]);
    for Refusals { reason, refused } in &why.store_refused {
        table.row([format!("  {reason}"), count(refused.folios), count(refused.pages)]);
    }
    table.write("Why: refused by zswap", out)?;
    let mut table = Table::new(&["  reason", "order", "folios"]);
    for n in &why.no_slot {
        let inferred = if n.inferred { " (inferred)" } else { "" };
        table.row([format!("  {}{inferred}", n.reason), n.order.to_string(), count(n.folios)]);
    }
    table.write("Why: folios without slots", out)?;
    let mut table = Table::new(&["  until", "pages", "p50", "p90", "p99", "max"]);
    let stays = why.in_zswap_ns.iter().map(|(name, p)| (*name, p));
    for (name, p) in stays.chain([("read back after writeback", &why.refault_ns)]) {
        if p.count > 0 {
            let [p50, p90, p99, max] = [p.p50, p.p90, p.p99, p.max].map(duration);
            table.row([format!("  {name}"), count(p.count), p50, p90, p99, max]);
        }
    }
    table.write("Why: time in zswap", out)?;
    let written: u64 = why.writeback.iter().map(|w| w.pages).sum();
    if written > 0 {
        let back = why.refault_ns.count;
        writeln!(
            out,
            "  {} of the pages written back were read again",
            percent_of(back.min(written), written)
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_occur_is_left_out_and_what_is_inferred_says_so() {
        let mut c = Counts::default();
        let mut out = Vec::new();
        text(&Why::from(&c), &mut out).unwrap();
        assert!(out.is_empty());
        c.writeback[Writeback::Shrinker as usize][Reclaimer::Kswapd as usize] = 40;
        c.refaults.count = 10;
        c.fallbacks[Fallback::NoRun as usize][4] = 3;
        c.inferred_fallbacks[Fallback::NoSpace as usize][9] = 2;
        let why = Why::from(&c);
        assert_eq!(why.writeback, [WrittenBack { cause: "shrinker", reclaimer: "kswapd", pages: 40 }]);
        let lines: Vec<_> = why.no_slot.iter().map(|n| (n.reason, n.order, n.folios, n.inferred)).collect();
        assert_eq!(lines, [("no_run", 4, 3, false), ("no_space", 9, 2, true)]);
        text(&why, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("no_space (inferred)") && text.contains("25.0 % of the pages written back"),
            "{text}"
        );
    }
}

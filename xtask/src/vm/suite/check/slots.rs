//! Slot by slot: which are in use, and where their pages are.

use super::{Checks, some};
use crate::vm::suite::evidence::{Entry, Kernel, Slot, Vswap};
use crate::vm::suite::scenario::{Backing, Scenario};
use crate::vm::suite::ways::Ways;
use std::collections::BTreeMap;

/// The slots listed are those of pagemap; more only where the swap cache keeps one for a page in memory.
pub(super) fn slot_set(kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
    let listed: BTreeMap<Entry, &Slot> = vswap.slots.iter().map(|s| ((s.dev, s.off), s)).collect();
    bad.that(listed.len() == vswap.slots.len(), || "vswap slots lists a slot twice".to_owned());
    let sorted = vswap.slots.is_sorted_by_key(|s| (s.dev, s.off));
    bad.that(sorted, || "vswap slots is not sorted by device and offset".to_owned());
    let missing: Vec<&Entry> = kernel.truth.keys().filter(|e| !listed.contains_key(e)).collect();
    bad.that(missing.is_empty(), || {
        format!(
            "{} of {} swapped pages are not listed, e.g. {}",
            missing.len(),
            kernel.truth.len(),
            some(&missing)
        )
    });
    let extra: Vec<&&Slot> =
        listed.values().filter(|s| !kernel.truth.contains_key(&(s.dev, s.off)) && !s.cached).collect();
    if kernel.summaries.iter().any(|s| s.shared) {
        // pagemap does not know where shared pages went; smaps knows how many there are.
        let (slots, told) = (vswap.slots.len() as u64, kernel.truth.len() as u64);
        let shared: u64 = kernel.summaries.iter().map(|s| s.shared_swapped).sum();
        bad.that(extra.len() as u64 <= shared && slots >= told + shared, || {
            format!("{slots} slots listed ({} of them not cached and not in pagemap), the workload knows {told} and {shared} shared", extra.len())
        });
    } else {
        bad.that(extra.is_empty(), || {
            format!("{} slots are listed that no page is in, e.g. {}", extra.len(), some(&extra))
        });
    }
    let doubtful: Vec<&Slot> = vswap.slots.iter().filter(|s| !s.confirmed).collect();
    bad.that(doubtful.is_empty(), || {
        format!("{} slots are not confirmed, e.g. {}", doubtful.len(), some(&doubtful))
    });
}

/// The backends a page of this kind may have.
fn demanded(backing: Backing, ways: Ways, kind: &str, slot: &Slot) -> bool {
    // A page that was read back and kept its slot: the folio is the truth, what lies behind it may still be valid.
    if slot.cached && slot.backend == "folio" {
        return true;
    }
    match (kind, backing) {
        ("zero", _) => slot.backend == "zero",
        ("hibernation", _) => slot.backend == "phys",
        // The workload's own memory; locked, so hardly any.
        ("other", _) => slot.backend != "none",
        ("rand", Backing::Zswap) if ways.zswap_refuses => slot.backend == "phys",
        (_, Backing::Zswap | Backing::Memory) => slot.backend == "zswap",
        (_, Backing::Device) => slot.backend == "phys",
        (_, Backing::Writeback) => slot.backend == "zswap" || slot.backend == "phys",
    }
}

pub(super) fn backends(scenario: &Scenario, kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
    let mut wrong: BTreeMap<(String, String), Vec<&Slot>> = BTreeMap::new();
    for slot in &vswap.slots {
        if let Some(kind) = kernel.truth.get(&(slot.dev, slot.off))
            && !demanded(scenario.backing, kernel.ways, kind, slot)
        {
            wrong.entry((kind.clone(), slot.backend.clone())).or_default().push(slot);
        }
    }
    for ((kind, backend), slots) in &wrong {
        bad.0.push(format!(
            "{} pages of kind {kind} are said to be {backend}, e.g. {}",
            slots.len(),
            some(slots)
        ));
    }
    let count = |backend: &str| vswap.slots.iter().filter(|s| s.backend == backend).count() as u64;
    if scenario.backing == Backing::Writeback {
        bad.that(count("phys") > 0, || "no slot is on the device although zswap was written back".to_owned());
    }
    if scenario.backing == Backing::Memory {
        let memory = vswap.slots.iter().filter(|s| s.backend == "folio" && s.cached).count();
        bad.that(memory > 0, || "no page stayed in memory although nothing would take it".to_owned());
        bad.number("totals.pswpout of the report", vswap.number("/totals/pswpout"), 0);
    }
    // Shared pages by content: those not in memory, as slots that no pagemap line explains.
    let mut away: BTreeMap<&str, u64> = BTreeMap::new();
    for (kind, n) in kernel.summaries.iter().filter(|s| s.shared).flat_map(|s| &s.shared_away) {
        let backend = match (kind.as_str(), scenario.backing) {
            ("zero", _) => "zero",
            (_, Backing::Device) => "phys",
            ("rand", _) if kernel.ways.zswap_refuses => "phys",
            _ => "zswap",
        };
        *away.entry(backend).or_default() += n;
    }
    for (backend, want) in away {
        let have = vswap
            .slots
            .iter()
            .filter(|s| s.backend == backend && !s.cached && !kernel.truth.contains_key(&(s.dev, s.off)))
            .count() as u64;
        bad.that(have == want, || format!("shared pages in {backend}: {have} listed, {want} by content"));
    }
    for backend in ["folio", "zero", "zswap", "phys"] {
        let listed = count(backend);
        bad.number(
            &format!("backends.{backend} of the report"),
            vswap.number(&format!("/backends/{backend}")),
            listed,
        );
    }
}

/// After loss: what is still called confirmed must be right, everything else is open.
pub(super) fn confirmed_only(kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
    let wrong: Vec<&Slot> = vswap
        .slots
        .iter()
        .filter(|s| s.confirmed && !s.cached)
        .filter(|s| match kernel.truth.get(&(s.dev, s.off)) {
            Some(kind) => !demanded(Backing::Zswap, kernel.ways, kind, s),
            None => true,
        })
        .collect();
    bad.that(wrong.is_empty(), || {
        format!(
            "{} slots are called confirmed after a loss and are wrong, e.g. {}",
            wrong.len(),
            some(&wrong)
        )
    });
}

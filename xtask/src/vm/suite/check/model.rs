//! The model beside the kernel, and the history of every slot.

use super::Checks;
use crate::vm::suite::evidence::{Kernel, Vswap};

/// No event contradicts what events before it left behind.
pub(super) fn history(vswap: &Vswap, bad: &mut Checks) {
    let faults = vswap.report.pointer("/findings").and_then(serde_json::Value::as_array);
    bad.that(faults.is_some_and(Vec::is_empty), || {
        format!("the trace's own history contradicts itself: {faults:?}")
    });
}

/// The reference model picks the kernel's slot: always on one CPU, nearly always on more, and every miss is explained.
pub(super) fn model(vswap: &Vswap, bad: &mut Checks) {
    let number = |pointer: &str| vswap.check.pointer(pointer).and_then(serde_json::Value::as_u64);
    let (Some(asked), Some(agreed)) = (number("/allocations"), number("/agreed")) else {
        bad.0.push("vswap replay --check says nothing about agreement".to_owned());
        return;
    };
    bad.that(asked > 0, || "vswap replay --check saw no allocation".to_owned());
    let allowed = if vswap.number("/host/cpus") == Some(1) { 0 } else { asked / 500 };
    bad.that(agreed + allowed >= asked, || {
        let first = vswap.check.pointer("/first_divergence");
        format!("the model picks the kernel's slot in {agreed} of {asked} allocations; first: {first:?}")
    });
    for misses in ["/misses", "/paths/misses", "/moves/misses"] {
        let unexplained = number(&format!("{misses}/model")).unwrap_or(0);
        bad.that(unexplained == 0, || format!("{unexplained} of the model's {misses} are not explained"));
    }
    faultless(vswap, bad);
    let broken: Vec<_> = vswap
        .check
        .pointer("/invariants")
        .and_then(serde_json::Value::as_array)
        .into_iter()
        .flatten()
        .filter(|i| i.get("broken").and_then(serde_json::Value::as_u64) != Some(0))
        .collect();
    bad.that(broken.is_empty(), || format!("invariants of the model are broken: {broken:?}"));
}

/// The model went on from what the scan found. On one CPU nothing is left open by it, except whose turn it is among
/// devices of one priority.
pub(super) fn warm(vswap: &Vswap, bad: &mut Checks) {
    let told =
        |pointer: &str| vswap.check.pointer(pointer).and_then(serde_json::Value::as_bool) == Some(true);
    bad.that(told("/from_scan"), || "the model did not begin with what the scan found".to_owned());
    let number =
        |pointer: &str| vswap.check.pointer(pointer).and_then(serde_json::Value::as_u64).unwrap_or(0);
    for misses in ["/misses", "/paths/misses", "/moves/misses"] {
        let unexplained = number(&format!("{misses}/model"));
        bad.that(unexplained == 0, || format!("{unexplained} of the model's {misses} are not explained"));
    }
    if vswap.number("/host/cpus") == Some(1) {
        let (asked, agreed) = (number("/allocations"), number("/agreed"));
        let first = vswap.check.pointer("/first_divergence");
        bad.that(agreed == asked, || {
            format!("after the scan the model picks the kernel's slot in {agreed} of {asked} allocations; first: {first:?}")
        });
    }
    faultless(vswap, bad);
}

/// No event contradicts the history of its slot.
pub(super) fn faultless(vswap: &Vswap, bad: &mut Checks) {
    let faults = vswap.check.pointer("/shadow/faults").and_then(serde_json::Value::as_array);
    bad.that(faults.is_some_and(Vec::is_empty), || {
        format!("the trace's own history contradicts itself: {faults:?}")
    });
}

/// Without a virtual layer the what-if needs what the kernel really uses, forced to its slots or by its own choice.
pub(super) fn designs(kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
    // Slots of a hibernation image are no pages: designs leave them out.
    let used: u64 = kernel.used.iter().map(|(_, pages)| pages).sum::<u64>() - kernel.image();
    let models = vswap.check.pointer("/models").and_then(serde_json::Value::as_array);
    let number = |model: &serde_json::Value, key: &str| model.get(key).and_then(serde_json::Value::as_u64);
    let (Some(recorded), Some(own)) = (models.and_then(|m| m.first()), models.and_then(|m| m.get(1))) else {
        bad.0.push("vswap replay --compare says nothing about as-recorded and swap-table".to_owned());
        return;
    };
    for model in [recorded, own] {
        let name = model.get("model").and_then(serde_json::Value::as_str).unwrap_or("a design");
        bad.number(&format!("physical slots of {name}"), number(model, "phys_slots"), used);
    }
    let (peak, own) = (number(recorded, "peak_phys_slots"), number(own, "peak_phys_slots"));
    bad.that(peak.is_some_and(|peak| peak >= used) && peak == own, || {
        format!("peaks of as-recorded and swap-table: {peak:?} and {own:?}; in use at the end: {used}")
    });
}

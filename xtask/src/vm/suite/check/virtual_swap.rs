//! Virtual slots, and the physical ones behind them: kernel-side counters against both.

use super::{Checks, some};
use crate::vm::suite::evidence::{Kernel, Place, Slot, Vswap};
use std::collections::BTreeMap;

/// The device that virtual slots are on: it is there before all others.
const VIRTUAL: u8 = 0;

/// What the kernel counts of virtual slots, and that no physical slot has two of them.
pub(super) fn virtual_slots(kernel: &Kernel, vswap: &Vswap, used: u64, bad: &mut Checks) {
    let listed = vswap.slots.iter().filter(|s| s.dev == VIRTUAL).count() as u64;
    bad.that(listed == used, || format!("{listed} virtual slots are listed, the kernel uses {used}"));
    let flag = vswap.report.pointer("/devices/0/virtual").and_then(serde_json::Value::as_bool);
    bad.that(flag == Some(true), || format!("device 0 of the report is virtual: {flag:?}"));
    bad.number("virtual slots of the report", vswap.number("/devices/0/used"), used);
    let mut owners: BTreeMap<Place, Vec<&Slot>> = BTreeMap::new();
    for slot in &vswap.slots {
        if let Some(phys) = slot.phys {
            owners.entry(phys).or_default().push(slot);
        }
    }
    let shared: Vec<_> = owners.iter().filter(|(_, slots)| slots.len() > 1).collect();
    bad.that(shared.is_empty(), || format!("physical slots with two owners: {}", some(&shared)));
    let homeless: Vec<&Slot> = vswap
        .slots
        .iter()
        .filter(|s| {
            (s.dev == VIRTUAL && s.backend == "phys" && s.phys.is_none())
                || (s.dev != VIRTUAL && s.phys.is_some())
        })
        .collect();
    bad.that(homeless.is_empty(), || {
        format!("slots whose data is on a device that is not named, or named twice: {}", some(&homeless))
    });
    for (dev, _) in kernel.devices() {
        let backing = owners.keys().filter(|phys| usize::from(phys.dev) == dev).count() as u64;
        let told = vswap.number(&format!("/devices/{dev}/backing")).unwrap_or(0);
        bad.equal(&format!("slots of device {dev} that back virtual ones"), told as i64, backing as i64);
    }
}

/// A slot of the device with this number, or one that has its data there.
pub(super) fn uses(slot: &Slot, dev: usize) -> bool {
    usize::from(slot.phys.map_or(slot.dev, |phys| phys.dev)) == dev
}

/// Its cgroup pays for it: a virtual slot without a physical one costs nothing.
pub(super) fn charged(kernel: &Kernel, slot: &Slot) -> bool {
    !kernel.ways.virtual_swap || slot.phys.is_some() || slot.dev != VIRTUAL
}

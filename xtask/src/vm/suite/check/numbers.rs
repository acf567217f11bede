//! Sums, against the counters that the kernel keeps.

use super::equalities::of_hook;
use super::virtual_swap::{charged, uses};
use super::{Checks, some};
use crate::vm::suite::evidence::{Kernel, Slot, Vswap};
use crate::vm::suite::scenario::{Backing, Scenario, Special};
use crate::vm::suite::ways::KEEPS_PARTIAL_STORES;
use std::collections::{BTreeMap, BTreeSet};

/// Counters that `totals` of the report and vmstat have under the same name.
const TOTALS: [&str; 7] = ["zswpout", "zswpin", "zswpwb", "pswpout", "pswpin", "swpout_zero", "swpin_zero"];

pub(super) fn numbers(scenario: &Scenario, kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
    let in_zswap = vswap.slots.iter().filter(|s| s.backend == "zswap").count() as u64;
    match kernel.stored_pages {
        Some(stored) if keeps_partial_stores(scenario, vswap) => {
            let entries = of_hook(vswap, "store_page", "runs") + kernel.stored_before;
            let left = entries.checked_sub(of_hook(vswap, "zswap_free", "runs"));
            bad.number("entries made and there before, less those freed, against stored_pages", left, stored);
            bad.that(in_zswap <= stored, || {
                format!("{in_zswap} slots are in zswap, its stored_pages is {stored}")
            });
        }
        Some(stored) => bad.that(in_zswap == stored, || {
            format!("{in_zswap} slots are in zswap, its stored_pages is {stored}")
        }),
        // The folder appears when zswap is used for the first time.
        None => bad.that(in_zswap == 0, || format!("{in_zswap} slots in a zswap that was never used")),
    }
    for (dev, (name, used)) in kernel.devices() {
        let listed = vswap.slots.iter().filter(|s| uses(s, dev)).count() as u64;
        let idle = idle(kernel, vswap, dev, bad);
        bad.that(listed + idle == *used, || {
            format!("{listed} slots of {name} are listed and {idle} idle, /proc/swaps says {used}")
        });
    }
    let mut by_memcg: BTreeMap<&str, u64> = BTreeMap::new();
    let image =
        |slot: &&Slot| kernel.truth.get(&(slot.dev, slot.off)).is_some_and(|kind| kind == "hibernation");
    let owned: Vec<&Slot> =
        vswap.slots.iter().filter(image).filter(|s| s.memcg.as_deref() != Some("#0")).collect();
    bad.that(owned.is_empty(), || format!("slots of an image have an owner: {}", some(&owned)));
    for slot in vswap.slots.iter().filter(|slot| !image(slot) && charged(kernel, slot)) {
        *by_memcg.entry(slot.memcg.as_deref().unwrap_or("(none)")).or_default() += 1;
    }
    for (path, bytes) in &kernel.swap_current {
        // A cgroup is charged for those below it, removed ones too.
        let below = |owner: &str| {
            owner.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let listed: u64 = by_memcg.iter().filter(|(owner, _)| below(owner)).map(|(_, slots)| slots).sum();
        // A slot that waits stays charged if somebody gave it up, and is not charged if nobody had it yet.
        let idle: u64 = kernel.devices().map(|(dev, _)| idle(kernel, vswap, dev, bad)).sum();
        let pages = bytes / 4096;
        bad.that(listed <= pages && pages <= listed + idle, || {
            format!("{listed} slots of {path} are listed and {idle} idle, its memory.swap.current is {pages} pages")
        });
    }
    let removed = match scenario.special {
        Special::Removed(paths) => paths,
        _ => &[],
    };
    let known = |path: &str| kernel.swap_current.contains_key(path) || removed.contains(&path);
    let strangers: BTreeSet<&&str> = by_memcg.keys().filter(|path| !known(path)).collect();
    bad.that(strangers.is_empty(), || format!("slots of cgroups that charge no swap: {strangers:?}"));
}

/// See [`KEEPS_PARTIAL_STORES`].
fn keeps_partial_stores(scenario: &Scenario, vswap: &Vswap) -> bool {
    let layout = vswap.report.pointer("/layout").and_then(serde_json::Value::as_str);
    scenario.large && scenario.backing == Backing::Memory && layout == Some(KEEPS_PARTIAL_STORES)
}

/// What the tables said at the start was read, and at the end they say what the slot map says.
pub(super) fn tables(vswap: &Vswap, bad: &mut Checks) {
    bad.positive("slots read by the scan", vswap.number("/scan/slots"));
    let whole = |what: &str| vswap.report.pointer(what).and_then(serde_json::Value::as_bool) == Some(true);
    bad.that(whole("/scan/complete"), || "the scan did not read everything".to_owned());
    bad.number("slots nobody knows", vswap.number("/verify/unknown"), 0);
    bad.positive("slots compared with the tables", vswap.number("/verify/checked"));
    compared(vswap, bad);
}

/// What is called certain is what the tables say.
pub(super) fn compared(vswap: &Vswap, bad: &mut Checks) {
    let whole = vswap.report.pointer("/verify/complete").and_then(serde_json::Value::as_bool);
    bad.that(whole == Some(true), || "the tables were not compared to their end".to_owned());
    let examples = vswap.report.pointer("/verify/examples");
    bad.that(vswap.number("/verify/differing") == Some(0), || {
        format!("slots differ from the kernel's tables: {examples:?}")
    });
}

/// Slots of the device that wait in the caches of all CPUs, as the report says; they have room for so many.
fn idle(kernel: &Kernel, vswap: &Vswap, dev: usize, bad: &mut Checks) -> u64 {
    let told = reported(vswap, dev).and_then(|d| d.get("idle")).and_then(serde_json::Value::as_u64);
    let room = kernel.ways.idle_per_cpu * vswap.number("/host/cpus").unwrap_or(0);
    bad.that(told.is_some() == (room > 0) && told.unwrap_or(0) <= room, || {
        format!("idle slots of device {dev} in the report: {told:?}, there is room for {room}")
    });
    told.unwrap_or(0)
}

/// The device with this number in the report.
fn reported(vswap: &Vswap, dev: usize) -> Option<&serde_json::Value> {
    let devices = vswap.report.pointer("/devices").and_then(|d| d.as_array())?;
    devices.iter().find(|d| d.get("dev").and_then(serde_json::Value::as_u64) == Some(dev as u64))
}

/// Sums of the report that the kernel has too.
pub(super) fn counters(kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
    devices(kernel, vswap, bad);
    for name in TOTALS {
        let want = kernel.vmstat.get(name).copied().unwrap_or(0);
        bad.number(
            &format!("totals.{name} of the report (vmstat)"),
            vswap.number(&format!("/totals/{name}")),
            want,
        );
    }
}

/// Use of each device.
pub(super) fn devices(kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
    for (dev, (name, used)) in kernel.devices() {
        let reported = reported(vswap, dev).and_then(|d| d.get("used")).and_then(serde_json::Value::as_u64);
        let idle = idle(kernel, vswap, dev, bad);
        bad.number(
            &format!("used of {name} in the report, {idle} idle ones apart"),
            reported,
            used - idle.min(*used),
        );
    }
}

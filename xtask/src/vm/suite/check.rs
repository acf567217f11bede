//! Every equality between the trace and the kernel's own numbers. Each failure is a sentence with both sides.

use super::evidence::{Entry, Kernel, Slot, Vswap};
use super::scenario::{Backing, End, Scenario};
use super::ways::Ways;
use std::collections::{BTreeMap, BTreeSet};

/// Counters that `totals` of the report and vmstat have under the same name.
const TOTALS: [&str; 7] = ["zswpout", "zswpin", "zswpwb", "pswpout", "pswpin", "swpout_zero", "swpin_zero"];

/// Examples in a message: enough to look at, not a flood.
const EXAMPLES: usize = 5;

/// What the kernel and the workload must agree on without any trace.
pub(crate) fn load(scenario: &Scenario, cpus: u32, kernel: &Kernel) -> Vec<String> {
    let mut bad = Vec::new();
    for (name, least) in scenario.at_least {
        let have = kernel.vmstat.get(*name).copied().unwrap_or(0);
        let half = scenario.zswap_takes_half && name.starts_with("zsw");
        let least = if half { least / 2 } else { *least };
        if have < least {
            bad.push(format!("the load is too weak: {name} rose by {have}, wanted at least {least}"));
        }
    }
    if scenario.end == End::Swapoff {
        return bad;
    }
    let used: u64 = kernel.used.iter().map(|(_, pages)| pages).sum();
    let told = kernel.truth.len() as u64 + kernel.summaries.iter().map(|s| s.shared_swapped).sum::<u64>();
    let present: u64 = kernel.summaries.iter().map(|s| s.present + s.freed).sum();
    // Present pages may keep their slot in the swap cache, freed ones that of the large folio they were in; before 6.18
    // a few idle ones wait in the caches of each CPU. Elsewhere a few belong to the recorder and its kin.
    let idle = kernel.ways.idle_per_cpu * u64::from(cpus);
    if told > used || used > told + present + 128 + idle {
        bad.push(format!(
            "/proc/swaps says {used} pages are used, the workload knows {told} (and {present} present or freed)"
        ));
    }
    if kernel.summaries.iter().all(|s| s.swapped + s.shared_swapped == 0) {
        bad.push("nothing is swapped".to_owned());
    }
    bad
}

/// What the trace must say, according to how the recording ended.
pub(crate) fn trace(scenario: &Scenario, kernel: &Kernel, vswap: &Vswap) -> Vec<String> {
    let mut bad = Checks::default();
    match scenario.end {
        End::Clean => {
            whole(scenario, kernel, vswap, &mut bad);
            counters(kernel, vswap, &mut bad);
            history(vswap, &mut bad);
            if kernel.ways.model {
                model(vswap, &mut bad);
                designs(kernel, vswap, &mut bad);
            }
        }
        End::Late => {
            whole(scenario, kernel, vswap, &mut bad);
            devices(kernel, vswap, &mut bad);
            tables(vswap, &mut bad);
            for (dev, (name, _)) in kernel.used.iter().enumerate() {
                let told = vswap.report.pointer(&format!("/devices/{dev}/name"));
                bad.that(told.and_then(serde_json::Value::as_str) == Some(name), || {
                    format!("device {dev} is called {told:?}, wanted {name}")
                });
            }
            bad.number("events that contradict the scan", vswap.number("/losses/contradictions"), 0);
        }
        End::Lossy => {
            bad.equal("exit code of vswap record", i64::from(vswap.record_code), 3);
            bad.equal("exit code of vswap report", i64::from(vswap.report_code), 3);
            bad.positive("lost", vswap.number("/lost"));
            bad.positive("unconfirmed", vswap.number("/unconfirmed"));
            confirmed_only(kernel, vswap, &mut bad);
        }
        End::Killed => {
            bad.equal("exit code of vswap record (killed)", i64::from(vswap.record_code), 128 + 9);
            bad.equal("exit code of vswap report", i64::from(vswap.report_code), 5);
            bad.positive("events", vswap.number("/events"));
            bad.that(!vswap.slots.is_empty(), || "vswap slots lists nothing of what was whole".to_owned());
        }
        End::Swapoff => {
            bad.equal("exit code of vswap record", i64::from(vswap.record_code), 0);
            bad.number("lost", vswap.number("/lost"), 0);
            bad.that(vswap.slots.is_empty(), || format!("slots after swapoff: {}", some(&vswap.slots)));
            let used = vswap.number("/devices/0/used");
            bad.number("used of the device that went", used, 0);
            let alloc = vswap.number("/totals/alloc").unwrap_or(0);
            bad.number("slots freed, of those allocated", vswap.number("/totals/free"), alloc);
            history(vswap, &mut bad);
            if kernel.ways.model {
                // That it began is not in the trace, and the allocator refuses from then on: no agreement is asked for.
                faultless(vswap, &mut bad);
            }
        }
        End::Live => {
            bad.equal("exit code of vswap live", i64::from(vswap.record_code), 0);
            bad.number("lost", vswap.number("/lost"), 0);
            bad.number("unconfirmed", vswap.number("/unconfirmed"), 0);
            counters(kernel, vswap, &mut bad);
            history(vswap, &mut bad);
            model(vswap, &mut bad);
        }
    }
    bad.0
}

/// A recording that lost nothing and knows every slot.
fn whole(scenario: &Scenario, kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
    bad.equal("exit code of vswap record", i64::from(vswap.record_code), 0);
    bad.equal("exit code of vswap report", i64::from(vswap.report_code), 0);
    bad.number("lost", vswap.number("/lost"), 0);
    bad.number("unconfirmed", vswap.number("/unconfirmed"), 0);
    slot_set(kernel, vswap, bad);
    backends(scenario, kernel, vswap, bad);
    numbers(kernel, vswap, bad);
}

#[derive(Default)]
struct Checks(Vec<String>);

impl Checks {
    fn that(&mut self, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.0.push(message());
        }
    }

    fn equal(&mut self, what: &str, have: i64, want: i64) {
        self.that(have == want, || format!("{what}: {have}, wanted {want}"));
    }

    fn number(&mut self, what: &str, have: Option<u64>, want: u64) {
        self.that(have == Some(want), || match have {
            Some(have) => format!("{what}: {have}, wanted {want}"),
            None => format!("{what}: not in the report, wanted {want}"),
        });
    }

    fn positive(&mut self, what: &str, have: Option<u64>) {
        self.that(have.is_some_and(|n| n > 0), || format!("{what}: {have:?}, wanted more than 0"));
    }
}

/// The slots listed are those of pagemap; more only where the swap cache keeps one for a page in memory.
fn slot_set(kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
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
        // The workload's own memory; locked, so hardly any.
        ("other", _) => slot.backend != "none",
        ("rand", Backing::Zswap) if ways.zswap_refuses => slot.backend == "phys",
        (_, Backing::Zswap | Backing::Memory) => slot.backend == "zswap",
        (_, Backing::Device) => slot.backend == "phys",
        (_, Backing::Writeback) => slot.backend == "zswap" || slot.backend == "phys",
    }
}

fn backends(scenario: &Scenario, kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
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

fn numbers(kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
    let in_zswap = vswap.slots.iter().filter(|s| s.backend == "zswap").count() as u64;
    match kernel.stored_pages {
        Some(stored) => bad.that(in_zswap == stored, || {
            format!("{in_zswap} slots are in zswap, its stored_pages is {stored}")
        }),
        // The folder appears when zswap is used for the first time.
        None => bad.that(in_zswap == 0, || format!("{in_zswap} slots in a zswap that was never used")),
    }
    for (dev, (name, used)) in kernel.used.iter().enumerate() {
        let listed = vswap.slots.iter().filter(|s| usize::from(s.dev) == dev).count() as u64;
        let idle = idle(kernel, vswap, dev, bad);
        bad.that(listed + idle == *used, || {
            format!("{listed} slots of {name} are listed and {idle} idle, /proc/swaps says {used}")
        });
    }
    let mut by_memcg: BTreeMap<&str, u64> = BTreeMap::new();
    for slot in &vswap.slots {
        *by_memcg.entry(slot.memcg.as_deref().unwrap_or("(none)")).or_default() += 1;
    }
    for (path, bytes) in &kernel.swap_current {
        let listed = by_memcg.get(path.as_str()).copied().unwrap_or(0);
        // A slot that waits stays charged if somebody gave it up, and is not charged if nobody had it yet.
        let idle: u64 = (0..kernel.used.len()).map(|dev| idle(kernel, vswap, dev, bad)).sum();
        let pages = bytes / 4096;
        bad.that(listed <= pages && pages <= listed + idle, || {
            format!("{listed} slots of {path} are listed and {idle} idle, its memory.swap.current is {pages} pages")
        });
    }
    let strangers: BTreeSet<&&str> =
        by_memcg.keys().filter(|path| !kernel.swap_current.contains_key(**path)).collect();
    bad.that(strangers.is_empty(), || format!("slots of cgroups that charge no swap: {strangers:?}"));
}

/// What the tables said at the start was read, and at the end they say what the slot map says.
fn tables(vswap: &Vswap, bad: &mut Checks) {
    bad.positive("slots read by the scan", vswap.number("/scan/slots"));
    let whole = |what: &str| vswap.report.pointer(what).and_then(serde_json::Value::as_bool) == Some(true);
    bad.that(whole("/scan/complete"), || "the scan did not read everything".to_owned());
    bad.that(whole("/verify/complete"), || "the tables were not compared to their end".to_owned());
    bad.positive("slots compared with the tables", vswap.number("/verify/checked"));
    bad.number("slots nobody knows", vswap.number("/verify/unknown"), 0);
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
fn counters(kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
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

/// No event contradicts what events before it left behind.
fn history(vswap: &Vswap, bad: &mut Checks) {
    let faults = vswap.report.pointer("/findings").and_then(serde_json::Value::as_array);
    bad.that(faults.is_some_and(Vec::is_empty), || {
        format!("the trace's own history contradicts itself: {faults:?}")
    });
}

/// Use of each device.
fn devices(kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
    // Devices in the order of /proc/swaps are numbered from 0: the suite uses no other.
    for (dev, (name, used)) in kernel.used.iter().enumerate() {
        let reported = reported(vswap, dev).and_then(|d| d.get("used")).and_then(serde_json::Value::as_u64);
        let idle = idle(kernel, vswap, dev, bad);
        bad.number(
            &format!("used of {name} in the report, {idle} idle ones apart"),
            reported,
            used - idle.min(*used),
        );
    }
}

/// The reference model picks the kernel's slot: always on one CPU, nearly always on more, and every miss is explained.
fn model(vswap: &Vswap, bad: &mut Checks) {
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

/// No event contradicts the history of its slot.
fn faultless(vswap: &Vswap, bad: &mut Checks) {
    let faults = vswap.check.pointer("/shadow/faults").and_then(serde_json::Value::as_array);
    bad.that(faults.is_some_and(Vec::is_empty), || {
        format!("the trace's own history contradicts itself: {faults:?}")
    });
}

/// Without a virtual layer the what-if needs what the kernel really uses, forced to its slots or by its own choice.
fn designs(kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
    let used: u64 = kernel.used.iter().map(|(_, pages)| pages).sum();
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

/// After loss: what is still called confirmed must be right, everything else is open.
fn confirmed_only(kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
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

fn some<T: std::fmt::Debug>(items: &[T]) -> String {
    items.iter().take(EXAMPLES).map(|item| format!("{item:?}")).collect::<Vec<_>>().join(", ")
}

//! Every equality between the trace and the kernel's own numbers. Each failure is a sentence with both sides.

mod equalities;
mod model;
mod numbers;
mod slots;
mod special;
mod virtual_swap;

use super::evidence::{Kernel, Vswap};
use super::scenario::{End, Scenario};
use equalities::{equalities, of_hook};
use model::{designs, faultless, history, model, warm};
use numbers::{compared, counters, devices, numbers, tables};
use slots::{backends, confirmed_only, slot_set};
use special::special;
use virtual_swap::virtual_slots;

/// Examples in a message: enough to look at, not a flood.
const EXAMPLES: usize = 5;

/// What the kernel and the workload must agree on without any trace.
pub(crate) fn load(scenario: &Scenario, cpus: u32, kernel: &Kernel) -> Vec<String> {
    let mut bad = Vec::new();
    // Virtual slots are found for every folio, and physical ones for a large folio or not at all: none is split for want of
    // slots.
    let split = |name: &str| name == "thp_swpout_fallback" && kernel.ways.virtual_swap;
    for (name, least) in scenario.at_least.iter().filter(|(name, _)| !split(name)) {
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
    let used = kernel.slots_used();
    let told = kernel.truth.len() as u64 + kernel.summaries.iter().map(|s| s.shared_swapped).sum::<u64>();
    let present: u64 = kernel.summaries.iter().map(|s| s.present + s.freed).sum();
    // Present pages may keep their slot in the swap cache, freed ones that of the large folio they were in; before 6.18
    // a few idle ones wait in the caches of each CPU. Elsewhere a few belong to the recorder and its kin.
    let idle = kernel.ways.idle_per_cpu * u64::from(cpus);
    if told > used || used > told + present + 128 + idle + kernel.virtual_left {
        bad.push(format!(
            "the kernel says {used} slots are used, the workload knows {told} (and {present} present or freed)"
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
            equalities(scenario, kernel, vswap, &mut bad);
            special(scenario, kernel, vswap, &mut bad);
            history(vswap, &mut bad);
            if kernel.ways.model {
                model(vswap, &mut bad);
            }
            if kernel.ways.model && !kernel.ways.virtual_swap {
                designs(kernel, vswap, &mut bad);
            }
        }
        End::Late => {
            whole(scenario, kernel, vswap, &mut bad);
            devices(kernel, vswap, &mut bad);
            tables(vswap, &mut bad);
            for (dev, (name, _)) in kernel.devices() {
                let told = vswap.report.pointer(&format!("/devices/{dev}/name"));
                bad.that(told.and_then(serde_json::Value::as_str) == Some(name), || {
                    format!("device {dev} is called {told:?}, wanted {name}")
                });
            }
            bad.number("events that contradict the scan", vswap.number("/losses/contradictions"), 0);
            if kernel.ways.model {
                warm(vswap, &mut bad);
            }
        }
        End::Lossy => {
            bad.equal("exit code of vswap record", i64::from(vswap.record_code), 3);
            bad.equal("exit code of vswap report", i64::from(vswap.report_code), 3);
            bad.positive("lost", vswap.number("/lost"));
            // The ring overflows again and again: a loss is told where it happened. The counters know of all at the end,
            // and would make one gap of them.
            let gaps = vswap.number("/losses/gaps").unwrap_or(0);
            bad.that(gaps >= 10, || format!("{gaps} gaps: losses are not told where they happened"));
            bad.positive("unconfirmed", vswap.number("/unconfirmed"));
            confirmed_only(kernel, vswap, &mut bad);
        }
        End::Rescan => {
            bad.equal("exit code of vswap record", i64::from(vswap.record_code), 3);
            bad.positive("lost", vswap.number("/lost"));
            // None ran at the start: nothing was in swap.
            bad.positive("scans after a loss", vswap.number("/scan/scans"));
            compared(vswap, &mut bad);
            // The load was over when they were read: nothing was lost any more that could put them in doubt.
            let (checked, used) = (vswap.number("/verify/checked"), kernel.slots_used());
            let idle = kernel.ways.idle_per_cpu * 4;
            bad.that(checked.is_some_and(|n| n > 0 && n + idle + used / 10 >= used), || {
                format!("{checked:?} slots were compared after the loss, {used} are in use")
            });
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
            // Virtual slots stay: their pages are in memory, or in zswap.
            let stay = kernel.virtual_used.unwrap_or(0);
            bad.equal("slots listed after swapoff", vswap.slots.len() as i64, stay as i64);
            let homeless: Vec<_> =
                vswap.slots.iter().filter(|s| s.phys.is_some() || s.backend == "phys").collect();
            bad.that(homeless.is_empty(), || format!("slots on a device that is gone: {}", some(&homeless)));
            for dev in 0..=usize::from(kernel.ways.virtual_swap) {
                let used = vswap.number(&format!("/devices/{dev}/used"));
                let left = if kernel.ways.virtual_swap && dev == 0 { stay } else { 0 };
                bad.number("used when the device had gone", used, left);
            }
            let total = |name: &str| vswap.number(&format!("/totals/{name}")).unwrap_or(0);
            bad.number(
                "slots allocated, and there before, less those that stay, against those freed",
                (total("alloc") + kernel.virtual_left).checked_sub(stay),
                total("free"),
            );
            // Every round of a swapoff tells it again. A device may have no slot in use where slots are virtual, and then
            // there is nothing to bring back.
            if !kernel.ways.virtual_swap {
                bad.positive("begins of swapoff told", Some(of_hook(vswap, "swapoff_begin", "emitted")));
            }
            history(vswap, &mut bad);
            if kernel.ways.model {
                // It is told after the allocator began to refuse, by which time workers have asked: no agreement is
                // wanted.
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
    numbers(scenario, kernel, vswap, bad);
    if let Some(used) = kernel.virtual_used {
        virtual_slots(kernel, vswap, used, bad);
    }
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

fn some<T: std::fmt::Debug>(items: &[T]) -> String {
    items.iter().take(EXAMPLES).map(|item| format!("{item:?}")).collect::<Vec<_>>().join(", ")
}

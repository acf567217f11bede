//! What must be equal whatever the load: sums of events, calls of the hooked functions (the kernel counts the runs of
//! our programs) and the kernel's counters. By the numbers in the messages:
//!
//! 1. slots in use: allocated - freed
//! 2. `nr_swapcached`: slots with a folio
//! 3. `memory.swap.current`: slots of the cgroup and those below it (see `numbers`)
//! 4. writeouts: zswap stores + zero folios + folios given up inside
//! 5. `zswpout`: pages charged to zswap
//! 6. `stored_pages`: pages charged to zswap - entries freed
//! 7. `pswpout`: pages written back + pages zswap refused
//! 8. reads: zero pages + pages asked of zswap; those asked: loaded + read from the device
//! 9. entries into the swap cache: allocations + reads + pages zswap writes back
//! 10. `zswap_invalidate`: slots freed, of virtual swap physical ones; batches written: their completions
//! 11. of virtual swap (the rest see `virtual_swap`): asks for a physical slot, against pages written

use super::Checks;
use crate::vm::suite::evidence::{Kernel, Vswap};
use crate::vm::suite::scenario::{Scenario, Special};
use serde_json::Value;

pub(super) fn equalities(scenario: &Scenario, kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
    let total = |name: &str| vswap.number(&format!("/totals/{name}")).unwrap_or(0);
    let risen = |name: &str| kernel.vmstat.get(name).copied().unwrap_or(0);
    let hook = |name: &str, what: &str| of_hook(vswap, name, what);
    let runs = |name: &str| hook(name, "runs");
    bad.that(runs("alloc_enter") > 0, || "the kernel counts no runs of programs".to_owned());

    let listed = vswap.slots.len() as u64;
    // Virtual slots of earlier loads stay for as long as their folios are in the cache.
    let in_use = (total("alloc") + total("hibernate") + kernel.virtual_left).checked_sub(total("free"));
    bad.number("1. slots allocated less slots freed, against those listed", in_use, listed);
    bad.number("2. slots with a folio, against nr_swapcached", vswap.number("/cached"), kernel.swapcached);

    // What earlier loads left there is in all of the kernel's.
    let stored = (runs("store_page") + kernel.stored_before).checked_sub(runs("zswap_free"));
    bad.number("6. pages charged to zswap less entries freed, against stored_pages", stored, kernel.stored());
    let zswapped = (runs("store_page") + kernel.zswapped_before / 4096).checked_sub(runs("zswap_free"));
    bad.number("6. pages in zswap, against zswapped of the cgroups", zswapped, kernel.zswapped / 4096);
    // Entries of a folio that could not be stored whole stay for as long as it is in memory, where slots are virtual.
    let stale = kernel.ways.virtual_swap && total("writeout_reject") > 0;
    let bytes = vswap.number("/zswap_bytes").unwrap_or(0);
    bad.that(bytes == kernel.zswap_bytes || (stale && bytes < kernel.zswap_bytes), || {
        format!("6. {bytes} bytes in zswap, {} of the cgroups", kernel.zswap_bytes)
    });
    // Where there is no zswap to ask, the device is asked.
    let no_zswap = kernel.ways.no_zswap;
    let written = (total("zswpwb") + total("zswap_reject")).checked_sub(total("writeout_reject"));
    let written = if no_zswap { Some(total("pswpout")) } else { written };
    bad.number("7. pages written back or refused by zswap, against pswpout", written, risen("pswpout"));
    if !kernel.ways.zswap_refuses && !no_zswap {
        // Slots that the cgroup refuses are given back; where that comes first, nobody was told of them.
        let freed = match kernel.ways.virtual_swap {
            // Those of an image are the device's own.
            true => (total("unbacked") + total("hibernate")).saturating_sub(kernel.image()),
            false => total("free"),
        };
        let untold = if kernel.ways.charged_first { refused_by_cgroup(vswap) } else { 0 };
        bad.number("10. slots freed, against calls of zswap_invalidate", kernel.invalidated, freed + untold);
    }
    // A kprobe in an interrupt that comes inside another kprobe is missed, and kernels before 6.17 do not say so.
    if !scenario.record_args.contains("--rung kprobe") {
        if let Some(batches) = kernel.vmstat.get("nrswpout") {
            bad.number("10. completions of batches, against nrswpout", Some(runs("write_end")), *batches);
        }
        bad.number(
            "10. folios whose write was completed, against those written",
            Some(hook("write_end", "emitted")),
            hook("write", "emitted"),
        );
    }
    let failed: u64 = kernel.swap_fails;
    bad.number(
        "folios without a slot, against fail in memory.swap.events",
        Some(total("alloc_fail")),
        failed,
    );
    // A file has no slots for large folios, the virtual device has.
    let large = scenario.large || (kernel.ways.virtual_swap && vswap.slots.iter().any(|slot| slot.order > 0));
    let zram = scenario.devices.iter().any(|(path, _)| path.contains("zram"));
    if large {
        by_folio(kernel, vswap, zram, bad);
        return;
    }
    if let Some(asks) = kernel.reallocs {
        // Those that get none are given up.
        let (written, given_up) = (risen("pswpout"), total("writeout_reject"));
        bad.that(written <= asks && asks <= written + given_up, || {
            format!("11. {asks} asks for a physical slot, {written} pages written and {given_up} given up")
        });
    }
    let asked = runs(if no_zswap { "write" } else { "store_enter" });
    let inside = runs("writeout_enter").checked_sub(asked + risen("swpout_zero"));
    bad.that(inside.is_some_and(|given_up| given_up <= total("free")), || {
        format!(
            "4. {} writeouts, {} zswap stores and {} zero pages: {inside:?} given up inside of {} freed",
            runs("writeout_enter"),
            asked,
            risen("swpout_zero"),
            total("free")
        )
    });
    bad.number("5. pages charged to zswap, against zswpout", Some(runs("store_page")), risen("zswpout"));
    bad.number(
        "8. reads, against zero pages and those asked of zswap",
        Some(runs("read_enter")),
        risen("swpin_zero") + if no_zswap { risen("pswpin") } else { runs("load_enter") },
    );
    // Where reads are counted when they are done, those that fail are not.
    let failed = match scenario.special {
        Special::LostPages(failed) if kernel.vmstat.contains_key("nrswpin") => failed,
        _ => 0,
    };
    if !no_zswap {
        bad.number(
            "8. pages asked of zswap, against those loaded and those read",
            Some(runs("load_enter")),
            risen("zswpin") + risen("pswpin") + failed,
        );
    }
    if !(zram && kernel.ways.past_cache) {
        // The hook tells of physical slots taken for virtual ones, too.
        let adds = hook("cache_add", "emitted").checked_sub(total("backed"));
        let attempts = adds.and_then(|adds| adds.checked_sub(total("alloc") + runs("read_enter")));
        let least = risen("zswpwb");
        // An entry that somebody else takes first is given up.
        bad.that(attempts.is_some_and(|n| n >= least && (least > 0 || n == 0)), || {
            format!(
                "9. {} entries into the cache, {} slots allocated, {} reads: {attempts:?} left for {least} written back",
                hook("cache_add", "emitted"),
                total("alloc"),
                runs("read_enter")
            )
        });
    }
}

/// Where the kernel's counters are in pages and its calls in folios of many, each call is held against what we told came
/// of it; that the pages of all these add up to the counters is checked of every scenario (see `numbers`).
fn by_folio(kernel: &Kernel, vswap: &Vswap, zram: bool, bad: &mut Checks) {
    let total = |name: &str| vswap.number(&format!("/totals/{name}")).unwrap_or(0);
    let runs = |name: &str| of_hook(vswap, name, "runs");
    let told = |name: &str| of_hook(vswap, name, "emitted");
    let no_zswap = kernel.ways.no_zswap;
    let asked = runs(if no_zswap { "write" } else { "store_enter" });
    // Zero folios, and those given up, which were offered to zswap or the device before.
    let (writeouts, outcomes) = (runs("writeout_enter"), asked + told("writeout_exit"));
    let given_up = total("writeout_reject");
    bad.that(outcomes <= writeouts + given_up && writeouts <= outcomes + total("free"), || {
        format!(
            "4. {writeouts} writeouts, {asked} stores and {} zero or given up: too many left for {} freed inside",
            told("writeout_exit"),
            total("free")
        )
    });
    let (charged, stored) = (runs("store_page"), kernel.vmstat.get("zswpout").copied().unwrap_or(0));
    // Of a folio whose store fails half-way some were charged.
    bad.that(stored <= charged && charged <= stored + total("zswap_reject"), || {
        format!("5. {charged} pages charged to zswap, {stored} stored, {} refused", total("zswap_reject"))
    });
    // Of zram a read is over before the call is, and is told then.
    if !zram {
        bad.number(
            "8. reads, against folios of zeroes, from zswap and from the device",
            Some(runs("read_enter")),
            told("read_exit") + told("load_exit"),
        );
    }
    // Where slots are taken ahead, the calls are not those of folios; where folios are swapped in past the cache,
    // entries into it are not all; and the hook tells of physical slots taken for virtual ones, too.
    if !kernel.ways.past_cache && total("backed") == 0 {
        let refused = folios_refused(vswap);
        let allocated = runs("alloc_enter").saturating_sub(refused.iter().map(|(n, _)| n).sum());
        let least = runs("read_enter") + allocated + total("zswpwb");
        let entries = told("cache_add");
        // With the slots that its cgroup refuses a folio is in the cache for a moment.
        let most = least + refused.iter().filter(|(_, limit)| *limit).map(|(n, _)| n).sum::<u64>();
        // An entry that somebody else takes first is given up by the writeback that was at it.
        bad.that(least <= entries && (entries <= most || total("zswpwb") > 0), || {
            format!(
                "9. {entries} entries into the cache: allocations, reads and writebacks are {least} to {most}"
            )
        });
    }
}

/// Folios without a slot, and whether a cgroup's limit was why.
fn folios_refused(vswap: &Vswap) -> Vec<(u64, bool)> {
    let folios = vswap.report.pointer("/why/no_slot").and_then(Value::as_array).into_iter().flatten();
    let refused = |f: &Value| {
        let limit = f.get("reason").and_then(Value::as_str) == Some("memcg_limit");
        Some((f.get("folios").and_then(Value::as_u64)?, limit))
    };
    folios.filter_map(refused).collect()
}

/// Slots that were found for folios whose cgroup is at its limit.
fn refused_by_cgroup(vswap: &Vswap) -> u64 {
    let folios = vswap.report.pointer("/why/no_slot").and_then(Value::as_array).into_iter().flatten();
    let refused = folios.filter(|f| f.get("reason").and_then(Value::as_str) == Some("memcg_limit"));
    let number = |of: &Value, name| of.get(name).and_then(Value::as_u64);
    refused.filter_map(|f| Some(number(f, "folios")? << number(f, "order")?)).sum()
}

/// A counter of a hook in the report.
pub(super) fn of_hook(vswap: &Vswap, hook: &str, what: &str) -> u64 {
    let hooks = vswap.report.pointer("/hooks").and_then(Value::as_array);
    let found = hooks.into_iter().flatten().find(|h| h.get("hook").and_then(Value::as_str) == Some(hook));
    found.and_then(|h| h.get(what)).and_then(Value::as_u64).unwrap_or(0)
}

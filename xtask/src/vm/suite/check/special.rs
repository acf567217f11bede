//! What a scenario is about beside its backing.

use super::{Checks, some};
use crate::vm::suite::evidence::{Kernel, Slot, Vswap};
use crate::vm::suite::scenario::{Scenario, Special};

/// Sectors of a cluster.
const CLUSTER_SECTORS: u64 = 512 * 8;

pub(super) fn special(scenario: &Scenario, kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
    let total = |name: &str| vswap.number(&format!("/totals/{name}")).unwrap_or(0);
    match scenario.special {
        Special::None => {}
        Special::Image(held) => {
            bad.number("slots of the image", Some(kernel.image()), held);
            let more = total("hibernate");
            bad.that(more > held, || format!("{more} slots were taken for images, {held} of them are held"));
        }
        Special::Removed(paths) => {
            for path in paths {
                let slots = vswap.slots.iter().filter(|s| s.memcg.as_deref() == Some(path)).count();
                bad.that(slots > 0, || format!("no slot of {path} although it left some behind"));
            }
        }
        Special::Discard(disk) => {
            let sectors = kernel.discarded.get(disk).copied().unwrap_or(0);
            bad.that(sectors > 0, || format!("{disk} was never told to discard"));
            if kernel.ways.model {
                bad.number(
                    "sectors of discarded clusters",
                    Some(total("discards") * CLUSTER_SECTORS),
                    sectors,
                );
            }
        }
        Special::BadSlots(first, last) => bad_slots(kernel, vswap, first..=last, bad),
        Special::LostPages(failed) => {
            bad.number("pages whose read failed", Some(total("io_error")), failed);
            let gone = |s: &&Slot| s.cached && s.backend == "phys";
            let held = vswap.slots.iter().filter(gone).count() as u64;
            bad.that(held >= failed, || {
                format!("{held} slots on the device have a folio in memory, {failed} could not be read into theirs")
            });
        }
        Special::Refused(least) => {
            // A virtual slot is always there: a folio for which the device has none stays in memory at its writeout.
            let (of, least) =
                if kernel.ways.virtual_swap { ("writeout_reject", least / 2) } else { ("alloc_fail", least) };
            let refused = total(of);
            bad.that(refused >= least, || format!("{refused} folios found no slot, wanted {least}"));
        }
        Special::PoolLimit => {
            bad.that(kernel.pool_limit_hit > 0, || "the pool did not reach its limit".to_owned());
        }
        Special::Orders => orders(kernel, vswap, bad),
    }
}

/// Nothing reached these slots: their pages are in memory and must stay there.
fn bad_slots(kernel: &Kernel, vswap: &Vswap, range: std::ops::RangeInclusive<u64>, bad: &mut Checks) {
    let not_zero = |s: &&Slot| kernel.truth.get(&(s.dev, s.off)).is_some_and(|kind| kind != "zero");
    let place = |s: &Slot| s.phys.map_or(s.off, |phys| phys.off);
    let there = |s: &&Slot| (!kernel.ways.virtual_swap || s.phys.is_some()) && range.contains(&place(s));
    let hit: Vec<&Slot> = vswap.slots.iter().filter(there).filter(not_zero).collect();
    bad.that(!hit.is_empty(), || "no page was to be written to the bad blocks".to_owned());
    let wrong: Vec<&&Slot> = hit.iter().filter(|s| !(s.backend == "folio" && s.cached)).collect();
    bad.that(wrong.is_empty(), || {
        format!(
            "{} slots whose write failed are not said to be in memory only: {}",
            wrong.len(),
            some(&wrong)
        )
    });
    let errors = vswap.number("/totals/io_error").unwrap_or(0);
    bad.that(errors >= hit.len() as u64, || {
        format!("{errors} failed writes, {} bad slots in use", hit.len())
    });
}

/// Slots by order of their folio, against the kernel's counters of folios by size.
fn orders(kernel: &Kernel, vswap: &Vswap, bad: &mut Checks) {
    for order in 2..=9u8 {
        let pages = 1u64 << order;
        // What earlier loads left is in no page of this one.
        let ours = |s: &&Slot| kernel.virtual_left == 0 || kernel.truth.contains_key(&(s.dev, s.off));
        let count = |backend: &str| {
            let slots = vswap.slots.iter().filter(ours);
            slots.filter(|s| s.order == order && s.backend == backend).count() as u64
        };
        let by_size = kernel.by_size.get(&(pages * 4)).copied().unwrap_or_default();
        let (zswap, phys) = (count("zswap"), count("phys"));
        bad.number(&format!("slots of order {order} in zswap"), Some(zswap), by_size.zswpout * pages);
        bad.number(&format!("slots of order {order} on the device"), Some(phys), by_size.swpout * pages);
        bad.that(zswap + phys + count("zero") > 0, || format!("no slot is of order {order}"));
    }
}

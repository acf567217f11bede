//! Why: who reclaims, why zswap writes back or refuses. Told from the functions that the thread is in, and from the
//! kernel's own counters where those functions are inlined.

use crate::layout::{address, read_at};
use crate::maps::REFUSALS;
use crate::scratch::{STORE, Task};
use core::intrinsics::{AtomicOrdering, atomic_cxchg};
use vswap_common::Address;
use vswap_common::why::{RECLAIMER_SHIFT, Reclaimer, Refusal, Writeback};

/// The thread is a kswapd, for all its life.
pub const KSWAPD: u32 = 1 << 0;
/// `try_to_free_pages` runs.
pub const DIRECT: u32 = 1 << 1;
/// `try_to_free_mem_cgroup_pages` runs.
pub const MEMCG: u32 = 1 << 2;
/// Reclaim that somebody asked for runs, by one of the functions above or below.
pub const PROACTIVE: u32 = 1 << 3;
/// `reclaim_pages` runs.
pub const PAGEOUT: u32 = 1 << 4;
/// zswap's shrinker looks at an entry.
pub const BY_SHRINKER: u32 = 1 << 5;
/// So does a pool or a cgroup at its limit.
pub const BY_LIMIT: u32 = 1 << 6;
/// The thread has run `shrink_worker`: outside a store, what it writes back is for the pool's limit.
pub const WORKER: u32 = 1 << 7;
/// The running allocation was given slots.
pub const GIVEN: u32 = 1 << 8;
/// zswap was off when the running store began.
const OFF: u32 = 1 << 9;
/// The running store found its cgroup at the limit, and nothing could be written back.
pub const OVER_LIMIT: u32 = 1 << 10;

/// Counters of refused stores, in the order of [`COUNTERS`].
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Refusals {
    /// How far stores have been found for their counts.
    seen: [u64; 4],
    /// Not 0: `seen` has been set.
    ready: u64,
}

/// Where the kernel counts what.
const COUNTERS: [(Address, Refusal); 4] = [
    (Address::RejectCompressFail, Refusal::CompressFail),
    (Address::RejectCompressPoor, Refusal::CompressPoor),
    (Address::RejectAllocFail, Refusal::AllocFail),
    (Address::RejectEntryFail, Refusal::EntryFail),
];

/// Who reclaims, as bits of a record's flags. Inside what somebody asked for by name, running out of pages makes the
/// thread reclaim for itself: the innermost counts.
#[inline(always)]
pub fn reclaimer(task: Option<&Task>) -> u16 {
    let who = match task {
        Some(task) if task.why & PROACTIVE != 0 => Reclaimer::Proactive,
        Some(task) if task.why & DIRECT != 0 => Reclaimer::Direct,
        Some(task) if task.why & MEMCG != 0 => Reclaimer::Memcg,
        Some(task) if task.why & PAGEOUT != 0 => Reclaimer::Pageout,
        Some(task) if task.why & KSWAPD != 0 => Reclaimer::Kswapd,
        _ => Reclaimer::Unknown,
    };
    (who as u16) << RECLAIMER_SHIFT
}

/// Why the thread writes back. A walk of the shrinker runs inside one for a limit, if at all, not the other way round:
/// reclaim does not reclaim.
#[inline(always)]
pub fn writeback(task: Option<&Task>) -> Writeback {
    match task {
        Some(task) if task.why & BY_SHRINKER != 0 => Writeback::Shrinker,
        Some(task) if task.why & BY_LIMIT != 0 => limit(task),
        _ => Writeback::Unknown,
    }
}

/// Whose limit a walk is for.
#[inline(always)]
pub fn limit(task: &Task) -> Writeback {
    if task.state & STORE != 0 {
        Writeback::MemcgLimit
    } else if task.why & WORKER != 0 {
        Writeback::PoolLimit
    } else {
        Writeback::Unknown
    }
}

/// Free slots of all devices, as the kernel counts them; `None` if it does not tell where.
#[inline(always)]
pub fn free_slots() -> Option<u64> {
    let at = address(Address::FreeSlots);
    if at == 0 { None } else { Some(read_at::<i64>(at)?.max(0) as u64) }
}

/// A variable of the kernel that is a bool.
#[inline(always)]
fn flag(of: Address) -> Option<bool> {
    let at = address(of);
    if at == 0 { None } else { Some(read_at::<u8>(at)? != 0) }
}

#[inline(always)]
fn counter(of: Address) -> u64 {
    let at = address(of);
    if at == 0 { 0 } else { read_at(at).unwrap_or(0) }
}

/// `zswap_store` begins.
#[inline(always)]
pub fn store_begins(task: &mut Task) {
    task.why &= !(OFF | OVER_LIMIT);
    if flag(Address::ZswapEnabled) == Some(false) {
        task.why |= OFF;
    }
    if let Some(refusals) = REFUSALS.get_ptr_mut(0) {
        // SAFETY: the map's one element lives as long as the programs. Several CPUs may set it: to the same counts, or
        // to ones a refusal apart, which then has no cause.
        unsafe {
            if (*refusals).ready == 0 {
                for (i, (at, _)) in COUNTERS.iter().enumerate() {
                    (*refusals).seen[i] = counter(*at);
                }
                (*refusals).ready = 1;
            }
        }
    }
}

/// Why the store that just ended took nothing. The compressor and the allocators are inlined into it: what failed there
/// is told by the counter that grew. Each growth is given to one store, so that the sums are the kernel's own; of two
/// stores that fail at once one may get the other's.
#[inline(always)]
pub fn refusal(task: &Task) -> Refusal {
    if task.why & OFF != 0 {
        return Refusal::Disabled;
    }
    if task.why & OVER_LIMIT != 0 {
        return Refusal::MemcgLimit;
    }
    if let Some(refusals) = REFUSALS.get_ptr_mut(0) {
        for (i, (at, why)) in COUNTERS.iter().enumerate() {
            let now = counter(*at);
            // SAFETY: as above; `i` is below 4. The exchange makes sure that a growth is taken once.
            unsafe {
                let place = &raw mut (*refusals).seen[i];
                let seen = core::ptr::read_volatile(place);
                if now > seen
                    && atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
                        place,
                        seen,
                        seen + 1,
                    )
                    .1
                {
                    return *why;
                }
            }
        }
    }
    if flag(Address::ZswapFull) == Some(true) { Refusal::PoolLimit } else { Refusal::Unknown }
}

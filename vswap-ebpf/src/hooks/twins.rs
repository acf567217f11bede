//! The hooks of trampolines once more, as probes: for kernels that have no trampolines, or not at every function. Each
//! is the same body; user space attaches the one or the other.
//!
//! A probe runs with preemption off, so no exit needs a second copy. But the kernel skips a probe that another one is
//! interrupted by (`nmissed`): user space counts those as lost.

use super::{alloc, cache, device, free, io, reclaim, shrink, virt, zswap};
use crate::call::{Returned, keep};
use crate::emit::{map_full, skipped};
use crate::layout::value;
use crate::why::{DIRECT, MEMCG, PAGEOUT, PROACTIVE};
use aya_ebpf::macros::{kprobe, kretprobe};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use vswap_common::{Field, Hook};

macro_rules! entries {
    ($($twin:ident = $body:path,)*) => { $(
        #[kprobe]
        pub fn $twin(ctx: ProbeContext) -> u32 {
            $body(&ctx)
        }
    )* };
}

entries! {
    k_cache_add = cache::cache_added,
    k_cache_del = cache::cache_deleted,
    k_free = free::freed,
    k_reserve = free::reserved,
    k_cluster_move = free::cluster_moved,
    k_swapon_slot = device::swapon_found,
    k_swapoff = device::swapped_off,
    k_write_end = io::write_ended,
    k_read_end = io::read_ended,
    k_release = virt::gives_up,
    k_unback = virt::given_back,
    k_unback_at_end = virt::given_back_at_end,
}

/// Exits that need no argument, and where the result stands among them.
macro_rules! exits {
    ($($twin:ident = $body:path, $result:expr;)*) => { $(
        #[kretprobe]
        pub fn $twin(ctx: RetProbeContext) -> u32 {
            $body(&Returned::new(&ctx, $result))
        }
    )* };
}

exits! {
    k_alloc_exit = alloc::alloc_exit_once, 1;
    k_writeout_exit = zswap::writeout_exit_once, 2;
    k_store_exit = zswap::store_exit_once, 1;
    k_load_exit = zswap::load_exit_once, 1;
    k_read_exit = zswap::read_exit_once, 2;
}

/// Exits that need neither arguments nor a result.
macro_rules! ends {
    ($($twin:ident = $body:expr;)*) => { $(
        #[kretprobe]
        pub fn $twin(_ctx: RetProbeContext) -> u32 {
            $body
        }
    )* };
}

ends! {
    k_direct_exit = reclaim::leave(DIRECT);
    k_memcg_exit = reclaim::leave(MEMCG);
    k_proact_exit = reclaim::leave(PROACTIVE);
    k_pages_exit = reclaim::leave(PAGEOUT);
    k_shrink_scan = shrink::scanned();
}

#[kretprobe]
pub fn k_shrink_limit(ctx: RetProbeContext) -> u32 {
    shrink::limited(ctx.ret())
}

/// Exits that need the arguments of the call, with the program that keeps them.
macro_rules! calls {
    ($($hook:ident: $keeper:ident, $twin:ident = $body:path, $result:expr;)*) => { $(
        #[kprobe]
        pub fn $keeper(ctx: ProbeContext) -> u32 {
            if !keep(&ctx) {
                map_full(Hook::$hook);
            }
            0
        }

        #[kretprobe]
        pub fn $twin(ctx: RetProbeContext) -> u32 {
            match Returned::kept(&ctx, $result) {
                Some(call) => $body(&call),
                None => {
                    skipped(Hook::$hook);
                    0
                }
            }
        }
    )* };
}

calls! {
    Charge: a_charge, k_charge = alloc::charge_once, result_of_charge();
    Charge: a_charge_virt, k_charge_virt = alloc::record_once, 1;
    CacheAdd: a_back, k_back = virt::backed, value(Field::ArgFound) as usize;
    CacheAdd: a_cache_joined, k_cache_joined = cache::joined_first, 3;
    SwapOn: a_swapon, k_swapon = device::swapped_on, 2;
    ShrinkItem: a_shrink_done, k_shrink_done = shrink::done, value(Field::ArgWalk) as usize + 1;
    Isolate: a_isolate, k_isolate = free::isolate_once, 2;
}

/// Where the owner is told by a record, all three arguments count, and there is no result.
#[inline(always)]
fn result_of_charge() -> usize {
    let recorded = [Field::OwnerByRecord, Field::HoldInMap, Field::SlotCaches].iter().any(|f| value(*f) == 1);
    if recorded { 3 } else { 1 }
}

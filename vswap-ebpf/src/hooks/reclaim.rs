//! Who reclaims: brackets around the functions that reclaim. A bracket tells nothing by itself; the records of writeouts
//! inside it carry its name. An exit that the kernel skips, both copies of it, leaves the name on until the thread
//! leaves such a function again.

use crate::emit::map_full;
use crate::scratch;
use crate::why::{DIRECT, KSWAPD, MEMCG, PAGEOUT, PROACTIVE};
use aya_ebpf::macros::{fexit, kprobe};
use aya_ebpf::programs::{FExitContext, ProbeContext};
use vswap_common::Hook;

#[inline(always)]
fn enter(bit: u32, hook: Hook) -> u32 {
    match scratch::current_or_new() {
        Some(task) => task.why |= bit,
        None => map_full(hook),
    }
    0
}

#[inline(always)]
pub(super) fn leave(bit: u32) -> u32 {
    if let Some(task) = scratch::current() {
        task.why &= !bit;
    }
    0
}

/// `balance_pgdat(pgdat, order, highest_zoneidx)`: only a kswapd calls it, and does nothing else.
#[kprobe]
pub fn kswapd(_ctx: ProbeContext) -> u32 {
    enter(KSWAPD, Hook::Kswapd)
}

/// `try_to_free_pages(zonelist, order, gfp_mask, nodemask)` begins.
#[kprobe]
pub fn direct_enter(_ctx: ProbeContext) -> u32 {
    enter(DIRECT, Hook::Direct)
}

#[fexit]
pub fn direct_exit(_ctx: FExitContext) -> u32 {
    leave(DIRECT)
}

#[fexit]
pub fn direct_exit_2(_ctx: FExitContext) -> u32 {
    leave(DIRECT)
}

/// `try_to_free_mem_cgroup_pages(memcg, nr_pages, gfp_mask, reclaim_options, swappiness)` begins.
#[kprobe]
pub fn memcg_enter(_ctx: ProbeContext) -> u32 {
    enter(MEMCG, Hook::MemcgReclaim)
}

#[fexit]
pub fn memcg_exit(_ctx: FExitContext) -> u32 {
    leave(MEMCG)
}

#[fexit]
pub fn memcg_exit_2(_ctx: FExitContext) -> u32 {
    leave(MEMCG)
}

/// `user_proactive_reclaim(buf, memcg, pgdat)`, `memory_reclaim(of, buf, nbytes, off)` before 6.17, begins.
#[kprobe]
pub fn proact_enter(_ctx: ProbeContext) -> u32 {
    enter(PROACTIVE, Hook::Proactive)
}

#[fexit]
pub fn proact_exit(_ctx: FExitContext) -> u32 {
    leave(PROACTIVE)
}

#[fexit]
pub fn proact_exit_2(_ctx: FExitContext) -> u32 {
    leave(PROACTIVE)
}

/// `reclaim_pages(folio_list)` begins.
#[kprobe]
pub fn pages_enter(_ctx: ProbeContext) -> u32 {
    enter(PAGEOUT, Hook::Pageout)
}

#[fexit]
pub fn pages_exit(_ctx: FExitContext) -> u32 {
    leave(PAGEOUT)
}

#[fexit]
pub fn pages_exit_2(_ctx: FExitContext) -> u32 {
    leave(PAGEOUT)
}

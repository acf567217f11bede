//! zswap looks at its old entries, for reclaim or because something is full, and writes some back. What it does with
//! each is counted; a walk tells its counts when it is over. The writes themselves are told one by one.

use crate::call::Call;
use crate::emit::{Draft, emit, map_full};
use crate::layout;
use crate::scratch::{self, STORE, Task};
use crate::why::{self, BY_LIMIT, BY_SHRINKER, OVER_LIMIT, WORKER};
use aya_ebpf::macros::{fexit, kprobe};
use aya_ebpf::programs::{FExitContext, ProbeContext};
use vswap_common::why::{Writeback, walk};
use vswap_common::{Field, Hook, Kind};

/// Whose walk it is, by the walker's own argument: only the shrinker wants to know whether to stop.
#[inline(always)]
fn bit(own: u64) -> u32 {
    if own != 0 { BY_SHRINKER } else { BY_LIMIT }
}

/// `shrink_memcg_cb(item, l, arg)`, with a lock before `arg` in 6.12, begins.
#[kprobe]
pub fn shrink_item(ctx: ProbeContext) -> u32 {
    let Some(task) = scratch::current_or_new() else {
        map_full(Hook::ShrinkItem);
        return 0;
    };
    let (Some(third), Some(fourth)) = (ctx.arg::<u64>(2), ctx.arg::<u64>(3)) else { return 0 };
    let args = core::hint::black_box([third, fourth]);
    task.why |= bit(if layout::value(Field::ArgWalk) == 2 { args[0] } else { args[1] });
    0
}

/// `shrink_worker(work)` begins, in a thread that does other work too.
#[kprobe]
pub fn shrink_work(_ctx: ProbeContext) -> u32 {
    match scratch::current_or_new() {
        Some(task) => task.why |= WORKER,
        None => map_full(Hook::ShrinkItem),
    }
    0
}

/// `shrink_memcg_cb` returned an `enum lru_status`.
#[fexit]
pub fn shrink_done(ctx: FExitContext) -> u32 {
    done(&ctx)
}

#[fexit]
pub fn shrink_done_2(ctx: FExitContext) -> u32 {
    done(&ctx)
}

#[inline(always)]
pub(super) fn done(ctx: &impl Call) -> u32 {
    let at = layout::value(Field::ArgWalk) as usize;
    let (Some(task), Some(own), Some(ret)) = (scratch::current(), ctx.number(at), ctx.number(at + 1)) else {
        return 0;
    };
    let bit = bit(own);
    if task.why & bit == 0 {
        return 0;
    }
    task.why &= !bit;
    let counts = &mut task.walks[usize::from(bit == BY_LIMIT)];
    let ret = ret as u32;
    if ret == layout::value(Field::LruWritten) {
        counts[walk::WRITTEN] = counts[walk::WRITTEN].saturating_add(1);
    } else if ret == layout::value(Field::LruSpared) {
        counts[walk::SPARED] = counts[walk::SPARED].saturating_add(1);
    } else if ret == layout::value(Field::LruFailed) {
        counts[walk::FAILED] = counts[walk::FAILED].saturating_add(1);
    } else if ret == layout::value(Field::LruStopped) {
        counts[walk::STOPPED] = counts[walk::STOPPED].saturating_add(1);
    }
    0
}

/// `zswap_shrinker_scan(shrinker, sc)` returned.
#[fexit]
pub fn shrink_scan(_ctx: FExitContext) -> u32 {
    scanned()
}

#[fexit]
pub fn shrink_scan_2(_ctx: FExitContext) -> u32 {
    scanned()
}

#[inline(always)]
pub(super) fn scanned() -> u32 {
    if let Some(task) = scratch::current() {
        tell(Hook::ShrinkScan, task, 0, Writeback::Shrinker);
    }
    0
}

/// `int shrink_memcg(memcg)` returned: 0 if something was written back.
#[fexit]
pub fn shrink_limit(ctx: FExitContext) -> u32 {
    limited(ctx.arg(1))
}

#[fexit]
pub fn shrink_limit_2(ctx: FExitContext) -> u32 {
    limited(ctx.arg(1))
}

#[inline(always)]
pub(super) fn limited(ret: i32) -> u32 {
    let Some(task) = scratch::current() else { return 0 };
    if task.state & STORE != 0 && ret != 0 {
        task.why |= OVER_LIMIT;
    }
    let by = why::limit(task);
    tell(Hook::ShrinkLimit, task, 1, by);
    0
}

/// Tells what a walk did, if anything; the second copy of the exit finds nothing left.
#[inline(always)]
fn tell(hook: Hook, task: &mut Task, which: usize, by: Writeback) {
    let did = walk::pack(task.walks[which]);
    if did == 0 {
        return;
    }
    task.walks[which] = [0; 4];
    let mut draft = Draft::new(Kind::Shrink, 0, 0, 0);
    draft.val = by as i32;
    draft.arg = did;
    draft.flags |= why::reclaimer(Some(task));
    emit(hook, &draft);
}

//! Entry into and exit from the swap cache: allocation, swap-in, reclaim. Both hooks run under the cluster lock.

use super::virt;
use crate::call::Call;
use crate::emit::{Draft, emit, fault, map_full, skipped};
use crate::scratch::{ALLOC, CHARGES, FRESH};
use crate::{layout, scratch, why};
use aya_ebpf::macros::{fentry, fexit, kprobe};
use aya_ebpf::programs::{FEntryContext, FExitContext, ProbeContext};
use vswap_common::{Field, Hook, Kind, MISSING, flags};

/// `__swap_cache_do_add_folio(ci, folio, entry)`, `__swap_cache_add_folio` before 7.2: an empty word before means
/// allocation, else the slot was in use.
#[fentry]
pub fn cache_add(ctx: FEntryContext) -> u32 {
    cache_added(&ctx)
}

#[inline(always)]
pub(super) fn cache_added(ctx: &impl Call) -> u32 {
    if add(ctx.arg(0), ctx.arg(1), ctx.arg(2)).is_none() {
        fault(Hook::CacheAdd);
    }
    0
}

#[inline(always)]
fn add(ci: u64, folio: u64, entry: u64) -> Option<()> {
    let order = layout::folio_order(folio)?;
    let word = layout::word(ci, entry)?;
    let nr = 1u16 << (order & 15);
    if word == 0 && allocates() {
        match scratch::current_or_new() {
            Some(task) => {
                if task.alloc_ci != 0 && task.state & CHARGES != 0 {
                    skipped(Hook::Charge);
                }
                task.alloc_ci = ci;
                task.alloc_entry = entry;
                task.why |= why::GIVEN;
            }
            // The owner of these slots stays unknown until they leave the cache.
            None => map_full(Hook::Charge),
        }
        emit(Hook::CacheAdd, &Draft::new(Kind::Alloc, entry, nr, order));
    } else {
        let mut draft = Draft::new(Kind::CacheAdd, entry, nr, order);
        describe(&mut draft, ci, entry, word);
        emit(Hook::CacheAdd, &draft);
    }
    Some(())
}

/// `int add_to_swap_cache(folio, entry, gfp, shadowp)` of 6.12 returned, folio locked. Inside it nothing can be traced
/// under the lock.
#[fexit]
pub fn cache_joined(ctx: FExitContext) -> u32 {
    joined_once(&ctx, 1)
}

#[fexit]
pub fn cache_joined_2(ctx: FExitContext) -> u32 {
    joined_once(&ctx, 2)
}

/// Both copies run one after the other, in no order to rely on: the first to come tells, and leaves its number for
/// the other. The function's calls nest, when making room for a node of the cache swaps out: an entry hook could not
/// tell which call an exit belongs to.
#[inline(always)]
fn joined_once(ctx: &FExitContext, copy: u8) -> u32 {
    joined_by(ctx, ctx.arg(4), copy)
}

/// `swap_cache_add_folio(folio, entry, shadowp)` of 6.18 and 6.19 begins. It cannot fail. An allocation puts its folio into
/// the cache before it returns.
#[kprobe]
pub fn cache_enter(ctx: ProbeContext) -> u32 {
    if entered(&ctx).is_none() {
        fault(Hook::CacheAdd);
    }
    0
}

#[inline(always)]
fn entered(ctx: &ProbeContext) -> Option<()> {
    let (folio, entry): (u64, u64) = (ctx.arg(0)?, ctx.arg(1)?);
    let Some(task) = scratch::current() else { return joined(folio, entry, false, 0) };
    let given = task.state & FRESH != 0 && task.alloc_entry == entry;
    // Without memory cgroups nobody asked for a charge.
    let fresh = given || task.state & ALLOC != 0;
    // What the thread was given before the hook that notes its owner came: the kernel has noted it.
    let owner = match task.owner as u16 {
        _ if !fresh => 0,
        id if given && id != 0 => id,
        _ => layout::recorded_owner(entry).unwrap_or(0),
    };
    task.state &= !FRESH;
    joined(folio, entry, fresh, owner)
}

/// The only copy, where it is a probe.
#[inline(always)]
pub(super) fn joined_first(ctx: &impl Call) -> u32 {
    joined_by(ctx, ctx.arg(3), 1)
}

#[inline(always)]
fn joined_by(ctx: &impl Call, ret: i32, copy: u8) -> u32 {
    if ret != 0 {
        return 0;
    }
    let entry: u64 = ctx.arg(1);
    let Some(task) = scratch::current_or_new() else {
        map_full(Hook::CacheAdd);
        return 0;
    };
    if task.joined == entry && task.joined_by == 3 - copy {
        task.joined_by = 0;
        return 0;
    }
    task.joined = entry;
    task.joined_by = copy;
    let fresh = task.state & FRESH != 0 && task.alloc_entry == entry;
    let owner = if fresh { task.owner as u16 } else { 0 };
    if fresh {
        task.state &= !FRESH;
    }
    if joined(ctx.arg(0), entry, fresh, owner).is_none() {
        fault(Hook::CacheAdd);
    }
    0
}

/// The owner was recorded before: it is told after the slots, as elsewhere.
#[inline(always)]
fn joined(folio: u64, entry: u64, fresh: bool, owner: u16) -> Option<()> {
    let order = layout::folio_order(folio)?;
    let kind = if fresh { Kind::Alloc } else { Kind::CacheAdd };
    emit(Hook::CacheAdd, &Draft::new(kind, entry, 1u16 << (order & 15), order));
    if owner != 0 {
        let mut draft = Draft::new(Kind::Charge, entry, 1u16 << (order & 15), order);
        draft.arg = layout::cgroup_inode(folio, owner);
        draft.memcg = owner;
        draft.flags |= flags::MEMCG;
        emit(Hook::Charge, &draft);
    }
    Some(())
}

/// Where the counts are in a map, the word of a slot in use may be empty: then only the allocator fills fresh ones.
#[inline(always)]
fn allocates() -> bool {
    layout::value(Field::CountInMap) == MISSING
        || scratch::current().is_some_and(|task| task.state & ALLOC != 0)
}

/// `__swap_cache_do_del_folio(ci, folio, entry, shadow)`, `__delete_from_swap_cache(folio, entry, shadow)` in 6.12. A
/// shadow is left only by reclaim.
#[fentry]
pub fn cache_del(ctx: FEntryContext) -> u32 {
    cache_deleted(&ctx)
}

#[inline(always)]
pub(super) fn cache_deleted(ctx: &impl Call) -> u32 {
    let told = if layout::value(Field::SlotCaches) == 1 {
        gone(ctx.arg(0), ctx.arg(1), ctx.arg(2))
    } else {
        del(ctx.arg(0), ctx.arg(1), ctx.arg(2), ctx.arg(3))
    };
    if told.is_none() {
        fault(Hook::CacheDel);
    }
    0
}

/// `swapcache_clear(si, entry, nr)` up to 6.19: the slots of a folio that was read outside the swap cache are let go. Also
/// called when nothing was read.
#[kprobe]
pub fn cache_clear(ctx: ProbeContext) -> u32 {
    if let (Some(task), Some(entry), Some(nr)) = (scratch::current(), ctx.arg::<u64>(1), ctx.arg::<u32>(2))
        && task.aside == entry
    {
        task.aside = 0;
        emit(Hook::CacheDel, &Draft::new(Kind::CacheDel, entry, nr as u16, 0));
    }
    0
}

#[inline(always)]
fn gone(folio: u64, entry: u64, shadow: u64) -> Option<()> {
    let order = layout::folio_order(folio)?;
    let mut draft = Draft::new(Kind::CacheDel, entry, 1u16 << (order & 15), order);
    if shadow != 0 {
        draft.flags |= flags::SWAPOUT;
    } else if let Some(task) = scratch::current_or_new() {
        task.left = entry;
    } else {
        map_full(Hook::Free);
    }
    emit(Hook::CacheDel, &draft);
    Some(())
}

#[inline(always)]
fn del(ci: u64, folio: u64, entry: u64, shadow: u64) -> Option<()> {
    let order = layout::folio_order(folio)?;
    let word = layout::word(ci, entry)?;
    let mut draft = Draft::new(Kind::CacheDel, entry, 1u16 << (order & 15), order);
    describe(&mut draft, ci, entry, word);
    if shadow != 0 {
        draft.flags |= flags::SWAPOUT;
    }
    emit(Hook::CacheDel, &draft);
    Some(())
}

/// Adds what the word and the owner table say about the first slot; a folio's slots always agree in both.
#[inline(always)]
fn describe(draft: &mut Draft, ci: u64, entry: u64, word: u64) {
    draft.flags |= virt::zero_flags(ci, entry, word);
    if let Some(id) = layout::memcg(ci, entry) {
        draft.memcg = id;
        draft.flags |= flags::MEMCG;
    }
}

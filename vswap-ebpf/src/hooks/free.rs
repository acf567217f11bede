//! Slots become free, clusters change lists: all under the cluster lock.

use super::virt;
use crate::call::Call;
use crate::emit::{Draft, emit, fault, map_full};
use crate::scratch::{FREEING, FRESH};
use crate::{layout, scratch};
use aya_ebpf::macros::{fentry, fexit, kprobe};
use aya_ebpf::programs::{FEntryContext, FExitContext, ProbeContext};
use vswap_common::{Entry, Field, Hook, Kind, prio};

/// `__swap_cluster_free_entries(si, ci, ci_start, nr)`: the single place where words return to empty. In 7.0
/// `swap_entries_free(si, ci, offset, nr)`, with an offset on the device, in 6.18 with an entry. In 6.12 `swap_entry_range_free(si, entry, nr)`:
/// a single slot there comes out of a CPU's cache of slots, which it entered free (see `free_slot`) or never left, unless
/// its folio has just left the swap cache: who wants its slot at once frees it without the detour.
#[fentry]
pub fn free(ctx: FEntryContext) -> u32 {
    freed(&ctx)
}

#[inline(always)]
pub(super) fn freed(ctx: &impl Call) -> u32 {
    if layout::value(Field::SlotCaches) == 1 {
        let (entry, nr): (u64, u32) = (ctx.arg(1), ctx.arg(2));
        emit(Hook::Free, &Draft::new(Kind::Return, entry, nr as u16, 0));
        if nr > 1 || scratch::current().is_some_and(|task| task.left == entry) {
            given_up(entry, nr as u16);
        }
        return 0;
    }
    if layout::value(Field::HoldInMap) == 1 {
        given_up(ctx.arg(2), ctx.arg::<u32>(3) as u16);
        return 0;
    }
    match first_freed(ctx) {
        Some(entry) => {
            let nr: u32 = ctx.arg(3);
            if let Some(task) = scratch::current()
                && task.out_entry == entry
            {
                task.state |= scratch::OUT_DONE;
            }
            virt::note_freed(entry);
            emit(Hook::Free, &Draft::new(Kind::Free, entry, nr as u16, 0));
        }
        None => fault(Hook::Free),
    }
    0
}

/// `swap_range_alloc(si, offset, nr)` of 6.12: slots leave the allocator's map, under the device's lock.
#[fentry]
pub fn reserve(ctx: FEntryContext) -> u32 {
    reserved(&ctx)
}

#[inline(always)]
pub(super) fn reserved(ctx: &impl Call) -> u32 {
    match layout::read::<u8>(ctx.arg(0), Field::SiType) {
        Some(dev) => {
            let nr: u32 = ctx.arg(2);
            emit(Hook::Free, &Draft::new(Kind::Reserve, Entry::new(dev, ctx.arg(1)).0, nr as u16, 0));
        }
        None => fault(Hook::Free),
    }
    0
}

/// `free_swap_slot(entry)` of 6.12: nobody needs the slot any more. It waits in this CPU's cache of slots, in use for
/// the kernel's counters, until the cache is full.
#[kprobe]
pub fn free_slot(ctx: ProbeContext) -> u32 {
    match ctx.arg(0) {
        Some(entry) => given_up(entry, 1),
        None => fault(Hook::Free),
    }
    0
}

/// `swapcache_free_entries(entries, n)` of 6.12: what comes now was in a CPU's cache of slots.
#[kprobe]
pub fn free_parked(_ctx: ProbeContext) -> u32 {
    if let Some(task) = scratch::current() {
        task.left = 0;
    }
    0
}

/// `free_swap_and_cache_nr(entry, nr)` of 6.12: where all slots of the run become free, zswap forgets them one by
/// one before they do.
#[kprobe]
pub fn free_run(ctx: ProbeContext) -> u32 {
    let (Some(entry), Some(nr)) = (ctx.arg(0), ctx.arg::<u32>(1)) else {
        fault(Hook::Free);
        return 0;
    };
    match scratch::current_or_new() {
        Some(task) => {
            task.free_entry = entry;
            task.free_nr = nr;
            task.state |= FREEING;
        }
        None => map_full(Hook::Free),
    }
    0
}

/// Tells a free, unless the slots go back before anybody was told that they were taken: no folio got into the cache
/// with them, or no cgroup wanted to be charged.
#[inline(always)]
fn given_up(entry: u64, nr: u16) {
    if let Some(task) = scratch::current() {
        if task.state & FRESH != 0 && task.alloc_entry == entry {
            task.state &= !FRESH;
            return;
        }
        if task.left == entry {
            task.left = 0;
        }
        if task.out_entry == entry {
            task.state |= scratch::OUT_DONE;
        }
        if entry.wrapping_sub(task.free_entry) < u64::from(task.free_nr) {
            task.state &= !FREEING;
        }
    }
    emit(Hook::Free, &Draft::new(Kind::Free, entry, nr, 0));
}

#[inline(always)]
fn first_freed(ctx: &impl Call) -> Option<u64> {
    let si = ctx.arg(0);
    let first = if layout::value(Field::FreeByOffset) == 1 {
        Entry::new(layout::read(si, Field::SiType)?, ctx.arg(2))
    } else {
        cluster_entry(ctx, si, 1)?.add(u64::from(ctx.arg::<u32>(2)))
    };
    Some(first.0)
}

/// `move_cluster(si, ci, list, new_flags)`: `new_flags` names the list.
#[fentry]
pub fn cluster_move(ctx: FEntryContext) -> u32 {
    cluster_moved(&ctx)
}

#[inline(always)]
pub(super) fn cluster_moved(ctx: &impl Call) -> u32 {
    let (si, ci): (u64, u64) = (ctx.arg(0), ctx.arg(1));
    if moved(ctx, si, ci, ctx.arg::<u32>(3)).is_none() {
        fault(Hook::ClusterMove);
    }
    0
}

#[inline(always)]
fn moved(ctx: &impl Call, si: u64, ci: u64, list: u32) -> Option<()> {
    let base = cluster_entry(ctx, si, 1)?;
    let order: u8 = layout::read(ci, Field::CiOrder)?;
    let pages: u32 = layout::read(si, Field::SiPages)?;
    let mut draft = Draft::new(Kind::ClusterMove, base.0, 0, order);
    draft.val = list as i32;
    draft.arg = u64::from(pages);
    emit(Hook::ClusterMove, &draft);
    Some(())
}

/// `swap_cluster_info *isolate_lock_cluster(si, list)` returned: the cluster is off every list and locked, or null.
#[fexit]
pub fn isolate(ctx: FExitContext) -> u32 {
    isolate_once(&ctx)
}

#[inline(always)]
pub(super) fn isolate_once(ctx: &impl Call) -> u32 {
    if isolated(ctx, ctx.arg(0)).is_none() {
        fault(Hook::Isolate);
    }
    0
}

#[inline(always)]
fn isolated(ctx: &impl Call, si: u64) -> Option<()> {
    let (list, order) = list_of(ctx.number(1)?, ctx.number(0)?);
    let found = ctx.number(2)? != 0;
    let base =
        if found { cluster_entry(ctx, si, 2)? } else { Entry::new(layout::read(si, Field::SiType)?, 0) };
    let mut draft = Draft::new(Kind::Isolate, base.0, u16::from(found), order);
    draft.val = list;
    if let Some(prio) = layout::read(si, Field::SiPrio) {
        draft.arg = prio::pack(prio);
    }
    emit(Hook::Isolate, &draft);
    Some(())
}

/// Which list a list head of the device is, by its place in the struct: number as in `enum swap_cluster_flags`, and
/// order. 0 if it is none we know.
#[inline(always)]
fn list_of(list: u64, si: u64) -> (i32, u8) {
    let at = list.wrapping_sub(si);
    let size = u64::from(layout::value(Field::ListSize));
    let order_in = |field: Field| {
        let from = at.wrapping_sub(u64::from(layout::value(field)));
        from.checked_div(size).filter(|order| *order < 10)
    };
    if at == u64::from(layout::value(Field::SiFree)) {
        (1, 0)
    } else if let Some(order) = order_in(Field::SiNonfull) {
        (2, order as u8)
    } else if let Some(order) = order_in(Field::SiFrag) {
        (3, order as u8)
    } else if at == u64::from(layout::value(Field::SiFull)) {
        (4, 0)
    } else {
        (0, 0)
    }
}

/// First slot of the cluster in argument `n` on device `si`: its place in the device's array of clusters. Virtual clusters
/// are in none and have an index.
#[inline(always)]
pub(super) fn cluster_entry(ctx: &impl Call, si: u64, n: usize) -> Option<Entry> {
    let ci = ctx.number(n)?;
    let dev: u8 = layout::read(si, Field::SiType)?;
    if virt::is_virtual(si) {
        let index: u32 = layout::read(ci, Field::VirtIndex)?;
        return Some(Entry::new(dev, u64::from(index) * u64::from(layout::value(Field::ClusterSlots))));
    }
    let first: u64 = layout::read(si, Field::SiClusters)?;
    let index = ci.checked_sub(first)?.checked_div(u64::from(layout::value(Field::CiSize)))?;
    Some(Entry::new(dev, index * u64::from(layout::value(Field::ClusterSlots))))
}

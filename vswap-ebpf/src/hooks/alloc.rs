//! Result of an allocation and its owner. The slots themselves were told by `cache_add`.

use crate::call::Call;
use crate::emit::{Draft, emit, fault, map_full, skipped};
use crate::scratch::{ALLOC, CHARGES, FRESH};
use crate::{layout, scratch, why};
use aya_ebpf::Global;
use aya_ebpf::macros::{fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FExitContext, ProbeContext, RetProbeContext};
use vswap_common::{Field, Hook, Kind, flags};

/// What a refused allocation says where the kernel tells no number.
const ENOMEM: i32 = -12;

/// Not 0: tell the begin of each allocation too. Only the check against the model needs it.
#[unsafe(no_mangle)]
static FOLLOW_ALLOCATOR: Global<u8> = Global::new(0);

/// `int __mem_cgroup_try_charge_swap(folio)`: the folio is locked, its slots are its own. Also called when the
/// allocation failed; then there is nothing to charge. Where the cluster has no owners:
/// `swap_cgroup_record(folio, id, entry)`, which follows a charge that was not refused; in 6.12 its arguments are
/// `(entry, id, nr)`. Up to 6.19 the slots are not told yet by then.
#[fexit]
pub fn charge(ctx: FExitContext) -> u32 {
    charge_once(&ctx)
}

#[fexit]
pub fn charge_2(ctx: FExitContext) -> u32 {
    charge_once(&ctx)
}

#[inline(always)]
pub(super) fn charge_once(ctx: &impl Call) -> u32 {
    let told = if layout::value(Field::SlotCaches) == 1 {
        owned(ctx.arg(0), ctx.arg::<u64>(1) as u16)
    } else if layout::value(Field::HoldInMap) == 1 {
        owned(ctx.arg(2), ctx.arg::<u64>(1) as u16)
    } else if layout::value(Field::OwnerByRecord) == 1 {
        recorded(ctx.arg(0), ctx.arg::<u64>(1) as u16, ctx.arg(2))
    } else {
        charged(ctx.arg(0), ctx.arg::<i32>(1))
    };
    if told.is_none() {
        fault(Hook::Charge);
    }
    0
}

/// `void __mem_cgroup_record_swap(folio)` returned: the owner of virtual slots is recorded, and not charged.
#[fexit]
pub fn charge_virtual(ctx: FExitContext) -> u32 {
    record_once(&ctx)
}

#[fexit]
pub fn charge_virtual_2(ctx: FExitContext) -> u32 {
    record_once(&ctx)
}

#[inline(always)]
pub(super) fn record_once(ctx: &impl Call) -> u32 {
    if charged(ctx.arg(0), 0).is_none() {
        fault(Hook::Charge);
    }
    0
}

/// Kept until the slots are told. Giving slots up is recorded too, with no owner. In 6.12 a charge that went well is the
/// last that can fail: nothing is to be told when the allocation returns.
#[inline(always)]
fn owned(entry: u64, id: u16) -> Option<()> {
    let Some(task) = scratch::current() else { return Some(()) };
    if id != 0 && task.state & FRESH != 0 && task.alloc_entry == entry {
        task.owner = u32::from(id);
        if layout::value(Field::SlotCaches) == 1 {
            task.state &= !ALLOC;
        }
    }
    Some(())
}

/// `int __mem_cgroup_try_charge_swap(folio, entry)` up to 6.19 begins: the slots that the thread was given, none if
/// `entry` is 0. If the charge is refused they go back untold.
#[kprobe]
pub fn charge_enter(ctx: ProbeContext) -> u32 {
    if let (Some(task), Some(entry)) = (scratch::current(), ctx.arg::<u64>(1)) {
        given(task, entry);
    }
    0
}

#[inline(always)]
fn given(task: &mut scratch::Task, entry: u64) {
    if entry != 0 && task.state & ALLOC != 0 {
        task.alloc_entry = entry;
        task.owner = 0;
        task.state |= FRESH;
        task.why |= why::GIVEN;
    }
}

/// `swp_entry_t folio_alloc_swap(folio)` of 6.12 returned; a struct, which fexit does not take. Nothing is left to do
/// after a charge that went well.
#[kretprobe]
pub fn alloc_return(ctx: RetProbeContext) -> u32 {
    let Some(task) = scratch::current() else { return 0 };
    if task.state & ALLOC == 0 {
        return 0;
    }
    let entry: u64 = ctx.ret();
    if entry == 0 {
        refused(task, task.alloc_order, ENOMEM);
    } else if task.state & FRESH == 0 {
        // Memory cgroups are off: nobody asked for a charge.
        given(task, entry);
    }
    task.state &= !ALLOC;
    0
}

#[inline(always)]
fn recorded(folio: u64, id: u16, entry: u64) -> Option<()> {
    let Some(task) = scratch::current() else { return Some(()) };
    task.state |= CHARGES;
    // The second copy finds nothing left to tell.
    if task.alloc_ci == 0 || task.alloc_entry != entry {
        return Some(());
    }
    task.alloc_ci = 0;
    let order = layout::folio_order(folio)?;
    let mut draft = Draft::new(Kind::Charge, entry, 1 << (order & 15), order);
    draft.arg = layout::cgroup_inode(folio, id);
    draft.memcg = id;
    draft.flags |= flags::MEMCG;
    emit(Hook::Charge, &draft);
    Some(())
}

#[inline(always)]
fn charged(folio: u64, ret: i32) -> Option<()> {
    let Some(task) = scratch::current() else { return Some(()) };
    let (ci, entry) = (task.alloc_ci, task.alloc_entry);
    task.alloc_ci = 0;
    task.state |= CHARGES;
    if ci == 0 {
        return Some(());
    }
    let seen = layout::folio(folio)?;
    if seen.entry != entry {
        return Some(());
    }
    let mut draft = Draft::new(Kind::Charge, entry, seen.nr(), seen.order);
    draft.val = ret;
    if let Some(id) = layout::memcg(ci, entry) {
        draft.arg = layout::cgroup_inode(folio, id);
        draft.memcg = id;
        draft.flags |= flags::MEMCG;
    }
    emit(Hook::Charge, &draft);
    Some(())
}

/// `int folio_alloc_swap(folio)` begins. The CPU may still change before the allocator takes its per-CPU lock: the
/// one that counts is that of the `Alloc` record.
#[kprobe]
pub fn alloc_enter(ctx: ProbeContext) -> u32 {
    let Some(order) = ctx.arg(0).and_then(layout::folio_order) else {
        fault(Hook::AllocEnter);
        return 0;
    };
    match scratch::current_or_new() {
        Some(task) => {
            if task.state & FRESH != 0 {
                // Neither told nor given back: both copies of the exit that tells were skipped.
                skipped(Hook::CacheAdd);
                task.state &= !FRESH;
            }
            task.alloc_order = order;
            task.why &= !why::GIVEN;
            task.enter(ALLOC, Hook::AllocExit);
        }
        None => map_full(Hook::AllocEnter),
    }
    if FOLLOW_ALLOCATOR.load() != 0 {
        emit(Hook::AllocEnter, &Draft::new(Kind::AllocBegin, 0, 0, order));
    }
    0
}

/// `int folio_alloc_swap(folio)` returned: only failures are told, success was told slot by slot.
#[fexit]
pub fn alloc_exit(ctx: FExitContext) -> u32 {
    alloc_exit_once(&ctx)
}

#[fexit]
pub fn alloc_exit_2(ctx: FExitContext) -> u32 {
    alloc_exit_once(&ctx)
}

#[inline(always)]
pub(super) fn alloc_exit_once(ctx: &impl Call) -> u32 {
    let Some(task) = scratch::current() else { return 0 };
    let ours = task.state & ALLOC != 0;
    task.state &= !ALLOC;
    let ret: i32 = ctx.arg(1);
    if !ours || ret == 0 {
        return 0;
    }
    // A refused charge is not recorded as an owner.
    task.alloc_ci = 0;
    refused(task, task.alloc_order, ret);
    0
}

/// Tells a refusal, and whose fault it was: slots that were found and are free again were refused by the cgroup.
#[inline(always)]
fn refused(task: &scratch::Task, order: u8, ret: i32) {
    let mut draft = Draft::new(Kind::AllocFail, 0, 0, order);
    draft.val = ret;
    draft.arg = why::free_slots().map_or(0, |n| n + 1);
    if task.why & why::GIVEN != 0 {
        draft.flags |= flags::GIVEN;
    }
    draft.flags |= why::reclaimer(Some(task));
    emit(Hook::AllocExit, &draft);
}

/// `swp_entry_t swap_alloc_hibernation_slot(type)` returned, `get_swap_page_of_type(type)` before 7.0: a slot that no
/// folio and no cgroup has; the caller alone knows of it.
#[kretprobe]
pub fn hibernate(ctx: RetProbeContext) -> u32 {
    let entry: u64 = ctx.ret();
    if entry != 0 {
        emit(Hook::Hibernate, &Draft::new(Kind::Hibernate, entry, 1, 0));
    }
    0
}

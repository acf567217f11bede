//! Writeout decisions and zswap: zero-filled, stored, refused, loaded, freed. All preemptible: see [`super`].

use super::virt;
use crate::call::Call;
use crate::emit::{Draft, emit, fault, map_full, now, skipped};
use crate::scratch::{self, FREEING, OUT, OUT_DONE, READ, READ_ASKED, READ_IN_ZSWAP, READ_PHYS, STORE};
use crate::{layout, why};
use aya_ebpf::macros::{fexit, kprobe};
use aya_ebpf::programs::{FExitContext, ProbeContext};
use vswap_common::{Address, Entry, Field, Hook, Kind, MISSING, device, flags};

const ENOENT: i32 = -2;

/// `int swap_writeout(.., folio, ..)` begins: the folio is locked, its entry is stable.
#[kprobe]
pub fn writeout_enter(ctx: ProbeContext) -> u32 {
    let Some(folio) = layout::folio_arg(&ctx, Field::ArgWriteout) else {
        fault(Hook::WriteoutEnter);
        return 0;
    };
    let Some(task) = scratch::current_or_new() else {
        map_full(Hook::WriteoutEnter);
        return 0;
    };
    task.out_entry = folio.entry;
    task.out_order = folio.order;
    task.out_ts = now();
    task.enter(OUT, Hook::WriteoutExit);
    task.state &= !OUT_DONE;
    0
}

/// `swap_writeout` returned. The folio is unlocked unless refused: the record is about the entry seen at the begin,
/// and `arg` lets the collector notice when the slots were given up meanwhile.
#[fexit]
pub fn writeout_exit(ctx: FExitContext) -> u32 {
    writeout_exit_once(&ctx)
}

#[fexit]
pub fn writeout_exit_2(ctx: FExitContext) -> u32 {
    writeout_exit_once(&ctx)
}

#[inline(always)]
pub(super) fn writeout_exit_once(ctx: &impl Call) -> u32 {
    let ret: i32 = ctx.arg(2);
    let Some(task) = scratch::current() else { return 0 };
    if task.state & OUT == 0 {
        return 0;
    }
    let done = task.state & OUT_DONE != 0;
    task.state &= !(OUT | OUT_DONE);
    let kind = match (ret, done) {
        (0, false) => Kind::Zero,
        (0, true) => return 0,
        _ => Kind::WriteoutReject,
    };
    let mut draft = Draft::new(kind, task.out_entry, 1 << (task.out_order & 15), task.out_order);
    draft.val = ret;
    draft.arg = now() - task.out_ts;
    draft.flags |= why::reclaimer(Some(task));
    emit(Hook::WriteoutExit, &draft);
    0
}

/// `bool zswap_store(folio)` begins.
#[kprobe]
pub fn store_enter(ctx: ProbeContext) -> u32 {
    let Some(folio) = ctx.arg(0).and_then(layout::folio) else {
        fault(Hook::StoreEnter);
        return 0;
    };
    let Some(task) = scratch::current_or_new() else {
        map_full(Hook::StoreEnter);
        return 0;
    };
    task.store_entry = folio.entry;
    task.store_order = folio.order;
    task.store_ts = now();
    task.stored = 0;
    task.len = 0;
    task.enter(STORE, Hook::StoreExit);
    why::store_begins(task);
    task.state |= OUT_DONE;
    0
}

/// `zswap_store` returned; the caller still holds the folio lock. True means every page is stored, false that zswap
/// holds nothing for these slots any more.
#[fexit]
pub fn store_exit(ctx: FExitContext) -> u32 {
    store_exit_once(&ctx)
}

#[fexit]
pub fn store_exit_2(ctx: FExitContext) -> u32 {
    store_exit_once(&ctx)
}

#[inline(always)]
pub(super) fn store_exit_once(ctx: &impl Call) -> u32 {
    let stored = ctx.arg::<u64>(1) as u8 != 0;
    let Some(task) = scratch::current() else { return 0 };
    if task.state & STORE == 0 {
        return 0;
    }
    task.state &= !STORE;
    let kind = if stored { Kind::ZswapStore } else { Kind::ZswapReject };
    let mut draft = Draft::new(kind, task.store_entry, 1 << (task.store_order & 15), task.store_order);
    if !stored {
        draft.val = why::refusal(task) as i32;
    } else if task.store_order == 0 {
        draft.val = task.len as i32;
    }
    draft.arg = now() - task.store_ts;
    draft.flags |= why::reclaimer(Some(task));
    emit(Hook::StoreExit, &draft);
    0
}

/// `obj_cgroup_charge_zswap(objcg, size)`: once per stored page, in page order, inside `zswap_store`. The length of
/// an order-0 folio travels in the record of its exit, that of each page of a large one in a record of its own.
#[kprobe]
pub fn store_page(ctx: ProbeContext) -> u32 {
    let (Some(size), Some(task)) = (ctx.arg::<u64>(1), scratch::current()) else { return 0 };
    if task.state & STORE == 0 {
        return 0;
    }
    task.len = size as u32;
    if task.store_order > 0 {
        let mut draft = Draft::new(Kind::ZswapPage, task.store_entry + u64::from(task.stored), 1, 0);
        draft.val = size as i32;
        emit(Hook::StorePage, &draft);
        task.stored += 1;
    }
    0
}

/// `zswap_entry_free(entry)`: every way out of zswap.
#[kprobe]
pub fn zswap_free(ctx: ProbeContext) -> u32 {
    let at: u64 = ctx.arg(0).unwrap_or(0);
    let (Some(entry), Some(len)) =
        (layout::read::<u64>(at, Field::ZswapEntry), layout::read::<u32>(at, Field::ZswapLength))
    else {
        fault(Hook::ZswapFree);
        return 0;
    };
    let mut draft = Draft::new(Kind::ZswapFree, entry, 1, 0);
    draft.val = len as i32;
    if let Some(task) = scratch::current() {
        // A store may write back other slots: only an entry of the folio itself is replaced or undone by it.
        let in_run = |first: u64, order: u8| entry.wrapping_sub(first) < 1 << (order & 15);
        if virt::has_moved(task, entry) {
            draft.flags |= flags::MOVED;
        } else if task.state & STORE != 0 && in_run(task.store_entry, task.store_order) {
            draft.flags |= flags::IN_STORE;
        } else if task.state & READ != 0 && in_run(task.read_entry, task.read_order) {
            draft.flags |= flags::IN_LOAD;
        } else if layout::value(Field::SlotCaches) == 1 && given_up(task, entry) {
            draft.flags |= flags::IN_FREE;
        }
    }
    emit(Hook::ZswapFree, &draft);
    0
}

/// In 6.12 zswap forgets some slots just before they are freed.
#[inline(always)]
fn given_up(task: &scratch::Task, entry: u64) -> bool {
    let in_run = entry.wrapping_sub(task.free_entry) < u64::from(task.free_nr);
    task.left == entry || (task.state & FREEING != 0 && in_run)
}

/// `swap_read_folio(.., folio, ..)` begins: locked, in the swap cache.
#[kprobe]
pub fn read_enter(ctx: ProbeContext) -> u32 {
    let Some(folio) = layout::folio_arg(&ctx, Field::ArgRead) else {
        fault(Hook::ReadEnter);
        return 0;
    };
    let Some(task) = scratch::current_or_new() else {
        map_full(Hook::ReadEnter);
        return 0;
    };
    let past_cache = layout::value(Field::SlotCaches) == 1 || layout::value(Field::HoldInMap) == 1;
    if past_cache && came_in(&ctx, task, folio).is_none() {
        fault(Hook::ReadEnter);
    }
    task.read_entry = folio.entry;
    task.read_folio = folio.addr;
    task.read_order = folio.order;
    task.read_ts = now();
    task.enter(READ, Hook::ReadExit);
    task.state &= !(READ_ASKED | READ_IN_ZSWAP | READ_PHYS);
    if layout::value(Field::NoZswap) == 1 {
        read_unasked(task);
    }
    0
}

/// Without zswap nobody says whether the page is on the device or of zeroes but the kernel's own flag, which stays as it
/// is while the folio is locked. Where it hides that, neither is told.
#[inline(always)]
fn read_unasked(task: &mut scratch::Task) {
    match layout::zero_filled(task.read_entry) {
        Some(true) => {}
        Some(false) => {
            task.state |= READ_ASKED | READ_PHYS;
            let nr = 1 << (task.read_order & 15);
            let mut draft = Draft::new(Kind::LoadPhys, task.read_entry, nr, task.read_order);
            draft.val = ENOENT;
            emit(Hook::ReadEnter, &draft);
        }
        None => {
            task.state |= READ_ASKED;
            fault(Hook::ReadEnter);
        }
    }
}

/// Up to 6.19 a device that answers at once, like zram, is read into a folio outside the swap cache, and its slot held as
/// if it were cached: told as such until `swapcache_clear` lets go. Otherwise the thread has just put the folio into the
/// cache: if that was not told, both copies of the exit were skipped.
#[inline(always)]
fn came_in(ctx: &ProbeContext, task: &mut scratch::Task, folio: layout::Folio) -> Option<()> {
    let flags: u64 = layout::read(ctx.arg(0)?, Field::FolioFlags)?;
    if flags >> (layout::value(Field::PgSwapcache) & 63) & 1 == 0 {
        task.aside = folio.entry;
        emit(Hook::CacheAdd, &Draft::new(Kind::CacheAdd, folio.entry, folio.nr(), folio.order));
    } else if task.joined != 0 && task.joined != folio.entry {
        skipped(Hook::CacheAdd);
    }
    Some(())
}

/// `zswap_load(folio)` begins.
#[kprobe]
pub fn load_enter(_ctx: ProbeContext) -> u32 {
    if let Some(task) = scratch::current() {
        task.state |= READ_IN_ZSWAP;
    }
    0
}

/// `int zswap_load(folio)` returned. `-ENOENT`, or false where it is a bool: not in zswap, the read from the device is
/// not yet submitted.
#[fexit]
pub fn load_exit(ctx: FExitContext) -> u32 {
    load_exit_once(&ctx)
}

#[fexit]
pub fn load_exit_2(ctx: FExitContext) -> u32 {
    load_exit_once(&ctx)
}

#[inline(always)]
pub(super) fn load_exit_once(ctx: &impl Call) -> u32 {
    let ret: i32 = if layout::value(Field::LoadSaysTrue) == 1 {
        if ctx.arg::<u64>(1) as u8 != 0 { 0 } else { ENOENT }
    } else {
        ctx.arg(1)
    };
    let Some(task) = scratch::current() else { return 0 };
    if task.state & READ == 0 {
        return 0;
    }
    if task.state & READ_ASKED != 0 {
        return 0;
    }
    task.state |= READ_ASKED;
    let kind = match ret {
        0 => Kind::LoadZswap,
        ENOENT => {
            task.state |= READ_PHYS;
            Kind::LoadPhys
        }
        _ => Kind::LoadFail,
    };
    let mut draft = Draft::new(kind, task.read_entry, 1 << (task.read_order & 15), task.read_order);
    draft.val = ret;
    draft.arg = now() - task.read_ts;
    emit(Hook::LoadExit, &draft);
    0
}

/// `swap_read_folio` returned without asking zswap: the folio was zero-filled. Where bios are completed one by one, a
/// device that answers at once has read the folio by now, and nothing else tells.
#[fexit]
pub fn read_exit(ctx: FExitContext) -> u32 {
    read_exit_once(&ctx)
}

#[fexit]
pub fn read_exit_2(ctx: FExitContext) -> u32 {
    read_exit_once(&ctx)
}

#[inline(always)]
pub(super) fn read_exit_once(_ctx: &impl Call) -> u32 {
    let Some(task) = scratch::current() else { return 0 };
    let asked = task.state & READ_ASKED != 0;
    let in_zswap = task.state & READ_IN_ZSWAP != 0;
    let ours = task.state & READ != 0;
    let phys = task.state & READ_PHYS != 0;
    task.state &= !(READ | READ_ASKED | READ_PHYS);
    if ours && in_zswap && !asked {
        // zswap's answer was not seen: neither copy of `load_exit` ran.
        skipped(Hook::LoadExit);
    } else if ours && !asked {
        let mut draft =
            Draft::new(Kind::LoadZero, task.read_entry, 1 << (task.read_order & 15), task.read_order);
        draft.arg = now() - task.read_ts;
        emit(Hook::ReadExit, &draft);
    } else if ours && phys && layout::value(Field::IoByBio) == 1 && answers_at_once(task.read_entry) {
        let mut draft =
            Draft::new(Kind::ReadEnd, task.read_entry, 1 << (task.read_order & 15), task.read_order);
        if failed(task.read_folio) {
            draft.flags |= flags::FAILED;
        }
        emit(Hook::ReadExit, &draft);
    }
    0
}

/// The slot's device has `SWP_SYNCHRONOUS_IO`. Not known where the kernel hides the address of its devices.
#[inline(always)]
fn answers_at_once(entry: u64) -> bool {
    let devices = layout::address(Address::SwapInfo);
    if devices == 0 {
        return false;
    }
    let si: Option<u64> = layout::read_at(devices + u64::from(Entry(entry).dev()) * 8);
    si.and_then(|si| layout::read::<u64>(si, Field::SiFlags))
        .is_some_and(|flags| layout::device_flags(flags) & device::SYNCHRONOUS != 0)
}

/// The folio that was read is not up to date. Its flags stay as they are: the caller holds a reference, and nobody else
/// reads into it.
#[inline(always)]
fn failed(folio: u64) -> bool {
    let bit = layout::value(Field::PgUptodate);
    let flags = layout::read::<u64>(folio, Field::FolioFlags);
    bit != MISSING && flags.is_some_and(|flags| flags >> (bit & 63) & 1 == 0)
}

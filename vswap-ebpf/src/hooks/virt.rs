//! Virtual swap: physical slots taken and given back, what virtual slots give up, and where the words are that say so.
//!
//! On kernels without it every program here stays unattached and every test below is false at load time.

use super::free::cluster_entry;
use crate::call::Call;
use crate::emit::{Draft, emit, fault, map_full};
use crate::layout::{self, address, read, read_at, value};
use crate::scratch;
use aya_ebpf::macros::{fentry, fexit, kprobe};
use aya_ebpf::programs::{FEntryContext, FExitContext, ProbeContext, RawTracePointContext};
use core::ffi::c_void;
use vswap_common::scan::{Address, answer};
use vswap_common::{Entry, Field, Hook, Kind, MISSING, flags};

/// Low bits of a word or virtual word that say what kind it is.
pub const TAG: u64 = 7;
/// Tag of a physical slot's word that names the virtual slot it backs.
pub const POINTER: u64 = 4;
/// Bit of `inuse_pages` that is no number.
const OFF_LIST: u64 = 1 << 62;
/// Levels the xarray of virtual clusters has: indices are 32 bits.
const LEVELS: usize = 6;

/// This kernel has virtual swap.
#[inline(always)]
pub fn built() -> bool {
    value(Field::VirtTable) != MISSING
}

/// `si` is the virtual device.
#[inline(always)]
pub fn is_virtual(si: u64) -> bool {
    built() && read::<u32>(si, Field::SiFlags).is_some_and(|flags| flags & value(Field::VirtFlag) != 0)
}

/// Struct of the virtual device, 0 while there is none.
#[inline(always)]
fn device() -> Option<u64> {
    read_at(address(Address::VirtualDevice))
}

/// `entry` is a slot of the virtual device.
#[inline(always)]
fn is_slot(entry: u64) -> bool {
    built()
        && device().is_some_and(|si| {
            si != 0 && read::<u8>(si, Field::SiType).is_some_and(|dev| Entry(entry).dev() == dev)
        })
}

/// The word of a virtual slot's table. Stable only under the cluster's lock.
#[inline(always)]
fn word(ci: u64, entry: u64) -> Option<u64> {
    let table: u64 = read(ci, Field::VirtTable)?;
    if table == 0 { Some(0) } else { read_at(table + layout::cluster_offset(entry) * 8) }
}

/// Zero flag of a slot as `flags::ZERO | flags::WORDS`: of its word `plain`, or of its virtual word where zeroes have a
/// tag of their own.
#[inline(always)]
pub fn zero_flags(ci: u64, entry: u64, plain: u64) -> u16 {
    if value(Field::VirtZero) == MISSING || !is_slot(entry) {
        return layout::zero_flags(plain);
    }
    match word(ci, entry) {
        Some(word) if word & TAG == u64::from(value(Field::VirtZero)) => flags::WORDS | flags::ZERO,
        Some(_) => flags::WORDS,
        None => 0,
    }
}

/// Says which device is the virtual one: its number, bit 8 if slots of it are in use, or `answer::NONE`. A raw
/// tracepoint program that is attached to none: user space runs it.
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp")]
pub fn virtual_device(ctx: *mut c_void) -> u32 {
    let _ctx = RawTracePointContext::new(ctx);
    let told = || -> Option<u32> {
        let si = device()?;
        if si == 0 || !is_virtual(si) {
            return Some(answer::NONE);
        }
        let dev: u8 = read(si, Field::SiType)?;
        let inuse: u64 = read(si, Field::SiInuse)?;
        Some(u32::from(dev) | if inuse & !OFF_LIST == 0 { 0 } else { 1 << 8 })
    };
    told().unwrap_or(answer::FAULT)
}

/// `alloc_swap_scan_cluster(si, ci, folio, offset)`, in RFC v1 with a word to write besides, returned with the folio
/// locked: slots of a device that were taken for a folio with virtual slots are to back them. 0: nothing found here.
#[fexit]
pub fn back(ctx: FExitContext) -> u32 {
    backed(&ctx)
}

#[inline(always)]
pub(super) fn backed(ctx: &impl Call) -> u32 {
    if taken(ctx).is_none() {
        fault(Hook::CacheAdd);
    }
    0
}

#[inline(always)]
fn taken(ctx: &impl Call) -> Option<()> {
    let at = value(Field::ArgFound);
    let found = ctx.number(at as usize & 7)?;
    // The function with the further argument returns 32 bits.
    let found = if at == 5 { found & 0xffff_ffff } else { found };
    let (si, folio) = (ctx.number(0)?, ctx.number(2)?);
    // The image of a hibernation has no folio.
    if found == 0 || folio == 0 || is_virtual(si) {
        return Some(());
    }
    let folio = layout::folio(folio)?;
    // Without a virtual device, or room on it, a folio has the slots of the device themselves.
    if !is_slot(folio.entry) {
        return Some(());
    }
    let first = Entry::new(read(si, Field::SiType)?, found);
    let mut draft = Draft::new(Kind::Back, first.0, folio.nr(), folio.order);
    draft.arg = folio.entry;
    emit(Hook::CacheAdd, &draft);
    Some(())
}

/// `__swap_cluster_free_phys_backing(si, ci, ci_start, nr)`, under the lock of the virtual cluster.
#[fentry]
pub fn unback(ctx: FEntryContext) -> u32 {
    given_back(&ctx)
}

#[inline(always)]
pub(super) fn given_back(ctx: &impl Call) -> u32 {
    match cluster_entry(ctx, ctx.arg(0), 1) {
        Some(base) => {
            let (start, nr): (u32, u32) = (ctx.arg(2), ctx.arg(3));
            let first = base.add(u64::from(start));
            emit(Hook::Free, &Draft::new(Kind::Unback, first.0, nr as u16, 0));
        }
        None => fault(Hook::Free),
    }
    0
}

/// `__swap_cluster_finish_free(si, ci, ci_start, nr)`, where [`unback`]'s function is inlined: the end of both kinds of
/// free, under the cluster's lock. What `__swap_cluster_free_entries` frees was told at its begin.
#[fentry]
pub fn unback_at_end(ctx: FEntryContext) -> u32 {
    given_back_at_end(&ctx)
}

#[inline(always)]
pub(super) fn given_back_at_end(ctx: &impl Call) -> u32 {
    let si = ctx.arg(0);
    if is_virtual(si) {
        return 0;
    }
    let Some(base) = cluster_entry(ctx, si, 1) else {
        fault(Hook::Free);
        return 0;
    };
    let (start, nr): (u32, u32) = (ctx.arg(2), ctx.arg(3));
    let first = base.add(u64::from(start)).0;
    match scratch::current() {
        Some(task) if task.freed == first => task.freed = 0,
        _ => emit(Hook::Free, &Draft::new(Kind::Unback, first, nr as u16, 0)),
    }
    0
}

/// The thread begins to free slots: what it ends with the same ones is told.
#[inline(always)]
pub fn note_freed(entry: u64) {
    if built() && !is_slot(entry) {
        match scratch::current_or_new() {
            Some(task) => task.freed = entry,
            None => map_full(Hook::Free),
        }
    }
}

/// `vswap_release_backing(ci, ci_start, nr)`, under the lock of the virtual cluster.
#[fentry]
pub fn release(ctx: FEntryContext) -> u32 {
    gives_up(&ctx)
}

#[inline(always)]
pub(super) fn gives_up(ctx: &impl Call) -> u32 {
    if released(ctx).is_none() {
        fault(Hook::Free);
    }
    0
}

#[inline(always)]
fn released(ctx: &impl Call) -> Option<()> {
    let (ci, start, nr) = (ctx.number(0)?, ctx.number(1)? as u32, ctx.number(2)? as u32);
    let dev: u8 = read(device()?, Field::SiType)?;
    let index: u32 = read(ci, Field::VirtIndex)?;
    let slots = u64::from(value(Field::ClusterSlots));
    let first = Entry::new(dev, u64::from(index) * slots + u64::from(start)).0;
    let mut draft = Draft::new(Kind::Release, first, nr as u16, 0);
    if layout::word(ci, first)? & 3 == 2 {
        draft.flags |= flags::CACHED;
    }
    emit(Hook::Free, &draft);
    Some(())
}

/// `__swap_writepage_phys(folio, plug, entry)`: as [`super::io::write`], to slots that the virtual ones were given.
#[kprobe]
pub fn write_phys(ctx: ProbeContext) -> u32 {
    if write_to(ctx.arg(0), ctx.arg(2)).is_none() {
        fault(Hook::Write);
    }
    0
}

#[inline(always)]
fn write_to(folio: Option<u64>, phys: Option<u64>) -> Option<()> {
    let folio = layout::folio(folio?)?;
    super::io::queued(folio, phys?);
    Some(())
}

/// `__swap_writeout(ctx, folio)`, for slots of both kinds: the physical one is in the virtual word.
#[kprobe]
pub fn write_table(ctx: ProbeContext) -> u32 {
    if written(&ctx).is_none() {
        fault(Hook::Write);
    }
    0
}

#[inline(always)]
fn written(ctx: &ProbeContext) -> Option<()> {
    let folio = layout::folio_arg(ctx, Field::ArgWrite)?;
    let phys = if is_slot(folio.entry) { phys_of(folio.entry)? } else { 0 };
    super::io::queued(folio, phys);
    Some(())
}

/// The physical slot behind a virtual one whose folio is locked; 0 if there is none.
#[inline(always)]
fn phys_of(entry: u64) -> Option<u64> {
    let index = Entry(entry).off().checked_div(u64::from(value(Field::ClusterSlots)))?;
    match cluster_at(device()?, index)? {
        0 => None,
        ci => Some(phys_in(word(ci, entry)?)),
    }
}

/// The physical slot that a word of a virtual table names; 0 if it names none.
#[inline(always)]
pub fn phys_in(word: u64) -> u64 {
    if word & TAG != u64::from(value(Field::VirtPhys)) {
        return 0;
    }
    let at = value(Field::VirtTypeAt) & 63;
    Entry::new((word >> at) as u8, (word & ((1 << at) - 1)) >> 3).0
}

/// The cluster of virtual device `si` with this index, out of the device's xarray; 0 if there is none.
#[inline(always)]
pub fn cluster_at(si: u64, index: u64) -> Option<u64> {
    let mut link: u64 = read(si + u64::from(value(Field::VirtPool)), Field::XaHead)?;
    let mut top = true;
    for _ in 0..LEVELS {
        // Cluster 0 stays for ever: alone it sits in the head itself.
        if link & 3 != 2 || link <= 4096 {
            return Some(0);
        }
        let node = link - 2;
        let shift: u8 = read(node, Field::XaShift)?;
        let step = index >> (shift & 63);
        if top && step >= 64 {
            return Some(0);
        }
        top = false;
        link = read_at(node + u64::from(value(Field::XaSlots)) + (step & 63) * 8)?;
        if shift == 0 {
            return Some(if link & 3 == 0 { link } else { 0 });
        }
    }
    None
}

/// The thread has just written this page from zswap to a device: what zswap frees of it next is old news.
#[inline(always)]
pub fn note_moved(task: &mut scratch::Task, entry: u64) {
    if built() {
        task.moved = entry;
    }
}

/// Whether what zswap frees now is what the thread has just written to a device.
#[inline(always)]
pub fn has_moved(task: &mut scratch::Task, entry: u64) -> bool {
    let moved = built() && task.moved == entry;
    if moved {
        task.moved = 0;
    }
    moved
}

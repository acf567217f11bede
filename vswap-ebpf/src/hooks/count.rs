//! References to slots: a cached slot without any is what the allocator may take back. Told at the entry of the
//! functions, so on several CPUs slightly before the kernel's own order.

use crate::emit::{Draft, emit, fault};
use crate::layout;
use aya_ebpf::macros::kprobe;
use aya_ebpf::programs::ProbeContext;
use vswap_common::{Entry, Field, Hook, Kind};

/// `int folio_dup_swap(folio, page)`: all pages of the folio if `page` is null, else that one.
#[kprobe]
pub fn dup(ctx: ProbeContext) -> u32 {
    if dup_folio(&ctx).is_none() {
        fault(Hook::Dup);
    }
    0
}

#[inline(always)]
fn dup_folio(ctx: &ProbeContext) -> Option<()> {
    let (at, page): (u64, u64) = (ctx.arg(0)?, ctx.arg(1)?);
    let folio = layout::folio(at)?;
    let draft = if page == 0 {
        Draft::new(Kind::Dup, folio.entry, folio.nr(), folio.order)
    } else {
        let index = page.checked_sub(at)?.checked_div(u64::from(layout::value(Field::PageSize)))?;
        Draft::new(Kind::Dup, Entry(folio.entry).add(index).0, 1, folio.order)
    };
    emit(Hook::Dup, &draft);
    Some(())
}

/// `int swap_dup_entry_direct(entry)`: the slot need not be cached.
#[kprobe]
pub fn dup_direct(ctx: ProbeContext) -> u32 {
    match ctx.arg(0) {
        Some(entry) => emit(Hook::DupDirect, &Draft::new(Kind::Dup, entry, 1, 0)),
        None => fault(Hook::DupDirect),
    }
    0
}

/// `swap_put_entries_cluster(si, offset, nr, reclaim_cache)`: every way down passes here, cluster by cluster.
#[kprobe]
pub fn put(ctx: ProbeContext) -> u32 {
    if put_run(&ctx).is_none() {
        fault(Hook::Put);
    }
    0
}

#[inline(always)]
fn put_run(ctx: &ProbeContext) -> Option<()> {
    let dev: u8 = layout::read(ctx.arg(0)?, Field::SiType)?;
    let (off, nr, reclaim): (u64, u32, u64) = (ctx.arg(1)?, ctx.arg(2)?, ctx.arg(3)?);
    let mut draft = Draft::new(Kind::Put, Entry::new(dev, off).0, nr as u16, 0);
    draft.val = i32::from(reclaim as u8 != 0);
    emit(Hook::Put, &draft);
    Some(())
}

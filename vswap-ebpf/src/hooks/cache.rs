//! Entry into and exit from the swap cache: allocation, swap-in, reclaim. Both hooks run under the cluster lock.

use crate::emit::{Draft, emit, fault, map_full, skipped};
use crate::scratch::{ALLOC, CHARGES};
use crate::{layout, scratch};
use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;
use vswap_common::{Field, Hook, Kind, MISSING, flags};

/// `__swap_cache_do_add_folio(ci, folio, entry)`, `__swap_cache_add_folio` before 7.2: an empty word before means
/// allocation, else the slot was in use.
#[fentry]
pub fn cache_add(ctx: FEntryContext) -> u32 {
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

/// Where the counts are in a map, the word of a slot in use may be empty: then only the allocator fills fresh ones.
#[inline(always)]
fn allocates() -> bool {
    layout::value(Field::CountInMap) == MISSING
        || scratch::current().is_some_and(|task| task.state & ALLOC != 0)
}

/// `__swap_cache_do_del_folio(ci, folio, entry, shadow)`. A shadow is left only by reclaim.
#[fentry]
pub fn cache_del(ctx: FEntryContext) -> u32 {
    if del(ctx.arg(0), ctx.arg(1), ctx.arg(2), ctx.arg(3)).is_none() {
        fault(Hook::CacheDel);
    }
    0
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
    draft.flags |= layout::zero_flags(word);
    if let Some(id) = layout::memcg(ci, entry) {
        draft.memcg = id;
        draft.flags |= flags::MEMCG;
    }
}

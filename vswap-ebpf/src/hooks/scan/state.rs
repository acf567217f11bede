//! State of a slot, from its words, its zswap entry and its folio.

use super::super::virt;
use super::chunk::{CACHED, Chunk, DOUBT, LENGTH, NO_PHYS, ORDER, OWNER, REFS, RESERVED, SLOTS, ZERO};
use super::words::{Meaning, meaning, virtual_place, zero};
use crate::layout::{self, read, value};
use vswap_common::{Entry, Field, place};

/// State of slot `i` of the chunk as one number.
#[inline(always)]
pub(super) fn describe(chunk: &Chunk, i: usize) -> u64 {
    let i = i & (SLOTS - 1);
    let (meaning, refs) = meaning(chunk, i);
    let mut state = refs << REFS;
    if chunk.owned != 0 {
        state |= u64::from(chunk.owners[i]) << OWNER;
    }
    let slot = Entry::new(chunk.dev as u8, chunk.base + i as u64).0;
    if virt::built() && chunk.on_virtual != 0 {
        return described_virtual(chunk, i, meaning, state, slot);
    }
    let zero = zero(chunk, i);
    if zero {
        state |= ZERO;
    }
    let entry = if chunk.in_zswap != 0 { chunk.entries[i] } else { 0 };
    match meaning {
        Meaning::Free => place::FREE,
        Meaning::Idle => place::IDLE,
        Meaning::Backs => place::BACKS,
        Meaning::Reserved => RESERVED,
        Meaning::Unknown => state | place::UNKNOWN,
        Meaning::Moving => state | DOUBT | place::UNKNOWN,
        Meaning::Elsewhere => {
            state |= chunk.order << ORDER;
            // The order in which the kernel asks (`swap_read_folio`): a zero-filled page may have an entry from before.
            if zero {
                state | place::ZERO
            } else if entry != 0 {
                state | place::ZSWAP | length(entry, slot) << LENGTH
            } else {
                state | place::PHYS
            }
        }
        Meaning::Cached(folio) => match cached(folio, slot) {
            // About to change, or changed since: whoever holds the lock is from before our hooks, or tells it himself.
            None => state | CACHED | DOUBT | place::UNKNOWN,
            Some((order, _)) if zero => state | CACHED | order << ORDER | place::ZERO,
            Some((order, _)) if entry != 0 => {
                state | CACHED | order << ORDER | place::ZSWAP | length(entry, slot) << LENGTH
            }
            // Loaded from zswap, fresh or written to since: no other copy is current.
            Some((order, true)) => state | CACHED | order << ORDER | place::FOLIO,
            Some((order, false)) => state | CACHED | order << ORDER | place::PHYS,
        },
    }
}

/// The same of a virtual slot, which has its data where its virtual table says.
#[inline(always)]
fn described_virtual(chunk: &Chunk, i: usize, meaning: Meaning, state: u64, slot: u64) -> u64 {
    let link = chunk.entries[i];
    let away = virtual_place(link, chunk.words[i]);
    let state = match away {
        place::ZERO => state | ZERO,
        // The entry leaves zswap's tree only with the virtual word.
        place::ZSWAP => state | length(link & !7, slot) << LENGTH,
        _ => state,
    };
    match meaning {
        Meaning::Free => place::FREE,
        Meaning::Reserved => RESERVED,
        Meaning::Elsewhere => state | chunk.order << ORDER | away,
        Meaning::Cached(folio) => match cached(folio, slot) {
            None => state | CACHED | DOUBT | place::UNKNOWN,
            Some((order, dirty)) => {
                let only = away == place::UNKNOWN || (away == place::PHYS && dirty);
                state | CACHED | order << ORDER | if only { place::FOLIO } else { away }
            }
        },
        _ => state | place::UNKNOWN,
    }
}

/// The physical slot behind virtual slot `i` of the chunk, less `i`; [`NO_PHYS`] without one.
#[inline(always)]
pub(super) fn phys_of(chunk: &Chunk, i: usize) -> u64 {
    let i = i & (SLOTS - 1);
    if !virt::built() || chunk.on_virtual == 0 || chunk.words[i] == 0 {
        return NO_PHYS;
    }
    match virt::phys_in(chunk.entries[i]) {
        0 => NO_PHYS,
        phys => phys.wrapping_sub(i as u64),
    }
}

/// Order of the unlocked folio that caches `slot`, and whether it is dirty. `None` if it is locked or another's.
#[inline(always)]
fn cached(at: u64, slot: u64) -> Option<(u64, bool)> {
    let page_flags: u64 = read(at, Field::FolioFlags)?;
    let folio = layout::folio(at)?;
    let bit = |field: Field| page_flags >> (value(field) & 63) & 1 == 1;
    let ours = slot.wrapping_sub(folio.entry) < u64::from(folio.nr());
    if bit(Field::PgLocked) || !ours {
        None
    } else {
        Some((u64::from(folio.order & 15), bit(Field::PgDirty)))
    }
}

/// Compressed bytes of a zswap entry if it really is the slot's; 0 otherwise.
#[inline(always)]
fn length(entry: u64, slot: u64) -> u64 {
    match (read::<u64>(entry, Field::ZswapEntry), read::<u32>(entry, Field::ZswapLength)) {
        (Some(of), Some(len)) if of == slot && len <= 4096 => u64::from(len),
        _ => 0,
    }
}

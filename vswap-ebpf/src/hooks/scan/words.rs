//! What a slot's words mean, in each generation of tables.

use super::super::virt;
use super::chunk::{Chunk, SLOTS};
use crate::layout::value;
use vswap_common::{Field, MISSING, place};

/// The word of a slot that may not be used (`SWP_TB_BAD`).
const BAD: u64 = !0 << 3;

// Bytes of the count map (`swap_map`).
const MAP_BAD: u8 = 0x3f;
const MAP_COUNT: u8 = 0x3f;
/// A folio in the cache, or a CPU's cache of slots, holds the slot (6.12).
const MAP_CACHED: u8 = 0x40;
/// The count goes on elsewhere: at least 63.
const MAP_MORE: u8 = 0x80;
/// Of shared memory: one reference that is not counted (6.12).
const MAP_SHMEM: u8 = 0xbf;

/// What the words say of a slot.
#[derive(Clone, Copy)]
pub(super) enum Meaning {
    /// Nobody uses it.
    Free,
    /// Not to be used.
    Reserved,
    /// The allocator has given it to a CPU's cache of slots, and nobody uses it.
    Idle,
    /// In the swap cache: address of the folio, 0 if unknown.
    Cached(u64),
    /// In use, not in the swap cache.
    Elsewhere,
    /// A physical slot with the data of a virtual one.
    Backs,
    /// In use, on its way into or out of the cache.
    Moving,
    /// A word we do not know.
    Unknown,
}

/// Meaning and references of slot `i`.
#[inline(always)]
pub(super) fn meaning(chunk: &Chunk, i: usize) -> (Meaning, u64) {
    let (word, byte) = (chunk.words[i & (SLOTS - 1)], chunk.counts[i & (SLOTS - 1)]);
    if value(Field::SlotCaches) == 1 {
        by_map(word, byte, chunk)
    } else if value(Field::HoldInMap) == 1 {
        by_hold(word, byte)
    } else if value(Field::CountInMap) == 1 {
        by_both(word, byte)
    } else {
        (by_word(word, chunk), word >> 60)
    }
}

/// Zero flag of slot `i`.
#[inline(always)]
pub(super) fn zero(chunk: &Chunk, i: usize) -> bool {
    let bits = if value(Field::ZeroInWord) == 1 {
        chunk.words[i & (SLOTS - 1)] >> 59
    } else {
        chunk.zeros >> (i & 63)
    };
    bits & 1 == 1
}

/// 7.1 and later: the word says everything.
#[inline(always)]
fn by_word(word: u64, chunk: &Chunk) -> Meaning {
    if word == 0 {
        Meaning::Free
    } else if word == BAD {
        Meaning::Reserved
    } else if word & 1 == 1 {
        Meaning::Elsewhere
    } else if word & 3 == 2 {
        let page = chunk.vmemmap + ((word & ((1 << 59) - 1)) >> 2) * u64::from(value(Field::PageSize));
        Meaning::Cached(if chunk.vmemmap == 0 { 0 } else { page })
    } else if virt::built() && word & virt::TAG == virt::POINTER {
        Meaning::Backs
    } else {
        Meaning::Unknown
    }
}

/// Where a virtual slot has its data by the word `link` of its virtual table, and by its swap table word `plain` where
/// zeroes are told there. Unknown where nothing but a folio in the swap cache can have it.
#[inline(always)]
pub(super) fn virtual_place(link: u64, plain: u64) -> u64 {
    let is = |field: Field| link & virt::TAG == u64::from(value(field));
    let zero = if value(Field::VirtZero) == MISSING {
        link & virt::TAG == 0 && plain >> 59 & 1 == 1
    } else {
        is(Field::VirtZero)
    };
    if zero {
        place::ZERO
    } else if is(Field::VirtZswap) {
        place::ZSWAP
    } else if is(Field::VirtPhys) {
        place::PHYS
    } else {
        place::UNKNOWN
    }
}

/// 7.0: the count is in the map, the word is a pointer to the folio or a shadow. A fresh slot has no count yet.
#[inline(always)]
fn by_both(word: u64, byte: u8) -> (Meaning, u64) {
    if byte & !MAP_MORE == MAP_BAD {
        return (Meaning::Reserved, 0);
    }
    let meaning = if word != 0 && word & 3 == 0 {
        Meaning::Cached(word)
    } else if byte == 0 {
        Meaning::Free
    } else {
        Meaning::Elsewhere
    };
    (meaning, references(byte))
}

/// 6.18 and 6.19: count and hold for the cache are in the map, the word is a pointer to the folio or a shadow.
#[inline(always)]
fn by_hold(word: u64, byte: u8) -> (Meaning, u64) {
    if byte == MAP_BAD {
        return (Meaning::Reserved, 0);
    }
    let shared = byte & !MAP_CACHED == MAP_SHMEM;
    let refs = if shared { 1 } else { references(byte & !MAP_CACHED) };
    let meaning = if byte == 0 {
        Meaning::Free
    } else if word != 0 && word & 3 == 0 {
        Meaning::Cached(word)
    } else if byte & MAP_CACHED == 0 {
        Meaning::Elsewhere
    } else {
        // Held for a folio that is not in the table: read past the cache, or about to enter or leave it.
        Meaning::Moving
    };
    (meaning, refs)
}

/// 6.12: count and hold are in the map, `entry` is what the swap cache has at the slot.
#[inline(always)]
fn by_map(entry: u64, byte: u8, chunk: &Chunk) -> (Meaning, u64) {
    if byte == MAP_BAD {
        return (Meaning::Reserved, 0);
    }
    let entry = if entry & 3 == 2 && entry < 256 {
        // The slot's folio is in the same leaf, where it begins. Hidden: the compiler would leave out the mask, which
        // the verifier needs.
        chunk.words[core::hint::black_box((entry >> 2) as usize) & (SLOTS - 1)]
    } else {
        entry
    };
    let shared = byte & !MAP_CACHED == MAP_SHMEM;
    let refs = if shared { 1 } else { references(byte & !MAP_CACHED) };
    let meaning = if byte == 0 {
        Meaning::Free
    } else if entry != 0 && entry & 3 == 0 {
        Meaning::Cached(entry)
    } else if byte & MAP_CACHED == 0 {
        Meaning::Elsewhere
    } else if byte == MAP_CACHED {
        Meaning::Idle
    } else {
        // Read outside the swap cache, or about to enter or leave it.
        Meaning::Moving
    };
    (meaning, refs)
}

#[inline(always)]
fn references(byte: u8) -> u64 {
    let count = u64::from(byte & MAP_COUNT);
    if byte & MAP_MORE != 0 || count > place::MAX_REFS { place::MAX_REFS } else { count }
}

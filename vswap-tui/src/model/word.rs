//! The 8-byte entry of a swap table: what one slot holds (`mm/swap_table.h`).
//!
//! ```text
//! NULL     0                                       free
//! PFN      ..flags 59-63 | private 36-58 | pfn 2-35 | 10    folio in the swap cache
//! Shadow   ..flags 59-63 | private 36-58 | value 1-35 | 1   used, not cached
//! Pointer  C 63 | owner entry << 3 | 100           physical slot that backs a virtual one
//! Bad      0xFFFFFFFFFFFFFFF8                      header, media hole, padding
//! ```
//! Flags: count in bits 60-63, zero flag in bit 59. Between flags and page frame the model keeps what the kernel would
//! look up elsewhere, so that a request touches one cache line of a slot and not two: the recorded memcg id
//! (`memcg_table`), the folio's order (`folio_order`), for direct-mapped slots whether zswap or the device holds the
//! data, for virtual ones whether they were without users since they got their backing. That leaves 34 bits of the
//! kernel's 40 for a page frame: the model only tells folios apart by it.

use vswap_common::Entry;

/// Stored maximum of the count field, `SWP_TB_COUNT_MAX`: from here on the extend table has the number.
pub const COUNT_MAX: u32 = 15;

const COUNT_SHIFT: u32 = 60;
const ZERO_BIT: u64 = 1 << 59;
const FLAGS: u64 = !0 << 59;
const ORDER_SHIFT: u32 = 36;
const ORDER_MASK: u64 = 0xf << ORDER_SHIFT;
const ZSWAP_BIT: u64 = 1 << 40;
const WRITTEN_BIT: u64 = 1 << 41;
const IDLED_BIT: u64 = 1 << 42;
const ID_SHIFT: u32 = 43;
const ID_MASK: u64 = 0xffff << ID_SHIFT;
const BACKING_BITS: u64 = ZSWAP_BIT | WRITTEN_BIT;
const KEPT: u64 = FLAGS | BACKING_BITS | IDLED_BIT | ID_MASK;
const PFN_MASK: u64 = (1 << 34) - 1;
const C_BIT: u64 = 1 << 63;

/// What a word says its slot is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Free.
    Null,
    /// In use, its folio in the swap cache.
    Pfn,
    /// In use, not cached.
    Shadow,
    /// Backs a virtual slot.
    Pointer,
    /// Never usable.
    Bad,
}

/// One swap table entry.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Word(pub u64);

impl Word {
    /// A free slot.
    pub const NULL: Self = Self(0);
    /// A slot that is never allocated (`SWP_TB_BAD`).
    pub const BAD: Self = Self(!7);

    /// A cached folio of `order` at its first count of 0 (`folio_to_swp_tb`).
    pub const fn pfn(pfn: u64, order: u8) -> Self {
        Self(0b10 | ((pfn & PFN_MASK) << 2) | ((order as u64) << ORDER_SHIFT))
    }

    /// An uncached slot with `count` users, at most [`COUNT_MAX`] (`shadow_swp_to_tb`).
    pub const fn shadow(value: u64, count: u32) -> Self {
        Self(1 | ((value & PFN_MASK) << 1) | ((count as u64) << COUNT_SHIFT))
    }

    /// The back reference of a physical slot to its virtual owner.
    pub const fn pointer(owner: Entry) -> Self {
        Self(0b100 | (owner.0 << 3))
    }

    /// What the slot is.
    pub const fn kind(self) -> Kind {
        if self.0 == 0 {
            Kind::Null
        } else if self.0 & 1 == 1 {
            Kind::Shadow
        } else if self.0 & 0b11 == 0b10 {
            Kind::Pfn
        } else if self.0 & 0b111 == 0b100 {
            Kind::Pointer
        } else {
            Kind::Bad
        }
    }

    /// Free (`swp_tb_is_null`).
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// Folio in the swap cache (`swp_tb_is_folio`).
    pub const fn is_cached(self) -> bool {
        self.0 & 0b11 == 0b10
    }

    /// PFN or Shadow: has a count and flags (`swp_tb_is_countable` without NULL).
    pub const fn is_used(self) -> bool {
        self.0 & 0b11 == 0b10 || self.0 & 1 == 1
    }

    /// In the swap cache without any user: reclaim may give the slot up.
    pub const fn is_cache_only(self) -> bool {
        self.is_cached() && self.count() == 0
    }

    /// Stored count, 0 to 15; 15 means "see the extend table". Only of PFN and Shadow words.
    pub const fn count(self) -> u32 {
        (self.0 >> COUNT_SHIFT) as u32
    }

    /// The same word with another stored count.
    #[must_use]
    pub const fn with_count(self, count: u32) -> Self {
        Self(self.0 & !(0xf << COUNT_SHIFT) | ((count as u64) << COUNT_SHIFT))
    }

    /// Inline zero flag.
    pub const fn zero(self) -> bool {
        self.is_used() && self.0 & ZERO_BIT != 0
    }

    /// The same word with the zero flag set or cleared.
    #[must_use]
    pub const fn with_zero(self, zero: bool) -> Self {
        if zero { Self(self.0 | ZERO_BIT) } else { Self(self.0 & !ZERO_BIT) }
    }

    /// Order of the cached folio.
    pub const fn order(self) -> u8 {
        ((self.0 & ORDER_MASK) >> ORDER_SHIFT) as u8
    }

    /// Page frame of the cached folio, or the shadow value.
    pub const fn payload(self) -> u64 {
        match self.kind() {
            Kind::Shadow => (self.0 >> 1) & PFN_MASK,
            _ => (self.0 >> 2) & PFN_MASK,
        }
    }

    /// Shadow -> PFN or back, count, zero flag, memcg id and place of the data kept.
    #[must_use]
    pub const fn replaced(self, by: Self) -> Self {
        Self(by.0 & !KEPT | (self.0 & KEPT))
    }

    /// Direct-mapped: the device's zswap tree has an entry for the slot.
    pub const fn in_zswap(self) -> bool {
        self.is_used() && self.0 & ZSWAP_BIT != 0
    }

    /// Direct-mapped: the data was written to the device.
    pub const fn written(self) -> bool {
        self.is_used() && self.0 & WRITTEN_BIT != 0
    }

    /// The same word with the place of a direct-mapped slot's data replaced.
    #[must_use]
    pub const fn with_place(self, zswap: bool, written: bool) -> Self {
        let bits = (if zswap { ZSWAP_BIT } else { 0 }) | (if written { WRITTEN_BIT } else { 0 });
        Self(self.0 & !BACKING_BITS | bits)
    }

    /// Virtual: the slot had no user at some time since its physical backing was installed (invariant 15).
    pub const fn idled(self) -> bool {
        self.is_used() && self.0 & IDLED_BIT != 0
    }

    /// The same word with that memory set or cleared.
    #[must_use]
    pub const fn with_idled(self, idled: bool) -> Self {
        if idled { Self(self.0 | IDLED_BIT) } else { Self(self.0 & !IDLED_BIT) }
    }

    /// Recorded memcg id of a used slot, 0 for none and where the slot is not in use.
    pub const fn id(self) -> u16 {
        if self.is_used() { ((self.0 & ID_MASK) >> ID_SHIFT) as u16 } else { 0 }
    }

    /// The same word of a used slot with another memcg id.
    #[must_use]
    pub const fn with_id(self, id: u16) -> Self {
        Self(self.0 & !ID_MASK | ((id as u64) << ID_SHIFT))
    }

    /// Owner of a Pointer word.
    pub const fn owner(self) -> Entry {
        Entry((self.0 & !C_BIT) >> 3)
    }

    /// Bit C of a Pointer word, `SWP_RMAP_CACHE_ONLY`.
    pub const fn cache_only_backing(self) -> bool {
        matches!(self.kind(), Kind::Pointer) && self.0 & C_BIT != 0
    }

    /// The same Pointer with bit C set or cleared.
    #[must_use]
    pub const fn with_cache_only(self, set: bool) -> Self {
        if set { Self(self.0 | C_BIT) } else { Self(self.0 & !C_BIT) }
    }
}

impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind() {
            Kind::Null => write!(f, "-"),
            Kind::Bad => write!(f, "Bad"),
            Kind::Pfn => write!(
                f,
                "Pfn(o{} L{}{})",
                self.order(),
                self.count(),
                if self.zero() { " zero" } else { "" }
            ),
            Kind::Shadow => write!(f, "Shadow(L{}{})", self.count(), if self.zero() { " zero" } else { "" }),
            Kind::Pointer => {
                write!(f, "Pointer({:#x}{})", self.owner().0, if self.0 & C_BIT != 0 { " C" } else { "" })
            }
        }
    }
}

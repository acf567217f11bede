//! The 8-byte entry of a virtual cluster's `virtual_table`: where the data of a virtual slot is.
//!
//! Tag in the low three bits. RFC v1 has five tags, RFC v2 three: there "all zero" is the flag in the swap table word
//! and "only the folio has it" is NONE under a PFN word.

use vswap_common::Entry;

/// Which RFC's tags a vword carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tags {
    /// NONE 0, PHYS 1, ZERO 2, ZSWAP 3, FOLIO 4.
    Rfc1,
    /// NONE 0, PHYS 1, ZSWAP 2.
    Rfc2,
}

/// Where the data of a virtual slot is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backing {
    /// Nowhere yet.
    None,
    /// On a physical slot (`VSWAP_SWAPFILE`).
    Phys(Entry),
    /// All zero, no data needed (v1 only; v2 has the zero flag).
    Zero,
    /// Compressed in zswap, by the entry's number.
    Zswap(u64),
    /// Only in the folio, whose earlier backing was given up (v1 only).
    Folio,
}

/// One virtual_table entry.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Vword(pub u64);

const TAG: u64 = 7;
const PHYS: u64 = 1;

impl Vword {
    /// No backing.
    pub const NONE: Self = Self(0);

    /// Encodes `backing`. Under v2 tags ZERO and FOLIO have no vword of their own and become NONE.
    pub const fn new(backing: Backing, tags: Tags) -> Self {
        match (backing, tags) {
            (Backing::Phys(entry), _) => Self((entry.0 << 3) | PHYS),
            (Backing::Zero, Tags::Rfc1) => Self(2),
            (Backing::Zswap(id), Tags::Rfc1) => Self((id << 3) | 3),
            (Backing::Zswap(id), Tags::Rfc2) => Self((id << 3) | 2),
            (Backing::Folio, Tags::Rfc1) => Self(4),
            (Backing::None | Backing::Zero | Backing::Folio, _) => Self::NONE,
        }
    }

    /// Decodes; an unknown tag reads as NONE (the kernel would warn).
    pub const fn backing(self, tags: Tags) -> Backing {
        match (self.0 & TAG, tags) {
            (PHYS, _) => Backing::Phys(Entry(self.0 >> 3)),
            (2, Tags::Rfc1) => Backing::Zero,
            (3, Tags::Rfc1) | (2, Tags::Rfc2) => Backing::Zswap(self.0 >> 3),
            (4, Tags::Rfc1) => Backing::Folio,
            _ => Backing::None,
        }
    }

    /// The physical slot, if that is where the data is.
    pub const fn phys(self) -> Option<Entry> {
        if self.0 & TAG == PHYS { Some(Entry(self.0 >> 3)) } else { None }
    }
}

impl std::fmt::Debug for Vword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

//! One search for slots: who asks, for what order, and what is written into the slots found.

use super::word::Word;
use super::{Path, Walk};
use vswap_common::Entry;

/// What is written into the slots found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payload {
    /// A folio of the swap cache.
    Folio(u64),
    /// Backing of virtual slots from this entry on.
    Backing(Entry),
    /// Hibernation image: no folio, one user.
    Hibernation,
}

/// One search.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) cpu: usize,
    pub(super) order: u8,
    pub(super) payload: Payload,
    pub(super) walk: Walk,
}

impl Request {
    pub(super) const fn new(cpu: usize, order: u8, payload: Payload) -> Self {
        Self { cpu, order, payload, walk: Walk { path: Path::Untried, visited: 0, devices: 0, scans: 0 } }
    }

    #[inline]
    pub(super) const fn nr(&self) -> u64 {
        1 << self.order
    }

    /// Word of slot `i` of the range.
    #[inline]
    pub(super) const fn word(&self, i: u64) -> Word {
        match self.payload {
            Payload::Folio(pfn) => Word::pfn(pfn, self.order),
            Payload::Backing(owner) => Word::pointer(owner.add(i)),
            Payload::Hibernation => Word::shadow(0, 1),
        }
    }
}

/// The kernel took another slot than the one found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mismatch(pub(super) Entry);

/// Offset found, nothing, or the end of the call.
pub(super) type Search = Result<Option<u64>, Mismatch>;

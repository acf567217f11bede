//! What the scan is looking at: a chunk of slots, and the run of like slots that is being gathered.

use vswap_common::scan;

/// Slots read at once.
pub(super) const SLOTS: usize = scan::CHUNK as usize;

/// No physical slot behind a slot: no physical slot less a place in a chunk is that.
pub(super) const NO_PHYS: u64 = u64::MAX;

/// A chunk of slots and the run that is being gathered. In a map: too large for the stack, and the verifier, which
/// does not follow numbers in maps, has one state of the loop to look at instead of one for each length of run.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Chunk {
    pub(super) words: [u64; SLOTS],
    pub(super) entries: [u64; SLOTS],
    pub(super) owners: [u16; SLOTS],
    /// Bytes of the count map, where there is one.
    pub(super) counts: [u8; SLOTS],
    /// Bits of the zero bitmap, where there is one.
    pub(super) zeros: u64,
    pub(super) dev: u64,
    /// Offset of the first slot.
    pub(super) base: u64,
    /// Slots that the device has of the chunk.
    pub(super) slots: u64,
    /// Order of the cluster.
    pub(super) order: u64,
    /// Address of the struct of page 0; 0 if unknown.
    pub(super) vmemmap: u64,
    /// Not 0: `owners` is read.
    pub(super) owned: u64,
    /// Not 0: `entries` is read.
    pub(super) in_zswap: u64,
    /// Not 0: the slots are virtual, and `entries` are the words of their virtual table.
    pub(super) on_virtual: u64,
    /// Of the slot that is looked at: its physical one less its place in the chunk, or [`NO_PHYS`].
    pub(super) phys: u64,
    /// The same of the run: the physical slots of a run follow each other.
    pub(super) run_phys: u64,
    /// When the tables were read.
    pub(super) read_at: u64,
    /// State of the slot that is looked at.
    pub(super) now: u64,
    /// Not 0: a slot was in doubt.
    pub(super) doubt: u64,
    /// State of the slots in the run.
    pub(super) state: u64,
    /// First slot of the run in the chunk.
    pub(super) first: u64,
    /// Slots in the run.
    pub(super) len: u64,
    /// Slots told.
    pub(super) done: u64,
}

// State of a slot as one number: place, references, flags, order, owner, length.
pub(super) const CACHED: u64 = 1 << 3;
pub(super) const REFS: u32 = 4;
pub(super) const ORDER: u32 = 8;
pub(super) const ZERO: u64 = 1 << 12;
pub(super) const DOUBT: u64 = 1 << 13;
/// Reserved by the kernel: not told.
pub(super) const RESERVED: u64 = 1 << 14;
pub(super) const OWNER: u32 = 16;
pub(super) const LENGTH: u32 = 32;

//! What a thread is in the middle of: set by the hook at a function's entry, used by the one at its exit.

use crate::emit::skipped;
use crate::maps::TASKS;
use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use vswap_common::Hook;

/// `swap_writeout` runs.
pub const OUT: u32 = 1 << 0;
/// Inside it, the folio was stored, written or freed: it is not zero-filled.
pub const OUT_DONE: u32 = 1 << 1;
/// `zswap_store` runs.
pub const STORE: u32 = 1 << 2;
/// `swap_read_folio` runs.
pub const READ: u32 = 1 << 3;
/// Inside it, zswap was asked: the folio is not zero-filled.
pub const READ_ASKED: u32 = 1 << 4;
/// `folio_alloc_swap` runs.
pub const ALLOC: u32 = 1 << 5;
/// The thread has seen a charge: on this kernel every allocation is followed by one.
pub const CHARGES: u32 = 1 << 6;
/// Inside `swap_read_folio`, `zswap_load` was entered.
pub const READ_IN_ZSWAP: u32 = 1 << 7;
/// `alloc_entry` was given to the thread and its folio is not in the swap cache yet (only with slot caches).
pub const FRESH: u32 = 1 << 8;
/// `free_swap_and_cache_nr` runs: what zswap has of its slots goes just before they do.
pub const FREEING: u32 = 1 << 9;

/// Inside `swap_read_folio`, zswap had nothing: the device is asked.
pub const READ_PHYS: u32 = 1 << 10;

/// State of one thread. Times are `CLOCK_MONOTONIC` nanoseconds.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Task {
    /// Cluster of the last allocation, for reading the owner after the charge.
    pub alloc_ci: u64,
    /// Entry of the last allocation.
    pub alloc_entry: u64,
    /// Folio entry, begin of the running `swap_writeout`.
    pub out_entry: u64,
    /// Entry of the folio that last entered the swap cache (only with slot caches).
    pub joined: u64,
    /// Entry of the folio that last left the swap cache and did not go by reclaim, until its slots are told free or
    /// others come out of a cache of slots (only with slot caches).
    pub left: u64,
    /// Entry that was just written from zswap to a device, until zswap frees it (only with virtual swap).
    pub moved: u64,
    /// First of the slots being freed, until the end that all frees share (only with virtual swap).
    pub freed: u64,
    /// Entry read into a folio outside the swap cache (only with slot caches), 0 if none.
    pub aside: u64,
    /// First entry of the running `free_swap_and_cache_nr`.
    pub free_entry: u64,
    /// Begin of the running `swap_writeout`.
    pub out_ts: u64,
    /// Folio entry of the running `zswap_store`.
    pub store_entry: u64,
    /// Begin of the running `zswap_store`.
    pub store_ts: u64,
    /// Folio entry of the running `swap_read_folio`.
    pub read_entry: u64,
    /// Folio of the running `swap_read_folio`.
    pub read_folio: u64,
    /// Begin of the running `swap_read_folio`.
    pub read_ts: u64,
    /// Struct of the device being switched on.
    pub device: u64,
    /// What became of the entries that the walks which run looked at ([`vswap_common::why::walk`]): of the shrinker, of a
    /// limit.
    pub walks: [[u16; 4]; 2],
    /// Bits above.
    pub state: u32,
    /// Bits of [`crate::why`].
    pub why: u32,
    /// Compressed bytes of the last stored page.
    pub len: u32,
    /// Pages stored so far by the running `zswap_store`.
    pub stored: u32,
    /// Slots of the running `free_swap_and_cache_nr`.
    pub free_nr: u32,
    /// Owner recorded for `alloc_entry`, 0 if none.
    pub owner: u32,
    /// Order of the folio of the running `swap_writeout`.
    pub out_order: u8,
    /// Order of the folio of the running `zswap_store`.
    pub store_order: u8,
    /// Order of the folio of the running `swap_read_folio`.
    pub read_order: u8,
    /// Order of the folio of the running `folio_alloc_swap`.
    pub alloc_order: u8,
    /// No padding.
    pub _reserved: [u8; 3],
    /// Copy of the exit that told of `joined`, 0 once the other has seen that.
    pub joined_by: u8,
}

const EMPTY: Task = Task {
    alloc_ci: 0,
    alloc_entry: 0,
    out_entry: 0,
    joined: 0,
    left: 0,
    moved: 0,
    freed: 0,
    aside: 0,
    free_entry: 0,
    out_ts: 0,
    store_entry: 0,
    store_ts: 0,
    read_entry: 0,
    read_folio: 0,
    read_ts: 0,
    device: 0,
    walks: [[0; 4]; 2],
    state: 0,
    why: 0,
    len: 0,
    stored: 0,
    free_nr: 0,
    owner: 0,
    out_order: 0,
    store_order: 0,
    read_order: 0,
    alloc_order: 0,
    _reserved: [0; 3],
    joined_by: 0,
};

impl Task {
    /// Enters a function: sets its `bit`. If it is set already, the exit of the last call was not seen.
    #[inline(always)]
    pub fn enter(&mut self, bit: u32, exit: Hook) {
        if self.state & bit != 0 {
            skipped(exit);
        }
        self.state |= bit;
    }
}

/// Id of the running thread.
#[inline(always)]
pub fn tid() -> u32 {
    bpf_get_current_pid_tgid() as u32
}

/// State of the running thread if it has any.
#[inline(always)]
pub fn current() -> Option<&'static mut Task> {
    let p = TASKS.get_ptr_mut(tid())?;
    // SAFETY: map values live as long as the programs, and an element belongs to the running thread alone: no other
    // thread uses its key, and hooks in interrupts do not use this map.
    unsafe { p.as_mut() }
}

/// State of the running thread, made if it has none; `None` if the map is full.
#[inline(always)]
pub fn current_or_new() -> Option<&'static mut Task> {
    if TASKS.get_ptr_mut(tid()).is_none() {
        TASKS.insert(tid(), EMPTY, 0).ok()?;
    }
    current()
}

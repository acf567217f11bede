//! One way into the ring: stamps, counts, and counts what does not fit.

use crate::maps::{COUNTS, CPUS, RING};
use crate::scratch::tid;
use aya_ebpf::Global;
use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_ktime_get_ns};
use core::intrinsics::{AtomicOrdering, atomic_xadd};
use vswap_common::counter::CpuState;
use vswap_common::hook::HOOKS;
use vswap_common::{Hook, HookCounts, Kind, Record};

/// What a hook says; the rest of the record is stamped here.
#[derive(Clone, Copy)]
pub struct Draft {
    /// What happened.
    pub kind: Kind,
    /// First slot.
    pub entry: u64,
    /// Slots.
    pub nr: u16,
    /// Folio or cluster order.
    pub order: u8,
    /// By kind.
    pub val: i32,
    /// By kind.
    pub arg: u64,
    /// Owner, with `flags::MEMCG`.
    pub memcg: u16,
    /// [`vswap_common::flags`].
    pub flags: u16,
}

impl Draft {
    /// A draft about `nr` slots from `entry`.
    #[inline(always)]
    pub const fn new(kind: Kind, entry: u64, nr: u16, order: u8) -> Self {
        Self { kind, entry, nr, order, val: 0, arg: 0, memcg: 0, flags: 0 }
    }
}

/// Now, `CLOCK_MONOTONIC` nanoseconds.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: the helper takes nothing and only reads the clock.
    unsafe { bpf_ktime_get_ns() }
}

/// Puts the record into the ring, or counts it as lost.
#[inline(always)]
pub fn emit(hook: Hook, draft: &Draft) {
    if !put(hook, draft) {
        missing(hook, |c| &raw mut c.lost);
    }
}

/// Puts the record into the ring if there is room.
#[inline(always)]
pub fn put(hook: Hook, draft: &Draft) -> bool {
    let (Some(cpu), Some(counts)) = (CPUS.get_ptr_mut(0), counts(hook)) else { return false };
    let Some(mut entry) = RING.reserve::<Record>(0) else { return false };
    // SAFETY: both point to this CPU's elements; the adds are atomic because an interrupt on this CPU may run another
    // hook in between.
    let (seq, lost) = unsafe { (next(&raw mut (*cpu).seq), read_lost(cpu)) };
    entry.write(Record {
        ts: now(),
        entry: draft.entry,
        arg: draft.arg,
        seq: seq as u32,
        val: draft.val,
        tid: tid(),
        nr: draft.nr,
        memcg: draft.memcg,
        cpu: this_cpu() as u16,
        lost: lost as u16,
        flags: draft.flags,
        kind: draft.kind as u8,
        order: draft.order,
    });
    entry.submit(wakeup());
    // SAFETY: as above.
    unsafe { bump(&raw mut (*counts).emitted) };
    true
}

#[inline(always)]
fn this_cpu() -> u32 {
    // SAFETY: the helper takes nothing.
    unsafe { bpf_get_smp_processor_id() }
}

/// This CPU's counters of the hook.
#[inline(always)]
fn counts(hook: Hook) -> Option<*mut HookCounts> {
    COUNTS.get_ptr_mut(this_cpu() * HOOKS as u32 + hook as u32)
}

/// Bytes in the ring at which the reader is woken; set by user space to a part of the ring.
#[unsafe(no_mangle)]
static WAKE_BYTES: Global<u64> = Global::new(1 << 20);

/// The reader polls by itself; it is woken only when the ring fills up, and then not by every record. A wake-up per
/// record would cost twenty times the record.
#[inline(always)]
fn wakeup() -> u64 {
    let (avail, at) = (RING.query(u64::from(BPF_RB_AVAIL_DATA)), WAKE_BYTES.load());
    if avail >= at && avail < at + 4096 {
        u64::from(BPF_RB_FORCE_WAKEUP)
    } else {
        u64::from(BPF_RB_NO_WAKEUP)
    }
}

/// Counts a record given up because the kernel object could not be read.
#[inline(always)]
pub fn fault(hook: Hook) {
    missing(hook, |c| &raw mut c.fault);
}

/// Counts a record given up because the per-thread map was full.
#[inline(always)]
pub fn map_full(hook: Hook) {
    missing(hook, |c| &raw mut c.map_full);
}

/// Counts a record whose hook the kernel skipped, both copies of it.
#[inline(always)]
pub fn skipped(hook: Hook) {
    missing(hook, |c| &raw mut c.skipped);
}

#[inline(always)]
fn missing(hook: Hook, which: impl Fn(&mut HookCounts) -> *mut u64) {
    let (Some(cpu), Some(counts)) = (CPUS.get_ptr_mut(0), counts(hook)) else { return };
    // SAFETY: as in `put`.
    unsafe {
        bump(which(&mut *counts));
        bump(&raw mut (*cpu).lost);
        bump(&raw mut (*cpu).seq);
    }
}

/// Adds one.
///
/// # Safety
/// `p` points to a map value.
#[inline(always)]
unsafe fn bump(p: *mut u64) {
    // SAFETY: by contract `p` is valid and aligned.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(p, 1) };
}

/// Adds one and returns what was there. Not relaxed: of a relaxed add LLVM makes the instruction that fetches nothing,
/// and the "result" is the 1 that was added.
///
/// # Safety
/// As [`bump`].
#[inline(always)]
unsafe fn next(p: *mut u64) -> u64 {
    // SAFETY: by contract `p` is valid and aligned.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::SeqCst }>(p, 1) }
}

/// Records that this CPU lost so far.
#[inline(always)]
pub fn lost() -> u64 {
    // SAFETY: as in `put`.
    CPUS.get_ptr_mut(0).map_or(0, |cpu| unsafe { read_lost(cpu) })
}

/// # Safety
/// `cpu` points to this CPU's state.
#[inline(always)]
unsafe fn read_lost(cpu: *const CpuState) -> u64 {
    // SAFETY: by contract; volatile because an interrupt may have changed it since.
    unsafe { core::ptr::read_volatile(&raw const (*cpu).lost) }
}

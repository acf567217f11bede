//! Tracepoints of the kernel, for kernels that let nobody trace functions: they tell how many, never which slot. Sums
//! are kept here; no record is made, so nothing can overflow.
//!
//! ```text
//! memcg:count_memcg_events, mod_memcg_state   pages by kind and cgroup            exact
//! vmscan: begin .. end of reclaim             what the task is in    -.
//! vmscan:mm_vmscan_write_folio                who had the folio written           by bracket
//! block:block_bio_queue                       requests to swap devices            exact
//! ```

use crate::emit::now;
use crate::layout::{self, read, value};
use crate::maps::{BRACKETS, CGROUP_SUMS, SUMS, WATCHED};
use crate::scratch::tid;
use aya_ebpf::Global;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use core::intrinsics::{AtomicOrdering, atomic_xadd};
use vswap_common::tally::{BY_CGROUP, CgroupSums, Items, Origin, Tally};
use vswap_common::{Field, MISSING};

/// Numbers of this kernel's items; written by user space.
#[unsafe(no_mangle)]
static ITEMS: Global<Items> = Global::new(Items::EMPTY);

/// `BPF_NOEXIST`: another CPU may have made the element meanwhile.
const NEW: u64 = 1;

/// What a task is in the middle of.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Bracket {
    /// `Written*` tally of what it has written meanwhile.
    written: u64,
    /// Begin, `CLOCK_MONOTONIC` nanoseconds.
    since: u64,
}

/// `count_memcg_events(memcg, item, count)`.
#[btf_tracepoint]
pub fn t_events(ctx: BtfTracePointContext) -> i32 {
    let (item, n): (u32, u64) = (ctx.arg(1), ctx.arg(2));
    for i in 0..BY_CGROUP {
        if matches!(Tally::ALL[i].origin(), Origin::Event(_)) && item_of(i) == item {
            charge(&ctx, i, n);
        }
    }
    0
}

/// `mod_memcg_state(memcg, item, change)`.
#[btf_tracepoint]
pub fn t_state(ctx: BtfTracePointContext) -> i32 {
    let item: u32 = ctx.arg(1);
    let word: u64 = ctx.arg(2);
    // An int comes as 32 bits, without its sign.
    let change = if wide() { word as i64 } else { i64::from(word as i32) };
    for i in 0..BY_CGROUP {
        let ours = match Tally::ALL[i].origin() {
            Origin::Up(_) => change > 0,
            Origin::Down(_) => change < 0,
            _ => false,
        };
        if ours && item_of(i) == item {
            charge(&ctx, i, change.unsigned_abs());
        }
    }
    0
}

/// `mm_vmscan_write_folio(folio)`: reclaim had it written, to wherever.
#[btf_tracepoint]
pub fn t_written(_ctx: BtfTracePointContext) -> i32 {
    // SAFETY: read only, and the element is this task's.
    let by = unsafe { BRACKETS.get(tid()) }.map_or(Tally::WrittenOther as u64, |b| b.written);
    add(by as usize, 1);
    0
}

macro_rules! bracket {
    ($begin:ident, $end:ident, $written:ident, $count:ident, $ns:ident, $name:literal) => {
        #[doc = concat!($name, " begins.")]
        #[btf_tracepoint]
        pub fn $begin(_ctx: BtfTracePointContext) -> i32 {
            begin(Tally::$written);
            0
        }

        #[doc = concat!($name, " ends.")]
        #[btf_tracepoint]
        pub fn $end(_ctx: BtfTracePointContext) -> i32 {
            end(Tally::$count, Tally::$ns);
            0
        }
    };
}

bracket!(t_direct_in, t_direct_out, WrittenDirect, DirectReclaims, DirectNs, "Direct reclaim");
bracket!(t_memcg_in, t_memcg_out, WrittenMemcg, MemcgReclaims, MemcgNs, "Reclaim of a cgroup");
bracket!(t_kswapd_in, t_kswapd_out, WrittenKswapd, KswapdRuns, KswapdNs, "A run of kswapd");

#[inline(always)]
fn begin(written: Tally) {
    let bracket = Bracket { written: written as u64, since: now() };
    if BRACKETS.insert(tid(), bracket, 0).is_err() {
        add(Tally::BracketsLost as usize, 1);
    }
}

/// Ends the task's bracket; one whose begin was not seen is not counted.
#[inline(always)]
fn end(count: Tally, ns: Tally) {
    // SAFETY: copied at once; the element is this task's.
    let Some(bracket) = unsafe { BRACKETS.get(tid()) }.copied() else { return };
    let _ = BRACKETS.remove(tid());
    add(count as usize, 1);
    add(ns as usize, now().saturating_sub(bracket.since));
}

/// `block_bio_queue(bio)`: a request enters the block layer. Swap marks its writes; reads are known by the device.
#[btf_tracepoint]
pub fn t_bio(ctx: BtfTracePointContext) -> i32 {
    let _ = queued(ctx.arg(0));
    0
}

#[inline(always)]
fn queued(bio: u64) -> Option<()> {
    let op: u32 = read(bio, Field::BioOp)?;
    let kind = op & ((1 << (value(Field::OpBits) & 31)) - 1);
    let swap = value(Field::OpSwap);
    let marked = swap != MISSING && op >> (swap & 31) & 1 == 1;
    if !marked {
        let device: u64 = read(bio, Field::BioDevice)?;
        let number: u32 = read(device, Field::DeviceNumber)?;
        WATCHED.get_ptr(number)?;
    }
    let bytes: u32 = read(bio, Field::BioSize)?;
    let (bios, sum) = if kind == value(Field::OpWrite) {
        (Tally::BiosWritten, Tally::BytesWritten)
    } else if kind == value(Field::OpRead) {
        (Tally::BiosRead, Tally::BytesRead)
    } else {
        return None;
    };
    add(bios as usize, 1);
    add(sum as usize, u64::from(bytes));
    Some(())
}

/// Number of the kernel's item behind a sum.
#[inline(always)]
fn item_of(tally: usize) -> u32 {
    let base = (&raw const ITEMS).cast::<u32>();
    // SAFETY: `tally` is below BY_CGROUP. Volatile, because user space changes the value after compilation.
    unsafe { core::ptr::read_volatile(base.add(tally)) }
}

#[inline(always)]
fn wide() -> bool {
    let base = (&raw const ITEMS).cast::<u32>();
    // SAFETY: the word after the items.
    unsafe { core::ptr::read_volatile(base.add(BY_CGROUP)) == 1 }
}

/// Adds to the sum and to that of the cgroup in argument 0.
#[inline(always)]
fn charge(ctx: &BtfTracePointContext, tally: usize, n: u64) {
    add(tally, n);
    if of_cgroup(ctx.arg(0), tally, n).is_none() {
        add(Tally::Unattributed as usize, n);
    }
}

#[inline(always)]
fn of_cgroup(memcg: u64, tally: usize, n: u64) -> Option<()> {
    let cgroup: u64 = read(memcg, Field::MemcgCgroup)?;
    let inode: u64 = layout::read(read(cgroup, Field::CgroupKn)?, Field::KnId)?;
    let sums = match CGROUP_SUMS.get_ptr_mut(inode) {
        Some(sums) => sums,
        None => {
            const EMPTY: CgroupSums = [0; BY_CGROUP];
            let _ = CGROUP_SUMS.insert(inode, EMPTY, NEW);
            CGROUP_SUMS.get_ptr_mut(inode)?
        }
    };
    // SAFETY: `tally` is below BY_CGROUP and the value lives as long as the programs; all CPUs add to it.
    unsafe { bump((*sums).as_mut_ptr().add(tally), n) };
    Some(())
}

#[inline(always)]
fn add(tally: usize, n: u64) {
    let Some(sums) = SUMS.get_ptr_mut(0) else { return };
    if tally >= vswap_common::tally::TALLIES {
        return;
    }
    // SAFETY: inside the array, as just seen; atomic because an interrupt on this CPU may add in between.
    unsafe { bump((*sums).as_mut_ptr().add(tally), n) };
}

/// # Safety
/// `p` points into a map value.
#[inline(always)]
unsafe fn bump(p: *mut u64, n: u64) {
    // SAFETY: by contract.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(p, n) };
}

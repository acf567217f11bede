//! The tables as they are: what was in swap before we came. Not a hook: user space runs this program
//! (`BPF_PROG_TEST_RUN`) step by step and drains the ring in between; each step is short and ends in records.
//!
//! Nothing is locked here, so a read may be older than its record. The record says so by its kind, and whoever reads
//! it lets every other record about the slot win (see `collector/scan.rs` in vswap-tui for why that is enough).
//!
//! ```text
//! user space --(op, a, b)--> scan -+-> device -> ScanDevice, ScanCluster
//!                                  +-> candidates -> ScanCandidate
//!                                  +-> read   tables -> Chunk
//!                                  +-> tell   Chunk -> ScanSlots   (words: what they mean; state: of a slot)
//!                                  `-> owner  -> ScanOwner
//! ```

mod candidates;
mod chunk;
mod device;
mod owner;
mod read;
mod state;
mod tell;
mod words;
mod xarray;

pub use self::chunk::Chunk;
use crate::emit::{Draft, lost, put};
use aya_ebpf::programs::RawTracePointContext;
use core::ffi::c_void;
use vswap_common::scan::{answer, op};
use vswap_common::{Hook, Kind};

/// Runs one step; see [`vswap_common::scan`]. A raw tracepoint program that is attached to none: the kernel runs these
/// on demand. The macro for them would answer 0 whatever is returned here.
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp")]
pub fn scan(ctx: *mut c_void) -> u32 {
    let ctx = RawTracePointContext::new(ctx);
    let (what, a, b): (u64, u64, u64) = (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    let extra = ctx.arg::<u64>(3) as u16;
    let told = match what {
        op::BEGIN => edge(Kind::ScanBegin, a, b, extra),
        op::END => edge(Kind::ScanEnd, a, b, extra),
        op::DEVICE => device::device(a as u8, extra),
        op::CLUSTERS => device::clusters(a as u8, b, extra),
        op::READ => read::read_chunk(a as u8, b),
        op::TELL => tell::tell_chunk(a, extra),
        op::CANDIDATES => candidates::candidates(a, b, extra),
        op::LOST => Some(lost() as u32 & !(1 << 31)),
        op::OWNER => owner::owner(a as u16, extra),
        _ => None,
    };
    told.unwrap_or(answer::FAULT)
}

#[inline(always)]
fn tell(draft: &Draft) -> u32 {
    if put(Hook::Scan, draft) { 1 } else { answer::FULL }
}

#[inline(always)]
fn edge(kind: Kind, arg: u64, val: u64, extra: u16) -> Option<u32> {
    let mut draft = Draft::new(kind, 0, 0, 0);
    draft.arg = arg;
    draft.val = val as i32;
    draft.flags = extra;
    Some(tell(&draft))
}

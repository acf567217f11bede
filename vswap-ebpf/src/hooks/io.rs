//! Physical writes and reads. Completions run in interrupts and use no per-thread state.

use crate::emit::{Draft, emit, fault};
use crate::layout;
use crate::scratch::{self, OUT, OUT_DONE};
use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};
use vswap_common::{Field, Hook, Kind, flags};

/// Most folios in one batch of swap I/O (`SWAP_CLUSTER_MAX`); also bounds the loop for the verifier.
const MAX_BVECS: u32 = 32;

/// `__swap_writepage(.., folio, ..)`: queued, folio still locked. Unless it is the folio that this thread's
/// `swap_writeout` is about, zswap is writing back - which it may do inside a store, when a cgroup is at its limit.
#[kprobe]
pub fn write(ctx: ProbeContext) -> u32 {
    let Some(folio) = layout::folio_arg(&ctx, Field::ArgWrite) else {
        fault(Hook::Write);
        return 0;
    };
    let mut draft = Draft::new(Kind::Write, folio.entry, folio.nr(), folio.order);
    match scratch::current() {
        Some(task) if task.state & OUT != 0 && task.out_entry == folio.entry => task.state |= OUT_DONE,
        _ => draft.flags |= flags::WRITEBACK,
    }
    emit(Hook::Write, &draft);
    0
}

/// `swap_write_end(sio, failed)`.
#[fentry]
pub fn write_end(ctx: FEntryContext) -> u32 {
    each_folio(Hook::WriteEnd, Kind::WriteEnd, ctx.arg(0), ctx.arg::<u64>(1) as u8 != 0);
    0
}

/// `swap_read_end(sio, failed)`.
#[fentry]
pub fn read_end(ctx: FEntryContext) -> u32 {
    each_folio(Hook::ReadEnd, Kind::ReadEnd, ctx.arg(0), ctx.arg::<u64>(1) as u8 != 0);
    0
}

/// One record per folio of a finished batch.
#[inline(always)]
fn each_folio(hook: Hook, kind: Kind, sio: u64, failed: bool) {
    let Some(count) = layout::read::<u32>(sio, Field::SioCount) else {
        fault(hook);
        return;
    };
    let bvecs = sio + u64::from(layout::value(Field::SioBvecs));
    for i in 0..MAX_BVECS {
        if i >= count {
            break;
        }
        let bvec = bvecs + u64::from(i) * u64::from(layout::value(Field::BvecSize));
        let (Some(page), Some(len)) =
            (layout::read::<u64>(bvec, Field::BvecPage), layout::read::<u32>(bvec, Field::BvecLen))
        else {
            fault(hook);
            continue;
        };
        // Swap I/O is queued by whole folios: the page of a bvec is the head page, hence the folio.
        let Some(folio) = layout::folio(page) else {
            fault(hook);
            continue;
        };
        let mut draft = Draft::new(kind, folio.entry, (len >> 12) as u16, folio.order);
        if failed {
            draft.flags |= flags::FAILED;
        }
        emit(hook, &draft);
    }
}

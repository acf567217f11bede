//! Physical writes and reads. Completions run in interrupts and use no per-thread state.

use super::virt;
use crate::call::Call;
use crate::emit::{Draft, emit, fault, map_full};
use crate::scratch::{self, OUT, OUT_DONE};
use crate::{layout, why};
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
    queued(folio, 0);
    0
}

/// Tells a write, to the slots `phys` of a device if they are not the folio's own.
#[inline(always)]
pub(super) fn queued(folio: layout::Folio, phys: u64) {
    let mut draft = Draft::new(Kind::Write, folio.entry, folio.nr(), folio.order);
    draft.arg = phys;
    let task = scratch::current();
    draft.flags |= why::reclaimer(task.as_deref());
    match task {
        Some(task) if task.state & OUT != 0 && task.out_entry == folio.entry => task.state |= OUT_DONE,
        task => {
            draft.flags |= flags::WRITEBACK;
            draft.val = why::writeback(task.as_deref()) as i32;
        }
    }
    if phys != 0 && draft.flags & flags::WRITEBACK != 0 {
        match scratch::current_or_new() {
            Some(task) => virt::note_moved(task, folio.entry),
            None => map_full(Hook::Write),
        }
    }
    emit(Hook::Write, &draft);
}

/// `swap_write_end(sio, failed)`, or `end_swap_bio_write(bio)` where bios are not batched.
#[fentry]
pub fn write_end(ctx: FEntryContext) -> u32 {
    write_ended(&ctx)
}

#[inline(always)]
pub(super) fn write_ended(ctx: &impl Call) -> u32 {
    done(Hook::WriteEnd, Kind::WriteEnd, ctx);
    0
}

/// `swap_read_end(sio, failed)`, or `end_swap_bio_read(bio)`.
#[fentry]
pub fn read_end(ctx: FEntryContext) -> u32 {
    read_ended(&ctx)
}

#[inline(always)]
pub(super) fn read_ended(ctx: &impl Call) -> u32 {
    done(Hook::ReadEnd, Kind::ReadEnd, ctx);
    0
}

#[inline(always)]
fn done(hook: Hook, kind: Kind, ctx: &impl Call) {
    if layout::value(Field::IoByBio) == 1 {
        if one_folio(hook, kind, ctx.arg(0)).is_none() {
            fault(hook);
        }
    } else {
        each_folio(hook, kind, ctx.arg(0), ctx.arg::<u64>(1) as u8 != 0);
    }
}

/// The folio of a finished bio: swap writes and reads one folio by one bio.
#[inline(always)]
fn one_folio(hook: Hook, kind: Kind, bio: u64) -> Option<()> {
    let status: u8 = layout::read(bio, Field::BioStatus)?;
    let bvec: u64 = layout::read(bio, Field::BioVec)?;
    tell(hook, kind, bvec, status != 0)
}

/// The folio of a bvec. Swap I/O is queued by whole folios: the page of a bvec is the head page, hence the folio.
#[inline(always)]
fn tell(hook: Hook, kind: Kind, bvec: u64, failed: bool) -> Option<()> {
    let page: u64 = layout::read(bvec, Field::BvecPage)?;
    let len: u32 = layout::read(bvec, Field::BvecLen)?;
    let folio = layout::folio(page)?;
    let mut draft = Draft::new(kind, folio.entry, (len >> 12) as u16, folio.order);
    if failed {
        draft.flags |= flags::FAILED;
    }
    emit(hook, &draft);
    Some(())
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
        if tell(hook, kind, bvec, failed).is_none() {
            fault(hook);
        }
    }
}

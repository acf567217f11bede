//! Slots become free, clusters change lists. Both hooks run under the cluster lock.

use crate::emit::{Draft, emit, fault};
use crate::{layout, scratch};
use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;
use vswap_common::{Entry, Field, Hook, Kind};

/// `__swap_cluster_free_entries(si, ci, ci_start, nr)`: the single place where words return to empty.
#[fentry]
pub fn free(ctx: FEntryContext) -> u32 {
    match cluster_entry(&ctx, ctx.arg(0)) {
        Some(base) => {
            let (start, nr): (u32, u32) = (ctx.arg(2), ctx.arg(3));
            let entry = base.add(u64::from(start)).0;
            if let Some(task) = scratch::current()
                && task.out_entry == entry
            {
                task.state |= scratch::OUT_DONE;
            }
            emit(Hook::Free, &Draft::new(Kind::Free, entry, nr as u16, 0));
        }
        None => fault(Hook::Free),
    }
    0
}

/// `move_cluster(si, ci, list, new_flags)`: `new_flags` names the list.
#[fentry]
pub fn cluster_move(ctx: FEntryContext) -> u32 {
    let (si, ci): (u64, u64) = (ctx.arg(0), ctx.arg(1));
    if moved(&ctx, si, ci, ctx.arg::<u32>(3)).is_none() {
        fault(Hook::ClusterMove);
    }
    0
}

#[inline(always)]
fn moved(ctx: &FEntryContext, si: u64, ci: u64, list: u32) -> Option<()> {
    let base = cluster_entry(ctx, si)?;
    let order: u8 = layout::read(ci, Field::CiOrder)?;
    let pages: u32 = layout::read(si, Field::SiPages)?;
    let mut draft = Draft::new(Kind::ClusterMove, base.0, 0, order);
    draft.val = list as i32;
    draft.arg = u64::from(pages);
    emit(Hook::ClusterMove, &draft);
    Some(())
}

/// First slot of the cluster in argument 1 on device `si`: its place in the device's array of clusters.
#[inline(always)]
fn cluster_entry(ctx: &FEntryContext, si: u64) -> Option<Entry> {
    let ci = layout::number_arg(ctx, 1)?;
    let dev: u8 = layout::read(si, Field::SiType)?;
    let first: u64 = layout::read(si, Field::SiClusters)?;
    let index = ci.checked_sub(first)?.checked_div(u64::from(layout::value(Field::CiSize)))?;
    Some(Entry::new(dev, index * u64::from(layout::value(Field::ClusterSlots))))
}

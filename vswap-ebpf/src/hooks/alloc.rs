//! Result of an allocation and its owner. The slots themselves were told by `cache_add`.

use crate::emit::{Draft, emit, fault};
use crate::{layout, scratch};
use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;
use vswap_common::{Hook, Kind, flags};

/// `int __mem_cgroup_try_charge_swap(folio)`: the folio is locked, its slots are its own. Also called when the
/// allocation failed; then there is nothing to charge.
#[fexit]
pub fn charge(ctx: FExitContext) -> u32 {
    if charged(ctx.arg(0), ctx.arg::<i32>(1)).is_none() {
        fault(Hook::Charge);
    }
    0
}

#[inline(always)]
fn charged(folio: u64, ret: i32) -> Option<()> {
    let Some(task) = scratch::current() else { return Some(()) };
    let (ci, entry) = (task.alloc_ci, task.alloc_entry);
    task.alloc_ci = 0;
    if ci == 0 {
        return Some(());
    }
    let seen = layout::folio(folio)?;
    if seen.entry != entry {
        return Some(());
    }
    let mut draft = Draft::new(Kind::Charge, entry, seen.nr(), seen.order);
    draft.val = ret;
    if let Some(id) = layout::memcg(ci, entry) {
        draft.arg = layout::cgroup_inode(folio, id);
        draft.memcg = id;
        draft.flags |= flags::MEMCG;
    }
    emit(Hook::Charge, &draft);
    Some(())
}

/// `int folio_alloc_swap(folio)`: only failures, success was told slot by slot.
#[fexit]
pub fn alloc_exit(ctx: FExitContext) -> u32 {
    let ret: i32 = ctx.arg(1);
    if ret != 0 {
        match layout::folio_order(ctx.arg(0)) {
            Some(order) => {
                let mut draft = Draft::new(Kind::AllocFail, 0, 0, order);
                draft.val = ret;
                emit(Hook::AllocExit, &draft);
            }
            None => fault(Hook::AllocExit),
        }
    }
    0
}

//! Devices come and go.

use crate::call::Call;
use crate::emit::{Draft, emit, fault, map_full};
use crate::{layout, scratch};
use aya_ebpf::macros::{fentry, fexit, kprobe};
use aya_ebpf::programs::{FEntryContext, FExitContext, ProbeContext};
use aya_log_ebpf::debug;
use vswap_common::{Entry, Field, Hook, Kind};

/// `swap_cluster_setup_bad_slot(si, ..)`: called inside swapon for the header slot at least; tells the struct.
#[fentry]
pub fn swapon_slot(ctx: FEntryContext) -> u32 {
    swapon_found(&ctx)
}

#[inline(always)]
pub(super) fn swapon_found(ctx: &impl Call) -> u32 {
    match scratch::current_or_new() {
        Some(task) => task.device = ctx.arg(0),
        None => map_full(Hook::SwapOnSlot),
    }
    0
}

/// `int zswap_swapon(type, nr)` returned: the device is set up and not yet enabled, so this record precedes every
/// allocation on it.
#[fexit]
pub fn swapon(ctx: FExitContext) -> u32 {
    swapped_on(&ctx)
}

#[inline(always)]
pub(super) fn swapped_on(ctx: &impl Call) -> u32 {
    let ret: i32 = ctx.arg(2);
    let si = match scratch::current() {
        Some(task) => core::mem::replace(&mut task.device, 0),
        None => 0,
    };
    debug!(ctx, "swapon: device {} returned {}", ctx.arg::<u32>(0), ret);
    if ret == 0 && describe(si, ctx.arg::<u32>(0) as u8).is_none() {
        fault(Hook::SwapOn);
    }
    0
}

/// `percpu_ref_resurrect(ref)`, where zswap is not built: that of the device being switched on, which nobody can take
/// slots of yet. Called for much else.
#[kprobe]
pub fn swapon_ready(ctx: ProbeContext) -> u32 {
    let (Some(users), Some(task)) = (ctx.arg::<u64>(0), scratch::current()) else { return 0 };
    let si = task.device;
    if si != 0 && users == si + u64::from(layout::value(Field::SiUsers)) {
        task.device = 0;
        let dev: Option<u8> = layout::read(si, Field::SiType);
        if dev.and_then(|dev| describe(si, dev)).is_none() {
            fault(Hook::SwapOn);
        }
    }
    0
}

#[inline(always)]
fn describe(si: u64, dev: u8) -> Option<()> {
    let max: u32 = layout::read(si, Field::SiMax)?;
    let pages: u32 = layout::read(si, Field::SiPages)?;
    let swp_flags: u64 = layout::read(si, Field::SiFlags)?;
    let mut draft = Draft::new(Kind::SwapOn, Entry::new(dev, u64::from(max)).0, 0, 0);
    draft.arg = u64::from(pages);
    draft.flags = layout::device_flags(swp_flags);
    emit(Hook::SwapOn, &draft);
    Some(())
}

/// `zswap_swapoff(type)`: the device is empty (or swapon failed after `zswap_swapon`).
#[fentry]
pub fn swapoff(ctx: FEntryContext) -> u32 {
    swapped_off(&ctx)
}

#[inline(always)]
pub(super) fn swapped_off(ctx: &impl Call) -> u32 {
    let dev = ctx.arg::<u32>(0) as u8;
    debug!(ctx, "swapoff: device {}", dev);
    emit(Hook::SwapOff, &Draft::new(Kind::SwapOff, Entry::new(dev, 0).0, 0, 0));
    0
}

/// `int shmem_unuse(type)`: `try_to_unuse` asks shared memory first, in every round. The device gives no slots any more.
#[kprobe]
pub fn swapoff_begin(ctx: ProbeContext) -> u32 {
    match ctx.arg::<u32>(0) {
        Some(dev) => {
            emit(Hook::SwapOffBegin, &Draft::new(Kind::SwapOffBegin, Entry::new(dev as u8, 0).0, 0, 0))
        }
        None => fault(Hook::SwapOffBegin),
    }
    0
}

//! Devices and their clusters, with the lists that the clusters are on.

use super::tell;
use crate::emit::Draft;
use crate::layout::{address, device_flags, read, read_at, value};
use vswap_common::scan::{self, Address, answer};
use vswap_common::{Entry, Field, Kind, flags};

/// Struct of a device in use. swapoff and a swapon under way have no clusters or no size.
#[inline(always)]
pub(super) fn device_info(dev: u8) -> Option<Option<(u64, u64, u64)>> {
    let known: u32 = read_at(address(Address::NrSwapfiles))?;
    if u32::from(dev) >= known || dev >= 32 {
        return Some(None);
    }
    let si: u64 = read_at(address(Address::SwapInfo) + u64::from(dev) * 8)?;
    if si == 0 {
        return Some(None);
    }
    let max: u32 = read(si, Field::SiMax)?;
    let clusters: u64 = read(si, Field::SiClusters)?;
    // Without tables the map of counts is what a device has; a rotating disk has no clusters then.
    let table = if value(Field::SlotCaches) == 1 { read(si, Field::SiMap)? } else { clusters };
    if max == 0 || table == 0 { Some(None) } else { Some(Some((si, clusters, u64::from(max)))) }
}

#[inline(always)]
pub(super) fn device(dev: u8, extra: u16) -> Option<u32> {
    let Some((si, _, max)) = device_info(dev)? else { return Some(answer::NONE) };
    let pages: u32 = read(si, Field::SiPages)?;
    let prio: i16 = read(si, Field::SiPrio)?;
    if pages == 0 {
        return Some(answer::NONE);
    }
    let mut draft = Draft::new(Kind::ScanDevice, Entry::new(dev, max).0, 0, 0);
    draft.arg = u64::from(pages);
    draft.val = i32::from(prio);
    draft.flags = device_flags(read(si, Field::SiFlags)?);
    if extra & flags::VERIFY != 0 {
        draft.flags = extra;
    }
    Some(tell(&draft))
}

#[inline(always)]
pub(super) fn clusters(dev: u8, from: u64, extra: u16) -> Option<u32> {
    let Some((_, first, max)) = device_info(dev)? else { return Some(answer::NONE) };
    let slots = u64::from(value(Field::ClusterSlots));
    let mut done = 0;
    for i in 0..scan::CLUSTERS_A_RUN {
        let index = from + i;
        if index * slots >= max {
            break;
        }
        match cluster(dev, first, index, extra)? {
            answer::FULL => return Some(done | answer::FULL),
            _ => done += 1,
        }
    }
    Some(if done == 0 { answer::NONE } else { done })
}

#[inline(always)]
fn cluster(dev: u8, first: u64, index: u64, extra: u16) -> Option<u32> {
    let off = index * u64::from(value(Field::ClusterSlots));
    if first == 0 {
        // No clusters: slots may be in use anywhere.
        let mut draft =
            Draft::new(Kind::ScanCluster, Entry::new(dev, off).0, value(Field::ClusterSlots) as u16, 0);
        draft.flags = extra;
        return Some(tell(&draft));
    }
    let ci = first + index * u64::from(value(Field::CiSize));
    let count: u16 = read(ci, Field::CiCount)?;
    // Before the tables the lists have other numbers, and no hook tells of a cluster that changes its list.
    let list: u8 = if value(Field::SlotCaches) == 1 { 0 } else { read(ci, Field::CiFlags)? };
    let order: u8 = read(ci, Field::CiOrder)?;
    let head = ci + u64::from(value(Field::CiList));
    let (next, prev): (u64, u64) = (read_at(head)?, read_at(head + 8)?);
    let mut draft =
        Draft::new(Kind::ScanCluster, Entry::new(dev, off).0, count, if order > 9 { 0 } else { order });
    draft.val = i32::from(list);
    draft.arg = neighbour(next, first) | neighbour(prev, first) << 32;
    draft.flags = extra;
    Some(tell(&draft))
}

/// Index + 1 of the cluster that a list pointer leads to; 0 if it leads to the list's head in the device.
#[inline(always)]
fn neighbour(link: u64, first: u64) -> u64 {
    let size = u64::from(value(Field::CiSize));
    let at = link.wrapping_sub(u64::from(value(Field::CiList))).wrapping_sub(first);
    match (at.checked_rem(size), at.checked_div(size)) {
        // 2^23 clusters are the most a 32-bit number of slots has.
        (Some(0), Some(index)) if index < 1 << 23 => index + 1,
        _ => 0,
    }
}

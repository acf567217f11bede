//! Devices and their clusters, with the lists that the clusters are on.

use super::super::virt;
use super::tell;
use super::xarray::{leaf, reach};
use crate::emit::Draft;
use crate::layout::{address, device_flags, read, read_at, value};
use vswap_common::scan::{self, Address, answer};
use vswap_common::{Entry, Field, Kind, flags};

/// More slots than a virtual device ever has.
pub(super) const VIRTUAL_MAX: u64 = 1 << 50;
/// More bytes than the struct of a device has: the heads of its lists are in it.
const STRUCT_MAX: u64 = 4096;

/// Struct, first cluster and slots of a device in use; the virtual one has no first cluster. swapoff and a swapon under way have no clusters or no size.
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
    if clusters == 0 && virt::is_virtual(si) {
        // In no array, and without an end.
        return Some(Some((si, 0, VIRTUAL_MAX)));
    }
    // Without tables the map of counts is what a device has; a rotating disk has no clusters then.
    let table = if value(Field::SlotCaches) == 1 { read(si, Field::SiMap)? } else { clusters };
    if max == 0 || table == 0 { Some(None) } else { Some(Some((si, clusters, u64::from(max)))) }
}

#[inline(always)]
pub(super) fn device(dev: u8, extra: u16) -> Option<u32> {
    let Some((si, _, max)) = device_info(dev)? else { return Some(answer::NONE) };
    if max == VIRTUAL_MAX {
        // As in the header: no size to speak of, no priority among devices.
        let mut draft = Draft::new(Kind::ScanDevice, Entry::new(dev, 0).0, 0, 0);
        draft.flags = extra;
        return Some(tell(&draft));
    }
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
    let Some((si, first, max)) = device_info(dev)? else { return Some(answer::NONE) };
    if virt::built() && max == VIRTUAL_MAX {
        return virtual_clusters(dev, si, from, extra);
    }
    let slots = u64::from(value(Field::ClusterSlots));
    let mut done = 0;
    for i in 0..scan::CLUSTERS_A_RUN {
        let index = from + i;
        if index * slots >= max {
            break;
        }
        let told = if first == 0 {
            // No clusters: slots may be in use anywhere.
            let entry = Entry::new(dev, index * slots).0;
            let mut draft = Draft::new(Kind::ScanCluster, entry, slots as u16, 0);
            draft.flags = extra;
            tell(&draft)
        } else {
            cluster(
                dev,
                first + index * u64::from(value(Field::CiSize)),
                index,
                &Neighbours::Array(first),
                extra,
            )?
        };
        match told {
            answer::FULL => return Some(done | answer::FULL),
            _ => done += 1,
        }
    }
    Some(if done == 0 { answer::NONE } else { done })
}

/// Those that exist, up to the end of the xarray they are in. The first is never used.
#[inline(always)]
fn virtual_clusters(dev: u8, si: u64, from: u64, extra: u16) -> Option<u32> {
    let pool = si + u64::from(value(Field::VirtPool));
    if from >= reach(pool)? {
        return Some(answer::NONE);
    }
    // A run lies in one leaf.
    let slots = leaf(pool, from)?;
    let mut done = 0;
    for i in 0..scan::CLUSTERS_A_RUN {
        let index = from + i;
        let ci: u64 = if slots == 0 || index == 0 { 0 } else { read_at(slots + (index & 63) * 8)? };
        if ci != 0 && ci & 3 == 0 && cluster(dev, ci, index, &Neighbours::Listed(si), extra)? == answer::FULL
        {
            return Some(done | answer::FULL);
        }
        done += 1;
    }
    Some(done)
}

/// How the index of a cluster is told from its address.
enum Neighbours {
    /// Clusters are in an array that begins here.
    Array(u64),
    /// Clusters of this device know their index themselves.
    Listed(u64),
}

#[inline(always)]
fn cluster(dev: u8, ci: u64, index: u64, among: &Neighbours, extra: u16) -> Option<u32> {
    let off = index * u64::from(value(Field::ClusterSlots));
    let count: u16 = read(ci, Field::CiCount)?;
    // Before the tables the lists have other numbers, and no hook tells of a cluster that changes its list.
    let list: u8 = if value(Field::SlotCaches) == 1 { 0 } else { read(ci, Field::CiFlags)? };
    let order: u8 = read(ci, Field::CiOrder)?;
    let head = ci + u64::from(value(Field::CiList));
    let (next, prev): (u64, u64) = (read_at(head)?, read_at(head + 8)?);
    let mut draft =
        Draft::new(Kind::ScanCluster, Entry::new(dev, off).0, count, if order > 9 { 0 } else { order });
    draft.val = i32::from(list);
    draft.arg = match *among {
        Neighbours::Array(first) => neighbour(next, first) | neighbour(prev, first) << 32,
        Neighbours::Listed(si) => listed(next, si) | listed(prev, si) << 32,
    };
    draft.flags = extra;
    Some(tell(&draft))
}

/// As [`neighbour`], of a virtual cluster.
#[inline(always)]
fn listed(link: u64, si: u64) -> u64 {
    if link == 0 || link.wrapping_sub(si) < STRUCT_MAX {
        return 0;
    }
    let ci = link.wrapping_sub(u64::from(value(Field::CiList)));
    read::<u32>(ci, Field::VirtIndex).map_or(0, |index| u64::from(index) + 1)
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

//! Reads a chunk of slots into the map, from whatever tables this kernel has.

use super::super::virt;
use super::chunk::{Chunk, SLOTS};
use super::device::{VIRTUAL_MAX, device_info};
use super::xarray::leaf;
use crate::emit::now;
use crate::layout::{address, read, read_at, read_into, value};
use crate::maps::CHUNK;
use vswap_common::scan::{Address, SPACE_SHIFT, TREE_SHIFT, answer};
use vswap_common::{Field, MISSING};

/// Slots of a device whose owners lie in one page (`SC_PER_PAGE` of 6.12).
const OWNERS_A_PAGE: u64 = 4096 / 2;

/// Reads a chunk into the map. Telling it is another step: what is known here would multiply with what is found there
/// for the verifier.
#[inline(always)]
pub(super) fn read_chunk(dev: u8, off: u64) -> Option<u32> {
    let Some((si, first, max)) = device_info(dev)? else { return Some(answer::NONE) };
    if off >= max {
        return Some(answer::NONE);
    }
    let base = off & !(SLOTS as u64 - 1);
    // SAFETY: map values live as long as the program, and one thread of user space runs one step at a time.
    let chunk = unsafe { CHUNK.get_ptr_mut(0)?.as_mut()? };
    chunk.read_at = now();
    chunk.dev = u64::from(dev);
    chunk.base = base;
    chunk.slots = if max - base < SLOTS as u64 { max - base } else { SLOTS as u64 };
    chunk.vmemmap =
        if address(Address::VmemmapBase) == 0 { 0 } else { read_at(address(Address::VmemmapBase))? };
    if value(Field::SiMap) != MISSING && !read_into(read::<u64>(si, Field::SiMap)? + base, &mut chunk.counts)
    {
        return None;
    }
    chunk.zeros = if value(Field::SiZeromap) == MISSING {
        0
    } else {
        // A chunk is a word of the bitmap.
        read_at(read::<u64>(si, Field::SiZeromap)? + base / 8)?
    };
    chunk.on_virtual = u64::from(virt::built() && max == VIRTUAL_MAX);
    let found = if value(Field::SlotCaches) == 1 {
        chunk.order = 0;
        spaces(chunk, max)?;
        true
    } else {
        let per = u64::from(value(Field::ClusterSlots));
        let index = base.checked_div(per)?;
        let ci = if chunk.on_virtual != 0 {
            virt::cluster_at(si, index)?
        } else {
            first + index * u64::from(value(Field::CiSize))
        };
        table(chunk, ci, base & (per - 1))?
    };
    if !found || chunk.on_virtual != 0 {
        return Some(SLOTS as u32);
    }
    let leaf = zswap_leaf(dev, base, max)?;
    chunk.in_zswap = u64::from(leaf != 0);
    if leaf != 0 && !read_into(leaf, &mut chunk.entries) {
        return None;
    }
    Some(SLOTS as u32)
}

/// Words and owners of the swap table in cluster `ci` from its slot `at` on. False if there is none: it is gone with the
/// last slot in use, and so is a virtual cluster.
#[inline(always)]
fn table(chunk: &mut Chunk, ci: u64, at: u64) -> Option<bool> {
    let table: u64 = if ci == 0 { 0 } else { read(ci, Field::CiTable)? };
    if table == 0 {
        // Nothing but free slots.
        chunk.words = [0; SLOTS];
        chunk.counts = [0; SLOTS];
        return Some(false);
    }
    chunk.order = u64::from(read::<u8>(ci, Field::CiOrder)? & 15);
    if !read_into(table + at * 8, &mut chunk.words) {
        return None;
    }
    if chunk.on_virtual != 0 {
        let links: u64 = read(ci, Field::VirtTable)?;
        if links == 0 || !read_into(links + at * 8, &mut chunk.entries) {
            return None;
        }
    }
    if value(Field::CiMemcg) == MISSING {
        owners(chunk)?;
    } else {
        let ids: u64 = read(ci, Field::CiMemcg)?;
        chunk.owned = u64::from(ids != 0 && read_into(ids + at * 2, &mut chunk.owners));
    }
    Some(true)
}

/// Folios of the swap cache in 6.12: a device's offsets are cut into spaces with an xarray each.
#[inline(always)]
fn spaces(chunk: &mut Chunk, max: u64) -> Option<()> {
    let spaces: u64 = read_at(address(Address::SwapperSpaces) + chunk.dev * 8)?;
    let nr: u32 = read_at(address(Address::NrSwapperSpaces) + chunk.dev * 4)?;
    // The kernel cuts by a number that BTF does not have: believe ours only if it explains theirs.
    if u64::from(nr) != (max + (1 << SPACE_SHIFT) - 1) >> SPACE_SHIFT {
        return None;
    }
    let space = spaces + (chunk.base >> SPACE_SHIFT) * u64::from(value(Field::SpaceSize));
    let pages = space + u64::from(value(Field::SpacePages));
    let key = chunk.base & ((1 << SPACE_SHIFT) - 1);
    let leaf = leaf(pages, key)?;
    if leaf == 0 {
        chunk.words = [0; SLOTS];
        if key == 0 {
            // An entry for key 0 alone sits in the head itself.
            let head: u64 = read(pages, Field::XaHead)?;
            chunk.words[0] = if head & 3 == 2 { 0 } else { head };
        }
    } else if !read_into(leaf, &mut chunk.words) {
        return None;
    }
    owners(chunk)
}

/// Owners where the clusters do not have them: `swap_cgroup_ctrl[type].map`.
#[inline(always)]
fn owners(chunk: &mut Chunk) -> Option<()> {
    chunk.owned = 0;
    if address(Address::CgroupCtrl) == 0 || value(Field::CgroupMap) == MISSING {
        return Some(());
    }
    let ctrl = address(Address::CgroupCtrl) + chunk.dev * u64::from(value(Field::CgroupCtrlSize));
    let map: u64 = read(ctrl, Field::CgroupMap)?;
    let ids = if map == 0 {
        0
    } else if value(Field::CgroupInPages) == 1 {
        let page: u64 = read_at(map + (chunk.base / OWNERS_A_PAGE) * 8)?;
        let direct = address(Address::PageOffsetBase);
        if page == 0 || direct == 0 || chunk.vmemmap == 0 {
            0
        } else {
            let pfn = page.wrapping_sub(chunk.vmemmap).checked_div(u64::from(value(Field::PageSize)))?;
            read_at::<u64>(direct)? + pfn * 4096 + (chunk.base % OWNERS_A_PAGE) * 2
        }
    } else {
        // Two ids in each 32-bit number, the lower half for the even slot: an array of ids on a little-endian machine.
        map + chunk.base * 2
    };
    chunk.owned = u64::from(ids != 0 && read_into(ids, &mut chunk.owners));
    Some(())
}

/// Address of the 64 pointers to zswap entries of the chunk at `key`; 0 if zswap has none there.
#[inline(always)]
fn zswap_leaf(dev: u8, key: u64, max: u64) -> Option<u64> {
    let trees = address(Address::ZswapTrees);
    if trees == 0 || value(Field::ZswapEntry) == MISSING {
        return Some(0);
    }
    let trees: u64 = read_at(trees + u64::from(dev) * 8)?;
    let nr: u32 = read_at(address(Address::NrZswapTrees) + u64::from(dev) * 4)?;
    if trees == 0 || nr == 0 {
        return Some(0);
    }
    // As for the spaces of the swap cache.
    if u64::from(nr) != (max + (1 << TREE_SHIFT) - 1) >> TREE_SHIFT {
        return None;
    }
    leaf(trees + (key >> TREE_SHIFT) * u64::from(value(Field::XaSize)), key)
}

//! Reads a chunk of slots into the map.

use super::chunk::SLOTS;
use super::device::device_info;
use super::xarray::leaf;
use crate::layout::{address, read, read_at, read_into, value};
use crate::maps::CHUNK;
use vswap_common::scan::{Address, TREE_SHIFT, answer};
use vswap_common::{Field, MISSING};

/// Reads a chunk into the map. Telling it is another step: what is known here would multiply with what is found there
/// for the verifier.
#[inline(always)]
pub(super) fn read_chunk(dev: u8, off: u64) -> Option<u32> {
    let Some((_, first, max)) = device_info(dev)? else { return Some(answer::NONE) };
    if off >= max {
        return Some(answer::NONE);
    }
    let per = u64::from(value(Field::ClusterSlots));
    let base = off & !(SLOTS as u64 - 1);
    let at = base & (per - 1);
    let ci = first + off.checked_div(per)? * u64::from(value(Field::CiSize));
    // SAFETY: map values live as long as the program, and one thread of user space runs one step at a time.
    let chunk = unsafe { CHUNK.get_ptr_mut(0)?.as_mut()? };
    chunk.dev = u64::from(dev);
    chunk.base = base;
    chunk.slots = if max - base < SLOTS as u64 { max - base } else { SLOTS as u64 };
    chunk.order = u64::from(read::<u8>(ci, Field::CiOrder)? & 15);
    chunk.vmemmap =
        if address(Address::VmemmapBase) == 0 { 0 } else { read_at(address(Address::VmemmapBase))? };
    let table: u64 = read(ci, Field::CiTable)?;
    if table == 0 {
        // The table is gone with the last slot in use: nothing but free slots.
        chunk.words = [0; SLOTS];
        return Some(SLOTS as u32);
    }
    if !read_into(table + at * 8, &mut chunk.words) {
        return None;
    }
    let ids: u64 = read(ci, Field::CiMemcg)?;
    chunk.owned = u64::from(ids != 0 && read_into(ids + at * 2, &mut chunk.owners));
    let leaf = zswap_leaf(dev, base, max)?;
    chunk.in_zswap = u64::from(leaf != 0);
    if leaf != 0 && !read_into(leaf, &mut chunk.entries) {
        return None;
    }
    Some(SLOTS as u32)
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
    // The kernel cuts devices into trees by a number that BTF does not have: believe ours only if it explains theirs.
    if u64::from(nr) != (max + (1 << TREE_SHIFT) - 1) >> TREE_SHIFT {
        return None;
    }
    leaf(trees + (key >> TREE_SHIFT) * u64::from(value(Field::XaSize)), key)
}

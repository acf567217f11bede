//! Walks the kernel's xarrays.

use crate::layout::{read, read_at, value};
use vswap_common::Field;

/// Levels an xarray with 64-bit keys can have.
const LEVELS: usize = 11;

/// Address of the 64 slots of the leaf of an xarray that `key` falls into; 0 if there is none.
#[inline(always)]
pub(super) fn leaf(xarray: u64, key: u64) -> Option<u64> {
    let mut link: u64 = read(xarray, Field::XaHead)?;
    let mut top = true;
    for _ in 0..LEVELS {
        // An entry for key 0 alone sits in the head itself; no swap slot and no cgroup has that number.
        if link & 3 != 2 || link <= 4096 {
            return Some(0);
        }
        let node = link - 2;
        let shift: u8 = read(node, Field::XaShift)?;
        let shift = u32::from(shift & 63);
        let step = key >> shift;
        if top && step >= 64 {
            return Some(0);
        }
        top = false;
        let slots = node + u64::from(value(Field::XaSlots));
        if shift == 0 {
            return Some(slots);
        }
        link = read_at(slots + (step & 63) * 8)?;
    }
    None
}

/// Keys that the xarray's root covers: none from here on has an entry.
#[inline(always)]
pub(super) fn reach(xarray: u64) -> Option<u64> {
    let link: u64 = read(xarray, Field::XaHead)?;
    if link & 3 != 2 || link <= 4096 {
        return Some(0);
    }
    let shift: u8 = read(link - 2, Field::XaShift)?;
    Some(64 << (shift & 31))
}

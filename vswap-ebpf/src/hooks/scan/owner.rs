//! The directories of the cgroups that own slots.

use super::tell;
use super::xarray::leaf;
use crate::emit::Draft;
use crate::layout::{address, read, read_at};
use vswap_common::scan::{Address, answer};
use vswap_common::{Field, Kind, flags};

/// Tells the directory of a cgroup: an id in the tables means nothing to people.
#[inline(always)]
pub(super) fn owner(id: u16, extra: u16) -> Option<u32> {
    let slots = leaf(address(Address::MemcgIds), u64::from(id))?;
    if slots == 0 {
        return Some(answer::NONE);
    }
    let memcg: u64 = read_at(slots + (u64::from(id) & 63) * 8)?;
    if memcg == 0 {
        return Some(answer::NONE);
    }
    let cgroup: u64 = read(memcg, Field::MemcgCgroup)?;
    let kn: u64 = read(cgroup, Field::CgroupKn)?;
    let mut draft = Draft::new(Kind::ScanOwner, 0, 0, 0);
    draft.arg = read(kn, Field::KnId)?;
    draft.memcg = id;
    draft.flags = flags::MEMCG | extra;
    Some(tell(&draft))
}

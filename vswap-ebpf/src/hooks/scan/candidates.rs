//! Where the next search for slots begins: a hint of each CPU, by order, that nothing is reserved for.

use super::device::device_info;
use super::tell;
use crate::emit::Draft;
use crate::layout::{address, read, read_at, value};
use vswap_common::scan::{Address, answer};
use vswap_common::{Entry, Field, Kind, MISSING};

/// Orders that have a hint: as many as a device has lists.
const ORDERS: u64 = 10;

/// Tells the candidates of CPU `of`, or those that device `of` has for all CPUs.
#[inline(always)]
pub(super) fn candidates(of: u64, shared: u64, extra: u16) -> Option<u32> {
    let (base, arg) = if shared != 0 {
        let Some((si, ..)) = device_info(of as u8)? else { return Some(answer::NONE) };
        if value(Field::SiGlobal) == MISSING || value(Field::GlobalNext) == MISSING {
            return Some(answer::NONE);
        }
        let global: u64 = read(si, Field::SiGlobal)?;
        (global, 0)
    } else {
        let (name, offsets) = (address(Address::PercpuClusters), address(Address::PerCpuOffset));
        if name == 0
            || offsets == 0
            || value(Field::PercpuSi) == MISSING
            || value(Field::PercpuOffset) == MISSING
        {
            return Some(answer::NONE);
        }
        (name.wrapping_add(read_at(offsets + of * 8)?), of + 1)
    };
    if base == 0 {
        return Some(answer::NONE);
    }
    let mut done = 0;
    for order in 0..ORDERS {
        let entry = if shared != 0 {
            let next: u32 = read_at(base + u64::from(value(Field::GlobalNext)) + order * 4)?;
            Entry::new(of as u8, u64::from(next))
        } else {
            let si: u64 = read_at(base + u64::from(value(Field::PercpuSi)) + order * 8)?;
            let next: u64 = read_at(base + u64::from(value(Field::PercpuOffset)) + order * 8)?;
            // Nobody has asked for this order on the CPU, or the device is gone.
            if si == 0 {
                continue;
            }
            Entry::new(read(si, Field::SiType)?, next)
        };
        if entry.off() == 0 {
            continue;
        }
        let mut draft = Draft::new(Kind::ScanCandidate, entry.0, 0, order as u8);
        draft.arg = arg;
        draft.flags = extra;
        if tell(&draft) == answer::FULL {
            // Told anew from the first: hearing of a hint twice changes nothing.
            return Some(answer::FULL);
        }
        done += 1;
    }
    Some(done)
}

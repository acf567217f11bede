//! Tells the chunk in the map, a run of like slots a record.

use super::super::virt;
use super::chunk::{CACHED, Chunk, DOUBT, LENGTH, NO_PHYS, ORDER, OWNER, REFS, RESERVED, ZERO};
use super::state::{describe, phys_of};
use crate::emit::{Draft, now, put};
use crate::layout::value;
use crate::maps::CHUNK;
use vswap_common::scan::{self, answer};
use vswap_common::{Entry, Field, Hook, Kind, flags, place};

/// Tells slots of the chunk in the map from its slot `from` on.
#[inline(always)]
pub(super) fn tell_chunk(from: u64, extra: u16) -> Option<u32> {
    // SAFETY: as in `read_chunk`.
    let chunk = unsafe { CHUNK.get_ptr_mut(0)?.as_mut()? };
    (chunk.len, chunk.done, chunk.doubt) = (0, 0, 0);
    for i in 0..scan::SLOTS_A_RUN {
        let slot = from + i;
        if slot >= chunk.slots {
            break;
        }
        // Through the map: the ways through `describe` end in one state for the verifier, not in one each.
        let now = &raw mut chunk.now;
        // SAFETY: it is a field of the chunk; volatile only to keep the compiler from keeping the value.
        let state = unsafe {
            now.write_volatile(describe(chunk, slot as usize));
            now.read_volatile()
        };
        chunk.phys = phys_of(chunk, slot as usize);
        if chunk.len == 0
            || state != chunk.state
            || chunk.phys != chunk.run_phys
            || leaves_cluster(chunk, slot)
        {
            if !flush(chunk, extra) {
                return Some(answered(chunk, answer::FULL));
            }
            (chunk.state, chunk.first, chunk.len) = (state, slot, 0);
            chunk.run_phys = chunk.phys;
        }
        chunk.len += 1;
        chunk.doubt |= state & DOUBT;
    }
    let more = if flush(chunk, extra) { 0 } else { answer::FULL };
    Some(answered(chunk, more))
}

#[inline(always)]
fn answered(chunk: &Chunk, more: u32) -> u32 {
    let doubt = if chunk.doubt == 0 { 0 } else { answer::DOUBT };
    chunk.done as u32 & answer::DONE | more | doubt
}

/// Tells the run; false if the ring is full.
#[inline(always)]
fn flush(chunk: &mut Chunk, extra: u16) -> bool {
    let (s, len) = (chunk.state, chunk.len);
    if len > 0 && s & RESERVED == 0 {
        let entry = Entry::new(chunk.dev as u8, chunk.base + chunk.first);
        let mut draft = Draft::new(Kind::ScanSlots, entry.0, len as u16, (s >> ORDER & 15) as u8);
        draft.arg = place::aged(place::pack(s & 7, s >> REFS & 15), now().wrapping_sub(chunk.read_at));
        draft.val = (s >> LENGTH & 0xffff) as i32;
        draft.memcg = (s >> OWNER) as u16;
        draft.flags = extra;
        if !place::unused(s & 7) {
            draft.flags |= flags::WORDS;
            if chunk.owned != 0 {
                draft.flags |= flags::MEMCG;
            }
        }
        if s & CACHED != 0 {
            draft.flags |= flags::CACHED;
        }
        if s & ZERO != 0 {
            draft.flags |= flags::ZERO;
        }
        // After a full ring both are told once more.
        if !put(Hook::Scan, &draft) || !backed(chunk, extra) {
            return false;
        }
    }
    chunk.done += len;
    true
}

/// The physical slot behind `slot` begins a cluster: no run leaves one, on either side.
#[inline(always)]
fn leaves_cluster(chunk: &Chunk, slot: u64) -> bool {
    let mask = u64::from(value(Field::ClusterSlots)) - 1;
    virt::built() && chunk.phys != NO_PHYS && chunk.phys.wrapping_add(slot) & mask == 0
}

/// Tells the physical slots behind the run, if it has some; false if the ring is full.
#[inline(always)]
fn backed(chunk: &Chunk, extra: u16) -> bool {
    if !virt::built() || chunk.run_phys == NO_PHYS || chunk.state & 7 == place::FREE {
        return true;
    }
    let phys = chunk.run_phys.wrapping_add(chunk.first);
    let mut draft = Draft::new(Kind::ScanBacked, phys, chunk.len as u16, 0);
    draft.arg = Entry::new(chunk.dev as u8, chunk.base + chunk.first).0;
    draft.flags = extra;
    put(Hook::Scan, &draft)
}

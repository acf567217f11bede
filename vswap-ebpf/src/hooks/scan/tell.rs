//! Tells the chunk in the map, a run of like slots a record.

use super::chunk::{CACHED, Chunk, DOUBT, LENGTH, ORDER, OWNER, REFS, RESERVED, ZERO};
use super::state::describe;
use crate::emit::{Draft, now, put};
use crate::maps::CHUNK;
use vswap_common::scan::{self, answer};
use vswap_common::{Entry, Hook, Kind, flags, place};

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
        if chunk.len == 0 || state != chunk.state {
            if !flush(chunk, extra) {
                return Some(answered(chunk, answer::FULL));
            }
            (chunk.state, chunk.first, chunk.len) = (state, slot, 0);
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
        if s & 7 != place::FREE && s & 7 != place::IDLE {
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
        if !put(Hook::Scan, &draft) {
            return false;
        }
    }
    chunk.done += len;
    true
}

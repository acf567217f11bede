//! The tables as they are: what was in swap before we came. Not a hook: user space runs this program
//! (`BPF_PROG_TEST_RUN`) step by step and drains the ring in between; each step is short and ends in records.
//!
//! Nothing is locked here, so a read may be older than its record. The record says so by its kind, and whoever reads
//! it lets every other record about the slot win (see `collector/scan.rs` in vswap-tui for why that is enough).

use crate::emit::{Draft, put};
use crate::layout::{self, address, read, read_at, read_into, value};
use crate::maps::CHUNK;
use aya_ebpf::programs::RawTracePointContext;
use core::ffi::c_void;
use vswap_common::scan::{self, Address, TREE_SHIFT, answer, op};
use vswap_common::{Entry, Field, Hook, Kind, MISSING, flags, place};

/// Slots read at once.
const SLOTS: usize = scan::CHUNK as usize;
/// The word of a slot that may not be used (`SWP_TB_BAD`).
const BAD: u64 = !0 << 3;
/// Levels an xarray with 64-bit keys can have.
const LEVELS: usize = 11;

/// A chunk of slots and the run that is being gathered. In a map: too large for the stack, and the verifier, which
/// does not follow numbers in maps, has one state of the loop to look at instead of one for each length of run.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Chunk {
    words: [u64; SLOTS],
    entries: [u64; SLOTS],
    owners: [u16; SLOTS],
    dev: u64,
    /// Offset of the first slot.
    base: u64,
    /// Slots that the device has of the chunk.
    slots: u64,
    /// Order of the cluster.
    order: u64,
    /// Address of the struct of page 0; 0 if unknown.
    vmemmap: u64,
    /// Not 0: `owners` is read.
    owned: u64,
    /// Not 0: `entries` is read.
    in_zswap: u64,
    /// State of the slot that is looked at.
    now: u64,
    /// Not 0: a slot was in doubt.
    doubt: u64,
    /// State of the slots in the run.
    state: u64,
    /// First slot of the run in the chunk.
    first: u64,
    /// Slots in the run.
    len: u64,
    /// Slots told.
    done: u64,
}

// State of a slot as one number: place, references, flags, order, owner, length.
const CACHED: u64 = 1 << 3;
const REFS: u32 = 4;
const ORDER: u32 = 8;
const ZERO: u64 = 1 << 12;
const DOUBT: u64 = 1 << 13;
/// Reserved by the kernel: not told.
const RESERVED: u64 = 1 << 14;
const OWNER: u32 = 16;
const LENGTH: u32 = 32;

/// Runs one step; see [`vswap_common::scan`]. A raw tracepoint program that is attached to none: the kernel runs these
/// on demand. The macro for them would answer 0 whatever is returned here.
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp")]
pub fn scan(ctx: *mut c_void) -> u32 {
    let ctx = RawTracePointContext::new(ctx);
    let (what, a, b): (u64, u64, u64) = (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    let extra = ctx.arg::<u64>(3) as u16;
    let told = match what {
        op::BEGIN => edge(Kind::ScanBegin, 0, 0, extra),
        op::END => edge(Kind::ScanEnd, a, b, extra),
        op::DEVICE => device(a as u8, extra),
        op::CLUSTERS => clusters(a as u8, b, extra),
        op::READ => read_chunk(a as u8, b),
        op::TELL => tell_chunk(a, extra),
        op::OWNER => owner(a as u16, extra),
        _ => None,
    };
    told.unwrap_or(answer::FAULT)
}

#[inline(always)]
fn tell(draft: &Draft) -> u32 {
    if put(Hook::Scan, draft) { 1 } else { answer::FULL }
}

#[inline(always)]
fn edge(kind: Kind, arg: u64, val: u64, extra: u16) -> Option<u32> {
    let mut draft = Draft::new(kind, 0, 0, 0);
    draft.arg = arg;
    draft.val = val as i32;
    draft.flags = extra;
    Some(tell(&draft))
}

/// Struct of a device in use. swapoff and a swapon under way have no clusters or no size.
#[inline(always)]
fn device_info(dev: u8) -> Option<Option<(u64, u64, u64)>> {
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
    if max == 0 || clusters == 0 { Some(None) } else { Some(Some((si, clusters, u64::from(max)))) }
}

#[inline(always)]
fn device(dev: u8, extra: u16) -> Option<u32> {
    let Some((si, _, max)) = device_info(dev)? else { return Some(answer::NONE) };
    let pages: u32 = read(si, Field::SiPages)?;
    let prio: i16 = read(si, Field::SiPrio)?;
    if pages == 0 {
        return Some(answer::NONE);
    }
    let mut draft = Draft::new(Kind::ScanDevice, Entry::new(dev, max).0, 0, 0);
    draft.arg = u64::from(pages);
    draft.val = i32::from(prio);
    draft.flags = read::<u64>(si, Field::SiFlags)? as u16;
    if extra & flags::VERIFY != 0 {
        draft.flags = extra;
    }
    Some(tell(&draft))
}

#[inline(always)]
fn clusters(dev: u8, from: u64, extra: u16) -> Option<u32> {
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
    let ci = first + index * u64::from(value(Field::CiSize));
    let count: u16 = read(ci, Field::CiCount)?;
    let list: u8 = read(ci, Field::CiFlags)?;
    let order: u8 = read(ci, Field::CiOrder)?;
    let head = ci + u64::from(value(Field::CiList));
    let (next, prev): (u64, u64) = (read_at(head)?, read_at(head + 8)?);
    let off = index * u64::from(value(Field::ClusterSlots));
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

/// Reads a chunk into the map. Telling it is another step: what is known here would multiply with what is found there
/// for the verifier.
#[inline(always)]
fn read_chunk(dev: u8, off: u64) -> Option<u32> {
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

/// Tells slots of the chunk in the map from its slot `from` on.
#[inline(always)]
fn tell_chunk(from: u64, extra: u16) -> Option<u32> {
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
        draft.arg = place::pack(s & 7, s >> REFS & 15);
        draft.val = (s >> LENGTH & 0xffff) as i32;
        draft.memcg = (s >> OWNER) as u16;
        draft.flags = extra;
        if s & 7 != place::FREE {
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

/// State of slot `i` of the chunk, from its word, its zswap entry and its folio.
#[inline(always)]
fn describe(chunk: &Chunk, i: usize) -> u64 {
    let i = i & (SLOTS - 1);
    let word = chunk.words[i];
    if word == 0 {
        return place::FREE;
    }
    if word == BAD {
        return RESERVED;
    }
    let mut state = (word >> 60) << REFS;
    if chunk.owned != 0 {
        state |= u64::from(chunk.owners[i]) << OWNER;
    }
    let zero = word >> 59 & 1 == 1;
    if zero {
        state |= ZERO;
    }
    let entry = if chunk.in_zswap != 0 { chunk.entries[i] } else { 0 };
    let slot = Entry::new(chunk.dev as u8, chunk.base + i as u64).0;
    if word & 1 == 1 {
        state |= chunk.order << ORDER;
        // The order in which the kernel asks (`swap_read_folio`): a zero-filled page may have an entry from before.
        if zero {
            state | place::ZERO
        } else if entry != 0 {
            state | place::ZSWAP | length(entry, slot) << LENGTH
        } else {
            state | place::PHYS
        }
    } else if word & 3 == 2 {
        let page = chunk.vmemmap + ((word & ((1 << 59) - 1)) >> 2) * u64::from(value(Field::PageSize));
        match cached(if chunk.vmemmap == 0 { 0 } else { page }, slot) {
            // About to change, or changed since: whoever holds the lock is from before our hooks, or tells it himself.
            None => state | CACHED | DOUBT | place::UNKNOWN,
            Some((order, _)) if zero => state | CACHED | order << ORDER | place::ZERO,
            Some((order, _)) if entry != 0 => {
                state | CACHED | order << ORDER | place::ZSWAP | length(entry, slot) << LENGTH
            }
            // Loaded from zswap, fresh or written to since: no other copy is current.
            Some((order, true)) => state | CACHED | order << ORDER | place::FOLIO,
            Some((order, false)) => state | CACHED | order << ORDER | place::PHYS,
        }
    } else {
        // A word we do not know.
        state | place::UNKNOWN
    }
}

/// Order of the unlocked folio that caches `slot`, and whether it is dirty. `None` if it is locked or another's.
#[inline(always)]
fn cached(at: u64, slot: u64) -> Option<(u64, bool)> {
    let page_flags: u64 = read(at, Field::FolioFlags)?;
    let folio = layout::folio(at)?;
    let bit = |field: Field| page_flags >> (value(field) & 63) & 1 == 1;
    let ours = slot.wrapping_sub(folio.entry) < u64::from(folio.nr());
    if bit(Field::PgLocked) || !ours {
        None
    } else {
        Some((u64::from(folio.order & 15), bit(Field::PgDirty)))
    }
}

/// Compressed bytes of a zswap entry if it really is the slot's; 0 otherwise.
#[inline(always)]
fn length(entry: u64, slot: u64) -> u64 {
    match (read::<u64>(entry, Field::ZswapEntry), read::<u32>(entry, Field::ZswapLength)) {
        (Some(of), Some(len)) if of == slot && len <= 4096 => u64::from(len),
        _ => 0,
    }
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

/// Address of the 64 slots of the leaf of an xarray that `key` falls into; 0 if there is none.
#[inline(always)]
fn leaf(xarray: u64, key: u64) -> Option<u64> {
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

/// Tells the directory of a cgroup: an id in the tables means nothing to people.
#[inline(always)]
fn owner(id: u16, extra: u16) -> Option<u32> {
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

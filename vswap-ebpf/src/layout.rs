//! Access to the layout that user space wrote into read-only data before loading.
//!
//! The map is frozen, so the verifier takes each value for a constant and prunes what does not apply.

use aya_ebpf::Global;
use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::helpers::generated::bpf_probe_read_kernel as gen_read;
use aya_ebpf::programs::ProbeContext;
use vswap_common::field::FIELDS;
use vswap_common::{Address, Entry, Field, Layout, MISSING, device, scan};

#[unsafe(no_mangle)]
static LAYOUT: Global<Layout> = Global::new(Layout::EMPTY);

#[unsafe(no_mangle)]
static ADDRESSES: Global<[u64; scan::ADDRESSES]> = Global::new([0; scan::ADDRESSES]);

/// Address of a kernel variable; 0 if the kernel does not tell.
#[inline(always)]
pub fn address(of: Address) -> u64 {
    let base = (&raw const ADDRESSES).cast::<u64>();
    // SAFETY: `of` is below ADDRESSES. Volatile, because user space changes the value after compilation.
    unsafe { core::ptr::read_volatile(base.add(of as usize)) }
}

/// Value of a field; [`MISSING`] if this kernel has none.
#[inline(always)]
pub fn value(field: Field) -> u32 {
    const _: () = assert!(size_of::<Global<Layout>>() == FIELDS * 4);
    let base = (&raw const LAYOUT).cast::<u32>();
    // SAFETY: `field` is below FIELDS and LAYOUT is FIELDS u32 long (asserted above). Volatile, because user space
    // changes the value after compilation.
    unsafe { core::ptr::read_volatile(base.add(field as usize)) }
}

/// Reads the member `field` of the kernel object at `base`; `None` on a fault or if this kernel has no such member.
#[inline(always)]
pub fn read<T: Copy>(base: u64, field: Field) -> Option<T> {
    let off = value(field);
    if off == MISSING || base == 0 { None } else { read_at(base + u64::from(off)) }
}

/// Reads a `T` at a kernel address; `None` on a fault.
#[inline(always)]
pub fn read_at<T: Copy>(addr: u64) -> Option<T> {
    // SAFETY: the helper checks the address and fails instead of faulting; every `T` used here is a plain integer.
    unsafe { bpf_probe_read_kernel(addr as *const T) }.ok()
}

/// Fills `to` from a kernel address; false on a fault.
#[inline(always)]
pub fn read_into<T: Copy>(addr: u64, to: &mut T) -> bool {
    let to: *mut T = to;
    // SAFETY: the helper checks the address and fails instead of faulting, and writes `size_of::<T>()` bytes to
    // memory that is ours; every `T` used here is an array of integers.
    unsafe { gen_read(to.cast(), size_of::<T>() as u32, addr as *const _) == 0 }
}

/// A folio as far as we need it.
#[derive(Clone, Copy)]
pub struct Folio {
    /// Where it is.
    pub addr: u64,
    /// Swap entry of page 0, meaningful while the folio is in the swap cache.
    pub entry: u64,
    /// log2 of its pages.
    pub order: u8,
}

impl Folio {
    /// Pages of the folio.
    #[inline(always)]
    pub fn nr(self) -> u16 {
        1 << (self.order & 15)
    }
}

/// Order of a folio: 0 unless it is large, then the low byte of `_flags_1` (`folio_order`).
#[inline(always)]
pub fn folio_order(folio: u64) -> Option<u8> {
    let flags: u64 = read(folio, Field::FolioFlags)?;
    if flags >> (value(Field::PgHead) & 63) & 1 == 0 {
        return Some(0);
    }
    let low: u8 = read(folio, Field::FolioFlags1)?;
    Some(low)
}

/// Entry and order of a folio in the swap cache.
#[inline(always)]
pub fn folio(addr: u64) -> Option<Folio> {
    Some(Folio { addr, entry: read(addr, Field::FolioSwap)?, order: folio_order(addr)? })
}

/// The folio among the first two arguments of a probed function, at the place that `position` names.
#[inline(always)]
pub fn folio_arg(ctx: &ProbeContext, position: Field) -> Option<Folio> {
    // Both are read: verifiers before 7.1 refuse a load from the context at a place that is computed.
    let args: [u64; 2] = core::hint::black_box([ctx.arg(0)?, ctx.arg(1)?]);
    folio(if value(position) == 0 { args[0] } else { args[1] })
}

/// Slot number inside its cluster.
#[inline(always)]
pub fn cluster_offset(entry: u64) -> u64 {
    entry & (u64::from(value(Field::ClusterSlots)) - 1)
}

/// Swap table word of `entry` in cluster `ci`. Stable only under the cluster lock.
#[inline(always)]
pub fn word(ci: u64, entry: u64) -> Option<u64> {
    let table: u64 = read(ci, Field::CiTable)?;
    if table == 0 {
        return Some(0);
    }
    read_at(table + cluster_offset(entry) * 8)
}

/// Zero flag of a countable word (bit 59 where there is no zero bitmap), as `flags::ZERO | flags::WORDS`.
#[inline(always)]
pub fn zero_flags(word: u64) -> u16 {
    if value(Field::ZeroInWord) == MISSING {
        0
    } else if word >> 59 & 1 == 1 {
        vswap_common::flags::WORDS | vswap_common::flags::ZERO
    } else {
        vswap_common::flags::WORDS
    }
}

/// Struct of a slot's device; `None` where the kernel does not tell where its devices are.
#[inline(always)]
fn device_of(entry: u64) -> Option<u64> {
    let devices = address(Address::SwapInfo);
    if devices == 0 { None } else { read_at(devices + u64::from(Entry(entry).dev()) * 8) }
}

/// The kernel's flag for a slot without data, because its page is of zeroes. Stable while the slot's folio is locked.
#[inline(always)]
pub fn zero_filled(entry: u64) -> Option<bool> {
    let (si, off) = (device_of(entry)?, Entry(entry).off());
    if value(Field::SiZeromap) != MISSING {
        let bits: u64 = read(si, Field::SiZeromap)?;
        let byte: u8 = read_at(bits + off / 8)?;
        return Some(byte >> (off & 7) & 1 == 1);
    }
    if value(Field::ZeroInWord) == MISSING {
        return None;
    }
    let index = off.checked_div(u64::from(value(Field::ClusterSlots)))?;
    let clusters: u64 = read(si, Field::SiClusters)?;
    let word = word(clusters + index * u64::from(value(Field::CiSize)), entry)?;
    Some(word >> 59 & 1 == 1)
}

/// Id of the cgroup that the kernel has noted for a slot, where clusters do not have owners and they lie in one array
/// (6.18 to 7.1).
#[inline(always)]
pub fn recorded_owner(entry: u64) -> Option<u16> {
    let ctrl = address(Address::CgroupCtrl);
    if ctrl == 0 || value(Field::CgroupMap) == MISSING || value(Field::CgroupInPages) != MISSING {
        return None;
    }
    let dev = u64::from(Entry(entry).dev());
    let map: u64 = read(ctrl + dev * u64::from(value(Field::CgroupCtrlSize)), Field::CgroupMap)?;
    // Two ids in each 32-bit number, the lower half for the even slot: an array of ids on a little-endian machine.
    if map == 0 { None } else { read_at(map + Entry(entry).off() * 2) }
}

/// What a device is, from its `SWP_*` flags.
#[inline(always)]
pub fn device_flags(swp: u64) -> u16 {
    let bit = |field: Field, bit: u16| {
        let mask = value(field);
        if mask != MISSING && swp & u64::from(mask) != 0 { bit } else { 0 }
    };
    bit(Field::SwpSolidState, device::SOLID_STATE)
        | bit(Field::SwpBlock, device::BLOCK)
        | bit(Field::SwpPageDiscard, device::PAGE_DISCARD)
        | bit(Field::SwpSynchronous, device::SYNCHRONOUS)
}

/// Memcg id recorded for `entry` in cluster `ci`; `None` where it cannot be read.
#[inline(always)]
pub fn memcg(ci: u64, entry: u64) -> Option<u16> {
    let table: u64 = read(ci, Field::CiMemcg)?;
    if table == 0 {
        return None;
    }
    read_at(table + cluster_offset(entry) * 2)
}

/// Inode of the cgroup directory of the memcg with this id, looking from the folio's own cgroup upwards: the kernel
/// charges the nearest online ancestor (`__mem_cgroup_try_charge_swap`). 0 if it cannot be told.
#[inline(always)]
pub fn cgroup_inode(folio: u64, id: u16) -> u64 {
    inode_of(folio, id).unwrap_or(0)
}

#[inline(always)]
fn inode_of(folio: u64, id: u16) -> Option<u64> {
    let owner: u64 = read::<u64>(folio, Field::FolioMemcg)? & !7;
    let mut memcg: u64 =
        if value(Field::ObjcgMemcg) == MISSING { owner } else { read(owner, Field::ObjcgMemcg)? };
    for _ in 0..4 {
        if read::<u32>(memcg, Field::MemcgId)? == u32::from(id) {
            let cgroup: u64 = read(memcg, Field::MemcgCgroup)?;
            let kn: u64 = read(cgroup, Field::CgroupKn)?;
            return read(kn, Field::KnId);
        }
        // A css is the first member of its mem_cgroup: user space checks that before it names the field.
        memcg = read(memcg, Field::MemcgParent)?;
    }
    None
}

//! What happened to a slot: one number for each kind of record.

/// Kinds of records. The numbers are part of the trace format and are never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Records were lost on this CPU just before the next one. `arg` = how many. Made by user space.
    Gap = 1,
    /// Slots allocated and their folio put into the swap cache (`__swap_cache_add_folio` from the allocator).
    Alloc = 2,
    /// No slot for a folio (`folio_alloc_swap` failed). `val` = negative errno, `entry` = 0, `arg` = free slots of all
    /// devices as the kernel counts them + 1, 0 if unknown. Flag `GIVEN`: the cgroup's limit refused what was found.
    AllocFail = 3,
    /// Owner of the slots decided (`__mem_cgroup_try_charge_swap`). `memcg` = id, `val` = 0 or negative errno,
    /// `arg` = inode of the owner's cgroup directory, 0 if unknown.
    Charge = 4,
    /// A folio for slots already in use entered the swap cache: swap-in, readahead or zswap writeback.
    CacheAdd = 5,
    /// The folio left the swap cache (`__swap_cache_do_del_folio`). Flag `ZERO`: the words say zero-filled.
    CacheDel = 6,
    /// Slots became free (`__swap_cluster_free_entries`).
    Free = 7,
    /// The folio was zero-filled: no data stored anywhere. `arg` = duration of `swap_writeout` in ns.
    Zero = 8,
    /// Writeout refused (`AOP_WRITEPAGE_ACTIVATE`): the folio stays the only copy. `val` = return value.
    WriteoutReject = 9,
    /// Every page of the folio is in zswap. `val` = compressed bytes for order 0, `arg` = duration in ns.
    ZswapStore = 10,
    /// zswap took none of the folio; whatever it held for these slots is gone. `arg` = duration in ns, `val` =
    /// [`crate::why::Refusal`].
    ZswapReject = 11,
    /// One page of a large folio was stored. `val` = compressed bytes.
    ZswapPage = 12,
    /// A zswap entry was freed (`zswap_entry_free`): load, writeback, replacement or invalidation.
    ZswapFree = 13,
    /// Swap-in served from zswap. `arg` = ns since `swap_read_folio` began.
    LoadZswap = 14,
    /// Swap-in served by zero-filling. `arg` = duration of `swap_read_folio` in ns.
    LoadZero = 15,
    /// Swap-in goes to the device: read not yet submitted. `arg` = ns spent before.
    LoadPhys = 16,
    /// Swap-in failed in zswap. `val` = negative errno.
    LoadFail = 17,
    /// Physical write queued (`__swap_writepage`). Flag `WRITEBACK`: from zswap, not from reclaim, then `val` =
    /// [`crate::why::Writeback`]. `arg` = first physical slot behind virtual ones, else 0.
    Write = 18,
    /// Physical write finished. Flag `FAILED`: the data is not on the device.
    WriteEnd = 19,
    /// Physical read finished. Flag `FAILED`: the folio is not up to date.
    ReadEnd = 20,
    /// Device `entry.dev` is about to be used, all slots free. `arg` = usable pages, `entry.off` = slots with
    /// header, flags = [`crate::device`].
    SwapOn = 21,
    /// Device `entry.dev` no longer in use, all its slots free.
    SwapOff = 22,
    /// The cluster at `entry` moved to list `val` (`enum swap_cluster_flags`) with `order` (`move_cluster`).
    /// `arg` = usable pages of the device.
    ClusterMove = 23,
    /// One more reference to each slot of the run: unmapped, or shared by fork (`folio_dup_swap`,
    /// `swap_dup_entry_direct`). Told at the function's entry, before the cluster lock.
    Dup = 24,
    /// One reference less to each slot of the run (`swap_put_entries_cluster`). `val` = 1: cached slots without a
    /// reference are reclaimed at once.
    Put = 25,
    /// The allocator took the cluster at `entry` off list `val` to look into it (`isolate_lock_cluster`); `nr` = 0:
    /// it found none there it could lock. `order` = the list's order. `arg` = [`crate::prio`] of the device.
    Isolate = 26,
    /// A folio of `order` asks for slots (`folio_alloc_swap` begins); what the thread frees from here to its `Alloc`
    /// or `AllocFail`, the allocator reclaimed for itself.
    AllocBegin = 27,
    /// A scan of the kernel's tables begins: hooks are all attached from here on. What earlier records said about
    /// slots they said with some hooks still missing. `val` = 1: the tables are read again after a loss, only slots are
    /// forgotten. With flag `VERIFY` `arg` = number of the look, from 1; 0 in old recordings.
    ScanBegin = 28,
    /// Device `entry.dev` was found in use. `arg` = usable pages, `entry.off` = slots with header, `val` = priority,
    /// flags = [`crate::device`].
    ScanDevice = 29,
    /// The cluster at `entry` was found on list `val` with `order`; `nr` = slots in use, bad ones included. `arg`: low
    /// half = index of the cluster after it in its list + 1, high half = before it; 0 = the head of the list, or
    /// unknown. Told once before the slots are read, and once more, all in a row, before the scan ends.
    ScanCluster = 30,
    /// Slots found in equal state: `arg` = [`crate::place`], `val` = compressed bytes, 0 if unknown, `order` = that of
    /// the cached folio, else of the cluster. Read some time before the record: what other records say since the
    /// scan began is younger.
    ScanSlots = 31,
    /// The cgroup with id `memcg` has the directory with inode `arg`.
    ScanOwner = 32,
    /// The scan is over. `arg` = slots read, `val` = slots left in doubt. Flag `FAILED`: not everything was read.
    ScanEnd = 33,
    /// The allocator took slots off its map, for a folio or for a CPU's cache of slots (`swap_range_alloc`, 6.12): for
    /// /proc/swaps they are in use from here to their `Return`.
    Reserve = 34,
    /// Slots are back on the allocator's map (`swap_entry_range_free`, 6.12).
    Return = 35,
    /// swapoff of device `entry.dev` has taken it from the allocator and begins to bring its pages back
    /// (`try_to_unuse`, seen where it asks shared memory). Told again for every round.
    SwapOffBegin = 36,
    /// A scan found `entry` as the next candidate for a folio of `order` (`percpu_swap_cluster`): `arg` = CPU + 1, or 0
    /// for the candidate that all CPUs share on a rotating disk.
    ScanCandidate = 37,
    /// A walk over zswap's list of old entries ended. `val` = [`crate::why::Writeback`], `arg` = what became of the
    /// entries it looked at, [`crate::why::walk`].
    Shrink = 38,
    /// Physical slots were taken to back virtual ones (`folio_realloc_swap`): `arg` = first virtual slot. Their cgroup is
    /// charged for them next; if it refuses, an `Unback` follows.
    Back = 39,
    /// Physical slots that backed virtual ones are free again (`__swap_cluster_free_phys_backing`).
    Unback = 40,
    /// Virtual slots give up what held their data (`vswap_release_backing`). `val` = [`crate::place`] of the first one
    /// before. Flag `CACHED`: its folio is in the swap cache, and the only copy from here on.
    Release = 41,
    /// A slot without a folio or an owner, for the image of a hibernation (`swap_alloc_hibernation_slot`).
    Hibernate = 42,
    /// A scan found the physical slots from `entry` on behind the virtual ones from `arg` on. Read as `ScanSlots` is.
    ScanBacked = 43,
}

impl Kind {
    /// The scan program tells it, no hook.
    pub const fn of_scan(self) -> bool {
        matches!(
            self,
            Self::ScanBegin
                | Self::ScanDevice
                | Self::ScanCluster
                | Self::ScanSlots
                | Self::ScanOwner
                | Self::ScanCandidate
                | Self::ScanBacked
                | Self::ScanEnd
        )
    }

    /// All kinds in the order of their numbers.
    pub const ALL: [Self; 43] = [
        Self::Gap,
        Self::Alloc,
        Self::AllocFail,
        Self::Charge,
        Self::CacheAdd,
        Self::CacheDel,
        Self::Free,
        Self::Zero,
        Self::WriteoutReject,
        Self::ZswapStore,
        Self::ZswapReject,
        Self::ZswapPage,
        Self::ZswapFree,
        Self::LoadZswap,
        Self::LoadZero,
        Self::LoadPhys,
        Self::LoadFail,
        Self::Write,
        Self::WriteEnd,
        Self::ReadEnd,
        Self::SwapOn,
        Self::SwapOff,
        Self::ClusterMove,
        Self::Dup,
        Self::Put,
        Self::Isolate,
        Self::AllocBegin,
        Self::ScanBegin,
        Self::ScanDevice,
        Self::ScanCluster,
        Self::ScanSlots,
        Self::ScanOwner,
        Self::ScanEnd,
        Self::Reserve,
        Self::Return,
        Self::SwapOffBegin,
        Self::ScanCandidate,
        Self::Shrink,
        Self::Back,
        Self::Unback,
        Self::Release,
        Self::Hibernate,
        Self::ScanBacked,
    ];

    /// The kind with this number, if there is one.
    pub const fn from_u8(n: u8) -> Option<Self> {
        if n >= 1 && (n as usize) <= Self::ALL.len() { Some(Self::ALL[n as usize - 1]) } else { None }
    }

    /// Name used in JSON and on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Alloc => "alloc",
            Self::AllocFail => "alloc_fail",
            Self::Charge => "charge",
            Self::CacheAdd => "cache_add",
            Self::CacheDel => "cache_del",
            Self::Free => "free",
            Self::Zero => "zero",
            Self::WriteoutReject => "writeout_reject",
            Self::ZswapStore => "zswap_store",
            Self::ZswapReject => "zswap_reject",
            Self::ZswapPage => "zswap_page",
            Self::ZswapFree => "zswap_free",
            Self::LoadZswap => "load_zswap",
            Self::LoadZero => "load_zero",
            Self::LoadPhys => "load_phys",
            Self::LoadFail => "load_fail",
            Self::Write => "write",
            Self::WriteEnd => "write_end",
            Self::ReadEnd => "read_end",
            Self::SwapOn => "swapon",
            Self::SwapOff => "swapoff",
            Self::ClusterMove => "cluster_move",
            Self::Dup => "dup",
            Self::Put => "put",
            Self::Isolate => "isolate",
            Self::AllocBegin => "alloc_begin",
            Self::ScanBegin => "scan_begin",
            Self::ScanDevice => "scan_device",
            Self::ScanCluster => "scan_cluster",
            Self::ScanSlots => "scan_slots",
            Self::ScanOwner => "scan_owner",
            Self::ScanEnd => "scan_end",
            Self::Reserve => "reserve",
            Self::Return => "return",
            Self::SwapOffBegin => "swapoff_begin",
            Self::ScanCandidate => "scan_candidate",
            Self::Shrink => "shrink",
            Self::Back => "back",
            Self::Unback => "unback",
            Self::Release => "release",
            Self::Hibernate => "hibernate",
            Self::ScanBacked => "scan_backed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_table_agree() {
        for (i, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, i + 1);
            assert_eq!(Kind::from_u8(*kind as u8), Some(*kind));
        }
        assert_eq!(Kind::from_u8(0), None);
        assert_eq!(Kind::from_u8(Kind::ALL.len() as u8 + 1), None);
        assert_eq!(Kind::from_u8(255), None);
    }
}

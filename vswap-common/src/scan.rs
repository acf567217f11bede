//! What user space asks of the scan program, and where the tables are.

/// Arguments of the program: one of [`op`], then two numbers by operation, then extra [`crate::flags`] for the records.
pub mod op {
    /// Tell that a scan begins, with `a` and `b` as `arg` and `val` of the record.
    pub const BEGIN: u64 = 0;
    /// Tell device number `a` if it is in use.
    pub const DEVICE: u64 = 1;
    /// Tell up to [`super::CLUSTERS_A_RUN`] clusters of device `a` from index `b`.
    pub const CLUSTERS: u64 = 2;
    /// Read the chunk of [`super::CHUNK`] slots of device `a` that offset `b` is in.
    pub const READ: u64 = 3;
    /// Tell up to [`super::SLOTS_A_RUN`] slots of the chunk read last, from its slot `a` on.
    pub const TELL: u64 = 6;
    /// Tell the directory of the cgroup with id `a`.
    pub const OWNER: u64 = 4;
    /// Tell the next candidates of CPU `a`; with `b` not 0 those that device `a` has for all CPUs.
    pub const CANDIDATES: u64 = 7;
    /// Answer how many records the CPU that runs this has lost so far, the low 31 bits; tells nothing.
    pub const LOST: u64 = 8;
    /// Tell that the scan is over: `a` slots read, `b` of them left in doubt.
    pub const END: u64 = 5;
}

/// Bits of the program's answer; the low 16 bits say how many devices, clusters or slots are done.
pub mod answer {
    /// Things done.
    pub const DONE: u32 = 0xffff;
    /// The ring had no room: ask again for the rest.
    pub const FULL: u32 = 1 << 16;
    /// A table could not be read.
    pub const FAULT: u32 = 1 << 17;
    /// A folio was locked, so that its slot is about to change: look again.
    pub const DOUBT: u32 = 1 << 18;
    /// There is no such thing (any more).
    pub const NONE: u32 = 1 << 19;
}

/// Slots read at once: the keys of one xarray leaf.
pub const CHUNK: u64 = 64;
/// Slots told at once: the verifier looks at each of them, 64 would be too much for it.
pub const SLOTS_A_RUN: u64 = 16;
/// Clusters read at once.
pub const CLUSTERS_A_RUN: u64 = 16;
/// Slots of a device by zswap tree (`ZSWAP_ADDRESS_SPACE_SHIFT`); the program compares it with the kernel's number of
/// trees before it relies on it.
pub const TREE_SHIFT: u32 = 14;

/// Slots of a device by space of the swap cache (`SWAP_ADDRESS_SPACE_SHIFT`, 6.12); compared likewise.
pub const SPACE_SHIFT: u32 = 14;

/// Kernel variables that programs read: where the scan starts, and what tells causes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Address {
    /// `swap_info[]`: devices by number.
    SwapInfo,
    /// `nr_swapfiles`: numbers in use so far.
    NrSwapfiles,
    /// `zswap_trees[]`: arrays of xarrays by device.
    ZswapTrees,
    /// `nr_zswap_trees[]`: lengths of these arrays.
    NrZswapTrees,
    /// `vmemmap_base`: where the struct of page 0 is.
    VmemmapBase,
    /// The xarray of cgroups by id.
    MemcgIds,
    /// `swap_cgroup_ctrl[]`: owners of slots by device (up to 7.1).
    CgroupCtrl,
    /// `swapper_spaces[]`: arrays of spaces of the swap cache by device (6.12).
    SwapperSpaces,
    /// `nr_swapper_spaces[]`: lengths of these arrays.
    NrSwapperSpaces,
    /// `page_offset_base`: where page 0 is mapped.
    PageOffsetBase,
    /// `__per_cpu_offset[]`: how far each CPU's copy of a variable is from its name.
    PerCpuOffset,
    /// `percpu_swap_cluster`: next candidates of a CPU.
    PercpuClusters,
    /// `nr_swap_pages`: free slots of all devices, long.
    FreeSlots,
    /// `zswap_enabled`, bool.
    ZswapEnabled,
    /// `zswap_pool_reached_full`, bool: full, and not yet below the threshold again.
    ZswapFull,
    /// `zswap_reject_compress_fail`, u64.
    RejectCompressFail,
    /// `zswap_reject_compress_poor`, u64.
    RejectCompressPoor,
    /// `zswap_reject_alloc_fail`, u64.
    RejectAllocFail,
    /// `zswap_reject_kmemcache_fail`, u64.
    RejectEntryFail,
    /// `vswap_si`: the virtual device.
    VirtualDevice,
}

/// Number of addresses.
pub const ADDRESSES: usize = 20;

impl Address {
    /// All of them in the order of their numbers.
    pub const ALL: [Self; ADDRESSES] = [
        Self::SwapInfo,
        Self::NrSwapfiles,
        Self::ZswapTrees,
        Self::NrZswapTrees,
        Self::VmemmapBase,
        Self::MemcgIds,
        Self::CgroupCtrl,
        Self::SwapperSpaces,
        Self::NrSwapperSpaces,
        Self::PageOffsetBase,
        Self::PerCpuOffset,
        Self::PercpuClusters,
        Self::FreeSlots,
        Self::ZswapEnabled,
        Self::ZswapFull,
        Self::RejectCompressFail,
        Self::RejectCompressPoor,
        Self::RejectAllocFail,
        Self::RejectEntryFail,
        Self::VirtualDevice,
    ];

    /// Names of the variable, the newest first.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::SwapInfo => &["swap_info"],
            Self::NrSwapfiles => &["nr_swapfiles"],
            Self::ZswapTrees => &["zswap_trees"],
            Self::NrZswapTrees => &["nr_zswap_trees"],
            Self::VmemmapBase => &["vmemmap_base"],
            Self::MemcgIds => &["mem_cgroup_private_ids", "mem_cgroup_ids"],
            Self::CgroupCtrl => &["swap_cgroup_ctrl"],
            Self::SwapperSpaces => &["swapper_spaces"],
            Self::NrSwapperSpaces => &["nr_swapper_spaces"],
            Self::PageOffsetBase => &["page_offset_base"],
            Self::PerCpuOffset => &["__per_cpu_offset"],
            Self::PercpuClusters => &["percpu_swap_cluster"],
            Self::FreeSlots => &["nr_swap_pages"],
            Self::ZswapEnabled => &["zswap_enabled"],
            Self::ZswapFull => &["zswap_pool_reached_full"],
            Self::RejectCompressFail => &["zswap_reject_compress_fail"],
            Self::RejectCompressPoor => &["zswap_reject_compress_poor"],
            Self::RejectAllocFail => &["zswap_reject_alloc_fail"],
            Self::RejectEntryFail => &["zswap_reject_kmemcache_fail"],
            Self::VirtualDevice => &["vswap_si"],
        }
    }
}

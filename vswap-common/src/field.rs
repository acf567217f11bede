//! The table of wanted kernel facts: struct offsets, sizes, enum values and argument positions, by name.
//!
//! User space fills it from BTF ([`MISSING`] where the running kernel has no such member) and writes it into the
//! programs' read-only data before loading, so the verifier sees constants and prunes what does not apply.

/// Value of a field that this kernel does not have.
pub const MISSING: u32 = u32::MAX;

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $label:literal,)*) => {
        /// One wanted fact; the number is its index in [`Layout`].
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[repr(usize)]
        pub enum Field { $($(#[$doc])* $name,)* }

        impl Field {
            /// All fields in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Name in the trace header and in messages.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }
        }
    };
}

fields! {
    /// Offset of `struct folio.swap` (the entry of page 0), bytes.
    FolioSwap = "folio.swap",
    /// Offset of `struct folio.flags`, bytes.
    FolioFlags = "folio.flags",
    /// Offset of `struct folio._flags_1`: its low byte is the order of a large folio.
    FolioFlags1 = "folio._flags_1",
    /// Bit number of `PG_head` in the flags: set on a large folio.
    PgHead = "pageflags.PG_head",
    /// Bit number of `PG_swapcache` in the flags.
    PgSwapcache = "pageflags.PG_swapcache",
    /// Offset of `struct folio.memcg_data`.
    FolioMemcg = "folio.memcg_data",
    /// Offset of `obj_cgroup.memcg` where a folio points to an `obj_cgroup` (member `is_root` exists), else missing.
    ObjcgMemcg = "obj_cgroup.memcg",
    /// Offset of the kernel-private id in `struct mem_cgroup`, int.
    MemcgId = "mem_cgroup.id.id",
    /// Offset of the `struct cgroup` pointer in `struct mem_cgroup`.
    MemcgCgroup = "mem_cgroup.css.cgroup",
    /// Offset of the parent `mem_cgroup`'s css pointer in `struct mem_cgroup`.
    MemcgParent = "mem_cgroup.css.parent",
    /// Offset of `cgroup.kn`.
    CgroupKn = "cgroup.kn",
    /// Offset of `kernfs_node.id`: the inode of the cgroup directory.
    KnId = "kernfs_node.id",
    /// Offset of `swap_cluster_info.order`, u8.
    CiOrder = "swap_cluster_info.order",
    /// Offset of `swap_cluster_info.table`, pointer to the words.
    CiTable = "swap_cluster_info.table",
    /// Offset of `swap_cluster_info.memcg_table`, pointer to u16 ids.
    CiMemcg = "swap_cluster_info.memcg_table",
    /// Offset of `swap_cluster_info.extend_table`: the words have the counts, so an empty word is a free slot.
    CiExtend = "swap_cluster_info.extend_table",
    /// Size of `struct swap_cluster_info`, bytes.
    CiSize = "sizeof(swap_cluster_info)",
    /// Offset of `swap_info_struct.type`, s8.
    SiType = "swap_info_struct.type",
    /// Offset of `swap_info_struct.flags`.
    SiFlags = "swap_info_struct.flags",
    /// Offset of `swap_info_struct.max`, u32: slots with header.
    SiMax = "swap_info_struct.max",
    /// Offset of `swap_info_struct.pages`, u32: usable slots.
    SiPages = "swap_info_struct.pages",
    /// Offset of `swap_info_struct.cluster_info`, pointer to the array.
    SiClusters = "swap_info_struct.cluster_info",
    /// Slots per cluster: length of `swap_table.entries[]`; without tables, of the largest order that has a list.
    ClusterSlots = "slots per cluster",
    /// 1 if the zero flag is bit 59 of the table word (no zero bitmap on this kernel), else missing.
    ZeroInWord = "zero flag in word",
    /// Offset of `swap_info_struct.free_clusters`, a list head.
    SiFree = "swap_info_struct.free_clusters",
    /// Offset of `swap_info_struct.full_clusters`.
    SiFull = "swap_info_struct.full_clusters",
    /// Offset of `swap_info_struct.nonfull_clusters[]`, a list head for each order.
    SiNonfull = "swap_info_struct.nonfull_clusters",
    /// Offset of `swap_info_struct.frag_clusters[]`.
    SiFrag = "swap_info_struct.frag_clusters",
    /// Size of `struct list_head`, bytes.
    ListSize = "sizeof(list_head)",
    /// Size of `struct page`, bytes.
    PageSize = "sizeof(page)",
    /// Offset of `zswap_entry.swpentry`.
    ZswapEntry = "zswap_entry.swpentry",
    /// Offset of `zswap_entry.length`, u32.
    ZswapLength = "zswap_entry.length",
    /// Offset of `swap_iocb.bvecs`.
    SioBvecs = "swap_iocb.bvecs",
    /// Offset of the number of filled bvecs in `swap_iocb`.
    SioCount = "swap_iocb.nr_bvecs",
    /// Size of `struct bio_vec`, bytes.
    BvecSize = "sizeof(bio_vec)",
    /// Offset of `bio_vec.bv_page`.
    BvecPage = "bio_vec.bv_page",
    /// Offset of `bio_vec.bv_len`, bytes of data.
    BvecLen = "bio_vec.bv_len",
    /// 1 where block I/O completes bio by bio, one folio each (up to 7.2), else missing.
    IoByBio = "completion by bio",
    /// 1 where slots are freed by `swap_entries_free(si, ci, offset, nr)` with an offset on the device (7.0), else missing.
    FreeByOffset = "free by offset",
    /// 1 where counts are not in the words yet (7.0): an empty word is a fresh slot only inside an allocation.
    CountInMap = "count in map",
    /// 1 where the map of counts also has a hold for the cache, under which slots are prepared before a folio enters and
    /// let go after it left (6.18, 6.19), else missing.
    HoldInMap = "hold for the cache in map",
    /// Offset of `bio.bi_io_vec`, pointer to the first bvec.
    BioVec = "bio.bi_io_vec",
    /// Offset of `bio.bi_status`, u8, 0 for success.
    BioStatus = "bio.bi_status",
    /// 1 where the owner of slots is told by `swap_cgroup_record(folio, id, entry)` of a folio in the cache (7.0, 7.1), else
    /// missing.
    OwnerByRecord = "owner by record",
    /// 1 where slots pass through per-CPU caches before a folio has them and after it gave them up (6.12), else missing.
    SlotCaches = "per-CPU slot caches",
    /// 1 where `zswap_load` says with a bool whether it had the page (6.12), else missing.
    LoadSaysTrue = "zswap_load is bool",
    /// Position of the folio among the arguments of the writeout function.
    ArgWriteout = "folio argument of writeout",
    /// Position of the folio among the arguments of the physical write function.
    ArgWrite = "folio argument of write",
    /// Position of the folio among the arguments of the read function.
    ArgRead = "folio argument of read",
    /// Offset of `swap_info_struct.prio`, s16 or int.
    SiPrio = "swap_info_struct.prio",
    /// Offset of `swap_cluster_info.count`, u16: slots in use.
    CiCount = "swap_cluster_info.count",
    /// Offset of `swap_cluster_info.flags`, u8: the list.
    CiFlags = "swap_cluster_info.flags",
    /// Offset of `swap_cluster_info.list`, a list head.
    CiList = "swap_cluster_info.list",
    /// Bit number of `PG_locked` in the flags of a folio.
    PgLocked = "pageflags.PG_locked",
    /// Bit number of `PG_uptodate` in the flags.
    PgUptodate = "pageflags.PG_uptodate",
    /// Bit number of `PG_dirty`.
    PgDirty = "pageflags.PG_dirty",
    /// Size of `struct xarray`, bytes.
    XaSize = "sizeof(xarray)",
    /// Offset of `xarray.xa_head`.
    XaHead = "xarray.xa_head",
    /// Offset of `xa_node.shift`, u8.
    XaShift = "xa_node.shift",
    /// Offset of `xa_node.slots[64]`.
    XaSlots = "xa_node.slots",
    /// Offset of `bio.bi_bdev`, pointer to the block device.
    BioDevice = "bio.bi_bdev",
    /// Offset of `bio.bi_opf`, u32: operation and flags.
    BioOp = "bio.bi_opf",
    /// Offset of `bio.bi_iter.bi_size`, u32: bytes.
    BioSize = "bio.bi_iter.bi_size",
    /// Offset of `block_device.bd_dev`, u32.
    DeviceNumber = "block_device.bd_dev",
    /// Bits of the operation in `bi_opf`: the first flag comes after them (`__REQ_FAILFAST_DEV`).
    OpBits = "req_flag_bits.__REQ_FAILFAST_DEV",
    /// Number of the operation `REQ_OP_READ`.
    OpRead = "req_op.REQ_OP_READ",
    /// Number of the operation `REQ_OP_WRITE`.
    OpWrite = "req_op.REQ_OP_WRITE",
    /// 1 where the lists of clusters have the numbers that records and views know (`enum swap_cluster_flags`), else
    /// missing.
    ListNumbers = "numbers of cluster lists",
    /// Value of the device flag `SWP_SOLIDSTATE`.
    SwpSolidState = "SWP_SOLIDSTATE",
    /// Value of the device flag `SWP_BLKDEV`.
    SwpBlock = "SWP_BLKDEV",
    /// Value of the device flag `SWP_PAGE_DISCARD`.
    SwpPageDiscard = "SWP_PAGE_DISCARD",
    /// Value of the device flag `SWP_SYNCHRONOUS_IO`.
    SwpSynchronous = "SWP_SYNCHRONOUS_IO",
    /// Bit number of the flag that swap sets on its writes (`__REQ_SWAP`).
    OpSwap = "req_flag_bits.__REQ_SWAP",
    /// Offset of `swap_info_struct.swap_map`, a byte for each slot (up to 7.0).
    SiMap = "swap_info_struct.swap_map",
    /// Offset of `swap_info_struct.zeromap`, a bit for each slot (up to 7.1).
    SiZeromap = "swap_info_struct.zeromap",
    /// Offset of `swap_cgroup_ctrl.map` where its elements are known: owners by slot (up to 7.1).
    CgroupMap = "swap_cgroup_ctrl.map",
    /// Size of `struct swap_cgroup_ctrl`, bytes.
    CgroupCtrlSize = "sizeof(swap_cgroup_ctrl)",
    /// 1 where that map is an array of pages of u16 ids (6.12), else missing: an array of pairs of them.
    CgroupInPages = "owners in pages",
    /// Size of `struct address_space`, bytes.
    SpaceSize = "sizeof(address_space)",
    /// Offset of `address_space.i_pages`, an xarray.
    SpacePages = "address_space.i_pages",
    /// Offset of `percpu_swap_cluster.si[]`: the device of a CPU's next candidate, by order.
    PercpuSi = "percpu_swap_cluster.si",
    /// Offset of `percpu_swap_cluster.offset[]`: its offset.
    PercpuOffset = "percpu_swap_cluster.offset",
    /// Offset of `swap_info_struct.global_cluster`, pointer: next candidates of a rotating disk.
    SiGlobal = "swap_info_struct.global_cluster",
    /// Offset of `swap_sequential_cluster.next[]`, u32 by order.
    GlobalNext = "swap_sequential_cluster.next",
    /// Position of the walker's own argument of `shrink_memcg_cb`: the shrinker hands one over, a limit does not.
    ArgWalk = "own argument of shrink_memcg_cb",
    /// `LRU_REMOVED_RETRY`: the entry was written back.
    LruWritten = "lru_status.LRU_REMOVED_RETRY",
    /// `LRU_ROTATE`: the entry gets a second chance.
    LruSpared = "lru_status.LRU_ROTATE",
    /// `LRU_RETRY`: the writeback failed.
    LruFailed = "lru_status.LRU_RETRY",
    /// `LRU_STOP`: the page is in the swap cache, the walk ends.
    LruStopped = "lru_status.LRU_STOP",
    /// 1 where the kernel tells the address of its count of free slots, else missing.
    FreeSlotsTold = "nr_swap_pages is told",
    /// 1 where it tells the addresses of zswap's switch and of its counters of refused stores, else missing.
    RefusalsTold = "zswap_reject_* are told",
    /// 1 where the kernel was built without zswap, so that nobody but the kernel's own flag says that a page is read as
    /// zeroes; else missing.
    NoZswap = "no zswap",
    /// Offset of `swap_info_struct.users`, a reference count that comes alive just before the device is enabled.
    SiUsers = "swap_info_struct.users",
    /// Offset of `swap_info_struct.inuse_pages`.
    SiInuse = "swap_info_struct.inuse_pages",
    /// Offset of `swap_cluster_info_dynamic.virtual_table`, pointer to the words that say where virtual slots have
    /// their data; the cluster itself is the first member. Missing without virtual swap, as all below.
    VirtTable = "swap_cluster_info_dynamic.virtual_table",
    /// Offset of `swap_cluster_info_dynamic.index`, u32: virtual clusters are in no array.
    VirtIndex = "swap_cluster_info_dynamic.index",
    /// Offset of `swap_info_struct.cluster_info_pool`, the xarray of virtual clusters.
    VirtPool = "swap_info_struct.cluster_info_pool",
    /// `SWP_VSWAP`, the flag of the virtual device.
    VirtFlag = "SWP_VSWAP",
    /// Tag of a word that names a physical slot.
    VirtPhys = "VSWAP_SWAPFILE",
    /// Tag of a word that points to a zswap entry.
    VirtZswap = "VSWAP_ZSWAP",
    /// Tag of a zero-filled slot; missing where the flag in the swap table word says it.
    VirtZero = "VSWAP_ZERO in word",
    /// Bit of a word that names a physical slot at which its device number begins.
    VirtTypeAt = "device number in word",
    /// Position of the result of `alloc_swap_scan_cluster` behind its arguments: RFC v1 has one argument more.
    ArgFound = "result of alloc_swap_scan_cluster",
}

/// Number of fields.
pub const FIELDS: usize = Field::ALL.len();

/// Values of all fields for one kernel, as the eBPF programs read them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Layout {
    /// Indexed by [`Field`]; [`MISSING`] where the kernel has none.
    pub values: [u32; FIELDS],
}

impl Layout {
    /// A layout that knows nothing.
    pub const EMPTY: Self = Self { values: [MISSING; FIELDS] };

    /// The value, if this kernel has it.
    pub fn get(&self, field: Field) -> Option<u32> {
        Some(self.values[field as usize]).filter(|v| *v != MISSING)
    }

    /// Records a value read from BTF.
    pub fn set(&mut self, field: Field, value: u32) {
        self.values[field as usize] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_layout_knows_nothing_and_set_is_seen() {
        let mut l = Layout::EMPTY;
        assert!(Field::ALL.iter().all(|f| l.get(*f).is_none()));
        l.set(Field::CiSize, 48);
        assert_eq!(l.get(Field::CiSize), Some(48));
    }
}

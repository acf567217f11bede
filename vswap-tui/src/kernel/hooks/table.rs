//! One entry a hook.

use super::causes;
use super::fields::*;
use super::slot_caches::{DELETED, FREED, JOINED, RECORDED, RETURNED};
use super::{How, SCAN_VARIABLE, Spec, at, held, no_zswap, virtual_swap};
use vswap_common::{Field, Hook};

macro_rules! spec {
    ($hook:ident, $how:ident, $vital:literal, $shows:literal,
     $($function:expr, $args:expr, $fields:expr),+ $(; $other:expr)*) => {
        Spec {
            hook: Hook::$hook,
            how: How::$how,
            shows: $shows,
            vital: $vital,
            allocator: matches!(Hook::$hook, Hook::Dup | Hook::DupDirect | Hook::Put | Hook::Isolate),
            alternatives: &[$(at($function, $args, $fields)),+ $(, $other)*],
        }
    };
}

/// All hooks in the order of [`Hook`]. Signatures as in Linux 7.3; where an older kernel has another
/// function, it is the next alternative.
pub const SPECS: &[Spec] = &[
    spec!(
        CacheAdd,
        Fentry,
        true,
        "allocation, swap-in into the cache",
        "__swap_cache_do_add_folio",
        &["swap_cluster_info *", "folio *", "swp_entry_t"],
        CACHE,
        "__swap_cache_add_folio",
        &["swap_cluster_info *", "folio *", "swp_entry_t"],
        COUNTED,
        "__swap_cache_add_folio",
        &["swap_cluster_info *", "folio *", "swp_entry_t"],
        MAPPED;
        held::ENTERED;
        JOINED;
        virtual_swap::ADDED
    ),
    spec!(
        CacheDel,
        Fentry,
        true,
        "folio leaves the swap cache",
        "__swap_cache_do_del_folio",
        &["swap_cluster_info *", "folio *", "swp_entry_t", "_"],
        CACHE,
        "__swap_cache_del_folio",
        &["swap_cluster_info *", "folio *", "swp_entry_t", "_"],
        COUNTED,
        "__swap_cache_del_folio",
        &["swap_cluster_info *", "folio *", "swp_entry_t", "_"],
        MAPPED;
        held::DELETED;
        DELETED;
        virtual_swap::DELETED
    ),
    spec!(
        Free,
        Fentry,
        true,
        "slots become free",
        "__swap_cluster_free_entries",
        &["swap_info_struct *", "swap_cluster_info *", "_", "_"],
        CLUSTER,
        "swap_entries_free",
        &["swap_info_struct *", "swap_cluster_info *", "long unsigned int", "_"],
        &[Field::SiType, Field::FreeByOffset];
        held::FREED;
        FREED;
        virtual_swap::FREED_RFC1;
        virtual_swap::FREED_RFC1_INLINED;
        virtual_swap::FREED;
        virtual_swap::FREED_INLINED
    ),
    spec!(
        Charge,
        Fexit,
        false,
        "owner cgroup at allocation",
        "__mem_cgroup_try_charge_swap",
        &["folio *"],
        &[Field::FolioSwap, Field::FolioFlags, Field::FolioFlags1, Field::PgHead, Field::CiMemcg],
        "swap_cgroup_record",
        &["folio *", "_", "swp_entry_t"],
        &[Field::OwnerByRecord, Field::FolioFlags, Field::FolioFlags1, Field::PgHead];
        held::RECORDED;
        RECORDED;
        virtual_swap::RECORDED
    ),
    spec!(
        AllocExit,
        Fexit,
        false,
        "refused allocations",
        "folio_alloc_swap",
        &["folio *"],
        &[Field::FolioFlags, Field::FolioFlags1, Field::PgHead];
        held::RETURNED;
        RETURNED
    ),
    spec!(
        WriteoutEnter,
        Kprobe,
        false,
        "begin of a writeout",
        "swap_writeout",
        &["_", "_"],
        &[Field::ArgWriteout, Field::FolioSwap, Field::FolioFlags, Field::FolioFlags1, Field::PgHead],
        "swap_writepage",
        &["page *", "_"],
        &[Field::ArgWriteout, Field::FolioSwap, Field::FolioFlags, Field::FolioFlags1, Field::PgHead]
    ),
    spec!(
        WriteoutExit,
        Fexit,
        false,
        "zero-filled folios, refused writeouts",
        "swap_writeout",
        &["_", "_"],
        &[Field::ArgWriteout],
        "swap_writepage",
        &["page *", "_"],
        &[Field::ArgWriteout]
    ),
    spec!(StoreEnter, Kprobe, false, "begin of a zswap store", "zswap_store", &["folio *"], FOLIO),
    spec!(StoreExit, Fexit, false, "stored in zswap, or refused by it", "zswap_store", &["folio *"], &[]),
    spec!(
        StorePage,
        Kprobe,
        false,
        "compressed size of each page",
        "obj_cgroup_charge_zswap",
        &["obj_cgroup *", "_"],
        &[]
    ),
    spec!(
        ZswapFree,
        Kprobe,
        false,
        "data leaves zswap",
        "zswap_entry_free",
        &["zswap_entry *"],
        &[Field::ZswapEntry, Field::ZswapLength]
    ),
    spec!(LoadExit, Fexit, false, "swap-in from zswap or from the device", "zswap_load", &["folio *"], &[]),
    spec!(
        ReadEnter,
        Kprobe,
        false,
        "begin of a swap-in",
        "swap_read_folio",
        &["_", "_"],
        &[Field::ArgRead, Field::FolioSwap, Field::FolioFlags, Field::FolioFlags1, Field::PgHead]
    ),
    spec!(
        ReadExit,
        Fexit,
        false,
        "swap-in of zero-filled folios",
        "swap_read_folio",
        &["_", "_"],
        &[Field::ArgRead]
    ),
    spec!(
        Write,
        Kprobe,
        false,
        "physical write, zswap writeback",
        "__swap_writepage",
        &["_", "_"],
        &[Field::ArgWrite, Field::FolioSwap, Field::FolioFlags, Field::FolioFlags1, Field::PgHead];
        virtual_swap::WRITTEN;
        virtual_swap::WRITTEN_OUT
    ),
    spec!(
        WriteEnd,
        Fentry,
        false,
        "physical write completed or failed",
        "swap_write_end",
        &["swap_iocb *", "_"],
        BATCH,
        // Devices that answer at once, like zram, are completed by the writer itself.
        "__end_swap_bio_write",
        &["bio *"],
        BIO,
        "end_swap_bio_write",
        &["bio *"],
        BIO
    ),
    spec!(
        ReadEnd,
        Fentry,
        false,
        "physical read completed or failed",
        "swap_read_end",
        &["swap_iocb *", "_"],
        BATCH,
        "end_swap_bio_read",
        &["bio *"],
        BIO
    ),
    spec!(
        SwapOnSlot,
        Fentry,
        false,
        "swapon: the device's struct",
        "swap_cluster_setup_bad_slot",
        &["swap_info_struct *", "_", "_", "_"],
        &[],
        "add_swap_extent",
        &["swap_info_struct *", "_", "_", "_"],
        &[]
    ),
    spec!(
        SwapOn,
        Fexit,
        false,
        "swapon: a device comes",
        "zswap_swapon",
        &["_", "_"],
        &[Field::SiMax, Field::SiPages, Field::SiFlags];
        no_zswap::READY
    ),
    spec!(
        SwapOff,
        Fentry,
        false,
        "swapoff: a device goes",
        "zswap_swapoff",
        &["_"],
        &[];
        no_zswap::GONE
    ),
    spec!(
        ClusterMove,
        Fentry,
        false,
        "list of each cluster",
        "move_cluster",
        &["swap_info_struct *", "swap_cluster_info *", "_", "_"],
        &[
            Field::ListNumbers,
            Field::SiType,
            Field::SiClusters,
            Field::SiPages,
            Field::CiSize,
            Field::CiOrder,
            Field::ClusterSlots
        ]
    ),
    spec!(
        Dup,
        Kprobe,
        false,
        "references to cached slots",
        "folio_dup_swap",
        &["folio *", "page *"],
        &[Field::FolioSwap, Field::FolioFlags, Field::FolioFlags1, Field::PgHead, Field::PageSize]
    ),
    spec!(DupDirect, Kprobe, false, "references by fork", "swap_dup_entry_direct", &["swp_entry_t"], &[]),
    spec!(
        Put,
        Kprobe,
        false,
        "references given up",
        "swap_put_entries_cluster",
        &["swap_info_struct *", "_", "_", "_"],
        &[Field::SiType]
    ),
    spec!(
        Isolate,
        Fexit,
        false,
        "clusters the allocator looks into",
        "isolate_lock_cluster",
        &["swap_info_struct *", "list_head *"],
        &[
            Field::SiType,
            Field::SiClusters,
            Field::CiSize,
            Field::ClusterSlots,
            Field::ListSize,
            Field::SiFree,
            Field::SiFull,
            Field::SiNonfull,
            Field::SiFrag
        ]
    ),
    spec!(
        AllocEnter,
        Kprobe,
        false,
        "begin of an allocation",
        "folio_alloc_swap",
        &["folio *"],
        &[Field::FolioFlags, Field::FolioFlags1, Field::PgHead];
        held::BEGUN
    ),
    spec!(LoadEnter, Kprobe, false, "begin of a zswap load", "zswap_load", &["folio *"], &[]),
    spec!(SwapOffBegin, Kprobe, false, "begin of a swapoff", "shmem_unuse", &["unsigned int"], &[]),
    spec!(
        Hibernate,
        Kretprobe,
        false,
        "slots of a hibernation image",
        "swap_alloc_hibernation_slot",
        &["_"],
        &[],
        "get_swap_page_of_type",
        &["_"],
        &[]
    ),
    // What it starts from is a variable, not a function; see `plan_scan`.
    spec!(
        Scan,
        Run,
        false,
        "slots in use before we came",
        SCAN_VARIABLE,
        &[],
        SCAN,
        SCAN_VARIABLE,
        &[],
        SCAN_COUNT,
        SCAN_VARIABLE,
        &[],
        SCAN_MAP,
        SCAN_VARIABLE,
        &[],
        SCAN_HELD,
        SCAN_VARIABLE,
        &[],
        SCAN_CACHES,
        SCAN_VARIABLE,
        &[],
        SCAN_VIRTUAL
    ),
    causes::SHRINK_ITEM,
    causes::SHRINK_SCAN,
    causes::SHRINK_LIMIT,
    causes::KSWAPD,
    causes::DIRECT,
    causes::MEMCG,
    causes::PROACTIVE,
    causes::PAGEOUT,
];

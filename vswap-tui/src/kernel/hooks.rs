//! The table of hooks: where each may attach, with which arguments, and what it makes visible. Data, no logic.
//!
//! A kernel generation that does something elsewhere gets one more [`Alternative`]; nothing else changes.

use vswap_common::{Field, Hook};

/// Type of tracing program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// At the function's entry, where the kernel cannot preempt.
    Fentry,
    /// At the function's entry, with preemption off.
    Kprobe,
    /// At its return.
    Fexit,
    /// At no function: user space runs it.
    Run,
    /// At the return of a function whose result fexit does not take.
    Kretprobe,
}

impl How {
    /// Of the rung that some distributions and kernels keep from everybody or nearly so.
    pub const fn is_kprobe(self) -> bool {
        matches!(self, Self::Kprobe | Self::Kretprobe)
    }

    /// Word for it in the plan.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Fexit => "fexit",
            Self::Run => "run",
            Self::Kretprobe => "kretprobe",
        }
    }
}

/// One place a hook can attach to.
#[derive(Clone, Copy, Debug)]
pub struct Alternative {
    /// Kernel function.
    pub function: &'static str,
    /// Types of its arguments in order; `_` is any. The number must be exact.
    pub args: &'static [&'static str],
    /// Fields of the layout the program reads there.
    pub fields: &'static [Field],
    /// Programs in place of the hook's own, where the kernel offers the event in another form.
    pub instead: Option<Programs>,
    /// What has to be attached besides.
    pub helpers: &'static [Helper],
}

/// A program, or two copies of one, and how they attach.
#[derive(Clone, Copy, Debug)]
pub struct Programs {
    /// Entry or exit.
    pub how: How,
    /// Names in the eBPF object.
    pub names: &'static [&'static str],
}

/// One more function that the hook needs on this kernel.
#[derive(Clone, Copy, Debug)]
pub struct Helper {
    /// Kernel function.
    pub function: &'static str,
    /// Types of its arguments, as in [`Alternative::args`].
    pub args: &'static [&'static str],
    /// Its program.
    pub programs: Programs,
    /// The hook does without it where the kernel has no such function.
    pub optional: bool,
}

/// What tells the slots that wait in per-CPU caches; where it is missing nobody counts them.
pub const RESERVES: &str = "swap_range_alloc";

/// A hook with its places in order of preference.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Number and program.
    pub hook: Hook,
    /// Entry or exit.
    pub how: How,
    /// What it makes visible.
    pub shows: &'static str,
    /// Without it no slot map is possible.
    pub vital: bool,
    /// Only for following the allocator's choices, not for the slot map.
    pub allocator: bool,
    /// Places.
    pub alternatives: &'static [Alternative],
}

const FOLIO: &[Field] = &[Field::FolioSwap, Field::FolioFlags, Field::FolioFlags1, Field::PgHead];
const CACHE: &[Field] = &[
    Field::FolioSwap,
    Field::FolioFlags,
    Field::FolioFlags1,
    Field::PgHead,
    Field::CiTable,
    Field::ClusterSlots,
    Field::ZeroInWord,
];
/// The cache hooks where neither owner nor zero flag is in the cluster: both are told by other hooks.
const COUNTED: &[Field] = &[
    Field::FolioSwap,
    Field::FolioFlags,
    Field::FolioFlags1,
    Field::PgHead,
    Field::CiTable,
    Field::ClusterSlots,
    Field::CiExtend,
];
/// The same where the counts are not in the words either.
const MAPPED: &[Field] = &[
    Field::FolioSwap,
    Field::FolioFlags,
    Field::FolioFlags1,
    Field::PgHead,
    Field::CiTable,
    Field::ClusterSlots,
    Field::CountInMap,
];
const CLUSTER: &[Field] = &[Field::SiType, Field::SiClusters, Field::CiSize, Field::ClusterSlots];
const BATCH: &[Field] = &[
    Field::SioBvecs,
    Field::SioCount,
    Field::BvecSize,
    Field::BvecPage,
    Field::BvecLen,
    Field::FolioSwap,
    Field::FolioFlags,
    Field::FolioFlags1,
    Field::PgHead,
];

const BIO: &[Field] = &[
    Field::IoByBio,
    Field::BioVec,
    Field::BioStatus,
    Field::BvecPage,
    Field::BvecLen,
    Field::FolioSwap,
    Field::FolioFlags,
    Field::FolioFlags1,
    Field::PgHead,
];

/// The array of devices: without its address there is no scan.
pub const SCAN_VARIABLE: &str = "swap_info";

const SCAN: &[Field] = &[
    Field::SiMax,
    Field::SiPages,
    Field::SiFlags,
    Field::SiPrio,
    Field::SiClusters,
    Field::CiSize,
    Field::CiCount,
    Field::CiFlags,
    Field::CiOrder,
    Field::CiList,
    Field::CiTable,
    Field::CiMemcg,
    Field::ClusterSlots,
    Field::ZeroInWord,
    Field::FolioSwap,
    Field::FolioFlags,
    Field::FolioFlags1,
    Field::PgHead,
    Field::PgLocked,
    Field::PgDirty,
    Field::PageSize,
    Field::XaSize,
    Field::XaHead,
    Field::XaShift,
    Field::XaSlots,
];

macro_rules! spec {
    ($hook:ident, $how:ident, $vital:literal, $shows:literal,
     $($function:expr, $args:expr, $fields:expr),+ $(; $oldest:expr)?) => {
        Spec {
            hook: Hook::$hook,
            how: How::$how,
            shows: $shows,
            vital: $vital,
            allocator: matches!(Hook::$hook, Hook::Dup | Hook::DupDirect | Hook::Put | Hook::Isolate),
            alternatives: &[$(at($function, $args, $fields)),+ $(, $oldest)?],
        }
    };
}

/// A place for the hook's own program.
const fn at(function: &'static str, args: &'static [&'static str], fields: &'static [Field]) -> Alternative {
    Alternative { function, args, fields, instead: None, helpers: &[] }
}

/// A kprobe of one copy.
const fn kprobe(
    function: &'static str,
    args: &'static [&'static str],
    names: &'static [&'static str],
) -> Helper {
    Helper { function, args, programs: Programs { how: How::Kprobe, names }, optional: false }
}

/// 6.12, where slots have no table and pass through per-CPU caches: the slots of a folio are told when it is in the
/// cache, with the owner that was recorded before.
const JOINED: Alternative = Alternative {
    function: "add_to_swap_cache",
    args: &["folio *", "swp_entry_t", "_", "_"],
    fields: &[Field::SlotCaches, Field::FolioFlags, Field::FolioFlags1, Field::PgHead],
    instead: Some(Programs { how: How::Fexit, names: &["cache_joined", "cache_joined_2"] }),
    helpers: &[],
};
const DELETED: Alternative = Alternative {
    function: "__delete_from_swap_cache",
    args: &["folio *", "swp_entry_t", "_"],
    fields: &[Field::SlotCaches, Field::FolioFlags, Field::FolioFlags1, Field::PgHead, Field::PgSwapcache],
    instead: None,
    helpers: &[kprobe("swapcache_clear", &["swap_info_struct *", "swp_entry_t", "_"], &["cache_clear"])],
};
const FREED: Alternative = Alternative {
    function: "swap_entry_range_free",
    args: &["swap_info_struct *", "swp_entry_t", "_"],
    fields: &[Field::SlotCaches, Field::SiType],
    instead: None,
    helpers: &[
        Helper {
            function: RESERVES,
            args: &["swap_info_struct *", "long unsigned int", "_"],
            programs: Programs { how: How::Fentry, names: &["reserve"] },
            optional: true,
        },
        kprobe("free_swap_slot", &["swp_entry_t"], &["free_slot"]),
        kprobe("swapcache_free_entries", &["swp_entry_t *", "_"], &["free_parked"]),
        kprobe("free_swap_and_cache_nr", &["swp_entry_t", "_"], &["free_run"]),
    ],
};
const RECORDED: Alternative = Alternative {
    function: "swap_cgroup_record",
    args: &["swp_entry_t", "_", "_"],
    fields: &[Field::SlotCaches],
    instead: None,
    helpers: &[kprobe("__mem_cgroup_try_charge_swap", &["folio *", "swp_entry_t"], &["charge_enter"])],
};
const RETURNED: Alternative = Alternative {
    function: "folio_alloc_swap",
    args: &["folio *"],
    fields: &[Field::SlotCaches],
    instead: Some(Programs { how: How::Kretprobe, names: &["alloc_return"] }),
    helpers: &[],
};

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
        JOINED
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
        DELETED
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
        FREED
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
        RECORDED
    ),
    spec!(
        AllocExit,
        Fexit,
        false,
        "refused allocations",
        "folio_alloc_swap",
        &["folio *"],
        &[Field::FolioFlags, Field::FolioFlags1, Field::PgHead];
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
        &[Field::ArgWrite, Field::FolioSwap, Field::FolioFlags, Field::FolioFlags1, Field::PgHead]
    ),
    spec!(
        WriteEnd,
        Fentry,
        false,
        "physical write completed or failed",
        "swap_write_end",
        &["swap_iocb *", "_"],
        BATCH,
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
        &[Field::SiMax, Field::SiPages, Field::SiFlags]
    ),
    spec!(SwapOff, Fentry, false, "swapoff: a device goes", "zswap_swapoff", &["_"], &[]),
    spec!(
        ClusterMove,
        Fentry,
        false,
        "list of each cluster",
        "move_cluster",
        &["swap_info_struct *", "swap_cluster_info *", "_", "_"],
        &[
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
        &[Field::FolioFlags, Field::FolioFlags1, Field::PgHead]
    ),
    spec!(LoadEnter, Kprobe, false, "begin of a zswap load", "zswap_load", &["folio *"], &[]),
    // What it starts from is a variable, not a function; see `plan_scan`.
    spec!(Scan, Run, false, "slots in use before we came", SCAN_VARIABLE, &[], SCAN),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spec_for_each_hook_in_order() {
        let hooks: Vec<Hook> = SPECS.iter().map(|s| s.hook).collect();
        assert_eq!(hooks, Hook::ALL);
        assert!(SPECS.iter().all(|s| !s.alternatives.is_empty() && !s.shows.is_empty()));
    }
}

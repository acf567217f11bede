//! The places of Linux 6.18 and 6.19: the folio is in the table, its slots are held by a bit in the map.

use super::{Alternative, Helper, How, Programs, kprobe};
use vswap_common::Field;

/// The slots of a folio are told when it enters the cache, with the owner that was recorded before. The function takes
/// the cluster's lock itself; until it does nobody else can do anything to slots that are held for the cache.
pub(super) const ENTERED: Alternative = Alternative {
    function: "swap_cache_add_folio",
    args: &["folio *", "swp_entry_t", "_"],
    fields: &[Field::HoldInMap, Field::FolioFlags, Field::FolioFlags1, Field::PgHead],
    instead: Some(Programs { how: How::Kprobe, names: &["cache_enter"] }),
    helpers: &[],
};
pub(super) const DELETED: Alternative = Alternative {
    function: "__swap_cache_del_folio",
    args: &["swap_cluster_info *", "folio *", "swp_entry_t", "_"],
    fields: &[
        Field::HoldInMap,
        Field::FolioFlags,
        Field::FolioFlags1,
        Field::PgHead,
        Field::PgSwapcache,
        Field::CiTable,
        Field::ClusterSlots,
    ],
    instead: None,
    helpers: &[LET_GO],
};
/// What was read past the cache is let go.
const LET_GO: Helper =
    kprobe("swapcache_clear", &["swap_info_struct *", "swp_entry_t", "_"], &["cache_clear"]);
pub(super) const FREED: Alternative = Alternative {
    function: "swap_entries_free",
    args: &["swap_info_struct *", "swap_cluster_info *", "swp_entry_t", "_"],
    fields: &[Field::HoldInMap],
    instead: None,
    helpers: &[],
};
pub(super) const RECORDED: Alternative = Alternative {
    function: "swap_cgroup_record",
    args: &["folio *", "_", "swp_entry_t"],
    fields: &[Field::HoldInMap],
    instead: None,
    helpers: &[kprobe("__mem_cgroup_try_charge_swap", &["folio *", "swp_entry_t"], &["charge_enter"])],
};
/// 6.18, where the function takes flags for an allocation of memory too.
pub(super) const BEGUN: Alternative = Alternative {
    function: "folio_alloc_swap",
    args: &["folio *", "gfp_t"],
    fields: &[Field::HoldInMap, Field::FolioFlags, Field::FolioFlags1, Field::PgHead],
    instead: None,
    helpers: &[],
};
/// A probe: at a trampoline the result would be one argument further.
pub(super) const RETURNED: Alternative =
    Alternative { instead: Some(Programs { how: How::Kretprobe, names: &["k_alloc_exit"] }), ..BEGUN };

//! The places of Linux 6.12.

use super::{Alternative, Helper, How, Programs, RESERVES, kprobe};
use vswap_common::Field;

/// 6.12, where slots have no table and pass through per-CPU caches: the slots of a folio are told when it is in the
/// cache, with the owner that was recorded before.
pub(super) const JOINED: Alternative = Alternative {
    function: "add_to_swap_cache",
    args: &["folio *", "swp_entry_t", "_", "_"],
    fields: &[Field::SlotCaches, Field::FolioFlags, Field::FolioFlags1, Field::PgHead],
    instead: Some(Programs { how: How::Fexit, names: &["cache_joined", "cache_joined_2"] }),
    helpers: &[],
};
pub(super) const DELETED: Alternative = Alternative {
    function: "__delete_from_swap_cache",
    args: &["folio *", "swp_entry_t", "_"],
    fields: &[Field::SlotCaches, Field::FolioFlags, Field::FolioFlags1, Field::PgHead, Field::PgSwapcache],
    instead: None,
    helpers: &[kprobe("swapcache_clear", &["swap_info_struct *", "swp_entry_t", "_"], &["cache_clear"])],
};
pub(super) const FREED: Alternative = Alternative {
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
pub(super) const RECORDED: Alternative = Alternative {
    function: "swap_cgroup_record",
    args: &["swp_entry_t", "_", "_"],
    fields: &[Field::SlotCaches],
    instead: None,
    helpers: &[kprobe("__mem_cgroup_try_charge_swap", &["folio *", "swp_entry_t"], &["charge_enter"])],
};
pub(super) const RETURNED: Alternative = Alternative {
    function: "folio_alloc_swap",
    args: &["folio *"],
    fields: &[Field::SlotCaches],
    instead: Some(Programs { how: How::Kretprobe, names: &["alloc_return"] }),
    helpers: &[],
};

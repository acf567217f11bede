//! What tells of devices where zswap, which is told of each, is not built.

use super::{Alternative, How, Programs};
use vswap_common::Field;

/// The device's count of users comes alive: all of its struct is set up, and nobody can take slots of it yet.
pub(super) const READY: Alternative = Alternative {
    function: "percpu_ref_resurrect",
    args: &["percpu_ref *"],
    fields: &[Field::NoZswap, Field::SiUsers, Field::SiType, Field::SiMax, Field::SiPages, Field::SiFlags],
    instead: Some(Programs { how: How::Kprobe, names: &["swapon_ready"] }),
    helpers: &[],
};
/// The next that swapoff tells after zswap, before the number of the device may be given to another.
pub(super) const GONE: Alternative = Alternative {
    function: "swap_cgroup_swapoff",
    args: &["_"],
    fields: &[Field::NoZswap],
    instead: None,
    helpers: &[],
};

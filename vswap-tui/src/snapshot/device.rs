//! A swap device and its clusters.

use super::{Backend, Mix};
use serde::Serialize;
use std::sync::Arc;
use vswap_common::slot::ORDERS;

/// Lists a cluster can be on (`enum swap_cluster_flags`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum List {
    /// Off every list (being scanned), or not known.
    #[default]
    None = 0,
    /// No slot in use.
    Free = 1,
    /// Partly used, last changed by a free.
    Nonfull = 2,
    /// Partly used, last changed by an allocation.
    Frag = 3,
    /// All slots in use.
    Full = 4,
    /// Waiting for a discard.
    Discard = 5,
}

impl List {
    /// The list that `enum swap_cluster_flags` has under this number.
    pub const fn from_kernel(n: i32) -> Self {
        match n {
            1 => Self::Free,
            2 => Self::Nonfull,
            3 => Self::Frag,
            4 => Self::Full,
            5 => Self::Discard,
            _ => Self::None,
        }
    }
}

/// One cluster of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ClusterCell {
    /// Slots in use by backend (as [`Mix`]); those that back virtual slots count as `phys`.
    pub mix: [u16; 5],
    /// Slots in use that are not confirmed.
    pub unconfirmed: u16,
    /// List it is on.
    pub list: List,
    /// Order it serves.
    pub order: u8,
}

impl ClusterCell {
    /// Slots in use, 0 to 512.
    pub fn used(&self) -> u16 {
        self.mix.iter().sum()
    }

    /// Backend most slots have, `None` when the cluster is empty.
    pub fn dominant(&self) -> Option<Backend> {
        let (i, n) = self.mix.iter().enumerate().max_by_key(|(_, n)| **n)?;
        (*n > 0).then(|| Backend::ALL[i])
    }
}

/// A device with its clusters.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DeviceView {
    /// Swap type.
    pub dev: u8,
    /// Path, or `dev N` when nobody told it.
    pub name: String,
    /// Usable pages, 0 if unknown.
    pub pages: u64,
    /// Slots in use.
    pub used: u64,
    /// Slots that hold nothing and the kernel counts as in use: they wait in per-CPU caches (6.12), those given up still
    /// charged to whom they were of. `None` where there are none such, or not every event about them was seen.
    pub idle: Option<u64>,
    /// Slots in use that hold the data of virtual slots: these are counted again on the virtual device.
    pub backing: u64,
    /// Slots in use by backend; those that back virtual slots count as `phys`.
    pub mix: Mix,
    /// Priority.
    pub prio: i32,
    /// Device of the virtual swap layer.
    pub r#virtual: bool,
    /// False after swapoff.
    pub active: bool,
    /// Aligned runs of free slots by order: folios of that order that would still fit, reclaim left aside.
    pub aligned: [u64; ORDERS],
    /// Nothing about free slots is unknown; otherwise `aligned` is what there is at most.
    pub aligned_exact: bool,
    /// Clusters by index.
    #[serde(skip)]
    pub clusters: Arc<Vec<ClusterCell>>,
}

impl DeviceView {
    /// Slots in use whose data is in zswap or zero: they take room on a device and hold nothing there. None of a virtual
    /// device, which has no room to waste.
    pub const fn waste(&self) -> u64 {
        if self.r#virtual { 0 } else { self.mix[Backend::Zswap as usize] + self.mix[Backend::Zero as usize] }
    }
}

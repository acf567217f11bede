//! Requests that do not fit the model's state: what a damaged or incomplete history looks like.

use vswap_common::Entry;

/// Why a request was refused. The model is unchanged unless the operation says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// `swapon` would refuse the area.
    #[error("swapon refuses {0}")]
    Setup(&'static str),
    /// All device types are in use.
    #[error("no swap type is left")]
    NoType,
    /// No such device, or the operation is not for this kind of device.
    #[error("device {0} is not one this request can be for")]
    NoDevice(u8),
    /// The range leaves the device, or the cluster where it must stay in one.
    #[error("{nr} slots at {:#x} do not lie in one cluster of the device", .at.0)]
    Range {
        /// First slot.
        at: Entry,
        /// Slots.
        nr: u64,
    },
    /// The slot is free, bad, or the backing of a virtual one.
    #[error("slot {:#x} is not in use", .0.0)]
    NotUsed(Entry),
    /// The slot has no folio in the swap cache.
    #[error("slot {:#x} is not cached", .0.0)]
    NotCached(Entry),
    /// The slot has a folio already (`EEXIST`).
    #[error("slot {:#x} is cached already", .0.0)]
    Cached(Entry),
    /// The slot has no user.
    #[error("slot {:#x} has a count of 0", .0.0)]
    NoCount(Entry),
    /// The slots of a range differ, a large folio cannot take them together (`EBUSY`).
    #[error("the slots at {:#x} differ in their backing", .0.0)]
    Mixed(Entry),
    /// Backing of the slot is not what the request needs.
    #[error("slot {:#x} is not backed as the request says", .0.0)]
    Backing(Entry),
    /// Memory ran out under the way; what was done is undone.
    #[error("no memory")]
    NoMemory,
}

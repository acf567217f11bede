//! What a replay under a design came to: plain values for JSON, tables and the dashboard.

use super::peak::Mix;
use super::room::Room;
use crate::model::Cost;
use serde::Serialize;
use vswap_common::slot::ORDERS;

/// One design's result so far.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Row {
    /// Name with settings.
    pub model: String,
    /// Most physical slots in use at one time.
    pub peak_phys_slots: u64,
    /// Most virtual slots in use at one time; 0 without a virtual layer.
    pub peak_virtual_slots: u64,
    /// Kernel metadata, all parts, when the sum was highest.
    pub metadata_bytes_peak: u64,
    /// Its parts at that time.
    pub metadata: Cost,
    /// Folios of each order that found no slots as a whole (allocation or physical backing).
    pub fallbacks_by_order: [u64; ORDERS],
    /// Pages that could not leave memory: no slot, or no physical slot to back it.
    pub kept_pages: u64,
    /// Slots by place when physical use was highest.
    pub at_peak: Mix,
    /// Physical slots that held nothing then: their data was in zswap or memory, or zero.
    pub idle_phys_slots_at_peak: u64,
    /// Free room on the physical devices then.
    pub room_at_peak: Room,
    /// Slots by place now.
    pub now: Mix,
    /// Physical slots in use now.
    pub phys_slots: u64,
    /// Free room on the physical devices now.
    pub room: Room,
    /// Most compressed bytes in zswap.
    pub zswap_bytes_peak: u64,
    /// Compressed pages moved to a device.
    pub zswap_writebacks: u64,
    /// Swap charged to cgroups, most at the peak first.
    pub charges: Vec<Charged>,
    /// Every number is exact: nothing had to be assumed.
    pub exact: bool,
    /// Why not, and what is not modelled.
    pub notes: Vec<String>,
}

/// Swap charged to one cgroup itself, without those below.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Charged {
    /// Path, or `#id`.
    pub path: String,
    /// Slots when physical use was highest.
    pub at_peak: u64,
    /// Slots now.
    pub now: u64,
}

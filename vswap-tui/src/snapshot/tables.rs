//! The kernel's own tables: what a scan of them found, and how the slot map compares with them.

use serde::{Deserialize, Serialize};

/// A scan of the kernel's tables: what was in swap before the recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScanView {
    /// Scans begun so far; those after the first came after a loss.
    pub scans: u32,
    /// Slots read.
    pub slots: u64,
    /// From its begin to its end.
    pub ns: u64,
    /// Slots whose place it could not tell; unconfirmed until an event touches them.
    pub doubtful: u64,
    /// It is over.
    pub ended: bool,
    /// Everything was read.
    pub complete: bool,
}

/// The slot map compared with the kernel's tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyView {
    /// Confirmed slots compared.
    pub checked: u64,
    /// Slots in use that one side knows nothing certain of.
    pub unknown: u64,
    /// Slots that differ.
    pub differing: u64,
    /// Times looked: only what differs twice in a row differs.
    pub looks: u32,
    /// Time of all looks together, ns.
    pub ns: u64,
    /// No look runs.
    pub ended: bool,
    /// The last look read everything.
    pub complete: bool,
    /// Some that differ, in words.
    pub examples: Vec<String>,
}

//! The model beside the kernel: drives the reference allocator with a trace's requests and outcomes and compares
//! each slot it picks with the slot the kernel picked.
//!
//! ```text
//! Event -> requests (one open per thread: AllocBegin .. Alloc | AllocFail) -> Model -> agreed | miss (classified, forced)
//!       -> everything else (dup, put, cache add and del, free, swapon, swapoff) ------^
//! ```
//!
//! What the model cannot know it is told: which folios a thread reclaimed while it was allocating. A list head
//! that the kernel passed over was locked; that explains a miss and is not simulated. After a miss the kernel's choice
//! is forced and the comparison goes on. Neither side is repaired.

mod backing;
mod beside;
mod devices;
mod judge;
mod lists;
mod moves;
mod replay;
mod request;
mod search;
mod warm;

#[cfg(test)]
mod tests;

pub use beside::{Beside, BesideView, CpuCaches};
pub use replay::Checker;

use crate::meta::Header;
use crate::model::Policy;
use crate::model::policy::{SWAP_TABLE, VSWAP_RFC1, VSWAP_RFC2};
use serde::Serialize;
use vswap_common::Entry;

/// Layouts whose allocator the model follows: swap tables (Linux 7.0 to 7.3), no virtual layer.
const LAYOUTS: [&str; 4] = ["swap-table-map", "swap-table-count", "swap-table-memcg", "swap-table-memcg-ops"];

/// Layouts with a virtual layer that the model follows, and its rules for them.
const VIRTUAL: [(&str, Policy); 2] = [("virtual-swap-rfc1", VSWAP_RFC1), ("virtual-swap-rfc2", VSWAP_RFC2)];

/// The model follows the allocator of the recorded kernel.
///
/// # Errors
/// Why not, in words.
pub fn knows(header: &Header) -> Result<(), String> {
    let Some(policy) = policy(header) else { return plain(header) };
    // The scan tells no candidate of a CPU on the virtual device, and the model would have to take its tables over.
    if policy.virt.is_some() && !header.from_swapon {
        return Err(format!(
            "a recording of virtual swap (layout '{}') is checked only if no slot was in use when it began: the model's \
             virtual layer begins empty. `vswap report` shows what contradicts the history of a slot",
            header.layout_name
        ));
    }
    Ok(())
}

/// The recorded kernel has no virtual layer, and the model knows it: designs can be held against what it did.
///
/// # Errors
/// Why not, in words.
pub fn plain(header: &Header) -> Result<(), String> {
    if LAYOUTS.contains(&header.layout_name.as_str()) {
        return Ok(());
    }
    if header.layout_name.starts_with("virtual-swap") {
        return Err(format!(
            "layout '{}' (Linux {}) has a virtual layer of its own: designs are compared on recordings without one, and \
             the model checks {} alone",
            header.layout_name,
            header.kernel.release,
            VIRTUAL.map(|(name, _)| name).join(" and ")
        ));
    }
    Err(format!(
        "the model does not know the allocator of layout '{}' (Linux {}); it knows {}",
        header.layout_name,
        header.kernel.release,
        LAYOUTS.join(", ")
    ))
}

/// The rules of the recorded kernel's allocator, if the model has them.
fn policy(header: &Header) -> Option<Policy> {
    let virt = VIRTUAL.iter().find(|(name, _)| *name == header.layout_name).map(|(_, policy)| *policy);
    virt.or_else(|| LAYOUTS.contains(&header.layout_name.as_str()).then_some(SWAP_TABLE))
}

/// Why the model and the kernel differ.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The trace began late, or records were lost: the model does not know the lists.
    ColdStart,
    /// The kernel looked for slots while another CPU did too: a locked cluster is skipped, and counts are recorded
    /// before their lock.
    Contention,
    /// A reclaim or discard worker was in the middle of its work.
    LateWorker,
    /// The kernel had no memory for the tables of a free cluster and looked elsewhere.
    Memory,
    /// The trace lacks what would tell: it was recorded with `--slots-only`.
    NotRecorded,
    /// None of these: model or kernel does not follow the specification.
    Model,
}

impl Cause {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ColdStart => "the state before was not known",
            Self::Contention => "another CPU was at work in between",
            Self::LateWorker => "a worker was in the middle of its work",
            Self::Memory => "the kernel had no memory for a cluster's tables",
            Self::NotRecorded => "not to be told from a trace recorded with --slots-only",
            Self::Model => "NOT EXPLAINED: the model or the kernel does not follow the specification",
        }
    }
}

/// One difference, with what is needed to understand it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Divergence {
    /// Time, `CLOCK_MONOTONIC` ns.
    pub ts: u64,
    /// Number of the request, from 1.
    pub request: u64,
    /// CPU the allocator ran on.
    pub cpu: u16,
    /// Order asked for.
    pub order: u8,
    /// Slot the kernel took, `None` if it refused.
    pub kernel: Option<Slot>,
    /// Slot the model takes, `None` if it refuses.
    pub model: Option<Slot>,
    /// Why, as far as the trace tells.
    pub cause: Cause,
    /// Cache of that CPU and the lists of the device after the kernel's choice was taken over, in words.
    pub context: String,
}

/// A slot in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Slot {
    /// Device number.
    pub dev: u8,
    /// Offset.
    pub off: u64,
}

impl From<Entry> for Slot {
    fn from(e: Entry) -> Self {
        Self { dev: e.dev(), off: e.off() }
    }
}

/// How often model and kernel were compared in one respect, and how often they were the same.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Compared {
    /// Times compared.
    pub compared: u64,
    /// Times the same.
    pub agreed: u64,
    /// The others, by cause.
    pub misses: std::collections::BTreeMap<Cause, u64>,
    /// The first of them in words.
    pub first: Option<String>,
}

impl Compared {
    /// Counts one that differs; `text` is only made for the first.
    fn miss(&mut self, cause: Cause, text: impl FnOnce() -> String) {
        *self.misses.entry(cause).or_default() += 1;
        if self.first.is_none() {
            self.first = Some(text());
        }
    }
}

/// Result of a check.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Agreement {
    /// Requests for slots, refused ones included.
    pub allocations: u64,
    /// Those where model and kernel did the same.
    pub agreed: u64,
    /// `agreed / allocations`, 1.0 if there were none.
    pub agreement: f64,
    /// Requests the kernel refused.
    pub refused: u64,
    /// Requests with the same slot whose ways were compared: fast or slow path, every list asked, every cluster taken
    /// off a list.
    pub paths: Compared,
    /// Moves of clusters from list to list.
    pub moves: Compared,
    /// Misses by cause.
    pub misses: std::collections::BTreeMap<Cause, u64>,
    /// The first miss.
    pub first_divergence: Option<Divergence>,
    /// The trace tells the state from swapon on, and lost nothing.
    pub from_swapon: bool,
    /// The state was taken from a scan of the kernel's tables.
    pub from_scan: bool,
    /// That scan, or the life of all devices since swapon, leaves nothing open: no difference is put down to a state
    /// that is not known.
    pub known: bool,
    /// Requests while the scan ran: there was no model to hold them against.
    pub not_compared: u64,
    /// The trace has what the model needs to know who may be reclaimed; without it only a swap space that is less
    /// than half full can be followed exactly.
    pub references: bool,
    /// Events the model could not apply: it knew another state.
    pub faults: u64,
    /// Invariants of the model, checked after the last event.
    pub invariants: Vec<Invariant>,
}

impl Agreement {
    /// Something does not agree and is no consequence of what the trace leaves out: another slot, a way or a list that
    /// nothing explains, a broken invariant.
    pub fn diverged(&self) -> bool {
        let known = |cause: &Cause| !matches!(cause, Cause::ColdStart | Cause::NotRecorded);
        let unexplained = |c: &Compared| c.misses.contains_key(&Cause::Model);
        self.misses.keys().any(known)
            || unexplained(&self.paths)
            || unexplained(&self.moves)
            || self.invariants.iter().any(|i| i.broken > 0)
    }
}

/// One invariant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Invariant {
    /// Name.
    pub name: &'static str,
    /// Times checked.
    pub checked: u64,
    /// Times it did not hold.
    pub broken: u64,
}

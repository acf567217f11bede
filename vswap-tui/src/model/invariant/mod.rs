//! The numbered invariants of the allocator, each named and counted. They hold between any two requests.
//!
//! A check walks all slots: meant for tests, for generated traces, and for a replay now and then.

mod clusters;
mod counters;
pub(super) mod metadata;
mod slots;

use super::Model;
use std::fmt::Display;

/// Names of the invariants; number i is at i - 1.
pub const NAMES: [&str; 31] = [
    "a cluster counts its non-NULL words, and marks them",
    "a cluster is on the list its flag and order name",
    "FREE is an empty physical cluster without tables",
    "FULL is a cluster without a free slot",
    "a partial cluster is FRAG after a scan, NONFULL after a free",
    "a live virtual cluster has a used slot and its index",
    "the virtual device has no free and no discard list",
    "inuse is the sum of counts without Bad slots",
    "nr_swap_pages is usable slots minus used ones",
    "total_swap_pages is the sum of usable slots",
    "a device is on the avail list while it has room",
    "the avail list falls in priority",
    "PHYS vwords and Pointer words name each other",
    "as many Pointers as PHYS vwords per device",
    "bit C means the owner once had no user",
    "a free slot has no backing",
    "zswap entries are distinct and counted",
    "an uncached slot has a user and data",
    "FOLIO backing has a folio",
    "the zero flag is where the design has it",
    "Pointers are physical, Bad comes from setup",
    "a folio has consecutive aligned slots",
    "backing was given consecutive and aligned",
    "charges are direct and PHYS slots, summed upwards",
    "id references are slots with the id",
    "cached offsets are aligned and past an allocation",
    "the order of a cluster is that of its first allocation",
    "extend cells hold the counts of 15 and more",
    "device numbers fit their words",
    "what a free turns NULL, every counter sees",
    "metadata is counted as a walk finds it",
];

/// One invariant's tally.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Times checked.
    pub checked: u64,
    /// Times broken.
    pub broken: u64,
    /// Where it broke first.
    pub first: Option<String>,
}

/// Checks invariants and keeps count.
#[derive(Clone, Debug)]
pub struct Checker {
    tallies: Vec<Tally>,
    /// Generation and order of each populated cluster at the last check, by device: for invariant 27.
    orders: Vec<Vec<Option<(u16, u8)>>>,
}

impl Default for Checker {
    fn default() -> Self {
        Self { tallies: vec![Tally::default(); NAMES.len()], orders: Vec::new() }
    }
}

impl Checker {
    /// Checks every invariant on the model as it stands. True if none is broken now.
    pub fn check(&mut self, model: &Model) -> bool {
        let before = self.total_broken();
        self.check_clusters(model);
        let census = self.check_slots(model);
        self.check_counters(model, &census);
        self.check_metadata(model);
        before == self.total_broken()
    }

    fn total_broken(&self) -> u64 {
        self.tallies.iter().map(|t| t.broken).sum()
    }

    /// Numbers, names and tallies.
    pub fn tallies(&self) -> impl Iterator<Item = (usize, &'static str, &Tally)> {
        self.tallies.iter().zip(NAMES).enumerate().map(|(i, (tally, name))| (i + 1, name, tally))
    }

    /// The first broken invariant with the place, as text.
    pub fn broken(&self) -> Option<String> {
        self.tallies().find(|(.., t)| t.broken > 0).map(|(number, name, tally)| {
            format!("invariant {number}: {name}: {}", tally.first.as_deref().unwrap_or("unknown place"))
        })
    }

    /// Counts one check of invariant `number`; `place` is only made when it is broken first.
    fn holds<D: Display>(&mut self, number: usize, holds: bool, place: impl FnOnce() -> D) {
        let tally = &mut self.tallies[number - 1];
        tally.checked += 1;
        if !holds {
            tally.broken += 1;
            if tally.first.is_none() {
                tally.first = Some(place().to_string());
            }
        }
    }
}

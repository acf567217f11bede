//! One cluster slot by slot, for the view that looks into it: bounded by the size of a cluster.

use super::Backend;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use vswap_common::Entry;
use vswap_common::slot::CLUSTER_SLOTS;

/// One slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SlotView {
    /// It belongs to somebody.
    pub used: bool,
    /// Where its data is; `None` of a used slot: nobody told.
    pub backend: Backend,
    /// A folio for it is in the swap cache.
    pub cached: bool,
    /// The state came from an event or a scan, and no loss came after it.
    pub confirmed: bool,
    /// Order of the folio it was allocated for.
    pub order: u8,
    /// Kernel-private id of its owner, 0 when nobody is charged or nobody told.
    pub memcg: u16,
    /// Compressed bytes, 0 when not in zswap or not known.
    pub len: u16,
    /// Milliseconds since it entered zswap, if that was seen.
    pub in_zswap_ms: Option<u64>,
    /// Physical slot behind a virtual one (`swp_entry_t.val`); `None` on a plain device.
    pub phys: Option<u64>,
    /// Virtual slot that this physical one is held for; `None` where it stands for itself.
    pub virt: Option<u64>,
}

impl SlotView {
    /// The other end of the link between a virtual and a physical slot, whichever this one is.
    pub fn other_end(&self) -> Option<Entry> {
        self.phys.or(self.virt).map(Entry)
    }

    /// The slot after this one carries on with it: same place and owner, and the next slot at the other end.
    fn continues(&self, next: &Self) -> bool {
        let same = |s: &Self| (s.used, s.backend, s.cached, s.confirmed, s.order, s.memcg);
        same(self) == same(next)
            && self.phys.map(|p| p + 1) == next.phys
            && self.virt.map(|v| v + 1) == next.virt
    }
}

/// The cluster somebody looks into.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Closeup {
    /// Device number.
    pub dev: u8,
    /// Cluster number.
    pub cluster: u64,
    /// Its slots in order; fewer at the end of the device.
    pub slots: Vec<SlotView>,
    /// Paths of their owners, as far as told.
    pub paths: BTreeMap<u16, Arc<str>>,
}

/// Neighbouring slots in the same state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Index of the first in its cluster.
    pub first: u16,
    /// How many.
    pub nr: u16,
    /// The state of the first.
    pub slot: SlotView,
    /// Compressed bytes of all.
    pub bytes: u64,
}

impl Closeup {
    /// First slot of the cluster.
    pub fn base(&self) -> u64 {
        self.cluster * u64::from(CLUSTER_SLOTS)
    }

    /// The slot at an offset of the device, if the cluster has it.
    pub fn at(&self, off: u64) -> Option<&SlotView> {
        self.slots.get(usize::try_from(off.checked_sub(self.base())?).ok()?)
    }

    /// Entry of the slot at an index.
    pub fn entry(&self, index: usize) -> Entry {
        Entry::new(self.dev, self.base() + index as u64)
    }

    /// Path of an owner, or its number.
    pub fn owner(&self, memcg: u16) -> String {
        match (memcg, self.paths.get(&memcg)) {
            (_, Some(path)) => path.to_string(),
            (0, None) => "nobody".into(),
            (id, None) => format!("#{id}"),
        }
    }

    /// Slots put together as far as they are alike.
    pub fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut before: Option<&SlotView> = None;
        for (i, slot) in (0u16..).zip(&self.slots) {
            match runs.last_mut() {
                Some(run) if before.is_some_and(|b| b.continues(slot)) => {
                    run.nr += 1;
                    run.bytes += u64::from(slot.len);
                }
                _ => runs.push(Run { first: i, nr: 1, slot: *slot, bytes: slot.len.into() }),
            }
            before = Some(slot);
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_where_state_owner_or_physical_neighbourhood_ends() {
        let zswap =
            SlotView { used: true, backend: Backend::Zswap, memcg: 3, len: 100, ..SlotView::default() };
        let phys = |p| SlotView { used: true, backend: Backend::Phys, phys: Some(p), ..SlotView::default() };
        let other = SlotView { memcg: 4, ..zswap };
        let held = |v| SlotView { used: true, virt: Some(v), ..SlotView::default() };
        let mut slots = vec![zswap, zswap, other, phys(7), phys(8), phys(10), SlotView::default()];
        slots.extend([held(3), held(4), held(9)]);
        let near = Closeup { dev: 1, cluster: 2, slots, paths: [(3, Arc::from("/a"))].into() };
        let runs: Vec<_> = near.runs().iter().map(|r| (r.first, r.nr, r.bytes)).collect();
        assert_eq!(runs[..5], [(0, 2, 200), (2, 1, 100), (3, 2, 0), (5, 1, 0), (6, 1, 0)]);
        assert_eq!(runs[5..], [(7, 2, 0), (9, 1, 0)]);
        assert_eq!((near.at(1026).unwrap().memcg, near.at(1023), near.at(2000)), (4, None, None));
        assert_eq!(
            (near.owner(3), near.owner(4), near.owner(0)),
            ("/a".into(), "#4".into(), "nobody".into())
        );
        assert_eq!((near.entry(3).dev(), near.entry(3).off()), (1, 1027));
    }
}

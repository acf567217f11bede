//! Which physical slot holds the data of which virtual slot, both ways. Empty, and without cost, on kernels without
//! virtual swap.
//!
//! Clusters of links are made when a slot of them is first linked and dropped with their last link: five bytes a slot
//! on the virtual side, four on the physical one, beside the nine of the slot itself.

use super::cluster::SLOTS;
use crate::memory::Claim;
use rustc_hash::FxHashMap;
use vswap_common::Entry;

/// Links kept at most: as many as there are slots in the slot map.
const MAX_CLUSTERS: usize = super::clusters::NEAR as usize;

/// Physical slots behind the slots of a virtual cluster; offset 0, the header's, is none.
struct Forward {
    offs: [u32; SLOTS],
    devs: [u8; SLOTS],
    used: u16,
}

/// Virtual slots in front of the slots of a physical cluster; 0 is none: the first virtual slot is never used.
struct Reverse {
    offs: [u32; SLOTS],
    used: u16,
}

/// All links of the one virtual device.
#[derive(Default)]
pub(super) struct Links {
    virt: Option<u8>,
    forward: FxHashMap<u64, Box<Forward>>,
    /// By first slot of the physical cluster.
    reverse: FxHashMap<Entry, Box<Reverse>>,
    claim: Claim,
}

/// A cluster of links and its place in a table that may be half empty.
const FORWARD: u64 = (size_of::<Forward>() + 2 * size_of::<(u64, Box<Forward>)>()) as u64;
const REVERSE: u64 = (size_of::<Reverse>() + 2 * size_of::<(Entry, Box<Reverse>)>()) as u64;

fn split(off: u64) -> (u64, usize) {
    (off / SLOTS as u64, (off % SLOTS as u64) as usize)
}

fn first_of_cluster(at: Entry) -> Entry {
    Entry::new(at.dev(), at.off() - at.off() % SLOTS as u64)
}

impl Links {
    /// No slot has one.
    pub(super) fn is_empty(&self) -> bool {
        self.forward.is_empty()
    }

    /// Links lead to slots of this cluster of a device.
    pub(super) fn reach(&self, first: Entry) -> bool {
        self.reverse.contains_key(&first)
    }

    /// The physical slot behind a virtual one.
    pub(super) fn phys_of(&self, virt: Entry) -> Option<Entry> {
        let (index, i) = split(virt.off());
        let cluster = self.forward.get(&index).filter(|_| self.virt == Some(virt.dev()))?;
        (cluster.offs[i] != 0).then(|| Entry::new(cluster.devs[i], u64::from(cluster.offs[i])))
    }

    /// The virtual slot in front of a physical one.
    pub(super) fn owner_of(&self, phys: Entry) -> Option<Entry> {
        let off = self.reverse.get(&first_of_cluster(phys))?.offs[split(phys.off()).1];
        Some(Entry::new(self.virt?, u64::from(off))).filter(|_| off != 0)
    }

    /// Links two slots that have no link yet. False if that is more than is kept: another virtual device, or offsets
    /// or clusters no machine has.
    pub(super) fn link(&mut self, virt: Entry, phys: Entry) -> bool {
        let (Ok(v), Ok(p)) = (u32::try_from(virt.off()), u32::try_from(phys.off())) else { return false };
        let full = self.forward.len() >= MAX_CLUSTERS || self.reverse.len() >= MAX_CLUSTERS;
        if *self.virt.get_or_insert(virt.dev()) != virt.dev() || v == 0 || p == 0 || full {
            return false;
        }
        let (index, i) = split(virt.off());
        let new_forward = if self.forward.contains_key(&index) { 0 } else { FORWARD };
        let new_reverse = if self.reverse.contains_key(&first_of_cluster(phys)) { 0 } else { REVERSE };
        if !self.claim.grow(new_forward + new_reverse) {
            return false;
        }
        let forward = self
            .forward
            .entry(index)
            .or_insert_with(|| Box::new(Forward { offs: [0; SLOTS], devs: [0; SLOTS], used: 0 }));
        (forward.offs[i], forward.devs[i]) = (p, phys.dev());
        forward.used += 1;
        let reverse = self
            .reverse
            .entry(first_of_cluster(phys))
            .or_insert_with(|| Box::new(Reverse { offs: [0; SLOTS], used: 0 }));
        reverse.offs[split(phys.off()).1] = v;
        reverse.used += 1;
        true
    }

    /// Takes the link of a physical slot away and returns the virtual slot it led to.
    pub(super) fn unlink(&mut self, phys: Entry) -> Option<Entry> {
        let virt = self.owner_of(phys)?;
        let (index, i) = split(virt.off());
        if let Some(forward) = self.forward.get_mut(&index) {
            forward.offs[i] = 0;
            forward.used -= 1;
            if forward.used == 0 {
                self.forward.remove(&index);
                self.claim.shrink(FORWARD);
            }
        }
        let key = first_of_cluster(phys);
        if let Some(reverse) = self.reverse.get_mut(&key) {
            reverse.offs[split(phys.off()).1] = 0;
            reverse.used -= 1;
            if reverse.used == 0 {
                self.reverse.remove(&key);
                self.claim.shrink(REVERSE);
            }
        }
        Some(virt)
    }

    /// All links in runs: first virtual slot, first physical one, slots. No run leaves a cluster on either side.
    pub(super) fn runs(&self) -> Vec<(Entry, Entry, u16)> {
        let mut indices: Vec<u64> = self.forward.keys().copied().collect();
        indices.sort_unstable();
        let mut runs: Vec<(Entry, Entry, u16)> = Vec::new();
        let slots = indices.iter().flat_map(|index| (0..SLOTS as u64).map(move |i| index * SLOTS as u64 + i));
        for virt in slots.filter_map(|off| Some(Entry::new(self.virt?, off))) {
            let Some(phys) = self.phys_of(virt) else { continue };
            match runs.last_mut() {
                Some((v, p, nr))
                    if v.add((*nr).into()) == virt
                        && p.add((*nr).into()) == phys
                        && first_of_cluster(*v) == first_of_cluster(virt)
                        && first_of_cluster(*p) == first_of_cluster(phys) =>
                {
                    *nr += 1;
                }
                _ => runs.push((virt, phys, 1)),
            }
        }
        runs
    }

    /// Slots of a physical device that back virtual ones, in order.
    pub(super) fn of_device(&self, dev: u8) -> Vec<Entry> {
        let clusters = self.reverse.iter().filter(|(first, _)| first.dev() == dev);
        let mut slots: Vec<Entry> = clusters
            .flat_map(|(first, cluster)| {
                let linked = (0u64..).zip(&cluster.offs).filter(|(_, off)| **off != 0);
                linked.map(|(i, _)| first.add(i))
            })
            .collect();
        slots.sort_unstable();
        slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_both_ways_and_go_with_their_clusters() {
        let mut links = Links::default();
        let (v, p) = (Entry::new(0, 700), Entry::new(3, 40));
        assert!(links.link(v, p) && links.link(v.add(1), p.add(600)));
        assert_eq!((links.phys_of(v), links.owner_of(p)), (Some(p), Some(v)));
        assert_eq!(links.of_device(3), [p, p.add(600)]);
        assert_eq!(links.runs(), [(v, p, 1), (v.add(1), p.add(600), 1)]);
        assert_eq!(
            (links.phys_of(v.add(2)), links.owner_of(p.add(1)), links.of_device(1)),
            (None, None, vec![])
        );
        assert_eq!(links.unlink(p), Some(v));
        assert_eq!((links.unlink(p), links.phys_of(v)), (None, None));
        assert_eq!(links.unlink(p.add(600)), Some(v.add(1)));
        assert!(links.forward.is_empty() && links.reverse.is_empty());
    }

    #[test]
    fn runs_end_where_a_cluster_ends_on_either_side() {
        let mut links = Links::default();
        let (v, p) = (Entry::new(0, 1020), Entry::new(1, 510));
        (0..6).for_each(|i| assert!(links.link(v.add(i), p.add(i))));
        assert_eq!(links.runs(), [(v, p, 2), (v.add(2), p.add(2), 2), (v.add(4), p.add(4), 2)]);
    }

    #[test]
    fn what_no_kernel_has_is_not_linked() {
        let mut links = Links::default();
        let (v, p) = (Entry::new(0, 700), Entry::new(3, 40));
        assert!(!links.link(Entry::new(0, 0), p) && !links.link(v, Entry::new(3, 0)));
        assert!(!links.link(Entry::new(0, 1 << 33), p) && !links.link(v, Entry::new(3, 1 << 40)));
        assert!(links.link(v, p));
        assert!(!links.link(Entry::new(5, 700), p.add(1)), "a second virtual device");
    }

    #[test]
    fn a_link_costs_nine_bytes() {
        let bytes = std::mem::size_of::<Forward>() + std::mem::size_of::<Reverse>();
        assert!(bytes <= 9 * SLOTS + 8, "{bytes}");
    }
}

//! A swap device that hands out aligned runs, first fit, cluster by cluster: a stand-in for the kernel's allocator
//! (`cluster_alloc_swap_entry`) that keeps its words - orders, lists, per-order current cluster - but not its choices.

use vswap_common::slot::{CLUSTER_SLOTS, ORDERS};

const WORDS: usize = CLUSTER_SLOTS as usize / 64;

/// Lists by their numbers in `enum swap_cluster_flags`.
pub(super) const FREE: u8 = 1;
const NONFULL: u8 = 2;
const FRAG: u8 = 3;
const FULL: u8 = 4;

#[derive(Clone, Copy)]
struct Cluster {
    /// One bit a slot, set when in use or bad.
    used: [u64; WORDS],
    count: u16,
    list: u8,
    order: u8,
}

/// A cluster that changed its list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Move {
    pub(super) index: u64,
    pub(super) list: u8,
    pub(super) order: u8,
}

/// One device.
pub(super) struct Device {
    clusters: Vec<Cluster>,
    /// Where each order allocates next.
    current: [Option<usize>; ORDERS],
    /// Slots in use, the header not counted.
    used: u64,
}

impl Device {
    /// A device of whole clusters whose slot 0 is its header.
    pub(super) fn new(clusters: usize) -> Self {
        let empty = Cluster { used: [0; WORDS], count: 0, list: FREE, order: 0 };
        let mut clusters = vec![empty; clusters];
        if let Some(first) = clusters.first_mut() {
            first.used[0] = 1;
            first.count = 1;
            first.list = NONFULL;
        }
        Self { clusters, current: [None; ORDERS], used: 0 }
    }

    /// Slots with the header.
    pub(super) fn max(&self) -> u64 {
        self.clusters.len() as u64 * u64::from(CLUSTER_SLOTS)
    }

    pub(super) const fn used(&self) -> u64 {
        self.used
    }

    /// An aligned run of `1 << order` slots: its first offset, and the cluster's move to another list if any.
    pub(super) fn alloc(&mut self, order: u8) -> Option<(u64, Option<Move>)> {
        let (index, start) = self.find(order)?;
        let cluster = &mut self.clusters[index];
        if cluster.list == FREE {
            cluster.order = order;
        }
        self.current[usize::from(order)] = Some(index);
        let nr = 1u16 << order;
        cluster.set(start, nr, true);
        self.used += u64::from(nr);
        let list = if u32::from(cluster.count) == CLUSTER_SLOTS { FULL } else { FRAG };
        Some((index as u64 * u64::from(CLUSTER_SLOTS) + u64::from(start), self.relist(index, list)))
    }

    /// Gives a run back.
    pub(super) fn free(&mut self, off: u64, nr: u16) -> Option<Move> {
        let index = (off / u64::from(CLUSTER_SLOTS)) as usize;
        self.clusters[index].set((off % u64::from(CLUSTER_SLOTS)) as u16, nr, false);
        self.used -= u64::from(nr);
        let list = if self.clusters[index].count == 0 { FREE } else { NONFULL };
        self.relist(index, list)
    }

    fn relist(&mut self, index: usize, list: u8) -> Option<Move> {
        let cluster = &mut self.clusters[index];
        if cluster.list == list {
            return None;
        }
        cluster.list = list;
        Some(Move { index: index as u64, list, order: cluster.order })
    }

    /// The order's current cluster, then its nonfull ones, a free one, its fragmented ones; for single slots any.
    fn find(&self, order: u8) -> Option<(usize, u16)> {
        let fits = |index: usize| self.clusters[index].run(order).map(|start| (index, start));
        if let Some(index) = self.current[usize::from(order)]
            && self.clusters[index].order == order
            && let Some(found) = fits(index)
        {
            return Some(found);
        }
        let search = |wanted: &dyn Fn(&Cluster) -> bool| {
            (0..self.clusters.len()).filter(|i| wanted(&self.clusters[*i])).find_map(fits)
        };
        search(&|c| c.list == NONFULL && c.order == order)
            .or_else(|| search(&|c| c.list == FREE))
            .or_else(|| search(&|c| c.list == FRAG && c.order == order))
            .or_else(|| if order == 0 { search(&|c| c.list != FULL) } else { None })
    }
}

impl Cluster {
    /// First aligned free run.
    fn run(&self, order: u8) -> Option<u16> {
        let nr = 1u16 << order;
        (0..CLUSTER_SLOTS as u16).step_by(usize::from(nr)).find(|start| self.is_free(*start, nr))
    }

    fn is_free(&self, start: u16, nr: u16) -> bool {
        masks(start, nr).all(|(word, mask)| self.used[word] & mask == 0)
    }

    fn set(&mut self, start: u16, nr: u16, used: bool) {
        for (word, mask) in masks(start, nr) {
            if used {
                self.used[word] |= mask;
            } else {
                self.used[word] &= !mask;
            }
        }
        if used { self.count += nr } else { self.count -= nr }
    }
}

/// The words of a run and its bits in them. Runs are aligned, so one within a word never crosses into the next.
fn masks(start: u16, nr: u16) -> impl Iterator<Item = (usize, u64)> {
    let first = usize::from(start / 64);
    let mask = if nr >= 64 { !0 } else { ((1u64 << nr) - 1) << (start % 64) };
    (first..first + usize::from(nr).div_ceil(64)).map(move |word| (word, mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_handed_out_once_and_come_back() {
        let mut d = Device::new(3);
        let mut seen = std::collections::BTreeSet::new();
        for order in [0u8, 4, 9, 2, 0, 6].into_iter().cycle().take(60) {
            if let Some((off, _)) = d.alloc(order) {
                assert_eq!(off % (1 << order), 0, "aligned");
                for slot in off..off + (1 << order) {
                    assert!(slot != 0 && slot < d.max() && seen.insert(slot), "slot {slot} twice");
                }
            }
        }
        while d.alloc(0).is_some() {}
        assert_eq!(d.used(), d.max() - 1, "single slots fill every hole but the header");
        assert_eq!(d.alloc(0), None);
        assert_eq!(d.free(700, 1), Some(Move { index: 1, list: NONFULL, order: d.clusters[1].order }));
        assert_eq!(d.alloc(0).map(|(off, _)| off), Some(700));
    }

    #[test]
    fn an_empty_cluster_returns_to_the_free_list_but_never_the_first() {
        let mut d = Device::new(2);
        let (off, moved) = d.alloc(9).unwrap();
        assert_eq!((off, moved.unwrap().list), (512, FULL));
        assert_eq!(d.free(512, 512).unwrap().list, FREE);
        let (off, _) = d.alloc(0).unwrap();
        assert_eq!(off, 1, "nonfull before free");
        assert_eq!(d.free(1, 1).unwrap().list, NONFULL);
    }
}

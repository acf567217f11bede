//! Cluster lists of a device: doubly linked through two `u32` arrays, so that a move costs no allocation.
//!
//! One head for each list of `swap_info_struct`: free, nonfull[order], frag[order], full, discard.

use super::cluster::Flag;
use vswap_common::slot::ORDERS;

/// "No cluster" in a link.
pub const NIL: u32 = u32::MAX;

/// A list of clusters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ListId {
    /// `free_clusters`: empty, without a table.
    Free,
    /// `nonfull_clusters[order]`: a slot was freed since the last scan.
    Nonfull(u8),
    /// `frag_clusters[order]`: scanned since the last free.
    Frag(u8),
    /// `full_clusters`.
    Full,
    /// `discard_clusters`: empty, waiting for the device to discard.
    Discard,
}

const COUNT: usize = 3 + 2 * ORDERS;

impl ListId {
    /// The list that a cluster with `flag` and `order` is on, if any.
    pub const fn of(flag: Flag, order: u8) -> Option<Self> {
        match flag {
            Flag::Free => Some(Self::Free),
            Flag::Nonfull => Some(Self::Nonfull(order)),
            Flag::Frag => Some(Self::Frag(order)),
            Flag::Full => Some(Self::Full),
            Flag::Discard => Some(Self::Discard),
            Flag::None | Flag::Dead => None,
        }
    }

    /// Position of the list among all: also its bit in [`super::Walk::visited`].
    pub const fn index(self) -> usize {
        match self {
            Self::Free => 0,
            Self::Full => 1,
            Self::Discard => 2,
            Self::Nonfull(order) => 3 + order as usize,
            Self::Frag(order) => 3 + ORDERS + order as usize,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Head {
    first: u32,
    last: u32,
    len: u32,
}

/// All cluster lists of one device.
#[derive(Clone, Debug)]
pub struct Lists {
    heads: [Head; COUNT],
    links: Vec<[u32; 2]>,
}

impl Default for Lists {
    fn default() -> Self {
        Self { heads: [Head { first: NIL, last: NIL, len: 0 }; COUNT], links: Vec::new() }
    }
}

impl Lists {
    /// Makes room for clusters `0..clusters`.
    pub fn grow(&mut self, clusters: usize) {
        if clusters > self.links.len() {
            self.links.resize(clusters, [NIL; 2]);
        }
    }

    /// Appends a cluster that is on no list (`list_add_tail`).
    pub fn append(&mut self, list: ListId, cluster: u32) {
        let head = &mut self.heads[list.index()];
        self.links[cluster as usize] = [head.last, NIL];
        if head.last == NIL {
            head.first = cluster;
        } else {
            self.links[head.last as usize][1] = cluster;
        }
        head.last = cluster;
        head.len += 1;
    }

    /// Puts a cluster that is on no list at the head: only to take back an isolation that led to nothing.
    pub fn prepend(&mut self, list: ListId, cluster: u32) {
        let head = &mut self.heads[list.index()];
        self.links[cluster as usize] = [NIL, head.first];
        if head.first == NIL {
            head.last = cluster;
        } else {
            self.links[head.first as usize][0] = cluster;
        }
        head.first = cluster;
        head.len += 1;
    }

    /// Takes a cluster off the list it is on (`list_del`).
    pub fn remove(&mut self, list: ListId, cluster: u32) {
        let [before, after] = self.links[cluster as usize];
        let head = &mut self.heads[list.index()];
        if before == NIL {
            head.first = after;
        } else {
            self.links[before as usize][1] = after;
        }
        if after == NIL {
            head.last = before;
        } else {
            self.links[after as usize][0] = before;
        }
        head.len -= 1;
        self.links[cluster as usize] = [NIL; 2];
    }

    /// First cluster of the list.
    pub fn first(&self, list: ListId) -> Option<u32> {
        let first = self.heads[list.index()].first;
        (first != NIL).then_some(first)
    }

    /// Cluster behind `cluster` on its list.
    pub fn next(&self, cluster: u32) -> Option<u32> {
        let next = self.links[cluster as usize][1];
        (next != NIL).then_some(next)
    }

    /// Clusters on the list.
    pub fn len(&self, list: ListId) -> u32 {
        self.heads[list.index()].len
    }

    /// No cluster on the list.
    pub fn is_empty(&self, list: ListId) -> bool {
        self.len(list) == 0
    }

    /// The clusters of a list, head first.
    pub fn iter(&self, list: ListId) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.first(list), |&c| self.next(c))
    }

    /// Bytes held by the links.
    pub fn bytes(&self) -> usize {
        self.links.capacity() * size_of::<[u32; 2]>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifo_with_removal_from_the_middle_and_both_ends() {
        let mut lists = Lists::default();
        lists.grow(5);
        for c in 0..5 {
            lists.append(ListId::Frag(3), c);
        }
        for c in [2, 0, 4] {
            lists.remove(ListId::Frag(3), c);
        }
        lists.append(ListId::Frag(3), 0);
        lists.prepend(ListId::Frag(3), 2);
        assert_eq!(lists.iter(ListId::Frag(3)).collect::<Vec<_>>(), [2, 1, 3, 0]);
        assert_eq!(lists.len(ListId::Frag(3)), 4);
        assert!(lists.is_empty(ListId::Nonfull(3)));
    }
}

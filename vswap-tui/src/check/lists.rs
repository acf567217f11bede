//! Order of cluster lists from neighbours that were read one after the other, and moves that were told meanwhile.

use std::collections::BTreeMap;

/// Neighbours of a cluster on its list, when it was read; `None` is the list's head.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Link {
    pub(super) next: Option<u32>,
    pub(super) prev: Option<u32>,
}

/// Where a cluster is.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Spot {
    /// `enum swap_cluster_flags`.
    pub(super) flag: u8,
    pub(super) order: u8,
    pub(super) link: Link,
    /// Number of the move that brought it there after it was read; 0 if none did.
    pub(super) moved: u64,
    /// Slots in use, bad ones included, when it was read.
    pub(super) count: u16,
    /// When it was read.
    pub(super) ts: u64,
}

impl Spot {
    /// The list; only partial clusters have one by order.
    const fn list(&self) -> (u8, u8) {
        (self.flag, if self.flag == 2 || self.flag == 3 { self.order } else { 0 })
    }
}

/// Clusters with their lists, each list from its head on, and whether the order is sure.
pub(super) fn in_order(spots: &BTreeMap<u32, Spot>) -> (Vec<(u32, u8)>, bool) {
    let mut lists: BTreeMap<(u8, u8), Vec<u32>> = BTreeMap::new();
    for (c, spot) in spots.iter().filter(|(_, spot)| spot.flag != 0) {
        lists.entry(spot.list()).or_default().push(*c);
    }
    let (mut out, mut sure) = (Vec::with_capacity(spots.len()), true);
    for members in lists.into_values() {
        let (mut moved, still): (Vec<u32>, Vec<u32>) = members.into_iter().partition(|c| spots[c].moved > 0);
        sure &= chain(spots, &still, &mut out);
        // A cluster that moves goes to the end.
        moved.sort_by_key(|c| spots[c].moved);
        out.extend(moved.into_iter().map(|c| (c, spots[&c].flag)));
    }
    (out, sure)
}

/// Appends the members of one list in the order of their links; false if the links leave it open.
fn chain(spots: &BTreeMap<u32, Spot>, members: &[u32], out: &mut Vec<(u32, u8)>) -> bool {
    let mut left: BTreeMap<u32, Spot> = members.iter().map(|c| (*c, spots[c])).collect();
    let after: BTreeMap<u32, u32> = left.iter().filter_map(|(c, spot)| Some((spot.link.prev?, *c))).collect();
    let mut sure = true;
    // Not the first member by number: the one without a member before it.
    let mut at = left.iter().find(|(_, spot)| spot.link.prev.is_none()).map(|(c, _)| *c);
    while !left.is_empty() {
        let Some(c) = at else {
            // The first was moved away, or a chain ends where nothing follows.
            let first = left.iter().find(|(_, spot)| spot.link.prev.is_none_or(|p| !left.contains_key(&p)));
            let first = first.or_else(|| left.iter().next()).map(|(c, _)| *c);
            sure &= left.len() == members.len();
            at = first;
            continue;
        };
        let Some(spot) = left.remove(&c) else {
            at = None;
            continue;
        };
        out.push((c, spot.flag));
        at = follow(spots, &left, &spot).or_else(|| after.get(&c).copied()).filter(|c| left.contains_key(c));
    }
    sure
}

/// The next member, over clusters that have left the list since.
fn follow(spots: &BTreeMap<u32, Spot>, left: &BTreeMap<u32, Spot>, from: &Spot) -> Option<u32> {
    let mut next = from.link.next;
    for _ in 0..spots.len() {
        let c = next?;
        if left.contains_key(&c) {
            return Some(c);
        }
        next = spots.get(&c)?.link.next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(flag: u8, prev: Option<u32>, next: Option<u32>, moved: u64) -> Spot {
        Spot { flag, link: Link { next, prev }, moved, ..Spot::default() }
    }

    fn order(spots: &[(u32, Spot)]) -> (Vec<u32>, bool) {
        let (placed, sure) = in_order(&spots.iter().copied().collect());
        (placed.into_iter().map(|(c, _)| c).collect(), sure)
    }

    #[test]
    fn links_give_the_order_and_lists_stay_apart() {
        let spots = [
            (0, spot(2, Some(5), None, 0)),
            (5, spot(2, None, Some(0), 0)),
            (3, spot(3, None, Some(1), 0)),
            (1, spot(3, Some(3), None, 0)),
            (7, spot(0, None, None, 0)),
        ];
        assert_eq!(order(&spots), (vec![5, 0, 3, 1], true));
    }

    #[test]
    fn what_moved_after_it_was_read_is_last_and_bridged() {
        // 1, 2, 3, 4 were read; then 2 went to the end, and 1 to another list.
        let spots = [
            (1, spot(4, None, Some(2), 1)),
            (2, spot(2, Some(1), Some(3), 2)),
            (3, spot(2, Some(2), Some(4), 0)),
            (4, spot(2, Some(3), None, 0)),
        ];
        assert_eq!(order(&spots), (vec![3, 4, 2, 1], true));
        // The middle is gone: its own link leads on.
        let spots = [
            (1, spot(2, None, Some(2), 0)),
            (2, spot(4, Some(1), Some(3), 1)),
            (3, spot(2, Some(2), None, 0)),
        ];
        assert_eq!(order(&spots).0[..2], [1, 3]);
    }

    #[test]
    fn a_cluster_read_after_it_came_is_found_behind_the_one_before_it() {
        // 1 was read as the last, then 9 came behind it and was read.
        let spots = [(1, spot(2, None, None, 0)), (9, spot(2, Some(1), None, 0))];
        assert_eq!(order(&spots), (vec![1, 9], true));
    }

    #[test]
    fn chains_that_nothing_joins_are_not_sure() {
        let spots = [(1, spot(2, None, None, 0)), (2, spot(2, None, None, 0))];
        assert_eq!(order(&spots), (vec![1, 2], false));
        let round = [(1, spot(2, Some(2), Some(2), 0)), (2, spot(2, Some(1), Some(1), 0))];
        assert_eq!(order(&round).0.len(), 2, "a ring ends");
    }
}

//! How many nodes the kernel's xarrays have (`lib/xarray.c`: 64 entries to a node), kept up to date where entries
//! come and go: the peak of the metadata would otherwise take a walk over everything after every event.

/// Indices below 2^24: virtual clusters of a 32-bit offset, slots of one zswap tree relative to its first.
const LEVELS: usize = 4;
/// Slots under one zswap tree of a physical device: 64 MiB (`SWAP_ADDRESS_SPACE_PAGES`).
pub(super) const TREE_SLOTS: u64 = 1 << TREE_SHIFT;
const TREE_SHIFT: u32 = 14;

/// Nodes of one level: those with anything below them.
#[derive(Clone, Debug, Default)]
struct Level {
    /// Entries or nodes below each node, 0 to 64.
    filled: Vec<u8>,
    /// Nodes that are not empty.
    nodes: u64,
}

/// Nodes of one xarray. Who inserts and removes knows what is in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    levels: [Level; LEVELS],
}

impl Nodes {
    /// An index that was empty is stored. True if that took a new node.
    #[inline]
    pub(super) fn insert(&mut self, index: u64) -> bool {
        for (k, level) in (1..).zip(&mut self.levels) {
            let node = (index >> (6 * k)) as usize;
            if node >= level.filled.len() {
                level.filled.resize(node + 1, 0);
            }
            level.filled[node] += 1;
            if level.filled[node] > 1 {
                // Only a leaf that is new changes the count.
                return k > 1;
            }
            level.nodes += 1;
        }
        true
    }

    /// An index that was stored is erased. True if that freed a node.
    #[inline]
    pub(super) fn remove(&mut self, index: u64) -> bool {
        for (k, level) in (1..).zip(&mut self.levels) {
            let Some(filled) = level.filled.get_mut((index >> (6 * k)) as usize) else { return false };
            *filled = filled.saturating_sub(1);
            if *filled > 0 {
                return k > 1;
            }
            level.nodes -= 1;
        }
        true
    }

    /// Nodes of the tree. It is as high as its largest index has digits of six bits, at least one.
    pub(super) fn count(&self) -> u64 {
        let mut nodes = 0;
        for level in &self.levels {
            nodes += level.nodes;
            if level.nodes == 1 && level.filled[0] > 0 {
                break;
            }
        }
        nodes
    }

    /// Nodes of the tree if what it stores are these indices plus `first`, which is above all of them.
    fn count_above(&self, first: u64) -> u64 {
        if self.levels[0].nodes == 0 {
            return 0;
        }
        let height = (u64::BITS - first.leading_zeros()).div_ceil(6) as usize;
        let nodes = |k: usize| self.levels.get(k).map_or(1, |level: &Level| level.nodes);
        (0..height).map(nodes).sum()
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.levels.iter().map(|level| level.filled.capacity()).sum::<usize>()
    }
}

/// zswap trees of one physical device: one for every 16384 slots, indexed by the offset on the device.
#[derive(Clone, Debug, Default)]
pub(super) struct ZswapTrees {
    trees: Vec<Nodes>,
    nodes: u64,
}

impl ZswapTrees {
    /// The slot's page is in zswap now.
    #[inline]
    pub(super) fn insert(&mut self, off: u64) {
        let t = (off >> TREE_SHIFT) as usize;
        if t >= self.trees.len() {
            self.trees.resize_with(t + 1, Nodes::default);
        }
        self.update(t, |tree| tree.insert(off % TREE_SLOTS));
    }

    /// The slot's page is in zswap no longer.
    #[inline]
    pub(super) fn remove(&mut self, off: u64) {
        let t = (off >> TREE_SHIFT) as usize;
        if t < self.trees.len() {
            self.update(t, |tree| tree.remove(off % TREE_SLOTS));
        }
    }

    #[inline]
    fn update(&mut self, t: usize, change: impl FnOnce(&mut Nodes) -> bool) {
        let first = (t as u64) << TREE_SHIFT;
        let count = |tree: &Nodes| if t == 0 { tree.count() } else { tree.count_above(first) };
        let tree = &mut self.trees[t];
        let before = count(tree);
        if change(tree) {
            self.nodes = self.nodes + count(tree) - before;
        }
    }

    /// Nodes of all trees.
    pub(super) const fn nodes(&self) -> u64 {
        self.nodes
    }

    pub(super) fn bytes(&self) -> usize {
        self.trees.iter().map(Nodes::bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::invariant::metadata::xarray_nodes;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn nodes_follow_the_digits_of_the_largest_index() {
        assert_eq!(xarray_nodes([].into_iter()), 0);
        assert_eq!(xarray_nodes([0, 63].into_iter()), 1);
        assert_eq!(xarray_nodes([0, 64].into_iter()), 3);
        assert_eq!(xarray_nodes((0..4096).map(|i| i + 16384)), 64 + 1 + 1);
    }

    proptest! {
        #[test]
        fn counted_nodes_are_those_of_a_walk(
            steps in prop::collection::vec((prop_oneof![0u64..200, 0u64..20_000, 0u64..1 << 24], any::<bool>()), 1..300)
        ) {
            let (mut nodes, mut set) = (Nodes::default(), BTreeSet::new());
            for (index, add) in steps {
                // Half of the time the smallest or largest goes, so that the height changes.
                let victim = if index % 2 == 0 { set.first() } else { set.last() }.copied();
                match (add, victim) {
                    (false, Some(victim)) => {
                        set.remove(&victim);
                        nodes.remove(victim);
                    }
                    _ if set.insert(index) => {
                        nodes.insert(index);
                    }
                    _ => {}
                }
                prop_assert_eq!(nodes.count(), xarray_nodes(set.iter().copied()));
            }
        }

        #[test]
        fn trees_of_a_device_have_absolute_offsets(
            steps in prop::collection::vec(
                (prop_oneof![0u64..200, 0u64..40_000, 250_000u64..280_000, Just(0x0fff_fffe_u64)], any::<bool>()),
                1..200,
            )
        ) {
            let (mut trees, mut set) = (ZswapTrees::default(), BTreeSet::new());
            for (off, add) in steps {
                if add && set.insert(off) {
                    trees.insert(off);
                } else if !add && set.remove(&off) {
                    trees.remove(off);
                }
                let tree = |t: u64| set.range(t * TREE_SLOTS..(t + 1) * TREE_SLOTS).copied();
                let numbers: BTreeSet<u64> = set.iter().map(|off| off / TREE_SLOTS).collect();
                let walked: u64 = numbers.into_iter().map(|t| xarray_nodes(tree(t))).sum();
                prop_assert_eq!(trees.nodes(), walked);
            }
        }
    }
}

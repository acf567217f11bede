//! The invariant about the metadata counters: a walk over everything finds the same.

use super::Checker;
use crate::model::xarray::TREE_SLOTS;
use crate::model::{Device, Flag, Model};
use rustc_hash::FxHashSet;

impl Checker {
    pub(super) fn check_metadata(&mut self, model: &Model) {
        for (d, device) in model.devices() {
            let (kept, found) = (device.counted(), device.walked());
            self.holds(31, kept == found, || format!("device {d} counts {kept:?}, a walk finds {found:?}"));
        }
    }
}

/// What the cost of a device is computed from, beside its size: clusters with tables, with extend tables, with direct
/// slots, xarray nodes.
type Counts = [u64; 4];

impl Device {
    fn counted(&self) -> Counts {
        let nodes = if self.virt { self.indices.nodes() } else { self.trees.nodes() };
        [self.populated.into(), self.extends.into(), self.direct.into(), nodes]
    }

    fn walked(&self) -> Counts {
        let tables = || self.clusters.iter().filter(|c| c.tables.is_some());
        let extends = tables().filter(|c| c.tables.as_ref().is_some_and(|t| t.extend.is_some()));
        let nodes = if self.virt {
            xarray_nodes((0u64..).zip(&self.clusters).filter(|(_, c)| c.flag != Flag::Dead).map(|(i, _)| i))
        } else {
            let zswap =
                |first| (first..self.max.min(first + TREE_SLOTS)).filter(|&off| self.word(off).in_zswap());
            (0..self.max).step_by(TREE_SLOTS as usize).map(|first| xarray_nodes(zswap(first))).sum()
        };
        let direct = tables().filter(|c| c.direct).count() as u64;
        [tables().count() as u64, extends.count() as u64, direct, nodes]
    }
}

/// Nodes of an xarray that holds these indices: on each level as many as the indices have different prefixes.
pub(in crate::model) fn xarray_nodes(indices: impl Iterator<Item = u64>) -> u64 {
    let mut level: FxHashSet<u64> = indices.collect();
    let Some(&largest) = level.iter().max() else { return 0 };
    let mut height = 1;
    while largest >> (6 * height) > 0 && height < 10 {
        height += 1;
    }
    let mut nodes = 0;
    for _ in 0..height {
        level = level.iter().map(|index| index >> 6).collect();
        nodes += level.len() as u64;
    }
    nodes
}

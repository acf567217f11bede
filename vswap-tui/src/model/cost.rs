//! Bytes of kernel metadata that a state costs, by part (sizes of a 7.2 build without lock debugging).

use super::xarray::TREE_SLOTS;
use super::{Device, Model};
use serde::Serialize;

const CLUSTER_INFO: u64 = 48;
/// `swap_cluster_info_dynamic` is 80 bytes in a 96-byte slab object.
const DYNAMIC_CLUSTER: u64 = 96;
const XARRAY_NODE: u64 = 576;
const XARRAY_HEAD: u64 = 16;
/// 73 objects of 56 bytes to a page.
const ZSWAP_ENTRIES_PER_PAGE: u64 = 73;
const PAGE: u64 = 4096;

/// Kernel metadata in bytes, by part.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Cost {
    /// Cluster structs, fixed ones of physical devices and live virtual ones.
    pub clusters: u64,
    /// Swap tables.
    pub tables: u64,
    /// memcg tables.
    pub memcg: u64,
    /// Virtual tables.
    pub virtual_tables: u64,
    /// Extend tables.
    pub extend: u64,
    /// Tree heads and nodes: zswap trees of physical devices, the index of virtual clusters.
    pub trees: u64,
    /// `zswap_entry` objects.
    pub zswap_entries: u64,
}

impl Cost {
    /// All parts.
    pub const fn total(&self) -> u64 {
        self.clusters
            + self.tables
            + self.memcg
            + self.virtual_tables
            + self.extend
            + self.trees
            + self.zswap_entries
    }
}

impl Model {
    /// What the state costs now. Adds up counters, so that a peak can be had by asking after every event.
    pub fn cost(&self) -> Cost {
        let (virt, direct) = self.zswap_pages();
        let mut cost = Cost {
            zswap_entries: (virt + direct).div_ceil(ZSWAP_ENTRIES_PER_PAGE) * PAGE,
            ..Cost::default()
        };
        for (_, dev) in self.devices() {
            let slots = dev.cluster_slots();
            cost.tables += u64::from(dev.populated) * slots * 8;
            cost.extend += u64::from(dev.extends) * slots * 4;
            if dev.virt {
                self.virtual_cost(dev, &mut cost);
            } else {
                self.physical_cost(dev, &mut cost);
            }
        }
        cost
    }

    fn virtual_cost(&self, dev: &Device, cost: &mut Cost) {
        let slots = dev.cluster_slots();
        cost.clusters += u64::from(dev.populated) * DYNAMIC_CLUSTER;
        if self.has_memcg() {
            cost.memcg += u64::from(dev.populated) * slots * 2;
        }
        // The header cluster has no virtual table.
        cost.virtual_tables += u64::from(dev.populated.saturating_sub(1)) * slots * 8;
        cost.trees += XARRAY_HEAD + XARRAY_NODE * dev.indices.nodes();
    }

    fn physical_cost(&self, dev: &Device, cost: &mut Cost) {
        let slots = dev.cluster_slots();
        cost.clusters += dev.clusters.len() as u64 * CLUSTER_INFO;
        if self.has_memcg() {
            let lazy = self.config.policy.virt.is_some_and(|v| v.lazy_memcg_table);
            let with = if lazy { dev.direct } else { dev.populated };
            cost.memcg += u64::from(with) * slots * 2;
        }
        cost.trees += dev.max.div_ceil(TREE_SLOTS) * XARRAY_HEAD + dev.trees.nodes() * XARRAY_NODE;
    }

    fn has_memcg(&self) -> bool {
        self.config.cgroup != super::Cgroup::None
    }
}

#[cfg(test)]
mod tests {
    use super::super::backend::Writeout;
    use super::super::policy::{SWAP_TABLE, VSWAP_RFC1, VSWAP_RFC2};
    use super::super::{Config, DeviceSpec, Folio, Policy, Undisturbed};
    use super::*;

    /// 64 clusters full of pages that went to zswap, or to the device.
    fn full(policy: Policy, stored: u64) -> Model {
        let mut model = Model::new(Config::new(policy));
        model.swapon(&DeviceSpec::block(65 * 512)).expect("swapon");
        for pfn in 0..64 {
            let slot = model.alloc_folio(0, Folio { pfn, order: 9, memcg: 7 }, &mut Undisturbed).slot;
            let slot = slot.expect("a slot");
            model.dup(slot, 512, &mut Undisturbed).expect("users");
            let how = Writeout { zero: false, stored, writeback_allowed: true };
            model.writeout(0, slot, how, &mut Undisturbed).expect("written");
        }
        model
    }

    /// The specification's bytes per slot of a full device, beside the 56.1 of the zswap entry that all share.
    #[test]
    fn bytes_per_slot_are_the_tables() {
        let per_slot = |policy, stored| {
            let cost = full(policy, stored).cost();
            (cost.total() - cost.zswap_entries) as f64 / (64.0 * 512.0)
        };
        for (policy, stored, want) in [
            (SWAP_TABLE, 0, 10.09),
            (SWAP_TABLE, 512, 19.3),
            (VSWAP_RFC1, 512, 18.2),
            (VSWAP_RFC1, 0, 28.3),
            (VSWAP_RFC2, 0, 26.3),
        ] {
            let got = per_slot(policy, stored);
            // The header clusters of so small a device weigh up to two percent.
            assert!((got / want - 1.0).abs() < 0.03, "{} stored {stored}: {got:.2} for {want}", policy.name);
        }
    }
}

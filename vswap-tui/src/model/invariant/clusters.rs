//! Invariants of clusters and their lists: 1 to 7, 27, 28.

use super::Checker;
use crate::model::cluster::{Cluster, Touch};
use crate::model::word::{COUNT_MAX, Word};
use crate::model::{Device, Flag, ListId, Model};
use vswap_common::slot::ORDERS;

impl Checker {
    pub(super) fn check_clusters(&mut self, model: &Model) {
        self.orders.resize(model.devices.len(), Vec::new());
        for (d, device) in model.devices() {
            let members = self.check_lists(d, device);
            self.orders[d as usize].resize(device.clusters.len(), None);
            let mut extends = 0;
            for (c, cluster) in device.clusters.iter().enumerate() {
                let place = || format!("device {d} cluster {c}");
                let want = ListId::of(cluster.flag, cluster.order);
                self.holds(2, members[c] == want, place);
                let idle = cluster.flag != Flag::None || (device.virt && c == 0);
                self.holds(2, idle, || format!("device {d} cluster {c} is on no list"));
                self.check_cluster(d, device, c as u32, cluster);
                extends += self.check_extend(d, c, cluster);
                self.check_order(d as usize, c, cluster);
            }
            self.holds(28, extends == device.extends, || format!("device {d} counts its extend tables"));
        }
        for (d, device) in model.devices.iter().enumerate().filter(|(_, dev)| !dev.live) {
            self.orders[d].clear();
            self.holds(2, device.clusters.is_empty(), || format!("device {d} is gone"));
        }
    }

    /// The list each cluster is on; a cluster met twice or with a wrong length breaks invariant 2.
    fn check_lists(&mut self, d: u8, device: &Device) -> Vec<Option<ListId>> {
        let mut members = vec![None; device.clusters.len()];
        let by_order = (0..ORDERS as u8).flat_map(|o| [ListId::Nonfull(o), ListId::Frag(o)]);
        for list in by_order.chain([ListId::Free, ListId::Full, ListId::Discard]) {
            let mut len = 0;
            for c in device.lists.iter(list).take(device.clusters.len() + 1) {
                let fresh = members[c as usize].replace(list).is_none();
                self.holds(2, fresh, || format!("device {d} cluster {c} is on two lists"));
                len += 1;
            }
            let counted = device.lists.len(list);
            self.holds(2, len == counted, || format!("device {d} {list:?} has {len}, counts {counted}"));
        }
        if device.virt {
            let none = device.lists.is_empty(ListId::Free) && device.lists.is_empty(ListId::Discard);
            self.holds(7, none, || "the virtual device");
        }
        members
    }

    fn check_cluster(&mut self, d: u8, device: &Device, c: u32, cluster: &Cluster) {
        let place = || format!("device {d} cluster {c}: {:?} count {}", cluster.flag, cluster.count);
        let words = cluster.tables.as_ref().map_or(&[][..], |t| t.words());
        let used = words.iter().filter(|w| !w.is_null()).count();
        self.holds(1, used == cluster.count as usize && cluster.marks_hold(), place);
        let slots = device.cluster_slots();
        let count = u64::from(cluster.count);
        if !device.virt && cluster.flag != Flag::Discard {
            let bare = count == 0 && cluster.tables.is_none();
            self.holds(3, (cluster.flag == Flag::Free) == bare, place);
        }
        let all_bad = || words.iter().all(|&w| w == Word::BAD);
        self.holds(4, (cluster.flag == Flag::Full) == (count == slots) || all_bad(), place);
        if count > 0 && count < slots && cluster.flag != Flag::None {
            let want = if cluster.touch == Touch::Scan { Flag::Frag } else { Flag::Nonfull };
            self.holds(5, cluster.flag == want, place);
        }
        if device.virt && c > 0 {
            let live = cluster.flag != Flag::Dead;
            self.holds(6, live == (count > 0) && live == device.indices.contains(c), place);
        }
    }

    /// Extend cells against words; 1 if the cluster has the table.
    fn check_extend(&mut self, d: u8, c: usize, cluster: &Cluster) -> u32 {
        let Some(tables) = &cluster.tables else { return 0 };
        let cells = tables.extend.as_deref();
        for (slot, word) in tables.words().iter().enumerate() {
            let large = word.is_used() && word.count() == COUNT_MAX;
            let cell = cells.and_then(|cells| cells.get(slot)).copied().unwrap_or(0);
            let right = if large { cell >= COUNT_MAX } else { cell == 0 };
            if large || cells.is_some() {
                self.holds(28, right, || format!("device {d} cluster {c} slot {slot}: {word:?} cell {cell}"));
            }
        }
        u32::from(cells.is_some())
    }

    /// While a cluster lives its order stays.
    fn check_order(&mut self, d: usize, c: usize, cluster: &Cluster) {
        let now = cluster.tables.is_some().then_some((cluster.generation, cluster.order));
        let before = std::mem::replace(&mut self.orders[d][c], now);
        if let (Some((generation, order)), Some((same, now))) = (before, now)
            && generation == same
        {
            self.holds(27, order == now, || format!("device {d} cluster {c}: order {order} became {now}"));
        }
    }
}

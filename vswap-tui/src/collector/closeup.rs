//! One cluster slot by slot, as the views show it when somebody looks into it.

use super::cluster::{SLOTS, Word};
use super::slot_map::SlotMap;
use crate::snapshot::Backend;
use crate::snapshot::closeup::{Closeup, SlotView};
use std::sync::Arc;
use vswap_common::Entry;
use vswap_common::slot::MAX_DEVICES;

impl SlotMap {
    /// The slots of one cluster of a device somebody named; `now_ms` is the time of the last event.
    pub(super) fn closeup(&self, dev: u8, index: u64, now_ms: u64) -> Option<Closeup> {
        let device = self.devices().get(usize::from(dev)).filter(|d| d.is_seen())?;
        let slots = device.slots_of(index)?;
        let known = device.clusters.peek(index, self.epoch());
        let fresh = device.clusters.fresh(self.epoch());
        let view = |i: usize| {
            let at = Entry::new(dev, index * SLOTS as u64 + i as u64);
            if let Some(virt) = self.links.owner_of(at) {
                return self.backing(virt);
            }
            let (word, bits_hold) = known.map_or((fresh, true), |(hold, c)| (c.words()[i], hold));
            let in_zswap = word.backend() == Backend::Zswap;
            SlotView {
                used: word.used(),
                backend: word.backend(),
                cached: word.cached(),
                confirmed: word.confirmed() && bits_hold,
                order: word.order(),
                memcg: word.memcg(),
                len: word.len(),
                in_zswap_ms: known.filter(|_| in_zswap).and_then(|(_, c)| c.residence(i, now_ms)),
                phys: self.links.phys_of(at).filter(|_| word.backed()).map(|to| to.0),
                virt: None,
            }
        };
        let slots: Vec<SlotView> = (0..slots).map(view).collect();
        let path = |id: u16| Some((id, Arc::clone(self.sums.memcgs.shared_path(id)?)));
        let paths = slots.iter().filter(|s| s.used).filter_map(|s| path(s.memcg)).collect();
        Some(Closeup { dev, cluster: index, slots, paths })
    }

    /// A physical slot whose data is that of a virtual one: in use for its owner.
    fn backing(&self, virt: Entry) -> SlotView {
        let device = &self.devices()[usize::from(virt.dev()) % MAX_DEVICES];
        let known = device.clusters.peek(virt.off() / SLOTS as u64, self.epoch());
        let (confirmed, word) = known.map_or((false, Word::UNKNOWN), |(hold, cluster)| {
            let word = cluster.words()[(virt.off() % SLOTS as u64) as usize];
            (hold && word.confirmed(), word)
        });
        SlotView {
            used: true,
            backend: Backend::Phys,
            confirmed,
            order: word.order(),
            memcg: word.memcg(),
            virt: Some(virt.0),
            ..SlotView::default()
        }
    }
}

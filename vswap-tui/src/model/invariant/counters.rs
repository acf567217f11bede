//! Invariants of counters and caches: 8 to 12, 14, 17, 23 to 26, 30.

use super::Checker;
use super::slots::Census;
use crate::model::{Cgroup, Model};
use rustc_hash::FxHashMap;

impl Checker {
    pub(super) fn check_counters(&mut self, model: &Model, census: &Census) {
        self.check_devices(model, census);
        self.check_memcgs(model, census);
        self.check_caches(model);
        let counted = model.zswap_pages();
        self.holds(17, counted == census.zswap, || format!("counted {counted:?}, found {:?}", census.zswap));
        let audit = model.audit();
        self.holds(23, audit.reallocs_broken == 0, || format!("{} backings", audit.reallocs_broken));
        let same = audit.words_freed == audit.count_freed
            && audit.count_freed == audit.inuse_freed
            && audit.physical_words_freed == audit.nr_freed;
        self.holds(30, same, || format!("{audit:?}"));
    }

    fn check_devices(&mut self, model: &Model, census: &Census) {
        let (mut nr, mut total) = (0, 0);
        for (d, device) in model.devices() {
            let counts: u64 = device.clusters.iter().map(|c| u64::from(c.count)).sum();
            let inuse = device.inuse;
            self.holds(8, inuse + device.bad == counts, || format!("device {d}: {inuse} of {counts}"));
            let listed = model.avail().contains(&d);
            let room = !device.virt && device.writeok && inuse < device.pages;
            self.holds(11, listed == room, || format!("device {d}: listed {listed}, room {room}"));
            if !device.virt {
                let usable = if device.writeok { device.pages as i64 } else { 0 };
                total += usable;
                nr += usable - inuse as i64;
            }
            let (pointers, vwords) = census.pointers.get(&d).copied().unwrap_or_default();
            self.holds(14, pointers == vwords, || format!("device {d}: {pointers} and {vwords}"));
        }
        self.holds(9, nr == model.free_pages(), || format!("{} for {nr}", model.free_pages()));
        self.holds(10, total == model.total_pages(), || format!("{} for {total}", model.total_pages()));
        let priority = |d: &u8| model.device(*d).map_or(i32::MIN, |dev| dev.priority);
        let falls = model.avail().is_sorted_by(|a, b| priority(a) >= priority(b));
        self.holds(12, falls, || format!("{:?}", model.avail()));
    }

    fn check_memcgs(&mut self, model: &Model, census: &Census) {
        if model.config().cgroup == Cgroup::None {
            return;
        }
        let mut sums: FxHashMap<u16, u64> = FxHashMap::default();
        for (id, group) in model.charges().iter() {
            let charged = census.charged.get(&id).copied().unwrap_or(0);
            self.holds(24, group.own == charged, || format!("memcg {id}: own {} of {charged}", group.own));
            let held = census.held.get(&id).copied().unwrap_or(0);
            self.holds(25, group.refs == held, || format!("memcg {id}: {} references of {held}", group.refs));
            let (mut at, mut depth) = (id, 0);
            while at != 0 && depth < 64 {
                *sums.entry(at).or_default() += group.own;
                at = model.charges().get(at).parent;
                depth += 1;
            }
        }
        for (id, group) in model.charges().iter().filter(|(_, group)| !group.root) {
            let sum = sums.get(&id).copied().unwrap_or(0);
            self.holds(24, group.swap == sum, || format!("memcg {id}: {} of {sum}", group.swap));
        }
    }

    fn check_caches(&mut self, model: &Model) {
        let slots = 1u64 << model.config().shift();
        // Padding counts as part of the device here: a scan may end just before it.
        let right = |off: u64, order: u8, max: u64| {
            off == 0 || (off < max && off.is_multiple_of(1 << order) && !off.is_multiple_of(slots))
        };
        for cpu in 0..model.cpus() {
            for order in 0..model.orders {
                let cache = model.cache(cpu);
                if let (Some(d), off) = cache.physical(order) {
                    let max = model.device(d).map_or(0, |dev| dev.max.next_multiple_of(slots));
                    self.holds(26, right(off, order, max), || format!("cpu {cpu} order {order}: {d}:{off}"));
                }
                let off = cache.virtual_off(order);
                let max = model.device(0).map_or(0, |dev| dev.max);
                self.holds(26, right(off, order, max), || format!("cpu {cpu} order {order}: virtual {off}"));
            }
        }
        for (d, device) in model.devices() {
            for (off, order) in device.shared.into_iter().zip(0..) {
                let max = device.max.next_multiple_of(slots);
                self.holds(26, right(off, order, max), || format!("device {d} order {order}: {off}"));
            }
        }
    }
}

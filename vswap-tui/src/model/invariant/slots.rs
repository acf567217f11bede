//! Invariants of single slots: 13, 15 to 22, 29; and the census the counters are held against.

use super::Checker;
use crate::model::cluster::Tables;
use crate::model::vword::{Backing, Tags};
use crate::model::word::{Kind, Word};
use crate::model::{Cgroup, Device, Model};
use rustc_hash::{FxHashMap, FxHashSet};
use vswap_common::Entry;

/// What the slots add up to.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// Slots that should be charged to a memcg: direct-mapped, or backed by a physical slot.
    pub(super) charged: FxHashMap<u16, u64>,
    /// Slots that hold a memcg id.
    pub(super) held: FxHashMap<u16, u64>,
    /// Pointer words and PHYS vwords by physical device.
    pub(super) pointers: FxHashMap<u8, (u64, u64)>,
    /// zswap entries of virtual and of direct-mapped slots.
    pub(super) zswap: (u64, u64),
}

impl Checker {
    pub(super) fn check_slots(&mut self, model: &Model) -> Census {
        let mut census = Census::default();
        let mut entries = FxHashSet::default();
        for (d, device) in model.devices() {
            let mut bad = 0;
            for (c, cluster) in device.clusters.iter().enumerate() {
                let Some(tables) = &cluster.tables else { continue };
                for slot in 0..tables.words().len() {
                    let at = Entry::new(d, device.base(c as u32) + slot as u64);
                    bad += u64::from(tables.words()[slot] == Word::BAD);
                    self.check_word(model, device, at, tables, slot, &mut census);
                    if device.virt && slot < tables.vwords.len() {
                        self.check_vword(model, at, tables, slot, &mut census, &mut entries);
                    }
                }
            }
            self.holds(21, bad == device.bad, || {
                format!("device {d} has {bad} Bad words, had {}", device.bad)
            });
        }
        census
    }

    fn check_word(
        &mut self,
        model: &Model,
        device: &Device,
        at: Entry,
        tables: &Tables,
        slot: usize,
        census: &mut Census,
    ) {
        let word = tables.words()[slot];
        let id = word.id();
        let place = || format!("slot {}:{} {word:?} memcg {id}", at.dev(), at.off());
        if word.is_used() && id != 0 {
            *census.held.entry(id).or_default() += 1;
            // On cgroup v2 a virtual slot is charged through its backing, on v1 every uncached slot is.
            if !device.virt || model.config().cgroup == Cgroup::V1 {
                *census.charged.entry(id).or_default() += 1;
            }
        }
        match word.kind() {
            Kind::Null => {}
            Kind::Bad => self.holds(20, word == Word::BAD, place),
            Kind::Pointer => {
                let owner = word.owner();
                let names = model.vword(owner).phys() == Some(at);
                self.holds(13, names && owner.dev() == 0, place);
                if word.cache_only_backing() {
                    self.holds(15, model.word(owner).idled(), place);
                }
                self.holds(21, !device.virt, place);
                census.pointers.entry(at.dev()).or_default().0 += 1;
            }
            Kind::Shadow => self.holds(18, word.count() > 0, place),
            Kind::Pfn => {
                let nr = 1usize << word.order();
                let head = slot & !(nr - 1);
                let whole = tables.words().get(head..head + nr);
                let same =
                    |w: &Word| w.is_cached() && w.order() == word.order() && w.payload() == word.payload();
                self.holds(22, whole.is_some_and(|range| range.iter().all(same)), place);
            }
        }
        let v1 = model.config().policy.virt.is_some_and(|v| v.tags == Tags::Rfc1);
        if device.virt && v1 {
            self.holds(20, !word.zero(), place);
        }
        census.zswap.1 += u64::from(!device.virt && word.in_zswap());
    }

    fn check_vword(
        &mut self,
        model: &Model,
        at: Entry,
        tables: &Tables,
        slot: usize,
        census: &mut Census,
        entries: &mut FxHashSet<u64>,
    ) {
        let Some(rules) = model.config().policy.virt else { return };
        let word = tables.words()[slot];
        let id = word.id();
        let backing = tables.vwords[slot].backing(rules.tags);
        let place = || format!("slot {}:{} {word:?} {backing:?}", at.dev(), at.off());
        if word.is_null() {
            self.holds(16, backing == Backing::None, place);
        }
        if word.kind() == Kind::Shadow {
            let data = match backing {
                Backing::Phys(_) | Backing::Zswap(_) | Backing::Zero => true,
                Backing::None => word.zero(),
                Backing::Folio => false,
            };
            self.holds(18, data, place);
        }
        match backing {
            Backing::Phys(phys) => {
                let back = model.word(phys);
                self.holds(13, back.kind() == Kind::Pointer && back.owner() == at, place);
                self.holds(29, (1..=7).contains(&phys.dev()), place);
                census.pointers.entry(phys.dev()).or_default().1 += 1;
                if id != 0 && model.config().cgroup == Cgroup::V2 {
                    *census.charged.entry(id).or_default() += 1;
                }
            }
            Backing::Zswap(entry) => {
                self.holds(17, entries.insert(entry), place);
                census.zswap.0 += 1;
            }
            Backing::Folio => self.holds(19, word.is_cached(), place),
            Backing::Zero | Backing::None => {}
        }
    }
}

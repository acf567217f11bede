//! A device taken over in the middle of its life, as a scan of the kernel's tables found it: words, counts, lists,
//! and where the next search begins. For a machine that has just been set up ([`Model::swapon`]), before any request.

use super::cluster::Touch;
use super::lists::Lists;
use super::word::{COUNT_MAX, Word};
use super::{Fault, Flag, ListId, Model};
use vswap_common::Entry;
use vswap_common::slot::ORDERS;

/// A slot in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoundSlot {
    /// Order of the folio in the swap cache; `None` if there is none.
    pub cached: Option<u8>,
    /// Users.
    pub count: u32,
}

impl Model {
    /// Takes slots of an empty cluster into use; they must lie in one cluster, in which nothing but bad slots is used.
    /// `order`: that of the cluster.
    ///
    /// # Errors
    /// [`Fault::NoDevice`], [`Fault::Range`] for a cluster that the device does not have.
    pub fn adopt_slots(
        &mut self,
        d: u8,
        c: u32,
        order: u8,
        slots: impl Iterator<Item = (usize, FoundSlot)>,
    ) -> Result<(), Fault> {
        let dev = self.devices.get_mut(usize::from(d)).filter(|dev| dev.live && !dev.virt);
        let dev = dev.ok_or(Fault::NoDevice(d))?;
        if c as usize >= dev.clusters.len() {
            return Err(Fault::Range { at: Entry::new(d, dev.base(c)), nr: 1 });
        }
        let mut taken = 0;
        for (slot, found) in slots {
            if u64::from(slot as u32) >= dev.cluster_slots() {
                continue;
            }
            dev.populate(c);
            let cluster = &mut dev.clusters[c as usize];
            if !cluster.word(slot).is_null() {
                continue;
            }
            let word = match found.cached {
                // Folios are told apart by where they are.
                Some(order) => Word::pfn((u64::from(c) << 10 | slot as u64) >> order << order, order),
                None => Word::shadow(0, 0),
            };
            cluster.replace(slot..slot + 1, |_| word.with_count(found.count.min(COUNT_MAX)));
            cluster.count += 1;
            taken += 1;
            if found.count >= COUNT_MAX
                && let Some(tables) = &mut cluster.tables
            {
                let fresh = tables.extend.is_none();
                let cells = tables.extend.get_or_insert_with(|| vec![0; 1 << self.shift].into_boxed_slice());
                cells[slot] = found.count;
                dev.extends += u32::from(fresh);
            }
        }
        let cluster = &mut dev.clusters[c as usize];
        cluster.order = if u32::from(order) < ORDERS as u32 { order } else { 0 };
        if taken > 0 && !cluster.direct {
            cluster.direct = true;
            dev.direct += 1;
        }
        dev.inuse += taken;
        if dev.inuse >= dev.pages && !dev.off_avail {
            dev.off_avail = true;
            self.avail.retain(|&x| x != d);
        }
        self.nr -= taken as i64;
        Ok(())
    }

    /// Puts every cluster of the device on a list: those of `placed` in this order, the rest where their counts say.
    /// Returns how many are not where they were told to be, because their counts forbid it, or were not told of.
    ///
    /// # Errors
    /// [`Fault::NoDevice`].
    pub fn adopt_lists(&mut self, d: u8, placed: impl Iterator<Item = (u32, Flag)>) -> Result<u32, Fault> {
        let dev = self.devices.get_mut(usize::from(d)).filter(|dev| dev.live && !dev.virt);
        let dev = dev.ok_or(Fault::NoDevice(d))?;
        let (slots, n) = (dev.cluster_slots(), dev.clusters.len());
        dev.lists = Lists::default();
        dev.lists.grow(n);
        let mut todo = vec![true; n];
        let mut elsewhere = 0;
        let rest = (0..n as u32).map(|c| (c, Flag::None));
        for (c, told) in placed.chain(rest) {
            match todo.get_mut(c as usize) {
                Some(todo) if *todo => *todo = false,
                _ => continue,
            }
            let cluster = &mut dev.clusters[c as usize];
            let flag = match (u64::from(cluster.count), told) {
                (0, Flag::Discard) => Flag::Discard,
                (0, _) => Flag::Free,
                (count, _) if count == slots => Flag::Full,
                (_, Flag::Nonfull) => Flag::Nonfull,
                _ => Flag::Frag,
            };
            // The header's cluster may hold nothing but bad slots, and is where it was put first.
            elsewhere += u32::from(flag != told);
            cluster.flag = flag;
            cluster.touch = if flag == Flag::Frag { Touch::Scan } else { Touch::Free };
            let order = cluster.order;
            if let Some(list) = ListId::of(flag, order) {
                dev.lists.append(list, c);
            }
            if flag == Flag::Free {
                dev.depopulate(c);
            }
        }
        Ok(elsewhere)
    }

    /// Where the next search for slots of `order` begins, for one CPU, or on a rotating disk for all of them. A hint that
    /// is of no use is left as it is: the allocator finds out.
    pub fn adopt_candidate(&mut self, cpu: Option<usize>, order: u8, next: Entry) {
        let order = usize::from(order);
        if order >= ORDERS || self.device(next.dev()).is_none() {
            return;
        }
        match cpu {
            // No machine has more; a larger number is damage.
            Some(cpu) if cpu < 8192 => {
                let cache = self.cpu_mut(cpu);
                cache.dev[order] = next.dev();
                cache.off[order] = next.off();
            }
            Some(_) => {}
            None => self.dev_mut(next.dev()).shared[order] = next.off(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::policy::SWAP_TABLE;
    use crate::model::{Config, DeviceSpec, Folio, Undisturbed, invariant};

    fn machine() -> Model {
        let mut model = Model::new(Config { cpus: 2, ..Config::new(SWAP_TABLE) });
        model.swapon(&DeviceSpec::block(4 * 512 + 100)).unwrap();
        model
    }

    const USED: FoundSlot = FoundSlot { cached: None, count: 1 };

    #[test]
    fn goes_on_where_the_kernel_was() {
        let mut m = machine();
        m.adopt_slots(0, 1, 0, (0..512).map(|i| (i, USED))).unwrap();
        m.adopt_slots(0, 2, 0, (0..10).map(|i| (i, FoundSlot { cached: Some(0), count: 20 }))).unwrap();
        m.adopt_slots(0, 3, 0, [(100, USED)].into_iter()).unwrap();
        let lists =
            [(1, Flag::Full), (3, Flag::Nonfull), (0, Flag::Nonfull), (4, Flag::Nonfull), (2, Flag::Frag)];
        assert_eq!(m.adopt_lists(0, lists.into_iter()).unwrap(), 0);
        m.adopt_candidate(Some(1), 0, Entry::new(0, 2 * 512 + 10));
        let mut broken = invariant::Checker::default();
        broken.check(&m);
        assert!(
            broken.tallies().all(|(_, _, t)| t.broken == 0),
            "{:?}",
            broken.tallies().collect::<Vec<_>>()
        );
        assert_eq!(m.free_pages(), m.total_pages() - 523);
        let folio = Folio { pfn: 1 << 20, order: 0, memcg: 0 };
        let at = |m: &mut Model, cpu| m.alloc_folio(cpu, folio, &mut Undisturbed).slot.unwrap().off();
        assert_eq!(at(&mut m, 1), 2 * 512 + 10, "the candidate of the CPU");
        assert_eq!(at(&mut m, 0), 3 * 512, "the head of the list, for a CPU without one");
        broken.check(&m);
        assert!(broken.tallies().all(|(_, _, t)| t.broken == 0));
    }

    #[test]
    fn lists_that_counts_forbid_are_counted() {
        let mut m = machine();
        m.adopt_slots(0, 1, 0, (0..3).map(|i| (i, USED))).unwrap();
        let told =
            [(0, Flag::Nonfull), (1, Flag::Full), (2, Flag::Free), (3, Flag::Nonfull), (4, Flag::Nonfull)];
        assert_eq!(m.adopt_lists(0, told.into_iter()).unwrap(), 2);
        let mut broken = invariant::Checker::default();
        broken.check(&m);
        assert!(
            broken.tallies().all(|(_, _, t)| t.broken == 0),
            "what is told wrong does not break the model"
        );
        assert!(m.adopt_slots(7, 0, 0, std::iter::empty()).is_err());
    }
}

//! Users of slots: the logical count, 15 and more of it in the extend table (`swap_dup_entries_cluster`,
//! `swap_put_entries_cluster`).

use super::oracle::{Memory, Oracle};
use super::reclaim::Mode;
use super::word::{COUNT_MAX, Kind, Word};
use super::{Fault, Model};
use vswap_common::Entry;

impl Model {
    /// Logical count of a slot; `None` where it has no count: free, bad, or a backing (`swp_tb_get_count`).
    pub fn count(&self, at: Entry) -> Option<u32> {
        let word = self.word(at);
        if !word.is_used() {
            return None;
        }
        let stored = word.count();
        if stored < COUNT_MAX {
            return Some(stored);
        }
        let (c, slot) = self.split_off(at.off());
        let tables = self.device(at.dev())?.clusters.get(c as usize)?.tables.as_ref()?;
        let cell = tables.extend.as_ref().and_then(|cells| cells.get(slot));
        Some(cell.copied().filter(|&cell| cell >= COUNT_MAX).unwrap_or(stored))
    }

    /// One more user for each slot of a range in one cluster (`swap_dup_entries_cluster`).
    ///
    /// # Errors
    /// [`Fault::NotUsed`] and [`Fault::NoCount`] for slots nobody may take, [`Fault::NoMemory`] when the extend table
    /// cannot be had; then nothing has changed.
    pub fn dup<O: Oracle + ?Sized>(&mut self, at: Entry, nr: u64, oracle: &mut O) -> Result<(), Fault> {
        let (d, c, slot) = self.locate(at, nr)?;
        let cluster = &self.dev(d).clusters[c as usize];
        for i in 0..nr {
            let word = cluster.word(slot + i as usize);
            match word.kind() {
                Kind::Pfn => {}
                Kind::Shadow if word.count() > 0 => {}
                Kind::Shadow => return Err(Fault::NoCount(at.add(i))),
                _ => return Err(Fault::NotUsed(at.add(i))),
            }
        }
        for i in 0..nr {
            if !self.raise(at.add(i), oracle) {
                for undo in 0..i {
                    self.lower(at.add(undo));
                }
                return Err(Fault::NoMemory);
            }
        }
        Ok(())
    }

    /// One user more for a used slot; false without memory for the extend table.
    #[inline]
    fn raise<O: Oracle + ?Sized>(&mut self, at: Entry, oracle: &mut O) -> bool {
        let (c, slot) = self.split_off(at.off());
        let cluster = &mut self.dev_mut(at.dev()).clusters[c as usize];
        let stored = cluster.word(slot).count();
        if stored + 1 >= COUNT_MAX && !self.raise_extended(at, oracle) {
            return false;
        }
        let cluster = &mut self.dev_mut(at.dev()).clusters[c as usize];
        cluster.replace(slot..slot + 1, |word| word.with_count((stored + 1).min(COUNT_MAX)));
        if stored == 0 {
            self.mark_backing(at, false);
        }
        true
    }

    /// Writes the extend cell of a slot whose count reaches 15 or is there already.
    fn raise_extended<O: Oracle + ?Sized>(&mut self, at: Entry, oracle: &mut O) -> bool {
        let Some(count) = self.count(at) else { return true };
        let (c, slot) = self.split_off(at.off());
        let slots = 1 << self.shift;
        let dev = self.dev_mut(at.dev());
        let Some(tables) = &mut dev.clusters[c as usize].tables else { return true };
        if tables.extend.is_none() {
            if !oracle.memory(Memory::Extend) {
                return false;
            }
            tables.extend = Some(vec![0; slots].into_boxed_slice());
            dev.extends += 1;
        }
        if let Some(cells) = &mut tables.extend {
            cells[slot] = count.saturating_add(1);
        }
        true
    }

    /// One user less (`__swap_cluster_put_entry`). The count must be above 0.
    fn lower(&mut self, at: Entry) {
        let Some(new) = self.count(at).and_then(|count| count.checked_sub(1)) else {
            self.alarms.underflow += 1;
            return;
        };
        let (c, slot) = self.split_off(at.off());
        let dev = self.dev_mut(at.dev());
        let cluster = &mut dev.clusters[c as usize];
        cluster.replace(slot..slot + 1, |word| {
            let word = word.with_count(new.min(COUNT_MAX));
            if new == 0 { word.with_idled(true) } else { word }
        });
        let Some(tables) = &mut cluster.tables else { return };
        if let Some(cells) = &mut tables.extend {
            cells[slot] = if new >= COUNT_MAX { new } else { 0 };
            if matches!(new, 13 | 14) && cells.iter().all(|&cell| cell == 0) {
                tables.extend = None;
                dev.extends -= 1;
            }
        }
    }

    /// Bit C of the backing of a virtual slot: set when its count falls to 0 in the cache, cleared by a DUP from 0
    /// where the design does so.
    fn mark_backing(&mut self, at: Entry, set: bool) {
        let sticky = self.config.policy.virt.is_some_and(|v| v.sticky_cache_only);
        if !self.dev(at.dev()).virt || (!set && sticky) {
            return;
        }
        if let Some(phys) = self.vword(at).phys() {
            self.change(phys, 1, |word| word.with_cache_only(set));
        }
    }

    /// Replaces the words of a range in one cluster in place, in ascending order.
    #[inline]
    pub(super) fn change(&mut self, at: Entry, nr: u64, with: impl FnMut(Word) -> Word) {
        let (c, slot) = self.split_off(at.off());
        let Some(dev) = self.devices.get_mut(at.dev() as usize) else { return };
        if let Some(cluster) = dev.clusters.get_mut(c as usize) {
            cluster.replace(slot..slot + nr as usize, with);
        }
    }

    /// One user less for each slot of a range, cut at cluster borders (`swap_put_entries_direct`): uncached slots
    /// without users left are freed in batches. With `reclaim` (zap, truncation) the folios of physical slots that
    /// only the cache holds now are given up as well.
    ///
    /// # Errors
    /// [`Fault::Range`], [`Fault::NotUsed`], [`Fault::NoCount`]; the clusters before the faulty one have changed.
    pub fn put<O: Oracle + ?Sized>(
        &mut self,
        at: Entry,
        nr: u64,
        reclaim: bool,
        oracle: &mut O,
    ) -> Result<(), Fault> {
        let mut done = 0;
        while done < nr {
            let from = at.add(done);
            let room = (1 << self.shift) - self.split_off(from.off()).1 as u64;
            let part = room.min(nr - done);
            self.put_cluster(from, part, reclaim, oracle)?;
            done += part;
        }
        Ok(())
    }

    fn put_cluster<O: Oracle + ?Sized>(
        &mut self,
        at: Entry,
        nr: u64,
        reclaim: bool,
        oracle: &mut O,
    ) -> Result<(), Fault> {
        let (d, c, slot) = self.locate(at, nr)?;
        let cluster = &self.dev(d).clusters[c as usize];
        for i in 0..nr {
            let word = cluster.word(slot + i as usize);
            if !word.is_used() {
                return Err(Fault::NotUsed(at.add(i)));
            }
            if word.count() == 0 {
                return Err(Fault::NoCount(at.add(i)));
            }
        }
        let (mut need, mut batch) = (false, 0);
        for i in 0..nr {
            let word = self.word(at.add(i));
            if word.count() == 1 && !word.is_cached() {
                batch += 1;
                continue;
            }
            if word.count() == 1 {
                need = true;
                self.mark_backing(at.add(i), true);
            }
            self.lower(at.add(i));
            if batch > 0 {
                self.release(d, c, slot + (i - batch) as usize, batch);
                batch = 0;
            }
        }
        if batch > 0 {
            self.release(d, c, slot + (nr - batch) as usize, batch);
        }
        let wanted = reclaim && (need || self.config.policy.put_always_reclaims);
        if wanted && !self.dev(d).virt {
            let mut pos = at.off();
            while pos < at.off() + nr {
                let result = self.reclaim_one(Entry::new(d, pos), Mode::UnmappedOrFull, oracle);
                pos += 1;
                if result != 0 {
                    pos = pos.next_multiple_of(result.unsigned_abs());
                }
            }
        }
        Ok(())
    }
}

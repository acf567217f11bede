//! The swap cache as the tables show it: folios come in (`swap_cache_add_folio`), leave (`__swap_cache_del_folio`),
//! and are split.

use super::charge::Cgroup;
use super::oracle::FolioFacts;
use super::vword::Backing;
use super::word::{Kind, Word};
use super::{Fault, Model};
use vswap_common::Entry;

/// Why a folio leaves the swap cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Removal {
    /// Reclaim took the clean folio of this memcg (`__remove_mapping`); cgroup v1 moves its charge to the slots.
    Reclaimed {
        /// Memcg id, used on cgroup v1 only.
        memcg: u16,
    },
    /// Anything else: the folio lives on outside the cache.
    Dropped,
}

impl Model {
    /// A folio of `order` for swapin enters the cache at `at`, aligned down (`swap_cache_add_folio`,
    /// `swap_cache_alloc_folio`). For a large one on the virtual device the backings must suit too.
    ///
    /// # Errors
    /// [`Fault::Cached`] (`EEXIST`), [`Fault::NotUsed`], [`Fault::Mixed`] (`EBUSY`).
    pub fn cache_add(&mut self, at: Entry, order: u8, pfn: u64) -> Result<(), Fault> {
        let nr = 1u64 << order.min(16);
        let head = Entry::new(at.dev(), at.off() & !(nr - 1));
        let (d, c, slot) = self.locate(head, nr)?;
        let cluster = &self.dev(d).clusters[c as usize];
        let (zero, id) = (cluster.word(slot).zero(), cluster.id(slot));
        for i in 0..nr as usize {
            let word = cluster.word(slot + i);
            match word.kind() {
                Kind::Pfn => return Err(Fault::Cached(head.add(i as u64))),
                Kind::Shadow if word.zero() != zero || cluster.id(slot + i) != id => {
                    return Err(Fault::Mixed(head));
                }
                Kind::Shadow => {}
                _ => return Err(Fault::NotUsed(head.add(i as u64))),
            }
        }
        if nr > 1 && !self.swapin_uniform(head, nr) {
            return Err(Fault::Mixed(head));
        }
        self.unrecord_v1(d, c, slot, nr as usize);
        self.change(head, nr, |word| word.replaced(Word::pfn(pfn, order)));
        Ok(())
    }

    /// The backings of a virtual range allow one large swapin: all the same kind, physical ones consecutive; never
    /// in zswap (`vswap_can_swapin_thp`, in RFC v2 part of the cache add). True for direct-mapped slots.
    pub fn swapin_uniform(&self, head: Entry, nr: u64) -> bool {
        let Some(rules) = self.config.policy.virt else { return true };
        if !self.device(head.dev()).is_some_and(|d| d.virt) {
            return true;
        }
        let first = self.vword(head).backing(rules.tags);
        let v2 = rules.reclaims_owner;
        (0..nr).all(|i| match (first, self.vword(head.add(i)).backing(rules.tags)) {
            (Backing::Phys(first), Backing::Phys(this)) => this == first.add(i),
            (Backing::Zero, Backing::Zero) => true,
            (Backing::None, Backing::None) => v2,
            _ => false,
        })
    }

    /// cgroup v1: a slot that is swapped in is no longer charged (`mem_cgroup_swapin_uncharge_swap`).
    fn unrecord_v1(&mut self, d: u8, c: u32, slot: usize, nr: usize) {
        if self.config.cgroup != Cgroup::V1 {
            return;
        }
        self.devices[d as usize].clusters[c as usize].replace(slot..slot + nr, |word| {
            self.charges.uncharge(word.id(), 1);
            self.charges.drop_refs(word.id(), 1);
            word.with_id(0)
        });
    }

    /// The folio cached at `at` leaves the cache (`__swap_cache_del_folio`): its words keep count and flags, slots
    /// without users are freed. Returns the slots freed.
    ///
    /// # Errors
    /// [`Fault::NotCached`].
    pub fn cache_del(&mut self, at: Entry, shadow: u64, why: Removal) -> Result<u64, Fault> {
        let (head, nr) = self.cached_folio(at)?;
        let (d, c, slot) = self.locate(head, nr)?;
        if let (Cgroup::V1, Removal::Reclaimed { memcg }) = (self.config.cgroup, why) {
            let id = self.charges.online(memcg);
            self.charges.hold(id, nr);
            self.charges.charge(id, nr);
            self.set_ids(head, nr as usize, id);
        }
        self.note_uncache(head, self.word(head).order());
        let unused = (0..nr).filter(|&i| self.word(head.add(i)).count() == 0).count() as u64;
        self.change(head, nr, |word| word.replaced(Word::shadow(shadow, 0)));
        if unused == nr {
            self.release(d, c, slot, nr);
            return Ok(nr);
        }
        for i in 0..nr {
            let at = head.add(i);
            if self.word(at).count() == 0 {
                self.release(d, c, slot + i as usize, 1);
            } else if matches!(self.backing(at), Some(Backing::None | Backing::Folio)) {
                self.alarms.lost_data += 1;
            }
        }
        Ok(unused)
    }

    /// Head and size of the folio cached at `at`; every slot of it must be cached.
    pub(super) fn cached_folio(&self, at: Entry) -> Result<(Entry, u64), Fault> {
        let word = self.word(at);
        if !word.is_cached() {
            return Err(Fault::NotCached(at));
        }
        let nr = 1u64 << word.order();
        let head = Entry::new(at.dev(), at.off() & !(nr - 1));
        match (0..nr).find(|&i| !self.word(head.add(i)).is_cached()) {
            Some(i) => Err(Fault::NotCached(head.add(i))),
            None => Ok((head, nr)),
        }
    }

    /// Gives up the slots of the folio cached at `at` if nobody uses them (`folio_free_swap`). True if it did.
    ///
    /// # Errors
    /// [`Fault::NotCached`].
    pub fn free_folio_swap(&mut self, at: Entry, facts: FolioFacts) -> Result<bool, Fault> {
        let (head, nr) = self.cached_folio(at)?;
        if facts.writeback || facts.suspended || !self.unused(head, nr) {
            return Ok(false);
        }
        self.cache_del(head, 0, Removal::Dropped)?;
        Ok(true)
    }

    /// The folio cached at `at` is split into folios of `order`, or replaced by one of another page frame
    /// (`__swap_cache_replace_folio`).
    ///
    /// # Errors
    /// [`Fault::NotCached`], and [`Fault::Mixed`] for an order above the folio's.
    pub fn split(&mut self, at: Entry, order: u8, pfn: u64) -> Result<(), Fault> {
        let (head, nr) = self.cached_folio(at)?;
        if 1u64 << order.min(16) > nr {
            return Err(Fault::Mixed(head));
        }
        let mut i = 0;
        self.change(head, nr, |word| {
            let part = pfn + (i >> order << order);
            i += 1;
            word.replaced(Word::pfn(part, order))
        });
        Ok(())
    }
}

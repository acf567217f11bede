//! Giving up slots that only the swap cache holds (`__try_to_reclaim_swap`, `swap_reclaim_full_clusters`).

use super::oracle::Oracle;
use super::vword::{Backing, Vword};
use super::word::Kind;
use super::{Fault, Flag, ListId, Model, Step};
use vswap_common::Entry;

/// When reclaim of a folio is wanted (`TTRS_*`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// Always.
    Anyway,
    /// If the folio is not mapped, or swap is full.
    UnmappedOrFull,
}

impl Model {
    /// Tries to give up the folio cached at `at` (`__try_to_reclaim_swap`): pages freed, or the negative size of a
    /// folio that stays, or 0 where nothing is cached.
    pub(super) fn reclaim_one<O: Oracle + ?Sized>(&mut self, at: Entry, mode: Mode, oracle: &mut O) -> i64 {
        let word = self.word(at);
        if !word.is_cached() {
            return 0;
        }
        let nr = 1u64 << word.order();
        let head = Entry::new(at.dev(), at.off() & !(nr - 1));
        let facts = oracle.folio(head, word.order());
        let wanted = match mode {
            Mode::Anyway => true,
            Mode::UnmappedOrFull => !facts.mapped || self.swap_full() || facts.memcg_full,
        };
        let idle = facts.lockable && !facts.writeback && !facts.suspended;
        let result = if wanted && idle && self.unused(head, nr) {
            self.note_uncache(head, word.order());
            let (c, slot) = self.split_off(head.off());
            self.release(head.dev(), c, slot, nr);
            nr as i64
        } else {
            -(nr as i64)
        };
        self.note(Step::Reclaim(head, result));
        result
    }

    /// Every slot of the range is cached and has no user (`folio_swapped` is false).
    pub(super) fn unused(&self, head: Entry, nr: u64) -> bool {
        (0..nr).all(|i| self.word(head.add(i)).is_cache_only())
    }

    /// Walks up to `budget` full clusters and gives up what only the cache holds (`swap_reclaim_full_clusters`).
    /// Walks one even when the budget is 0, as the kernel's loop does.
    pub(super) fn full_reclaim<O: Oracle + ?Sized>(&mut self, d: u8, mut budget: u64, oracle: &mut O) {
        loop {
            let unlocked = self.dev(d).lists.iter(ListId::Full).find(|&c| !oracle.locked(d, c));
            self.note(Step::Isolate(d, ListId::Full, unlocked));
            let Some(c) = unlocked else { break };
            self.shift_to(d, c, Flag::None);
            budget = budget.saturating_sub(1);
            let base = self.dev(d).base(c);
            let end = self.dev(d).max.min(base + self.dev(d).cluster_slots());
            let mut pos = base;
            while pos < end {
                if self.config.policy.virt.is_none() {
                    // Without Pointers only cache-only slots matter, and the marks name them.
                    let slot = self.dev(d).clusters[c as usize].next_cache_only((pos - base) as usize);
                    let Some(next) = slot.map(|slot| base + slot as u64).filter(|&next| next < end) else {
                        break;
                    };
                    pos = next;
                }
                let at = Entry::new(d, pos);
                let word = self.dev(d).word(pos);
                let skip = match word.kind() {
                    Kind::Pfn if word.count() == 0 => {
                        self.reclaim_one(at, Mode::Anyway, oracle).unsigned_abs()
                    }
                    Kind::Pointer if word.cache_only_backing() => self.reclaim_backing(at, oracle),
                    _ => 0,
                };
                pos += skip.max(1);
            }
            if self.dev(d).clusters[c as usize].flag == Flag::None {
                self.relocate(d, c);
            }
            if budget == 0 {
                break;
            }
        }
    }

    /// Takes the backing of a cached virtual slot away: its data is in the folio (`vswap_reclaim_backing`). Returns
    /// the slots to skip. RFC v2 gives up the owner's virtual slots as well.
    fn reclaim_backing<O: Oracle + ?Sized>(&mut self, at: Entry, oracle: &mut O) -> u64 {
        let owner = self.word(at).owner();
        let word = self.word(owner);
        let Some(rules) = self.config.policy.virt else { return 1 };
        if !word.is_cached() || self.vword(owner).phys() != Some(at) {
            return 1;
        }
        let nr = 1u64 << word.order();
        let head = Entry::new(owner.dev(), owner.off() & !(nr - 1));
        let facts = oracle.folio(head, word.order());
        if !facts.lockable || facts.suspended {
            return if rules.reclaims_owner { nr } else { 1 };
        }
        let idle = self.unused(head, nr) && !facts.writeback;
        let (c, slot) = self.split_off(head.off());
        if rules.reclaims_owner {
            if idle {
                self.release(head.dev(), c, slot, nr);
            }
            return nr;
        }
        // RFC v1 looks at neither users nor writeback, and starts at the owner instead of the folio's head. Both
        // lose data; the model says so and leaves the slots alone.
        if !idle {
            self.alarms.backing_in_use += 1;
        } else if owner != head {
            self.alarms.foreign_backing += 1;
        } else {
            self.release_backing(c, slot, nr as usize);
            self.fill_vwords(c, slot, nr as usize, Vword::new(Backing::Folio, rules.tags));
        }
        1
    }

    /// Reclaim of full clusters that was queued when a device filled up (`swap_reclaim_work`).
    ///
    /// # Errors
    /// [`Fault::NoDevice`].
    pub fn run_reclaim_worker<O: Oracle + ?Sized>(&mut self, d: u8, oracle: &mut O) -> Result<(), Fault> {
        let dev = self.device(d).ok_or(Fault::NoDevice(d))?;
        let budget = dev.inuse / dev.cluster_slots();
        self.dev_mut(d).reclaim_queued = false;
        self.full_reclaim(d, budget, oracle);
        Ok(())
    }
}

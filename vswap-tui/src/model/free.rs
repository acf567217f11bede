//! Freeing slots (`swap_entries_free`) and what becomes of the cluster.

use super::cluster::Touch;
use super::word::{Kind, Word};
use super::{Fault, Flag, ListId, Model, Step};
use vswap_common::Entry;

impl Model {
    /// Frees slots of one cluster that are in use, in one batch, whatever their count (`swap_entries_free`). This is
    /// what a trace's free event is; counts and the swap cache are the caller's business.
    ///
    /// # Errors
    /// [`Fault::Range`], [`Fault::NoDevice`], or [`Fault::NotUsed`] for the first slot that is free, bad or a backing.
    pub fn free_slots(&mut self, at: Entry, nr: u64) -> Result<(), Fault> {
        let (d, c, slot) = self.locate(at, nr)?;
        let cluster = &self.dev(d).clusters[c as usize];
        let unused = (0..nr).find(|&i| !cluster.word(slot + i as usize).is_used());
        if let Some(i) = unused {
            return Err(Fault::NotUsed(at.add(i)));
        }
        self.release(d, c, slot, nr);
        Ok(())
    }

    /// Frees used slots: backing first, then words, ids and charges, then the cluster's list.
    pub(super) fn release(&mut self, d: u8, c: u32, slot: usize, nr: u64) {
        let virt = self.dev(d).virt;
        if self.steps.is_some() {
            self.note_free(d, c, slot, nr);
        }
        if virt {
            self.release_backing(c, slot, nr as usize);
        }
        let slots = slot..slot + nr as usize;
        let dev = &mut self.devices[d as usize];
        let cluster = &mut dev.clusters[c as usize];
        if let Some(cells) = cluster.tables.as_mut().and_then(|t| t.extend.as_mut()) {
            cells[slots.clone()].fill(0);
        }
        let charges = &mut self.charges;
        // Memcg ids are let go of run by run (`swap_cgroup_clear`, `mem_cgroup_uncharge_swap`).
        let mut let_go = |id, len| {
            if !virt {
                charges.uncharge(id, len);
            }
            charges.drop_refs(id, len);
        };
        let (mut id, mut len) = (0, 0);
        let mut off = (u64::from(c) << self.shift) + slot as u64;
        cluster.replace(slots, |word| {
            if word.in_zswap() {
                self.zswap_direct -= 1;
                dev.trees.remove(off);
            }
            off += 1;
            self.audit.words_freed += u64::from(!word.is_null());
            if word.id() != id {
                let_go(id, len);
                (id, len) = (word.id(), 0);
            }
            len += 1;
            Word::NULL
        });
        let_go(id, len);
        if !virt {
            self.audit.physical_words_freed += nr;
        }
        self.finish_free(d, c, nr);
    }

    fn note_free(&mut self, d: u8, c: u32, slot: usize, nr: u64) {
        let at = Entry::new(d, self.dev(d).base(c) + slot as u64);
        self.note(Step::Free(at, nr as u16));
        for i in 0..nr {
            if self.word(at.add(i)).in_zswap() {
                self.note(Step::Invalidate(at.add(i)));
            }
        }
    }

    /// Frees a run of physical slots that backed virtual ones (the run lies in one cluster).
    pub(super) fn release_pointers(&mut self, at: Entry, nr: u64) {
        let Ok((d, c, slot)) = self.locate(at, nr) else { return };
        self.devices[d as usize].clusters[c as usize].replace(slot..slot + nr as usize, |word| {
            debug_assert_eq!(word.kind(), Kind::Pointer);
            self.audit.words_freed += u64::from(!word.is_null());
            Word::NULL
        });
        self.audit.physical_words_freed += nr;
        self.finish_free(d, c, nr);
    }

    /// Counters, avail list and cluster list after words became NULL (`swap_range_free`,
    /// `__swap_cluster_free_entries`).
    #[inline]
    fn finish_free(&mut self, d: u8, c: u32, nr: u64) {
        let dev = &mut self.devices[d as usize];
        let cluster = &mut dev.clusters[c as usize];
        cluster.count -= nr as u16;
        cluster.touch = Touch::Free;
        let empty = cluster.count == 0;
        self.audit.count_freed += nr;
        self.audit.inuse_freed += nr;
        dev.inuse -= nr;
        let back = dev.off_avail && dev.writeok;
        if back {
            dev.off_avail = false;
        }
        if !dev.virt {
            self.nr += nr as i64;
            self.audit.nr_freed += nr;
            if back {
                self.append_avail(d);
            }
        }
        if empty {
            self.free_cluster(d, c);
        } else {
            self.shift_to(d, c, Flag::Nonfull);
        }
    }

    /// An empty cluster goes to the discard list, away (virtual), or to the free list (`free_cluster`).
    pub(super) fn free_cluster(&mut self, d: u8, c: u32) {
        let dev = self.dev(d);
        if dev.virt {
            self.bury(c);
        } else if dev.page_discard && dev.writeok {
            self.shift_to(d, c, Flag::Discard);
            self.dev_mut(d).discard_queued = true;
        } else {
            self.make_free(d, c);
        }
    }

    /// To the tail of the free list, without tables (`__free_cluster`).
    pub(super) fn make_free(&mut self, d: u8, c: u32) {
        self.dev_mut(d).depopulate(c);
        self.shift_to(d, c, Flag::Free);
        self.dev_mut(d).clusters[c as usize].order = 0;
    }

    /// Erases an empty virtual cluster; its index is the next one's (`vswap_free_cluster`).
    pub(super) fn bury(&mut self, c: u32) {
        self.shift_to(0, c, Flag::Dead);
        let dev = self.dev_mut(0);
        dev.depopulate(c);
        dev.clusters[c as usize].order = 0;
        dev.indices.put(c);
    }

    /// Discards up to `most` waiting clusters of a device, in order, and returns how many
    /// (`swap_do_scheduled_discard`).
    ///
    /// # Errors
    /// [`Fault::NoDevice`].
    pub fn run_discard_worker(&mut self, d: u8, most: u32) -> Result<u32, Fault> {
        self.device(d).ok_or(Fault::NoDevice(d))?;
        let mut done = 0;
        while done < most
            && let Some(c) = self.dev(d).lists.first(ListId::Discard)
        {
            self.make_free(d, c);
            done += 1;
        }
        let waiting = !self.dev(d).lists.is_empty(ListId::Discard);
        self.dev_mut(d).discard_queued = waiting;
        Ok(done)
    }

    /// Discards of the first active device that has any, before an order 0 allocation gives up
    /// (`swap_sync_discard`).
    pub(super) fn discard_first(&mut self) -> u32 {
        for at in 0..self.active.len() {
            let d = self.active[at];
            if self.dev(d).page_discard
                && let Ok(done @ 1..) = self.run_discard_worker(d, u32::MAX)
            {
                return done;
            }
        }
        0
    }
}

//! The scan of one cluster (`alloc_swap_scan_cluster`) and what a found range changes.

use super::cluster::Touch;
use super::oracle::Oracle;
use super::request::{Mismatch, Payload, Request, Search};
use super::word::{Kind, Word};
use super::{Flag, Model, Step};
use vswap_common::Entry;

/// What a range of slots offers (`cluster_scan_range`).
enum Range {
    Free,
    /// All free or cache-only: worth trying to reclaim.
    Reclaimable,
    Taken,
}

#[inline]
fn check(words: &[Word], full: bool) -> Range {
    let mut range = Range::Free;
    for word in words {
        if !word.is_null() {
            if !(full && word.is_cache_only()) {
                return Range::Taken;
            }
            range = Range::Reclaimable;
        }
    }
    range
}

impl Model {
    /// Looks for a free aligned range from offset `off` on, takes it, puts the cluster where it belongs now and
    /// stores the next offset in the cache, 0 when there is none or nothing was found.
    pub(super) fn scan_cluster<O: Oracle + ?Sized>(
        &mut self,
        request: &mut Request,
        d: u8,
        c: u32,
        off: u64,
        oracle: &mut O,
    ) -> Search {
        let nr = request.nr();
        let (base, slots) = (self.dev(d).base(c), self.dev(d).cluster_slots());
        let (mut found, mut next) = (None, 0);
        request.walk.scans += 1;
        let last = slots - nr;
        let mut pos = off - base;
        if u64::from(self.dev(d).clusters[c as usize].count) + nr > slots {
            pos = slots;
        }
        while pos <= last {
            let full = self.swap_full() && self.heeds_full(d);
            let Some(tables) = &self.dev(d).clusters[c as usize].tables else { break };
            let Some((at, need)) = first_fit(&tables.words[..slots as usize], pos, nr, full) else { break };
            pos = at;
            if need {
                match self.reclaim_range(request.order, d, c, pos, oracle) {
                    None => break,
                    Some(false) => {
                        pos += nr;
                        continue;
                    }
                    Some(true) => {}
                }
            }
            if !self.dev(d).writeok {
                break;
            }
            let at = Entry::new(d, base + pos);
            if !oracle.agrees(at) {
                return Err(Mismatch(at));
            }
            self.install(request, d, c, pos);
            found = Some(base + pos);
            if u64::from(self.dev(d).clusters[c as usize].count) < slots && pos + nr <= last {
                next = base + pos + nr;
            }
            break;
        }
        if self.steps.is_some() {
            self.note(Step::Scan(d, c, off, found));
        }
        self.relocate(d, c);
        self.store_next(request, d, next);
        Ok(found)
    }

    /// Remembers where the next scan of this order starts.
    #[inline]
    pub(super) fn store_next(&mut self, request: &Request, d: u8, next: u64) {
        let order = request.order as usize;
        let dev = &mut self.devices[d as usize];
        if dev.virt {
            self.cpus[request.cpu].virt[order] = next;
        } else if dev.solid_state {
            let cache = &mut self.cpus[request.cpu];
            cache.dev[order] = d;
            cache.off[order] = next;
        } else {
            dev.shared[order] = next;
        }
    }

    /// Writes the words of a found range (`cluster_alloc_range`) and accounts them (`swap_range_alloc`).
    #[inline]
    pub(super) fn install(&mut self, request: &Request, d: u8, c: u32, slot: u64) {
        let nr = request.nr();
        let dev = &mut self.devices[d as usize];
        let cluster = &mut dev.clusters[c as usize];
        let Some(tables) = &mut cluster.tables else { return };
        for (i, word) in tables.words[slot as usize..(slot + nr) as usize].iter_mut().enumerate() {
            *word = request.word(i as u64);
        }
        if cluster.count == 0 {
            cluster.order = request.order;
        }
        cluster.count += nr as u16;
        if !cluster.direct && !matches!(request.payload, Payload::Backing(_)) {
            cluster.direct = true;
            dev.direct += 1;
        }
        dev.inuse += nr;
        if dev.virt {
            return;
        }
        if dev.inuse == dev.pages && !dev.off_avail {
            dev.off_avail = true;
            self.avail.retain(|&x| x != d);
            if self.swap_full() {
                self.dev_mut(d).reclaim_queued = true;
            }
        }
        self.nr -= nr as i64;
    }

    /// Puts a scanned cluster on the list its count asks for (`relocate_cluster`).
    #[inline]
    pub(super) fn relocate(&mut self, d: u8, c: u32) {
        let slots = self.dev(d).cluster_slots();
        let cluster = &mut self.dev_mut(d).clusters[c as usize];
        match (cluster.flag, u64::from(cluster.count)) {
            (Flag::Discard | Flag::Dead, _) | (Flag::Free, 0) => {}
            (_, 0) => self.free_cluster(d, c),
            (_, count) => {
                cluster.touch = Touch::Scan;
                self.shift_to(d, c, if count >= slots { Flag::Full } else { Flag::Frag });
            }
        }
    }

    /// Tries to empty a range whose slots are free or cache-only (`cluster_reclaim_range`). `None`: the cluster
    /// cannot be used any more; else whether the range is free now.
    fn reclaim_range<O: Oracle + ?Sized>(
        &mut self,
        order: u8,
        d: u8,
        c: u32,
        pos: u64,
        oracle: &mut O,
    ) -> Option<bool> {
        let base = self.dev(d).base(c);
        for slot in pos..pos + (1 << order) {
            let word = self.dev(d).clusters[c as usize].word(slot as usize);
            match word.kind() {
                Kind::Null => {}
                Kind::Pfn if word.count() == 0 => {
                    if self.reclaim_one(Entry::new(d, base + slot), super::reclaim::Mode::Anyway, oracle) < 0
                    {
                        break;
                    }
                }
                _ => break,
            }
        }
        let cluster = &self.dev(d).clusters[c as usize];
        if !cluster.usable(order) {
            return None;
        }
        let range = pos as usize..(pos + (1 << order)) as usize;
        Some(cluster.tables.as_ref().is_some_and(|t| t.words[range].iter().all(|w| w.is_null())))
    }
}

/// First range at or behind `pos`, in steps of `nr`, that is free or may be reclaimed (then true).
#[inline]
fn first_fit(words: &[Word], pos: u64, nr: u64, full: bool) -> Option<(u64, bool)> {
    if nr == 1 {
        // Most requests, and most words are taken: no inner loop for them.
        let words = words.get(pos as usize..)?;
        let at = if full {
            words.iter().position(|w| w.is_null() || w.is_cache_only())
        } else {
            words.iter().position(|w| w.is_null())
        }?;
        return Some((pos + at as u64, !words[at].is_null()));
    }
    let nr = nr as usize;
    for (i, range) in words.get(pos as usize..)?.chunks_exact(nr).enumerate() {
        match check(range, full) {
            Range::Taken => {}
            Range::Free => return Some((pos + (i * nr) as u64, false)),
            Range::Reclaimable => return Some((pos + (i * nr) as u64, true)),
        }
    }
    None
}

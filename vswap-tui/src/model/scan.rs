//! The scan of one cluster (`alloc_swap_scan_cluster`) and what a found range changes.

use super::cluster::Touch;
use super::oracle::Oracle;
use super::request::{Mismatch, Payload, Request, Search};
use super::word::Kind;
use super::{Flag, Model, Step};
use vswap_common::Entry;

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
            let cluster = &self.dev(d).clusters[c as usize];
            let fit = cluster.first_fit(pos as usize, nr as usize, slots as usize, full);
            let Some((at, need)) = fit else { break };
            pos = at as u64;
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
        let mut i = 0;
        cluster.replace(slot as usize..(slot + nr) as usize, |_| {
            i += 1;
            request.word(i - 1)
        });
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
        Some((pos..pos + (1 << order)).all(|slot| cluster.word(slot as usize).is_null()))
    }
}

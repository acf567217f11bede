//! Requests for slots: what a thread does between the begin of its search and its end, and the model's answer to the same
//! request.

use super::replay::Checker;
use super::request::{Look, Request, Witness};
use crate::decode::Event;
use crate::model::cache::Removal;
use crate::model::{End, Folio, ListId};
use crate::recorded::{self, MAX_THREADS};
use vswap_common::Entry;

impl Checker {
    pub(super) fn begin(&mut self, e: &Event) {
        if self.requests.len() >= MAX_THREADS {
            self.requests.clear();
        }
        let foreign_before = self.foreign(e.cpu);
        let request =
            Request { begun: true, cpu: e.cpu, order: e.order, foreign_before, ..Request::default() };
        self.requests.insert(e.tid, request);
    }

    /// The thread's search, if it is in one.
    pub(super) fn searching(&mut self, tid: u32) -> Option<&mut Request> {
        self.requests.get_mut(&tid).filter(|r| !r.told)
    }

    pub(super) fn isolate(&mut self, e: &Event) {
        let Some(dev) = self.model.device(e.entry.dev()) else { return };
        let look = Look::of(e, dev.cluster_of(e.entry.off()));
        if let Some(request) = self.searching(e.tid) {
            request.look(look);
        } else if let (Some(ListId::Full), Some(c)) = (look.list, look.found) {
            // The worker that reclaims from full clusters; what it frees there is told as it happens.
            // It takes one at a time.
            self.put_back(|dev| dev == look.dev);
            self.model.isolate_full(look.dev, c);
            self.held.push((look.dev, c));
        } else if self.virt {
            self.backings.look(e.tid, look);
        }
    }

    pub(super) fn allocated(&mut self, e: &Event) {
        if self.on_virtual(e.entry) && !self.reaches(e.entry.off() + u64::from(e.nr)) {
            return self.lose();
        }
        let mut request = self.requests.remove(&e.tid).filter(|r| !r.told).unwrap_or_default();
        // Only a swapoff that was given up gives slots again (`reinsert_swap_info`).
        if self.model.device(e.entry.dev()).is_some_and(|dev| !dev.writeok) {
            let _ = self.model.swapoff_abort(e.entry.dev());
        }
        let told = self.on_virtual(e.entry) || self.priorities[usize::from(e.entry.dev())].is_some();
        self.used_untold |= u32::from(!told) << e.entry.dev();
        let folio = Folio { pfn: self.pfn(), order: e.order, memcg: 0 };
        let mut witness = Witness { took: Some(e.entry), reclaimed: &request.reclaimed };
        let outcome = self.model.alloc_folio(e.cpu.into(), folio, &mut witness);
        let agreed = outcome.end == End::Done;
        self.judge(e, &request, Some(e.entry), &outcome, agreed);
        if !agreed {
            self.moves.forget();
            self.model.clear_steps();
        }
        // What was reclaimed to make room lies under the new slots now.
        let taken = if agreed { 1u64 << e.order } else { 0 };
        self.settle(&request, |at| at.dev() == e.entry.dev() && at.off().wrapping_sub(e.entry.off()) < taken);
        if !agreed && self.model.force_alloc(e.cpu.into(), folio, e.entry).is_err() {
            self.fault();
        }
        // A refused charge is told after this; the search is over.
        request.told = true;
        self.requests.insert(e.tid, request);
    }

    /// A slot without a folio. Not one of the requests that are compared: the trace does not tell its begin.
    pub(super) fn hibernated(&mut self, e: &Event) {
        let mut witness = Witness { took: Some(e.entry), reclaimed: &[] };
        let took = self.model.alloc_hibernation(e.cpu.into(), e.entry.dev(), &mut witness);
        if took != Some(e.entry) && self.model.force_hibernation(e.cpu.into(), e.entry).is_err() {
            self.fault();
        }
    }

    pub(super) fn refused(&mut self, e: &Event) {
        let Some(request) = self.requests.remove(&e.tid).filter(|r| !r.told) else { return };
        if recorded::not_looked(e) {
            return;
        }
        self.result.refused += 1;
        let folio = Folio { pfn: self.pfn(), order: request.order, memcg: 0 };
        let mut witness = Witness { took: None, reclaimed: &request.reclaimed };
        let outcome = self.model.alloc_folio(e.cpu.into(), folio, &mut witness);
        let agreed = outcome.end == End::NoSpace;
        self.judge(e, &request, None, &outcome, agreed);
        if !agreed {
            self.moves.forget();
            self.model.clear_steps();
        }
        self.settle(&request, |_| false);
    }

    /// What the thread freed on its way and the model did not is freed now, except slots that are `taken` again.
    fn settle(&mut self, request: &Request, taken: impl Fn(Entry) -> bool) {
        for &head in request.reclaimed.iter().filter(|head| !taken(**head)) {
            if self.model.word(head).is_cached() && self.model.cache_del(head, 0, Removal::Dropped).is_err() {
                self.fault();
            }
        }
        for &(run, nr) in &request.freed {
            for i in 0..u64::from(nr) {
                if !taken(run.add(i)) {
                    self.free_used(run.add(i), 1);
                }
            }
        }
    }
}

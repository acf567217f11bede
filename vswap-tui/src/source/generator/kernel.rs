//! The generated kernel: the reference allocator does the work, and each step it reports becomes the record that the
//! hook on the kernel's function would write, in the order in which Linux 7.3 does things.
//!
//! ```text
//! out:       AllocBegin [Isolate.. CacheDel Free ClusterMove..] Alloc [ClusterMove] Charge | AllocFail ; Dup
//!            Zero | ZswapStore | ZswapPage.. ZswapStore | ZswapReject (Write .. WriteEnd | WriteoutReject)
//! reclaimed: CacheDel(SWAPOUT)
//! in:        CacheAdd  LoadZero | ZswapFree LoadZswap | LoadPhys .. ReadEnd ; Put [CacheDel Free]
//! given up:  Put | CacheDel ; Free ZswapFree.. [ClusterMove]
//! writeback: CacheAdd ZswapFree Write(WRITEBACK) .. WriteEnd CacheDel(SWAPOUT)
//! ```

use super::machine::{self, DEVICES};
use super::ring::{Ring, about, draft};
use super::runs::{Io, Runs};
use crate::model::cache::Removal;
use crate::model::{End, Fault, Flag, Folio, FolioFacts, ListId, Model, Oracle, Step};
use vswap_common::slot::CLUSTER_SLOTS;
use vswap_common::why::Refusal;
use vswap_common::{Entry, Kind, Record, flags};

const ENOMEM: i32 = -12;

/// Answers the model's questions from the state of the generated processes.
pub(super) struct Eyes<'a> {
    runs: &'a Runs,
    /// The cgroup in question has used half of what it may (`mem_cgroup_swap_full`).
    memcg_full: bool,
}

impl<'a> Eyes<'a> {
    /// For questions where no cgroup's limit matters.
    pub(super) const fn on(runs: &'a Runs) -> Self {
        Self { runs, memcg_full: false }
    }
}

impl Oracle for Eyes<'_> {
    fn folio(&mut self, head: Entry, _order: u8) -> FolioFacts {
        let Some((_, run)) = self.runs.at(head) else { return FolioFacts::LOCKED };
        FolioFacts {
            lockable: run.io != Some(Io::Read),
            writeback: run.io == Some(Io::Write),
            mapped: run.mapped > 0,
            memcg_full: self.memcg_full,
            suspended: false,
        }
    }
}

/// The allocator, zswap and what the hooks see of both.
pub(super) struct Kernel {
    pub(super) model: Model,
    pub(super) ring: Ring,
    pub(super) runs: Runs,
    /// Compressed length of each slot that is in zswap.
    pub(super) lens: [Vec<u16>; DEVICES],
    sizes: [u64; DEVICES],
    /// Compressed bytes in zswap.
    pub(super) pool_bytes: u64,
    /// What zswap will say if it refuses the next store.
    pub(super) refusal: Refusal,
    next_pfn: u64,
    refused: u64,
}

impl Kernel {
    /// A kernel without devices; `sizes` of those to come, slots.
    pub(super) fn new(mut model: Model, ring: Ring, sizes: [u64; DEVICES]) -> Self {
        model.record_steps();
        Self {
            model,
            ring,
            runs: Runs::new(&sizes),
            lens: sizes.map(|slots| vec![0; slots as usize]),
            sizes,
            pool_bytes: 0,
            refusal: Refusal::Unknown,
            next_pfn: 1 << 18,
            refused: 0,
        }
    }

    /// Requests of the generated processes that the model refused: always 0, unless the generator has lost track.
    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn cpu(&self) -> usize {
        self.ring.cpu().into()
    }

    pub(super) fn pfn(&mut self, order: u8) -> u64 {
        let pfn = self.next_pfn.next_multiple_of(1 << order);
        self.next_pfn = pfn + (1 << order);
        pfn
    }

    /// A folio asks for slots; `inode` is that of its cgroup's directory.
    pub(super) fn alloc(&mut self, order: u8, memcg: u16, inode: u64) -> Result<Entry, End> {
        self.ring.push(Record { order, ..draft(Kind::AllocBegin) });
        let folio = Folio { pfn: self.pfn(order), order, memcg };
        let outcome = self.model.alloc_folio(self.cpu(), folio, &mut Eyes::on(&self.runs));
        let mut slot = None;
        for i in 0..self.model.steps().len() {
            let step = self.model.steps()[i];
            if let Step::Scan(d, _, _, Some(off)) = step {
                let at = Entry::new(d, off);
                self.ring.push(about(Kind::Alloc, at, 1 << order, order));
                slot = Some(at);
            } else if let (Step::Uncache(_), Some(at)) = (step, slot) {
                // The charge was refused: the folio leaves the cache again, its slots go.
                self.charge(at, order, 0, ENOMEM);
            }
            self.tell(step, 0);
        }
        self.model.clear_steps();
        match (outcome.end, outcome.slot) {
            (End::Done, Some(at)) => {
                self.charge(at, order, inode, 0);
                Ok(at)
            }
            (end, _) => {
                let free = u64::try_from(self.model.free_pages()).unwrap_or(0);
                let flags = if slot.is_some() { flags::GIVEN } else { 0 };
                self.ring.push(Record { val: ENOMEM, arg: free + 1, flags, order, ..draft(Kind::AllocFail) });
                Err(end)
            }
        }
    }

    fn charge(&mut self, at: Entry, order: u8, inode: u64, val: i32) {
        let memcg = if val == 0 { self.model.memcg(at) } else { 0 };
        let record = about(Kind::Charge, at, 1 << order, order);
        self.ring.push(Record { val, memcg, arg: inode, flags: flags::MEMCG, ..record });
    }

    /// One more reference to each slot, told at the function's entry.
    pub(super) fn dup(&mut self, at: Entry, nr: u16, order: u8) {
        self.ring.push(about(Kind::Dup, at, nr, order));
        let done = self.model.dup(at, nr.into(), &mut Eyes::on(&self.runs));
        self.check(done);
    }

    /// One reference less to each slot of a run in one cluster; with `reclaim` what only the cache holds goes too.
    pub(super) fn put(&mut self, at: Entry, nr: u16, reclaim: bool) {
        self.ring.push(Record { val: reclaim.into(), ..about(Kind::Put, at, nr, 0) });
        let mut eyes = Eyes { runs: &self.runs, memcg_full: self.memcg_used(self.model.memcg(at), 2) };
        let done = self.model.put(at, nr.into(), reclaim, &mut eyes);
        self.check(done);
        self.tell_all(0);
    }

    /// The cgroup or one above it has used at least one `part`th of the slots it may (`swap.max`).
    pub(super) fn memcg_used(&self, mut memcg: u16, part: u64) -> bool {
        while memcg != 0 {
            let group = self.model.charges().get(memcg);
            if group.swap.saturating_mul(part) >= group.limit {
                return true;
            }
            memcg = group.parent;
        }
        false
    }

    /// A folio of one page enters the cache for a slot in use.
    pub(super) fn cache_add(&mut self, at: Entry) {
        let pfn = self.pfn(0);
        self.tell_cache_add(at);
        let done = self.model.cache_add(at, 0, pfn);
        self.check(done);
        self.set_cached(at, true);
    }

    pub(super) fn tell_cache_add(&mut self, at: Entry) {
        let (zero, memcg) = (self.model.word(at).zero(), self.model.memcg(at));
        self.ring.push(Record { memcg, flags: words(zero), ..about(Kind::CacheAdd, at, 1, 0) });
    }

    /// Reclaim takes the clean folio cached at `at`.
    pub(super) fn cache_del(&mut self, at: Entry) {
        let memcg = self.model.memcg(at);
        let done = self.model.cache_del(at, 0, Removal::Reclaimed { memcg }).map(drop);
        self.check(done);
        self.tell_all(flags::SWAPOUT);
        self.set_cached(at, false);
    }

    /// The folio cached at `at` gives its slots up if nobody uses them (`folio_free_swap`).
    pub(super) fn free_swap(&mut self, at: Entry) {
        let facts = Eyes::on(&self.runs).folio(at, 0);
        let done = self.model.free_folio_swap(at, facts).map(drop);
        self.check(done);
        self.tell_all(0);
    }

    pub(super) fn set_cached(&mut self, at: Entry, cached: bool) {
        if let Some((id, _)) = self.runs.at(at)
            && let Some(run) = self.runs.get_mut(id)
        {
            run.cached = cached;
        }
    }

    /// The worker discards clusters of device `d` that wait for it.
    pub(super) fn discard(&mut self, d: u8) {
        let done = self.model.run_discard_worker(d, u32::MAX).map(drop);
        self.check(done);
        self.tell_all(0);
    }

    /// The worker that looks for slots only the cache holds, after device `d` filled up.
    pub(super) fn reclaim_full(&mut self, d: u8) {
        let done = self.model.run_reclaim_worker(d, &mut Eyes::on(&self.runs));
        self.check(done);
        self.tell_all(0);
    }

    /// A device comes.
    pub(super) fn swapon(&mut self) {
        if let Some(record) = machine::swapon(&mut self.model, self.sizes) {
            self.ring.push(record);
        }
    }

    /// Device `d` is to go: no more slots on it. No hook sees that.
    pub(super) fn swapoff_begins(&mut self, d: u8) {
        let done = self.model.swapoff_begin(d);
        self.check(done);
    }

    /// Device `d`, of which nothing is used any more, goes.
    pub(super) fn swapoff_ends(&mut self, d: u8) {
        let done = self.model.swapoff_finish(d);
        self.check(done);
        self.ring.push(Record { entry: Entry::new(d, 0).0, ..draft(Kind::SwapOff) });
    }

    /// Records of all steps since the last call.
    pub(super) fn tell_all(&mut self, uncache: u16) {
        for i in 0..self.model.steps().len() {
            self.tell(self.model.steps()[i], uncache);
        }
        self.model.clear_steps();
    }

    /// The record of one step, if a hook sees it; `uncache` are more flags for folios that leave the cache.
    fn tell(&mut self, step: Step, uncache: u16) {
        match step {
            Step::Isolate(d, list, found) => {
                let Some((val, order)) = list_number(list) else { return };
                let entry = cluster(d, found.unwrap_or(0)).0;
                let nr = found.is_some().into();
                self.ring.push(Record { entry, nr, val, order, ..draft(Kind::Isolate) });
            }
            Step::Move(_, _, Flag::None | Flag::Dead, _) => {}
            Step::Move(d, c, flag, order) => {
                let arg = self.model.device(d).map_or(0, |dev| dev.pages);
                let (entry, val) = (cluster(d, c).0, flag as i32);
                self.ring.push(Record { entry, val, order, arg, ..draft(Kind::ClusterMove) });
            }
            Step::Uncache(folio) => {
                let record = about(Kind::CacheDel, folio.head, 1 << folio.order, folio.order);
                self.ring.push(Record { memcg: folio.memcg, flags: words(folio.zero) | uncache, ..record });
            }
            Step::Free(at, nr) => {
                self.ring.push(about(Kind::Free, at, nr, 0));
                self.runs.forget(at, nr);
            }
            Step::Invalidate(at) => self.entry_freed(at, 0),
            Step::Device(_) | Step::Scan(..) | Step::Reclaim(..) => {}
        }
    }

    pub(super) fn check(&mut self, done: Result<(), Fault>) {
        if let Err(fault) = done {
            debug_assert!(false, "the generator asked for what cannot be: {fault}");
            self.refused += 1;
        }
    }
}

/// First slot of a cluster.
const fn cluster(d: u8, c: u32) -> Entry {
    Entry::new(d, c as u64 * CLUSTER_SLOTS as u64)
}

/// What the hooks under the cluster lock read in the tables: owner known, words readable, zero or not.
const fn words(zero: bool) -> u16 {
    flags::MEMCG | flags::WORDS | if zero { flags::ZERO } else { 0 }
}

/// Number and order by which the hook on `isolate_lock_cluster` names a list.
const fn list_number(list: ListId) -> Option<(i32, u8)> {
    match list {
        ListId::Free => Some((Flag::Free as i32, 0)),
        ListId::Nonfull(order) => Some((Flag::Nonfull as i32, order)),
        ListId::Frag(order) => Some((Flag::Frag as i32, order)),
        ListId::Full => Some((Flag::Full as i32, 0)),
        ListId::Discard => None,
    }
}

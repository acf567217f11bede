//! What each kind of event means for the slots it names: one function a kind, as in kernel-facts of Linux 7.2/7.3.
//!
//! Events come in ring order. Those from hooks under the cluster lock (add, del, free) or under the folio lock
//! (store, reject, page, write, writeback) are in the order of what they describe, so they are believed even
//! against the map: a *contradiction* is counted and the event wins. Those recorded after the folio was unlocked
//! (zero, load) may be late; if their slots became free since they began they are an *inversion* and ignored.

use super::Collector;
use super::cluster::Word;
use super::finding::Clash;
use super::slot_map::Samples;
use crate::decode::Event;
use crate::snapshot::latency::Offender;
use crate::snapshot::why::Outcome;
use crate::snapshot::{Backend, Fault, LatencyKind, List};
use vswap_common::{Entry, Kind, flags};

impl Collector {
    /// Takes in one event.
    pub fn apply(&mut self, e: &Event) {
        self.advance(e.ts);
        self.events += 1;
        let pages = u64::from(e.nr);
        match e.kind {
            Kind::Gap => self.gap(e.arg),
            Kind::Alloc => self.alloc(e),
            Kind::AllocFail => {
                self.totals.alloc_fail += 1;
                self.fallback(e);
            }
            Kind::Hibernate => self.hibernate(e),
            Kind::Charge => self.charge(e),
            Kind::CacheAdd => self.cache_add(e),
            Kind::CacheDel => self.cache_del(e),
            Kind::Free => self.free(e),
            Kind::Zero => self.zero(e),
            Kind::WriteoutReject => {
                self.totals.writeout_reject += pages;
                self.causes.writeout(e, Outcome::Refused);
                self.only_copy_is_folio(e);
            }
            Kind::ZswapStore => self.zswap_store(e),
            Kind::ZswapReject => {
                self.totals.zswap_reject += pages;
                self.causes.refusal(e);
                self.only_copy_is_folio(e);
            }
            Kind::ZswapPage => self.in_zswap(e, true),
            Kind::ZswapFree => self.zswap_free(e),
            Kind::LoadZswap => {
                // The state changed with the `ZswapFree` inside the load; here the folio is unlocked already.
                self.totals.zswpin += pages;
                self.timed(LatencyKind::LoadZswap, e.arg, e);
            }
            Kind::LoadZero => self.load_zero(e),
            Kind::LoadPhys => self.load_phys(e),
            Kind::LoadFail => self.totals.io_error += pages,
            Kind::Write => self.write(e),
            Kind::WriteEnd => self.write_end(e),
            Kind::ReadEnd => self.read_end(e),
            Kind::SwapOn => {
                let linked = self.drop_links(e);
                let leftovers = self.map.switch_on(e);
                self.leak(e, leftovers || linked);
            }
            Kind::SwapOff => {
                let linked = self.drop_links(e);
                let leftovers = self.map.drop_device(e.entry.dev());
                self.leak(e, leftovers || linked);
            }
            Kind::ClusterMove => self.cluster_move(e),
            // References and the allocator's looks change neither place nor owner: they are for the model.
            Kind::Reserve => self.hold(e, true),
            Kind::Return => self.hold(e, false),
            Kind::Back => {
                self.totals.backed += u64::from(e.nr);
                self.touch_backing(e.entry, e.nr);
                self.back(e, Entry(e.arg), e.entry);
            }
            Kind::Unback => {
                self.totals.unbacked += u64::from(e.nr);
                self.unback(e);
            }
            Kind::Release => self.release(e),
            Kind::Dup | Kind::Put | Kind::Isolate | Kind::AllocBegin => {}
            Kind::ScanBegin => self.scan_begin(e),
            Kind::ScanDevice => self.scan_device(e),
            Kind::ScanCluster => self.scan_cluster(e),
            Kind::ScanSlots => self.scan_slots(e),
            Kind::ScanBacked => self.scan_backed(e),
            // Its path comes with an update.
            Kind::ScanOwner => {}
            // For the model.
            Kind::ScanCandidate | Kind::SwapOffBegin => {}
            Kind::ScanEnd => self.scan_end(e),
            Kind::Shrink => self.causes.shrink(e),
        }
        self.attribute(e);
    }

    /// Counts the pages an event moves for their owner: out, in, or written back by zswap.
    #[inline]
    fn attribute(&mut self, e: &Event) {
        let count: fn(&mut super::memcg::Row) -> &mut u64 = match e.kind {
            Kind::Write if e.writeback() => |row| &mut row.written_back,
            Kind::Zero | Kind::ZswapStore | Kind::Write => |row| &mut row.out,
            Kind::LoadZswap | Kind::LoadZero | Kind::LoadPhys => |row| &mut row.into,
            _ => return,
        };
        let owner = self.owner(e);
        *count(self.map.sums.memcgs.row_mut(owner)) += u64::from(e.nr);
    }

    /// Owner of the event's slots: what it read itself, else what the map knows.
    fn owner(&self, e: &Event) -> u16 {
        if e.has_memcg() { e.memcg } else { self.map.owner(e.entry) }
    }

    /// Adds a sample that this event ends.
    #[inline]
    pub(super) fn timed(&mut self, kind: LatencyKind, ns: u64, e: &Event) {
        if self.latencies.record(kind, ns) {
            let owner = self.owner(e);
            self.latencies.blame(Offender::of(kind, ns, e, owner));
        }
    }

    /// Rewrites the run; `change` gets a flag to raise when it meets what cannot be.
    #[inline]
    pub(super) fn rewrite(&mut self, e: &Event, mut change: impl FnMut(Word, &mut Clash) -> Word) {
        let mut clash = Clash::default();
        let mut samples = Samples { latencies: &mut self.latencies, causes: &mut self.causes };
        let found = self.map.rewrite(e, &mut samples, |old| change(old, &mut clash));
        if !clash.none() {
            self.contradiction(e, clash);
        }
        self.losses.untracked += u64::from(!found);
    }

    #[cold]
    pub(super) fn contradiction(&mut self, e: &Event, clash: Clash) {
        self.losses.contradictions += 1;
        self.found.note(e, clash);
    }

    /// A device went, or came anew, and left slots in use behind. What a loss put in doubt may have been freed unseen.
    fn leak(&mut self, e: &Event, leftovers: bool) {
        if leftovers {
            let mut clash = Clash::default();
            clash.raise(Fault::LeakAtSwapoff, true);
            self.contradiction(e, clash);
        }
    }

    /// `__swap_cache_add_folio` from the allocator: words were NULL, the fresh folio is the only copy.
    fn alloc(&mut self, e: &Event) {
        self.totals.alloc += u64::from(e.nr);
        let fresh = owner(Word::FREE.with_backend(Backend::Folio).with_cached(true).with_order(e.order), e);
        self.rewrite(e, |old, clash| {
            clash.raise(Fault::DoubleAllocation, old.used() && old.confirmed());
            fresh
        });
    }

    /// `swap_alloc_hibernation_slot`: of nobody, and what will be in it is written to the device past the swap cache.
    /// Its word is that of a page on the device, too.
    fn hibernate(&mut self, e: &Event) {
        self.totals.hibernate += u64::from(e.nr);
        self.rewrite(e, |old, clash| {
            clash.raise(Fault::DoubleAllocation, old.used() && old.confirmed());
            Word::FREE.with_backend(Backend::Phys).with_placed(true)
        });
    }

    /// `__mem_cgroup_try_charge_swap` returned, folio still locked. After a refusal del and free follow.
    fn charge(&mut self, e: &Event) {
        if e.val != 0 || !e.has_memcg() {
            return;
        }
        self.rewrite(e, |old, clash| {
            // Nothing happens between allocation and charge, so a slot first met here is a fresh one.
            let word = if old.used() {
                let other = old.memcg() != 0 && old.memcg() != e.memcg;
                clash.raise(Fault::TwoOwners, old.confirmed() && other);
                old
            } else {
                clash.raise(Fault::ChargeWithoutBacking, old.confirmed());
                let word = claimed(old, e, &mut Clash::default()).with_cached(true);
                word.with_backend(Backend::Folio).with_placed(true)
            };
            word.with_memcg(e.memcg)
        });
    }

    /// `__swap_cache_do_add_folio` for slots in use: swap-in, readahead, zswap writeback.
    fn cache_add(&mut self, e: &Event) {
        self.rewrite(e, |old, clash| {
            clash.raise(Fault::TwoOwners, old.cached() && old.confirmed());
            zero_word(owner(claimed(old, e, clash).with_cached(true), e), e, clash)
        });
    }

    /// `__swap_cache_do_del_folio`. Reclaim drops a folio only when its data is elsewhere; if the map thinks the
    /// folio is the only copy, something was missed.
    fn cache_del(&mut self, e: &Event) {
        let by_reclaim = e.flags & flags::SWAPOUT != 0;
        self.rewrite(e, |old, clash| {
            clash.raise(Fault::NotCached, old.used() && !old.cached() && old.confirmed());
            let word = zero_word(owner(claimed(old, e, clash).with_cached(false), e), e, clash);
            if by_reclaim && word.backend() == Backend::Folio {
                clash.raise(Fault::LostBacking, word.confirmed());
                return word.with_backend(Backend::None).with_placed(false);
            }
            word
        });
    }

    /// `__swap_cluster_free_entries`: the only place where words return to NULL.
    fn free(&mut self, e: &Event) {
        self.totals.free += u64::from(e.nr);
        self.recent_frees.push(e.ts, e.entry, e.nr);
        self.rewrite(e, |old, clash| {
            clash.raise(Fault::FreeOfFreeSlot, old.confirmed() && !old.used());
            clash.raise(Fault::FreeInCache, old.confirmed() && old.used() && old.cached());
            Word::FREE
        });
        self.retire(e);
    }

    /// `swap_writeout` found zeroes only; recorded at its exit, after the unlock.
    fn zero(&mut self, e: &Event) {
        self.totals.swpout_zero += u64::from(e.nr);
        self.causes.writeout(e, Outcome::Zero);
        let mut late = self.recent_frees.freed_since(e.ts.saturating_sub(e.arg), e.entry, e.nr);
        if !late {
            self.rewrite(e, |old, _| {
                // Surely free, and not freed in the meantime: this record is from further back than we remember.
                late |= !old.used() && old.confirmed();
                if late {
                    return old;
                }
                let word =
                    if old.used() { old } else { claimed(old, e, &mut Clash::default()).with_cached(true) };
                word.with_backend(Backend::Zero).with_placed(true)
            });
        }
        self.losses.inversions += u64::from(late);
    }

    /// `zswap_store` took none of the folio, or `swap_writeout` gave up (`AOP_WRITEPAGE_ACTIVATE`); the folio is
    /// locked and dirty, so whatever the slots held before is stale.
    fn only_copy_is_folio(&mut self, e: &Event) {
        self.rewrite(e, |old, clash| held(old, e, clash).with_backend(Backend::Folio).with_placed(true));
    }

    /// `zswap_store` took every page.
    fn zswap_store(&mut self, e: &Event) {
        self.totals.zswpout += u64::from(e.nr);
        self.causes.writeout(e, Outcome::Zswap);
        self.timed(LatencyKind::StoreZswap, e.arg, e);
        // Lengths of the pages of a large folio came one by one before.
        self.in_zswap(e, e.nr == 1);
    }

    fn in_zswap(&mut self, e: &Event, has_len: bool) {
        self.rewrite(e, |old, clash| {
            let word = held(old, e, clash).with_backend(Backend::Zswap).with_placed(true);
            if has_len { word.with_len(e.val) } else { word }
        });
    }

    /// `zswap_entry_free`. In a load or a store the folio is locked and now the only copy. Otherwise it is the
    /// writeback of a cached slot, or the invalidation that follows every free and finds the slot free: that may
    /// even happen inside another folio's store, when the cgroup's zswap limit makes the store write back.
    fn zswap_free(&mut self, e: &Event) {
        let locked = e.flags & (flags::IN_LOAD | flags::IN_STORE) != 0;
        self.rewrite(e, |old, clash| {
            // The slot is free, or becomes so at once.
            if (!old.used() && old.confirmed()) || e.flags & (flags::IN_FREE | flags::MOVED) != 0 {
                return old;
            }
            if locked {
                return held(old, e, clash).with_backend(Backend::Folio).with_placed(true);
            }
            match old.backend() {
                Backend::Zswap | Backend::None if old.used() && old.cached() => {
                    old.with_backend(Backend::Folio)
                }
                Backend::Zswap => {
                    clash.raise(Fault::LostBacking, old.confirmed());
                    old.with_backend(Backend::None).with_placed(false)
                }
                _ => old,
            }
        });
    }

    fn cluster_move(&mut self, e: &Event) {
        let list = List::from_kernel(e.val);
        self.totals.discards += u64::from(list == List::Discard);
        let index = e.entry.off() / super::cluster::SLOTS as u64;
        let device = self.map.device_mut(e.entry.dev());
        device.dirty = true;
        device.move_cluster(index, list, e.order);
    }

    /// Records are missing at this place. How many is not always known; at least one.
    fn gap(&mut self, lost: u64) {
        self.losses.gaps += 1;
        self.lost_in_gaps = self.lost_in_gaps.saturating_add(lost.max(1));
        self.doubt();
    }

    /// From here on the map may be wrong anywhere.
    pub(super) fn doubt(&mut self) {
        self.map.doubt_everything();
        self.scanning.doubt(self.last_ts);
        self.reads.forget();
        self.writes.forget();
    }
}

/// The slot is in use. If the map did not know (it was attached late), its place is unknown.
#[inline]
fn claimed(old: Word, e: &Event, clash: &mut Clash) -> Word {
    if old.used() {
        return old;
    }
    clash.raise(Fault::UseOfFreeSlot, old.confirmed());
    Word::UNKNOWN.with_backend(Backend::None).with_order(e.order)
}

/// The slot is in use and its folio locked in the swap cache.
#[inline]
pub(super) fn held(old: Word, e: &Event, clash: &mut Clash) -> Word {
    clash.raise(Fault::NotCached, old.used() && old.confirmed() && !old.cached());
    claimed(old, e, clash).with_cached(true)
}

/// Takes over the owner the event read from the kernel's table. The event has the id of the run's first slot only,
/// so for more than one it fills in what is unknown and changes nothing.
#[inline]
fn owner(word: Word, e: &Event) -> Word {
    if e.has_memcg() && (e.nr == 1 || !word.owned() || word.memcg() == 0) {
        word.with_memcg(e.memcg)
    } else {
        word
    }
}

/// Brings a word in line with the zero flag that the event read under the cluster lock, where that is the truth.
/// Folio to zero is no contradiction: the late record of the zero writeout may have been ignored.
#[inline]
fn zero_word(word: Word, e: &Event, clash: &mut Clash) -> Word {
    if !e.words_known() {
        return word;
    }
    match (e.zero_flag(), word.backend()) {
        (true, backend) => {
            clash.raise(
                Fault::ZeroFlag,
                word.confirmed() && !matches!(backend, Backend::Zero | Backend::Folio),
            );
            word.with_backend(Backend::Zero).with_placed(true)
        }
        (false, Backend::Zero) => {
            clash.raise(Fault::ZeroFlag, word.confirmed());
            word.with_backend(Backend::None).with_placed(false)
        }
        (false, _) => word,
    }
}

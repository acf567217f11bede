//! Where the data of a slot is, and how it moves: writeout, zswap, physical backing of virtual slots
//! (`swap_writeout`, `folio_realloc_swap`, `vswap_release_backing`, `zswap_writeback_entry`).

use super::cache::Removal;
use super::charge::Cgroup;
use super::oracle::Oracle;
use super::request::{Mismatch, Payload, Request};
use super::vword::{Backing, Vword};
use super::{Fault, FolioFacts, Model, Walk};
use vswap_common::Entry;

/// What reclaim and zswap made of the folio that is written out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Writeout {
    /// Every page is zero-filled.
    pub zero: bool,
    /// Pages that zswap stored, from the head on, before one failed; all of them for a full store.
    pub stored: u64,
    /// The memcg lets zswap write back (`memory.zswap.writeback`).
    pub writeback_allowed: bool,
}

/// Where the folio went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// Nobody uses the slots: given up.
    Freed,
    /// Marked zero.
    Zero,
    /// In zswap.
    Zswap,
    /// To these slots of a device; for a direct-mapped folio its own.
    Device(Entry),
    /// Stays in memory, dirty and active again.
    Reactivated,
    /// The kernel took other physical slots than these.
    Mismatch(Entry),
}

/// Why a folio has no physical backing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoBacking {
    /// No slots.
    NoSpace,
    /// The memcg refused the charge.
    Refused,
    /// The kernel took other slots than these.
    Mismatch(Entry),
}

/// Highest device number that a vword can hold: the kernel shifts the entry left by three bits and would lose the
/// rest. The model refuses such a backing and raises an alarm.
pub(super) const WIDEST_TYPE: u8 = 7;

impl Model {
    /// Backing of a used slot, in one vocabulary for all designs: a direct-mapped slot that was written is its own
    /// physical slot, a cached one without a place is only in the folio. `None` where the slot is not in use.
    pub fn backing(&self, at: Entry) -> Option<Backing> {
        let word = self.word(at);
        if !word.is_used() {
            return None;
        }
        if let (true, Some(rules)) = (self.dev(at.dev()).virt, self.config.policy.virt) {
            return Some(match self.vword(at).backing(rules.tags) {
                Backing::None if word.zero() => Backing::Zero,
                backing => backing,
            });
        }
        Some(match (word.zero(), word.in_zswap(), word.written(), word.is_cached()) {
            (true, ..) => Backing::Zero,
            (_, true, ..) => Backing::Zswap(at.off()),
            (_, _, true, _) => Backing::Phys(at),
            (.., true) => Backing::Folio,
            _ => Backing::None,
        })
    }

    /// Writes the locked folio cached at `at` out (`swap_writeout`).
    ///
    /// # Errors
    /// [`Fault::NotCached`].
    pub fn writeout<O: Oracle + ?Sized>(
        &mut self,
        cpu: usize,
        at: Entry,
        how: Writeout,
        oracle: &mut O,
    ) -> Result<Written, Fault> {
        if self.free_folio_swap(at, FolioFacts::IDLE)? {
            return Ok(Written::Freed);
        }
        let (head, nr) = self.cached_folio(at)?;
        let (d, c, slot) = self.locate(head, nr)?;
        let virt = self.dev(d).virt;
        if how.zero {
            self.write_zero(head, nr);
            return Ok(Written::Zero);
        }
        self.change(head, nr, |word| word.with_zero(false));
        if virt {
            self.prepare(c, slot, nr as usize);
        }
        if self.zswap_store(head, nr, how.stored.min(nr)) {
            return Ok(Written::Zswap);
        }
        if !how.writeback_allowed {
            return Ok(Written::Reactivated);
        }
        if !virt {
            self.place(head, nr, false, true);
            return Ok(Written::Device(head));
        }
        self.prepare(c, slot, nr as usize);
        let order = nr.trailing_zeros() as u8;
        Ok(match self.realloc(cpu, head, order, oracle).1 {
            Ok(phys) => Written::Device(phys),
            Err(NoBacking::Mismatch(at)) => Written::Mismatch(at),
            Err(NoBacking::NoSpace | NoBacking::Refused) => Written::Reactivated,
        })
    }

    /// All pages zero: no data anywhere else (`swap_zeromap_folio_set`, ZERO vwords in RFC v1).
    pub(super) fn write_zero(&mut self, head: Entry, nr: u64) {
        let (c, slot) = self.split_off(head.off());
        match self.config.policy.virt {
            Some(rules) if self.dev(head.dev()).virt => {
                self.release_backing(c, slot, nr as usize);
                self.fill_vwords(c, slot, nr as usize, Vword::new(Backing::Zero, rules.tags));
                if rules.tags == super::vword::Tags::Rfc1 {
                    return;
                }
            }
            _ => self.place(head, nr, false, false),
        }
        self.change(head, nr, |word| word.with_zero(true));
    }

    /// Place of direct-mapped data, with the count of zswap entries.
    fn place(&mut self, head: Entry, nr: u64, zswap: bool, written: bool) {
        for i in 0..nr {
            let at = head.add(i);
            match (self.word(at).in_zswap(), zswap) {
                (false, true) => {
                    self.zswap_direct += 1;
                    self.dev_mut(at.dev()).trees.insert(at.off());
                }
                (true, false) => {
                    self.zswap_direct -= 1;
                    self.dev_mut(at.dev()).trees.remove(at.off());
                }
                _ => {}
            }
            self.change(at, 1, |word| word.with_place(zswap, written));
        }
    }

    /// Drops a backing that a new store must not meet (`vswap_prepare_writeout`). Looks at the head alone.
    fn prepare(&mut self, c: u32, slot: usize, nr: usize) {
        let Some(rules) = self.config.policy.virt else { return };
        match self.dev(0).clusters[c as usize].vword(slot).backing(rules.tags) {
            Backing::Phys(_) | Backing::Folio | Backing::None => {}
            Backing::Zero | Backing::Zswap(_) => {
                self.release_backing(c, slot, nr);
                self.fill_vwords(c, slot, nr, Vword::new(Backing::Folio, rules.tags));
            }
        }
    }

    /// `stored` pages of the folio go to zswap, page by page (`zswap_store`). True if that is all of them. A direct
    /// mapped folio that is not stored as a whole loses its older entries too.
    pub(super) fn zswap_store(&mut self, head: Entry, nr: u64, stored: u64) -> bool {
        let (c, slot) = self.split_off(head.off());
        let all = stored == nr;
        let Some(rules) = self.config.policy.virt.filter(|_| self.dev(head.dev()).virt) else {
            if all {
                self.place(head, nr, true, false);
            } else {
                (0..nr).for_each(|i| {
                    let written = self.word(head.add(i)).written();
                    self.place(head.add(i), 1, false, written);
                });
            }
            return all;
        };
        for i in 0..stored as usize {
            self.release_backing(c, slot + i, 1);
            let vword = Vword::new(Backing::Zswap(self.next_zswap), rules.tags);
            self.next_zswap += 1;
            self.zswap_virtual += 1;
            self.fill_vwords(c, slot + i, 1, vword);
        }
        if !all && rules.undoes_partial_store {
            self.release_backing(c, slot, stored as usize);
        }
        all
    }

    /// Physical slots for a virtual folio (`folio_realloc_swap`): those it has, or new ones of the same order,
    /// charged to the recorded memcg. The earlier backing is the caller's to release.
    pub fn realloc<O: Oracle + ?Sized>(
        &mut self,
        cpu: usize,
        head: Entry,
        order: u8,
        oracle: &mut O,
    ) -> (Walk, Result<Entry, NoBacking>) {
        if let Some(phys) = self.vword(head).phys() {
            return (Walk::default(), Ok(phys));
        }
        let mut request = Request::new(cpu, order, Payload::Backing(head));
        let found = self.physical_alloc(&mut request, oracle);
        let walk = request.walk;
        let phys = match found {
            Ok(Some(phys)) => phys,
            Ok(None) => return (walk, Err(NoBacking::NoSpace)),
            Err(Mismatch(at)) => return (walk, Err(NoBacking::Mismatch(at))),
        };
        let nr = 1u64 << order;
        if phys.dev() > WIDEST_TYPE {
            self.alarms.wide_type += 1;
            self.release_pointers(phys, nr);
            return (walk, Err(NoBacking::NoSpace));
        }
        let id = self.memcg(head);
        if self.config.cgroup == Cgroup::V2 && id != 0 {
            if !(self.charges.fits(id, nr) && oracle.charge(id, nr)) {
                self.release_pointers(phys, nr);
                return (walk, Err(NoBacking::Refused));
            }
            self.charges.charge(id, nr);
        }
        self.bind(head, phys, nr);
        (walk, Ok(phys))
    }

    /// Virtual slots from `head` on are backed by `phys` and following. Backing that is still there is let go of, with
    /// an alarm: the kernel looks at the head alone and would lose track of it.
    pub(super) fn bind(&mut self, head: Entry, phys: Entry, nr: u64) {
        let Some(rules) = self.config.policy.virt else { return };
        self.audit.reallocs += 1;
        self.audit.reallocs_broken += u64::from(!phys.off().is_multiple_of(nr));
        let (c, slot) = self.split_off(head.off());
        if (0..nr).any(|i| self.vword(head.add(i)).phys().is_some()) {
            self.alarms.leaked_backing += 1;
            self.release_backing(c, slot, nr as usize);
        }
        for i in 0..nr {
            self.fill_vwords(c, slot + i as usize, 1, Vword::new(Backing::Phys(phys.add(i)), rules.tags));
        }
        self.change(head, nr, |word| word.with_idled(word.count() == 0));
    }

    /// Sets the vwords of a virtual range. The number of zswap entries follows only what is written over.
    pub(super) fn fill_vwords(&mut self, c: u32, slot: usize, nr: usize, vword: Vword) {
        let Some(tables) = &mut self.dev_mut(0).clusters[c as usize].tables else { return };
        if let Some(range) = tables.vwords.get_mut(slot..slot + nr) {
            range.fill(vword);
        }
    }

    /// Lets go of the backing of virtual slots (`vswap_release_backing`): zswap entries at once, physical slots in
    /// runs that stay in one cluster, charges by recorded id.
    pub(super) fn release_backing(&mut self, c: u32, slot: usize, nr: usize) {
        let Some(rules) = self.config.policy.virt else { return };
        let mut run: Option<(Entry, u64)> = None;
        for i in slot..slot + nr {
            let cluster = &mut self.devices[0].clusters[c as usize];
            let Some(tables) = &mut cluster.tables else { return };
            let Some(vword) = tables.vwords.get_mut(i) else { return };
            let backing = std::mem::take(vword).backing(rules.tags);
            if rules.tags == super::vword::Tags::Rfc2 && tables.words()[i].zero() {
                cluster.replace(i..i + 1, |word| word.with_zero(false));
            }
            let id = cluster.id(i);
            match self.config.cgroup {
                Cgroup::V2 if matches!(backing, Backing::Phys(_)) => self.charges.uncharge(id, 1),
                // v1 takes the whole run off memsw here, whatever backs it; cached slots have no id.
                Cgroup::V1 => self.charges.uncharge(id, 1),
                _ => {}
            }
            if let Backing::Zswap(_) = backing {
                self.zswap_virtual -= 1;
            }
            let phys = if let Backing::Phys(phys) = backing { Some(phys) } else { None };
            run = match (run, phys) {
                (Some((at, len)), Some(phys))
                    if at.add(len) == phys && phys.off() & ((1 << self.shift) - 1) != 0 =>
                {
                    Some((at, len + 1))
                }
                (open, phys) => {
                    if let Some((at, len)) = open {
                        self.release_pointers(at, len);
                    }
                    phys.map(|phys| (phys, 1))
                }
            };
        }
        if let Some((at, len)) = run {
            self.release_pointers(at, len);
        }
    }

    /// zswap moves one compressed slot to a device (`zswap_writeback_entry`); `decompresses` false for the failure
    /// after the slot was found. On success the slot is cached, under writeback, until [`Model::cache_del`].
    ///
    /// # Errors
    /// [`Fault::Cached`] (`EEXIST`), [`Fault::NotUsed`], [`Fault::Backing`] if the slot is not in zswap.
    pub fn zswap_writeback<O: Oracle + ?Sized>(
        &mut self,
        cpu: usize,
        at: Entry,
        pfn: u64,
        decompresses: bool,
        oracle: &mut O,
    ) -> Result<Written, Fault> {
        if !matches!(self.backing(at).ok_or(Fault::NotUsed(at))?, Backing::Zswap(_)) {
            return Err(Fault::Backing(at));
        }
        let virt = self.dev(at.dev()).virt;
        self.cache_add(at, 0, pfn)?;
        let old = self.vword(at);
        let (c, slot) = self.split_off(at.off());
        if !virt {
            if decompresses {
                self.place(at, 1, false, true);
                return Ok(Written::Device(at));
            }
            self.cache_del(at, 0, Removal::Dropped)?;
            return Ok(Written::Reactivated);
        }
        match self.realloc(cpu, at, 0, oracle).1 {
            Ok(phys) if decompresses => {
                self.zswap_virtual -= 1;
                Ok(Written::Device(phys))
            }
            Ok(_) => {
                self.release_backing(c, slot, 1);
                self.fill_vwords(c, slot, 1, old);
                self.cache_del(at, 0, Removal::Dropped)?;
                Ok(Written::Reactivated)
            }
            Err(NoBacking::Mismatch(other)) => Ok(Written::Mismatch(other)),
            Err(NoBacking::NoSpace | NoBacking::Refused) => {
                self.cache_del(at, 0, Removal::Dropped)?;
                Ok(Written::Reactivated)
            }
        }
    }

    /// The folio cached at `at` is read in (`swap_read_folio`): zswap gives its entry up, the folio is dirty then;
    /// zero and physical backing stay. Returns where the data came from.
    ///
    /// # Errors
    /// [`Fault::NotCached`].
    pub fn swapin(&mut self, at: Entry) -> Result<Backing, Fault> {
        let (head, nr) = self.cached_folio(at)?;
        let source = self.backing(head).ok_or(Fault::NotUsed(head))?;
        if matches!(source, Backing::Zswap(_)) {
            let (c, slot) = self.split_off(head.off());
            match self.config.policy.virt {
                Some(rules) if self.dev(head.dev()).virt => {
                    self.release_backing(c, slot, nr as usize);
                    self.fill_vwords(c, slot, nr as usize, Vword::new(Backing::Folio, rules.tags));
                }
                _ => self.place(head, nr, false, false),
            }
        }
        Ok(source)
    }
}

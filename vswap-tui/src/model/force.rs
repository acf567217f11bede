//! Taking the kernel's word after a disagreement: its slot is installed as if the scan had found it.

use super::backend::NoBacking;
use super::charge::Cgroup;
use super::request::{Payload, Request};
use super::word::Kind;
use super::{Backing, Fault, Flag, Folio, Model, Oracle, Walk};
use vswap_common::Entry;

impl Model {
    /// Gives `folio` the slots from `at` on, on behalf of `cpu`: the cluster leaves its list, the words are written,
    /// the cluster is put where its count says, and the cache of the CPU points behind the slots. Slots that the
    /// model believed used are freed first; the number of those is returned. The charge is not refused.
    ///
    /// # Errors
    /// [`Fault::Range`], [`Fault::NoDevice`], [`Fault::NotUsed`] if a slot is bad or backs a virtual one.
    pub fn force_alloc(&mut self, cpu: usize, folio: Folio, at: Entry) -> Result<u64, Fault> {
        let evicted = self.force(cpu, folio.order, Payload::Folio(folio.pfn), at)?;
        let id = self.charges.online(folio.memcg);
        if self.config.cgroup == Cgroup::V2 && id != 0 {
            let nr = 1u64 << folio.order;
            if !self.dev(at.dev()).virt {
                self.charges.charge(id, nr);
            }
            self.charges.hold(id, nr);
            self.set_ids(at, nr as usize, id);
        }
        Ok(evicted)
    }

    /// The same for a slot of a hibernation image, which nobody is charged for.
    ///
    /// # Errors
    /// As [`Model::force_alloc`].
    pub fn force_hibernation(&mut self, cpu: usize, at: Entry) -> Result<u64, Fault> {
        self.force(cpu, 0, Payload::Hibernation, at)
    }

    /// The same for the physical backing `at` of the virtual folio at `owner`.
    ///
    /// # Errors
    /// As [`Model::force_alloc`]; [`Fault::Backing`] if the owner has physical backing already.
    pub fn force_backing(&mut self, cpu: usize, owner: Entry, order: u8, at: Entry) -> Result<u64, Fault> {
        let nr = 1u64 << order.min(16);
        let (_, c, slot) = self.locate(owner, nr)?;
        if at.dev() > super::backend::WIDEST_TYPE {
            self.alarms.wide_type += 1;
            return Err(Fault::NoDevice(at.dev()));
        }
        if !self.dev(owner.dev()).virt || !self.word(owner).is_cached() {
            return Err(Fault::NotCached(owner));
        }
        if (0..nr).any(|i| self.vword(owner.add(i)).phys().is_some()) {
            return Err(Fault::Backing(owner));
        }
        let evicted = self.force(cpu, order, Payload::Backing(owner), at)?;
        self.release_backing(c, slot, nr as usize);
        if self.config.cgroup == Cgroup::V2 {
            self.charges.charge(self.memcg(owner), nr);
        }
        self.bind(owner, at, nr);
        Ok(evicted)
    }

    /// A reclaim worker took the cluster off the full list to look for slots that only the cache holds.
    pub fn isolate_full(&mut self, d: u8, c: u32) {
        if self.cluster_state(d, c).is_some_and(|(flag, ..)| flag == Flag::Full) {
            self.shift_to(d, c, Flag::None);
        }
    }

    /// The worker put a cluster back that it had isolated and found full still (`relocate_cluster`).
    pub fn relocate_full(&mut self, d: u8, c: u32) {
        if self.cluster_state(d, c).is_some_and(|(flag, ..)| flag == Flag::None) {
            self.relocate(d, c);
        }
    }

    /// The kernel took physical slots for the virtual folio at `owner`, out of zswap or from its writeout: the model's
    /// own choice, with the way to it. `Err(Some(slot))` is a slot that the oracle disagrees with.
    ///
    /// # Errors
    /// [`Fault::NotCached`], [`Fault::Range`].
    pub fn tell_backing<O: Oracle + ?Sized>(
        &mut self,
        cpu: usize,
        owner: Entry,
        order: u8,
        oracle: &mut O,
    ) -> Result<(Walk, Result<Entry, Option<Entry>>), Fault> {
        let nr = 1u64 << order.min(16);
        self.locate_virtual(owner, nr)?;
        if !self.word(owner).is_cached() {
            return Err(Fault::NotCached(owner));
        }
        let in_zswap =
            (0..nr).filter(|&i| matches!(self.backing(owner.add(i)), Some(Backing::Zswap(_)))).count();
        let (walk, found) = self.realloc(cpu, owner, order, oracle);
        Ok(match found {
            Ok(phys) => {
                // The entry is freed after the write, and its place in the virtual table is taken now.
                self.zswap_virtual -= in_zswap as u64;
                (walk, Ok(phys))
            }
            Err(NoBacking::Mismatch(at)) => (walk, Err(Some(at))),
            Err(NoBacking::NoSpace | NoBacking::Refused) => (walk, Err(None)),
        })
    }

    /// Virtual slots gave up what held their data.
    ///
    /// # Errors
    /// [`Fault::Range`], [`Fault::NoDevice`].
    pub fn tell_released(&mut self, at: Entry, nr: u64) -> Result<(), Fault> {
        let (c, slot) = self.locate_virtual(at, nr)?;
        self.release_backing(c, slot, nr as usize);
        Ok(())
    }

    /// zswap took every page of virtual slots.
    ///
    /// # Errors
    /// As [`Model::tell_released`].
    pub fn tell_stored(&mut self, at: Entry, nr: u64) -> Result<(), Fault> {
        self.locate_virtual(at, nr)?;
        self.zswap_store(at, nr, nr);
        Ok(())
    }

    /// The pages of virtual slots are zero-filled.
    ///
    /// # Errors
    /// As [`Model::tell_released`].
    pub fn tell_zero(&mut self, at: Entry, nr: u64) -> Result<(), Fault> {
        self.locate_virtual(at, nr)?;
        self.write_zero(at, nr);
        Ok(())
    }

    /// The virtual slot that a physical one backs.
    pub fn owner_of(&self, phys: Entry) -> Option<Entry> {
        let word = self.word(phys);
        (word.kind() == Kind::Pointer).then(|| word.owner())
    }

    /// Cluster and slot of a range of virtual slots in use.
    fn locate_virtual(&self, at: Entry, nr: u64) -> Result<(u32, usize), Fault> {
        let (d, c, slot) = self.locate(at, nr)?;
        if !self.dev(d).virt {
            return Err(Fault::NoDevice(d));
        }
        match (0..nr).find(|&i| !self.word(at.add(i)).is_used()) {
            Some(i) => Err(Fault::NotUsed(at.add(i))),
            None => Ok((c, slot)),
        }
    }

    fn force(&mut self, cpu: usize, order: u8, payload: Payload, at: Entry) -> Result<u64, Fault> {
        let nr = 1u64 << order.min(16);
        let virt = self.device(at.dev()).is_some_and(|d| d.virt);
        if virt {
            let last = self.dev(at.dev()).max >> self.shift;
            let (c, _) = self.split_off(at.off());
            if c == 0 || u64::from(c) >= last {
                return Err(Fault::Range { at, nr });
            }
            self.dev_mut(at.dev()).ensure_cluster(c);
        }
        let (d, c, slot) = self.locate(at, nr)?;
        if order >= self.orders || !at.off().is_multiple_of(nr) {
            return Err(Fault::Range { at, nr });
        }
        let fixed = (0..nr).find(|&i| matches!(self.word(at.add(i)).kind(), Kind::Bad | Kind::Pointer));
        if let Some(i) = fixed {
            return Err(Fault::NotUsed(at.add(i)));
        }
        let mut evicted = 0;
        for i in 0..nr {
            if self.word(at.add(i)).is_used() {
                self.release(d, c, slot + i as usize, 1);
                evicted += 1;
            }
        }
        if self.dev(d).clusters[c as usize].flag == Flag::Discard {
            // The kernel's discard must have run already.
            self.make_free(d, c);
        }
        self.shift_to(d, c, Flag::None);
        let dev = self.dev_mut(d);
        if dev.virt {
            dev.indices.take(c);
        }
        dev.populate(c);
        let request = Request::new(cpu, order, payload);
        self.cpu_mut(cpu);
        self.install(&request, d, c, slot as u64);
        self.relocate(d, c);
        let dev = self.dev(d);
        let room = u64::from(dev.clusters[c as usize].count) < dev.cluster_slots();
        let next = if room && slot as u64 + 2 * nr <= dev.cluster_slots() { at.off() + nr } else { 0 };
        self.store_next(&request, d, next);
        Ok(evicted)
    }
}

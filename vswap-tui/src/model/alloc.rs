//! Allocation: from a folio to the cluster that is scanned (`folio_alloc_swap` in mm/swapfile.c).

use super::charge::Cgroup;
use super::oracle::{Memory, Oracle};
use super::request::{Mismatch, Payload, Request, Search};
use super::{End, Flag, ListId, Model, NO_DEVICE, Outcome, Path, Step, Walk};
use vswap_common::Entry;

/// A folio that wants slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Folio {
    /// First page frame; any number that tells folios apart.
    pub pfn: u64,
    /// Order: 2^order pages.
    pub order: u8,
    /// Memcg id of its owner, 0 for none.
    pub memcg: u16,
}

impl Model {
    /// Gives a folio its slots on behalf of `cpu`, the CPU that ran the scan (`folio_alloc_swap`).
    pub fn alloc_folio<O: Oracle + ?Sized>(&mut self, cpu: usize, folio: Folio, oracle: &mut O) -> Outcome {
        let mut outcome = Outcome {
            slot: None,
            end: End::NoSpace,
            virt: Walk::default(),
            phys: Walk::default(),
            discarded: 0,
        };
        if folio.order >= self.orders {
            return outcome;
        }
        match self.find(cpu, folio, &mut outcome, oracle) {
            Ok(None) => self.charges.fail(self.charges.online(folio.memcg)),
            Ok(Some(slot)) => {
                if self.charge_new(slot, folio, oracle) {
                    outcome.slot = Some(slot);
                    outcome.end = End::Done;
                } else {
                    outcome.end = End::Refused;
                    self.note_uncache(slot, folio.order);
                    let (c, at) = self.split_off(slot.off());
                    self.release(slot.dev(), c, at, 1 << folio.order);
                }
            }
            Err(Mismatch(at)) => outcome.end = End::Mismatch(at),
        }
        outcome
    }

    fn find<O: Oracle + ?Sized>(
        &mut self,
        cpu: usize,
        folio: Folio,
        outcome: &mut Outcome,
        oracle: &mut O,
    ) -> Result<Option<Entry>, Mismatch> {
        let mut request = Request::new(cpu, folio.order, Payload::Folio(folio.pfn));
        if self.config.policy.virt.is_some() {
            let found = self.virtual_alloc(&mut request, oracle);
            outcome.virt = std::mem::take(&mut request.walk);
            if let Some(off) = found? {
                return Ok(Some(Entry::new(0, off)));
            }
        }
        let mut found = self.physical_alloc(&mut request, oracle);
        if found == Ok(None) && folio.order == 0 {
            outcome.discarded = self.discard_first();
            if outcome.discarded > 0 {
                found = self.physical_alloc(&mut request, oracle);
            }
        }
        outcome.phys = request.walk;
        found
    }

    /// Records the owner of fresh slots and charges direct-mapped ones (`mem_cgroup_try_charge_swap`); false when
    /// the charge is refused. cgroup v1 records nothing yet.
    fn charge_new<O: Oracle + ?Sized>(&mut self, slot: Entry, folio: Folio, oracle: &mut O) -> bool {
        if self.config.cgroup != Cgroup::V2 || folio.memcg == 0 {
            return true;
        }
        let id = self.charges.online(folio.memcg);
        if id == 0 {
            return true;
        }
        let nr = 1u64 << folio.order;
        if !self.dev(slot.dev()).virt {
            if !(self.charges.fits(id, nr) && oracle.charge(id, nr)) {
                self.charges.fail(id);
                return false;
            }
            self.charges.charge(id, nr);
        }
        self.charges.hold(id, nr);
        self.set_ids(slot, nr as usize, id);
        true
    }

    /// Writes the memcg id of a range (`swap_cgroup_record`).
    pub(super) fn set_ids(&mut self, at: Entry, nr: usize, id: u16) {
        let (c, slot) = self.split_off(at.off());
        self.dev_mut(at.dev()).clusters[c as usize].record(slot..slot + nr, id);
    }

    /// Slots on the virtual device (`vswap_alloc_folio`).
    fn virtual_alloc<O: Oracle + ?Sized>(&mut self, request: &mut Request, oracle: &mut O) -> Search {
        let order = request.order;
        request.walk.path = Path::Fast;
        let cached = self.cpu_mut(request.cpu).virt[order as usize];
        let mut found = None;
        if cached != 0 {
            // The index may have a younger cluster by now: it is looked up afresh, as the kernel does.
            let (c, _) = self.split_off(cached);
            if self.dev(0).clusters.get(c as usize).is_some_and(|c| c.usable(order)) {
                found = self.scan_cluster(request, 0, c, cached, oracle)?;
            }
        }
        if found.is_none() {
            request.walk.path = Path::Slow;
            found = self.device_alloc(request, 0, oracle)?;
        }
        if found.is_none() {
            self.cpu_mut(request.cpu).virt[order as usize] = 0;
            self.rejects += request.nr();
        }
        Ok(found)
    }

    /// Slots on a physical device: the CPU's cached cluster, then the devices by priority (`swap_alloc_fast`,
    /// `swap_alloc_slow`).
    pub(super) fn physical_alloc<O: Oracle + ?Sized>(
        &mut self,
        request: &mut Request,
        oracle: &mut O,
    ) -> Result<Option<Entry>, Mismatch> {
        request.walk.path = Path::Fast;
        if let Some((d, off)) = self.fast(request, oracle)? {
            return Ok(Some(Entry::new(d, off)));
        }
        request.walk.path = Path::Slow;
        let mut tried = 0u32;
        let mut next = self.avail.first().copied();
        while let Some(d) = next {
            if tried >> d & 1 == 1 {
                // Every device failed and the rotation leads back to the first: the kernel would go round.
                self.alarms.spin += 1;
                break;
            }
            tried |= 1 << d;
            let at = self.avail.iter().position(|&x| x == d);
            let successor = at.and_then(|at| self.avail.get(at + 1).copied());
            self.rotate(d);
            request.walk.devices += 1;
            self.note(Step::Device(d));
            if let Some(off) = self.device_alloc(request, d, oracle)? {
                return Ok(Some(Entry::new(d, off)));
            }
            if request.order > 0 {
                break;
            }
            next = match successor {
                Some(s) if !self.avail.contains(&s) => self.avail.first().copied(),
                other => other,
            };
        }
        Ok(None)
    }

    /// The cached cluster of the CPU (`swap_alloc_fast`). No look at priorities.
    #[inline]
    fn fast<O: Oracle + ?Sized>(
        &mut self,
        request: &mut Request,
        oracle: &mut O,
    ) -> Result<Option<(u8, u64)>, Mismatch> {
        let order = request.order;
        let cache = self.cpu_mut(request.cpu);
        let (d, off) = (cache.dev[order as usize], cache.off[order as usize]);
        if d == NO_DEVICE || off == 0 || !self.dev(d).writeok {
            return Ok(None);
        }
        let (c, _) = self.split_off(off);
        let Some(cluster) = self.dev(d).clusters.get(c as usize) else { return Ok(None) };
        if !cluster.usable(order) {
            return Ok(None);
        }
        let start = if cluster.count == 0 { self.dev(d).base(c) } else { off };
        Ok(self.scan_cluster(request, d, c, start, oracle)?.map(|off| (d, off)))
    }

    /// A slot for a hibernation image on a fixed device (`swap_alloc_hibernation_slot`): one user, no folio.
    pub fn alloc_hibernation<O: Oracle + ?Sized>(
        &mut self,
        cpu: usize,
        d: u8,
        oracle: &mut O,
    ) -> Option<Entry> {
        self.device(d).filter(|dev| !dev.virt && dev.writeok)?;
        let mut request = Request::new(cpu, 0, Payload::Hibernation);
        let mut found = None;
        if self.cpu_mut(cpu).dev[0] == d {
            found = self.fast(&mut request, oracle).ok()?.map(|(_, off)| off);
        }
        if found.is_none() {
            found = self.device_alloc(&mut request, d, oracle).ok()?;
        }
        found.map(|off| Entry::new(d, off))
    }

    /// Tries one device (`cluster_alloc_swap_entry`).
    fn device_alloc<O: Oracle + ?Sized>(&mut self, request: &mut Request, d: u8, oracle: &mut O) -> Search {
        let order = request.order;
        let dev = self.dev(d);
        let (virt, rotational, discard) = (dev.virt, !dev.solid_state, dev.page_discard);
        if order > 0 && !dev.block_device && !virt {
            return Ok(None);
        }
        let top = order + 1 == self.orders && order > 0;
        if rotational {
            request.walk.visited |= Walk::SHARED;
            let off = dev.shared[order as usize];
            let (c, _) = self.split_off(off);
            if off != 0 && dev.clusters.get(c as usize).is_some_and(|c| c.usable(order)) {
                let start = if dev.clusters[c as usize].count == 0 { dev.base(c) } else { off };
                if let found @ Some(_) = self.scan_cluster(request, d, c, start, oracle)? {
                    return Ok(found);
                }
            }
        }
        if discard && let found @ Some(_) = self.scan_list(request, d, ListId::Free, false, oracle)? {
            return Ok(found);
        }
        if !top && let found @ Some(_) = self.scan_list(request, d, ListId::Nonfull(order), true, oracle)? {
            return Ok(found);
        }
        if virt && let found @ Some(_) = self.new_cluster(request, oracle)? {
            return Ok(found);
        }
        if !discard && let found @ Some(_) = self.scan_list(request, d, ListId::Free, false, oracle)? {
            return Ok(found);
        }
        if self.heeds_full(d) && self.swap_full() {
            request.walk.visited |= Walk::RECLAIM;
            self.full_reclaim(d, 1, oracle);
        }
        if !top && let found @ Some(_) = self.scan_list(request, d, ListId::Frag(order), false, oracle)? {
            return Ok(found);
        }
        if order == 0 {
            for k in 1..self.orders {
                if let found @ Some(_) = self.scan_list(request, d, ListId::Frag(k), true, oracle)? {
                    return Ok(found);
                }
                if let found @ Some(_) = self.scan_list(request, d, ListId::Nonfull(k), true, oracle)? {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    /// Takes clusters from the head of a list and scans them from their first slot (`alloc_swap_scan_list`).
    fn scan_list<O: Oracle + ?Sized>(
        &mut self,
        request: &mut Request,
        d: u8,
        list: ListId,
        all: bool,
        oracle: &mut O,
    ) -> Search {
        request.walk.visited |= 1 << list.index();
        // More rounds than clusters cannot lead anywhere; the kernel has no such bound and needs none.
        for _ in 0..=self.dev(d).lists.len(list) {
            let dev = self.dev(d);
            let unlocked = dev.lists.iter(list).find(|&c| !oracle.locked(d, c));
            self.note(Step::Isolate(d, list, unlocked));
            let Some(c) = unlocked else { return Ok(None) };
            let dev = self.dev(d);
            let order = dev.clusters[c as usize].order;
            let before = dev.clusters[c as usize].flag;
            let fresh = dev.clusters[c as usize].tables.is_none();
            self.shift_to(d, c, Flag::None);
            if fresh {
                if !oracle.memory(Memory::Tables) {
                    self.shift_to(d, c, Flag::Free);
                    return Ok(None);
                }
                self.dev_mut(d).populate(c);
            }
            let base = self.dev(d).base(c);
            let found = self.scan_cluster(request, d, c, base, oracle);
            if found.is_err() {
                self.take_back(d, c, before, order, fresh);
            }
            if !matches!(found, Ok(None)) || !all {
                return found;
            }
        }
        Ok(None)
    }

    /// Undoes the isolation of a cluster whose slot the kernel did not take: back to the head it came from.
    fn take_back(&mut self, d: u8, c: u32, flag: Flag, order: u8, fresh: bool) {
        let dev = self.dev_mut(d);
        if dev.clusters[c as usize].flag != Flag::None {
            return;
        }
        if fresh {
            dev.depopulate(c);
        }
        dev.clusters[c as usize].flag = flag;
        if let Some(list) = ListId::of(flag, order) {
            dev.lists.prepend(list, c);
        }
    }

    /// A new virtual cluster at the lowest unused index (`vswap_alloc_cluster`).
    fn new_cluster<O: Oracle + ?Sized>(&mut self, request: &mut Request, oracle: &mut O) -> Search {
        request.walk.visited |= Walk::NEW;
        let last = (self.dev(0).max >> self.shift) as u32 - 1;
        if !oracle.memory(Memory::VirtualCluster) {
            return Ok(None);
        }
        let dev = self.dev_mut(0);
        let Some(c) = dev.indices.take_lowest(last) else { return Ok(None) };
        dev.ensure_cluster(c);
        dev.populate(c);
        let cluster = &mut dev.clusters[c as usize];
        (cluster.flag, cluster.order, cluster.count) = (Flag::None, 0, 0);
        let base = dev.base(c);
        let found = self.scan_cluster(request, 0, c, base, oracle);
        if found.is_err() {
            self.bury(c);
        }
        found
    }

    /// The device's scans act on "swap more than half used".
    #[inline]
    pub(super) fn heeds_full(&self, d: u8) -> bool {
        !self.dev(d).virt || self.config.policy.virt.is_some_and(|v| v.heeds_swap_full)
    }

    /// Moves a device behind the last one of its priority (`plist_requeue`).
    pub(super) fn rotate(&mut self, d: u8) {
        if let Some(at) = self.avail.iter().position(|&x| x == d) {
            self.avail.remove(at);
            self.append_avail(d);
        }
    }

    /// Adds a device to the avail list behind its equals (`plist_add`).
    pub(super) fn append_avail(&mut self, d: u8) {
        let priority = self.dev(d).priority;
        let at = self.avail.iter().position(|&x| self.dev(x).priority < priority);
        self.avail.insert(at.unwrap_or(self.avail.len()), d);
    }
}

//! Memory cgroups: who is charged for a slot, and references to ids (`mm/memcontrol.c`, `mm/memcontrol-v1.c`).

use super::{Fault, Model};
use vswap_common::Entry;

/// Which controller counts swap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cgroup {
    /// No memory controller.
    None,
    /// cgroup v1, memory+swap counter: ids are recorded when a folio leaves the cache.
    V1,
    /// cgroup v2: ids are recorded at allocation, physical use is charged.
    V2,
}

/// No limit.
pub const UNLIMITED: u64 = u64::MAX;

/// One memory cgroup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memcg {
    /// Parent id; 0 below the root.
    pub parent: u16,
    /// Not yet removed: an offline group's new swap goes to its nearest online ancestor.
    pub online: bool,
    /// The root: has statistics, is never charged.
    pub root: bool,
    /// `swap.max`, slots.
    pub limit: u64,
    /// Charged slots of the group and all groups below (`swap` counter; `memsw` share on v1).
    pub swap: u64,
    /// Slots of the group itself (`MEMCG_SWAP`).
    pub own: u64,
    /// References to the id held by slots.
    pub refs: u64,
    /// Events `swap.events` max and fail.
    pub events_max: u64,
    /// See `events_max`.
    pub events_fail: u64,
}

impl Default for Memcg {
    fn default() -> Self {
        Self {
            parent: 0,
            online: true,
            root: false,
            limit: UNLIMITED,
            swap: 0,
            own: 0,
            refs: 0,
            events_max: 0,
            events_fail: 0,
        }
    }
}

/// All groups by id. A group that was never described lies below the root without a limit.
#[derive(Clone, Debug)]
pub struct Charges {
    mode: Cgroup,
    groups: Vec<Memcg>,
}

impl Charges {
    pub(super) const fn new(mode: Cgroup) -> Self {
        Self { mode, groups: Vec::new() }
    }

    /// Which controller counts.
    pub const fn mode(&self) -> Cgroup {
        self.mode
    }

    /// State of a group.
    pub fn get(&self, id: u16) -> Memcg {
        self.groups.get(id as usize).copied().unwrap_or_default()
    }

    /// The group's settings: parent, online, root, limit. Counters of the value returned are live.
    pub fn group_mut(&mut self, id: u16) -> &mut Memcg {
        let id = id as usize;
        if id >= self.groups.len() {
            self.groups.resize(id + 1, Memcg::default());
        }
        &mut self.groups[id]
    }

    /// Groups with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &Memcg)> {
        (0u16..).zip(&self.groups)
    }

    /// Nearest group that is online (`mem_cgroup_id_get_online`); 0 when none is or `id` is 0.
    #[inline]
    pub(super) fn online(&self, id: u16) -> u16 {
        if self.groups.get(id as usize).is_some_and(|group| group.online) {
            return id;
        }
        self.up(id).find(|&id| self.get(id).online).unwrap_or(0)
    }

    /// `id` and its ancestors; stops at a parent loop, which only a damaged description can have.
    fn up(&self, id: u16) -> impl Iterator<Item = u16> + '_ {
        let parent = |&id: &u16| self.groups.get(id as usize).map_or(0, |group| group.parent);
        let next = move |id: &u16| Some(parent(id)).filter(|&parent| parent != 0);
        std::iter::successors((id != 0).then_some(id), next).take(64)
    }

    /// There is room for `nr` in the group and all above it; counts the events if not (`page_counter_try_charge`).
    pub(super) fn fits(&mut self, id: u16, nr: u64) -> bool {
        let full = self.up(id).find(|&id| {
            let exceeds = |group: &Memcg| !group.root && group.swap.saturating_add(nr) > group.limit;
            self.groups.get(id as usize).is_some_and(exceeds)
        });
        if let Some(at) = full {
            self.group_mut(at).events_max += 1;
        }
        full.is_none()
    }

    /// Counts a failed allocation (`MEMCG_SWAP_FAIL`).
    pub(super) fn fail(&mut self, id: u16) {
        if id != 0 && self.mode == Cgroup::V2 {
            self.group_mut(id).events_fail += 1;
        }
    }

    /// Charges `nr` slots to the group and all above it.
    pub(super) fn charge(&mut self, id: u16, nr: u64) {
        self.count(id, nr, u64::wrapping_add);
    }

    /// Takes a charge back (`mem_cgroup_uncharge_swap`).
    pub(super) fn uncharge(&mut self, id: u16, nr: u64) {
        self.count(id, nr, u64::wrapping_sub);
    }

    #[inline]
    fn count(&mut self, id: u16, nr: u64, add: impl Fn(u64, u64) -> u64) {
        if id == 0 || nr == 0 {
            return;
        }
        let group = self.group_mut(id);
        group.own = add(group.own, nr);
        let (mut at, mut depth) = (id, 0);
        while at != 0 && depth < 64 {
            let group = self.group_mut(at);
            if !group.root {
                group.swap = add(group.swap, nr);
            }
            at = group.parent;
            depth += 1;
        }
    }

    /// `nr` slots hold the id (`mem_cgroup_id_get_many`).
    pub(super) fn hold(&mut self, id: u16, nr: u64) {
        if id != 0 {
            self.group_mut(id).refs += nr;
        }
    }

    /// `nr` slots let go of the id (`mem_cgroup_id_put_many`).
    pub(super) fn drop_refs(&mut self, id: u16, nr: u64) {
        if id != 0 {
            let refs = &mut self.group_mut(id).refs;
            *refs = refs.saturating_sub(nr);
        }
    }
}

impl Model {
    /// Decides the owner of slots that were allocated for nobody, as a trace tells it: after the slots. As at the
    /// allocation ids are recorded and direct-mapped slots charged, only never refused; an earlier owner is released.
    ///
    /// # Errors
    /// [`Fault::Range`], [`Fault::NoDevice`], [`Fault::NotUsed`].
    pub fn own(&mut self, at: Entry, nr: u64, memcg: u16) -> Result<(), Fault> {
        let (d, c, slot) = self.locate(at, nr)?;
        let id = self.charges.online(memcg);
        if self.config.cgroup != Cgroup::V2 {
            return Ok(());
        }
        let cluster = &self.dev(d).clusters[c as usize];
        if let Some(i) = (0..nr).find(|&i| !cluster.word(slot + i as usize).is_used()) {
            return Err(Fault::NotUsed(at.add(i)));
        }
        for i in 0..nr {
            let slot = at.add(i);
            let old = self.memcg(slot);
            if old == id {
                continue;
            }
            if self.charged(slot) {
                self.charges.uncharge(old, 1);
                self.charges.charge(id, 1);
            }
            self.charges.drop_refs(old, 1);
            self.charges.hold(id, 1);
            self.set_ids(slot, 1, id);
        }
        Ok(())
    }

    /// The slot counts for its owner: it is on a device, or has physical backing.
    fn charged(&self, at: Entry) -> bool {
        !self.dev(at.dev()).virt || self.vword(at).phys().is_some()
    }
}

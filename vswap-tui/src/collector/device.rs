//! One swap device: what it is, its clusters, and how many of its slots are where.

use super::cluster::SLOTS;
use super::clusters::{Clusters, Meta, NEAR};
use crate::decode::Event;
use crate::meta::DeviceInfo;
use crate::snapshot::{Backend, ClusterCell, DeviceView, List, Mix};
use crate::trace::keyframe::KeyDevice;
use std::sync::Arc;

/// A swap device and its slots.
#[derive(Default)]
pub(super) struct Device {
    /// Clusters and slots.
    pub(super) clusters: Clusters,
    /// Slots in use by backend.
    pub(super) mix: Mix,
    /// Slots in use and confirmed, in the current epoch.
    pub(super) confirmed: u64,
    /// Slots off the allocator's map, those included that nobody owns; `None` where no event tells, or not all.
    pub(super) held: Option<u64>,
    /// Slots that hold the data of virtual slots.
    backing: u64,
    /// Something changed since the last snapshot.
    pub(super) dirty: bool,
    name: Option<String>,
    pages: u64,
    /// Slots with header; 0 if unknown.
    max: u64,
    /// What it is ([`vswap_common::device`]), as far as told.
    flags: u16,
    prio: i32,
    pub(super) is_virtual: bool,
    /// An event or the header named it.
    seen: bool,
    /// Events say it is in use; set by its first one.
    active: bool,
    /// The header or a swapon told of it, and no swapoff since.
    declared: bool,
    shared: Arc<Vec<ClusterCell>>,
}

impl Device {
    /// Notes an event about one of its slots.
    #[inline]
    pub(super) fn touch(&mut self, from_swapon: bool, epoch: u32) {
        self.dirty = true;
        if !self.active {
            self.wake(from_swapon, epoch);
        }
    }

    /// First event of a device whose swapon was not seen yet: it is recorded when the system call returns, and
    /// another CPU may allocate before that. If recording began with no device in use, all its slots are free.
    #[cold]
    fn wake(&mut self, from_swapon: bool, epoch: u32) {
        self.seen = true;
        self.active = true;
        if from_swapon && epoch == 0 {
            self.clusters.free_in = Some(epoch);
        }
    }

    /// What the header says of a device in use when recording began.
    pub(super) fn declare(&mut self, info: &DeviceInfo) {
        self.describe(info);
        self.active = true;
        self.declared = true;
    }

    /// Name and size as user space read them; says nothing about slots.
    pub(super) fn describe(&mut self, info: &DeviceInfo) {
        self.seen = true;
        self.name = (!info.name.is_empty()).then(|| info.name.clone());
        self.pages = info.pages;
        if self.max <= info.pages && info.pages > 0 {
            self.max = info.pages + 1;
        }
        self.prio = info.prio;
        self.is_virtual = info.r#virtual;
    }

    /// swapon returned. True if a swapoff must have been missed, so that the slots have to go first.
    pub(super) fn missed_swapoff(&self) -> bool {
        self.declared
    }

    /// swapon returned: all slots that no event named are free.
    pub(super) fn switch_on(&mut self, e: &Event, epoch: u32) {
        let max = e.entry.off();
        self.come(e.arg, e.val);
        (self.max, self.flags) = (max, e.flags);
        self.clusters.set_up(max, epoch);
    }

    fn come(&mut self, pages: u64, prio: i32) {
        self.seen = true;
        self.active = true;
        self.declared = true;
        self.dirty = true;
        self.pages = pages;
        self.prio = prio;
    }

    /// An event or the header named it.
    pub(super) const fn is_seen(&self) -> bool {
        self.seen
    }

    /// Free slots, `None` if it is not in use, `Some(None)` if nobody told how many there are.
    pub(super) fn free(&self) -> Option<Option<u64>> {
        let used = self.held.unwrap_or_else(|| self.mix.iter().sum());
        self.active.then(|| (self.pages > 0).then(|| self.pages.saturating_sub(used)))
    }

    /// Slots of the cluster at `index`; `None` beyond the device. A device of unknown size has all there could be.
    pub(super) fn slots_of(&self, index: u64) -> Option<usize> {
        let max = if self.max == 0 { u64::MAX } else { self.max };
        let left = max.checked_sub(index.checked_mul(SLOTS as u64)?)?;
        (left > 0).then_some(left.min(SLOTS as u64) as usize)
    }

    /// A scan found it in use.
    pub(super) fn found(&mut self, e: &Event) {
        let max = e.entry.off();
        self.come(e.arg, e.val);
        (self.max, self.flags) = (max, e.flags);
        self.clusters.know(max.div_ceil(SLOTS as u64).min(NEAR) as usize, Meta::default());
    }

    /// As a key frame has it.
    pub(super) fn key(&self, dev: u8, epoch: u32) -> KeyDevice {
        KeyDevice {
            dev,
            pages: self.pages,
            max: self.max,
            flags: self.flags,
            prio: self.prio,
            r#virtual: self.is_virtual,
            active: self.active,
            declared: self.declared,
            free_known: self.clusters.free_in == Some(epoch),
            clusters: self.clusters.metas.len() as u64,
            held: self.held,
        }
    }

    /// As it was when a key frame was made.
    pub(super) fn restore(&mut self, key: &KeyDevice, epoch: u32) {
        self.seen = true;
        self.dirty = true;
        (self.pages, self.max, self.prio, self.flags) = (key.pages, key.max, key.prio, key.flags);
        (self.is_virtual, self.active, self.declared) = (key.r#virtual, key.active, key.declared);
        self.held = key.held;
        self.clusters.free_in = key.free_known.then_some(epoch);
        let fresh = Meta::fresh(epoch);
        self.clusters.know(key.clusters.min(NEAR) as usize, fresh);
    }

    /// Somebody told of it, and of no swapoff since.
    pub(super) const fn is_in_use(&self) -> bool {
        self.seen && self.active
    }

    /// Slots with header, 0 if unknown.
    pub(super) const fn max(&self) -> u64 {
        self.max
    }

    /// The list of a cluster as far as told.
    pub(super) fn list_of(&self, index: u64) -> List {
        usize::try_from(index)
            .ok()
            .and_then(|i| self.clusters.metas.get(i))
            .map_or(List::None, |m| m.cell.list)
    }

    /// swapoff completed: no slots any more. Returns the clusters given back.
    pub(super) fn switch_off(&mut self) -> usize {
        let given_back = self.clusters.count();
        self.clusters = Clusters::default();
        self.max = 0;
        self.mix = Mix::default();
        self.confirmed = 0;
        self.backing = 0;
        self.held = None;
        self.seen = true;
        self.active = false;
        self.declared = false;
        self.dirty = true;
        given_back
    }

    /// What is known of a cluster; those too far out for the map have nothing.
    fn meta(&mut self, index: u64) -> Option<&mut Meta> {
        if index >= NEAR {
            return None;
        }
        let i = index as usize;
        self.clusters.know(i + 1, Meta::default());
        self.clusters.metas.get_mut(i)
    }

    /// A cluster went to another list.
    pub(super) fn move_cluster(&mut self, index: u64, list: List, order: u8) {
        let Some(meta) = self.meta(index) else { return };
        (meta.cell.list, meta.cell.order) = (list, order);
    }

    /// The slot holds the data of a virtual slot, or no longer does.
    pub(super) fn back(&mut self, off: u64, taken: bool) {
        self.dirty = true;
        self.seen = true;
        self.backing = if taken { self.backing + 1 } else { self.backing.saturating_sub(1) };
        let index = off / SLOTS as u64;
        let Some(meta) = self.meta(index) else { return };
        let n = &mut meta.cell.mix[Backend::Phys as usize];
        *n = if taken { n.saturating_add(1) } else { n.saturating_sub(1) };
        meta.cell.unconfirmed = meta.cell.unconfirmed.min(meta.cell.used());
        meta.spans.set((off % SLOTS as u64) as usize, taken);
        self.clusters.note_stale(index);
    }

    /// Every slot that no event named is known to be free.
    pub(super) fn known_whole(&self, epoch: u32) -> bool {
        self.clusters.free_in == Some(epoch)
    }

    /// The device as the views see it; cells are copied only after a change. `backing_told`: events tell when its slots
    /// are taken for virtual ones.
    pub(super) fn view(&mut self, dev: u8, epoch: u32, backing_told: bool) -> Option<DeviceView> {
        if !self.seen {
            return None;
        }
        if std::mem::take(&mut self.dirty) {
            self.shared = Arc::new(self.clusters.cells(epoch));
        }
        let mut mix = self.mix;
        mix[Backend::Phys as usize] += self.backing;
        let used = mix.iter().sum();
        // Records of two hooks about one slot may be a moment apart: never less than none.
        let idle = self.held.map(|held| held.saturating_sub(used));
        Some(DeviceView {
            aligned: self.clusters.aligned(self.max),
            aligned_exact: self.clusters.rest_known(epoch)
                && idle.unwrap_or(0) == 0
                && (self.backing == 0 || backing_told)
                && !self.is_virtual
                && self.max < NEAR * SLOTS as u64,
            dev,
            name: self.name.clone().unwrap_or_else(|| format!("dev {dev}")),
            pages: self.pages,
            used,
            idle,
            backing: self.backing,
            mix,
            prio: self.prio,
            r#virtual: self.is_virtual,
            active: self.active,
            clusters: Arc::clone(&self.shared),
        })
    }
}

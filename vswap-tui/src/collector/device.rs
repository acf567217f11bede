//! One swap device: what it is, its clusters, and how many of its slots are where.

use super::cluster::{Cluster, SLOTS, Word};
use super::spans::{Aligned, Spans};
use crate::decode::Event;
use crate::memory::Claim;
use crate::meta::DeviceInfo;
use crate::snapshot::{Backend, ClusterCell, DeviceView, List, Mix};
use crate::trace::keyframe::KeyDevice;
use rustc_hash::FxHashMap;
use std::collections::hash_map::Entry as MapEntry;
use std::sync::Arc;
use vswap_common::slot::ORDERS;

/// Clusters below this index are found by index and shown on the map: 64 M slots, 256 GiB.
pub(super) const NEAR: u64 = 131_072;
/// What a cluster with slots takes.
const CLUSTER_BYTES: u64 = (size_of::<Cluster>() + size_of::<(u64, (Meta, Box<Cluster>))>()) as u64;
/// What one without takes: vectors that double, and a copy of its cell in the views.
const META_BYTES: u64 =
    2 * (size_of::<Meta>() + size_of::<Option<Box<Cluster>>>() + size_of::<ClusterCell>()) as u64;

/// What is known of a cluster without looking at its slots.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meta {
    /// Counters and list, as the views get them.
    pub(super) cell: ClusterCell,
    /// Loss epoch that `unconfirmed` and the slots' confirmed bits belong to.
    epoch: u32,
    /// Slots in use, as bits.
    pub(super) spans: Spans,
    /// Aligned free runs when they were last counted.
    aligned: Aligned,
    /// `spans` changed since.
    stale: bool,
}

/// Clusters of a device, made when an event first names them.
#[derive(Default)]
pub(super) struct Clusters {
    metas: Vec<Meta>,
    near: Vec<Option<Box<Cluster>>>,
    /// Clusters beyond [`NEAR`]; only a virtual device or a hostile trace has any.
    far: FxHashMap<u64, (Meta, Box<Cluster>)>,
    /// Epoch in which every slot that no event has named is known to be free.
    free_in: Option<u32>,
    /// Clusters whose aligned free runs have to be counted again.
    stale: Vec<u32>,
    /// Clusters counted so far: those from here on are not in `aligned`.
    counted: usize,
    /// Slots of the device when they were counted.
    counted_to: u64,
    /// Aligned free runs by order, sum of the counted clusters.
    aligned: [u64; ORDERS],
    /// What all this takes of the process's memory.
    pub(super) claim: Claim,
}

impl Clusters {
    /// The cluster at `index` in `epoch`, made if `room` is left; what it knew before a loss is put in doubt.
    #[inline]
    pub(super) fn get(
        &mut self,
        index: u64,
        epoch: u32,
        room: &mut usize,
    ) -> Option<(&mut Meta, &mut Cluster)> {
        let fresh = self.fresh(epoch);
        let (meta, cluster) = if index < NEAR {
            let i = index as usize;
            if i >= self.near.len() && !self.grow(i + 1) {
                return None;
            }
            let meta = &mut self.metas[i];
            let place = &mut self.near[i];
            if place.is_none() {
                let left = room.checked_sub(1).filter(|_| self.claim.grow(CLUSTER_BYTES))?;
                *room = left;
                meta.epoch = epoch;
            }
            (meta, place.get_or_insert_with(|| Cluster::boxed(fresh)))
        } else {
            let (meta, cluster) = match self.far.entry(index) {
                MapEntry::Occupied(known) => known.into_mut(),
                MapEntry::Vacant(place) => {
                    let left = room.checked_sub(1).filter(|_| self.claim.grow(CLUSTER_BYTES))?;
                    *room = left;
                    place.insert((Meta { epoch, ..Meta::default() }, Cluster::boxed(fresh)))
                }
            };
            (meta, cluster)
        };
        if meta.epoch != epoch {
            meta.epoch = epoch;
            meta.cell.unconfirmed = meta.cell.used();
            cluster.doubt_all();
        }
        Some((meta, cluster))
    }

    /// State of a slot in a cluster that no event has named.
    pub(super) fn fresh(&self, epoch: u32) -> Word {
        if self.free_in == Some(epoch) { Word::FREE } else { Word::UNKNOWN }
    }

    /// The slots of the cluster at `index` and whether their confirmed bits hold; `None` if no event has named one.
    pub(super) fn peek(&self, index: u64, epoch: u32) -> Option<(bool, &Cluster)> {
        if index < NEAR {
            let i = index as usize;
            self.near.get(i)?.as_deref().map(|c| (self.metas[i].epoch == epoch, c))
        } else {
            self.far.get(&index).map(|(meta, c)| (meta.epoch == epoch, c.as_ref()))
        }
    }

    /// Slots of the cluster at `index` came into use or became free: its runs are counted again when asked for.
    #[inline]
    pub(super) fn note_stale(&mut self, index: u64) {
        if let Some(meta) = self.metas.get_mut(index as usize)
            && index < NEAR
            && !meta.stale
        {
            meta.stale = true;
            self.stale.push(index as u32);
        }
    }

    /// Aligned free runs by order on a device of `max` slots (header included). Costs what changed since the last
    /// call, a few ns a cluster. Slots nobody told of count as free.
    fn aligned(&mut self, max: u64) -> [u64; ORDERS] {
        if self.counted_to != max {
            (self.counted, self.counted_to, self.aligned) = (0, max, [0; ORDERS]);
        }
        let add = |sum: &mut [u64; ORDERS], aligned: &Aligned| {
            sum.iter_mut().zip(aligned).for_each(|(sum, n)| *sum += u64::from(*n));
        };
        for i in std::mem::take(&mut self.stale) {
            let (i, known) = (i as usize, (i as usize) < self.counted);
            let meta = &mut self.metas[i];
            meta.stale = false;
            if known {
                self.aligned.iter_mut().zip(meta.aligned).for_each(|(sum, n)| *sum -= u64::from(n));
                meta.aligned = aligned_of(meta, i, max);
                add(&mut self.aligned, &meta.aligned);
            }
        }
        for i in self.counted..self.metas.len() {
            let meta = &mut self.metas[i];
            meta.aligned = aligned_of(meta, i, max);
            add(&mut self.aligned, &meta.aligned);
        }
        self.counted = self.metas.len();
        let mut all = self.aligned;
        let told = self.metas.len() as u64;
        let untouched = (max / SLOTS as u64).saturating_sub(told);
        for (order, n) in all.iter_mut().enumerate() {
            *n += untouched * (SLOTS as u64 >> order);
        }
        if max / SLOTS as u64 >= told {
            add(&mut all, &Spans::default().aligned(0, (max % SLOTS as u64) as usize));
        }
        all
    }

    /// Whether anything was told of a slot in the cluster at `index`.
    pub(super) fn has(&self, index: u64) -> bool {
        if index < NEAR {
            self.near.get(index as usize).is_some_and(Option::is_some)
        } else {
            self.far.contains_key(&index)
        }
    }

    /// Every slot that is not known to be in use is free.
    pub(super) fn rest_is_free(&mut self, epoch: u32) {
        self.free_in = Some(epoch);
        for cluster in self.near.iter_mut().flatten().chain(self.far.values_mut().map(|(_, c)| c)) {
            cluster.confirm_free();
        }
    }

    /// Clusters up to `len` can be made. False if there is no memory for that.
    #[cold]
    fn grow(&mut self, len: usize) -> bool {
        let known = self.know(len, Meta::default());
        if known {
            self.near.resize_with(len, || None);
        }
        known
    }

    /// Clusters up to `count` have a place on the map. False if there is no memory for that: what is not on the map is
    /// not followed, and counted when something happens there.
    fn know(&mut self, count: usize, fresh: Meta) -> bool {
        let more = count.saturating_sub(self.metas.len());
        if more == 0 {
            return true;
        }
        let granted = self.claim.grow(more as u64 * META_BYTES);
        if granted {
            self.metas.resize(count, fresh);
        }
        granted
    }

    /// Slots of a device just switched on: all free that no event named.
    fn set_up(&mut self, max: u64, epoch: u32) {
        let count = max.div_ceil(SLOTS as u64).min(NEAR) as usize;
        self.know(count, Meta::default());
        self.rest_is_free(epoch);
    }

    /// Lists of a device just switched on (`setup_swap_clusters_info`): clusters with a bad slot - the header, the
    /// tail of the last one - are nonfull, the others free. What an event already told stays. Only where events tell
    /// of changes: the first state alone would soon be wrong.
    pub(super) fn set_up_lists(&mut self, max: u64) {
        let count = max.div_ceil(SLOTS as u64).min(NEAR) as usize;
        let partial_tail = (!max.is_multiple_of(SLOTS as u64)).then(|| max / SLOTS as u64);
        for (i, meta) in self.metas.iter_mut().take(count).enumerate() {
            if meta.cell.list == List::None && meta.cell.used() == 0 {
                let holds_bad = i == 0 || partial_tail == Some(i as u64);
                meta.cell.list = if holds_bad { List::Nonfull } else { List::Free };
            }
        }
    }

    /// Slots in use in the cluster at `index`, as far as known.
    pub(super) fn used(&self, index: u64) -> u16 {
        usize::try_from(index).ok().and_then(|i| self.metas.get(i)).map_or(0, |m| m.cell.used())
    }

    /// Clusters on a list that is known.
    pub(super) fn lists(&self) -> impl Iterator<Item = (u64, List, u8)> + '_ {
        let cells = (0..).zip(self.metas.iter().map(|m| m.cell));
        cells.filter(|(_, c)| c.list != List::None || c.order != 0).map(|(i, c)| (i, c.list, c.order))
    }

    /// Cells for the views. A cluster no event has touched since the last loss has only unconfirmed slots.
    fn cells(&self, epoch: u32) -> Vec<ClusterCell> {
        self.metas
            .iter()
            .map(|m| match m.epoch == epoch {
                true => m.cell,
                false => ClusterCell { unconfirmed: m.cell.used(), ..m.cell },
            })
            .collect()
    }

    /// Clusters that exist, in the order of their offsets, and whether their confirmed bits hold in `epoch`.
    pub(super) fn iter(&self, epoch: u32) -> impl Iterator<Item = (u64, bool, &Cluster)> {
        let near = self.near.iter().enumerate().filter_map(move |(i, place)| {
            place.as_deref().map(|c| (i as u64, self.metas[i].epoch == epoch, c))
        });
        let mut far: Vec<_> =
            self.far.iter().map(|(i, (meta, c))| (*i, meta.epoch == epoch, c.as_ref())).collect();
        far.sort_unstable_by_key(|(i, ..)| *i);
        near.chain(far)
    }

    /// As [`Clusters::iter`], and takes each away.
    pub(super) fn drain(&mut self, epoch: u32) -> impl Iterator<Item = (u64, bool, Box<Cluster>)> {
        let (near, metas) = (std::mem::take(&mut self.near), &self.metas);
        let near = near
            .into_iter()
            .enumerate()
            .filter_map(move |(i, place)| place.map(|cluster| (i as u64, metas[i].epoch == epoch, cluster)));
        let mut far: Vec<_> = std::mem::take(&mut self.far)
            .into_iter()
            .map(|(i, (meta, cluster))| (i, meta.epoch == epoch, cluster))
            .collect();
        far.sort_unstable_by_key(|(i, ..)| *i);
        near.chain(far)
    }

    /// Of slots that no event named nothing is known.
    pub(super) fn doubt_rest(&mut self) {
        self.free_in = None;
    }

    /// Every slot that no event named is known to be free.
    fn rest_known(&self, epoch: u32) -> bool {
        self.free_in == Some(epoch)
    }

    /// Forgets the cluster at `index` if no slot of it is in use and those never named are known to be free: a virtual
    /// cluster goes with its last slot. True if it was there.
    pub(super) fn retire(&mut self, index: u64, epoch: u32) -> bool {
        if self.free_in != Some(epoch) {
            return false;
        }
        let Ok(i) = usize::try_from(index) else { return false };
        if index >= NEAR {
            let empty = self.far.get(&index).is_some_and(|(meta, _)| meta.cell.used() == 0);
            let gone = empty && self.far.remove(&index).is_some();
            self.claim.shrink(if gone { CLUSTER_BYTES } else { 0 });
            return gone;
        }
        let Some(meta) = self.metas.get_mut(i).filter(|meta| meta.cell.used() == 0) else { return false };
        meta.cell = ClusterCell::default();
        let gone = self.near.get_mut(i).is_some_and(|place| place.take().is_some());
        self.claim.shrink(if gone { CLUSTER_BYTES } else { 0 });
        gone
    }

    fn count(&self) -> usize {
        self.near.iter().flatten().count() + self.far.len()
    }
}

/// Aligned free runs of cluster `i` on a device of `max` slots; the first slot of a device is its header.
fn aligned_of(meta: &Meta, i: usize, max: u64) -> Aligned {
    let end = max.saturating_sub(i as u64 * SLOTS as u64).min(SLOTS as u64) as usize;
    meta.spans.aligned(usize::from(i == 0), end)
}

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
        let fresh = Meta { epoch, ..Meta::default() };
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

    /// The cell of a cluster; those too far out for the map have none.
    fn cell(&mut self, index: u64) -> Option<&mut ClusterCell> {
        if index >= NEAR {
            return None;
        }
        let i = index as usize;
        self.clusters.know(i + 1, Meta::default());
        self.clusters.metas.get_mut(i).map(|meta| &mut meta.cell)
    }

    /// A cluster went to another list.
    pub(super) fn move_cluster(&mut self, index: u64, list: List, order: u8) {
        let Some(cell) = self.cell(index) else { return };
        cell.list = list;
        cell.order = order;
    }

    /// A slot of the cluster holds the data of a virtual slot, or no longer does.
    pub(super) fn back(&mut self, index: u64, taken: bool) {
        self.dirty = true;
        self.seen = true;
        self.backing = if taken { self.backing + 1 } else { self.backing.saturating_sub(1) };
        let Some(cell) = self.cell(index) else { return };
        let n = &mut cell.mix[Backend::Phys as usize];
        *n = if taken { n.saturating_add(1) } else { n.saturating_sub(1) };
        cell.unconfirmed = cell.unconfirmed.min(cell.used());
    }

    /// Every slot that no event named is known to be free.
    pub(super) fn known_whole(&self, epoch: u32) -> bool {
        self.clusters.free_in == Some(epoch)
    }

    /// The device as the views see it; cells are copied only after a change.
    pub(super) fn view(&mut self, dev: u8, epoch: u32) -> Option<DeviceView> {
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
                // Slots that back virtual ones are in no cluster's words.
                && self.backing == 0
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

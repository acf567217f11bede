//! The clusters of a device: made when an event first names one of their slots, with what is known of each without
//! looking at its slots.

use super::cluster::{Cluster, SLOTS, Word};
use super::spans::{Aligned, Spans};
use crate::memory::Claim;
use crate::snapshot::{ClusterCell, List};
use rustc_hash::FxHashMap;
use std::collections::hash_map::Entry as MapEntry;
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
    /// Slots in use, as bits; those that back virtual ones too.
    pub(super) spans: Spans,
    /// Aligned free runs when they were last counted.
    aligned: Aligned,
    /// `spans` changed since.
    stale: bool,
}

impl Meta {
    /// Of a cluster nobody told of, in a loss epoch.
    pub(super) fn fresh(epoch: u32) -> Self {
        Self { epoch, ..Self::default() }
    }
}

/// Clusters of a device, made when an event first names them.
#[derive(Default)]
pub(super) struct Clusters {
    pub(super) metas: Vec<Meta>,
    near: Vec<Option<Box<Cluster>>>,
    /// Clusters beyond [`NEAR`]; only a virtual device or a hostile trace has any.
    far: FxHashMap<u64, (Meta, Box<Cluster>)>,
    /// Epoch in which every slot that no event has named is known to be free.
    pub(super) free_in: Option<u32>,
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
                    place.insert((Meta::fresh(epoch), Cluster::boxed(fresh)))
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
    pub(super) fn aligned(&mut self, max: u64) -> [u64; ORDERS] {
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
    pub(super) fn know(&mut self, count: usize, fresh: Meta) -> bool {
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
    pub(super) fn set_up(&mut self, max: u64, epoch: u32) {
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
    pub(super) fn cells(&self, epoch: u32) -> Vec<ClusterCell> {
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
    pub(super) fn rest_known(&self, epoch: u32) -> bool {
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

    pub(super) fn count(&self) -> usize {
        self.near.iter().flatten().count() + self.far.len()
    }
}

/// Aligned free runs of cluster `i` on a device of `max` slots; the first slot of a device is its header.
fn aligned_of(meta: &Meta, i: usize, max: u64) -> Aligned {
    let end = max.saturating_sub(i as u64 * SLOTS as u64).min(SLOTS as u64) as usize;
    meta.spans.aligned(usize::from(i == 0), end)
}

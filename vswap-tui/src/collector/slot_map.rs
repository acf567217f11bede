//! All slots of all devices, with every sum kept in step with every word.
//!
//! One place changes words: [`SlotMap::rewrite`]. It takes a pure function from old word to new word, and moves the
//! counters of cluster, device, cgroup and transition matrix by the difference. So the sums are right by
//! construction, a snapshot never walks slots, and the state machine in `apply.rs` only says what an event means.

use super::SlotLine;
use super::causes::Causes;
use super::cluster::{SINCE_UNKNOWN, SLOTS, Word};
use super::clusters::NEAR;
use super::device::Device;
use super::latency::Latencies;
use super::links::Links;
use super::memcg::Row;
use super::tally::{Sums, Tally};
use crate::decode::Event;
use crate::snapshot::latency::Offender;
use crate::snapshot::{Backend, DeviceView, LatencyKind, Mix};
use vswap_common::slot::MAX_DEVICES;
use vswap_common::{Entry, Kind};

/// Clusters kept over all devices: 64 M slots in 0.6 GB. A trace that names more is counted, not obeyed.
const MAX_CLUSTERS: usize = NEAR as usize;
const NS_PER_MS: u64 = 1_000_000;

/// Where the stays go that a change of slots ends.
pub(super) struct Samples<'a> {
    pub(super) latencies: &'a mut Latencies,
    pub(super) causes: &'a mut Causes,
}

/// The slot map.
pub(super) struct SlotMap {
    devices: Vec<Device>,
    pub(super) sums: Sums,
    /// Physical slots behind virtual ones.
    pub(super) links: Links,
    /// Number of losses so far; what was confirmed in an earlier epoch is not any more.
    epoch: u32,
    /// Clusters that may still be made.
    room: usize,
    /// No device was in use when recording began.
    from_swapon: bool,
    /// Events tell which slots the allocator holds, those without an owner too (6.12).
    holds_told: bool,
    /// Events tell the list of a cluster that changes it.
    lists_told: bool,
}

impl SlotMap {
    pub(super) fn new(from_swapon: bool, lists_told: bool, holds_told: bool) -> Self {
        Self {
            devices: std::iter::repeat_with(Device::default).take(MAX_DEVICES).collect(),
            sums: Sums::default(),
            links: Links::default(),
            epoch: 0,
            room: MAX_CLUSTERS,
            from_swapon,
            lists_told,
            holds_told,
        }
    }

    pub(super) fn device_mut(&mut self, dev: u8) -> &mut Device {
        &mut self.devices[usize::from(dev) % MAX_DEVICES]
    }

    /// Gives each slot of the event's run the word that `change` makes of its present one. False if the run lies
    /// in a cluster there is no room for.
    #[inline]
    pub(super) fn rewrite(
        &mut self,
        e: &Event,
        samples: &mut Samples<'_>,
        mut change: impl FnMut(Word) -> Word,
    ) -> bool {
        let device = &mut self.devices[usize::from(e.entry.dev()) % MAX_DEVICES];
        device.touch(self.from_swapon, self.epoch);
        let off = e.entry.off();
        let Some((meta, cluster)) = device.clusters.get(off / SLOTS as u64, self.epoch, &mut self.room)
        else {
            // What happens there is not followed: that slots nobody named are free is not known any more.
            device.clusters.doubt_rest();
            return false;
        };
        let first = (off % SLOTS as u64) as usize;
        let end = (first + usize::from(e.nr)).min(SLOTS);
        let ms = e.ts / NS_PER_MS;
        let mut tally = Tally {
            mix: &mut device.mix,
            confirmed: &mut device.confirmed,
            meta,
            sums: &mut self.sums,
            comes_into_use: matches!(e.kind, Kind::Alloc | Kind::Hibernate),
            is_virtual: device.is_virtual,
        };
        let mut flipped = false;
        // Slots of one folio mostly change alike: count equal changes, book them once.
        let (mut from, mut to, mut alike) = (Word::UNKNOWN, Word::UNKNOWN, 0u16);
        for slot in first..end {
            let old = cluster.words()[slot];
            let new = change(old);
            if new == old {
                continue;
            }
            if (old, new) != (from, to) {
                tally.book(from, to, alike);
                (from, to, alike) = (old, new, 0);
            }
            alike += 1;
            if old.used() != new.used() {
                tally.meta.spans.set(slot, new.used());
                flipped = true;
            }
            let (was, is) = (old.backend(), new.backend());
            if was == is {
                cluster.words_mut()[slot] = new;
                continue;
            }
            if was == Backend::Zswap
                && let Some(stay) = cluster.residence(slot, ms)
            {
                let ns = stay * NS_PER_MS;
                if samples.latencies.record(LatencyKind::InZswap, ns) {
                    let off = off - first as u64 + slot as u64;
                    samples.latencies.blame(Offender {
                        off,
                        nr: 1,
                        ..Offender::of(LatencyKind::InZswap, ns, e, old.memcg())
                    });
                }
                samples.causes.stay(e, stay);
            }
            cluster.words_mut()[slot] = new;
            // In zswap a slot remembers since when, on the device when zswap wrote it there. A scan finds it somewhere
            // and cannot know.
            match is {
                Backend::Zswap if e.kind == Kind::ScanSlots => cluster.start_residence(slot, SINCE_UNKNOWN),
                Backend::Zswap => cluster.start_residence(slot, ms),
                Backend::Phys if e.kind == Kind::Write && e.writeback() => cluster.start_residence(slot, ms),
                Backend::Phys => cluster.start_residence(slot, SINCE_UNKNOWN),
                _ => {}
            }
        }
        tally.book(from, to, alike);
        if flipped {
            device.clusters.note_stale(off / SLOTS as u64);
        }
        true
    }

    /// As [`SlotMap::rewrite`] for slots of a key frame: all get `word`, in zswap, or written back by it, since
    /// `since` ms. No stay ends, as each slot comes once.
    pub(super) fn put(
        &mut self,
        e: &Event,
        unused: &mut Samples<'_>,
        word: Word,
        since: Option<u64>,
    ) -> bool {
        // Slots come into view, nothing moves.
        let moved = self.sums.transitions;
        let found = self.rewrite(e, unused, |_| word);
        self.sums.transitions = moved;
        let device = &mut self.devices[usize::from(e.entry.dev()) % MAX_DEVICES];
        let place = device.clusters.get(e.entry.off() / SLOTS as u64, self.epoch, &mut self.room);
        if let (Some(ms), Some((_, cluster))) = (since, place) {
            let first = (e.entry.off() % SLOTS as u64) as usize;
            (first..(first + usize::from(e.nr)).min(SLOTS))
                .for_each(|slot| cluster.start_residence(slot, ms));
        }
        found
    }

    /// All devices by number.
    pub(super) fn devices(&self) -> &[Device] {
        &self.devices
    }

    pub(super) fn set_epoch(&mut self, epoch: u32) {
        self.epoch = epoch;
    }

    /// Slots of the run that zswap wrote back: their owner, and how long ago in milliseconds. Each is told once.
    pub(super) fn take_written_back(&mut self, e: &Event, mut tell: impl FnMut(&mut Row, u64)) {
        let (index, first) = (e.entry.off() / SLOTS as u64, (e.entry.off() % SLOTS as u64) as usize);
        let device = &mut self.devices[usize::from(e.entry.dev()) % MAX_DEVICES];
        if !device.clusters.has(index) {
            return;
        }
        let Some((_, cluster)) = device.clusters.get(index, self.epoch, &mut self.room) else { return };
        for slot in first..(first + usize::from(e.nr)).min(SLOTS) {
            let word = cluster.words()[slot];
            // What a loss put in doubt may be another page by now.
            if word.backend() == Backend::Phys
                && word.confirmed()
                && let Some(ms) = cluster.residence(slot, e.ts / NS_PER_MS)
            {
                cluster.start_residence(slot, SINCE_UNKNOWN);
                tell(self.sums.memcgs.row_mut(word.memcg()), ms);
            }
        }
    }

    /// Free slots of the devices in use, if the size of each is known.
    pub(super) fn free_slots(&self) -> Option<u64> {
        self.devices
            .iter()
            .filter_map(Device::free)
            .try_fold(0u64, |sum, free| Some(sum.saturating_add(free?)))
    }

    /// Owner of a slot, 0 if nobody is charged or nobody told.
    pub(super) fn owner(&self, entry: Entry) -> u16 {
        let device = &self.devices[usize::from(entry.dev()) % MAX_DEVICES];
        let cluster = device.clusters.peek(entry.off() / SLOTS as u64, self.epoch);
        cluster.map_or(0, |(_, c)| c.words()[(entry.off() % SLOTS as u64) as usize].memcg())
    }

    /// Shows each slot of the event's run to `look`, changing nothing. Slots nobody told of are unknown.
    pub(super) fn each(&mut self, e: &Event, mut look: impl FnMut(Word)) {
        let (index, first) = (e.entry.off() / SLOTS as u64, (e.entry.off() % SLOTS as u64) as usize);
        let device = &mut self.devices[usize::from(e.entry.dev()) % MAX_DEVICES];
        let end = (first + usize::from(e.nr)).min(SLOTS);
        if !device.clusters.has(index) {
            let word = device.clusters.fresh(self.epoch);
            return (first..end).for_each(|_| look(word));
        }
        if let Some((_, cluster)) = device.clusters.get(index, self.epoch, &mut self.room) {
            cluster.words()[first..end].iter().for_each(|word| look(*word));
        }
    }

    /// A scan begins: what was told before was told with hooks missing, or with records. Names stay, and after a loss
    /// (`again`) what was counted.
    pub(super) fn forget(&mut self, again: bool) {
        if !again {
            self.sums.transitions = [[0; 5]; 5];
        }
        self.links = Links::default();
        for dev in 0..MAX_DEVICES as u8 {
            if self.device_mut(dev).is_seen() {
                self.drop_device(dev);
            }
        }
    }

    /// Events tell which slots the allocator holds.
    pub(super) const fn holds_told(&self) -> bool {
        self.holds_told
    }

    /// Number of losses so far.
    pub(super) const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Every slot of the device that is not known to be in use is free.
    pub(super) fn rest_is_free(&mut self, dev: u8) {
        let epoch = self.epoch;
        self.device_mut(dev).clusters.rest_is_free(epoch);
    }

    /// Records were lost: every slot of every device is in doubt from now on, free ones included. Costs nothing
    /// per slot; clusters learn of it when they are next touched.
    pub(super) fn doubt_everything(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        for device in &mut self.devices {
            device.confirmed = 0;
            device.held = None;
            device.dirty = true;
        }
    }

    /// swapon returned. True if slots were left over from a swapoff that nobody told.
    pub(super) fn switch_on(&mut self, e: &Event) -> bool {
        let leftovers = self.device_mut(e.entry.dev()).missed_swapoff() && self.drop_device(e.entry.dev());
        let (epoch, lists_told, holds_told) = (self.epoch, self.lists_told, self.holds_told);
        let device = self.device_mut(e.entry.dev());
        device.switch_on(e, epoch);
        if lists_told {
            device.clusters.set_up_lists(e.entry.off());
        }
        if holds_told {
            device.held = Some(0);
        }
        leftovers
    }

    /// The allocator takes slots off its map or puts them back, whoever has them.
    pub(super) fn hold(&mut self, e: &Event, taken: bool) {
        let held = &mut self.device_mut(e.entry.dev()).held;
        let change = if taken { u64::checked_add } else { u64::checked_sub };
        *held = held.and_then(|n| change(n, u64::from(e.nr)));
    }

    /// swapoff completed: takes all slots of the device out of the sums. True if any was surely in use.
    pub(super) fn drop_device(&mut self, dev: u8) -> bool {
        let device = &mut self.devices[usize::from(dev) % MAX_DEVICES];
        let leaked = device.confirmed > 0;
        for (_, _, cluster) in device.clusters.iter(self.epoch) {
            for word in cluster.words().iter().filter(|w| w.used()) {
                let row = self.sums.memcgs.row_mut(word.memcg());
                row.mix[word.backend() as usize] -= 1;
                row.uncharged -= u64::from(device.is_virtual && !word.backed());
                row.zswap_bytes -= u64::from(word.len());
                self.sums.zswap_bytes -= u64::from(word.len());
                self.sums.cached -= u64::from(word.cached());
            }
        }
        self.room += device.switch_off();
        leaked
    }

    /// Links a virtual and a physical slot that have no link yet, and counts the physical one; false if that cannot be.
    pub(super) fn link(&mut self, virt: Entry, phys: Entry) -> bool {
        let free = virt.dev() != phys.dev()
            && self.links.phys_of(virt).is_none()
            && self.links.owner_of(phys).is_none();
        let linked = free && self.links.link(virt, phys);
        if linked {
            self.device_mut(phys.dev()).back(phys.off(), true);
        }
        linked
    }

    /// A cluster was given back.
    pub(super) const fn give_room(&mut self) {
        self.room += 1;
    }

    /// Slots in use by backend, all devices.
    pub(super) fn mix(&self) -> Mix {
        let mut all = Mix::default();
        for device in &self.devices {
            for (sum, n) in all.iter_mut().zip(device.mix) {
                *sum += n;
            }
        }
        all
    }

    /// Slots in use that are not confirmed.
    pub(super) fn unconfirmed(&self) -> u64 {
        self.devices.iter().map(|d| d.mix.iter().sum::<u64>() - d.confirmed).sum()
    }

    /// Devices that were ever named, by number.
    pub(super) fn device_views(&mut self, backing_told: bool) -> Vec<DeviceView> {
        let epoch = self.epoch;
        (0..).zip(&mut self.devices).filter_map(|(dev, d)| d.view(dev, epoch, backing_told)).collect()
    }

    /// Slots in use, by device and offset.
    pub(super) fn lines(&self) -> impl Iterator<Item = SlotLine<'_>> + '_ {
        (0u8..).zip(&self.devices).flat_map(move |(dev, device)| {
            device.clusters.iter(self.epoch).flat_map(move |(index, bits_hold, cluster)| {
                let base = index * SLOTS as u64;
                (base..).zip(cluster.words()).filter(|(_, word)| word.used()).map(move |(off, word)| {
                    SlotLine {
                        dev,
                        off,
                        backend: word.backend(),
                        // A slot that is in use anew after a loss has nothing to do with what was behind it before.
                        phys: self.links.phys_of(Entry::new(dev, off)).filter(|_| word.backed()),
                        memcg: word.memcg(),
                        memcg_path: self.sums.memcgs.path(word.memcg()),
                        order: word.order(),
                        cached: word.cached(),
                        len: Some(word.len()).filter(|n| *n > 0),
                        confirmed: word.confirmed() && bits_hold,
                    }
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alloc(off: u64) -> Event {
        let record = vswap_common::Record {
            entry: Entry::new(0, off).0,
            nr: 1,
            kind: Kind::Alloc as u8,
            ..vswap_common::Record::default()
        };
        crate::decode::decode(&record).unwrap()
    }

    #[test]
    fn a_trace_that_names_endless_clusters_is_refused_and_swapoff_makes_room() {
        let mut map = SlotMap::new(true, true, false);
        map.room = 3;
        let (mut latencies, mut causes) = (Latencies::new(), Causes::new());
        let mut put = |map: &mut SlotMap, off| {
            let mut samples = Samples { latencies: &mut latencies, causes: &mut causes };
            map.rewrite(&alloc(off), &mut samples, |_| Word::FREE.with_backend(Backend::Folio))
        };
        let far = (NEAR + 5) * SLOTS as u64;
        assert!(put(&mut map, 0) && put(&mut map, 5000) && put(&mut map, far));
        assert!(!put(&mut map, 9000) && !put(&mut map, 2 * far), "no room for a fourth");
        assert!(put(&mut map, 1) && put(&mut map, far + 1), "but for slots of known clusters");
        assert_eq!((map.mix()[1], map.lines().count()), (5, 5));
        assert!(map.drop_device(0));
        assert_eq!((map.room, map.lines().count(), map.mix()), (3, 0, Mix::default()));
        assert!(put(&mut map, 9000));
    }
}

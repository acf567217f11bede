//! The state as a scan of the kernel's tables would tell it: how a recording that goes on in a new file begins, so
//! that the file stands alone and every reader of a scan can read it.
//!
//! What a scan cannot tell stays in the file before: since when a page is in zswap, and I/O under way.

use super::Collector;
use super::cluster::{SLOTS, Word};
use super::device::Device;
use crate::snapshot::Backend;
use std::mem::take;
use vswap_common::{Entry, Kind, Record, flags, place};

impl Collector {
    /// The records of a scan that finds what this collector knows, at the time of the last event. One by one: of
    /// millions of slots in use they would take more memory than the slots.
    ///
    /// # Errors
    /// The first of `tell`.
    pub fn opening<E>(&self, tell: impl FnMut(Record) -> Result<(), E>) -> Result<(), E> {
        let mut scan = Scan::begin(self.last_ts, tell)?;
        for dev in self.devices_in_use() {
            let device = &self.map.devices()[usize::from(dev)];
            scan.device(dev, device, self.map.epoch())?;
            for (index, hold, cluster) in device.clusters.iter(self.map.epoch()) {
                scan.cluster(index, hold, cluster.words())?;
            }
        }
        scan.links(self.map.links.runs())?;
        scan.end()
    }

    /// As [`Collector::opening`], and each cluster goes when it was told: whoever builds the same state from the records
    /// needs the room, of which nothing is charged twice.
    ///
    /// # Errors
    /// The first of `tell`.
    pub fn into_opening<E>(mut self, tell: impl FnMut(Record) -> Result<(), E>) -> Result<(), E> {
        let (epoch, devices) = (self.map.epoch(), self.devices_in_use());
        for dev in &devices {
            drop(take(&mut self.map.device_mut(*dev).clusters.claim));
        }
        let links = take(&mut self.map.links).runs();
        let mut scan = Scan::begin(self.last_ts, tell)?;
        for dev in devices {
            let device = self.map.device_mut(dev);
            scan.device(dev, device, epoch)?;
            for (index, hold, cluster) in device.clusters.drain(epoch) {
                scan.cluster(index, hold, cluster.words())?;
            }
        }
        scan.links(links)?;
        scan.end()
    }
}

/// A scan that is being told.
struct Scan<T> {
    tell: T,
    base: Record,
    dev: u8,
    /// Slots of this device that nobody told of are known to be free.
    free_known: bool,
    /// The same of all devices.
    whole: bool,
    slots: u64,
    doubtful: i32,
}

impl<E, T: FnMut(Record) -> Result<(), E>> Scan<T> {
    fn begin(ts: u64, mut tell: T) -> Result<Self, E> {
        let base = Record { ts, ..Record::default() };
        tell(Record { kind: Kind::ScanBegin as u8, ..base })?;
        Ok(Self { tell, base, dev: 0, free_known: true, whole: true, slots: 0, doubtful: 0 })
    }

    /// The device and its lists; its clusters come next.
    fn device(&mut self, dev: u8, device: &Device, epoch: u32) -> Result<(), E> {
        let (key, base) = (device.key(dev, epoch), self.base);
        let max = if device.max() > 0 { device.max() } else { key.clusters * SLOTS as u64 };
        (self.tell)(Record {
            kind: Kind::ScanDevice as u8,
            entry: Entry::new(dev, max).0,
            arg: key.pages,
            val: key.prio,
            flags: key.flags,
            ..base
        })?;
        (self.dev, self.free_known) = (dev, key.free_known);
        self.whole &= key.free_known;
        for (index, list, order) in device.clusters.lists() {
            (self.tell)(Record {
                kind: Kind::ScanCluster as u8,
                entry: Entry::new(dev, index * SLOTS as u64).0,
                val: list as i32,
                nr: device.clusters.used(index),
                order,
                ..base
            })?;
        }
        Ok(())
    }

    /// Runs of slots in equal state.
    fn cluster(&mut self, index: u64, hold: bool, words: &[Word; SLOTS]) -> Result<(), E> {
        let mut first = 0;
        while first < SLOTS {
            let word = words[first];
            let nr = words[first..].iter().take_while(|w| alike(**w, word)).count();
            let known = hold && word.confirmed();
            if word.used() || (known && !self.free_known) {
                let at = Entry::new(self.dev, index * SLOTS as u64 + first as u64).0;
                (self.tell)(found(word, known, Record { entry: at, nr: nr as u16, ..self.base }))?;
                self.slots += nr as u64;
                let doubtful = if word.used() && !known { nr as i32 } else { 0 };
                self.doubtful = self.doubtful.saturating_add(doubtful);
            }
            first += nr;
        }
        Ok(())
    }

    /// Physical slots behind virtual ones, once all slots are told.
    fn links(&mut self, runs: Vec<(Entry, Entry, u16)>) -> Result<(), E> {
        let base = self.base;
        runs.into_iter().try_for_each(|(virt, phys, nr)| {
            (self.tell)(Record { kind: Kind::Back as u8, entry: phys.0, arg: virt.0, nr, ..base })
        })
    }

    fn end(mut self) -> Result<(), E> {
        // Without the flag every slot that was not told is free, which nobody knows after a loss.
        let flags = if self.whole { 0 } else { flags::FAILED };
        let end =
            Record { kind: Kind::ScanEnd as u8, arg: self.slots, val: self.doubtful, flags, ..self.base };
        (self.tell)(end)
    }
}

fn alike(a: Word, b: Word) -> bool {
    a.same_but_cached(b) && (a.cached(), a.order()) == (b.cached(), b.order())
}

/// The record that a scan would make of the word. What is not certain it leaves unknown, as a scan does.
fn found(word: Word, known: bool, run: Record) -> Record {
    let place = match word.backend() {
        _ if !word.used() => place::FREE,
        Backend::Folio if known => place::FOLIO,
        Backend::Zero if known => place::ZERO,
        Backend::Zswap if known => place::ZSWAP,
        Backend::Phys if known => place::PHYS,
        _ => place::UNKNOWN,
    };
    let owned = if word.owned() && word.memcg() != 0 { flags::MEMCG } else { 0 };
    let cached = if word.cached() { flags::CACHED } else { 0 };
    Record {
        kind: Kind::ScanSlots as u8,
        arg: place::pack(place, 0),
        val: i32::from(word.len()),
        memcg: word.memcg(),
        order: word.order(),
        flags: owned | cached,
        ..run
    }
}

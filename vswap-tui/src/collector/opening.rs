//! The state as a scan of the kernel's tables would tell it: how a recording that goes on in a new file begins, so
//! that the file stands alone and every reader of a scan can read it.
//!
//! What a scan cannot tell stays in the file before: since when a page is in zswap, and I/O under way.

use super::Collector;
use super::cluster::{SLOTS, Word};
use crate::snapshot::Backend;
use vswap_common::slot::MAX_DEVICES;
use vswap_common::{Entry, Kind, Record, flags, place};

impl Collector {
    /// The records of a scan that finds what this collector knows, at the time of the last event.
    pub fn opening(&self) -> Vec<Record> {
        let base = Record { ts: self.last_ts, ..Record::default() };
        let mut out = vec![Record { kind: Kind::ScanBegin as u8, ..base }];
        let (mut slots, mut doubtful, mut whole) = (0, 0i32, true);
        let devices = self.map.devices();
        for dev in (0..MAX_DEVICES as u8).filter(|d| devices[usize::from(*d)].is_in_use()) {
            let device = &devices[usize::from(dev)];
            let key = device.key(dev, self.map.epoch());
            let max = if device.max() > 0 { device.max() } else { key.clusters * SLOTS as u64 };
            out.push(Record {
                kind: Kind::ScanDevice as u8,
                entry: Entry::new(dev, max).0,
                arg: key.pages,
                val: key.prio,
                flags: key.flags,
                ..base
            });
            whole &= key.free_known;
            for (index, list, order) in device.clusters.lists() {
                out.push(Record {
                    kind: Kind::ScanCluster as u8,
                    entry: Entry::new(dev, index * SLOTS as u64).0,
                    val: list as i32,
                    nr: device.clusters.used(index),
                    order,
                    ..base
                });
            }
            for (index, hold, cluster) in device.clusters.iter(self.map.epoch()) {
                let words = cluster.words();
                let mut first = 0;
                while first < SLOTS {
                    let word = words[first];
                    let nr = words[first..].iter().take_while(|w| alike(**w, word)).count();
                    let known = hold && word.confirmed();
                    if word.used() || (known && !key.free_known) {
                        let at = Entry::new(dev, index * SLOTS as u64 + first as u64).0;
                        out.push(found(word, known, Record { entry: at, nr: nr as u16, ..base }));
                        slots += nr as u64;
                        doubtful = doubtful.saturating_add(if word.used() && !known { nr as i32 } else { 0 });
                    }
                    first += nr;
                }
            }
        }
        out.extend(self.map.links.runs().into_iter().map(|(virt, phys, nr)| Record {
            kind: Kind::Back as u8,
            entry: phys.0,
            arg: virt.0,
            nr,
            ..base
        }));
        // Without the flag every slot that was not told is free, which nobody knows after a loss.
        let flags = if whole { 0 } else { flags::FAILED };
        out.push(Record { kind: Kind::ScanEnd as u8, arg: slots, val: doubtful, flags, ..base });
        out
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

//! Where the pages of the recorded slots are in the replayed design: one entry for each recorded slot in use.

use vswap_common::Entry;
use vswap_common::slot::{CLUSTER_SLOTS, MAX_DEVICES};

const SLOTS: usize = CLUSTER_SLOTS as usize;

/// Where the page of a recorded slot is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// The recorded slot is free, or nobody told of it.
    Nowhere,
    /// In this slot of the design.
    Slot(Entry),
    /// In memory: the design has no slot for it.
    Kept,
}

/// Slot 0 of device 0 is a header everywhere.
const NOWHERE: u64 = 0;
/// No swap entry has all bits set.
const KEPT: u64 = u64::MAX;

/// Low bits of a note: compressed bytes, up to a whole page.
const LEN: u16 = 0x1fff;
/// The design could not write the folio out: it has to stay in memory.
const STAYS: u16 = 1 << 14;
/// The bytes are part of the pool.
const STORED: u16 = 1 << 15;

struct Chunk {
    at: [u64; SLOTS],
    notes: [u16; SLOTS],
    used: u16,
}

/// What a recorded slot takes.
pub(super) const SLOT_BYTES: u64 = (size_of::<Chunk>() / SLOTS) as u64 + 1;

#[derive(Default)]
struct Device {
    /// Offsets are below this.
    max: u64,
    chunks: Vec<Option<Box<Chunk>>>,
}

/// The places of all recorded slots. Memory grows with the clusters in use, up to what the devices have.
#[derive(Default)]
pub(super) struct Places {
    devices: Vec<Device>,
}

impl Places {
    /// A recorded device of `max` slots, header included. What was known of its slots is forgotten.
    pub(super) fn add_device(&mut self, dev: u8, max: u64) {
        let d = usize::from(dev).min(MAX_DEVICES - 1);
        if d >= self.devices.len() {
            self.devices.resize_with(d + 1, Device::default);
        }
        self.devices[d] = Device { max, chunks: Vec::new() };
    }

    /// The run lies on a recorded device.
    pub(super) fn knows(&self, at: Entry, nr: u64) -> bool {
        let end = at.off().checked_add(nr);
        self.devices.get(usize::from(at.dev())).is_some_and(|d| end.is_some_and(|end| end <= d.max))
    }

    fn chunk(&self, at: Entry) -> Option<(&Chunk, usize)> {
        let (c, slot) = split(at);
        let chunk = self.devices.get(usize::from(at.dev()))?.chunks.get(c)?.as_ref()?;
        Some((chunk, slot))
    }

    fn chunk_mut(&mut self, at: Entry) -> Option<(&mut Chunk, usize)> {
        let (c, slot) = split(at);
        let chunk = self.devices.get_mut(usize::from(at.dev()))?.chunks.get_mut(c)?.as_mut()?;
        Some((chunk, slot))
    }

    /// Place of one slot.
    pub(super) fn get(&self, at: Entry) -> Place {
        place(self.chunk(at).map_or(NOWHERE, |(chunk, slot)| chunk.at[slot]))
    }

    /// The longest run from `at` on, at most `most` slots, whose places follow each other inside one cluster of
    /// `slots` slots of the design.
    pub(super) fn run(&self, at: Entry, most: u64, slots: u64) -> (Place, u64) {
        let Some((chunk, slot)) = self.chunk(at) else {
            return (Place::Nowhere, most.min((SLOTS - split(at).1) as u64));
        };
        let first = chunk.at[slot];
        let most = most.min((SLOTS - slot) as u64);
        let step = match place(first) {
            Place::Slot(_) => 1,
            _ => 0,
        };
        let room = if step == 1 { slots - Entry(first).off() % slots } else { u64::MAX };
        let same = |i: &u64| chunk.at[slot + *i as usize] == first.wrapping_add(step * i);
        (place(first), (0..most.min(room)).take_while(same).count() as u64)
    }

    /// Sets the place of one slot of a device that is known.
    pub(super) fn set(&mut self, at: Entry, to: Place) {
        let raw = match to {
            Place::Nowhere => NOWHERE,
            Place::Slot(entry) => entry.0,
            Place::Kept => KEPT,
        };
        let (c, slot) = split(at);
        let Some(device) = self.devices.get_mut(usize::from(at.dev())).filter(|d| at.off() < d.max) else {
            return;
        };
        if c >= device.chunks.len() {
            device.chunks.resize_with(c + 1, || None);
        }
        let fresh = || Box::new(Chunk { at: [NOWHERE; SLOTS], notes: [0; SLOTS], used: 0 });
        let chunk = device.chunks[c].get_or_insert_with(fresh);
        chunk.used += u16::from(raw != NOWHERE);
        chunk.used -= u16::from(chunk.at[slot] != NOWHERE);
        chunk.at[slot] = raw;
        if raw == NOWHERE {
            chunk.notes[slot] = 0;
        }
        if chunk.used == 0 {
            device.chunks[c] = None;
        }
    }

    fn note(&self, at: Entry) -> u16 {
        self.chunk(at).map_or(0, |(chunk, slot)| chunk.notes[slot])
    }

    fn set_note(&mut self, at: Entry, note: u16) {
        if let Some((chunk, slot)) = self.chunk_mut(at) {
            chunk.notes[slot] = note;
        }
    }

    /// The folio has to stay in memory, because the design could not write it out.
    pub(super) fn stays(&self, at: Entry) -> bool {
        self.note(at) & STAYS != 0
    }

    /// Says whether it has to.
    pub(super) fn set_stays(&mut self, at: Entry, stays: bool) {
        let note = self.note(at);
        self.set_note(at, if stays { note | STAYS } else { note & !STAYS });
    }

    /// Compressed bytes as last recorded.
    pub(super) fn len(&self, at: Entry) -> u64 {
        u64::from(self.note(at) & LEN)
    }

    /// Records compressed bytes; they are not part of the pool yet.
    pub(super) fn set_len(&mut self, at: Entry, len: u64) {
        let note = self.note(at) & !(LEN | STORED);
        self.set_note(at, note | (len.min(4096) as u16));
    }

    /// The page is part of the pool.
    pub(super) fn stored(&self, at: Entry) -> bool {
        self.note(at) & STORED != 0
    }

    /// Says that it is.
    pub(super) fn set_stored(&mut self, at: Entry) {
        let note = self.note(at);
        self.set_note(at, note | STORED);
    }

    /// The recorded slots of a device, or of all, that are somewhere, with their places.
    pub(super) fn all(&self, dev: Option<u8>) -> Vec<(Entry, Place)> {
        let mut all = Vec::new();
        for (d, device) in (0u8..).zip(&self.devices).filter(|(d, _)| dev.is_none_or(|dev| dev == *d)) {
            for (c, chunk) in device.chunks.iter().enumerate() {
                let Some(chunk) = chunk else { continue };
                let base = (c * SLOTS) as u64;
                let used = (0u64..).zip(&chunk.at).filter(|(_, raw)| **raw != NOWHERE);
                all.extend(used.map(|(i, raw)| (Entry::new(d, base + i), place(*raw))));
            }
        }
        all
    }
}

fn split(at: Entry) -> (usize, usize) {
    ((at.off() / SLOTS as u64) as usize, (at.off() % SLOTS as u64) as usize)
}

const fn place(raw: u64) -> Place {
    match raw {
        NOWHERE => Place::Nowhere,
        KEPT => Place::Kept,
        _ => Place::Slot(Entry(raw)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_where_places_do_not_follow_or_the_cluster_ends() {
        let mut places = Places::default();
        places.add_device(0, 4096);
        let at = |off| Entry::new(0, off);
        for i in 0..20 {
            places.set(at(600 + i), Place::Slot(Entry::new(1, 1020 + i)));
        }
        places.set(at(603), Place::Kept);
        assert_eq!(places.run(at(600), 20, 512), (Place::Slot(Entry::new(1, 1020)), 3));
        assert_eq!(places.run(at(603), 20, 512), (Place::Kept, 1));
        assert_eq!(places.run(at(604), 3, 512), (Place::Slot(Entry::new(1, 1024)), 3));
        places.set(at(603), Place::Slot(Entry::new(1, 1023)));
        assert_eq!(places.run(at(600), 20, 512).1, 4, "the cluster of the design ends at 1024");
        assert_eq!(places.run(at(620), 500, 512), (Place::Nowhere, 404), "the chunk ends");
        assert_eq!(places.all(Some(0)).len(), 20);
    }

    #[test]
    fn notes_go_with_their_slot_and_chunks_with_their_last() {
        let mut places = Places::default();
        places.add_device(2, 1024);
        let at = Entry::new(2, 7);
        assert!(places.knows(at, 1017) && !places.knows(at, 1018) && !places.knows(Entry::new(1, 7), 1));
        places.set(at, Place::Kept);
        places.set_len(at, 9999);
        places.set_stored(at);
        places.set_stays(at, true);
        assert_eq!((places.len(at), places.stored(at), places.stays(at)), (4096, true, true));
        places.set(at, Place::Nowhere);
        assert_eq!((places.len(at), places.stored(at), places.stays(at)), (0, false, false));
        assert!(places.devices[2].chunks[0].is_none());
        places.set(Entry::new(2, 1024), Place::Kept);
        assert_eq!(places.get(Entry::new(2, 1024)), Place::Nowhere, "past the end");
    }
}

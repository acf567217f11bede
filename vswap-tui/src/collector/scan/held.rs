//! How many slots the allocator holds of each device, whoever has them (6.12): counted by the scan, while events take
//! slots and put them back.
//!
//! The rule is that of the slots themselves: the scan speaks only of what no event told since it began. One scan may
//! read a slot twice, so slots are marked, not added up.

use vswap_common::slot::MAX_DEVICES;
use vswap_common::{Entry, slot};

/// Slots followed over all devices, in 16 MiB; of more nothing is said.
const MAX_SLOTS: usize = 64 << 20;

/// Marks of one device, 64 slots a word.
#[derive(Debug, Default)]
struct Marks {
    /// The allocator holds the slot.
    held: Vec<u64>,
    /// An event said so, or the contrary.
    told: Vec<u64>,
}

/// What is known so far of the scan that runs.
#[derive(Debug, Default)]
pub(super) struct Holding {
    devices: [Marks; MAX_DEVICES],
    words: usize,
    /// More slots than there is room for.
    overflow: bool,
}

impl Holding {
    /// An event took slots or put them back.
    pub(super) fn event(&mut self, at: Entry, nr: u16, taken: bool) {
        self.mark(at, nr, taken, true);
    }

    /// The scan found slots held or not.
    pub(super) fn found(&mut self, at: Entry, nr: u16, held: bool) {
        self.mark(at, nr, held, false);
    }

    fn mark(&mut self, at: Entry, nr: u16, held: bool, by_event: bool) {
        for off in at.off()..at.off() + u64::from(nr) {
            let (index, bit) = ((off / 64) as usize, 1u64 << (off % 64));
            let marks = &mut self.devices[usize::from(at.dev()) % MAX_DEVICES];
            if index >= marks.held.len() {
                // A cluster at a time.
                let len = (index + 1).next_multiple_of(slot::CLUSTER_SLOTS as usize / 64);
                self.words += len - marks.held.len();
                if self.words > MAX_SLOTS / 64 {
                    (self.overflow, self.words) = (true, self.words - (len - marks.held.len()));
                    return;
                }
                marks.held.resize(len, 0);
                marks.told.resize(len, 0);
            }
            if by_event {
                marks.told[index] |= bit;
            } else if marks.told[index] & bit != 0 {
                continue;
            }
            if held {
                marks.held[index] |= bit;
            } else {
                marks.held[index] &= !bit;
            }
        }
    }

    /// Slots held of the device; `None` if there were too many to follow.
    pub(super) fn of(&self, dev: u8) -> Option<u64> {
        let held = &self.devices[usize::from(dev) % MAX_DEVICES].held;
        (!self.overflow).then(|| held.iter().map(|w| u64::from(w.count_ones())).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_win_and_a_slot_read_twice_counts_once() {
        let mut h = Holding::default();
        h.event(Entry::new(2, 5), 1, true);
        h.event(Entry::new(2, 6), 1, false);
        h.found(Entry::new(2, 0), 4, true);
        h.found(Entry::new(2, 5), 1, false);
        h.found(Entry::new(2, 6), 2, true);
        h.found(Entry::new(2, 0), 4, true);
        assert_eq!((h.of(2), h.of(1)), (Some(6), Some(0)));
        h.found(Entry::new(2, 3), 1, false);
        h.event(Entry::new(2, 0), 2, false);
        assert_eq!(h.of(2), Some(3));
    }

    #[test]
    fn a_device_without_end_is_not_followed() {
        let mut h = Holding::default();
        h.found(Entry::new(0, 0), 512, true);
        h.found(Entry::new(0, 1 << 40), 1, true);
        assert_eq!(h.of(0), None);
    }
}

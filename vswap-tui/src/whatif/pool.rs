//! The zswap pool of the replayed design, in compressed bytes as recorded.

use super::places::Places;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use vswap_common::Entry;

/// Above the limit nothing is stored until writeback has brought the pool down to this share of it
/// (`zswap_accept_thr_percent`).
const ACCEPT_PERCENT: u64 = 90;

/// What zswap holds, by recorded slot.
#[derive(Default)]
pub(super) struct Pool {
    bytes: u64,
    peak: u64,
    limit: Option<u64>,
    /// With a limit: stored slots, oldest first.
    oldest: BTreeMap<u64, Entry>,
    /// Their keys.
    turns: FxHashMap<Entry, u64>,
    next: u64,
}

impl Pool {
    pub(super) fn new(limit: Option<u64>) -> Self {
        Self { limit, ..Self::default() }
    }

    #[cfg(test)]
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn peak(&self) -> u64 {
        self.peak
    }

    /// The pool decides by itself what is written back.
    pub(super) const fn limited(&self) -> bool {
        self.limit.is_some()
    }

    /// A store is refused now (`zswap_check_limits`).
    pub(super) fn full(&self) -> bool {
        self.limit.is_some_and(|limit| self.bytes >= limit)
    }

    /// Writeback has not brought the pool down yet (`shrink_worker`).
    pub(super) fn above_accept(&self) -> bool {
        self.limit.is_some_and(|limit| {
            self.bytes > limit / 100 * ACCEPT_PERCENT + limit % 100 * ACCEPT_PERCENT / 100
        })
    }

    /// The page of the slot is stored, with the length last recorded.
    pub(super) fn store(&mut self, places: &mut Places, at: Entry) {
        if places.stored(at) {
            return;
        }
        places.set_stored(at);
        self.bytes += places.len(at);
        self.peak = self.peak.max(self.bytes);
        if self.limit.is_some() {
            self.queue(at);
        }
    }

    /// Nothing is stored for the slot any more. Its length is kept until a new one is recorded.
    pub(super) fn drop(&mut self, places: &mut Places, at: Entry) {
        if !places.stored(at) {
            return;
        }
        let len = places.len(at);
        places.set_len(at, len);
        self.bytes -= len;
        if let Some(turn) = self.turns.remove(&at) {
            self.oldest.remove(&turn);
        }
    }

    fn queue(&mut self, at: Entry) {
        self.next += 1;
        self.oldest.insert(self.next, at);
        self.turns.insert(at, self.next);
    }

    /// Slots stored, while there is a limit.
    pub(super) fn queued(&self) -> usize {
        self.oldest.len()
    }

    /// The slot whose turn it is to be written back; it goes to the end of the queue.
    pub(super) fn rotate(&mut self) -> Option<Entry> {
        let (_, at) = self.oldest.pop_first()?;
        self.queue(at);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::places::Place;
    use super::*;

    #[test]
    fn full_at_the_limit_open_again_at_ninety_percent_oldest_first() {
        let mut places = Places::default();
        places.add_device(0, 100);
        let mut pool = Pool::new(Some(1000));
        let at = |i| Entry::new(0, i);
        for i in 1..=10 {
            places.set(at(i), Place::Kept);
            places.set_len(at(i), 100);
            assert!(!pool.full());
            pool.store(&mut places, at(i));
        }
        pool.store(&mut places, at(10));
        assert_eq!((pool.bytes, pool.peak(), pool.full(), pool.above_accept()), (1000, 1000, true, true));
        pool.drop(&mut places, at(1));
        pool.drop(&mut places, at(1));
        assert_eq!((pool.bytes, pool.full(), pool.above_accept()), (900, false, false));
        assert_eq!((pool.rotate(), pool.rotate(), pool.queued()), (Some(at(2)), Some(at(3)), 9));
        assert_eq!(pool.peak(), 1000);
    }

    #[test]
    fn without_a_limit_nothing_is_queued() {
        let mut places = Places::default();
        places.add_device(0, 100);
        let mut pool = Pool::new(None);
        places.set(Entry::new(0, 1), Place::Kept);
        places.set_len(Entry::new(0, 1), 5000);
        pool.store(&mut places, Entry::new(0, 1));
        assert_eq!((pool.bytes, pool.queued(), pool.full(), pool.limited()), (4096, 0, false, false));
    }
}

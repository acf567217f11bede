//! The last slots that became free, to tell late news from good news.
//!
//! Some hooks fire after the folio was unlocked (exit of `swap_writeout` for a zero-filled folio): by then another
//! CPU may have freed the slots and given them away. Such a record says when its work began; if the slots became
//! free after that, the record is about somebody who no longer lives there.

use vswap_common::Entry;

/// Frees remembered. A late record is microseconds late; a preempted one may miss, and is then not believed.
const REMEMBERED: usize = 128;

#[derive(Clone, Copy, Default)]
struct Freed {
    ts: u64,
    first: u64,
    nr: u64,
}

/// Ring of the last frees.
pub(crate) struct RecentFrees {
    ring: [Freed; REMEMBERED],
    next: usize,
}

impl RecentFrees {
    pub(crate) const fn new() -> Self {
        Self { ring: [Freed { ts: 0, first: 0, nr: 0 }; REMEMBERED], next: 0 }
    }

    #[inline]
    pub(crate) fn push(&mut self, ts: u64, entry: Entry, nr: u16) {
        self.ring[self.next] = Freed { ts, first: entry.0, nr: u64::from(nr) };
        self.next = (self.next + 1) % REMEMBERED;
    }

    /// All remembered, oldest first: time, first slot, slots.
    pub(crate) fn dump(&self) -> Vec<(u64, u64, u64)> {
        let (newer, older) = self.ring.split_at(self.next);
        older.iter().chain(newer).map(|f| (f.ts, f.first, f.nr)).filter(|f| f.2 > 0).collect()
    }

    /// Remembers what [`RecentFrees::dump`] gave.
    pub(crate) fn restore(&mut self, dump: &[(u64, u64, u64)]) {
        for (ts, first, nr) in dump {
            self.push(*ts, Entry(*first), u16::try_from(*nr).unwrap_or(u16::MAX));
        }
    }

    /// True if the run may have been freed after `begin`: it was, or more frees happened since than are remembered.
    pub(crate) fn freed_since(&self, begin: u64, entry: Entry, nr: u16) -> bool {
        let (first, end) = (entry.0, entry.0 + u64::from(nr));
        // The slot about to be overwritten is the oldest: if even that one is newer than `begin`, some are forgotten.
        self.ring[self.next].ts > begin
            || self.ring.iter().any(|f| f.ts > begin && f.first < end && first < f.first.saturating_add(f.nr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_overlapping_free_after_the_beginning_counts() {
        let mut r = RecentFrees::new();
        r.push(100, Entry::new(1, 512), 4);
        let run = |begin, off, nr| r.freed_since(begin, Entry::new(1, off), nr);
        assert!(run(99, 515, 1) && run(99, 510, 3));
        assert!(!run(100, 515, 1), "freed before it began");
        assert!(!run(99, 516, 1) && !run(99, 511, 1), "neighbours");
        assert!(!r.freed_since(99, Entry::new(2, 512), 4), "other device");
    }

    #[test]
    fn what_was_forgotten_is_not_believed() {
        let mut r = RecentFrees::new();
        for ts in 1..=REMEMBERED as u64 {
            r.push(ts, Entry::new(0, 1), 1);
        }
        assert!(r.freed_since(0, Entry::new(0, 99), 1), "a free at 1 may be followed by forgotten ones");
        assert!(!r.freed_since(1, Entry::new(0, 99), 1));
    }
}

//! The last slots that became free, to tell late news from good news.
//!
//! Some hooks fire after the folio was unlocked (exit of `swap_writeout` for a zero-filled folio): by then another
//! CPU may have freed the slots and given them away. Such a record says when its work began; if the slots became
//! free after that, the record is about somebody who no longer lives there.

use std::collections::VecDeque;
use vswap_common::Entry;

/// Frees remembered. A late record is microseconds late; one of a thread that lost its CPU is milliseconds late, and
/// another may free thousands of slots meanwhile. What is later still is not believed.
const REMEMBERED: usize = 8192;
/// Those a key frame has.
const DUMPED: usize = 128;
/// So many in a row that are too old end a look: a record has its place in the ring a little before it has its time.
const TOO_OLD: u32 = 16;

#[derive(Clone, Copy, Default)]
struct Freed {
    ts: u64,
    first: u64,
    nr: u64,
}

/// The last frees, oldest first.
pub(crate) struct RecentFrees {
    ring: VecDeque<Freed>,
    /// Time of the last one that was forgotten.
    forgotten: u64,
}

impl RecentFrees {
    pub(crate) const fn new() -> Self {
        Self { ring: VecDeque::new(), forgotten: 0 }
    }

    #[inline]
    pub(crate) fn push(&mut self, ts: u64, entry: Entry, nr: u16) {
        if self.ring.len() == REMEMBERED
            && let Some(oldest) = self.ring.pop_front()
        {
            self.forgotten = self.forgotten.max(oldest.ts);
        }
        self.ring.push_back(Freed { ts, first: entry.0, nr: u64::from(nr) });
    }

    /// The last ones, oldest first: time, first slot, slots.
    pub(crate) fn dump(&self) -> Vec<(u64, u64, u64)> {
        let last = self.ring.iter().skip(self.ring.len().saturating_sub(DUMPED));
        last.map(|f| (f.ts, f.first, f.nr)).collect()
    }

    /// Remembers what [`RecentFrees::dump`] gave, and that there may have been more.
    pub(crate) fn restore(&mut self, dump: &[(u64, u64, u64)]) {
        for (ts, first, nr) in dump {
            self.push(*ts, Entry(*first), u16::try_from(*nr).unwrap_or(u16::MAX));
        }
        if let Some((ts, ..)) = dump.first().filter(|_| dump.len() >= DUMPED) {
            self.forgotten = self.forgotten.max(*ts);
        }
    }

    /// True if the run may have been freed after `begin`: it was, or what was freed then is not remembered. Costs what
    /// was freed since.
    pub(crate) fn freed_since(&self, begin: u64, entry: Entry, nr: u16) -> bool {
        let (first, end) = (entry.0, entry.0.saturating_add(u64::from(nr)));
        if self.forgotten > begin {
            return true;
        }
        let mut too_old = 0;
        for f in self.ring.iter().rev().take_while(|f| {
            too_old = if f.ts > begin { 0 } else { too_old + 1 };
            too_old < TOO_OLD
        }) {
            if f.ts > begin && f.first < end && first < f.first.saturating_add(f.nr) {
                return true;
            }
        }
        false
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
        for ts in 1..=REMEMBERED as u64 + 1 {
            r.push(ts, Entry::new(0, 1), 1);
        }
        assert!(r.freed_since(0, Entry::new(0, 99), 1), "the free at 1 is forgotten");
        assert!(!r.freed_since(1, Entry::new(0, 99), 1));
    }

    #[test]
    fn a_record_that_thousands_of_frees_overtook_is_believed() {
        let mut r = RecentFrees::new();
        r.push(10, Entry::new(0, 9), 1);
        for ts in 20..5020 {
            r.push(ts, Entry::new(0, ts), 1);
        }
        assert!(!r.freed_since(10, Entry::new(0, 9), 1), "its free was before");
        assert!(r.freed_since(9, Entry::new(0, 9), 1) && r.freed_since(10, Entry::new(0, 20), 1));
        // A free of a CPU whose record came late lies among newer ones.
        r.push(4000, Entry::new(0, 77), 1);
        assert!(r.freed_since(3999, Entry::new(0, 77), 1) && !r.freed_since(4000, Entry::new(0, 77), 1));
    }

    #[test]
    fn a_key_frame_has_the_last_and_says_that_there_were_more() {
        let mut r = RecentFrees::new();
        for ts in 1..=300 {
            r.push(ts, Entry::new(0, ts), 1);
        }
        let dump = r.dump();
        assert_eq!((dump.len(), dump[0].0, dump[DUMPED - 1].0), (DUMPED, 173, 300));
        let mut of_frame = RecentFrees::new();
        of_frame.restore(&dump);
        let both = |begin, off| [&r, &of_frame].map(|frees| frees.freed_since(begin, Entry::new(0, off), 1));
        assert_eq!((both(299, 300), both(173, 250), both(173, 99)), ([true; 2], [true; 2], [false; 2]));
        assert_eq!(both(172, 99), [false, true], "not remembered, not believed");
        let mut few = RecentFrees::new();
        few.restore(&dump[100..]);
        assert!(!few.freed_since(0, Entry::new(0, 99), 1), "all there were");
    }
}

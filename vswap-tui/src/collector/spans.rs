//! Which slots of a cluster are free, as bits, and how many folios of each order would fit: aligned runs of free slots.

use super::cluster::SLOTS;
use vswap_common::slot::ORDERS;

/// Words of 64 slots.
const WORDS: usize = SLOTS / 64;

/// Aligned free runs of a cluster by order.
pub(super) type Aligned = [u16; ORDERS];

/// The slots in use.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spans {
    used: [u64; WORDS],
}

impl Spans {
    /// The slot came into use, or became free.
    #[inline]
    pub(super) const fn set(&mut self, slot: usize, used: bool) {
        let bit = 1 << (slot % 64);
        let word = &mut self.used[slot / 64 % WORDS];
        if used { *word |= bit } else { *word &= !bit }
    }

    /// Aligned free runs by order among the slots `first..end` of the cluster: bad slots lie outside.
    pub(super) fn aligned(&self, first: usize, end: usize) -> Aligned {
        let mut free = [0u64; WORDS];
        for (i, (free, used)) in free.iter_mut().zip(self.used).enumerate() {
            *free = !used & window(first, end, i);
        }
        let mut out = Aligned::default();
        // Within a word: a run of order n+1 is a run of order n followed by another, at an even place.
        const EVEN: [u64; 6] = [
            0x5555_5555_5555_5555,
            0x1111_1111_1111_1111,
            0x0101_0101_0101_0101,
            0x0001_0001_0001_0001,
            0x0000_0001_0000_0001,
            1,
        ];
        let ones = |words: &[u64; WORDS]| words.iter().map(|w| w.count_ones() as u16).sum();
        out[0] = ones(&free);
        for (order, even) in EVEN.into_iter().enumerate() {
            for word in &mut free {
                *word &= (*word >> (1 << order)) & even;
            }
            out[order + 1] = ones(&free);
        }
        // Across words: bit 0 of each says that all of it is free.
        let mut whole = free.map(|w| w == 1);
        let mut step = 1;
        for count in out.iter_mut().skip(EVEN.len() + 1) {
            for i in (0..WORDS).step_by(2 * step) {
                whole[i] = whole[i] && whole.get(i + step).copied().unwrap_or(false);
                *count += u16::from(whole[i]);
            }
            step *= 2;
        }
        out
    }
}

/// Bits of the slots `first..end` that lie in word `i`.
const fn window(first: usize, end: usize, i: usize) -> u64 {
    below(end.saturating_sub(i * 64)) & !below(first.saturating_sub(i * 64))
}

/// The lowest `n` bits, all from 64 on.
const fn below(n: usize) -> u64 {
    if n >= 64 { u64::MAX } else { (1 << n) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same by looking at every place.
    fn slowly(used: &[bool], first: usize, end: usize) -> Aligned {
        let mut out = Aligned::default();
        for (order, n) in out.iter_mut().enumerate() {
            let len = 1 << order;
            let free = |at: usize| (at..at + len).all(|s| (first..end).contains(&s) && !used[s]);
            *n = (0..SLOTS).step_by(len).filter(|at| free(*at)).count() as u16;
        }
        out
    }

    #[test]
    fn an_empty_cluster_fits_one_of_the_largest_order() {
        let s = Spans::default();
        assert_eq!(s.aligned(0, SLOTS), [512, 256, 128, 64, 32, 16, 8, 4, 2, 1]);
        assert_eq!(s.aligned(1, SLOTS), [511, 255, 127, 63, 31, 15, 7, 3, 1, 0], "slot 0 holds the header");
        assert_eq!(s.aligned(0, 0), [0; ORDERS]);
    }

    proptest! {
        #[test]
        fn bits_count_as_slots_do(
            runs in prop::collection::vec((0usize..SLOTS, 1usize..70, any::<bool>()), 0..24),
            first in 0usize..3,
            end in 400usize..=SLOTS,
        ) {
            let (mut spans, mut used) = (Spans::default(), [false; SLOTS]);
            for (at, len, is) in runs {
                for (slot, used) in used.iter_mut().enumerate().skip(at).take(len) {
                    *used = is;
                    spans.set(slot, is);
                }
            }
            prop_assert_eq!(spans.aligned(first, end), slowly(&used, first, end));
        }
    }
}

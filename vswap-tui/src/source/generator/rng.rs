//! A small deterministic random source: SplitMix64 (Steele, Lea, Flood 2014). Same seed, same events, on every
//! machine; integers only, so that no rounding differs.

/// SplitMix64.
pub(super) struct Rng(u64);

impl Rng {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Evenly below `n` (which is not 0), up to a bias of one in 2^32.
    pub(super) const fn below(&mut self, n: u64) -> u64 {
        (((self.next() >> 32) as u128 * n as u128) >> 32) as u64
    }

    /// Evenly in `low..high`.
    pub(super) const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low)
    }

    /// True in `permille` of 1000 cases.
    pub(super) const fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }

    /// An index drawn with these weights; 0 if all are 0.
    pub(super) fn weighted(&mut self, weights: impl Iterator<Item = u64> + Clone) -> usize {
        let mut left = self.below(weights.clone().sum::<u64>().max(1));
        for (i, w) in weights.enumerate() {
            if left < w {
                return i;
            }
            left -= w;
        }
        0
    }

    /// Durations in nanoseconds: mostly near `typical`, with the long tail that real ones have.
    pub(super) const fn duration(&mut self, typical: u64) -> u64 {
        let base = typical / 2 + self.below(typical);
        match self.below(1000) {
            0 => base * 20,
            1..=30 => base * 4,
            _ => base,
        }
    }
}

/// Scrambles a number; the finalizer of SplitMix64.
pub(super) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_sequence_of_seed_zero() {
        let mut r = Rng::new(0);
        assert_eq!([r.next(), r.next()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }

    #[test]
    fn ranges_hold_and_weights_matter() {
        let mut r = Rng::new(3);
        assert!((0..1000).all(|_| (5..9).contains(&r.between(5, 9))));
        let hits = (0..1000).filter(|_| r.weighted([1, 0, 3].into_iter()) == 2).count();
        assert!((650..850).contains(&hits), "{hits}");
        assert_eq!(r.weighted([0, 0].into_iter()), 0);
    }
}

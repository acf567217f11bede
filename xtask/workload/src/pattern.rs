//! What is in a page: a function of seed, page number and generation, so that nothing needs to be remembered and
//! every page can be verified after it came back from swap.

use clap::ValueEnum;

/// Bytes of a page. The guests are x86-64, where there is no other base size.
pub(crate) const PAGE: usize = 4096;

/// What a page's content makes of it in swap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// All zeroes: needs no storage.
    Zero,
    /// A repeated phrase: compresses to a few dozen bytes.
    Comp,
    /// Noise: does not compress.
    Rand,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Zero, Self::Comp, Self::Rand];

    /// The word in the printed truth.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Comp => "comp",
            Self::Rand => "rand",
        }
    }
}

/// How kinds are spread over the pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Pattern {
    /// Only zero pages
    Zero,
    /// Only compressible pages
    Comp,
    /// Only noise
    Rand,
    /// Every page half noise: compresses to about half
    Half,
    /// Three quarters compressible, a quarter noise
    Data,
    /// A quarter zero, half compressible, a quarter noise
    Mix,
}

/// The content of all pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content {
    /// Same seed, same bytes.
    pub(crate) seed: u64,
    /// Spread of kinds.
    pub(crate) pattern: Pattern,
    /// Neighbouring pages of one kind: 1, or 512 to make whole huge pages zero.
    pub(crate) block: usize,
}

impl Content {
    /// Kind of a page; a rewrite changes the bytes, not the kind.
    pub(crate) fn kind(&self, page: usize) -> Kind {
        match self.pattern {
            Pattern::Zero => Kind::Zero,
            Pattern::Comp | Pattern::Half => Kind::Comp,
            Pattern::Rand => Kind::Rand,
            Pattern::Mix | Pattern::Data => {
                let block = (page / self.block.max(1)) as u64;
                match mix(self.seed.wrapping_mul(31).wrapping_add(block)) % 4 {
                    0 if self.pattern == Pattern::Mix => Kind::Zero,
                    1 => Kind::Rand,
                    _ => Kind::Comp,
                }
            }
        }
    }

    /// Writes the bytes of `page` after `generation` rewrites into `buf`.
    pub(crate) fn fill(&self, page: usize, generation: u32, buf: &mut [u8; PAGE]) {
        let start = mix(self.seed ^ ((page as u64) << 32) ^ u64::from(generation));
        match self.kind(page) {
            Kind::Zero => buf.fill(0),
            Kind::Comp => {
                // Two words in turn: not a page filled with one value, which some kernels store without compressing.
                for (i, chunk) in buf.chunks_exact_mut(8).enumerate() {
                    let word = if i % 2 == 0 { start } else { !start };
                    chunk.copy_from_slice(&word.to_le_bytes());
                }
            }
            Kind::Rand => noise(start, buf),
        }
        if self.pattern == Pattern::Half {
            noise(start, &mut buf[..PAGE / 2]);
        }
    }
}

fn noise(start: u64, buf: &mut [u8]) {
    let mut state = start;
    for chunk in buf.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        chunk.copy_from_slice(&mix(state).to_le_bytes());
    }
}

/// Splitmix64's finalizer: every input bit changes half the output bits.
pub(crate) const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(pattern: Pattern, block: usize) -> Content {
        Content { seed: 7, pattern, block }
    }

    fn page(c: &Content, page: usize, generation: u32) -> [u8; PAGE] {
        let mut buf = [1; PAGE];
        c.fill(page, generation, &mut buf);
        buf
    }

    #[test]
    fn content_depends_on_seed_page_and_generation_only() {
        let c = content(Pattern::Rand, 1);
        assert_eq!(page(&c, 3, 0), page(&c, 3, 0));
        assert_ne!(page(&c, 3, 0), page(&c, 4, 0));
        assert_ne!(page(&c, 3, 0), page(&c, 3, 1));
        assert_ne!(page(&c, 3, 0), page(&Content { seed: 8, ..c }, 3, 0));
    }

    #[test]
    fn kinds_look_as_they_are_called() {
        assert!(page(&content(Pattern::Zero, 1), 9, 5).iter().all(|b| *b == 0));
        let comp = page(&content(Pattern::Comp, 1), 9, 0);
        assert!(comp.chunks(16).all(|c| c == &comp[..16]) && comp[..8] != comp[8..16]);
        let rand = page(&content(Pattern::Rand, 1), 9, 0);
        let mut words: Vec<&[u8]> = rand.chunks(8).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), PAGE / 8, "noise repeats no word");
    }

    #[test]
    fn mix_has_every_kind_in_blocks() {
        let single = content(Pattern::Mix, 1);
        let count = |kind| (0..4000).filter(|i| single.kind(*i) == kind).count();
        let [zero, comp, rand] = Kind::ALL.map(count);
        assert!((800..1200).contains(&zero) && (800..1200).contains(&rand) && comp > 1700);
        let huge = content(Pattern::Mix, 512);
        for i in 0..512 * 16 {
            assert_eq!(huge.kind(i), huge.kind(i / 512 * 512));
        }
        let blocks: Vec<Kind> = (0..16).map(|b| huge.kind(b * 512)).collect();
        assert!(Kind::ALL.iter().all(|k| blocks.contains(k)), "{blocks:?}");
    }
}

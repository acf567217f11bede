//! Lowest unused index of virtual clusters (`xa_alloc` in `vswap_alloc_cluster`): a bitmap under a summary bitmap.

use super::xarray::Nodes;

/// Set of used indices with a cheap "lowest unused".
#[derive(Clone, Debug, Default)]
pub struct Indices {
    used: Vec<u64>,
    /// Bit i: word i of `used` is full.
    full: Vec<u64>,
    nodes: Nodes,
}

impl Indices {
    /// Takes the lowest unused index if it is at most `last`.
    pub fn take_lowest(&mut self, last: u32) -> Option<u32> {
        let index = self.lowest();
        if index > u64::from(last) {
            return None;
        }
        let index = u32::try_from(index).ok()?;
        self.take(index);
        Some(index)
    }

    fn lowest(&self) -> u64 {
        for (i, &summary) in self.full.iter().enumerate() {
            if summary != u64::MAX {
                let word = i * 64 + summary.trailing_ones() as usize;
                let bit = self.used.get(word).map_or(0, |w| w.trailing_ones());
                return word as u64 * 64 + u64::from(bit);
            }
        }
        self.full.len() as u64 * 64 * 64
    }

    /// Marks `index` used.
    pub fn take(&mut self, index: u32) {
        let word = index as usize / 64;
        if word >= self.used.len() {
            self.used.resize(word + 1, 0);
        }
        if word / 64 >= self.full.len() {
            self.full.resize(word / 64 + 1, 0);
        }
        if self.used[word] >> (index % 64) & 1 == 0 {
            self.nodes.insert(index.into());
        }
        self.used[word] |= 1 << (index % 64);
        if self.used[word] == u64::MAX {
            self.full[word / 64] |= 1 << (word % 64);
        }
    }

    /// Gives `index` back (`xa_erase`).
    pub fn put(&mut self, index: u32) {
        let word = index as usize / 64;
        if let Some(bits) = self.used.get_mut(word) {
            if *bits >> (index % 64) & 1 == 1 {
                self.nodes.remove(index.into());
            }
            *bits &= !(1 << (index % 64));
            self.full[word / 64] &= !(1 << (word % 64));
        }
    }

    /// Nodes of the xarray with the used indices.
    pub(super) fn nodes(&self) -> u64 {
        self.nodes.count()
    }

    /// `index` is in use.
    pub fn contains(&self, index: u32) -> bool {
        self.used.get(index as usize / 64).is_some_and(|w| w >> (index % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lowest_index_comes_back_first_across_word_borders() {
        let mut indices = Indices::default();
        for want in 0..10_000 {
            assert_eq!(indices.take_lowest(20_000), Some(want));
        }
        for index in [9_999, 4_096, 70, 63] {
            indices.put(index);
            assert!(!indices.contains(index));
        }
        for want in [63, 70, 4_096, 9_999, 10_000] {
            assert_eq!(indices.take_lowest(20_000), Some(want));
        }
        assert_eq!(indices.take_lowest(10_000), None);
    }
}

//! The sums over slots, and how they follow when slots change: of all devices, of one, of a cluster and of a cgroup.

use super::cluster::Word;
use super::clusters::Meta;
use super::memcg::Memcgs;
use crate::snapshot::{Backend, Mix};

/// Sums over all devices.
#[derive(Default)]
pub(super) struct Sums {
    /// Slots by owner.
    pub(super) memcgs: Memcgs,
    /// Slots that moved, `[from][to]`, 0 = free.
    pub(super) transitions: [[u64; 5]; 5],
    /// Slots in use with a folio in the swap cache.
    pub(super) cached: u64,
    /// Compressed bytes, as far as known.
    pub(super) zswap_bytes: u64,
}

/// Everything that counts a slot, borrowed for one run.
pub(super) struct Tally<'a> {
    pub(super) mix: &'a mut Mix,
    pub(super) confirmed: &'a mut u64,
    pub(super) meta: &'a mut Meta,
    pub(super) sums: &'a mut Sums,
    /// The event takes free slots into use; any other event finds slots that were in use before we knew.
    pub(super) comes_into_use: bool,
    /// Slots of the virtual device are charged only with a physical one behind them.
    pub(super) is_virtual: bool,
}

impl Tally<'_> {
    /// `n` slots changed from one word to another.
    #[inline]
    pub(super) fn book(&mut self, from: Word, to: Word, n: u16) {
        if n == 0 {
            return;
        }
        let wide = u64::from(n);
        if from.cached() != to.cached() {
            if to.cached() { self.sums.cached += wide } else { self.sums.cached -= wide }
        }
        if from.same_but_cached(to) {
            return;
        }
        let cell = &mut self.meta.cell;
        if from.used() {
            let (b, bytes) = (from.backend() as usize, u64::from(from.len()) * wide);
            let row = self.sums.memcgs.row_mut(from.memcg());
            cell.mix[b] -= n;
            self.mix[b] -= wide;
            row.mix[b] -= wide;
            row.uncharged -= if self.is_virtual && !from.backed() { wide } else { 0 };
            row.zswap_bytes -= bytes;
            self.sums.zswap_bytes -= bytes;
            if from.confirmed() { *self.confirmed -= wide } else { cell.unconfirmed -= n }
        }
        if to.used() {
            let (b, bytes) = (to.backend() as usize, u64::from(to.len()) * wide);
            let row = self.sums.memcgs.row_mut(to.memcg());
            cell.mix[b] += n;
            self.mix[b] += wide;
            row.mix[b] += wide;
            row.uncharged += if self.is_virtual && !to.backed() { wide } else { 0 };
            row.zswap_bytes += bytes;
            self.sums.zswap_bytes += bytes;
            if to.confirmed() { *self.confirmed += wide } else { cell.unconfirmed += n }
        }
        if let (Some(a), Some(b)) = (self.place(from), place_of(to))
            && a != b
        {
            self.sums.transitions[a][b] += wide;
        }
    }

    /// Row of the matrix; a slot that only comes into view has come from nowhere.
    #[inline]
    fn place(&self, from: Word) -> Option<usize> {
        if !from.used() && !from.confirmed() && !self.comes_into_use { None } else { place_of(from) }
    }
}

/// Index in the matrix: 0 for free, none for a slot in use whose place is unknown.
#[inline]
fn place_of(word: Word) -> Option<usize> {
    match word.backend() {
        Backend::None if word.used() => None,
        backend => Some(backend as usize),
    }
}

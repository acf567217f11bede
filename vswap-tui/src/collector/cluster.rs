//! One cluster of slots: nine bytes a slot, one 64-bit word of state plus the high byte of a time.
//!
//! ```text
//! bit 63........40 39     38      37....22 21..9 8...5  4       3       2....0
//!     since (low)  owned  backed  memcg    len   order  placed  cached  status
//! ```
//!
//! `status` is 0 for a free slot and backend + 1 for a slot in use. Where the data is and whose it is are learned from
//! different events: a slot is confirmed when both are certain. Everything an event changes sits in one word,
//! so that one event costs one cache line of slot state; only residence in zswap touches the second array.

use crate::snapshot::Backend;
use vswap_common::slot::CLUSTER_SLOTS;

/// Slots in a cluster, as an index.
pub(super) const SLOTS: usize = CLUSTER_SLOTS as usize;

const STATUS: u64 = 0b111;
const CACHED: u64 = 1 << 3;
/// Where the data is, is certain.
const PLACED: u64 = 1 << 4;
const ORDER_SHIFT: u32 = 5;
const ORDER: u64 = 0xf << ORDER_SHIFT;
const LEN_SHIFT: u32 = 9;
const LEN: u64 = 0x1fff << LEN_SHIFT;
const MEMCG_SHIFT: u32 = 22;
const MEMCG: u64 = 0xffff << MEMCG_SHIFT;
const BACKED: u64 = 1 << 38;
/// Whose it is, is certain.
const OWNED: u64 = 1 << 39;
const SINCE_SHIFT: u32 = 40;
const SINCE: u64 = !0 << SINCE_SHIFT;
/// Bits of the time that sit in the word; eight more sit in [`Cluster::since_high`].
const SINCE_LOW_BITS: u32 = 64 - SINCE_SHIFT;
/// Residence is kept modulo this many milliseconds (49 days).
const SINCE_RANGE: u64 = 1 << (SINCE_LOW_BITS + 8);
/// Time of a slot that was in zswap before we came: the last millisecond of the range.
pub(super) const SINCE_UNKNOWN: u64 = SINCE_RANGE - 1;
/// Largest compressed length that is believed: a page stored as it is.
const MAX_LEN: u16 = 4096;

/// State of one slot. Pure: every change makes a new word, the slot map does the bookkeeping.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Word(u64);

impl Word {
    /// A slot known to be free.
    pub(super) const FREE: Self = Self(PLACED | OWNED);
    /// A slot of which nothing is known; taken as free until an event names it.
    pub(super) const UNKNOWN: Self = Self(0);

    pub(super) const fn used(self) -> bool {
        self.0 & STATUS != 0
    }

    /// Where the data is; [`Backend::None`] for a free slot too.
    pub(super) const fn backend(self) -> Backend {
        match self.0 & STATUS {
            2 => Backend::Folio,
            3 => Backend::Zero,
            4 => Backend::Zswap,
            5 => Backend::Phys,
            _ => Backend::None,
        }
    }

    pub(super) const fn cached(self) -> bool {
        self.0 & CACHED != 0
    }

    /// Both its place and its owner are certain.
    pub(super) const fn confirmed(self) -> bool {
        self.0 & (PLACED | OWNED) == PLACED | OWNED
    }

    /// Its place is certain.
    pub(super) const fn placed(self) -> bool {
        self.0 & PLACED != 0
    }

    /// Its owner is certain; [`Word::memcg`] is the best guess otherwise.
    pub(super) const fn owned(self) -> bool {
        self.0 & OWNED != 0
    }

    pub(super) const fn order(self) -> u8 {
        ((self.0 & ORDER) >> ORDER_SHIFT) as u8
    }

    /// Compressed bytes, 0 when unknown or not in zswap.
    pub(super) const fn len(self) -> u16 {
        ((self.0 & LEN) >> LEN_SHIFT) as u16
    }

    pub(super) const fn memcg(self) -> u16 {
        ((self.0 & MEMCG) >> MEMCG_SHIFT) as u16
    }

    /// In use with this backend. A length only means something in zswap and goes with it.
    pub(super) const fn with_backend(self, backend: Backend) -> Self {
        let kept = if matches!(backend, Backend::Zswap) { self.0 } else { self.0 & !LEN };
        Self((kept & !STATUS) | (backend as u64 + 1))
    }

    pub(super) const fn with_cached(self, cached: bool) -> Self {
        Self(if cached { self.0 | CACHED } else { self.0 & !CACHED })
    }

    /// The backend is certain, or not.
    pub(super) const fn with_placed(self, placed: bool) -> Self {
        Self(if placed { self.0 | PLACED } else { self.0 & !PLACED })
    }

    /// The owner is certain, or not.
    pub(super) const fn with_owned(self, owned: bool) -> Self {
        Self(if owned { self.0 | OWNED } else { self.0 & !OWNED })
    }

    pub(super) const fn with_order(self, order: u8) -> Self {
        Self((self.0 & !ORDER) | ((order as u64) << ORDER_SHIFT) & ORDER)
    }

    /// Of this owner, for certain.
    pub(super) const fn with_memcg(self, memcg: u16) -> Self {
        self.with_owned(true).guessed_memcg(memcg)
    }

    /// Of this owner as far as anybody knows.
    pub(super) const fn guessed_memcg(self, memcg: u16) -> Self {
        Self((self.0 & !MEMCG) | ((memcg as u64) << MEMCG_SHIFT))
    }

    /// A physical slot is held for this virtual one, and charged to its cgroup.
    pub(super) const fn backed(self) -> bool {
        self.0 & BACKED != 0
    }

    pub(super) const fn with_backed(self, backed: bool) -> Self {
        Self(if backed { self.0 | BACKED } else { self.0 & !BACKED })
    }

    /// A length no page has (negative, above a page) is stored as unknown.
    pub(super) const fn with_len(self, bytes: i32) -> Self {
        let len = if bytes > 0 && bytes <= MAX_LEN as i32 { bytes as u64 } else { 0 };
        Self((self.0 & !LEN) | (len << LEN_SHIFT))
    }

    /// True if only the cached bit (or nothing) differs, so that no per-backend counter moves.
    pub(super) const fn same_but_cached(self, other: Self) -> bool {
        (self.0 ^ other.0) & !(CACHED | SINCE | ORDER) == 0
    }
}

/// The slots of one cluster.
pub(super) struct Cluster {
    /// One word a slot, by offset in the cluster.
    words: [Word; SLOTS],
    /// High byte of the time a slot entered zswap.
    since_high: [u8; SLOTS],
}

impl Cluster {
    /// All slots in the same state.
    pub(super) fn boxed(word: Word) -> Box<Self> {
        Box::new(Self { words: [word; SLOTS], since_high: [0; SLOTS] })
    }

    pub(super) const fn words(&self) -> &[Word; SLOTS] {
        &self.words
    }

    pub(super) const fn words_mut(&mut self) -> &mut [Word; SLOTS] {
        &mut self.words
    }

    /// Notes that the slot entered zswap at `ms`.
    pub(super) fn start_residence(&mut self, slot: usize, ms: u64) {
        self.words[slot].0 = (self.words[slot].0 & !SINCE) | (ms << SINCE_SHIFT);
        self.since_high[slot] = (ms >> SINCE_LOW_BITS) as u8;
    }

    /// Time at which the slot entered zswap, ms modulo the range.
    pub(super) fn since(&self, slot: usize) -> u64 {
        (self.words[slot].0 >> SINCE_SHIFT) | (u64::from(self.since_high[slot]) << SINCE_LOW_BITS)
    }

    /// Milliseconds since the slot entered zswap, if that was seen; a clock that seems to run backwards counts as 0.
    pub(super) fn residence(&self, slot: usize, ms: u64) -> Option<u64> {
        let since = self.since(slot);
        let age = ms.wrapping_sub(since) % SINCE_RANGE;
        (since != SINCE_UNKNOWN).then_some(if age > SINCE_RANGE / 2 { 0 } else { age })
    }

    /// After a loss nothing here is certain, free slots included.
    pub(super) fn doubt_all(&mut self) {
        for word in &mut self.words {
            word.0 &= !(PLACED | OWNED);
        }
    }

    /// Every slot that is free is known to be free.
    pub(super) fn confirm_free(&mut self) {
        for word in &mut self.words {
            if !word.used() {
                *word = Word::FREE;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_costs_nine_bytes() {
        assert_eq!(std::mem::size_of::<Cluster>(), 9 * SLOTS);
    }

    #[test]
    fn fields_do_not_touch_each_other() {
        let w = Word::UNKNOWN
            .with_backend(Backend::Zswap)
            .with_cached(true)
            .with_placed(true)
            .with_order(9)
            .with_memcg(0xffff)
            .with_len(4096)
            .with_backed(true);
        assert_eq!(
            (w.backend(), w.cached(), w.confirmed(), w.order(), w.memcg(), w.len()),
            (Backend::Zswap, true, true, 9, 0xffff, 4096)
        );
        let w = w.with_memcg(0).with_order(0);
        assert!(w.backed() && !w.with_backed(false).same_but_cached(w));
        assert_eq!(
            (w.backend(), w.cached(), w.len(), w.memcg(), w.order()),
            (Backend::Zswap, true, 4096, 0, 0)
        );
    }

    #[test]
    fn place_and_owner_together_make_a_slot_certain() {
        let placed = Word::UNKNOWN.with_backend(Backend::Zero).with_placed(true);
        assert!(placed.placed() && !placed.owned() && !placed.confirmed());
        assert!(!placed.guessed_memcg(3).owned() && !placed.same_but_cached(placed.with_owned(true)));
        let w = placed.with_memcg(3);
        assert!(w.confirmed() && w.memcg() == 3 && !w.with_placed(false).confirmed());
        let mut c = Cluster::boxed(w);
        c.start_residence(1, (1 << 32) - 3);
        assert!(c.words()[1].confirmed());
        c.start_residence(1, 0);
        assert!(c.words()[1].confirmed());
        c.doubt_all();
        assert!(!c.words()[1].placed() && !c.words()[1].owned() && c.words()[1].memcg() == 3);
    }

    #[test]
    fn length_ends_with_zswap_and_absurd_lengths_are_unknown() {
        let w = Word::FREE.with_backend(Backend::Zswap).with_len(100);
        assert_eq!(w.with_backend(Backend::Phys).with_backend(Backend::Zswap).len(), 0);
        assert_eq!([-5, 0, 4097, i32::MAX].map(|n| w.with_len(n).len()), [0; 4]);
    }

    #[test]
    fn residence_survives_the_word_boundary_and_never_disturbs_the_state() {
        let mut c = Cluster::boxed(Word::FREE.with_backend(Backend::Zswap).with_len(77));
        for since in [0, 1, (1 << 24) - 1, 1 << 24, (1 << 32) - 3] {
            c.start_residence(5, since);
            assert_eq!(c.residence(5, since + 12_345), Some(12_345), "since {since}");
            assert_eq!((c.words()[5].len(), c.words()[5].backend()), (77, Backend::Zswap));
        }
        c.start_residence(5, 1000);
        assert_eq!(c.residence(5, 999), Some(0), "time running backwards is no age");
        c.start_residence(5, SINCE_UNKNOWN);
        assert_eq!(c.residence(5, 999), None);
    }

    #[test]
    fn doubt_and_certainty() {
        let mut c = Cluster::boxed(Word::FREE);
        c.words_mut()[3] = Word::FREE.with_backend(Backend::Phys);
        c.doubt_all();
        assert!(c.words().iter().all(|w| !w.confirmed()) && c.words()[3].used());
        c.confirm_free();
        assert!(c.words()[2].confirmed() && !c.words()[3].confirmed());
    }
}

//! A cluster: 512 slots, their words, and the flag that names its list (`struct swap_cluster_info`).

use super::vword::Vword;
use super::word::Word;
use std::ops::Range;
use vswap_common::slot::CLUSTER_SLOTS;

/// Where a cluster is (`CLUSTER_FLAG_*`; the numbers are the kernel's).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Flag {
    /// On no list: being scanned, or vswap cluster 0.
    None = 0,
    /// Empty, without tables.
    Free = 1,
    /// Partly used, a slot was freed since the last scan.
    Nonfull = 2,
    /// Partly used, scanned since the last free.
    Frag = 3,
    /// No free slot.
    Full = 4,
    /// Empty, waiting for its discard.
    Discard = 5,
    /// Virtual cluster that is gone; its index may be taken again.
    Dead = 6,
}

/// What last decided the list of a cluster: for invariant 5 only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Touch {
    /// Device setup or a free.
    Free,
    /// A scan, successful or not.
    Scan,
}

/// Slots the tables have room for. Without THP swap a cluster uses the first half of them.
pub(super) const ROOM: usize = CLUSTER_SLOTS as usize;

/// The tables of a populated cluster, taken back when it empties. The memcg ids of `memcg_table` are in the words.
#[derive(Debug)]
pub struct Tables {
    /// Swap table.
    words: [Word; ROOM],
    /// Where virtual slots have their data; empty on physical devices (`virtual_table`).
    pub vwords: Box<[Vword]>,
    /// Counts of 15 and more (`extend_table`).
    pub extend: Option<Box<[u32]>>,
}

impl Tables {
    /// Zeroed tables.
    pub fn new(virt: bool) -> Self {
        Self {
            words: [Word::NULL; ROOM],
            vwords: vec![Vword::NONE; if virt { ROOM } else { 0 }].into_boxed_slice(),
            extend: None,
        }
    }

    /// Swap table. Changed by [`Cluster::replace`] and [`Cluster::record`] alone.
    pub const fn words(&self) -> &[Word; ROOM] {
        &self.words
    }

    /// Bytes of all tables.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&*self.vwords)
            + self.extend.as_ref().map_or(0, |cells| size_of_val(&**cells))
    }
}

/// What 64 words are, one bit each: all a scan needs to know. A scan that read the words would fetch a cache line for
/// every eight of them, most of them taken where swap is nearly full.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    /// Not NULL.
    pub used: u64,
    /// Not NULL and not cache-only: no scan may take the slot.
    pub held: u64,
}

impl Marks {
    /// Slots that one of these describes.
    pub const SLOTS: usize = 64;

    /// Marks of bit `bit` for `word`.
    #[inline]
    const fn of(word: Word, bit: usize) -> Self {
        let used = !word.is_null();
        Self { used: (used as u64) << bit, held: ((used && !word.is_cache_only()) as u64) << bit }
    }

    /// Takes the bits of `mask` from `new`, which has no others.
    #[inline]
    const fn set(&mut self, mask: u64, new: Self) {
        self.used = self.used & !mask | new.used;
        self.held = self.held & !mask | new.held;
    }
}

/// One cluster.
#[derive(Debug)]
pub struct Cluster {
    /// Tables, while populated.
    pub tables: Option<Box<Tables>>,
    /// What the words are, 64 at a time; kept by [`Cluster::replace`].
    marks: [Marks; ROOM / Marks::SLOTS],
    /// Non-NULL words, Bad included.
    pub count: u16,
    /// Order of the first allocation since the cluster was empty.
    pub order: u8,
    /// Which list.
    pub flag: Flag,
    /// Held a direct-mapped slot since it was populated: RFC v2 gives it a memcg table only then.
    pub direct: bool,
    /// Last event that decided the list.
    pub touch: Touch,
    /// Times the cluster was populated (wraps): tells a recycled virtual index from the cluster before it.
    pub generation: u16,
}

impl Cluster {
    /// An empty cluster without tables.
    pub(super) fn new(flag: Flag) -> Self {
        Self {
            tables: None,
            marks: [Marks::default(); ROOM / Marks::SLOTS],
            count: 0,
            order: 0,
            flag,
            direct: false,
            touch: Touch::Free,
            generation: 0,
        }
    }

    /// An allocation of `order` may look into it (`cluster_is_usable`). Order 0 takes any order's cluster.
    pub fn usable(&self, order: u8) -> bool {
        matches!(self.flag, Flag::None | Flag::Free | Flag::Nonfull | Flag::Frag)
            && self.tables.is_some()
            && (order == 0 || self.count == 0 || self.order == order)
    }

    /// Word of a slot; NULL where the cluster has no table.
    pub fn word(&self, slot: usize) -> Word {
        self.tables.as_ref().and_then(|t| t.words.get(slot).copied()).unwrap_or(Word::NULL)
    }

    /// Vword of a slot; NONE on physical devices.
    pub fn vword(&self, slot: usize) -> Vword {
        self.tables.as_ref().and_then(|t| t.vwords.get(slot).copied()).unwrap_or(Vword::NONE)
    }

    /// Recorded memcg id of a slot.
    pub fn id(&self, slot: usize) -> u16 {
        self.word(slot).id()
    }

    /// Replaces the words of a range of a populated cluster. The only way a word's kind or count changes, so that the
    /// marks are always those of the words.
    #[inline]
    pub(super) fn replace(&mut self, slots: Range<usize>, mut with: impl FnMut(Word) -> Word) {
        let Some(tables) = &mut self.tables else { return };
        if slots.len() == 1 {
            // Most requests: no loop for them.
            let (block, bit) = (slots.start / Marks::SLOTS, slots.start % Marks::SLOTS);
            if let (Some(word), Some(marks)) = (tables.words.get_mut(slots.start), self.marks.get_mut(block))
            {
                *word = with(*word);
                marks.set(1 << bit, Marks::of(*word, bit));
            }
            return;
        }
        let mut at = slots.start;
        while at < slots.end {
            let (block, bit) = (at / Marks::SLOTS, at % Marks::SLOTS);
            let end = slots.end.min((block + 1) * Marks::SLOTS);
            let (Some(words), Some(marks)) = (tables.words.get_mut(at..end), self.marks.get_mut(block))
            else {
                return;
            };
            let mut new = Marks::default();
            for (i, word) in words.iter_mut().enumerate() {
                *word = with(*word);
                let mark = Marks::of(*word, bit + i);
                new.used |= mark.used;
                new.held |= mark.held;
            }
            marks.set(u64::MAX >> (Marks::SLOTS - (end - at)) << bit, new);
            at = end;
        }
    }

    /// Writes the memcg id of a range of used slots (`swap_cgroup_record`). Marks do not change by it.
    #[inline]
    pub(super) fn record(&mut self, slots: Range<usize>, id: u16) {
        if let Some(words) = self.tables.as_mut().and_then(|t| t.words.get_mut(slots)) {
            words.iter_mut().for_each(|word| *word = word.with_id(id));
        }
    }

    /// First range at or behind `pos`, a multiple of the `nr` slots it shall have, that is free; with `full` also one
    /// whose slots are free or cache-only, then true (`cluster_scan_range` until it finds something).
    #[inline]
    pub(super) fn first_fit(&self, pos: usize, nr: usize, slots: usize, full: bool) -> Option<(usize, bool)> {
        let taken = |marks: &Marks| if full { marks.held } else { marks.used };
        let (block, bit) = (pos / Marks::SLOTS, pos % Marks::SLOTS);
        let marks = self.marks.get(block..slots / Marks::SLOTS)?;
        if nr >= Marks::SLOTS {
            let per = nr / Marks::SLOTS;
            let at = marks.chunks_exact(per).position(|range| range.iter().all(|m| taken(m) == 0))?;
            let reclaim = marks[at * per..(at + 1) * per].iter().any(|m| m.used != 0);
            return Some((pos + at * nr, reclaim));
        }
        let mut before = !(u64::MAX << bit);
        for (i, marks) in marks.iter().enumerate() {
            let fits = aligned_runs(!(taken(marks) | before), nr);
            if fits != 0 {
                let bit = fits.trailing_zeros() as usize;
                let reclaim = marks.used >> bit & (u64::MAX >> (Marks::SLOTS - nr)) != 0;
                return Some(((block + i) * Marks::SLOTS + bit, reclaim));
            }
            before = 0;
        }
        None
    }

    /// First cache-only slot at or behind `from`.
    pub(super) fn next_cache_only(&self, from: usize) -> Option<usize> {
        let (block, bit) = (from / Marks::SLOTS, from % Marks::SLOTS);
        let mut wanted = u64::MAX << bit;
        for (i, marks) in self.marks.iter().enumerate().skip(block) {
            let found = marks.used & !marks.held & wanted;
            if found != 0 {
                return Some(i * Marks::SLOTS + found.trailing_zeros() as usize);
            }
            wanted = u64::MAX;
        }
        None
    }

    /// What the words are, 64 at a time; all free without tables.
    pub const fn marks(&self) -> &[Marks; ROOM / Marks::SLOTS] {
        &self.marks
    }

    /// The marks are those of the words; an invariant by construction, checked all the same.
    pub(super) fn marks_hold(&self) -> bool {
        let words = self.tables.as_ref().map_or(&[Word::NULL; ROOM], |t| &t.words);
        words.chunks_exact(Marks::SLOTS).zip(&self.marks).all(|(words, marks)| {
            words.iter().enumerate().all(|(bit, &word)| {
                let mark = Marks::of(word, bit);
                (marks.used & 1 << bit, marks.held & 1 << bit) == (mark.used, mark.held)
            })
        })
    }
}

/// Bits at multiples of `nr`, a power of two below 64, from which on `nr` bits are set.
#[inline]
const fn aligned_runs(free: u64, nr: usize) -> u64 {
    let (mut runs, mut len) = (free, 1);
    // Lowest bits of all aligned groups of `nr` bits.
    let heads = u64::MAX / (u64::MAX >> (Marks::SLOTS - nr));
    while len < nr {
        runs &= runs >> len;
        len *= 2;
    }
    runs & heads
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs of free, cache-only, used and bad slots: long ones too, so that every order finds its range at times.
    fn words() -> impl Strategy<Value = Vec<Word>> {
        let kinds =
            [Word::NULL, Word::pfn(5, 0), Word::pfn(5, 0).with_count(1), Word::shadow(0, 2), Word::BAD];
        let run = (prop::sample::select(kinds.to_vec()), prop_oneof![1..4usize, 1..1200usize]);
        let flat = |runs: Vec<(Word, usize)>| {
            runs.into_iter().flat_map(|(word, len)| std::iter::repeat_n(word, len)).collect()
        };
        prop::collection::vec(run, 200).prop_map(flat)
    }

    proptest! {
        #[test]
        fn marks_find_what_a_walk_over_the_words_finds(
            words in words(),
            cuts in prop::collection::vec(0..=ROOM, 8),
            order in 0..10u32,
            start in 0..ROOM,
            (slots, full) in (prop::sample::select(vec![ROOM / 2, ROOM]), any::<bool>()),
        ) {
            let mut cluster = Cluster::new(Flag::Free);
            cluster.tables = Some(Box::new(Tables::new(false)));
            // Written in parts that lie as they come, each twice.
            for to in cuts.into_iter().chain([ROOM]) {
                for from in [to / 3, 0] {
                    let mut next = words[from..to].iter().copied();
                    cluster.replace(from..to, |old| next.next().unwrap_or(old));
                    prop_assert!(cluster.marks_hold());
                }
            }
            prop_assert!((0..ROOM).all(|slot| cluster.word(slot) == words[slot]));
            let nr = 1usize << order;
            let start = start / nr * nr;
            let suits = |w: &Word| w.is_null() || full && w.is_cache_only();
            let want = (start..slots).step_by(nr).filter(|at| at + nr <= slots)
                .find(|&at| words[at..at + nr].iter().all(suits))
                .map(|at| (at, !words[at..at + nr].iter().all(|w| w.is_null())));
            prop_assert_eq!(cluster.first_fit(start, nr, slots, full), want);
            let want = (start..ROOM).find(|&at| words[at].is_cache_only());
            prop_assert_eq!(cluster.next_cache_only(start), want);
        }
    }
}

//! What the generated processes know of their swapped memory: runs of slots with one fate. Where a slot is, who
//! uses it and what is cached is the model's business; a run adds what no allocator knows: mappings, dirt, content.

use super::rng::{Rng, mix};
use vswap_common::Entry;

/// I/O under way for a folio.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Io {
    Read,
    Write,
}

/// What the pages of a folio hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    /// Nothing but zeroes.
    pub(super) zero: bool,
    /// zswap refuses it.
    pub(super) incompressible: bool,
    /// Decides the compressed lengths.
    pub(super) seed: u64,
}

impl Content {
    /// Compressed bytes of a page: mostly a fifth to two thirds, now and then stored as it is.
    pub(super) const fn len(&self, page: u64) -> u16 {
        let h = mix(self.seed ^ (page << 32));
        if h.is_multiple_of(64) { 4096 } else { 600 + ((h >> 32) % 2000) as u16 }
    }
}

/// A run of slots in one cluster. Cached runs are one folio; others may be any part of one or more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) entry: Entry,
    pub(super) nr: u16,
    pub(super) memcg: u16,
    /// Page tables that map the folio, while it is cached.
    pub(super) mapped: u8,
    /// In the swap cache, as one folio.
    pub(super) cached: bool,
    /// The folio differs from what is stored.
    pub(super) dirty: bool,
    /// Shared memory: unmapped at once, not page by page.
    pub(super) shmem: bool,
    /// A thread waits for the read to end.
    pub(super) wanted: bool,
    pub(super) io: Option<Io>,
    pub(super) content: Content,
    /// Differs between two runs that follow each other in the same place of the table.
    pub(super) serial: u64,
}

impl Run {
    /// Order of the folio, of a cached run.
    pub(super) const fn order(&self) -> u8 {
        self.nr.trailing_zeros() as u8
    }
}

/// A place in the table.
pub(super) type Id = usize;

const NONE: u32 = u32::MAX;

/// All runs. Ids stay valid until the run is removed; `live` allows a fair draw, `heads` finds a run by its first slot.
pub(super) struct Runs {
    table: Vec<Option<(Run, usize)>>,
    vacant: Vec<Id>,
    live: Vec<Id>,
    heads: Vec<Vec<u32>>,
    serial: u64,
}

impl Runs {
    /// No runs, on devices of these sizes.
    pub(super) fn new(sizes: &[u64]) -> Self {
        let heads = sizes.iter().map(|slots| vec![NONE; *slots as usize]).collect();
        Self { table: Vec::new(), vacant: Vec::new(), live: Vec::new(), heads, serial: 0 }
    }

    fn head(&mut self, at: Entry) -> Option<&mut u32> {
        self.heads.get_mut(usize::from(at.dev()))?.get_mut(at.off() as usize)
    }

    /// The run that begins at this slot.
    pub(super) fn at(&self, at: Entry) -> Option<(Id, Run)> {
        let id = *self.heads.get(usize::from(at.dev()))?.get(at.off() as usize)?;
        if id == NONE {
            return None;
        }
        Some((id as Id, self.get(id as Id)?))
    }

    pub(super) fn insert(&mut self, mut run: Run) -> Id {
        self.serial += 1;
        run.serial = self.serial;
        let id = self.vacant.pop().unwrap_or_else(|| {
            self.table.push(None);
            self.table.len() - 1
        });
        self.table[id] = Some((run, self.live.len()));
        self.live.push(id);
        if let Some(head) = self.head(run.entry) {
            *head = id as u32;
        }
        id
    }

    pub(super) fn get(&self, id: Id) -> Option<Run> {
        self.table.get(id)?.map(|(run, _)| run)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Run> {
        self.table.get_mut(id)?.as_mut().map(|(run, _)| run)
    }

    fn remove(&mut self, id: Id) -> Option<Run> {
        let (run, place) = self.table.get_mut(id)?.take()?;
        self.live.swap_remove(place);
        if let Some(moved) = self.live.get(place)
            && let Some((_, at)) = &mut self.table[*moved]
        {
            *at = place;
        }
        self.vacant.push(id);
        if let Some(head) = self.head(run.entry) {
            *head = NONE;
        }
        Some(run)
    }

    /// The slots are free: every run that lies in them is gone.
    pub(super) fn forget(&mut self, at: Entry, nr: u16) {
        let mut done = 0;
        while done < nr {
            done += match self.at(at.add(done.into())) {
                Some((id, run)) => {
                    self.remove(id);
                    run.nr
                }
                None => 1,
            };
        }
    }

    /// Cuts pages `first..first + n` out of an uncached run, as runs of one page each; what is left stays behind.
    pub(super) fn carve(&mut self, id: Id, first: u16, n: u16) -> Vec<Id> {
        let Some(run) = self.remove(id) else { return Vec::new() };
        let end = (first + n).min(run.nr);
        for (from, to) in [(0, first), (end, run.nr)] {
            if from < to {
                self.insert(Run { entry: run.entry.add(from.into()), nr: to - from, ..run });
            }
        }
        (first..end)
            .map(|i| {
                let content = Content { seed: mix(run.content.seed ^ u64::from(i)), ..run.content };
                self.insert(Run { entry: run.entry.add(i.into()), nr: 1, content, ..run })
            })
            .collect()
    }

    /// A run that fits, if a few draws find one.
    pub(super) fn draw(&self, rng: &mut Rng, fits: impl Fn(&Run) -> bool) -> Option<(Id, Run)> {
        if self.live.is_empty() {
            return None;
        }
        (0..24).find_map(|_| {
            let id = self.live[rng.below(self.live.len() as u64) as usize];
            self.get(id).filter(&fits).map(|run| (id, run))
        })
    }

    /// First slots of everything that fits, with serials, so that a later change is noticed; the lowest last.
    pub(super) fn all(&self, fits: impl Fn(&Run) -> bool) -> Vec<(Entry, u64)> {
        let known = self.live.iter().filter_map(|id| self.get(*id));
        let mut found: Vec<_> = known.filter(|run| fits(run)).map(|run| (run.entry, run.serial)).collect();
        found.sort_unstable_by_key(|(entry, _)| std::cmp::Reverse(*entry));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(off: u64, nr: u16) -> Run {
        Run {
            entry: Entry::new(0, off),
            nr,
            memcg: 1,
            mapped: 0,
            cached: false,
            dirty: false,
            shmem: false,
            wanted: false,
            io: None,
            content: Content { zero: false, incompressible: false, seed: off },
            serial: 0,
        }
    }

    #[test]
    fn removed_runs_are_never_drawn_again() {
        let mut runs = Runs::new(&[64]);
        for off in 1..51 {
            runs.insert(run(off, 1));
        }
        (1..51).step_by(2).for_each(|off| runs.forget(Entry::new(0, off), 1));
        let mut rng = Rng::new(1);
        for _ in 0..500 {
            let (id, got) = runs.draw(&mut rng, |_| true).unwrap();
            assert!(got.entry.off() % 2 == 0 && runs.at(got.entry).unwrap().0 == id);
        }
        assert_eq!(runs.all(|_| true).len(), 25);
    }

    #[test]
    fn a_carved_run_covers_the_same_slots() {
        let mut runs = Runs::new(&[1024]);
        let id = runs.insert(run(512, 16));
        assert_eq!(runs.carve(id, 4, 3).len(), 3);
        let mut sizes: Vec<_> = runs.all(|_| true);
        sizes.reverse();
        let sizes: Vec<_> = sizes.iter().map(|(at, _)| (at.off(), runs.at(*at).unwrap().1.nr)).collect();
        assert_eq!(sizes, [(512, 4), (516, 1), (517, 1), (518, 1), (519, 9)]);
        runs.forget(Entry::new(0, 512), 16);
        assert!(runs.all(|_| true).is_empty());
    }
}

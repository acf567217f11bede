//! The folios that have slots, picked at random by what is to be done with one.

use super::rng::{Rng, mix};
use vswap_common::Entry;

/// Where a folio's data is, as far as the generated kernel knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Folio,
    Zero,
    Zswap,
    Phys,
}

/// A run of slots with one fate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folio {
    pub(super) entry: Entry,
    pub(super) order: u8,
    pub(super) memcg: u16,
    pub(super) cached: bool,
    pub(super) place: Place,
    /// I/O under way: nobody else may touch it.
    pub(super) busy: bool,
    /// Decides the compressed lengths of its pages.
    pub(super) content: u64,
    /// First page of the content this folio holds; not 0 for a part of a folio that was split.
    pub(super) first_page: u16,
    /// Differs between two folios that follow each other in the same place of the table.
    pub(super) serial: u64,
}

impl Folio {
    pub(super) const fn nr(&self) -> u16 {
        1 << self.order
    }

    /// Compressed bytes of a page: mostly a fifth to two thirds, now and then stored as it is.
    pub(super) const fn len(&self, page: u16) -> i32 {
        let h = mix(self.content ^ ((self.first_page + page) as u64) << 32);
        if h.is_multiple_of(64) { 4096 } else { 600 + ((h >> 32) % 2000) as i32 }
    }

    /// Compressed bytes of all pages.
    pub(super) fn bytes(&self) -> u64 {
        (0..self.nr()).map(|page| self.len(page) as u64).sum()
    }

    /// Its page `page` as a folio of its own.
    pub(super) const fn part(&self, page: u16) -> Self {
        Self { entry: self.entry.add(page as u64), order: 0, first_page: self.first_page + page, ..*self }
    }
}

/// A place in the table.
pub(super) type Id = usize;

/// Table of folios. Ids stay valid until the folio is removed; `live` allows a fair draw.
#[derive(Default)]
pub(super) struct Folios {
    table: Vec<Option<(Folio, usize)>>,
    vacant: Vec<Id>,
    live: Vec<Id>,
    serial: u64,
}

impl Folios {
    pub(super) fn insert(&mut self, mut folio: Folio) -> Id {
        self.serial += 1;
        folio.serial = self.serial;
        let id = self.vacant.pop().unwrap_or_else(|| {
            self.table.push(None);
            self.table.len() - 1
        });
        self.table[id] = Some((folio, self.live.len()));
        self.live.push(id);
        id
    }

    pub(super) fn get(&self, id: Id) -> Option<Folio> {
        self.table.get(id)?.map(|(folio, _)| folio)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Folio> {
        self.table.get_mut(id)?.as_mut().map(|(folio, _)| folio)
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<Folio> {
        let (folio, place) = self.table.get_mut(id)?.take()?;
        self.live.swap_remove(place);
        if let Some(moved) = self.live.get(place)
            && let Some((_, at)) = &mut self.table[*moved]
        {
            *at = place;
        }
        self.vacant.push(id);
        Some(folio)
    }

    /// A folio that is not busy and fits, if a few draws find one.
    pub(super) fn draw(&self, rng: &mut Rng, fits: impl Fn(&Folio) -> bool) -> Option<(Id, Folio)> {
        if self.live.is_empty() {
            return None;
        }
        (0..24).find_map(|_| {
            let id = self.live[rng.below(self.live.len() as u64) as usize];
            self.get(id).filter(|f| !f.busy && fits(f)).map(|f| (id, f))
        })
    }

    /// Everything that fits, with serials, so that a later removal is noticed.
    pub(super) fn all(&self, fits: impl Fn(&Folio) -> bool) -> Vec<(Id, u64)> {
        let known = self.live.iter().filter_map(|id| Some((*id, self.get(*id)?)));
        known.filter(|(_, f)| fits(f)).map(|(id, f)| (id, f.serial)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folio(off: u64) -> Folio {
        Folio {
            entry: Entry::new(0, off),
            order: 0,
            memcg: 1,
            cached: false,
            place: Place::Zswap,
            busy: false,
            content: off,
            first_page: 0,
            serial: 0,
        }
    }

    #[test]
    fn removed_folios_are_never_drawn_again() {
        let mut f = Folios::default();
        let ids: Vec<_> = (0..50).map(|off| f.insert(folio(off))).collect();
        for id in ids.iter().step_by(2) {
            assert!(f.remove(*id).is_some() && f.remove(*id).is_none());
        }
        let mut rng = Rng::new(1);
        for _ in 0..500 {
            let (id, got) = f.draw(&mut rng, |_| true).unwrap();
            assert!(got.entry.off() % 2 == 1 && f.get(id).unwrap().entry == got.entry);
        }
        assert_eq!(f.all(|_| true).len(), 25);
    }

    #[test]
    fn parts_keep_their_lengths() {
        let whole = Folio { order: 4, ..folio(512) };
        for page in 0..16 {
            assert_eq!(whole.part(page).len(0), whole.len(page));
            assert!(whole.len(page) > 0 && whole.len(page) <= 4096);
        }
        assert_eq!(whole.bytes(), (0..16).map(|p| whole.part(p).bytes()).sum::<u64>());
    }
}

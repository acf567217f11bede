//! The last events as they came, for the log and for the history of a slot. Only a dashboard keeps one.

use crate::decode::Event;
use crate::snapshot::watch::{EventFilter, Picked, Watch, Watched};
use std::collections::VecDeque;
use std::sync::Arc;

/// Events kept: 6 MB.
const KEPT: usize = 1 << 17;
/// Events picked for a reader at most; more than any screen shows.
const PICKED: usize = 512;

/// Events that pass a filter, the newest [`PICKED`] of them.
struct Pick {
    filter: EventFilter,
    events: VecDeque<Event>,
    /// Nothing was looked at from before this time; `None`: from the first event on.
    since: Option<u64>,
    /// Some that passed were pushed out.
    cut: bool,
}

impl Pick {
    /// Looks through what is kept; `cut` says that older events were pushed out.
    fn new(filter: EventFilter, kept: &VecDeque<Event>, cut: bool) -> Self {
        // Nothing is kept right after a jump: nothing is known of before, whenever that was.
        let since = cut.then(|| kept.front().map_or(0, |e| e.ts));
        let mut events: VecDeque<Event> = VecDeque::with_capacity(PICKED);
        let mut found = kept.iter().rev().filter(|e| filter.takes(e));
        for e in found.by_ref().take(PICKED) {
            events.push_front(*e);
        }
        let cut = found.next().is_some();
        Self { filter, events, since, cut }
    }

    #[inline]
    fn look(&mut self, e: &Event) {
        if self.filter.takes(e) {
            if self.events.len() == PICKED {
                self.events.pop_front();
                self.cut = true;
            }
            self.events.push_back(*e);
        }
    }

    fn view(&self) -> Picked {
        let oldest = self.events.front().filter(|_| self.cut).map(|e| e.ts);
        Picked {
            events: self.events.iter().copied().collect(),
            since: oldest.or(self.since).unwrap_or(0),
            whole: self.since.is_none() && !self.cut,
        }
    }
}

/// Ring of the last events, and what somebody wants of them.
#[derive(Default)]
pub struct Journal {
    kept: VecDeque<Event>,
    /// Events were pushed out.
    cut: bool,
    watch: Watch,
    log: Option<Pick>,
    slot: Option<Pick>,
    /// What the last look got, while still true.
    shared: Option<Arc<Watched>>,
}

impl Journal {
    /// Takes in one event.
    #[inline]
    pub fn push(&mut self, e: &Event) {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
            self.cut = true;
        }
        self.kept.push_back(*e);
        for pick in [&mut self.log, &mut self.slot].into_iter().flatten() {
            // The first event after a jump.
            if pick.since == Some(0) {
                pick.since = Some(e.ts);
            }
            pick.look(e);
        }
        self.shared = None;
    }

    /// Changes what is wanted; what was kept is looked through once for it.
    pub fn watch(&mut self, watch: Watch) {
        if self.watch.log != watch.log {
            self.log = watch.log.clone().map(|f| Pick::new(f, &self.kept, self.cut));
        }
        if self.watch.slot != watch.slot {
            self.slot = watch.slot.map(|s| Pick::new(EventFilter::slot(s), &self.kept, self.cut));
        }
        self.watch = watch;
        self.shared = None;
    }

    /// What is wanted.
    pub const fn wanted(&self) -> &Watch {
        &self.watch
    }

    /// What was asked for, now.
    pub fn view(&mut self) -> Arc<Watched> {
        if self.shared.is_none() {
            let view = |pick: &Option<Pick>| pick.as_ref().map_or_else(Picked::default, Pick::view);
            let watched = Watched { watch: self.watch.clone(), log: view(&self.log), slot: view(&self.slot) };
            self.shared = Some(Arc::new(watched));
        }
        self.shared.clone().unwrap_or_default()
    }

    /// Forgets the events, not what is wanted: the source begins anew, or (`cut`) in its middle.
    pub fn clear(&mut self, cut: bool) {
        let watch = std::mem::take(&mut self.watch);
        *self = Self { cut, ..Self::default() };
        self.watch(watch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vswap_common::{Entry, Kind, Record};

    fn event(ts: u64, off: u64) -> Event {
        let record =
            Record { ts, kind: Kind::Alloc as u8, entry: Entry::new(0, off).0, nr: 1, ..Record::default() };
        crate::decode::decode(&record).unwrap()
    }

    fn wants(slot: u64) -> Watch {
        let log = Some(EventFilter::default());
        Watch { slot: Some(Entry::new(0, slot)), log, ..Watch::default() }
    }

    #[test]
    fn what_came_before_the_question_is_found_too() {
        let mut j = Journal::default();
        (1..=100).for_each(|ts| j.push(&event(ts, ts % 10)));
        assert_eq!(j.view().log, Picked::default(), "nobody asked");
        j.watch(wants(3));
        let v = j.view();
        assert_eq!((v.slot.events.len(), v.slot.whole, v.log.events.len()), (10, true, 100));
        j.push(&event(101, 3));
        let times: Vec<u64> = j.view().slot.events.iter().map(|e| e.ts).collect();
        assert_eq!((times.first(), times.last()), (Some(&3), Some(&101)));
        assert!(Arc::ptr_eq(&j.view(), &j.view()), "nothing new: not copied");
    }

    #[test]
    fn it_is_bounded_and_says_what_it_no_longer_has() {
        let mut j = Journal::default();
        j.watch(wants(1));
        (0..KEPT as u64 + 5).for_each(|ts| j.push(&event(ts, ts % 512)));
        let v = j.view();
        assert_eq!((v.log.events.len(), v.log.whole), (PICKED, false));
        assert_eq!(v.log.since, v.log.events[0].ts);
        assert!(v.slot.whole, "asked for from the first event on");
        assert_eq!((v.slot.events.len(), j.kept.len()), (257, KEPT));
        j.watch(wants(2));
        let v = j.view();
        assert!(!v.slot.whole, "what was pushed out may have been about it");
        assert_eq!(v.slot.since, 5);
        j.clear(false);
        assert_eq!((j.view().slot.events.len(), j.wanted().slot), (0, Some(Entry::new(0, 2))));
        assert!(j.view().slot.whole);
        j.clear(true);
        assert!(!j.view().slot.whole);
    }
}

//! What the shown view asks of the collector beyond the sums everybody gets: one cluster, one slot, some events. What
//! nobody looks at is not made.

use crate::decode::{Event, has_run};
use std::sync::Arc;
use vswap_common::{Entry, Kind};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Device and cluster to look into.
    pub cluster: Option<(u8, u64)>,
    /// Slot whose history is wanted.
    pub slot: Option<Entry>,
    /// Events wanted for the log; `None`: no log.
    pub log: Option<EventFilter>,
}

/// Which events; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Bit of each wanted [`Kind`] by its number; 0: all.
    pub kinds: u64,
    /// Device.
    pub dev: Option<u8>,
    /// Slot that the run of the event must hold.
    pub off: Option<u64>,
    /// CPU.
    pub cpu: Option<u16>,
    /// Thread.
    pub tid: Option<u32>,
    /// Owners, any of them; empty: all.
    pub memcgs: Arc<[u16]>,
}

impl EventFilter {
    /// Events about one slot.
    pub fn slot(entry: Entry) -> Self {
        Self { dev: Some(entry.dev()), off: Some(entry.off()), ..Self::default() }
    }

    /// Wants events of this kind, and of those asked for before.
    pub const fn add(&mut self, kind: Kind) {
        self.kinds |= 1 << (kind as u8 % 64);
    }

    /// Whether the event is wanted.
    #[inline]
    pub fn takes(&self, e: &Event) -> bool {
        // A slot is found at either end of an event about a virtual slot and the physical one behind it.
        let about = |first: Entry| {
            let in_run = |off| has_run(e.kind) && (first.off()..first.off() + u64::from(e.nr)).contains(&off);
            self.dev.is_none_or(|dev| first.dev() == dev) && self.off.is_none_or(in_run)
        };
        (self.kinds == 0 || self.kinds & (1 << (e.kind as u8 % 64)) != 0)
            && (self.dev.is_none() || e.kind != Kind::Gap)
            && (about(e.entry) || e.other_end().is_some_and(about))
            && self.cpu.is_none_or(|cpu| e.cpu == cpu)
            && self.tid.is_none_or(|tid| e.tid == tid)
            && (self.memcgs.is_empty() || (e.has_memcg() && self.memcgs.contains(&e.memcg)))
    }
}

/// Events that were asked for, newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picked {
    /// The newest of them.
    pub events: Vec<Event>,
    /// What came before this time was not looked at, or is no longer here.
    pub since: u64,
    /// Nothing was left out since the very first event.
    pub whole: bool,
}

/// Answer to a [`Watch`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// The question.
    pub watch: Watch,
    /// Events for the log.
    pub log: Picked,
    /// History of the slot.
    pub slot: Picked,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: Kind, off: u64, nr: u16) -> Event {
        let record = vswap_common::Record {
            kind: kind as u8,
            entry: Entry::new(1, off).0,
            nr,
            cpu: 2,
            memcg: 7,
            flags: vswap_common::flags::MEMCG,
            ..vswap_common::Record::default()
        };
        crate::decode::decode(&record).unwrap()
    }

    #[test]
    fn a_slot_is_found_anywhere_in_a_run() {
        let f = EventFilter::slot(Entry::new(1, 515));
        assert!(f.takes(&event(Kind::Free, 512, 4)) && !f.takes(&event(Kind::Free, 512, 3)));
        assert!(!f.takes(&event(Kind::Free, 516, 4)));
        assert!(!f.takes(&event(Kind::Isolate, 512, 9)), "about the cluster, not its slots");
        assert!(!EventFilter::slot(Entry::new(2, 515)).takes(&event(Kind::Free, 512, 4)));
    }

    #[test]
    fn events_about_a_link_belong_to_both_of_its_slots() {
        let virt = EventFilter::slot(Entry::new(0, 900));
        let taken = Event { arg: Entry::new(0, 898).0, ..event(Kind::Back, 515, 4) };
        assert!(virt.takes(&taken) && EventFilter::slot(Entry::new(1, 518)).takes(&taken));
        assert!(!virt.takes(&Event { nr: 2, ..taken }));
        assert!(!virt.takes(&Event { kind: Kind::Unback, ..taken }), "its `arg` is no slot");
        let written = Event { arg: Entry::new(3, 70).0, ..event(Kind::Write, 515, 4) };
        assert!(EventFilter::slot(Entry::new(3, 73)).takes(&written));
        assert!(
            !EventFilter::slot(Entry::new(0, 0)).takes(&event(Kind::Write, 515, 1)),
            "no link, no other end"
        );
    }

    #[test]
    fn every_word_narrows() {
        let e = event(Kind::Write, 5, 1);
        let mut f = EventFilter::default();
        assert!(f.takes(&e));
        f.add(Kind::Alloc);
        assert!(!f.takes(&e));
        f.add(Kind::Write);
        assert!(f.takes(&e));
        for narrow in [
            EventFilter { cpu: Some(3), ..f.clone() },
            EventFilter { tid: Some(9), ..f.clone() },
            EventFilter { memcgs: Arc::from([8]), ..f.clone() },
        ] {
            assert!(!narrow.takes(&e));
        }
        assert!(EventFilter { cpu: Some(2), memcgs: Arc::from([7, 8]), ..f }.takes(&e));
    }
}

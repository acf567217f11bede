//! A collector and events to feed it, all about device 1.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::Arc;
use vswap_common::{Entry, Kind, flags};
use vswap_tui::collector::{Collector, SlotLine};
use vswap_tui::decode::Event;
use vswap_tui::meta::{DeviceInfo, Header};
use vswap_tui::snapshot::{Backend, Snapshot};

pub(crate) const MS: u64 = 1_000_000;

/// An event on device 1.
pub(crate) fn ev(kind: Kind, ts: u64, off: u64, nr: u16) -> Event {
    let order = nr.checked_ilog2().unwrap_or(0) as u8;
    Event {
        ts,
        entry: Entry::new(1, off),
        arg: 0,
        val: 0,
        tid: 1,
        nr,
        memcg: 0,
        cpu: 0,
        flags: 0,
        kind,
        order,
    }
}

pub(crate) fn charge(ts: u64, off: u64, nr: u16, memcg: u16) -> Event {
    Event { memcg, flags: flags::MEMCG, ..ev(Kind::Charge, ts, off, nr) }
}

pub(crate) fn swapon(ts: u64, max: u64) -> Event {
    Event { arg: max - 1, val: -2, ..ev(Kind::SwapOn, ts, max, 0) }
}

pub(crate) fn gap(ts: u64, n: u64) -> Event {
    Event { arg: n, ..ev(Kind::Gap, ts, 0, 0) }
}

/// A collector that has seen everything from the first swapon, and its events.
pub(crate) struct Bed {
    pub(crate) collector: Collector,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let header = Header { from_swapon: true, ..Header::default() };
        let mut bed = Self { collector: Collector::new(Arc::new(header), 250 * MS) };
        bed.apply(&[swapon(1, 4096)]);
        bed
    }

    pub(crate) fn late() -> Self {
        let header = Header {
            devices: vec![DeviceInfo {
                dev: 1,
                name: "/dev/vda".into(),
                pages: 4095,
                ..DeviceInfo::default()
            }],
            ..Header::default()
        };
        Self { collector: Collector::new(Arc::new(header), 250 * MS) }
    }

    pub(crate) fn apply(&mut self, events: &[Event]) -> &mut Self {
        for e in events {
            self.collector.apply(e);
        }
        self
    }

    /// Slots allocated and charged to 7.
    pub(crate) fn with(nr: u16) -> Self {
        let mut bed = Self::new();
        bed.apply(&[ev(Kind::Alloc, 10, 512, nr), charge(11, 512, nr, 7)]);
        bed
    }

    pub(crate) fn slot(&self, off: u64) -> Option<SlotLine<'_>> {
        self.collector.slots().find(|l| l.off == off)
    }

    pub(crate) fn backend(&self, off: u64) -> Option<Backend> {
        self.slot(off).map(|l| l.backend)
    }

    pub(crate) fn snap(&mut self) -> Snapshot {
        self.collector.snapshot()
    }

    #[track_caller]
    pub(crate) fn clean(&mut self) -> Snapshot {
        let s = self.snap();
        assert_eq!((s.losses.contradictions, s.losses.inversions, s.losses.overflow), (0, 0, 0));
        s
    }
}

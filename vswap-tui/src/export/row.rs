//! One event, or one slot, as a row: the same columns in every table.

use crate::collector::SlotLine;
use crate::decode::Event;
use crate::meta::{CgroupInfo, ClockPair, Header, Update};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use vswap_common::Kind;

/// What the recording calls things.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Path by cgroup id.
    cgroups: BTreeMap<u16, Arc<str>>,
    clock: ClockPair,
}

impl Names {
    /// Those of the header.
    pub fn new(header: &Header) -> Self {
        let mut names = Self { cgroups: BTreeMap::new(), clock: header.clock };
        names.learn(&header.cgroups);
        names
    }

    /// Those that came since.
    pub fn update(&mut self, update: &Update) {
        self.learn(&update.cgroups);
    }

    fn learn(&mut self, cgroups: &[CgroupInfo]) {
        self.cgroups.extend(cgroups.iter().map(|c| (c.id, Arc::from(c.path.as_str()))));
    }

    /// Path of a cgroup.
    pub fn cgroup(&self, id: u16) -> Option<&str> {
        self.cgroups.get(&id).map(AsRef::as_ref)
    }

    /// Wall time of an instant on the monotonic clock, ns since 1970; `None` if the recording has no pair of clocks.
    pub fn wall(&self, ts: u64) -> Option<i64> {
        if self.clock.realtime_ns == 0 {
            return None;
        }
        let wall = i128::from(ts) - i128::from(self.clock.monotonic_ns) + i128::from(self.clock.realtime_ns);
        i64::try_from(wall).ok()
    }

    /// The recording's pair of clocks.
    pub const fn clock(&self) -> ClockPair {
        self.clock
    }
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EventRow<'a> {
    /// `CLOCK_MONOTONIC`, ns.
    pub ts: u64,
    /// Wall time, ns since 1970, if known.
    pub time_ns: Option<i64>,
    /// What happened: the name of the kind.
    pub kind: &'static str,
    /// Device number; null where the event names no slot.
    pub dev: Option<u8>,
    /// First slot.
    pub off: Option<u64>,
    /// Slots in the run: pages.
    pub nr: u16,
    /// Order of the folio or cluster.
    pub order: u8,
    /// Cgroup id, if the event has one.
    pub memcg: Option<u16>,
    /// Its path, if known.
    pub cgroup: Option<&'a str>,
    /// CPU.
    pub cpu: u16,
    /// Thread.
    pub tid: u32,
    /// By kind: an error, compressed bytes, a list.
    pub val: i32,
    /// By kind: a duration in ns, a count.
    pub arg: u64,
    /// Bits: 1 zero words, 2 zswap writeback, 4 I/O failed, 8 swapped out by reclaim, and more in `record.rs`.
    pub flags: u16,
}

/// Names of the columns of [`EventRow`], in order.
pub const EVENT_COLUMNS: [&str; 14] = [
    "ts", "time_ns", "kind", "dev", "off", "nr", "order", "memcg", "cgroup", "cpu", "tid", "val", "arg",
    "flags",
];

impl<'a> EventRow<'a> {
    /// The row of an event.
    pub fn new(e: &Event, names: &'a Names) -> Self {
        let slot = e.nr > 0 || matches!(e.kind, Kind::SwapOn | Kind::SwapOff | Kind::ScanDevice);
        let memcg = e.has_memcg().then_some(e.memcg);
        Self {
            ts: e.ts,
            time_ns: names.wall(e.ts),
            kind: e.kind.name(),
            dev: slot.then(|| e.entry.dev()),
            off: slot.then(|| e.entry.off()),
            nr: e.nr,
            order: e.order,
            memcg,
            cgroup: memcg.and_then(|id| names.cgroup(id)),
            cpu: e.cpu,
            tid: e.tid,
            val: e.val,
            arg: e.arg,
            flags: e.flags,
        }
    }
}

/// One slot in use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SlotRow<'a> {
    /// Device number.
    pub dev: u8,
    /// Offset in slots.
    pub off: u64,
    /// Where the data is.
    pub backend: &'static str,
    /// Device of the physical slot behind a virtual one.
    pub phys_dev: Option<u8>,
    /// Its offset.
    pub phys_off: Option<u64>,
    /// Owner's id.
    pub memcg: u16,
    /// Owner's path, if known.
    pub cgroup: Option<&'a str>,
    /// Order of the folio the slot was allocated for.
    pub order: u8,
    /// A folio for it is in the swap cache.
    pub cached: bool,
    /// Compressed bytes, if in zswap and known.
    pub len: Option<u16>,
    /// The state came from an event and no loss came after it.
    pub confirmed: bool,
}

/// Names of the columns of [`SlotRow`], in order.
pub const SLOT_COLUMNS: [&str; 11] = [
    "dev",
    "off",
    "backend",
    "phys_dev",
    "phys_off",
    "memcg",
    "cgroup",
    "order",
    "cached",
    "len",
    "confirmed",
];

impl<'a> From<SlotLine<'a>> for SlotRow<'a> {
    fn from(s: SlotLine<'a>) -> Self {
        Self {
            dev: s.dev,
            off: s.off,
            backend: s.backend.name(),
            phys_dev: s.phys.map(vswap_common::Entry::dev),
            phys_off: s.phys.map(vswap_common::Entry::off),
            memcg: s.memcg,
            cgroup: s.memcg_path,
            order: s.order,
            cached: s.cached,
            len: s.len,
            confirmed: s.confirmed,
        }
    }
}

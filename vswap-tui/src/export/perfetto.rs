//! A recording as tracks for ui.perfetto.dev: counters of backends, devices and cgroups over time, and slices for what
//! takes time: writeback, swap-in from zswap, from the device and of zero-filled pages.

use super::proto::{
    CLOCK_MONOTONIC, CLOCK_REALTIME, COUNTER, Clock, ClockSnapshot, CounterDescriptor, DebugAnnotation,
    SLICE_BEGIN, SLICE_END, Trace, TracePacket, TrackDescriptor, TrackEvent,
};
use super::row::Names;
use super::{Export, Facts};
use crate::collector::Collector;
use crate::decode::Event;
use crate::meta::Header;
use crate::snapshot::{Backend, Snapshot};
use crate::source::Batch;
use prost::Message;
use rustc_hash::FxHashMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use vswap_common::{Entry, Kind};

const HISTORY_NS: u64 = 3_600_000_000_000;
/// Tracks of one kind of slices: as many can be under way at once.
const LANES: usize = 256;
/// I/O under way that is followed.
const PENDING: usize = 65_536;
const SEQUENCE: u32 = 1;

/// What takes time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Slice {
    Writeback,
    LoadZswap,
    LoadZero,
    LoadPhys,
}

impl Slice {
    const fn name(self) -> &'static str {
        match self {
            Self::Writeback => "zswap writeback",
            Self::LoadZswap => "swap-in from zswap",
            Self::LoadZero => "swap-in, zero-filled",
            Self::LoadPhys => "swap-in from the device",
        }
    }
}

/// Writes a Perfetto trace.
pub struct Perfetto<W: Write> {
    out: W,
    collector: Collector,
    every_ns: u64,
    due: Option<u64>,
    /// Tracks by name: number and last value.
    counters: FxHashMap<String, (u64, i64)>,
    /// End of the last slice on each lane.
    lanes: FxHashMap<Slice, Vec<(u64, u64)>>,
    groups: FxHashMap<String, u64>,
    next_uuid: u64,
    reads: FxHashMap<Entry, u64>,
    writes: FxHashMap<Entry, u64>,
    /// Slices that found no lane, or whose beginning was not kept.
    dropped: u64,
}

impl<W: Write> Perfetto<W> {
    /// A trace into `out`, with counters every `every` of event time.
    ///
    /// # Errors
    /// If writing fails.
    pub fn new(out: W, header: &Header, every: Duration) -> anyhow::Result<Self> {
        let mut new = Self {
            out,
            collector: Collector::new(Arc::new(header.clone()), HISTORY_NS),
            every_ns: u64::try_from(every.as_nanos()).unwrap_or(u64::MAX).max(1),
            due: None,
            counters: FxHashMap::default(),
            lanes: FxHashMap::default(),
            groups: FxHashMap::default(),
            next_uuid: 1,
            reads: FxHashMap::default(),
            writes: FxHashMap::default(),
            dropped: 0,
        };
        let clock = |id, ns| Clock { clock_id: Some(id), timestamp: Some(ns) };
        let pair = header.clock;
        new.packet(TracePacket {
            clock_snapshot: Some(ClockSnapshot {
                clocks: vec![
                    clock(CLOCK_MONOTONIC, pair.monotonic_ns),
                    clock(CLOCK_REALTIME, pair.realtime_ns),
                ],
                primary_trace_clock: Some(CLOCK_MONOTONIC),
            }),
            ..TracePacket::default()
        })?;
        Ok(new)
    }

    fn packet(&mut self, packet: TracePacket) -> anyhow::Result<()> {
        let packet = TracePacket { trusted_packet_sequence_id: Some(SEQUENCE), ..packet };
        let bytes = Trace { packet: vec![packet] }.encode_to_vec();
        Ok(self.out.write_all(&bytes)?)
    }

    fn at(&mut self, ts: u64, event: TrackEvent) -> anyhow::Result<()> {
        self.packet(TracePacket {
            timestamp: Some(ts),
            timestamp_clock_id: Some(CLOCK_MONOTONIC),
            track_event: Some(event),
            ..TracePacket::default()
        })
    }

    /// A track below the group of that name, which is made when it is the first.
    fn track(&mut self, group: &str, name: String, counter: bool) -> anyhow::Result<u64> {
        let parent = match self.groups.get(group) {
            Some(uuid) => *uuid,
            None => {
                let uuid = self.describe(group.to_owned(), None, false)?;
                self.groups.insert(group.to_owned(), uuid);
                uuid
            }
        };
        self.describe(name, Some(parent), counter)
    }

    fn describe(&mut self, name: String, parent_uuid: Option<u64>, counter: bool) -> anyhow::Result<u64> {
        let uuid = self.next_uuid;
        self.next_uuid += 1;
        let counter = counter.then(|| CounterDescriptor { unit_name: Some("slots".to_owned()) });
        self.packet(TracePacket {
            track_descriptor: Some(TrackDescriptor {
                uuid: Some(uuid),
                name: Some(name),
                parent_uuid,
                counter,
            }),
            ..TracePacket::default()
        })?;
        Ok(uuid)
    }

    fn count(&mut self, ts: u64, group: &str, name: String, value: u64) -> anyhow::Result<()> {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        let track_uuid = match self.counters.get(&name) {
            Some((_, last)) if *last == value => return Ok(()),
            Some((uuid, _)) => *uuid,
            None => self.track(group, name.clone(), true)?,
        };
        self.counters.insert(name, (track_uuid, value));
        self.at(
            ts,
            TrackEvent {
                r#type: Some(COUNTER),
                track_uuid: Some(track_uuid),
                counter_value: Some(value),
                ..TrackEvent::default()
            },
        )
    }

    fn counts(&mut self, ts: u64) -> anyhow::Result<()> {
        let s: Snapshot = self.collector.snapshot();
        for backend in Backend::ALL {
            let name = if backend == Backend::None { "unknown" } else { backend.name() };
            self.count(ts, "backends", format!("slots: {name}"), s.mix[backend as usize])?;
        }
        self.count(ts, "backends", "zswap: compressed bytes".to_owned(), s.zswap_bytes)?;
        self.count(ts, "backends", "in the swap cache".to_owned(), s.cached)?;
        for d in &s.devices {
            for backend in &Backend::ALL[1..] {
                let name = format!("{} ({}): {}", d.name, d.dev, backend.name());
                self.count(ts, "devices", name, d.mix[*backend as usize])?;
            }
        }
        // A cgroup that has nothing any more is not in the snapshot: its counter goes to zero.
        let mut gone: Vec<String> =
            self.counters.keys().filter(|k| k.starts_with("cgroup ")).cloned().collect();
        for m in &s.memcgs {
            let name = format!("cgroup {}", m.path);
            gone.retain(|g| *g != name);
            self.count(ts, "cgroups", name, m.slots)?;
        }
        gone.into_iter().try_for_each(|name| self.count(ts, "cgroups", name, 0))
    }

    /// A slice on a lane of its kind that is free at its beginning.
    fn slice(&mut self, what: Slice, begin: u64, end: u64, e: &Event) -> anyhow::Result<()> {
        let lanes = self.lanes.entry(what).or_default();
        let free = lanes.iter().position(|(_, last)| *last <= begin);
        let uuid = match free {
            Some(i) => {
                lanes[i].1 = end;
                lanes[i].0
            }
            None if lanes.len() >= LANES => {
                self.dropped += 1;
                return Ok(());
            }
            None => {
                let name = format!("{} {}", what.name(), lanes.len() + 1);
                let uuid = self.track("I/O", name, false)?;
                self.lanes.entry(what).or_default().push((uuid, end));
                uuid
            }
        };
        let note =
            |name: &str, value: u64| DebugAnnotation { name: Some(name.to_owned()), uint_value: Some(value) };
        self.at(
            begin,
            TrackEvent {
                r#type: Some(SLICE_BEGIN),
                track_uuid: Some(uuid),
                name: Some(what.name().to_owned()),
                debug_annotations: vec![
                    note("dev", u64::from(e.entry.dev())),
                    note("off", e.entry.off()),
                    note("pages", u64::from(e.nr)),
                    note("tid", u64::from(e.tid)),
                ],
                ..TrackEvent::default()
            },
        )?;
        self.at(end, TrackEvent { r#type: Some(SLICE_END), track_uuid: Some(uuid), ..TrackEvent::default() })
    }

    fn event(&mut self, e: &Event) -> anyhow::Result<()> {
        let begin = e.ts.saturating_sub(e.arg);
        match e.kind {
            Kind::LoadZswap => self.slice(Slice::LoadZswap, begin, e.ts, e),
            Kind::LoadZero => self.slice(Slice::LoadZero, begin, e.ts, e),
            Kind::LoadPhys if self.reads.len() < PENDING => {
                self.reads.insert(e.entry, begin);
                Ok(())
            }
            Kind::Write if e.writeback() && self.writes.len() < PENDING => {
                self.writes.insert(e.entry, e.ts);
                Ok(())
            }
            Kind::LoadPhys => {
                self.dropped += 1;
                Ok(())
            }
            Kind::ReadEnd => match self.reads.remove(&e.entry) {
                Some(begin) => self.slice(Slice::LoadPhys, begin, e.ts, e),
                None => Ok(()),
            },
            Kind::WriteEnd => match self.writes.remove(&e.entry) {
                Some(begin) => self.slice(Slice::Writeback, begin, e.ts, e),
                None => Ok(()),
            },
            Kind::Gap => {
                // A beginning may be paired with the wrong end.
                self.reads.clear();
                self.writes.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl<W: Write> Export for Perfetto<W> {
    fn batch(&mut self, batch: &Batch, _: &Names) -> anyhow::Result<()> {
        for update in &batch.updates {
            self.collector.update(update);
        }
        for e in &batch.events {
            let due = *self.due.get_or_insert(e.ts);
            if e.ts >= due {
                self.counts(e.ts)?;
                self.due = Some(e.ts.saturating_add(self.every_ns));
            }
            self.collector.apply(e);
            self.event(e)?;
        }
        self.collector.note_undecodable(batch.undecodable);
        Ok(())
    }

    fn finish(mut self: Box<Self>, _: &Facts, _: &Names) -> anyhow::Result<()> {
        let end = self.collector.now();
        self.counts(end)?;
        if self.dropped > 0 {
            log::warn!("{} slices are left out: more than {LANES} were under way at once", self.dropped);
        }
        Ok(self.out.flush()?)
    }
}

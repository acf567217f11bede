//! The state as a key frame, and back: what a recording carries so that reading can begin in its middle.
//!
//! A collector restored from a frame and given the events after it is in the same state as one that got all events,
//! but for the history before the frame. What is summed over slots is not in the frame, it is summed again.

use super::Collector;
use super::cluster::{Cluster, SINCE_UNKNOWN, SLOTS, Word};
use super::finding::{Clash, Found};
use super::slot_map::{Samples, SlotMap};
use crate::decode::Event;
use crate::meta::{Header, Update};
use crate::snapshot::{Backend, Fault, List, Point};
use crate::trace::keyframe::{CLUSTER, KeyDevice, KeyFinding, KeyState, LINK, RUN};
use std::sync::Arc;
use vswap_common::slot::MAX_DEVICES;
use vswap_common::{Entry, Kind, Record};

const BACKEND: u16 = 0b111;
const CACHED: u16 = 1 << 3;
const CONFIRMED: u16 = 1 << 4;
const BACKED: u16 = 1 << 5;
const PLACED: u16 = 1 << 6;
const OWNED: u16 = 1 << 7;
/// `arg` of a slot that was in zswap before anybody looked; its low bits are those of [`SINCE_UNKNOWN`].
const UNKNOWN_ARG: u64 = 1 << 33;

impl Collector {
    /// Nothing is under way that a frame cannot tell: no scan runs, and none was compared.
    pub fn can_frame(&self) -> bool {
        self.events > 0 && !self.scanning.under_way()
    }

    /// Time of the last event, ns.
    pub fn now(&self) -> u64 {
        self.last_ts
    }

    /// Time of the first event, ns.
    pub fn started(&self) -> u64 {
        self.first_ts
    }

    /// Events taken in.
    pub fn taken(&self) -> u64 {
        self.events
    }

    /// Slots in use.
    pub fn used(&self) -> u64 {
        self.map.mix().iter().sum()
    }

    /// Numbers of the devices in use.
    pub fn devices_in_use(&self) -> Vec<u8> {
        (0u8..).zip(self.map.devices()).filter(|(_, d)| d.is_in_use()).map(|(dev, _)| dev).collect()
    }

    /// Everything but the slots.
    pub fn key_state(&self) -> KeyState {
        KeyState {
            ts: self.last_ts,
            first_ts: self.first_ts,
            events: self.events,
            epoch: self.map.epoch(),
            devices: self.map.key_devices(),
            totals: self.totals,
            transitions: self.map.sums.transitions,
            losses: self.losses.clone(),
            lost_in_gaps: self.lost_in_gaps,
            lost_by_hooks: self.lost_by_hooks,
            hooks: self.hooks.clone(),
            findings: self.found.view().counts.to_vec(),
            described: self.found.described().collect(),
            scan: self.scanning.view(),
            latency: self.latencies.dump(),
            causes: self.causes.dump(self.map.sums.memcgs.causes()),
            worst: self.latencies.worst(),
            memcgs: self.map.sums.memcgs.dump(),
            reads: self.reads.dump(),
            writes: self.writes.dump(),
            freed: self.recent_frees.dump(),
        }
    }

    /// The slots and clusters of a key frame.
    pub fn key_slots(&self) -> impl Iterator<Item = Record> + '_ {
        (0u32..).zip(self.map.key_records()).map(|(seq, record)| Record { seq, ..record })
    }

    /// A collector in the state of a frame, before its slots: those come by [`Collector::restore_slot`]. `news` are the
    /// updates before the frame, for their names. `history` is what is known of the time before, from a collector that
    /// has been there.
    pub fn restore(
        header: Arc<Header>,
        interval_ns: u64,
        news: &[Update],
        state: &KeyState,
        history: &[Point],
    ) -> Self {
        let mut new = Self::new(header, interval_ns);
        news.iter().for_each(|update| new.name(update));
        new.map.restore_devices(state);
        new.map.sums.transitions = state.transitions;
        (new.last_ts, new.first_ts, new.events) = (state.ts, state.first_ts, state.events);
        (new.totals, new.losses, new.hooks) = (state.totals, state.losses.clone(), state.hooks.clone());
        (new.lost_in_gaps, new.lost_by_hooks) = (state.lost_in_gaps, state.lost_by_hooks);
        new.found = Found::restore(&state.findings, &state.described);
        new.scanning.restore(state.scan);
        new.latencies.restore(&state.latency, &state.worst);
        new.causes.restore(&state.causes);
        new.map.sums.memcgs.restore_causes(&state.causes.memcgs);
        new.map.sums.memcgs.restore(&state.memcgs);
        new.reads.restore(&state.reads);
        new.writes.restore(&state.writes);
        new.recent_frees.restore(&state.freed);
        new.history.restore(history, state.ts, &state.totals, state.events);
        new
    }

    /// Takes over what a frame does not have of the time before: percentiles over time.
    pub fn remember(&mut self, before: &Self) {
        self.latencies.remember(&before.latencies, self.last_ts);
    }

    /// Takes in a record of a key frame's slots; false if it is none.
    pub fn restore_slot(&mut self, r: &Record) -> bool {
        let mut samples = Samples { latencies: &mut self.latencies, causes: &mut self.causes };
        let whole = self.map.restore(r, &mut samples);
        self.losses.untracked += u64::from(whole == Restored::NoRoom);
        whole != Restored::Foreign
    }
}

/// What became of a record of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Restored {
    Taken,
    /// More clusters than are kept.
    NoRoom,
    /// Not a record of a frame.
    Foreign,
}

/// Flags of a record for the word, of which something is certain only if `hold`.
fn flags_of(word: Word, hold: bool) -> u16 {
    let status = if word.used() { word.backend() as u16 + 1 } else { 0 };
    let flag = |set: bool, flag: u16| if set { flag } else { 0 };
    status
        | flag(word.cached(), CACHED)
        | flag(word.confirmed() && hold, CONFIRMED)
        | flag(word.placed() && !word.owned() && hold, PLACED)
        | flag(word.owned() && !word.placed() && hold, OWNED)
        | flag(word.backed(), BACKED)
}

/// Milliseconds for `arg`: only a slot in zswap has them, or one that zswap wrote back.
fn since_of(cluster: &Cluster, slot: usize) -> u64 {
    let since = cluster.since(slot);
    match cluster.words()[slot].backend() {
        Backend::Zswap if since == SINCE_UNKNOWN => UNKNOWN_ARG,
        Backend::Zswap => since + 1,
        Backend::Phys if since != SINCE_UNKNOWN => since + 1,
        _ => 0,
    }
}

impl SlotMap {
    fn key_devices(&self) -> Vec<KeyDevice> {
        (0u8..)
            .zip(self.devices())
            .filter(|(_, d)| d.is_seen())
            .map(|(dev, d)| d.key(dev, self.epoch()))
            .collect()
    }

    fn restore_devices(&mut self, state: &KeyState) {
        self.set_epoch(state.epoch);
        for d in state.devices.iter().filter(|d| usize::from(d.dev) < MAX_DEVICES) {
            self.device_mut(d.dev).restore(d, state.epoch);
        }
    }

    fn key_records(&self) -> impl Iterator<Item = Record> + '_ {
        let epoch = self.epoch();
        let links = self.links.runs().into_iter().map(|(virt, phys, nr)| Record {
            entry: virt.0,
            arg: phys.0,
            nr,
            kind: LINK,
            ..Record::default()
        });
        let slots = (0u8..).zip(self.devices()).flat_map(move |(dev, device)| {
            let lists = device.clusters.lists().map(move |(index, list, order)| Record {
                entry: Entry::new(dev, index * SLOTS as u64).0,
                val: list as i32,
                order,
                kind: CLUSTER,
                ..Record::default()
            });
            let fresh = flags_of(device.clusters.fresh(epoch), true);
            let runs = device
                .clusters
                .iter(epoch)
                .flat_map(move |(index, hold, cluster)| Runs { dev, index, hold, cluster, at: 0 })
                .filter(move |r| r.flags != fresh);
            lists.chain(runs)
        });
        slots.chain(links)
    }

    fn restore(&mut self, r: &Record, unused: &mut Samples<'_>) -> Restored {
        let (entry, nr) = (Entry(r.entry), usize::from(r.nr));
        let (index, first) = (entry.off() / SLOTS as u64, (entry.off() % SLOTS as u64) as usize);
        let run = r.kind == RUN && nr > 0 && first + nr <= SLOTS && r.flags & BACKEND <= 5;
        let cluster = r.kind == CLUSTER && nr == 0;
        let link = r.kind == LINK && nr > 0 && first + nr <= SLOTS && r.arg >> 63 == 0;
        if r.entry >> 63 != 0 || r.order > 9 || !(run || cluster || link) {
            return Restored::Foreign;
        }
        if link {
            let linked = (0..u64::from(r.nr)).all(|i| self.link(entry.add(i), Entry(r.arg).add(i)));
            return if linked { Restored::Taken } else { Restored::NoRoom };
        }
        if cluster {
            self.device_mut(entry.dev()).move_cluster(index, List::from_kernel(r.val), r.order);
            return Restored::Taken;
        }
        let certain = |part: u16| r.flags & (CONFIRMED | part) != 0;
        let mut word = Word::UNKNOWN.with_placed(certain(PLACED)).with_owned(certain(OWNED));
        if let Some(backend) = (r.flags & BACKEND).checked_sub(1) {
            word = word
                .with_backend(Backend::ALL[usize::from(backend)])
                .with_cached(r.flags & CACHED != 0)
                .guessed_memcg(r.memcg)
                .with_backed(r.flags & BACKED != 0)
                .with_order(r.order);
            if word.backend() == Backend::Zswap {
                word = word.with_len(r.val);
            }
        }
        // An event of no kind that the sums treat apart: nothing moves, slots come into view.
        let event = Event {
            ts: 0,
            entry,
            arg: 0,
            val: 0,
            tid: 0,
            nr: r.nr,
            memcg: 0,
            cpu: 0,
            flags: 0,
            kind: Kind::ScanSlots,
            order: 0,
        };
        if self.put(&event, unused, word, r.arg.checked_sub(1)) { Restored::Taken } else { Restored::NoRoom }
    }
}

/// Runs of slots in equal state.
struct Runs<'a> {
    dev: u8,
    index: u64,
    hold: bool,
    cluster: &'a Cluster,
    at: usize,
}

impl Iterator for Runs<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let words = self.cluster.words();
        let first = self.at;
        let word = *words.get(first)?;
        let (flags, since) = (flags_of(word, self.hold), since_of(self.cluster, first));
        let alike = |slot: &usize| {
            let other = words[*slot];
            flags_of(other, self.hold) == flags
                && (other.memcg(), other.order(), other.len()) == (word.memcg(), word.order(), word.len())
                && since_of(self.cluster, *slot) == since
        };
        let nr = 1 + (first + 1..SLOTS).take_while(alike).count();
        self.at += nr;
        Some(Record {
            entry: Entry::new(self.dev, self.index * SLOTS as u64 + first as u64).0,
            arg: since,
            val: i32::from(word.len()),
            nr: nr as u16,
            memcg: word.memcg(),
            flags,
            kind: RUN,
            order: word.order(),
            ..Record::default()
        })
    }
}

impl Found {
    fn described(&self) -> impl Iterator<Item = KeyFinding> + '_ {
        let number = |name| Kind::ALL.into_iter().find(|k| k.name() == name).map_or(0, |k| k as u8);
        self.first().iter().map(move |f| KeyFinding {
            fault: f.fault as u8,
            kind: number(f.event),
            ts: f.ts,
            entry: Entry::new(f.dev, f.off).0,
            nr: f.nr,
            cpu: f.cpu,
            tid: f.tid,
        })
    }

    /// As many findings as were described, then the counts they stood for.
    fn restore(counts: &[u64], described: &[KeyFinding]) -> Self {
        let mut found = Self::default();
        for d in described {
            let kind = Kind::from_u8(d.kind);
            let (Some(fault), Some(kind)) = (Fault::ALL.get(usize::from(d.fault)), kind) else { continue };
            let mut clash = Clash::default();
            clash.raise(*fault, true);
            let event = Event {
                ts: d.ts,
                entry: Entry(d.entry),
                arg: 0,
                val: 0,
                tid: d.tid,
                nr: d.nr,
                memcg: 0,
                cpu: d.cpu,
                flags: 0,
                kind,
                order: 0,
            };
            found.note(&event, clash);
        }
        found.set_counts(counts);
        found
    }
}

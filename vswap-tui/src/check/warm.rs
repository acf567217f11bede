//! A model that starts in the middle: the state that a scan found, brought up to the scan's end by the events told
//! meanwhile.
//!
//! A scan locks nothing and takes its time. Its records say when their tables were read, and events carry the time of
//! what they tell: so a slot's state is what was read, and then every event about it since. Lists and next candidates
//! are read in a row at the end, and few clusters move in so short a time; a move that was told after a cluster was read
//! goes by the event. What cannot be put in order - the event of another CPU while a table was read - makes the start
//! *inexact*, and so it is called.

use super::lists::{Link, Spot, in_order};
use crate::decode::Event;
use crate::memory::Claim;
use crate::model::adopt::FoundSlot;
use crate::model::{Config, DeviceSpec, Fault, Flag, Model};
use crate::recorded;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};
use vswap_common::slot::CLUSTER_SLOTS;
use vswap_common::{Entry, Kind, flags, place};

/// Events remembered for slots that were read before them: more than happens between a read and its record.
const RECENT: usize = 1 << 16;
/// Clusters of all devices; a scan that names more is not followed.
const MAX_CLUSTERS: usize = 1 << 20;
/// What the slots of one take, with their place in a table that may be half empty.
const CLUSTER_BYTES: u64 =
    CLUSTER_SLOTS as u64 * size_of::<Slot>() as u64 + 2 * size_of::<((u8, u32), Slots)>() as u64;

/// A slot: in use, cached, order of its folio, users.
#[derive(Clone, Copy, Default)]
struct Slot(u16);

impl Slot {
    const USED: u16 = 1;
    const CACHED: u16 = 2;
    const COUNT: u32 = 6;
    const MOST: u16 = 1000;

    const fn found(cached: bool, order: u8, count: u16) -> Self {
        let cached = if cached { Self::CACHED } else { 0 };
        Self(Self::USED | cached | (order as u16 & 15) << 2 | count << Self::COUNT)
    }

    const fn used(self) -> bool {
        self.0 & Self::USED != 0
    }

    const fn order(self) -> u8 {
        (self.0 >> 2 & 15) as u8
    }

    const fn count(self) -> u16 {
        self.0 >> Self::COUNT
    }

    fn counted(self, change: i16) -> Self {
        let count = self.count().saturating_add_signed(change).min(Self::MOST);
        Self(self.0 & ((1 << Self::COUNT) - 1) | count << Self::COUNT)
    }

    /// The slot after an event about it.
    fn after(self, e: &Event) -> Self {
        match e.kind {
            Kind::Alloc => Self::found(true, e.order, 0),
            Kind::CacheAdd => Self::found(true, e.order, self.count()),
            Kind::CacheDel => Self(self.0 & !Self::CACHED),
            Kind::Free => Self::default(),
            Kind::Dup if self.used() => self.counted(1),
            Kind::Put if self.used() => self.counted(-1),
            _ => self,
        }
    }

    fn for_model(self) -> FoundSlot {
        let cached = (self.0 & Self::CACHED != 0).then(|| self.order());
        FoundSlot { cached, count: u32::from(self.count()) }
    }
}

/// Slots of a cluster, and when something was told about them last.
struct Slots {
    slots: Box<[Slot; CLUSTER_SLOTS as usize]>,
    touched: u64,
}

/// What a scan found so far.
pub(super) struct Warm {
    cpus: usize,
    /// Spec and slots, header included, by swap type.
    devices: BTreeMap<u8, (DeviceSpec, u64)>,
    clusters: FxHashMap<(u8, u32), Slots>,
    /// Where clusters were found, or moved to.
    spots: BTreeMap<(u8, u32), Spot>,
    /// Moves told so far.
    moves: u64,
    candidates: FxHashMap<(u64, u8), Entry>,
    recent: VecDeque<Event>,
    /// Time of the youngest event that is not remembered any more.
    forgotten: u64,
    exact: bool,
    /// What the clusters take.
    memory: Claim,
}

impl Warm {
    /// A scan begins on a machine of so many CPUs.
    pub(super) fn new(cpus: usize) -> Self {
        Self {
            cpus,
            devices: BTreeMap::new(),
            clusters: FxHashMap::default(),
            spots: BTreeMap::new(),
            moves: 0,
            candidates: FxHashMap::default(),
            memory: Claim::default(),
            recent: VecDeque::new(),
            forgotten: 0,
            exact: true,
        }
    }

    /// Takes in one event, of the scan or not.
    pub(super) fn apply(&mut self, e: &Event) {
        match e.kind {
            Kind::ScanDevice => self.device(e, e.val),
            // Slots of a device that comes in the middle are all told.
            Kind::SwapOn => self.device(e, crate::model::device::DEFAULT_PRIORITY),
            Kind::SwapOff => {
                let dev = e.entry.dev();
                self.devices.remove(&dev);
                self.clusters.retain(|(d, _), _| *d != dev);
                self.spots.retain(|(d, _), _| *d != dev);
                self.candidates.retain(|_, next| next.dev() != dev);
            }
            Kind::ScanCluster => self.cluster(e),
            Kind::ClusterMove | Kind::Isolate => self.moved(e),
            Kind::ScanSlots => self.slots(e),
            Kind::ScanCandidate if self.candidates.len() < MAX_CLUSTERS => {
                self.candidates.insert((e.arg, e.order), e.entry);
            }
            Kind::Alloc => {
                self.change(e);
                self.advance_candidate(e);
            }
            Kind::CacheAdd | Kind::CacheDel | Kind::Free | Kind::Dup | Kind::Put => self.change(e),
            _ => {}
        }
    }

    fn device(&mut self, e: &Event, priority: i32) {
        let max = e.entry.off();
        // Which pages are bad the scan does not tell.
        self.exact &= e.arg + 1 == max;
        self.devices.insert(e.entry.dev(), (recorded::device(e, priority), max));
    }

    /// Cluster that slots of the event lie in.
    fn key(e: &Event) -> (u8, u32) {
        (e.entry.dev(), (e.entry.off() / u64::from(CLUSTER_SLOTS)) as u32)
    }

    fn change(&mut self, e: &Event) {
        let at = (e.entry.off() % u64::from(CLUSTER_SLOTS)) as usize;
        if let Some(cluster) = self.cluster_mut(Self::key(e)) {
            cluster.touched = e.ts;
            for slot in cluster.slots.iter_mut().skip(at).take(e.nr.into()) {
                *slot = slot.after(e);
            }
        }
        if self.recent.len() == RECENT
            && let Some(old) = self.recent.pop_front()
        {
            self.forgotten = self.forgotten.max(old.ts);
        }
        self.recent.push_back(*e);
    }

    fn cluster_mut(&mut self, key: (u8, u32)) -> Option<&mut Slots> {
        let mut full = || self.clusters.len() >= MAX_CLUSTERS || !self.memory.grow(CLUSTER_BYTES);
        if !self.clusters.contains_key(&key) && full() {
            self.exact = false;
            return None;
        }
        let fresh = || Slots { slots: Box::new([Slot::default(); CLUSTER_SLOTS as usize]), touched: 0 };
        Some(self.clusters.entry(key).or_insert_with(fresh))
    }

    /// Slots as they were read, and every event about them since.
    fn slots(&mut self, e: &Event) {
        let read = e.ts.saturating_sub(place::age(e.arg));
        self.exact &= read > self.forgotten;
        let found = match place::place(e.arg) {
            place if place::unused(place) => Slot::default(),
            _ => Slot::found(e.flags & flags::CACHED != 0, e.order, place::refs(e.arg) as u16),
        };
        let first = e.entry.off() % u64::from(CLUSTER_SLOTS);
        let run = first..first + u64::from(e.nr);
        let key = Self::key(e);
        let since: Vec<Event> = self
            .recent
            .iter()
            .rev()
            .take_while(|event| event.ts >= read)
            .filter(|event| Self::key(event) == key)
            .copied()
            .collect();
        let mut told = false;
        let Some(cluster) = self.cluster_mut(key) else { return };
        for at in run {
            let slot = &mut cluster.slots[at as usize % CLUSTER_SLOTS as usize];
            *slot = found;
            for event in since.iter().rev() {
                let from = event.entry.off() % u64::from(CLUSTER_SLOTS);
                if (from..from + u64::from(event.nr)).contains(&at) {
                    *slot = slot.after(event);
                    told = true;
                }
            }
        }
        // Which came first, the read or the change, only one CPU can say.
        self.exact &= !told || self.cpus == 1;
    }

    fn cluster(&mut self, e: &Event) {
        if self.spots.len() >= MAX_CLUSTERS {
            self.exact = false;
            return;
        }
        let neighbour = |half: u64| (half as u32).checked_sub(1);
        let link = Link { next: neighbour(e.arg & u64::from(u32::MAX)), prev: neighbour(e.arg >> 32) };
        let spot = Spot { flag: e.val as u8, order: e.order, link, moved: 0, count: e.nr, ts: e.ts };
        self.spots.insert(Self::key(e), spot);
    }

    /// A cluster leaves its list, or goes to the end of another.
    fn moved(&mut self, e: &Event) {
        if e.kind == Kind::Isolate && e.nr == 0 {
            return;
        }
        self.moves += 1;
        let moved = self.moves;
        if let Some(spot) = self.spots.get_mut(&Self::key(e)) {
            // A CPU that read it later than it moved has read where it went.
            if e.ts < spot.ts {
                self.exact = false;
                return;
            }
            let flag = if e.kind == Kind::Isolate { 0 } else { e.val as u8 };
            *spot = Spot {
                flag,
                order: if e.kind == Kind::Isolate { spot.order } else { e.order },
                moved,
                ..*spot
            };
        }
    }

    /// What the allocator remembers after it gave slots (`alloc_swap_scan_cluster`).
    fn advance_candidate(&mut self, e: &Event) {
        let slots = u64::from(CLUSTER_SLOTS);
        let at = e.entry.off() % slots;
        let used = self
            .clusters
            .get(&Self::key(e))
            .map_or(0, |cluster| cluster.slots.iter().filter(|slot| slot.used()).count());
        let room = used < CLUSTER_SLOTS as usize && at + 2 * u64::from(e.nr) <= slots;
        let next = if room { e.entry.off() + u64::from(e.nr) } else { 0 };
        let shared = self.devices.get(&e.entry.dev()).is_some_and(|(spec, _)| !spec.solid_state);
        let of = if shared { 0 } else { u64::from(e.cpu) + 1 };
        if self.candidates.len() < MAX_CLUSTERS {
            self.candidates.insert((of, e.order), Entry::new(e.entry.dev(), next));
        }
    }

    /// Slots of all devices found, headers included.
    pub(super) fn slots_of_devices(&self) -> u64 {
        self.devices.values().fold(0, |sum, (_, max)| sum.saturating_add(*max))
    }

    /// The machine as it is at the end of the scan, and whether that is sure.
    ///
    /// # Errors
    /// A device that the model cannot have.
    pub(super) fn model(mut self, config: Config) -> Result<(Model, bool), Fault> {
        let mut model = Model::new(config);
        let mut unused = Vec::new();
        for (&dev, (spec, _)) in &self.devices {
            // Swap types are given out from the lowest on.
            loop {
                let d = model.swapon(spec)?;
                if d >= dev {
                    break;
                }
                unused.push(d);
            }
        }
        for d in unused {
            model.swapoff(d)?;
        }
        // With priorities equal the order in which devices take turns is not in the tables that were read.
        let mut priorities: Vec<i32> = self.devices.values().map(|(spec, _)| spec.priority).collect();
        priorities.sort_unstable();
        priorities.dedup();
        self.exact &= priorities.len() == self.devices.len();
        for (&(d, c), cluster) in &self.clusters {
            let order = self.spots.get(&(d, c)).map_or(0, |spot| spot.order);
            let used = cluster.slots.iter().enumerate().filter(|(_, slot)| slot.used());
            model.adopt_slots(d, c, order, used.map(|(at, slot)| (at, slot.for_model())))?;
        }
        for &dev in self.devices.keys() {
            let spots: BTreeMap<u32, Spot> =
                self.spots.range((dev, 0)..=(dev, u32::MAX)).map(|((_, c), spot)| (*c, *spot)).collect();
            let (placed, sure) = in_order(&spots);
            self.exact &= sure;
            for (c, spot) in &spots {
                let quiet = self.clusters.get(&(dev, *c)).is_none_or(|cluster| cluster.touched < spot.ts);
                let count = model.cluster_state(dev, *c).map(|(.., count)| count);
                self.exact &= !quiet || spot.moved > 0 || count == Some(spot.count);
            }
            let placed = placed.into_iter().map(|(c, flag)| (c, named(flag)));
            self.exact &= model.adopt_lists(dev, placed)? == 0;
        }
        for (&(of, order), &next) in &self.candidates {
            model.adopt_candidate(usize::try_from(of).unwrap_or(0).checked_sub(1), order, next);
        }
        Ok((model, self.exact))
    }
}

/// A number of `enum swap_cluster_flags`.
const fn named(flag: u8) -> Flag {
    match flag {
        1 => Flag::Free,
        2 => Flag::Nonfull,
        3 => Flag::Frag,
        4 => Flag::Full,
        5 => Flag::Discard,
        _ => Flag::None,
    }
}

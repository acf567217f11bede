//! The current truth about every slot, made from events alone: no clock, no file, no kernel.
//!
//! ```text
//! Event -> apply (what it means) -> slot_map (words and sums) -> Snapshot
//!              |                        |- device -> cluster (9 bytes a slot)
//!              |- latency, history      |- links (physical slots behind virtual ones)
//!              `- backing               `- memcg, transitions
//! ```
//!
//! Unknown is a state: a slot is *confirmed* when an event told both that it is in use and where its data is (or
//! that it is free), or a scan of the kernel's tables. A loss takes that away from all slots, until an event gives it
//! back.

mod apply;
mod backing;
mod causes;
mod closeup;
mod cluster;
mod clusters;
mod device;
mod finding;
mod frame;
mod history;
mod io;
pub mod journal;
mod latency;
mod links;
mod memcg;
mod opening;
pub(crate) mod recent;
mod scan;
mod slot_map;
mod spans;
mod tally;

use crate::kernel::hooks::{RESERVES, TAKES_BACKING};
use crate::meta::{Header, HookState, HookTotals, Update};
use crate::snapshot::{Backend, Losses, MemcgView, Snapshot, Totals};
use causes::Causes;
use finding::Found;
use history::History;
use latency::{Latencies, Pending};
use recent::RecentFrees;
use scan::Scanning;
use slot_map::SlotMap;
use std::sync::Arc;
use vswap_common::{Entry, Field};

/// One allocated slot, as the slot dump prints it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotLine<'a> {
    /// Device number in swap entries.
    pub dev: u8,
    /// Offset on the device, in slots.
    pub off: u64,
    /// Where the data is.
    pub backend: Backend,
    /// Physical slot behind a virtual one; `None` on a plain device.
    pub phys: Option<Entry>,
    /// Kernel-private id of the owner, 0 when nobody is charged or nobody told.
    pub memcg: u16,
    /// Path of the owner, if known.
    pub memcg_path: Option<&'a str>,
    /// Order of the folio the slot was allocated for.
    pub order: u8,
    /// A folio for it is in the swap cache.
    pub cached: bool,
    /// Compressed bytes, if in zswap and known.
    pub len: Option<u16>,
    /// The state came from an event and no loss came after it.
    pub confirmed: bool,
}

/// Builds the picture from events.
pub struct Collector {
    header: Arc<Header>,
    map: SlotMap,
    latencies: Latencies,
    causes: Causes,
    history: History,
    reads: Pending,
    writes: Pending,
    /// The kernel counts `pswpin` when a read is submitted (up to 7.2), not when it is done.
    counts_submitted_reads: bool,
    /// Physical slots that are taken for virtual ones are told before they are written to.
    tells_backing: bool,
    recent_frees: RecentFrees,
    totals: Totals,
    losses: Losses,
    found: Found,
    scanning: Scanning,
    /// Records that gap events say are missing.
    lost_in_gaps: u64,
    /// Records that the hooks' own counters say are missing.
    lost_by_hooks: u64,
    hooks: Vec<HookTotals>,
    memcgs: Vec<MemcgView>,
    /// Events when `memcgs` was made; with no event since it still holds.
    memcgs_at: Option<u64>,
    /// Device and cluster that snapshots show slot by slot.
    closeup: Option<(u8, u64)>,
    events: u64,
    first_ts: u64,
    last_ts: u64,
}

impl Collector {
    /// A collector for the recording that `header` describes; one point of history per `interval_ns` of event time.
    pub fn new(header: Arc<Header>, interval_ns: u64) -> Self {
        let mut map =
            SlotMap::new(header.from_swapon, visible(&header, "cluster_move"), tells(&header, RESERVES));
        for info in &header.devices {
            map.device_mut(info.dev).declare(info);
            if header.from_swapon && info.r#virtual {
                map.rest_is_free(info.dev);
            }
        }
        for info in &header.cgroups {
            map.sums.memcgs.name(info);
        }
        Self {
            map,
            latencies: Latencies::new(),
            causes: Causes::new(),
            history: History::new(interval_ns),
            reads: Pending::new(visible(&header, "read_end")),
            writes: Pending::new(visible(&header, "write_end")),
            tells_backing: tells(&header, TAKES_BACKING),
            counts_submitted_reads: header.layout.contains_key(Field::IoByBio.label()),
            recent_frees: RecentFrees::new(),
            totals: Totals::default(),
            losses: Losses::default(),
            found: Found::default(),
            scanning: Scanning::default(),
            lost_in_gaps: 0,
            lost_by_hooks: 0,
            hooks: Vec::new(),
            memcgs: Vec::new(),
            memcgs_at: None,
            closeup: None,
            events: 0,
            first_ts: 0,
            last_ts: 0,
            header,
        }
    }

    /// Takes in names of devices and cgroups, nothing else.
    pub fn name(&mut self, update: &Update) {
        for info in &update.devices {
            self.map.device_mut(info.dev).describe(info);
        }
        for info in &update.cgroups {
            self.map.sums.memcgs.name(info);
        }
        self.memcgs_at = None;
    }

    /// Takes in news about devices, cgroups and the hooks' counters.
    pub fn update(&mut self, update: &Update) {
        self.name(update);
        for usage in &update.usage {
            self.map.sums.memcgs.note_use(usage);
        }
        if update.hooks.is_empty() {
            return;
        }
        let missing = update.hooks.iter().map(HookTotals::missing).fold(0, u64::saturating_add);
        // What no gap event accounts for (failed reads, full maps, recursion, a loss after the last record of a
        // CPU) has no place in sequence, but the slots are in doubt all the same.
        if missing > self.lost_by_hooks.max(self.lost_in_gaps) {
            self.doubt();
        }
        self.lost_by_hooks = self.lost_by_hooks.max(missing);
        self.hooks.clone_from(&update.hooks);
    }

    /// Counts records that did not decode: what they said is unknown, so nothing is confirmed any more.
    pub fn note_undecodable(&mut self, n: u64) {
        if n > 0 {
            self.losses.undecodable = self.losses.undecodable.saturating_add(n);
            self.doubt();
        }
    }

    /// The state now. Cheap when little happened since the last call: unchanged parts are shared.
    pub fn snapshot(&mut self) -> Snapshot {
        if self.memcgs_at != Some(self.events) {
            self.memcgs = self.map.sums.memcgs.view();
            self.memcgs_at = Some(self.events);
        }
        let mut losses = self.losses.clone();
        losses.lost = self.lost_in_gaps.max(self.lost_by_hooks);
        Snapshot {
            ts: self.last_ts,
            first_ts: self.first_ts,
            header: Arc::clone(&self.header),
            events: self.events,
            mix: self.map.mix(),
            cached: self.map.sums.cached,
            unconfirmed: self.map.unconfirmed(),
            zswap_bytes: self.map.sums.zswap_bytes,
            devices: self.map.device_views(self.tells_backing),
            memcgs: self.memcgs.clone(),
            paths: self.map.sums.memcgs.paths(),
            totals: self.totals,
            latency: self.latencies.percentiles(),
            latencies: self.latencies.detail(),
            closeup: self.closeup.and_then(|(dev, index)| {
                self.map.closeup(dev, index, self.last_ts / 1_000_000).map(Arc::new)
            }),
            transitions: self.map.sums.transitions,
            why: self.causes.view(),
            losses,
            findings: self.found.view(),
            scan: self.scanning.view(),
            verify: self.scanning.verified(),
            hooks: self.hooks.clone(),
            history: self.history.share(),
        }
    }

    /// Events so far that contradict the state of a slot.
    pub const fn contradictions(&self) -> u64 {
        self.losses.contradictions
    }

    /// Chooses the device and cluster that snapshots show slot by slot.
    pub const fn look_into(&mut self, cluster: Option<(u8, u64)>) {
        self.closeup = cluster;
    }

    /// Slots in use, sorted by device and offset.
    pub fn slots(&self) -> impl Iterator<Item = SlotLine<'_>> + '_ {
        self.map.lines()
    }

    /// Moves event time; clocks of CPUs differ by a little, so it never runs backwards.
    #[inline]
    fn advance(&mut self, ts: u64) {
        if self.history.due(ts) {
            if self.events == 0 {
                self.first_ts = ts;
            }
            self.latencies.close(self.history.end());
            self.history.close(ts, self.map.mix(), &self.totals, self.events);
        }
        self.last_ts = self.last_ts.max(ts);
    }
}

/// Whether something is attached to the function.
fn tells(header: &Header, function: &str) -> bool {
    header.plan.iter().any(|h| h.state == HookState::Ok && h.function.contains(function))
}

/// Whether the hook is in use, as far as the plan tells.
fn visible(header: &Header, hook: &str) -> bool {
    header.plan.iter().find(|h| h.hook == hook).is_none_or(|h| h.state != HookState::Blind)
}

//! A snapshot at the end of a trace as a report: the JSON object is the contract, [`text`] is for people.
//!
//! Every number comes from the snapshot, the trace's header or its trailer; nothing is computed here but sums
//! over clusters.

pub mod agreement;
pub mod designs;
pub mod diff;
mod faults;
mod table;
pub mod text;
pub mod why;

pub use faults::FaultGroup;

use crate::check::Agreement;
use crate::meta::{Header, HookTotals, KernelInfo, Trailer};
use crate::snapshot::{
    Backend, DeviceView, LatencyKind, List, Losses, MemcgView, Mix, Percentiles, ScanView, Snapshot, Totals,
    VerifyView,
};
use crate::whatif::Row;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use vswap_common::slot::ORDERS;
use vswap_common::why::Writeback;

/// `vswap report --json`. Members may be added, never renamed.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// Version of the tool that recorded.
    pub tool_version: &'a str,
    /// Command line of the recording.
    pub command: &'a [String],
    /// `host` or `generator`.
    pub origin: &'a str,
    /// Kernel release.
    pub kernel: &'a str,
    /// All facts about the recorded kernel.
    pub host: &'a KernelInfo,
    /// Name of the layout generation.
    pub layout: &'a str,
    /// True if recording began before the first swapon, so that no slot is unknown.
    pub from_swapon: bool,
    /// Wall time of the first event, RFC 3339, if the trace can tell.
    pub started: Option<String>,
    /// Events read.
    pub events: u64,
    /// Events that should be there and are not.
    pub lost: u64,
    /// First to last event.
    pub duration_ns: u64,
    /// Swap devices.
    pub devices: Vec<Device<'a>>,
    /// Slots in use by backend, all devices.
    pub backends: Backends,
    /// Slots in use with a folio in the swap cache.
    pub cached: u64,
    /// Slots in use whose state is not confirmed.
    pub unconfirmed: u64,
    /// The scan of the kernel's tables when recording began with swap in use; `null` if there was none.
    pub scan: Option<ScanView>,
    /// The last comparison with the kernel's tables; `null` if there was none.
    pub verify: Option<&'a VerifyView>,
    /// Compressed bytes in zswap as far as lengths are known.
    pub zswap_bytes: u64,
    /// Clusters by list and order.
    pub clusters: Vec<ClusterGroup>,
    /// Cgroups with slots, most slots first.
    pub memcgs: Vec<Memcg<'a>>,
    /// Changes of backend in slots; `free` is where slots come from and go to.
    pub transitions: Vec<Transition>,
    /// Latencies by kind.
    pub latency_ns: BTreeMap<&'static str, Percentiles>,
    /// Pages, counted as the kernel's vmstat counts them.
    pub totals: &'a Totals,
    /// Causes.
    pub why: why::Why,
    /// Loss and doubt in detail.
    pub losses: &'a Losses,
    /// Events that contradict the state of their slots, by fault.
    pub findings: Vec<FaultGroup<'a>>,
    /// How the model agreed, where one ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<&'a Agreement>,
    /// What the load needs under other designs, where they were asked for.
    #[serde(skip_serializing_if = "<[Row]>::is_empty")]
    pub models: &'a [Row],
    /// Counters of the hooks.
    pub hooks: &'a [HookTotals],
    /// Last words of the recorder; `null` if it did not end cleanly.
    pub trailer: Option<Trailer>,
    /// Where the file is not whole, in words.
    pub damage: Option<String>,
}

/// A swap device.
#[derive(Debug, Serialize)]
pub struct Device<'a> {
    /// Device number in swap entries.
    pub dev: u8,
    /// Path.
    pub name: &'a str,
    /// Usable pages, 0 if unknown.
    pub pages: u64,
    /// Slots in use.
    pub used: u64,
    /// Slots that wait in per-CPU caches (6.12): in use for the kernel, those given up still charged to whom they were of.
    /// Left out where there are none such, or the recording does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<u64>,
    /// Device of the virtual swap layer.
    pub r#virtual: bool,
    /// Slots in use that hold the data of virtual slots, which are counted there too. Left out where there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub backing: u64,
    /// Priority.
    pub prio: i32,
    /// False after swapoff.
    pub active: bool,
    /// Slots in use by backend.
    pub backends: Backends,
    /// Slots in use whose data is in zswap or zero: room on the device that holds nothing. 0 of a virtual device.
    pub waste: u64,
    /// Folios of each order from 0 that would still find an aligned run of free slots: how fragmented the device is.
    /// `null` of a virtual device, which makes clusters as needed.
    pub aligned: Option<[u64; ORDERS]>,
    /// False if slots of unknown state were taken for free: `aligned` is at most so much.
    pub aligned_exact: bool,
}

/// Slots in use by backend.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Backends {
    /// Only in memory.
    pub folio: u64,
    /// Zero-filled.
    pub zero: u64,
    /// Compressed.
    pub zswap: u64,
    /// On the device.
    pub phys: u64,
    /// Nobody told yet.
    pub unknown: u64,
}

/// Clusters of one list and order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterGroup {
    /// List.
    pub list: List,
    /// Order the clusters serve.
    pub order: u8,
    /// Clusters.
    pub clusters: u64,
    /// Slots in use in them.
    pub slots: u64,
}

/// A cgroup.
#[derive(Debug, Serialize)]
pub struct Memcg<'a> {
    /// Path, or `#id`.
    pub path: &'a str,
    /// Kernel-private id.
    pub id: u16,
    /// Slots in use.
    pub slots: u64,
    /// Of these in zswap.
    pub zswap: u64,
    /// Zero-filled.
    pub zero: u64,
    /// On a device.
    pub phys: u64,
    /// Only in memory.
    pub folio: u64,
    /// Nobody told yet.
    pub unknown: u64,
    /// Slots charged to `memory.swap`.
    pub charged: u64,
    /// Compressed bytes in zswap as far as lengths are known.
    pub zswap_bytes: u64,
    /// Pages that zswap wrote back, by cause; only causes that occurred.
    pub writebacks: BTreeMap<&'static str, u64>,
    /// Pages read from the device after that.
    pub refaults: u64,
}

/// How often slots went from one backend to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Transition {
    /// Backend before, or `free`.
    pub from: &'static str,
    /// Backend after, or `free`.
    pub to: &'static str,
    /// Slots.
    pub count: u64,
}

impl From<Mix> for Backends {
    fn from(mix: Mix) -> Self {
        let at = |backend: Backend| mix[backend as usize];
        Self {
            folio: at(Backend::Folio),
            zero: at(Backend::Zero),
            zswap: at(Backend::Zswap),
            phys: at(Backend::Phys),
            unknown: at(Backend::None),
        }
    }
}

impl<'a> Report<'a> {
    /// The report of a trace that ended with this snapshot.
    pub fn new(snapshot: &'a Snapshot, trailer: Option<Trailer>, damage: Option<String>) -> Self {
        let header = &*snapshot.header;
        Self {
            tool_version: &header.tool_version,
            command: &header.command,
            origin: &header.origin,
            kernel: &header.kernel.release,
            host: &header.kernel,
            layout: &header.layout_name,
            from_swapon: header.from_swapon,
            started: wall_time(header, snapshot.first_ts),
            events: snapshot.events,
            lost: snapshot.losses.lost.max(trailer.as_ref().map_or(0, |t| t.lost)),
            duration_ns: snapshot.ts.saturating_sub(snapshot.first_ts),
            devices: snapshot.devices.iter().map(device).collect(),
            backends: snapshot.mix.into(),
            cached: snapshot.cached,
            unconfirmed: snapshot.unconfirmed,
            scan: snapshot.scan,
            verify: snapshot.verify.as_ref(),
            zswap_bytes: snapshot.zswap_bytes,
            clusters: clusters(&snapshot.devices),
            memcgs: snapshot.memcgs.iter().map(memcg).collect(),
            transitions: transitions(&snapshot.transitions),
            latency_ns: LatencyKind::ALL.map(|k| (k.name(), snapshot.latency[k as usize])).into(),
            totals: &snapshot.totals,
            why: (&snapshot.why).into(),
            losses: &snapshot.losses,
            findings: FaultGroup::of(&snapshot.findings),
            check: None,
            models: &[],
            hooks: &snapshot.hooks,
            trailer,
            damage,
        }
    }

    /// Slots in use.
    pub fn used(&self) -> u64 {
        let b = &self.backends;
        b.folio + b.zero + b.zswap + b.phys + b.unknown
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn device(d: &DeviceView) -> Device<'_> {
    Device {
        dev: d.dev,
        name: &d.name,
        pages: d.pages,
        used: d.used,
        idle: d.idle,
        r#virtual: d.r#virtual,
        backing: d.backing,
        prio: d.prio,
        active: d.active,
        backends: d.mix.into(),
        waste: d.waste(),
        aligned: (!d.r#virtual).then_some(d.aligned),
        aligned_exact: d.aligned_exact,
    }
}

fn memcg(m: &MemcgView) -> Memcg<'_> {
    let by = Backends::from(m.mix);
    Memcg {
        path: &m.path,
        id: m.id,
        slots: m.slots,
        zswap: by.zswap,
        zero: by.zero,
        phys: by.phys,
        folio: by.folio,
        unknown: by.unknown,
        charged: m.charged,
        zswap_bytes: m.zswap_bytes,
        writebacks: Writeback::ALL
            .iter()
            .zip(m.writebacks)
            .filter(|(_, n)| *n > 0)
            .map(|(cause, n)| (cause.name(), n))
            .collect(),
        refaults: m.refaults,
    }
}

fn clusters(devices: &[DeviceView]) -> Vec<ClusterGroup> {
    let mut groups = BTreeMap::new();
    for cell in devices.iter().flat_map(|d| d.clusters.iter()) {
        let group = groups.entry((cell.list as u8, cell.order)).or_insert(ClusterGroup {
            list: cell.list,
            order: cell.order,
            clusters: 0,
            slots: 0,
        });
        group.clusters += 1;
        group.slots += u64::from(cell.used());
    }
    groups.into_values().collect()
}

fn transitions(table: &[[u64; 5]; 5]) -> Vec<Transition> {
    let name = |b: Backend| if b == Backend::None { "free" } else { b.name() };
    let pairs = Backend::ALL.into_iter().flat_map(|from| Backend::ALL.map(|to| (from, to)));
    pairs
        .map(|(from, to)| Transition {
            from: name(from),
            to: name(to),
            count: table[from as usize][to as usize],
        })
        .filter(|t| t.count > 0)
        .collect()
}

/// Wall time of a time stamp, by the header's clock pair.
fn wall_time(header: &Header, ts: u64) -> Option<String> {
    let clock = &header.clock;
    if clock.realtime_ns == 0 || ts == 0 {
        return None;
    }
    let since_start = i128::from(ts) - i128::from(clock.monotonic_ns);
    let ns = u64::try_from(i128::from(clock.realtime_ns) + since_start).ok()?;
    let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(ns);
    Some(humantime::format_rfc3339_millis(time).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::ClockPair;
    use crate::snapshot::ClusterCell;
    use std::sync::Arc;

    #[test]
    fn clusters_are_summed_by_list_and_order() {
        let cell =
            |list, order, zswap| ClusterCell { list, order, mix: [0, 0, 0, zswap, 0], ..Default::default() };
        let d = |cells| DeviceView { clusters: Arc::new(cells), ..Default::default() };
        let devices = [
            d(vec![cell(List::Full, 0, 512), cell(List::Frag, 4, 100)]),
            d(vec![cell(List::Frag, 4, 28), cell(List::Free, 0, 0)]),
        ];
        let group = |list, order, clusters, slots| ClusterGroup { list, order, clusters, slots };
        assert_eq!(
            clusters(&devices),
            [group(List::Free, 0, 1, 0), group(List::Frag, 4, 2, 128), group(List::Full, 0, 1, 512)]
        );
    }

    #[test]
    fn transitions_name_free_and_leave_out_what_never_happened() {
        let mut table = [[0; 5]; 5];
        table[0][1] = 3;
        table[3][4] = 2;
        let t = |from, to, count| Transition { from, to, count };
        assert_eq!(transitions(&table), [t("free", "folio", 3), t("zswap", "phys", 2)]);
    }

    #[test]
    fn wall_time_follows_the_clock_pair() {
        let clock = ClockPair { monotonic_ns: 5_000_000_000, realtime_ns: 1_700_000_000_000_000_000 };
        let header = Header { clock, ..Header::default() };
        assert_eq!(wall_time(&header, 6_500_000_000).as_deref(), Some("2023-11-14T22:13:21.500Z"));
        assert_eq!(wall_time(&header, 4_000_000_000).as_deref(), Some("2023-11-14T22:13:19.000Z"));
        assert_eq!(wall_time(&Header::default(), 1), None);
    }
}

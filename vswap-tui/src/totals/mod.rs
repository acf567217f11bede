//! The rungs below tracing of functions: how many pages go where, for each cgroup where tracepoints tell. Never which
//! slot.
//!
//! ```text
//! /proc/vmstat, /proc/swaps  --.
//! sums of the tracepoints     --+-> Sampler::look -> View -> screen, lines, JSON
//! files of the cgroups       --'
//! ```

mod cgroups;
mod rows;

pub use cgroups::CgroupRow;
pub use rows::{Reclaim, Row, SwapIo, Trust};

use crate::kernel::counters::{Counters, GAUGES};
use crate::kernel::facts::{SwapLine, read_swaps};
use crate::kernel::ladder::Rung;
use crate::meta::HookPlan;
use crate::tracer::{Reading, Tallies};
use cgroups::Cgroups;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What is never in totals; part of every output.
pub const LEFT_OUT: &str =
    "totals: not which slots, not where a virtual slot lies, no clusters, compressed sizes, or latencies";

/// Something that totals do not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Blind {
    /// What.
    pub what: &'static str,
    /// Why not.
    pub why: &'static str,
}

/// What no tracepoint and no counter of any kernel tells.
pub const BLIND: &[Blind] = &[
    Blind { what: "which slot a page is in", why: "no tracepoint and no counter names a slot" },
    Blind { what: "virtual to physical slot", why: "the virtual layer has no tracepoint" },
    Blind { what: "compressed size of a page", why: "zswap has none; its memory is counted in whole pages" },
    Blind { what: "frees of zero or zswap slots", why: "seen only as slots given back by their cgroup" },
    Blind { what: "clusters and fragmentation", why: "the allocator has no tracepoint" },
    Blind { what: "latency of swap-in and out", why: "their begin and end are not told" },
    Blind { what: "writeouts that were refused", why: "only those that were begun are told" },
];

/// Everything known at one time.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// What these numbers leave out.
    pub left_out: &'static str,
    /// What they come from.
    pub rung: Rung,
    /// Why nothing better works here; empty if nobody tried.
    pub why: String,
    /// `uname -r`.
    pub kernel: String,
    /// Since the begin.
    pub seconds: f64,
    /// Values of the kernel's counters.
    pub now: BTreeMap<&'static str, u64>,
    /// What they counted since the begin; gauges are left out.
    pub counted: BTreeMap<&'static str, u64>,
    /// Devices of `/proc/swaps`.
    pub devices: Vec<Device>,
    /// Transitions, in the order of a page's way.
    pub transitions: Vec<Row>,
    /// Who had folios written.
    pub reclaim: Vec<Reclaim>,
    /// Requests to swap devices; none without the tracepoint.
    pub swap_io: Option<SwapIo>,
    /// Cgroups, the busiest first.
    pub cgroups: Vec<CgroupRow>,
    /// Pages whose cgroup could not be told, or had no room.
    pub unattributed: u64,
    /// Calls that the kernel did not hand to us, by program: sums from it are too small by as much.
    pub missed: BTreeMap<&'static str, u64>,
    /// What became of each tracepoint; empty on the rung of counters.
    pub tracepoints: Vec<HookPlan>,
    /// What is not told at all.
    pub blind: &'static [Blind],
}

impl View {
    /// Calls that the kernel did not hand to our programs, if a sum may be too small for it.
    pub fn lost(&self) -> u64 {
        let short = self.transitions.iter().any(|row| row.trust == Trust::AtLeast);
        if short { self.missed.values().sum() } else { 0 }
    }

    /// Pages that the kernel's own counters have and our sums miss: proof of a loss.
    pub fn short(&self) -> bool {
        let proven = |row: &Row| row.trust == Trust::AtLeast && row.counter.is_some();
        self.transitions.iter().any(proven)
    }
}

/// A swap device.
#[derive(Clone, Debug, Serialize)]
pub struct Device {
    /// Path.
    pub name: String,
    /// Usable pages.
    pub pages: u64,
    /// Pages in use.
    pub used: u64,
}

impl From<SwapLine> for Device {
    fn from(line: SwapLine) -> Self {
        Self { name: line.name, pages: line.pages, used: line.used }
    }
}

/// Takes readings and makes differences and rates of them.
pub struct Sampler {
    root: PathBuf,
    kernel: String,
    why: String,
    tallies: Option<Tallies>,
    first: Counters,
    begin: Instant,
    cgroups: Cgroups,
    last: Option<Last>,
}

struct Last {
    at: Instant,
    counted: BTreeMap<&'static str, u64>,
    reading: Option<Reading>,
}

impl Sampler {
    /// Begins now. `why` is what keeps better rungs from working, as far as somebody tried.
    pub fn new(root: &Path, tallies: Option<Tallies>, why: String) -> Self {
        let kernel = std::fs::read_to_string(root.join("proc/sys/kernel/osrelease")).unwrap_or_default();
        Self {
            root: root.to_owned(),
            kernel: kernel.trim().to_owned(),
            why,
            tallies,
            first: Counters::read(root),
            begin: Instant::now(),
            cgroups: Cgroups::new(root),
            last: None,
        }
    }

    /// True if the kernel tells nothing at all.
    pub fn is_empty(&self) -> bool {
        self.tallies.is_none() && self.first.values().is_empty()
    }

    /// Reads everything anew; rates are those since the last look.
    ///
    /// # Errors
    /// If the sums of the tracepoints cannot be read.
    pub fn look(&mut self) -> anyhow::Result<View> {
        if let Some(tallies) = &mut self.tallies {
            tallies.watch(&self.root);
        }
        let reading = self.tallies.as_ref().map(Tallies::read).transpose()?;
        let counters = Counters::read(&self.root);
        let at = Instant::now();
        let counted = counted(&self.first, &counters);
        let since = self.last.as_ref().map_or(self.begin, |last| last.at);
        let seconds = (at - since).as_secs_f64();
        let before = self.last.as_ref();
        let old_counted = before.map(|last| &last.counted);
        let old = before.and_then(|last| last.reading.as_ref());
        let sources = rows::Sources {
            tallies: self.tallies.as_ref(),
            reading: reading.as_ref(),
            old,
            counted: &counted,
            old_counted,
            seconds,
        };
        let view = View {
            left_out: LEFT_OUT,
            rung: if self.tallies.is_some() { Rung::Tracepoint } else { Rung::Counters },
            why: self.why.clone(),
            kernel: self.kernel.clone(),
            seconds: (at - self.begin).as_secs_f64(),
            transitions: sources.transitions(),
            reclaim: sources.reclaim(),
            swap_io: sources.swap_io(&self.root),
            cgroups: reading.as_ref().map_or_else(Vec::new, |now| self.cgroups.rows(now, old, seconds)),
            unattributed: reading.as_ref().map_or(0, rows::unattributed),
            missed: reading.iter().flat_map(|r| r.missed.iter().copied()).collect(),
            tracepoints: self.tallies.as_ref().map_or_else(Vec::new, |t| t.points().to_vec()),
            devices: read_swaps(&self.root).into_iter().map(Device::from).collect(),
            now: counters.values(),
            counted: counted.clone(),
            blind: BLIND,
        };
        self.last = Some(Last { at, counted, reading });
        Ok(view)
    }
}

/// What the kernel's counters counted between two readings; gauges are left out.
pub fn counted(before: &Counters, after: &Counters) -> BTreeMap<&'static str, u64> {
    let old = before.values();
    after
        .values()
        .into_iter()
        .filter(|(name, _)| !GAUGES.contains(name))
        .filter_map(|(name, n)| Some((name, n.saturating_sub(*old.get(name)?))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, vmstat: &str) {
        std::fs::create_dir_all(root.join("proc/sys/kernel")).unwrap();
        std::fs::write(root.join("proc/vmstat"), vmstat).unwrap();
        std::fs::write(root.join("proc/sys/kernel/osrelease"), "9.9\n").unwrap();
        std::fs::write(
            root.join("proc/swaps"),
            "Filename Type Size Used Priority\n/dev/x partition 400 40 -2\n",
        )
        .unwrap();
    }

    #[test]
    fn without_tracepoints_the_kernels_counters_are_the_rows() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "pswpout 100\nzswpout 5\nnr_swapcached 50\n");
        let mut sampler = Sampler::new(dir.path(), None, "refused".to_owned());
        put(dir.path(), "pswpout 300\nzswpout 5\nnr_swapcached 20\n");
        let view = sampler.look().unwrap();
        assert_eq!((view.rung, view.kernel.as_str(), view.why.as_str()), (Rung::Counters, "9.9", "refused"));
        let row = |view: &View, name: &str| view.transitions.iter().find(|r| r.name == name).cloned();
        let written = row(&view, "out to the device").unwrap();
        assert_eq!((written.total, written.trust), (200, Trust::Exact));
        assert!(written.rate > 0.0 && written.by.contains("vmstat"));
        assert!(row(&view, "in from zswap").is_none(), "no such line in this vmstat");
        assert!(row(&view, "slots charged").is_none(), "no counter of it");
        assert_eq!(view.counted, BTreeMap::from([("pswpout", 200), ("zswpout", 0)]));
        assert_eq!((view.devices[0].used, view.swap_io.is_none(), view.cgroups.len()), (10, true, 0));
        let again = sampler.look().unwrap();
        let still = row(&again, "out to the device").unwrap();
        assert_eq!((still.total, still.rate), (200, 0.0), "the rate is that since the last look");
    }
}

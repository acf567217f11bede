//! What the dashboard knows between two drawings.

use crate::app::baseline::Baseline;
use crate::app::cgroups::{CgroupState, Row};
use crate::app::frame::{Frame, Timeline};
use crate::app::grid::Grid;
use crate::app::layout;
use crate::app::prompt::Prompt;
use crate::app::summary::Summary;
use crate::app::views::{ClusterState, FlowState, MappingState};
use crate::kernel::counters::Counters;
use crate::kernel::ladder::Transition;
use crate::snapshot::closeup::Closeup;
use crate::snapshot::watch::Watch;
use crate::snapshot::{ClusterCell, DeviceView, Snapshot};
use ratatui::layout::{Rect, Size};
use std::time::Duration;
use vswap_common::Entry;
use vswap_common::slot::CLUSTER_SLOTS;

/// Where the events come from: a word in the header and which keys control time. Views do not look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The kernel of this host.
    Live,
    /// A recording that is still being made, through a pipe.
    Stream,
    /// A trace file.
    Replay,
    /// The generator.
    Demo,
}

impl Origin {
    /// Word in the header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Stream => "stream",
            Self::Replay => "replay",
            Self::Demo => "demo",
        }
    }
}

/// A screen of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Where the pages are, traffic, latency, devices, cgroups.
    Overview,
    /// The map of clusters.
    Clusters,
    /// Slots and where they lead, one cluster at a time.
    Mapping,
    /// Who has how much where.
    Cgroups,
    /// How long pages take.
    Latency,
    /// From where to where, and event by event.
    Flow,
    /// The allocator from inside: model and kernel, lists, caches, other designs.
    Allocator,
    /// What this kernel lets be seen.
    Doctor,
}

impl View {
    /// All views in the order of their digits.
    pub const ALL: [Self; 8] = [
        Self::Overview,
        Self::Clusters,
        Self::Mapping,
        Self::Cgroups,
        Self::Latency,
        Self::Flow,
        Self::Allocator,
        Self::Doctor,
    ];

    /// Name in the header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Clusters => "Clusters",
            Self::Mapping => "Mapping",
            Self::Cgroups => "Cgroups",
            Self::Latency => "Latency",
            Self::Flow => "Flow",
            Self::Allocator => "Allocator",
            Self::Doctor => "Doctor",
        }
    }
}

/// The dashboard.
#[derive(Clone, Debug)]
pub struct App {
    /// Where the events come from.
    pub origin: Origin,
    /// Size of the terminal.
    pub size: Size,
    /// The view on screen.
    pub view: View,
    /// The keys are shown over the view.
    pub help: bool,
    /// First visible line of the help.
    pub help_top: usize,
    /// The shown instant.
    pub frame: Frame,
    /// Counted from `frame`.
    pub summary: Summary,
    /// While frozen: the newest instant, not shown yet.
    pub held: Option<Frame>,
    /// The picture is held; collection goes on.
    pub frozen: bool,
    /// Time between two frames.
    pub interval: Duration,
    /// First visible cgroup of the overview.
    pub cgroup_top: usize,
    /// First visible line of the allocator view.
    pub allocator_top: usize,
    /// First visible line of the doctor.
    pub doctor_top: usize,
    /// Kind of latency under the cursor, by its number.
    pub latency: usize,
    /// Cluster view; its device is that of the mapping and the allocator too.
    pub clusters: ClusterState,
    /// Mapping.
    pub mapping: MappingState,
    /// Cgroup view.
    pub cgroups: CgroupState,
    /// Its rows, made for the shown frame while the view is shown.
    pub cgroup_rows: Vec<Row>,
    /// Flow view.
    pub flow: FlowState,
    /// What the hooks of the shown events tell of each transition of a slot.
    pub transitions: Vec<Transition>,
    /// What the kernel of this host counts anyway, if the events are its own: a fall-back for transitions without hooks.
    pub counters: Counters,
    /// What is being typed.
    pub prompt: Option<Prompt>,
    /// Answer to the last command, until the next key.
    pub notice: Option<String>,
    /// An instant to take rates from.
    pub baseline: Baseline,
    /// The whole recording, if its extent is known.
    pub timeline: Option<Timeline>,
}

impl App {
    /// A dashboard without data.
    pub fn new(origin: Origin, interval: Duration, timeline: Option<Timeline>, size: Size) -> Self {
        Self {
            origin,
            size,
            view: View::Overview,
            help: false,
            help_top: 0,
            frame: Frame::default(),
            summary: Summary::default(),
            held: None,
            frozen: false,
            interval,
            cgroup_top: 0,
            allocator_top: 0,
            doctor_top: 0,
            latency: 0,
            clusters: ClusterState::default(),
            mapping: MappingState::default(),
            cgroups: CgroupState::default(),
            cgroup_rows: Vec::new(),
            flow: FlowState::default(),
            transitions: Vec::new(),
            counters: Counters::default(),
            prompt: None,
            notice: None,
            baseline: Baseline::default(),
            timeline,
        }
    }

    /// The device of the cluster map: the chosen one while it is there, else the first with clusters, else the first.
    pub fn device(&self) -> Option<&DeviceView> {
        let devices = &self.frame.snapshot.devices;
        self.clusters
            .dev
            .and_then(|dev| devices.iter().find(|d| d.dev == dev))
            .or_else(|| devices.iter().find(|d| !d.clusters.is_empty()))
            .or_else(|| devices.first())
    }

    /// Clusters of that device.
    pub fn device_clusters(&self) -> &[ClusterCell] {
        self.device().map_or(&[], |d| d.clusters.as_slice())
    }

    /// Geometry of the map on this terminal.
    pub fn grid(&self) -> Grid {
        let body = layout::screen(self.size, self.timeline.is_some()).body;
        Grid::new(self.device_clusters().len(), layout::clusters(body).map, self.clusters.zoom)
    }

    /// Where the cluster under the cursor is shown slot by slot below the map: there is room, and the map is shown.
    pub fn preview(&self) -> Option<Rect> {
        let map = layout::clusters(layout::screen(self.size, self.timeline.is_some()).body).map;
        let shown = self.view == View::Clusters && !self.clusters.open && !self.device_clusters().is_empty();
        layout::preview(map, self.grid().rows).filter(|_| shown)
    }

    /// An instant to take the rates of the flow from; `None` where its figures are those since the start.
    pub fn flow_since(&self) -> Option<(&Snapshot, f64)> {
        self.baseline.before(self.frame.now).filter(|_| !self.flow.totals)
    }

    /// What the shown view wants beyond the sums.
    pub fn watch(&self) -> Watch {
        let opened = self.view == View::Clusters && self.clusters.open;
        let slots = opened || self.view == View::Mapping;
        let slot = self.device().filter(|_| slots).map(|d| Entry::new(d.dev, self.mapping.off));
        let previewed = || {
            self.device().filter(|_| self.preview().is_some()).map(|d| (d.dev, self.clusters.cursor as u64))
        };
        Watch {
            cluster: slot.map(|s| (s.dev(), s.off() / u64::from(CLUSTER_SLOTS))).or_else(previewed),
            slot,
            log: (self.view == View::Flow).then(|| self.flow.filter.clone()),
        }
    }

    /// The cluster that holds the slot under the cursor, once the collector has shown it.
    pub fn closeup(&self) -> Option<&Closeup> {
        let wanted = self.watch().cluster?;
        self.frame.snapshot.closeup.as_deref().filter(|c| (c.dev, c.cluster) == wanted)
    }

    /// The watched kernel has virtual slots in front of the physical ones.
    pub fn virtual_swap(&self) -> bool {
        self.frame.snapshot.devices.iter().any(|d| d.r#virtual)
    }

    /// Bytes in a page of the watched kernel.
    pub fn page_size(&self) -> u64 {
        match self.frame.snapshot.header.kernel.page_size {
            0 => 4096,
            n => u64::from(n),
        }
    }

    /// Time is under control of the keys.
    pub const fn plays(&self) -> bool {
        self.frame.playback.is_some()
    }
}

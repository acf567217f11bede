//! What the dashboard knows between two drawings.

use crate::app::frame::{Frame, Timeline};
use crate::app::grid::Grid;
use crate::app::layout;
use crate::app::summary::Summary;
use crate::snapshot::{ClusterCell, DeviceView};
use ratatui::layout::Size;
use std::time::Duration;

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
    /// The allocator from inside: model and kernel, lists, caches, other designs.
    Allocator,
}

impl View {
    /// All views in the order of their digits.
    pub const ALL: [Self; 3] = [Self::Overview, Self::Clusters, Self::Allocator];

    /// Name in the header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Clusters => "Clusters",
            Self::Allocator => "Allocator",
        }
    }
}

/// What a cell of the cluster map shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// List by colour and kind of character, fill by its value.
    List,
    /// Fill by colour.
    Fill,
    /// Backend that most slots have.
    Backend,
    /// Order the cluster serves.
    Order,
}

impl Paint {
    /// The one after it, round and round.
    pub const fn next(self) -> Self {
        match self {
            Self::List => Self::Fill,
            Self::Fill => Self::Backend,
            Self::Backend => Self::Order,
            Self::Order => Self::List,
        }
    }

    /// Word in the title of the map.
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "list and fill",
            Self::Fill => "fill",
            Self::Backend => "main backend",
            Self::Order => "order",
        }
    }
}

/// State of the cluster view; survives switching away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterState {
    /// Number of the shown swap device; the first one if it is not there.
    pub dev: Option<u8>,
    /// Index of the cluster under the cursor.
    pub cursor: usize,
    /// First visible row.
    pub top: usize,
    /// Zoom steps from "all clusters fit".
    pub zoom: u8,
    /// What the cells show.
    pub paint: Paint,
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
    /// Cluster view.
    pub clusters: ClusterState,
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
            clusters: ClusterState { dev: None, cursor: 0, top: 0, zoom: 0, paint: Paint::List },
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

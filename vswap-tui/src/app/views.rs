//! What each view remembers while another one is shown.

use crate::snapshot::watch::EventFilter;

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
    /// In the order in which a key walks through them.
    pub const ALL: [Self; 4] = [Self::List, Self::Fill, Self::Backend, Self::Order];

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

    /// Word for it in a command or the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Fill => "fill",
            Self::Backend => "backend",
            Self::Order => "order",
        }
    }
}

/// State of the cluster view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterState {
    /// Number of the shown swap device; the first one if it is not there. Mapping and allocator show the same.
    pub dev: Option<u8>,
    /// Index of the cluster under the cursor.
    pub cursor: usize,
    /// First visible row.
    pub top: usize,
    /// Zoom steps from "all clusters fit".
    pub zoom: u8,
    /// What the cells show.
    pub paint: Paint,
    /// The cluster under the cursor is shown slot by slot.
    pub open: bool,
}

impl Default for ClusterState {
    fn default() -> Self {
        Self { dev: None, cursor: 0, top: 0, zoom: 0, paint: Paint::List, open: false }
    }
}

/// State of the mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingState {
    /// Slot under the cursor, on the shown device; the opened cluster has the same cursor.
    pub off: u64,
    /// Where slots were followed from: device and offset. Bounded.
    pub back: Vec<(u8, u64)>,
}

/// State of the flow view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowState {
    /// Filter of the log as it was typed.
    pub text: String,
    /// What it means.
    pub filter: EventFilter,
    /// Lines scrolled up from the newest event.
    pub up: usize,
    /// Figures since the start are wanted, where there is no room for both.
    pub totals: bool,
}

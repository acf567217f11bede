//! A recording for other tools. One row model for all tables; Perfetto gets tracks.
//!
//! ```text
//! TraceSource -> batches (one block each) -> Export -+-> parquet: a row group a block
//!                   `-> names, clock                 +-> lines: NDJSON, CSV
//!                                                    `-> perfetto: counters and slices
//! ```

pub mod lines;
pub mod openmetrics;
pub mod parquet;
pub mod perfetto;
mod proto;
pub mod row;
pub mod schema;

use crate::source::Batch;
use clap::ValueEnum;
use row::Names;
use std::path::Path;

/// What a recording is exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// ui.perfetto.dev: counters of backends, devices and cgroups, slices of writeback and swap-in
    #[value(name = "pftrace")]
    Perfetto,
    /// DuckDB, Polars, Spark: a table of events, or of slots
    Parquet,
    /// One JSON object a line
    Ndjson,
    /// Comma-separated, with a header
    Csv,
}

impl Format {
    /// The format that the extension of a file names.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "pftrace" | "perfetto-trace" => Some(Self::Perfetto),
            "parquet" => Some(Self::Parquet),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// Takes in a recording, batch by batch.
pub trait Export {
    /// A block's events. `names` has learned from its news already.
    ///
    /// # Errors
    /// If writing fails.
    fn batch(&mut self, batch: &Batch, names: &Names) -> anyhow::Result<()>;

    /// Nothing more comes. `facts` says what kind of recording it was.
    ///
    /// # Errors
    /// If writing fails.
    fn finish(self: Box<Self>, facts: &Facts, names: &Names) -> anyhow::Result<()>;
}

/// What is told of a recording as a whole, beside its rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Events lost, as `report` says.
    pub lost: u64,
    /// Where the file is not whole, in words.
    pub damage: Option<String>,
}

//! Options of the commands that read a trace.

use super::{DesignArgs, ViewArgs, parse_speed};
use crate::export::Format;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// `vswap replay`.
#[derive(Args, Debug, Clone)]
pub struct ReplayArgs {
    /// Trace file
    pub file: PathBuf,
    /// How it runs
    #[command(flatten)]
    pub view: ViewArgs,
    /// Run the reference model beside the trace: agreement, first divergence, invariants
    #[arg(long)]
    pub check: bool,
    /// What if
    #[command(flatten)]
    pub designs: DesignArgs,
    /// Speed of time: `max`, `1x`, `10x`, `0.5x` [default: 1x, with --headless max]
    #[arg(long, value_parser = parse_speed)]
    pub speed: Option<Speed>,
}

/// `vswap report`.
#[derive(Args, Debug, Clone)]
pub struct ReportArgs {
    /// Trace file, `-` for standard input
    pub file: PathBuf,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// `vswap slots`.
#[derive(Args, Debug, Clone)]
pub struct SlotsArgs {
    /// Trace file, `-` for standard input
    pub file: PathBuf,
    /// State at this time after the first event instead of at the end
    #[arg(long, value_parser = humantime::parse_duration)]
    pub at: Option<Duration>,
    /// Only this device number
    #[arg(long)]
    pub device: Option<u8>,
    /// Only this cgroup (path, or `#id`)
    #[arg(long)]
    pub memcg: Option<String>,
}

/// `vswap diff`.
#[derive(Args, Debug, Clone)]
pub struct DiffArgs {
    /// A recording, or a folder of recordings: runs of the same load
    pub a: PathBuf,
    /// What to compare it with
    pub b: PathBuf,
    /// Run the reference model beside each recording: how often the kernel takes its slot
    #[arg(long)]
    pub check: bool,
    /// The numbers as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// `vswap export`.
#[derive(Args, Debug, Clone)]
pub struct ExportArgs {
    /// Trace file, `-` for standard input
    #[arg(required_unless_present = "json_schema")]
    pub file: Option<PathBuf>,
    /// File to write (mode 0600), `-` for standard output; its extension says the format
    #[arg(short, long, value_name = "OUT|-", required_unless_present = "json_schema")]
    pub output: Option<PathBuf>,
    /// Format, where the name of the output does not say it
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Replace the file if it exists
    #[arg(long)]
    pub force: bool,
    /// The slot map as a table instead of the events
    #[arg(long)]
    pub slots: bool,
    /// The slot map at this time after the first event instead of at the end
    #[arg(long, requires = "slots", value_parser = humantime::parse_duration)]
    pub at: Option<Duration>,
    /// Event time between two values of a Perfetto counter
    #[arg(long, default_value = "100ms", value_parser = humantime::parse_duration)]
    pub interval: Duration,
    /// Print the JSON Schema of a line of NDJSON and do nothing else
    #[arg(long)]
    pub json_schema: bool,
}

/// `vswap repair`.
#[derive(Args, Debug, Clone)]
pub struct RepairArgs {
    /// Trace file
    pub file: PathBuf,
    /// File to write (mode 0600), `-` for standard output
    #[arg(short, long, value_name = "FILE|-")]
    pub output: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    pub force: bool,
}

/// Speed of a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as the machine goes.
    Max,
    /// Event time runs at this multiple of real time.
    Times(f64),
}

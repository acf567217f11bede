//! Options of `record`, and how a recording is kept.

use super::{Rung, parse_bytes};
use crate::recorder::Sync;
use crate::recorder::trigger::Trigger;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// `vswap record`.
#[derive(Args, Debug, Clone)]
pub struct RecordArgs {
    /// File to write (mode 0600), `-` for standard output
    #[arg(short, long, value_name = "FILE|-")]
    pub output: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    pub force: bool,
    /// Stop after this time
    #[arg(long, value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// Size of the ring buffer between kernel and vswap (a power of two of pages)
    #[arg(long, default_value = "16M", value_parser = parse_bytes)]
    pub ring_size: u64,
    /// Leave out what only the check against the reference model needs: fewer records, the same slot map
    #[arg(long)]
    pub slots_only: bool,
    /// How to learn what the kernel does: `auto` or `kprobe`
    #[arg(long, value_enum, default_value_t)]
    pub rung: Rung,
    /// Do not read the kernel's tables at the start: slots in use before are unknown until something happens to them
    #[arg(long)]
    pub no_scan: bool,
    /// At the end, while still attached, compare the slot map with the kernel's tables; ends with 4 if a slot differs
    #[arg(long, conflicts_with_all = ["no_scan", "ring"])]
    pub verify: bool,
    /// How it is kept
    #[command(flatten)]
    pub keeping: KeepArgs,
    /// Run this command, stop when it ends
    #[arg(last = true, value_name = "CMD")]
    pub run: Vec<String>,
}

/// How a recording is kept.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Files")]
pub struct KeepArgs {
    /// A killed recorder loses no more than this; a stream brings no later than 200ms
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub flush: Duration,
    /// When bytes are forced to the disk, for power cuts; what was flushed survives a killed recorder in any case
    #[arg(long, value_enum, default_value_t = Sync::Close)]
    pub sync: Sync,
    /// Trace time between key frames, from which `replay` and `slots --at` begin; 0s for none
    #[arg(long, default_value = "5s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub key_frames: Duration,
    /// Begin a new file when one has this size: FILE-000001, FILE-000002, each readable alone
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub rotate_size: Option<u64>,
    /// Begin a new file when one is this old
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub rotate_time: Option<Duration>,
    /// Keep this many files of that name, the newest; those of earlier recordings count
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,
    /// Flight recorder: keep the last so many bytes in memory, and write FILE-000001 and so on when SIGUSR1 comes or a
    /// trigger is met
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, conflicts_with_all = ["rotate_size", "rotate_time"])]
    pub ring: Option<u64>,
    /// Save when this happens: `writeback=1000` (pages a second), `alloc-fail=1` (a second), `oom`, `psi=20` (percent
    /// of ten seconds); may be given several times
    #[arg(long, value_name = "WHAT", requires = "ring")]
    pub trigger: Vec<Trigger>,
    /// Record on for this time after a trigger before saving
    #[arg(long, default_value = "10s", value_name = "TIME", requires = "ring", value_parser = humantime::parse_duration)]
    pub after: Duration,
}

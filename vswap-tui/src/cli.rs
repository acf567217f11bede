//! The command line: one definition for parsing, help, completions and man pages.

mod parse;
mod record;
mod trace;

use crate::runtime::exposition::parse_address;
use crate::source::generator;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
pub use parse::{parse_bytes, parse_count, parse_cpus, parse_memory, parse_slots, parse_speed};
pub use record::{KeepArgs, RecordArgs};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
pub use trace::{DiffArgs, ExportArgs, RepairArgs, ReplayArgs, ReportArgs, SlotsArgs, Speed};

/// Shows where swapped memory really is.
#[derive(Parser, Debug)]
#[command(name = "vswap", version, about, long_about = None)]
pub struct Cli {
    /// Without a subcommand: `live`
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of `live`
    #[command(flatten)]
    pub live: LiveArgs,
    /// Messages about what is being done, on stderr; twice: debug messages of the eBPF programs too
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Memory that slot maps, models and indices may take together; the program itself takes about 50M beside. What does
    /// not fit is not followed: counted, told, and the exit code is 3 [default: no limit but 64 M slots in each]
    #[arg(long, global = true, value_name = "SIZE", value_parser = parse_memory)]
    pub memory_limit: Option<u64>,
}

impl Cli {
    /// Parses the process's command line; exits with code 2 on a wrong one.
    pub fn from_process() -> Self {
        let cli = Self::parse();
        if cli.stray_options() {
            let message = "options of `live` stand after the subcommand, or there is no subcommand";
            Self::command().error(clap::error::ErrorKind::ArgumentConflict, message).exit();
        }
        cli
    }

    /// Options of the default `live` were given beside another subcommand; they would have no effect.
    fn stray_options(&self) -> bool {
        self.command.is_some() && Self::try_parse_from(["vswap"]).is_ok_and(|plain| plain.live != self.live)
    }
}

/// Subcommands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Dashboard of this host
    Live(LiveArgs),
    /// Dashboard of a generated load: no root, no eBPF
    Demo(DemoArgs),
    /// Record this host to a file
    Record(RecordArgs),
    /// Dashboard of a recorded trace, with a time bar
    Replay(ReplayArgs),
    /// Summary of a trace
    Report(ReportArgs),
    /// The slot map of a trace, one JSON object a line
    Slots(SlotsArgs),
    /// Compare two recordings, or two sets of them: medians and spread
    Diff(DiffArgs),
    /// Write a trace for other tools: Perfetto, Parquet, NDJSON, CSV
    Export(ExportArgs),
    /// Write what is whole of a damaged trace as a trace that is whole
    Repair(RepairArgs),
    /// Write a synthetic trace: the reference allocator under a generated load
    Generate(GenerateArgs),
    /// What this kernel offers: each transition seen, inferred or blind, every hook, and why not
    Doctor(DoctorArgs),
    /// Shell completions on stdout
    Completions {
        /// Shell to complete for
        shell: clap_complete::Shell,
    },
    /// Man page on stdout
    Man,
    /// The held command of `record -- CMD`
    #[command(name = crate::commands::held::SUBCOMMAND, hide = true)]
    ExecHeld {
        /// What to run when let go
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

/// Ways to learn what the kernel does, from the one that tells most to the one that always works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Rung {
    /// The best that this kernel allows
    #[default]
    Auto,
    /// Probes at entry and return, even where the kernel has trampolines
    Kprobe,
    /// Sums of the kernel's tracepoints and counters: no slots
    Tracepoint,
    /// Only counters in files: no slots, no privileges, no eBPF
    Counters,
}

/// How a dashboard runs without a terminal.
#[derive(Args, Debug, Clone, PartialEq, Eq)]
pub struct ViewArgs {
    /// Time between two frames [default: 250ms, or what the configuration says]
    #[arg(short, long, value_parser = humantime::parse_duration)]
    pub interval: Option<Duration>,
    /// No screen: run, then print a summary
    #[arg(long)]
    pub headless: bool,
    /// End by itself after this time
    #[arg(long, value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// The summary as JSON on stdout; no screen
    #[arg(long)]
    pub json: bool,
    /// Configuration of the dashboard [default: vswap/config.toml in XDG_CONFIG_HOME or ~/.config]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the configuration that holds, as TOML, and end
    #[arg(long)]
    pub print_config: bool,
    /// Serve the state as OpenMetrics meanwhile, for Prometheus: a port on the loopback address, or ADDRESS:PORT
    #[arg(long, value_name = "PORT", requires = "headless", value_parser = parse_address)]
    pub openmetrics: Option<SocketAddr>,
}

impl ViewArgs {
    /// No screen is wanted.
    pub const fn headless(&self) -> bool {
        self.headless || self.json
    }
}

/// Which designs of swap the load is replayed under.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
pub struct DesignArgs {
    /// What if: the load under another design of swap, beside what was recorded: as-recorded, swap-table, vswap-rfc1,
    /// vswap-rfc2, vswap (the newest RFC)
    #[arg(long, value_name = "MODEL", conflicts_with = "compare")]
    pub model: Option<String>,
    /// What if, several designs side by side: `as-recorded,swap-table,vswap-rfc1,vswap-rfc2`
    #[arg(long, value_name = "MODEL,..")]
    pub compare: Option<String>,
    /// Sizes of the machine that the designs run on, if not the recorded ones: `zswap-max=64M` (compressed bytes),
    /// `phys-pages=32768`, `cluster=256` (a kernel without THP swap)
    #[arg(long, value_name = "NAME=VALUE,..")]
    pub set: Vec<String>,
}

/// `vswap live`.
#[derive(Args, Debug, Clone, PartialEq, Eq)]
pub struct LiveArgs {
    /// How it runs
    #[command(flatten)]
    pub view: ViewArgs,
    /// Show a recording stream instead of this host; `-` is standard input
    #[arg(long, value_name = "FILE|-")]
    pub input: Option<PathBuf>,
    /// Only what the kernel counts without being traced: how many pages go where, not which slot. No eBPF, no
    /// privileges, any kernel. The same as `--rung counters`
    #[arg(long, conflicts_with_all = ["input", "check", "model", "compare", "rung"])]
    pub totals: bool,
    /// How to learn what the kernel does; `vswap doctor` shows what each rung can tell here
    #[arg(long, value_enum, default_value_t, conflicts_with = "input")]
    pub rung: Rung,
    /// Do not read the kernel's tables at the start: slots in use before show up when something happens to them
    #[arg(long)]
    pub no_scan: bool,
    /// Run the reference model beside the kernel: agreement and divergences in the allocator view (key 7). Traces
    /// two to three records more a page
    #[arg(long)]
    pub check: bool,
    /// What if
    #[command(flatten)]
    pub designs: DesignArgs,
    /// Size of the ring buffer between kernel and vswap (a power of two of pages)
    #[arg(long, default_value = "16M", value_parser = parse_bytes)]
    pub ring_size: u64,
}

/// `vswap demo`.
#[derive(Args, Debug, Clone)]
pub struct DemoArgs {
    /// How it runs
    #[command(flatten)]
    pub view: ViewArgs,
    /// Load to generate
    #[arg(long, value_enum, default_value_t = Workload::Mixed)]
    pub workload: Workload,
    /// Same seed, same events
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Loads of the generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// A bit of everything
    Mixed,
    /// Large folios
    Thp,
    /// zswap at its limit
    Writeback,
    /// Short-lived slots
    Churn,
    /// Device nearly full
    Oom,
}

/// `vswap generate`.
#[derive(Args, Debug, Clone)]
pub struct GenerateArgs {
    /// File to write (mode 0600), `-` for standard output
    #[arg(short, long, value_name = "FILE|-")]
    pub output: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    pub force: bool,
    /// Load to generate
    #[arg(long, value_enum, default_value_t = Workload::Mixed)]
    pub workload: Workload,
    /// Slots (pages) of all swap devices together; K and M are powers of 1024
    #[arg(long, value_name = "N", default_value = "96K", value_parser = parse_slots)]
    pub slots: u64,
    /// Events to write; K, M and G are powers of 1000
    #[arg(long, value_name = "N", default_value = "1M", value_parser = parse_count)]
    pub events: u64,
    /// CPUs of the machine
    #[arg(long, value_name = "N", default_value_t = generator::USUAL_CPUS, value_parser = parse_cpus)]
    pub cpus: u16,
    /// Same seed (and options, and version of vswap), same file
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `vswap doctor`.
#[derive(Args, Debug, Clone)]
pub struct DoctorArgs {
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
    /// Read another system's /proc and /sys below this folder (no attach test)
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// What hooks are worth on this rung: `auto` or `kprobe`
    #[arg(long, value_enum, default_value_t)]
    pub rung: Rung,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn verbose_stands_anywhere_and_stray_options_are_refused() {
        let before = Cli::try_parse_from(["vswap", "-v", "doctor"]).unwrap();
        let after = Cli::try_parse_from(["vswap", "doctor", "-v"]).unwrap();
        assert!(before.verbose == 1 && after.verbose == 1 && !before.stray_options());
        assert!(Cli::try_parse_from(["vswap", "--headless", "doctor"]).unwrap().stray_options());
    }

    #[test]
    fn no_subcommand_means_live() {
        let cli = Cli::try_parse_from(["vswap", "--interval", "1s"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.live.view.interval, Some(Duration::from_secs(1)));
    }
}

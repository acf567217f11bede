//! A tracer of this host from facts and plan: what is refused at once, what is known when it begins.

use super::attach::{Attached, Links, attach, warn_of};
use super::counts::Counters;
use super::gap::GapTracker;
use super::news::News;
use super::scan::{Purpose, Rescan, Scan, ScanResult};
use super::virt;
use crate::exit::{Exit, ExitError};
use crate::kernel::caps::WAY_OUT;
use crate::kernel::facts::{clock_pair, read_swaps};
use crate::kernel::{Facts, Plan, plan};
use crate::meta::{Header, HookPlan, HookState};
use anyhow::Context;
use aya::Ebpf;
use aya::maps::{MapData, RingBuf};
use aya_log::EbpfLogger;
use std::path::Path;
use std::time::Instant;
use vswap_common::{Field, Hook};

/// How to trace.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of the ring buffer; rounded up to a power of two of pages.
    pub ring_bytes: u64,
    /// Show debug messages of the programs.
    pub debug: bool,
    /// Leave out the hooks that only follow the allocator's choices.
    pub slots_only: bool,
    /// Read the kernel's tables first if swap is in use.
    pub scan: bool,
    /// Use probes even where the kernel has trampolines.
    pub probes_only: bool,
}

/// Attached programs and the ring they write to. Dropping it detaches everything.
pub struct Tracer {
    pub(super) ebpf: Ebpf,
    pub(super) ring: RingBuf<MapData>,
    pub(super) logger: Option<EbpfLogger<&'static dyn log::Log>>,
    pub(super) gaps: GapTracker,
    pub(super) news: News,
    pub(super) counters: Counters,
    /// Dropping them detaches; the programs stay loaded and can still be asked what the kernel skipped.
    pub(super) links: Links,
    /// Records stamped later are no part of the recording: hooks are going.
    pub(super) ends_at: u64,
    /// Runs inside [`Tracer::drain`].
    pub(super) scan: Option<Scan>,
    pub(super) scan_result: Option<ScanResult>,
    /// Records of scans that came out of the ring.
    pub(super) scan_records: u64,
    /// Reads the tables again after a loss.
    pub(super) rescan: Rescan,
    /// Calls that the kernel skipped, and when it was asked.
    pub(super) unseen: Option<(Instant, u64)>,
    /// A scan begins with this batch: its news are to say what the counters say.
    pub(super) books_due: bool,
    /// The comparison that runs is followed by another look.
    pub(super) once_more: bool,
    /// CPUs that the machine can have.
    pub(super) cpus: u64,
    /// Why the kernel's tables cannot be read, if they cannot.
    pub(super) no_scan: Option<String>,
    in_use: bool,
    header: Header,
}

impl Tracer {
    /// Reads this host, makes the plan, loads and attaches.
    ///
    /// # Errors
    /// `NotSupported` (7) names what the kernel lacks, `NotPermitted` (6) what this user may not do.
    pub fn start(options: Options) -> anyhow::Result<Self> {
        let root = Path::new("/");
        let facts = Facts::read(root)?;
        // Asked before the kernel is: its answer names nothing.
        if facts.rights.locked_down() || !facts.rights.missing.is_empty() {
            return Err(ExitError::new(Exit::NotPermitted, facts.rights.refusal()));
        }
        let mut plan = plan(&facts.btf, &facts.symbols);
        if options.slots_only {
            plan = plan.slots_only();
        }
        if !options.scan {
            plan = plan.without_scan();
        }
        if let Some(why) = &plan.withheld {
            return Err(ExitError::new(Exit::NotPermitted, format!("{why}. {WAY_OUT}")));
        }
        let missing = plan.missing();
        if !missing.is_empty() {
            return Err(ExitError::new(
                Exit::NotSupported,
                format!(
                    "Linux {} (swap layout '{}') is not supported: no place for {}. `vswap doctor` shows every hook",
                    facts.kernel.release,
                    plan.layout_name,
                    missing.join("; ")
                ),
            ));
        }
        let ring_bytes = ring_size(options.ring_bytes)?;
        let Attached { mut ebpf, hooks, links, refused } = attach(&plan, &facts, ring_bytes, options)?;
        if let Some(refused) = refused {
            return Err(refused);
        }
        warn_of(&hooks);
        let ring =
            ebpf.take_map("RING").context("the eBPF object has no ring: built from another version")?;
        let ring = RingBuf::try_from(ring).context("open the ring buffer")?;
        let logger = if options.debug {
            Some(EbpfLogger::init(&mut ebpf).context("open the log ring")?)
        } else {
            None
        };
        // A swapon while the hooks came would make the first look a lie.
        let mut in_use = !facts.swaps.is_empty() || !read_swaps(root).is_empty();
        let mut news = News::new(root);
        let mut devices = Vec::new();
        if plan.layout.get(Field::VirtTable).is_some()
            && let Some(found) = virt::find(&ebpf)?
        {
            // It is there since boot, and zswap alone needs no other.
            in_use |= found.in_use;
            news.knows(&found.info);
            devices.push(found.info);
        }
        let scan = hooks.iter().find(|h| h.hook == Hook::Scan.program());
        let no_scan = scan.filter(|h| h.state != HookState::Ok).map(|h| h.reason.clone());
        let cpus = aya::util::nr_cpus().map_or(u64::from(facts.kernel.cpus), |n| n as u64);
        let header = Header {
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            command: std::env::args().collect(),
            origin: "host".to_owned(),
            kernel: facts.kernel.clone(),
            plan: hooks,
            layout: plan.layout_map(),
            layout_name: plan.layout_name.to_owned(),
            devices,
            cgroups: Vec::new(),
            clock: clock_pair(),
            ring_bytes: u64::from(ring_bytes),
            from_swapon: !in_use,
            part: 0,
        };
        Ok(Self {
            counters: Counters::open(&mut ebpf)?,
            links,
            ends_at: u64::MAX,
            ebpf,
            ring,
            logger,
            gaps: GapTracker::default(),
            news,
            scan: (in_use && no_scan.is_none()).then(|| Scan::new(Instant::now(), Purpose::Start, cpus)),
            scan_result: None,
            scan_records: 0,
            rescan: Rescan::new(Instant::now()),
            unseen: None,
            books_due: false,
            once_more: false,
            cpus,
            no_scan,
            in_use,
            header,
        })
    }

    /// Whether the kernel's tables can be read.
    ///
    /// # Errors
    /// The reason why not.
    pub fn can_scan(&self) -> Result<(), &str> {
        self.no_scan.as_deref().map_or(Ok(()), Err)
    }

    /// Why slots in use before the start are not known from the start, if that is so.
    pub fn late(&self) -> Option<&str> {
        self.no_scan.as_deref().filter(|_| self.in_use)
    }

    /// Hooks are attached: what happens is told.
    pub(super) fn links_open(&self) -> bool {
        !self.links.is_empty()
    }

    /// Facts, plan and layout of this run.
    pub const fn header(&self) -> &Header {
        &self.header
    }
}

/// Plan of this host with every hook really loaded and attached once, then detached: what `doctor` shows.
///
/// # Errors
/// As [`Tracer::start`], except that hooks without a place are reported, not refused.
pub fn probe(facts: &Facts, plan: &Plan, probes_only: bool) -> anyhow::Result<Vec<HookPlan>> {
    let options = Options { ring_bytes: 0, debug: false, slots_only: false, scan: true, probes_only };
    attach(plan, facts, ring_size(0)?, options).map(|a| a.hooks)
}

/// Bytes to a ring size the kernel takes: a power of two, at least a page.
fn ring_size(bytes: u64) -> anyhow::Result<u32> {
    let page = rustix::param::page_size() as u64;
    let size = bytes.max(page).checked_next_power_of_two().filter(|s| *s <= 1 << 30);
    match size.and_then(|s| u32::try_from(s).ok()) {
        Some(s) => Ok(s),
        None => Err(ExitError::new(Exit::Usage, format!("--ring-size {bytes}: at most 1G"))),
    }
}

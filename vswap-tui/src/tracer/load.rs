//! Loads the eBPF object with this kernel's layout and attaches hook by hook; each may fail alone.

use super::counts::{self, Counters};
use super::explain::Explain;
use super::gap::GapTracker;
use super::news::News;
use super::scan::{Purpose, Rescan, Scan, ScanResult};
use super::virt;
use crate::exit::{Exit, ExitError};
use crate::kernel::caps::WAY_OUT;
use crate::kernel::facts::{clock_pair, read_swaps};
use crate::kernel::hooks::How;
use crate::kernel::{Facts, Plan, PlannedHook, Probe, plan};
use crate::meta::{Header, HookPlan, HookState};
use anyhow::Context;
use aya::maps::{MapData, RingBuf};
use aya::programs::{Program, ProgramError};
use aya::{Btf, Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use std::any::Any;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;
use vswap_common::{Field, Hook};

/// The object built by `cargo xtask build`; empty if this binary was built without it.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/vswap.bpf.o"));

/// The object, if this binary has one.
pub(super) fn object() -> anyhow::Result<&'static [u8]> {
    if OBJECT.is_empty() {
        return Err(ExitError::new(
            Exit::NotSupported,
            "this vswap was built without its eBPF programs: build it with `cargo xtask build`",
        ));
    }
    Ok(OBJECT)
}

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

/// Elements of an LRU map that nobody uses; the kernel wants some for each CPU's share of the list.
pub(super) const UNUSED_LRU: u32 = 128;

/// Links of three types of program, kept only to be dropped.
pub(super) type Links = Vec<Box<dyn Any + Send>>;

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

/// Says what is recorded without: hooks that had a place and were refused there.
fn warn_of(hooks: &[HookPlan]) {
    let refused = hooks.iter().filter(|h| h.state == HookState::Blind && !h.function.is_empty());
    let mut by_reason = BTreeMap::<&str, Vec<&str>>::new();
    for hook in refused {
        by_reason.entry(&hook.reason).or_default().push(&hook.shows);
    }
    for (reason, shows) in by_reason {
        log::warn!("not seen: {}. {reason}. `vswap doctor` shows what remains", shows.join("; "));
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

/// Programs loaded and attached, what became of each hook, and the first vital one that failed.
struct Attached {
    ebpf: Ebpf,
    hooks: Vec<HookPlan>,
    links: Links,
    refused: Option<anyhow::Error>,
}

fn attach(plan: &Plan, facts: &Facts, ring_bytes: u32, options: Options) -> anyhow::Result<Attached> {
    let object = object()?;
    let why = Explain { rights: &facts.rights, kprobes: facts.kprobes };
    let wake = u64::from(ring_bytes) / 4;
    let level: u8 = if options.debug { 5 } else { 0 };
    let follow = u8::from(!options.slots_only);
    let elements = counts::elements()?;
    let mut loader = EbpfLoader::new();
    loader
        .override_global("LAYOUT", plan.layout.values.as_slice(), true)
        .override_global("ADDRESSES", plan.addresses.as_slice(), true)
        .override_global("WAKE_BYTES", &wake, true)
        .override_global("AYA_LOG_LEVEL", &level, false)
        .override_global("FOLLOW_ALLOCATOR", &follow, true)
        .map_max_entries("RING", ring_bytes)
        .map_max_entries("COUNTS", elements)
        // Maps of the rung below.
        .map_max_entries("CGROUP_SUMS", 1)
        .map_max_entries("BRACKETS", UNUSED_LRU)
        .map_max_entries("WATCHED", 1);
    let mut ebpf = loader.load(object).map_err(|e| why.load(&e))?;
    let btf = Btf::from_sys_fs().context("read /sys/kernel/btf/vmlinux")?;
    let mut hooks = Vec::with_capacity(plan.hooks.len());
    let (mut links, mut refused) = (Links::new(), None);
    // Exits before entries: an entry whose exit is not attached yet would look like an exit that was skipped.
    let mut order: Vec<&PlannedHook> = plan.hooks.iter().collect();
    order.sort_by_key(|planned| planned.how == How::Kprobe);
    for planned in order {
        let (mut shown, refusal) =
            attach_hook(&mut ebpf, planned, options.probes_only, &why, &btf, &mut links);
        if refused.is_none() {
            refused = refusal;
        }
        let twins = planned.as_probes().map(|twins| twins.probes).unwrap_or_default();
        shown.verified = verified(&ebpf, planned.probes.iter().chain(&twins));
        log::info!("{} {} at {}: {:?} {}", shown.how, shown.hook, shown.function, shown.state, shown.reason);
        hooks.push(shown);
    }
    hooks.sort_by_key(|shown| plan.hooks.iter().position(|planned| planned.hook.program() == shown.hook));
    Ok(Attached { ebpf, hooks, links, refused })
}

/// Attaches a hook: with trampolines, or where the kernel refuses them, or on demand, with probes. Says what became of
/// it, and whether nothing can be recorded without it.
fn attach_hook(
    ebpf: &mut Ebpf,
    planned: &PlannedHook,
    probes_only: bool,
    why: &Explain<'_>,
    btf: &Btf,
    links: &mut Links,
) -> (HookPlan, Option<anyhow::Error>) {
    let mut blind = planned.describe();
    let mut first = None;
    if !probes_only {
        let Err((probe, error)) = attach_all(ebpf, &planned.probes, btf, links) else {
            return (blind, None);
        };
        first = Some((probe, why.attach(&error, probe.how)));
    }
    let twins = planned.as_probes();
    // A hook that is made of probes anyway has been tried.
    let (probe, (exit, text)) = match (twins, first) {
        (Ok(twins), Some(first)) if twins.probes == planned.probes => first,
        (Ok(twins), first) => {
            let Err((probe, error)) = attach_all(ebpf, &twins.probes, btf, links) else {
                let mut shown = twins.describe();
                if let Some((_, (_, text))) = first {
                    shown.reason = format!("by probes, because {text}");
                }
                return (shown, None);
            };
            let (exit, text) = why.attach(&error, probe.how);
            match first {
                Some((probe, (exit, before))) if before == text => (probe, (exit, before)),
                Some((probe, (exit, before))) => (probe, (exit, format!("{before}; as a probe: {text}"))),
                None => (probe, (exit, text)),
            }
        }
        (Err(_), Some(first)) => first,
        (Err(lacks), None) => {
            blind.state = HookState::Blind;
            blind.reason.clone_from(&lacks);
            let refusal = ExitError::new(Exit::NotSupported, lacks);
            return (blind, planned.vital.then_some(refusal));
        }
    };
    // Probes that are only forbidden are a matter of one setting: better said than recorded without.
    let ends = planned.vital || (probe.how.is_kprobe() && exit == Exit::NotPermitted);
    let refusal = ends.then(|| {
        let name = &blind.hook;
        let at = probe.function;
        ExitError::new(exit, format!("cannot attach {name} to {at}: {text}. `vswap doctor` shows every hook"))
    });
    blind.state = HookState::Blind;
    blind.reason = text;
    (blind, refusal)
}

/// What the verifier walked of each program that is loaded; kernels before 5.16 do not tell.
fn verified<'a>(ebpf: &Ebpf, probes: impl Iterator<Item = &'a Probe>) -> BTreeMap<String, u32> {
    let walked = |probe: &Probe| {
        let info = ebpf.program(probe.program)?.info().ok()?;
        Some((probe.program.to_owned(), info.verified_instruction_count()?))
    };
    probes.filter_map(walked).collect()
}

/// Attaches every program of a hook, or says at which it failed: then those attached before are detached again.
fn attach_all(
    ebpf: &mut Ebpf,
    probes: &[Probe],
    btf: &Btf,
    links: &mut Links,
) -> Result<(), (Probe, ProgramError)> {
    let others = links.len();
    for probe in probes {
        if let Err(error) = attach_one(ebpf, *probe, btf, links) {
            links.truncate(others);
            return Err((*probe, error));
        }
    }
    Ok(())
}

fn attach_one(ebpf: &mut Ebpf, probe: Probe, btf: &Btf, links: &mut Links) -> Result<(), ProgramError> {
    let Probe { how, function, program: name } = probe;
    let program = ebpf.program_mut(name);
    let program = program.ok_or_else(|| ProgramError::InvalidName { name: name.to_owned() })?;
    match (how, program) {
        (How::Fentry, Program::FEntry(p)) => {
            p.load(function, btf)?;
            let id = p.attach()?;
            links.push(Box::new(p.take_link(id)?));
        }
        (How::Fexit, Program::FExit(p)) => {
            p.load(function, btf)?;
            let id = p.attach()?;
            links.push(Box::new(p.take_link(id)?));
        }
        (How::Kprobe | How::Kretprobe, Program::KProbe(p)) => {
            match p.load() {
                // For another way to attach the hook, which failed.
                Ok(()) | Err(ProgramError::AlreadyLoaded) => {}
                Err(error) => return Err(error),
            }
            let id = p.attach(function, 0)?;
            links.push(Box::new(p.take_link(id)?));
        }
        // Attached nowhere: run on demand.
        (How::Run, Program::RawTracePoint(p)) => p.load()?,
        _ => return Err(ProgramError::UnexpectedProgramType),
    }
    Ok(())
}

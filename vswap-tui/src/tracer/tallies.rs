//! Attaching to the kernel's tracepoints where its functions cannot be traced, and reading the sums they keep.

use super::attach::{Links, UNUSED_LRU, object};
use super::explain::Explain;
use super::fdinfo;
use crate::exit::{Exit, ExitError};
use crate::kernel::facts::read_swaps;
use crate::kernel::hooks::How;
use crate::kernel::tracepoints::{self, Point, TallyPlan};
use crate::kernel::{Facts, layout};
use crate::meta::{HookPlan, HookState};
use anyhow::Context;
use aya::maps::{HashMap, MapData, PerCpuArray};
use aya::programs::{Program, ProgramError};
use aya::{Btf, Ebpf, EbpfLoader};
use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use vswap_common::tally::{CgroupSums, Items, Sums, TALLIES, Tally};

/// Attached tracepoints. Dropping it detaches them.
pub struct Tallies {
    ebpf: Ebpf,
    sums: PerCpuArray<MapData, Sums>,
    cgroups: HashMap<MapData, u64, CgroupSums>,
    watched: HashMap<MapData, u32, u32>,
    /// Numbers in `watched`.
    devices: BTreeSet<u32>,
    /// Kept only to be dropped.
    _links: Links,
    points: Vec<HookPlan>,
    items: Items,
}

/// All sums at one time, since the tracepoints were attached.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Of the whole machine.
    pub sums: Sums,
    /// By the inode of the cgroup's directory, children not included.
    pub cgroups: Vec<(u64, CgroupSums)>,
    /// Calls that the kernel did not hand to a program, by program: sums that it gives are too small by as much.
    pub missed: Vec<(&'static str, u64)>,
}

impl Tallies {
    /// Attaches what this kernel has.
    ///
    /// # Errors
    /// `NotPermitted` (6) or `NotSupported` (7) with the reason if no tracepoint can be attached at all.
    pub fn start(facts: &Facts) -> anyhow::Result<Self> {
        let loaded = attach(facts)?;
        if let Some((exit, why)) = loaded.refusal() {
            return Err(ExitError::new(exit, format!("no tracepoint can be attached: {why}")));
        }
        let Loaded { mut ebpf, links, points, items, .. } = loaded;
        let mut map = |name: &str| {
            ebpf.take_map(name)
                .with_context(|| format!("the eBPF object has no map {name}: built from another version"))
        };
        let sums = PerCpuArray::try_from(map("SUMS")?).context("open the sums")?;
        let cgroups = HashMap::try_from(map("CGROUP_SUMS")?).context("open the sums of cgroups")?;
        let watched = HashMap::try_from(map("WATCHED")?).context("open the watched devices")?;
        let mut out =
            Self { ebpf, sums, cgroups, watched, devices: BTreeSet::new(), _links: links, points, items };
        out.watch(Path::new("/"));
        Ok(out)
    }

    /// Tracepoints with what became of each.
    pub fn points(&self) -> &[HookPlan] {
        &self.points
    }

    /// Whether this sum is kept here.
    ///
    /// # Errors
    /// The reason why not.
    pub fn gives(&self, tally: Tally) -> Result<(), String> {
        tracepoints::given(&self.points, &self.items, tally)
    }

    /// Looks for swap devices that came or went. A file is no device: only writes to it can be told from others.
    pub fn watch(&mut self, root: &Path) {
        let now: BTreeSet<u32> = read_swaps(root)
            .iter()
            .filter_map(|line| root.join(line.name.trim_start_matches('/')).metadata().ok())
            .filter(|meta| meta.rdev() != 0)
            .map(|meta| kernel_number(meta.rdev()))
            .collect();
        // Neither call needs a capability; one that fails is tried again at the next look.
        for gone in self.devices.difference(&now) {
            let _ = self.watched.remove(gone);
        }
        let new = now.difference(&self.devices);
        let failed: Vec<u32> = new.filter(|n| self.watched.insert(**n, 1, 0).is_err()).copied().collect();
        self.devices = now;
        for number in failed {
            self.devices.remove(&number);
        }
    }

    /// Reads all sums.
    ///
    /// # Errors
    /// If the kernel does not hand them out.
    pub fn read(&self) -> anyhow::Result<Reading> {
        let mut sums = [0; TALLIES];
        for of_cpu in self.sums.get(&0, 0).context("read the sums")?.iter() {
            for (sum, n) in sums.iter_mut().zip(of_cpu) {
                *sum += n;
            }
        }
        let cgroups = self.cgroups.iter().collect::<Result<Vec<_>, _>>();
        let missed = |point: &HookPlan| {
            let name = tracepoints::program_name(&point.hook)?;
            let fd = self.ebpf.program(name)?.fd().ok()?.as_fd().as_raw_fd();
            fdinfo::number(fd, "recursion_misses").filter(|n| *n > 0).map(|n| (name, n))
        };
        Ok(Reading {
            sums,
            cgroups: cgroups.context("read the sums of cgroups")?,
            missed: self.points.iter().filter_map(missed).collect(),
        })
    }
}

/// Tracepoints of this host, each really attached once: what `doctor` shows.
///
/// # Errors
/// If nothing can be loaded.
pub fn probe(facts: &Facts) -> anyhow::Result<(Vec<HookPlan>, Items)> {
    attach(facts).map(|loaded| (loaded.points, loaded.items))
}

/// The kernel's own packing of a device number (`MKDEV`), which is not that of user space.
fn kernel_number(rdev: u64) -> u32 {
    rustix::fs::major(rdev) << 20 | rustix::fs::minor(rdev)
}

struct Loaded {
    ebpf: Ebpf,
    links: Links,
    points: Vec<HookPlan>,
    items: Items,
    /// Exit code and reason of the first tracepoint that has a place and was refused.
    refused: Option<(Exit, String)>,
}

impl Loaded {
    /// Why nothing is attached, if nothing is.
    fn refusal(&self) -> Option<(Exit, String)> {
        if !self.links.is_empty() {
            return None;
        }
        let absent = || {
            let reasons: Vec<&str> = self.points.iter().map(|p| p.reason.as_str()).collect();
            (Exit::NotSupported, reasons.join("; "))
        };
        Some(self.refused.clone().unwrap_or_else(absent))
    }
}

fn attach(facts: &Facts) -> anyhow::Result<Loaded> {
    if facts.rights.locked_down() || !facts.rights.missing.is_empty() {
        return Err(ExitError::new(Exit::NotPermitted, facts.rights.refusal()));
    }
    let layout = layout::resolve(&facts.btf);
    let TallyPlan { points, items } = tracepoints::plan(&facts.btf, &layout);
    let why = Explain { rights: &facts.rights, kprobes: facts.kprobes };
    let words = items.words();
    let mut loader = EbpfLoader::new();
    loader
        .override_global("LAYOUT", layout.values.as_slice(), true)
        .override_global("ITEMS", words.as_slice(), true)
        // Maps of the rungs above.
        .map_max_entries("RING", rustix::param::page_size() as u32)
        .map_max_entries("TASKS", UNUSED_LRU);
    let mut ebpf = loader.load(object()?).map_err(|e| why.load(&e))?;
    let btf = Btf::from_sys_fs().context("read /sys/kernel/btf/vmlinux")?;
    let mut links = Links::new();
    let mut refused = None;
    let mut shown = Vec::with_capacity(points.len());
    for point in &points {
        let mut plan = point.describe();
        if point.target.is_ok()
            && let Err(error) = attach_one(&mut ebpf, point, &btf, &mut links)
        {
            let (exit, text) = why.attach(&error, How::Tracepoint);
            plan.state = HookState::Blind;
            plan.reason.clone_from(&text);
            refused.get_or_insert((exit, text));
        }
        log::info!("{} {} at {}: {:?} {}", plan.how, plan.hook, plan.function, plan.state, plan.reason);
        shown.push(plan);
    }
    Ok(Loaded { ebpf, links, points: shown, items, refused })
}

fn attach_one(ebpf: &mut Ebpf, point: &Point, btf: &Btf, links: &mut Links) -> Result<(), ProgramError> {
    let program = ebpf.program_mut(point.program);
    let program = program.ok_or_else(|| ProgramError::InvalidName { name: point.program.to_owned() })?;
    let Program::BtfTracePoint(program) = program else { return Err(ProgramError::UnexpectedProgramType) };
    program.load(point.name(), btf)?;
    let id = program.attach()?;
    links.push(Box::new(program.take_link(id)?));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vswap_common::tally::BY_CGROUP;

    #[test]
    fn device_numbers_are_packed_as_the_kernel_does() {
        assert_eq!(kernel_number(rustix::fs::makedev(254, 17)), 254 << 20 | 17);
        assert_eq!(kernel_number(rustix::fs::makedev(8, 300)), 8 << 20 | 300);
    }

    /// Where tracing of tracepoints is permitted, what the kernel counts itself and what we count agree.
    #[test]
    fn on_this_host_tracepoints_attach_and_count() {
        let facts = match Facts::read(Path::new("/")) {
            Ok(facts) => facts,
            Err(why) => return skipped(&why),
        };
        let tallies = match Tallies::start(&facts) {
            Ok(tallies) => tallies,
            Err(why) => return skipped(&why),
        };
        let reading = tallies.read().unwrap();
        assert!(tallies.points().iter().any(|p| p.state == HookState::Ok));
        // Nothing of a cgroup without the same in the whole.
        for (i, sum) in reading.sums.iter().take(BY_CGROUP).enumerate() {
            let later = tallies.read().unwrap().sums[i];
            let parts: u64 = reading.cgroups.iter().map(|(_, sums)| sums[i]).sum();
            assert!(parts <= later && *sum <= later, "{:?}: {parts} of {later}", Tally::ALL[i]);
        }
    }

    fn skipped(why: &anyhow::Error) {
        crate::say!("SKIPPED on this host: {why:#}");
    }
}

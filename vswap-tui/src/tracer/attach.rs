//! Loads the eBPF object with this kernel's layout and attaches hook by hook; each may fail alone.

use super::counts;
use super::explain::Explain;
use super::load::Options;
use crate::exit::{Exit, ExitError};
use crate::kernel::hooks::How;
use crate::kernel::{Facts, Plan, PlannedHook, Probe};
use crate::meta::{HookPlan, HookState};
use anyhow::Context;
use aya::programs::{Program, ProgramError};
use aya::{Btf, Ebpf, EbpfLoader};
use std::any::Any;
use std::collections::BTreeMap;

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

/// Elements of an LRU map that nobody uses; the kernel wants some for each CPU's share of the list.
pub(super) const UNUSED_LRU: u32 = 128;

/// Links of three types of program, kept only to be dropped.
pub(super) type Links = Vec<Box<dyn Any + Send>>;

/// Says what is recorded without: hooks that had a place and were refused there.
pub(super) fn warn_of(hooks: &[HookPlan]) {
    let refused = hooks.iter().filter(|h| h.state == HookState::Blind && !h.function.is_empty());
    let mut by_reason = BTreeMap::<&str, Vec<&str>>::new();
    for hook in refused {
        by_reason.entry(&hook.reason).or_default().push(&hook.shows);
    }
    for (reason, shows) in by_reason {
        log::warn!("not seen: {}. {reason}. `vswap doctor` shows what remains", shows.join("; "));
    }
}

/// Programs loaded and attached, what became of each hook, and the first vital one that failed.
pub(super) struct Attached {
    pub(super) ebpf: Ebpf,
    pub(super) hooks: Vec<HookPlan>,
    pub(super) links: Links,
    pub(super) refused: Option<anyhow::Error>,
}

/// Loads the object for this plan and attaches what can be attached.
pub(super) fn attach(
    plan: &Plan,
    facts: &Facts,
    ring_bytes: u32,
    options: Options,
) -> anyhow::Result<Attached> {
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

//! `vswap doctor`: what this kernel offers, transition by transition and hook by hook, and why not.

mod text;

use crate::cli::{self, DoctorArgs};
use crate::exit::{Exit, ExitError};
use crate::kernel::caps::Rights;
use crate::kernel::counters::Counters;
use crate::kernel::ladder::{Below, Rung, Transition, ladder};
use crate::kernel::{Facts, plan, tracepoints};
use crate::meta::{HookPlan, HookState, KernelInfo};
use crate::tracer;
use anyhow::Context;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

/// Everything `doctor` has to say.
#[derive(Serialize)]
struct Findings {
    kernel: KernelInfo,
    layout: &'static str,
    fields: BTreeMap<String, u32>,
    missing_fields: Vec<&'static str>,
    lockdown: String,
    /// What this process may do, and what settings forbid.
    rights: Rights,
    /// Hooks were really attached, not only planned.
    attached: bool,
    /// Why not, if not.
    attach_error: Option<String>,
    hooks: Vec<HookPlan>,
    /// Tracepoints, for where hooks do not help.
    tracepoints: Vec<HookPlan>,
    /// The rung that `vswap live` stands on here.
    rung: Rung,
    /// Ways to attach, and whether they work here.
    rungs: Vec<RungState>,
    /// What of a slot's life can be known, and on which rung.
    transitions: Vec<Transition>,
    /// Totals the kernel keeps without us, now.
    counters: Counters,
    /// `live` and `record` work here.
    usable: bool,
}

/// A rung of the ladder on this kernel.
#[derive(Serialize)]
struct RungState {
    rung: Rung,
    works: bool,
    /// Why not, if not.
    reason: String,
    /// What it costs to stand on it.
    limits: &'static str,
}

/// What a rung leaves out by its nature.
const fn limits(rung: Rung) -> &'static str {
    match rung {
        Rung::Fentry => {
            "a program that is preempted is skipped for others on its CPU: counted, exits have two copies"
        }
        Rung::Kprobe => {
            "a probe that interrupts another one is skipped, as completions of I/O do: counted as lost by Linux 6.17 and \
             later, before in part"
        }
        Rung::Tracepoint => "sums of the machine and each cgroup: no slots, no recording",
        Rung::Counters => "sums of the machine: no slots, no recording",
        Rung::Nothing => "",
    }
}

/// Runs `vswap doctor`.
///
/// # Errors
/// If this host cannot be read at all (7: no BTF).
pub fn run(args: &DoctorArgs) -> anyhow::Result<Exit> {
    let root = args.root.as_deref().unwrap_or(Path::new("/"));
    let facts = Facts::read(root)?;
    let plan = plan(&facts.btf, &facts.symbols);
    let planned: Vec<HookPlan> = plan.hooks.iter().map(crate::kernel::PlannedHook::describe).collect();
    let probed = if args.root.is_some() {
        None
    } else {
        Some(tracer::probe(&facts, &plan, args.rung == cli::Rung::Kprobe))
    };
    let (hooks, attach_error) = match probed {
        None => (planned, Some("not this host: only planned".to_owned())),
        Some(Ok(hooks)) => (hooks, None),
        Some(Err(e)) => (blind(planned, &e), Some(format!("{e:#}"))),
    };
    let refusal = refusal(plan.hooks.iter().map(|p| p.vital), &hooks);
    let counters = Counters::read(root);
    let usable = attach_error.is_none() && refusal.is_none();
    let tracepoints::TallyPlan { points, items } = tracepoints::plan(&facts.btf, &plan.layout);
    let planned: Vec<HookPlan> = points.iter().map(tracepoints::Point::describe).collect();
    let points = match if args.root.is_some() { None } else { Some(tracer::probe_tallies(&facts)) } {
        None => planned,
        Some(Ok((points, _))) => points,
        Some(Err(e)) => blind(planned, &e),
    };
    let below = Below { points: &points, items: &items, counters: &counters };
    // Only planned is no reason to look further down.
    let obstacle = refusal.clone().or_else(|| attach_error.clone().filter(|_| args.root.is_none()));
    let transitions = ladder(&hooks, &plan.layout, &below, obstacle.as_deref());
    let rungs = rungs(&hooks, &points, &counters);
    let findings = Findings {
        fields: plan.layout_map(),
        missing_fields: vswap_common::Field::ALL
            .iter()
            .filter(|f| plan.layout.get(**f).is_none())
            .map(|f| f.label())
            .collect(),
        layout: plan.layout_name,
        lockdown: facts.rights.lockdown.clone(),
        rights: facts.rights.clone(),
        attached: attach_error.is_none(),
        rung: in_use(usable, &hooks, &rungs),
        usable,
        attach_error,
        rungs,
        transitions,
        counters,
        tracepoints: points,
        hooks,
        kernel: facts.kernel,
    };
    let text = if args.json {
        serde_json::to_string_pretty(&findings).context("findings to JSON")? + "\n"
    } else {
        text::render(&findings)
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e).context("write to stdout"),
        _ => Ok(Exit::Ok),
    }
}

/// Nothing could be loaded: what had a place is blind for that reason.
fn blind(mut hooks: Vec<HookPlan>, error: &anyhow::Error) -> Vec<HookPlan> {
    let reason =
        error.downcast_ref::<ExitError>().map_or_else(|| format!("{error:#}"), |e| e.message.clone());
    for hook in hooks.iter_mut().filter(|h| h.state == HookState::Ok) {
        hook.state = HookState::Blind;
        hook.reason.clone_from(&reason);
    }
    hooks
}

/// What keeps `live` and `record` from working here: the first hook that they cannot do without.
fn refusal(vital: impl Iterator<Item = bool>, hooks: &[HookPlan]) -> Option<String> {
    let missing = vital.zip(hooks).find(|(vital, hook)| *vital && hook.state != HookState::Ok);
    missing.map(|(_, hook)| format!("nothing is recorded without {} ({})", hook.hook, hook.reason))
}

/// The rung that `vswap live` stands on: with a slot map the weakest that a hook of it needs, else the best of the rest.
fn in_use(usable: bool, hooks: &[HookPlan], rungs: &[RungState]) -> Rung {
    if usable {
        let attached = || hooks.iter().filter(|h| h.state == HookState::Ok);
        let traps = attached().any(|h| h.how.split('+').any(|how| how.ends_with("probe")));
        let trampolines = attached().any(|h| h.how.split('+').any(|how| how.starts_with('f')));
        return if traps && !trampolines { Rung::Kprobe } else { Rung::Fentry };
    }
    let low = |state: &&RungState| state.works && state.rung >= Rung::Tracepoint;
    rungs.iter().find(low).map_or(Rung::Nothing, |state| state.rung)
}

/// How the hook's own program attaches; helpers come after it.
fn first_way(hook: &HookPlan) -> &str {
    hook.how.split('+').next().unwrap_or_default()
}

/// Which ways to attach work here. A way without any hook that wants it is not told.
fn rungs(hooks: &[HookPlan], points: &[HookPlan], counters: &Counters) -> Vec<RungState> {
    let attached = |rung: Rung, ways: &[&str]| {
        let hooks = if rung == Rung::Tracepoint { points } else { hooks };
        let tried: Vec<&HookPlan> =
            hooks.iter().filter(|h| ways.contains(&first_way(h)) && !h.function.is_empty()).collect();
        let works = tried.iter().any(|h| h.state == HookState::Ok);
        let reason = if works { String::new() } else { tried.first()?.reason.clone() };
        Some(RungState { rung, works, reason, limits: limits(rung) })
    };
    let works = !counters.values().is_empty();
    let reason =
        if works { String::new() } else { "neither /proc/vmstat nor /proc/swaps can be read".to_owned() };
    let rungs = [
        attached(Rung::Fentry, &["fentry", "fexit"]),
        attached(Rung::Kprobe, &["kprobe", "kretprobe"]),
        attached(Rung::Tracepoint, &["tp_btf"]),
        Some(RungState { rung: Rung::Counters, works, reason, limits: limits(Rung::Counters) }),
    ];
    rungs.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(name: &str, how: &str, state: HookState, reason: &str) -> HookPlan {
        HookPlan {
            hook: name.into(),
            how: how.into(),
            function: "f".into(),
            state,
            reason: reason.into(),
            ..HookPlan::default()
        }
    }

    #[test]
    fn the_first_vital_hook_is_the_refusal() {
        let hooks = [
            hook("charge", "fexit", HookState::Blind, "inlined"),
            hook("free", "fentry", HookState::Blind, "refused"),
        ];
        assert_eq!(
            refusal([false, true].into_iter(), &hooks).as_deref(),
            Some("nothing is recorded without free (refused)")
        );
        assert_eq!(refusal([false, false].into_iter(), &hooks), None);
    }

    #[test]
    fn a_rung_works_if_one_hook_stands_on_it() {
        let mut hooks = vec![
            hook("a", "fentry", HookState::Ok, ""),
            hook("b", "fexit", HookState::Blind, "inlined"),
            hook("c", "kprobe", HookState::Blind, "no kprobes"),
        ];
        let point = hook("t_events", "tp_btf", HookState::Ok, "");
        let told = rungs(&hooks, std::slice::from_ref(&point), &Counters::default());
        let words: Vec<_> = told.iter().map(|r| (r.rung, r.works)).collect();
        assert_eq!(
            words,
            [(Rung::Fentry, true), (Rung::Kprobe, false), (Rung::Tracepoint, true), (Rung::Counters, false)]
        );
        assert_eq!(in_use(false, &hooks, &told), Rung::Tracepoint);
        assert_eq!(in_use(true, &hooks, &told), Rung::Fentry);
        assert_eq!(in_use(false, &[], &rungs(&[], &[], &Counters::default())), Rung::Nothing);
        assert_eq!((told[0].reason.as_str(), told[1].reason.as_str()), ("", "no kprobes"));
        hooks.pop();
        assert_eq!(rungs(&hooks, &[], &Counters::default()).len(), 2, "nobody wanted a kprobe");
    }
}

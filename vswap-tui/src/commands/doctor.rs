//! `vswap doctor`: what this kernel offers, hook by hook, and why not.

use crate::cli::DoctorArgs;
use crate::exit::{Exit, ExitError};
use crate::kernel::caps::Rights;
use crate::kernel::{Facts, plan};
use crate::meta::{HookPlan, HookState, KernelInfo};
use crate::tracer;
use anyhow::Context;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
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
    /// `live` and `record` work here.
    usable: bool,
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
    let probed = if args.root.is_some() { None } else { Some(tracer::probe(&facts, &plan)) };
    let (hooks, attach_error) = match probed {
        None => (planned, Some("not this host: only planned".to_owned())),
        Some(Ok(hooks)) => (hooks, None),
        Some(Err(e)) => (blind(planned, &e), Some(format!("{e:#}"))),
    };
    let vital_ok = plan.hooks.iter().zip(&hooks).all(|(p, h)| !p.vital || h.state == HookState::Ok);
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
        usable: attach_error.is_none() && vital_ok,
        attach_error,
        hooks,
        kernel: facts.kernel,
    };
    let text = if args.json {
        serde_json::to_string_pretty(&findings).context("findings to JSON")? + "\n"
    } else {
        render(&findings)
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

fn render(f: &Findings) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "Linux {} {}, {} CPUs, swap layout: {}",
        f.kernel.release, f.kernel.machine, f.kernel.cpus, f.layout
    );
    if !f.lockdown.is_empty() {
        let _ = writeln!(out, "lockdown: {}", f.lockdown);
    }
    if let Some(why) = &f.attach_error {
        let _ = writeln!(out, "hooks not attached: {why}");
    }
    let _ = writeln!(out, "\n{:<6} {:<15} {:<7} {:<32} SHOWS", "STATE", "HOOK", "HOW", "FUNCTION");
    for h in &f.hooks {
        let state = match h.state {
            HookState::Ok => "ok",
            HookState::Inferred => "infer",
            HookState::Blind => "blind",
        };
        let _ = writeln!(out, "{state:<6} {:<15} {:<7} {:<32} {}", h.hook, h.how, dash(&h.function), h.shows);
        if !h.reason.is_empty() {
            let _ = writeln!(out, "       `- {}", h.reason);
        }
    }
    let ok = f.hooks.iter().filter(|h| h.state == HookState::Ok).count();
    let _ = writeln!(out, "\n{ok} of {} hooks usable.", f.hooks.len());
    if !f.missing_fields.is_empty() {
        let _ = writeln!(out, "Not in this kernel's BTF: {}.", f.missing_fields.join(", "));
    }
    let verdict = if f.usable {
        "`vswap live` and `vswap record` work here."
    } else {
        "`vswap live` and `vswap record` do not work here; `vswap demo`, `vswap live --input` and `vswap replay` do."
    };
    let _ = writeln!(out, "{verdict}");
    out
}

fn dash(s: &str) -> &str {
    if s.is_empty() { "-" } else { s }
}

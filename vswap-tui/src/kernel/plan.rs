//! From facts to a plan: which hook attaches where, and for each hook not used the reason. Pure.

use super::btf::Btf;
use super::hooks::{Alternative, Helper, How, SCAN_VARIABLE, SPECS, Spec, as_probes};
use super::layout;
use super::symbols::{Occurs, Symbols};
use super::virt;
use crate::meta::{HookPlan, HookState};
use std::collections::BTreeMap;
use vswap_common::scan::ADDRESSES;
use vswap_common::{Address, Field, Hook, Layout};

/// Hooks and offsets chosen for one kernel.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Field values for the programs.
    pub layout: Layout,
    /// Generation of the layout.
    pub layout_name: &'static str,
    /// One entry for each hook, in the order of [`Hook`].
    pub hooks: Vec<PlannedHook>,
    /// Where the kernel's tables are, by [`Address`]. Never written anywhere.
    pub addresses: [u64; ADDRESSES],
    /// What the kernel has and keeps from this user, so that nothing can be followed.
    pub withheld: Option<String>,
}

/// What becomes of one hook.
#[derive(Clone, Debug)]
pub struct PlannedHook {
    /// Number and program.
    pub hook: Hook,
    /// Entry or exit.
    pub how: How,
    /// What it makes visible.
    pub shows: &'static str,
    /// Without it there is no slot map.
    pub vital: bool,
    /// Function to attach to, or why none.
    pub target: Result<&'static str, String>,
    /// Every program to attach, the function's own first; empty without a target.
    pub probes: Vec<Probe>,
}

/// One program at one function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// Entry or exit.
    pub how: How,
    /// Kernel function.
    pub function: &'static str,
    /// Name in the eBPF object.
    pub program: &'static str,
}

impl PlannedHook {
    /// Functions it attaches to, the first one first.
    fn functions(&self) -> String {
        let mut names: Vec<&str> = self.probes.iter().map(|p| p.function).collect();
        names.dedup();
        names.join(" + ")
    }

    /// How its programs attach, the first one first.
    fn ways(&self) -> String {
        let mut names = vec![self.how.name()];
        for probe in &self.probes {
            if !names.contains(&probe.how.name()) {
                names.push(probe.how.name());
            }
        }
        names.join("+")
    }

    /// The same hook with probes in place of trampolines.
    ///
    /// # Errors
    /// Says what has no such form.
    pub fn as_probes(&self) -> Result<Self, String> {
        let probes =
            as_probes(&self.probes).map_err(|program| format!("{program} has no form as a probe"))?;
        // The return says more about a hook than what keeps arguments for it.
        let how = match self.how {
            How::Fentry => How::Kprobe,
            How::Fexit => How::Kretprobe,
            other => other,
        };
        Ok(Self { how, probes, ..self.clone() })
    }

    /// The form in which it goes into a trace.
    pub fn describe(&self) -> HookPlan {
        let (function, state, reason) = match &self.target {
            Ok(_) => (self.functions(), HookState::Ok, String::new()),
            Err(why) => (String::new(), HookState::Blind, why.clone()),
        };
        HookPlan {
            hook: self.hook.program().to_owned(),
            function,
            how: self.ways(),
            shows: self.shows.to_owned(),
            state,
            reason,
            verified: BTreeMap::new(),
        }
    }
}

impl Plan {
    /// Vital hooks that have no place, with reasons: a kernel with any of these is not supported.
    pub fn missing(&self) -> Vec<String> {
        self.hooks
            .iter()
            .filter(|h| h.vital)
            .filter_map(|h| {
                h.target.as_ref().err().map(|why| format!("{} ({}): {why}", h.hook.program(), h.shows))
            })
            .collect()
    }

    /// The plan without the hooks that only follow the allocator's choices: fewer records, the same slot map.
    #[must_use]
    pub fn slots_only(mut self) -> Self {
        for (spec, planned) in SPECS.iter().zip(&mut self.hooks) {
            if spec.allocator && planned.target.is_ok() {
                planned.target = Err("switched off: only the check against the model needs it".to_owned());
                planned.probes.clear();
            }
        }
        self
    }

    /// The plan without the scan of the kernel's tables.
    #[must_use]
    pub fn without_scan(mut self) -> Self {
        let scan = &mut self.hooks[Hook::Scan as usize];
        if scan.target.is_ok() {
            scan.target = Err("switched off by --no-scan".to_owned());
        }
        self
    }

    /// Field label to value for the trace header.
    pub fn layout_map(&self) -> BTreeMap<String, u32> {
        Field::ALL.iter().filter_map(|f| Some((f.label().to_owned(), self.layout.get(*f)?))).collect()
    }
}

/// Makes the plan for the kernel described by `btf` and `symbols`.
pub fn plan(btf: &Btf, symbols: &Symbols) -> Plan {
    let mut layout = layout::resolve(btf);
    tell_variables(&mut layout, symbols);
    let mut hooks: Vec<PlannedHook> = SPECS.iter().map(|s| plan_hook(s, btf, symbols, &layout)).collect();
    let obstacle = virtual_obstacle(btf, symbols);
    if let Some(Obstacle { why, .. }) = &obstacle {
        // Half of what happens to a slot would be missing, and what is left would be taken for the whole.
        for hook in &mut hooks {
            hook.target = Err(why.clone());
            hook.probes.clear();
        }
    }
    Plan {
        layout,
        layout_name: layout::name(btf),
        hooks,
        addresses: *symbols.addresses(),
        withheld: obstacle.filter(|o| o.withheld).map(|o| o.why),
    }
}

/// Variables that tell causes: programs read them by address, and the recording says whether they could.
fn tell_variables(layout: &mut Layout, symbols: &Symbols) {
    let told = |of: &[Address]| of.iter().all(|a| symbols.addresses()[*a as usize] != 0);
    if told(&[Address::FreeSlots]) {
        layout.set(Field::FreeSlotsTold, 1);
    }
    let refusals = [
        Address::ZswapEnabled,
        Address::ZswapFull,
        Address::RejectCompressFail,
        Address::RejectCompressPoor,
        Address::RejectAllocFail,
        Address::RejectEntryFail,
    ];
    if told(&refusals) {
        layout.set(Field::RefusalsTold, 1);
    }
}

/// Why the virtual slots of a kernel that has such cannot be followed.
struct Obstacle {
    why: String,
    /// Another user could.
    withheld: bool,
}

fn virtual_obstacle(btf: &Btf, symbols: &Symbols) -> Option<Obstacle> {
    let device = Address::VirtualDevice;
    match virt::words(btf)? {
        Err(why) => Some(Obstacle { why, withheld: false }),
        Ok(_) if symbols.addresses()[device as usize] == 0 => Some(Obstacle {
            why: hidden(&[device]),
            withheld: device.names().iter().any(|name| symbols.occurs(name) != Occurs::Absent),
        }),
        Ok(_) => None,
    }
}

/// That the kernel keeps addresses to itself.
fn hidden(wanted: &[Address]) -> String {
    let names: Vec<&str> = wanted.iter().map(|a| a.names()[0]).collect();
    format!(
        "/proc/kallsyms does not tell the address of {} (it does to CAP_SYSLOG, unless kernel.kptr_restrict is 2 or \
         CONFIG_KALLSYMS_ALL is off)",
        names.join(", ")
    )
}

/// The scan needs the addresses of variables, which BTF does not have, and the fields of every table it reads.
fn check_scan(at: &Alternative, symbols: &Symbols, layout: &Layout) -> Result<(), String> {
    let mut wanted = vec![Address::SwapInfo, Address::NrSwapfiles];
    if layout.get(Field::ZswapEntry).is_some() {
        wanted.extend([Address::ZswapTrees, Address::NrZswapTrees]);
    }
    if layout.get(Field::SlotCaches).is_some() {
        wanted.extend([Address::SwapperSpaces, Address::NrSwapperSpaces]);
    }
    let unknown: Vec<Address> =
        wanted.into_iter().filter(|a| symbols.addresses()[*a as usize] == 0).collect();
    // Whoever may not see addresses is told that first: a kernel that nobody knows is rarer.
    if !unknown.is_empty() {
        return Err(hidden(&unknown));
    }
    let missing = missing(at, layout);
    if missing.is_empty() { Ok(()) } else { Err(format!("BTF has no {}", missing.join(", "))) }
}

/// Fields of the layout that this place needs and the kernel does not have.
fn missing(at: &Alternative, layout: &Layout) -> Vec<&'static str> {
    at.fields.iter().filter(|f| layout.get(**f).is_none()).map(|f| f.label()).collect()
}

fn plan_hook(spec: &Spec, btf: &Btf, symbols: &Symbols, layout: &Layout) -> PlannedHook {
    let mut reasons = Vec::new();
    let mut chosen = None;
    // Where there are places for kernels with virtual swap, they are for these and no others.
    let special = spec.alternatives.iter().any(Alternative::is_virtual);
    let virtual_kernel = layout.get(Field::VirtTable).is_some();
    for alternative in spec.alternatives.iter().filter(|a| !special || a.is_virtual() == virtual_kernel) {
        match check(spec, alternative, btf, symbols, layout) {
            Ok(()) => {
                chosen = Some(alternative);
                break;
            }
            Err(why) if reasons.contains(&why) => {}
            Err(why) => reasons.push(why),
        }
    }
    let how = chosen.and_then(|at| at.instead).map_or(spec.how, |programs| programs.how);
    let (target, probes) = match chosen {
        Some(at) => (Ok(at.function), probes(spec, at, btf, symbols)),
        None => (Err(reasons.join("; ")), Vec::new()),
    };
    PlannedHook { hook: spec.hook, how, shows: spec.shows, vital: spec.vital, target, probes }
}

fn probes(spec: &Spec, at: &Alternative, btf: &Btf, symbols: &Symbols) -> Vec<Probe> {
    let own = [Some(spec.hook.program()), spec.hook.second()];
    let (how, names) = match at.instead {
        Some(programs) => (programs.how, programs.names.to_vec()),
        None => (spec.how, own.into_iter().flatten().collect()),
    };
    let own = names.into_iter().map(|program| Probe { how, function: at.function, program });
    let there =
        |helper: &&Helper| occurs(helper.function, helper.args, helper.programs.how, btf, symbols).is_ok();
    let helpers = at.helpers.iter().filter(there).flat_map(|helper| {
        let of =
            |program: &&'static str| Probe { how: helper.programs.how, function: helper.function, program };
        helper.programs.names.iter().map(of)
    });
    own.chain(helpers).collect()
}

fn check(spec: &Spec, at: &Alternative, btf: &Btf, symbols: &Symbols, layout: &Layout) -> Result<(), String> {
    if at.function == SCAN_VARIABLE {
        return check_scan(at, symbols, layout);
    }
    let how = at.instead.map_or(spec.how, |programs| programs.how);
    occurs(at.function, at.args, how, btf, symbols)?;
    for helper in at.helpers.iter().filter(|helper| !helper.optional) {
        occurs(helper.function, helper.args, helper.programs.how, btf, symbols)?;
    }
    let missing = missing(at, layout);
    if missing.is_empty() { Ok(()) } else { Err(format!("BTF has no {}", missing.join(", "))) }
}

/// The function is there under its own name, takes what the program expects, and can be attached that way.
fn occurs(name: &str, wanted: &[&str], how: How, btf: &Btf, symbols: &Symbols) -> Result<(), String> {
    // What is only run starts from a variable, which BTF does not have; its address was looked for.
    if how == How::Run {
        return Ok(());
    }
    let Some(signature) = btf.signature(name) else {
        return Err(match symbols.occurs(name) {
            Occurs::Plain => format!("{name} is not in BTF"),
            Occurs::Suffixed => format!("{name} exists only as a copy renamed by the compiler"),
            Occurs::Absent => format!("this kernel has no function {name} (absent or inlined)"),
        });
    };
    if !symbols.is_empty() {
        match symbols.occurs(name) {
            Occurs::Plain => {}
            Occurs::Suffixed => return Err(format!("{name} exists only as a copy renamed by the compiler")),
            Occurs::Absent => return Err(format!("{name} is in BTF but was inlined everywhere")),
        }
    }
    let Some((result, args)) = signature.split_last() else { return Err(format!("{name} has no signature")) };
    let fits =
        args.len() == wanted.len() && args.iter().zip(wanted).all(|(got, want)| *want == "_" || got == want);
    if !fits {
        return Err(format!("{name} takes ({}), expected ({})", args.join(", "), wanted.join(", ")));
    }
    // The verifier knows no results that are structs.
    if result == "swp_entry_t" && matches!(how, How::Fentry | How::Fexit) {
        return Err(format!("{name} returns a struct, which {} does not take", how.name()));
    }
    Ok(())
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;

//! The ladder: for each transition of a slot, on which rung this kernel lets it be known, and what that leaves out.
//! Pure: from the state of the hooks, the layout and the totals that there are.
//!
//! ```text
//! fentry/fexit   every call, in the kernel's order           seen
//! kprobe         every call, at the function's entry         seen
//! other hooks    derived from what they tell                 inferred
//! tracepoint     how many, for each cgroup, not which slot   inferred
//! counters       how many, not which slot                    inferred
//! ```

mod transitions;

use self::transitions::{Instead, READS, SPECS, Spec, VIRTUAL};
use super::counters::Counters;
use super::tracepoints;
use crate::meta::{HookPlan, HookState};
use serde::Serialize;
use vswap_common::tally::Items;
use vswap_common::{Field, Hook, Layout, Tally};

/// How much of a transition can be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sight {
    /// Each one, slot by slot.
    Seen,
    /// Derived, or only its total.
    Inferred,
    /// Not at all.
    Blind,
}

impl Sight {
    /// Word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Inferred => "inferred",
            Self::Blind => "blind",
        }
    }
}

/// What stands behind the sight; the weakest of several.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub enum Rung {
    /// Trampolines at entry and return.
    #[serde(rename = "fentry/fexit")]
    Fentry,
    /// Breakpoint or ftrace handler at the entry.
    #[serde(rename = "kprobe")]
    Kprobe,
    /// Sums of what tracepoints tell.
    #[serde(rename = "tracepoint")]
    Tracepoint,
    /// Totals the kernel keeps anyway.
    #[serde(rename = "counters")]
    Counters,
    /// Nothing.
    #[serde(rename = "none")]
    Nothing,
}

impl Rung {
    /// Word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry/fexit",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
            Self::Counters => "counters",
            Self::Nothing => "none",
        }
    }
}

/// One transition on one kernel.
#[derive(Clone, Debug, Serialize)]
pub struct Transition {
    /// Its name.
    pub transition: &'static str,
    /// What it means for a slot.
    pub shows: &'static str,
    /// How much of it can be known.
    pub state: Sight,
    /// On which rung.
    pub rung: Rung,
    /// Hooks, or places of totals.
    pub by: Vec<String>,
    /// What is left out and why; empty when seen.
    pub reason: String,
}

/// The ladder of a kernel. `hooks` in the order of [`Hook`]; `refusal` is why nothing is recorded here at all, if so:
/// then hooks do not help, whatever their state.
pub fn ladder(
    hooks: &[HookPlan],
    layout: &Layout,
    below: &Below<'_>,
    refusal: Option<&str>,
) -> Vec<Transition> {
    let host = Host { hooks, layout, below, refusal };
    let virtual_swap = layout.get(Field::VirtTable).is_some();
    let more = VIRTUAL.iter().filter(|_| virtual_swap);
    SPECS.iter().chain(more).map(|spec| host.place(spec)).collect()
}

/// What remains below the hooks.
#[derive(Clone, Copy, Debug)]
pub struct Below<'a> {
    /// Tracepoints with what became of each.
    pub points: &'a [HookPlan],
    /// Numbers of this kernel's items.
    pub items: &'a Items,
    /// The kernel's own counters.
    pub counters: &'a Counters,
}

struct Host<'a> {
    hooks: &'a [HookPlan],
    layout: &'a Layout,
    below: &'a Below<'a>,
    refusal: Option<&'a str>,
}

impl Host<'_> {
    fn place(&self, spec: &Spec) -> Transition {
        let known = |state, rung, by, reason| Transition {
            transition: spec.name,
            shows: spec.shows,
            state,
            rung,
            by,
            reason,
        };
        let why = self.obstacle(spec.needs);
        if self.refusal.is_none() {
            let Some(why) = &why else {
                if let Some((_, field, rest)) = READS
                    .iter()
                    .find(|(name, field, _)| *name == spec.name && self.layout.get(*field).is_none())
                {
                    let reason =
                        format!("{rest}, because the kernel hides the address: {} is missing", field.label());
                    return known(Sight::Inferred, self.rung(spec.needs), self.names(spec.needs), reason);
                }
                return known(Sight::Seen, self.rung(spec.needs), self.names(spec.needs), String::new());
            };
            if let Some(other) = spec.instead.iter().find(|i| self.works(i)) {
                let reason = format!("{}, because {why}", other.how);
                return known(Sight::Inferred, self.rung(other.hooks), self.names(other.hooks), reason);
            }
        }
        // Where nothing is recorded, the transition's own obstacle says more than the general one.
        let why = why.or_else(|| self.refusal.map(str::to_owned)).unwrap_or_default();
        // With hooks attached nobody attaches tracepoints besides.
        let sums = if self.refusal.is_some() { self.sums(spec.sums) } else { Vec::new() };
        if !sums.is_empty() {
            let say = if spec.say.is_empty() { "pages" } else { spec.say };
            let reason = format!("sums of each cgroup ({say}), not which slots, because {why}");
            return known(Sight::Inferred, Rung::Tracepoint, sums, reason);
        }
        let totals: Vec<String> =
            spec.totals.iter().filter(|t| self.below.counters.has(**t)).map(|t| t.place()).collect();
        if totals.is_empty() {
            return known(Sight::Blind, Rung::Nothing, totals, why);
        }
        let reason = format!("totals only ({}), not which slots, because {why}", spec.say);
        known(Sight::Inferred, Rung::Counters, totals, reason)
    }

    fn hook(&self, hook: Hook) -> Option<&HookPlan> {
        self.hooks.get(hook as usize)
    }

    /// The first hook that is not there, and why.
    fn obstacle(&self, needs: &[Hook]) -> Option<String> {
        needs.iter().find_map(|hook| match self.hook(*hook) {
            Some(plan) if plan.state == HookState::Ok => None,
            Some(plan) => Some(format!("{}: {}", plan.hook, plan.reason)),
            None => Some(format!("{} is not planned", hook.program())),
        })
    }

    fn works(&self, instead: &Instead) -> bool {
        self.obstacle(instead.hooks).is_none()
            && instead.fields.iter().all(|field| self.layout.get(*field).is_some())
    }

    /// Places of the sums that tracepoints give here.
    fn sums(&self, wanted: &[Tally]) -> Vec<String> {
        let given = |tally: &&Tally| tracepoints::given(self.below.points, self.below.items, **tally).is_ok();
        wanted.iter().filter(given).map(|tally| tracepoints::place(*tally)).collect()
    }

    fn names(&self, hooks: &[Hook]) -> Vec<String> {
        hooks.iter().map(|hook| hook.program().to_owned()).collect()
    }

    fn rung(&self, hooks: &[Hook]) -> Rung {
        let by_kprobe = |hook: &Hook| {
            self.hook(*hook).is_some_and(|plan| plan.how.split('+').any(|how| how.ends_with("probe")))
        };
        if hooks.iter().any(by_kprobe) { Rung::Kprobe } else { Rung::Fentry }
    }
}

#[cfg(test)]
#[path = "ladder_tests.rs"]
mod tests;

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

use super::counters::{Counters, Total};
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

/// Another way to know a transition from hooks.
struct Instead {
    hooks: &'static [Hook],
    fields: &'static [Field],
    how: &'static str,
}

struct Spec {
    name: &'static str,
    shows: &'static str,
    needs: &'static [Hook],
    instead: &'static [Instead],
    /// Sums of tracepoints.
    sums: &'static [Tally],
    totals: &'static [Total],
    /// What the totals say.
    say: &'static str,
}

/// In the order of a slot's life.
const SPECS: &[Spec] = &[
    Spec {
        name: "swapon/off",
        shows: "a device comes, a device goes",
        needs: &[Hook::SwapOnSlot, Hook::SwapOn, Hook::SwapOff],
        instead: &[Instead {
            hooks: &[Hook::ClusterMove],
            fields: &[],
            how: "a device shows by its first cluster that changes lists, and in /proc/swaps within a second",
        }],
        sums: &[],
        totals: &[Total::Swaps],
        say: "devices, their size and use at the time of reading",
    },
    Spec {
        name: "alloc",
        shows: "a folio gets slots",
        needs: &[Hook::CacheAdd],
        instead: &[],
        sums: &[Tally::SlotsCharged],
        totals: &[Total::Swaps],
        say: "slots in use: allocations less frees",
    },
    Spec {
        name: "hibernation",
        shows: "a slot for the image of a hibernation",
        needs: &[Hook::Hibernate],
        instead: &[],
        sums: &[],
        totals: &[Total::Swaps],
        say: "slots in use",
    },
    Spec {
        name: "alloc refused",
        shows: "no slot for a folio",
        needs: &[Hook::AllocEnter, Hook::AllocExit],
        instead: &[],
        sums: &[Tally::ThpFallback],
        totals: &[Total::Cgroup("memory.swap.events"), Total::Vmstat("thp_swpout_fallback")],
        say: "some of the refusals",
    },
    Spec {
        name: "charge",
        shows: "the cgroup that owns the slots",
        needs: &[Hook::Charge],
        instead: &[Instead {
            hooks: &[Hook::CacheDel],
            fields: &[Field::CiMemcg],
            how: "the owner is read from the cluster when the folio leaves the swap cache",
        }],
        sums: &[Tally::SlotsCharged],
        totals: &[Total::Cgroup("memory.swap.current")],
        say: "slots of each cgroup",
    },
    Spec {
        name: "swap-out to zswap",
        shows: "every page of a folio is compressed",
        needs: &[Hook::StoreEnter, Hook::StoreExit],
        instead: &[],
        sums: &[Tally::ZswpOut],
        totals: &[Total::Vmstat("zswpout")],
        say: "pages",
    },
    Spec {
        name: "swap-out of zeroes",
        shows: "a folio is all zeroes: nothing is stored",
        needs: &[Hook::WriteoutEnter, Hook::WriteoutExit],
        instead: &[Instead {
            hooks: &[Hook::CacheDel],
            fields: &[Field::ZeroInWord],
            how: "the slot's word says it when the folio leaves the swap cache",
        }],
        sums: &[Tally::ZeroOut],
        totals: &[Total::Vmstat("swpout_zero")],
        say: "pages",
    },
    Spec {
        name: "swap-out to device",
        shows: "a folio is written",
        needs: &[Hook::Write, Hook::WriteEnd],
        instead: &[
            Instead { hooks: &[Hook::Write], fields: &[], how: "queued writes are taken for completed ones" },
            Instead {
                hooks: &[Hook::WriteEnd],
                fields: &[],
                how: "only completed writes, without their begin",
            },
        ],
        sums: &[Tally::PswpOut, Tally::BytesWritten],
        totals: &[Total::Vmstat("pswpout")],
        say: "pages, writeback of zswap included",
    },
    Spec {
        name: "writeback",
        shows: "a page moves from zswap to the device",
        needs: &[Hook::Write, Hook::ZswapFree],
        instead: &[Instead {
            hooks: &[Hook::Write],
            fields: &[],
            how: "the write tells it; what zswap gave up is not seen to leave",
        }],
        sums: &[Tally::ZswpWb],
        totals: &[Total::Vmstat("zswpwb")],
        say: "pages",
    },
    Spec {
        name: "zswap free",
        shows: "data leaves zswap",
        needs: &[Hook::ZswapFree],
        instead: &[Instead {
            hooks: &[Hook::Free],
            fields: &[],
            how: "when its slot is freed, or the folio stored anew",
        }],
        sums: &[Tally::ZswapGone],
        totals: &[],
        say: "",
    },
    Spec {
        name: "folio leaves cache",
        shows: "only the swapped copy is left, or the slot goes",
        needs: &[Hook::CacheDel],
        instead: &[],
        sums: &[],
        totals: &[Total::Vmstat("nr_swapcached")],
        say: "pages in the swap cache",
    },
    Spec {
        name: "swap-in to cache",
        shows: "a folio for a slot in use enters the swap cache",
        needs: &[Hook::CacheAdd],
        instead: &[],
        sums: &[],
        totals: &[Total::Vmstat("nr_swapcached")],
        say: "pages in the swap cache",
    },
    Spec {
        name: "swap-in from zswap",
        shows: "a page is decompressed",
        needs: &[Hook::ReadEnter, Hook::LoadExit],
        instead: &[],
        sums: &[Tally::ZswpIn],
        totals: &[Total::Vmstat("zswpin")],
        say: "pages",
    },
    Spec {
        name: "swap-in of zeroes",
        shows: "a page is filled with zeroes",
        needs: &[Hook::ReadEnter, Hook::LoadEnter, Hook::LoadExit, Hook::ReadExit],
        instead: &[Instead {
            hooks: &[Hook::ReadEnter, Hook::ReadExit],
            fields: &[Field::NoZswap],
            how: "there is no zswap to ask: the kernel's own flag of the slot says it when the read begins",
        }],
        sums: &[Tally::ZeroIn],
        totals: &[Total::Vmstat("swpin_zero")],
        say: "pages",
    },
    Spec {
        name: "swap-in from device",
        shows: "a page is read",
        needs: &[Hook::ReadEnter, Hook::LoadExit, Hook::ReadEnd],
        instead: &[
            Instead {
                hooks: &[Hook::ReadEnter, Hook::ReadEnd],
                fields: &[Field::NoZswap],
                how: "there is no zswap to ask: the kernel's own flag of the slot says it when the read begins",
            },
            Instead {
                hooks: &[Hook::ReadEnd],
                fields: &[],
                how: "only completed reads, without their begin",
            },
            Instead {
                hooks: &[Hook::ReadEnter, Hook::LoadExit],
                fields: &[],
                how: "reads are taken for completed when they are issued",
            },
        ],
        sums: &[Tally::PswpIn, Tally::BytesRead],
        totals: &[Total::Vmstat("pswpin")],
        say: "pages",
    },
    Spec {
        name: "references",
        shows: "how many page tables hold a slot",
        needs: &[Hook::Dup, Hook::DupDirect, Hook::Put],
        instead: &[],
        sums: &[],
        totals: &[],
        say: "",
    },
    Spec {
        name: "free",
        shows: "slots become free",
        needs: &[Hook::Free],
        instead: &[],
        sums: &[Tally::SlotsUncharged],
        totals: &[Total::Swaps],
        say: "slots in use: allocations less frees",
    },
    Spec {
        name: "cluster lists",
        shows: "the list, order and use of each cluster",
        needs: &[Hook::ClusterMove],
        instead: &[],
        sums: &[],
        totals: &[],
        say: "",
    },
    Spec {
        name: "cause of writeback",
        shows: "shrinker, full pool or cgroup at its limit; what was spared",
        needs: &[Hook::ShrinkItem, Hook::ShrinkScan, Hook::ShrinkLimit, Hook::Write],
        instead: &[Instead {
            hooks: &[Hook::ShrinkItem, Hook::Write],
            fields: &[],
            how: "written pages tell it, what was spared is not counted",
        }],
        sums: &[Tally::ZswpWb],
        totals: &[Total::Vmstat("zswpwb")],
        say: "pages of any cause",
    },
    Spec {
        name: "cause of writeout",
        shows: "kswapd, direct, cgroup or proactive reclaim, MADV_PAGEOUT",
        needs: &[Hook::Kswapd, Hook::Direct, Hook::MemcgReclaim, Hook::Proactive, Hook::Pageout],
        instead: &[],
        sums: &[Tally::WrittenKswapd, Tally::WrittenDirect, Tally::WrittenMemcg, Tally::WrittenOther],
        totals: &[],
        say: "folios",
    },
    Spec {
        name: "cause of store refusal",
        shows: "zswap off, pool or cgroup at its limit, not compressible, no memory",
        needs: &[Hook::StoreEnter, Hook::StoreExit, Hook::ShrinkLimit],
        instead: &[],
        sums: &[],
        totals: &[],
        say: "",
    },
    Spec {
        name: "cause of fallback",
        shows: "no slot for a large folio: no space, no run of slots, the cgroup's limit",
        needs: &[Hook::AllocEnter, Hook::AllocExit, Hook::CacheAdd],
        instead: &[],
        sums: &[Tally::ThpFallback],
        totals: &[Total::Vmstat("thp_swpout_fallback"), Total::Cgroup("memory.swap.events")],
        say: "some of the refusals",
    },
    Spec {
        name: "allocator's choices",
        shows: "the clusters it looks into, for the check against the model",
        needs: &[Hook::Isolate, Hook::AllocEnter],
        instead: &[],
        sums: &[],
        totals: &[],
        say: "",
    },
];

/// Transitions for which programs read variables of the kernel, and what is left without.
const READS: [(&str, Field, &str); 2] = [
    ("cause of store refusal", Field::RefusalsTold, "only a cgroup's limit is told"),
    ("cause of fallback", Field::FreeSlotsTold, "free slots are counted from the events"),
];

/// What only slots of a virtual device do.
const VIRTUAL: &[Spec] = &[
    Spec {
        name: "backing taken",
        shows: "a virtual slot gets a physical one, and its cgroup pays",
        needs: &[Hook::CacheAdd, Hook::Write],
        instead: &[Instead {
            hooks: &[Hook::Write],
            fields: &[],
            how: "the first write to the physical slot is the first sign of it",
        }],
        sums: &[],
        totals: &[Total::Swaps, Total::Cgroup("memory.swap.current")],
        say: "physical slots in use",
    },
    Spec {
        name: "backing given up",
        shows: "a virtual slot gives up what held its data, a physical slot is free again",
        needs: &[Hook::Free],
        instead: &[],
        sums: &[],
        totals: &[Total::Swaps, Total::Cgroup("memory.swap.current")],
        say: "physical slots in use",
    },
];

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

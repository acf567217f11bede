//! The table of hooks: where each may attach, with which arguments, and what it makes visible. Data, no logic.
//!
//! `table` has one entry a hook, `twins` their programs as probes, `fields` the sets of fields that programs read,
//! `slot_caches` the places of 6.12, `held` those of 6.18, `no_zswap` what stands in for functions of zswap where it is
//! not built, `causes` the hooks that only tell why, `virtual_swap` those of kernels with virtual swap.
//! A kernel generation that does something elsewhere gets one more [`Alternative`]; nothing else changes.

mod causes;
mod fields;
mod held;
mod no_zswap;
mod slot_caches;
mod table;
mod twins;
mod virtual_swap;

pub use table::SPECS;
pub use twins::{as_probes, lonely_twin, twin_name};
pub use virtual_swap::TAKES_BACKING;

use vswap_common::{Field, Hook};

/// Type of tracing program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// At the function's entry, where the kernel cannot preempt.
    Fentry,
    /// At the function's entry, with preemption off.
    Kprobe,
    /// At its return.
    Fexit,
    /// At no function: user space runs it.
    Run,
    /// At the return of a function whose result fexit does not take.
    Kretprobe,
    /// At a tracepoint of the kernel.
    Tracepoint,
}

impl How {
    /// Of the rung that some distributions and kernels keep from everybody or nearly so.
    pub const fn is_kprobe(self) -> bool {
        matches!(self, Self::Kprobe | Self::Kretprobe)
    }

    /// Word for it in the plan.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Fexit => "fexit",
            Self::Run => "run",
            Self::Kretprobe => "kretprobe",
            Self::Tracepoint => "tp_btf",
        }
    }
}

/// One place a hook can attach to.
#[derive(Clone, Copy, Debug)]
pub struct Alternative {
    /// Kernel function.
    pub function: &'static str,
    /// Types of its arguments in order; `_` is any. The number must be exact.
    pub args: &'static [&'static str],
    /// Fields of the layout the program reads there.
    pub fields: &'static [Field],
    /// Programs in place of the hook's own, where the kernel offers the event in another form.
    pub instead: Option<Programs>,
    /// What has to be attached besides.
    pub helpers: &'static [Helper],
}

impl Alternative {
    /// For kernels with virtual swap, and there the only kind of place: what suits a kernel without it would leave out
    /// half of what happens.
    pub fn is_virtual(&self) -> bool {
        self.fields.contains(&Field::VirtTable)
    }
}

/// A program, or two copies of one, and how they attach.
#[derive(Clone, Copy, Debug)]
pub struct Programs {
    /// Entry or exit.
    pub how: How,
    /// Names in the eBPF object.
    pub names: &'static [&'static str],
}

/// One more function that the hook needs on this kernel.
#[derive(Clone, Copy, Debug)]
pub struct Helper {
    /// Kernel function.
    pub function: &'static str,
    /// Types of its arguments, as in [`Alternative::args`].
    pub args: &'static [&'static str],
    /// Its program.
    pub programs: Programs,
    /// The hook does without it where the kernel has no such function.
    pub optional: bool,
}

/// What tells the slots that wait in per-CPU caches; where it is missing nobody counts them.
pub const RESERVES: &str = "swap_range_alloc";

/// A hook with its places in order of preference.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Number and program.
    pub hook: Hook,
    /// Entry or exit.
    pub how: How,
    /// What it makes visible.
    pub shows: &'static str,
    /// Without it no slot map is possible.
    pub vital: bool,
    /// Only for following the allocator's choices, not for the slot map.
    pub allocator: bool,
    /// Places.
    pub alternatives: &'static [Alternative],
}

/// The array of devices: without its address there is no scan.
pub const SCAN_VARIABLE: &str = "swap_info";

/// A place for the hook's own program.
const fn at(function: &'static str, args: &'static [&'static str], fields: &'static [Field]) -> Alternative {
    Alternative { function, args, fields, instead: None, helpers: &[] }
}

/// A kprobe of one copy.
const fn kprobe(
    function: &'static str,
    args: &'static [&'static str],
    names: &'static [&'static str],
) -> Helper {
    Helper { function, args, programs: Programs { how: How::Kprobe, names }, optional: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spec_for_each_hook_in_order() {
        let hooks: Vec<Hook> = SPECS.iter().map(|s| s.hook).collect();
        assert_eq!(hooks, Hook::ALL);
        assert!(SPECS.iter().all(|s| !s.alternatives.is_empty() && !s.shows.is_empty()));
    }
}

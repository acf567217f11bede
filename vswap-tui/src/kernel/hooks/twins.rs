//! Hooks as probes: what stands for the program of a trampoline on kernels that have none, or not at every function.

use super::How;
use crate::kernel::Probe;

/// A program of a trampoline and its twin.
struct Twin {
    program: &'static str,
    how: How,
    /// Name of the twin.
    name: &'static str,
    /// Program at the entry that keeps the arguments for the return; if the kernel skips it, the return tells.
    keeper: Option<&'static str>,
    /// Nothing else notices when the kernel skips it.
    alone: bool,
}

const fn entry(program: &'static str, name: &'static str) -> Twin {
    Twin { program, how: How::Kprobe, name, keeper: None, alone: true }
}

const fn exit(program: &'static str, name: &'static str, keeper: Option<&'static str>, alone: bool) -> Twin {
    Twin { program, how: How::Kretprobe, name, keeper, alone }
}

const TWINS: &[Twin] = &[
    entry("cache_add", "k_cache_add"),
    entry("cache_del", "k_cache_del"),
    entry("free", "k_free"),
    entry("reserve", "k_reserve"),
    entry("cluster_move", "k_cluster_move"),
    entry("swapon_slot", "k_swapon_slot"),
    entry("swapoff", "k_swapoff"),
    entry("write_end", "k_write_end"),
    entry("read_end", "k_read_end"),
    entry("release", "k_release"),
    entry("unback", "k_unback"),
    entry("unback_at_end", "k_unback_at_end"),
    exit("back", "k_back", Some("a_back"), true),
    exit("charge_virtual", "k_charge_virt", Some("a_charge_virt"), false),
    exit("cache_joined", "k_cache_joined", Some("a_cache_joined"), false),
    exit("charge", "k_charge", Some("a_charge"), false),
    exit("alloc_exit", "k_alloc_exit", None, false),
    exit("writeout_exit", "k_writeout_exit", None, false),
    exit("store_exit", "k_store_exit", None, false),
    exit("load_exit", "k_load_exit", None, false),
    exit("read_exit", "k_read_exit", None, false),
    exit("direct_exit", "k_direct_exit", None, false),
    exit("memcg_exit", "k_memcg_exit", None, false),
    exit("proact_exit", "k_proact_exit", None, false),
    exit("pages_exit", "k_pages_exit", None, false),
    exit("shrink_scan", "k_shrink_scan", None, false),
    exit("shrink_limit", "k_shrink_limit", None, false),
    exit("shrink_done", "k_shrink_done", Some("a_shrink_done"), false),
    exit("swapon", "k_swapon", Some("a_swapon"), true),
    exit("isolate", "k_isolate", Some("a_isolate"), true),
];

fn twin(program: &str) -> Option<&'static Twin> {
    TWINS.iter().find(|twin| twin.program == program)
}

/// The twin whose calls are lost without anybody noticing when the kernel skips it.
pub fn lonely_twin(program: &str) -> Option<&'static str> {
    twin(program).filter(|twin| twin.alone).map(|twin| twin.name)
}

/// Name of the twin of a program.
pub fn twin_name(program: &str) -> Option<&'static str> {
    twin(program).map(|twin| twin.name)
}

/// The same hook with probes only.
///
/// # Errors
/// Names the program that has no twin.
pub fn as_probes(probes: &[Probe]) -> Result<Vec<Probe>, &'static str> {
    let mut out = Vec::with_capacity(probes.len());
    for probe in probes {
        // A second copy makes up for what a preempted trampoline skips: a probe is not preempted.
        let copy_of = probe.program.strip_suffix("_2");
        if !matches!(probe.how, How::Fentry | How::Fexit) {
            out.push(*probe);
        } else if let Some(twin) = twin(probe.program) {
            let at = |how, program| Probe { how, function: probe.function, program };
            out.extend(twin.keeper.map(|keeper| at(How::Kprobe, keeper)));
            out.push(at(twin.how, twin.name));
        } else if !copy_of.is_some_and(|first| probes.iter().any(|p| p.program == first)) {
            return Err(probe.program);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::SPECS;
    use super::*;

    fn probe(how: How, program: &'static str) -> Probe {
        Probe { how, function: "f", program }
    }

    #[test]
    fn copies_go_and_arguments_are_kept() {
        let twins = as_probes(&[probe(How::Fexit, "charge"), probe(How::Fexit, "charge_2")]);
        assert_eq!(twins, Ok(vec![probe(How::Kprobe, "a_charge"), probe(How::Kretprobe, "k_charge")]));
        let mixed = [probe(How::Fentry, "free"), probe(How::Kprobe, "free_slot")];
        assert_eq!(
            as_probes(&mixed),
            Ok(vec![probe(How::Kprobe, "k_free"), probe(How::Kprobe, "free_slot")])
        );
        assert_eq!(as_probes(&[probe(How::Fexit, "other_2")]), Err("other_2"));
    }

    #[test]
    fn names_fit_the_kernel_and_are_no_others() {
        let mut names: Vec<&str> =
            TWINS.iter().flat_map(|t| std::iter::once(t.name).chain(t.keeper)).collect();
        assert!(names.iter().all(|name| name.len() < 16), "the kernel cuts program names at 15 bytes");
        let n = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), n);
        // What nobody notices in a trampoline, nobody notices in its twin.
        for spec in SPECS.iter().filter(|s| matches!(s.how, How::Fentry | How::Fexit)) {
            let name = spec.hook.program();
            if let Some(twin) = twin(name) {
                assert_eq!(twin.alone, spec.hook.second().is_none(), "{name}");
            }
        }
    }
}

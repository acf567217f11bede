//! What the suite makes the kernel do, and what must be seen of it: the words here, one file for each group of boots.

mod alone;
mod corners;
mod late;
mod life;
mod own;
mod parallel;

/// What the recorder should have seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backing {
    /// zswap on, no limit reached: whatever is not zero is in zswap.
    Zswap,
    /// zswap on with a limit: zswap or, when written back or refused, the device.
    Writeback,
    /// zswap on with a limit, and the cgroup may not write to the device: zswap, or nowhere but in memory.
    Memory,
    /// zswap off: whatever is not zero is on the device.
    Device,
}

/// How the recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// SIGINT at rest: a complete trace, every check holds.
    Clean,
    /// SIGINT at rest, with a ring too small for the load: loss, and said so everywhere.
    Lossy,
    /// Loss under load, the tables read again when that is over, and a little more load: SIGINT at rest. What is called
    /// certain is right, and nearly everything is.
    Rescan,
    /// SIGKILL under load: a file cut short.
    Killed,
    /// `vswap live --check` without a screen instead of a recorder, SIGINT at rest: the same counts, and the model beside
    /// the kernel agrees while it happens.
    Live,
    /// swapoff while the workers still swap, then SIGINT: every slot came back, nothing is left.
    Swapoff,
    /// The recorder comes when swap is in use and the load runs, reads the kernel's tables, and ends with SIGINT at
    /// rest: every slot must be known, and be the kernel's.
    Late,
}

/// What a scenario is about beside its backing, with what must be seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    /// Nothing more.
    None,
    /// So many slots belong to a hibernation image at the end.
    Image(u64),
    /// Owners that were removed and still have slots.
    Removed(&'static [&'static str]),
    /// Freed clusters are discarded on this block device, and the device counts what is discarded.
    Discard(&'static str),
    /// Writes to these slots fail, ends included.
    BadSlots(u64, u64),
    /// So many reads fail, each of one page.
    LostPages(u64),
    /// At least so many folios find no slot.
    Refused(u64),
    /// zswap's pool reaches its limit.
    PoolLimit,
    /// Folios of every order from 2 to 9, once each: the kernel counts them by size.
    Orders,
}

/// One load with one trace.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// Name, and folder below /out.
    pub(crate) name: &'static str,
    /// Where pages may go.
    pub(crate) backing: Backing,
    /// Shell commands before anything else of the scenario, and those that take them back.
    pub(crate) machine: (&'static str, &'static str),
    /// Swap devices in the order in which they are switched on: path, and priority if not the default, or `discard`.
    pub(crate) devices: &'static [(&'static str, &'static str)],
    /// Options of `vswap record`.
    pub(crate) record_args: &'static str,
    /// How it ends.
    pub(crate) end: End,
    /// Workers that run at the same time: `OPTIONS|STEPS`. Those that share a cgroup limit it with `memory.high`: at
    /// `memory.max` the kernel may kill one of them while they fill it (seen on 6.18, 7.0 and 7.1; on the first two
    /// next to nothing was swapped out yet).
    pub(crate) workers: &'static [&'static str],
    /// Counters of vmstat that must have moved by at least so much: a load that does not do what it is for proves
    /// nothing.
    pub(crate) at_least: &'static [(&'static str, u64)],
    /// It swaps large folios.
    pub(crate) large: bool,
    /// zswap refuses half of what is here for it: its counters need to move half as much.
    pub(crate) zswap_takes_half: bool,
    /// What is special about it.
    pub(crate) special: Special,
}

/// A boot with scenarios one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Boot {
    /// Name of the run.
    pub(crate) name: &'static str,
    /// CPUs of the guest.
    pub(crate) cpus: u32,
    /// Swap disk, MiB.
    pub(crate) swap: u64,
    /// Shell before the scenarios.
    pub(crate) prepare: &'static str,
    /// More words for the kernel's command line.
    pub(crate) append: &'static str,
    /// CPUs run in turn.
    pub(crate) in_turn: bool,
    /// Scenarios in order.
    pub(crate) scenarios: Vec<Scenario>,
    /// Shell after the scenarios that judges by itself, with the functions of lib.sh.
    pub(crate) extra: &'static str,
}

const BOOT: Boot = Boot {
    name: "",
    cpus: 2,
    swap: 512,
    prepare: "",
    append: "",
    in_turn: false,
    scenarios: Vec::new(),
    extra: "",
};

const CLEAN: Scenario = Scenario {
    name: "",
    backing: Backing::Zswap,
    machine: (":", ":"),
    devices: &[("/dev/vda", "")],
    record_args: "",
    end: End::Clean,
    workers: &[],
    at_least: &[],
    large: false,
    zswap_takes_half: false,
    special: Special::None,
};

const LATE: Scenario = Scenario { end: End::Late, record_args: "--verify", ..CLEAN };

/// The full suite, for kernels that the tracer knows.
pub(crate) fn full() -> Vec<Boot> {
    [alone::boots(), late::boots(), corners::boots(), life::boots(), parallel::boots(), own::boots()].concat()
}

/// The script of a boot: the functions, then a call for each scenario, then its own.
pub(crate) fn script(lib: &str, boot: &Boot) -> String {
    let mut script = format!("{lib}\n{}\n", boot.prepare);
    for s in &boot.scenarios {
        let zswap = if s.backing == Backing::Device { "N" } else { "Y" };
        let end = match s.end {
            End::Clean | End::Lossy => "int",
            End::Rescan => "rescan",
            End::Killed => "kill",
            End::Live => "live",
            End::Swapoff => "off",
            End::Late => "late",
        };
        let devices: Vec<String> =
            s.devices.iter().map(|(path, priority)| format!("{path} {priority}")).collect();
        let (before, after) = s.machine;
        script.push_str(&format!("devices='{}'\n{before}\n", devices.join("\n")));
        script.push_str(&format!("scenario {} {zswap} '{}' {end}", s.name, s.record_args));
        for worker in s.workers {
            script.push_str(&format!(" '{worker}'"));
        }
        script.push_str(&format!("\n{after}\n"));
    }
    script.push_str(boot.extra);
    script.push_str("\nexit $failed\n");
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_its_own_name_and_a_purpose() {
        let all: Vec<Scenario> = full().into_iter().flat_map(|b| b.scenarios).collect();
        let mut names: Vec<&str> = all.iter().map(|s| s.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
        assert!(all.iter().all(|s| !s.workers.is_empty() && !s.at_least.is_empty()));
        assert!(
            all.iter().all(|s| s.workers.iter().all(|w| w.matches('|').count() == 1 && !w.contains('\'')))
        );
    }

    #[test]
    fn who_shares_a_cgroup_is_not_killed_for_its_limit() {
        for scenario in full().iter().flat_map(|b| &b.scenarios) {
            // Whoever names none enters none.
            let cgroup = |worker: &str| {
                let (_, named) = worker.split_once("--cgroup ")?;
                named.split_whitespace().next().map(str::to_owned)
            };
            for worker in scenario.workers.iter().filter(|w| w.contains(" memory.max=")) {
                let sharing = scenario.workers.iter().filter(|other| cgroup(other) == cgroup(worker)).count();
                assert_eq!(sharing, 1, "{}: {worker}", scenario.name);
            }
        }
    }

    #[test]
    fn script_calls_each_scenario() {
        let boots = full();
        let one_cpu = boots.iter().find(|boot| boot.name == "one-cpu").unwrap();
        let text = script("# lib", one_cpu);
        assert!(text.starts_with("# lib\n") && text.ends_with("exit $failed\n"));
        assert!(text.contains("scenario small-ring Y '--ring-size 4096 --no-scan' int '"), "{text}");
        assert!(text.contains("scenario device N '' int '") && text.contains("scenario killed Y '' kill '"));
    }
}

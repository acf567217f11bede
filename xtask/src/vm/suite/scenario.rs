//! What the suite makes the kernel do, and what must be seen of it.

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

/// One load with one trace.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// Name, and folder below /out.
    pub(crate) name: &'static str,
    /// Where pages may go.
    pub(crate) backing: Backing,
    /// Shell commands before anything else of the scenario, and those that take them back.
    pub(crate) machine: (&'static str, &'static str),
    /// Swap devices in the order in which they are switched on: path, and priority if not the default.
    pub(crate) devices: &'static [(&'static str, &'static str)],
    /// Options of `vswap record`.
    pub(crate) record_args: &'static str,
    /// How it ends.
    pub(crate) end: End,
    /// Workers that run at the same time: `OPTIONS|STEPS`.
    pub(crate) workers: &'static [&'static str],
    /// Counters of vmstat that must have moved by at least so much: a load that does not do what it is for proves
    /// nothing.
    pub(crate) at_least: &'static [(&'static str, u64)],
    /// It swaps large folios.
    pub(crate) large: bool,
    /// zswap refuses half of what is here for it: its counters need to move half as much.
    pub(crate) zswap_takes_half: bool,
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

/// Privileges: given up, enough, missing.
const RIGHTS: &str = include_str!("../../../guest/rights.sh");
/// What was lost, against the kernel's own counts of calls and runs.
const LOSSES: &str = include_str!("../../../guest/losses.sh");
/// A kernel that lets nobody read its memory.
const LOCKDOWN: &str = include_str!("../../../guest/lockdown.sh");

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
};

const LATE: Scenario = Scenario { end: End::Late, record_args: "--verify", ..CLEAN };

/// The full suite, for kernels that the tracer knows.
pub(crate) fn full() -> Vec<Boot> {
    vec![
        Boot {
            name: "one-cpu",
            cpus: 1,
            swap: 512,
            scenarios: vec![
                Scenario {
                    name: "order0",
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 4096|\
                        pageout:all,touch-read:0-255,touch-write:256-511,free:600-900/2,pageout:100-300,\
                        touch-read:2000-2600/3,free:2000-2100"],
                    at_least: &[("zswpout", 2500), ("zswpin", 300), ("swpout_zero", 800), ("swpin_zero", 80)],
                    ..CLEAN
                },
                Scenario {
                    name: "device",
                    backing: Backing::Device,
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 4096 --seed 2|\
                        pageout:all,sleep:1000,reclaim:4096,touch-read:0-255,touch-write:256-511,free:600-900/2,\
                        pageout:100-300"],
                    at_least: &[("pswpout", 2500), ("pswpin", 200), ("swpout_zero", 800)],
                    ..CLEAN
                },
                Scenario {
                    name: "fork",
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 2048 --seed 3|\
                        pageout:all,fork,touch-read:0-255,touch-write:128-511,free:512-767,pageout:0-400,fork,\
                        touch-write:700-900,pageout:all"],
                    at_least: &[("zswpout", 1200), ("zswpin", 200)],
                    ..CLEAN
                },
                Scenario {
                    name: "shmem",
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 2048 --shared --seed 4|\
                        pageout:all,touch-read:0-255,touch-write:256-400,free:600-700,pageout:100-300"],
                    at_least: &[("zswpout", 1200), ("zswpin", 100)],
                    ..CLEAN
                },
                Scenario {
                    name: "cgroups",
                    workers: &[
                        "--cgroup /sys/fs/cgroup/one --pages 1024 --seed 5|pageout:all,touch-write:0-99",
                        "--cgroup /sys/fs/cgroup/two --pages 2048 --seed 6|pageout:0-1500,free:30-60",
                    ],
                    at_least: &[("zswpout", 1500)],
                    ..CLEAN
                },
                Scenario {
                    name: "small-ring",
                    record_args: "--ring-size 4096",
                    end: End::Lossy,
                    workers: &[
                        "--cgroup /sys/fs/cgroup/wl --pages 8192 --seed 7|pageout:all,touch-read:0-2000",
                    ],
                    at_least: &[("zswpout", 5000)],
                    ..CLEAN
                },
                Scenario {
                    name: "killed",
                    end: End::Killed,
                    workers: &[
                        "--cgroup /sys/fs/cgroup/wl --pages 8192 --set memory.max=24M --seed 8|random:60000",
                    ],
                    at_least: &[("zswpout", 5000)],
                    ..CLEAN
                },
                Scenario {
                    name: "live-check",
                    end: End::Live,
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 4096 --seed 16|\
                        pageout:all,touch-read:0-255,touch-write:256-511,free:600-900/2,pageout:100-300"],
                    at_least: &[("zswpout", 2500), ("zswpin", 200), ("swpout_zero", 800)],
                    ..CLEAN
                },
            ],
            ..BOOT
        },
        Boot {
            name: "late-one-cpu",
            cpus: 1,
            scenarios: vec![
                Scenario {
                    name: "late-order0",
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 4096 --seed 31|\
                        pageout:all,touch-read:0-255,touch-write:256-511,free:600-900/2,mark:/tmp/late-order0/in-use.0,\
                        wait:/tmp/late-order0/recording,pageout:100-300,touch-read:2000-2600/3,free:2000-2100"],
                    at_least: &[("zswpout", 2500), ("zswpin", 300), ("swpout_zero", 800)],
                    ..LATE
                },
                Scenario {
                    // Of one size and one priority: only their order tells them apart.
                    name: "late-equals",
                    backing: Backing::Device,
                    machine: ("zram 0 16M; zram 1 16M", "zram_off 0; zram_off 1"),
                    devices: &[("/dev/zram0", "3"), ("/dev/zram1", "3")],
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 5000 --seed 37|\
                        pageout:all,mark:/tmp/late-equals/in-use.0,touch-read:0-1500,\
                        wait:/tmp/late-equals/recording,free:100-900,pageout:all"],
                    at_least: &[("pswpout", 3000), ("pswpin", 700)],
                    ..LATE
                },
                Scenario {
                    name: "late-device",
                    backing: Backing::Device,
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 4096 --seed 32|\
                        pageout:all,sleep:1000,reclaim:4096,touch-read:0-255,mark:/tmp/late-device/in-use.0,\
                        wait:/tmp/late-device/recording,touch-write:256-511,free:600-900/2,pageout:100-300"],
                    at_least: &[("pswpout", 2500), ("pswpin", 200), ("swpout_zero", 800)],
                    ..LATE
                },
            ],
            ..BOOT
        },
        Boot {
            name: "late-four-cpus",
            cpus: 4,
            in_turn: true,
            scenarios: vec![
                Scenario {
                    name: "late-parallel",
                    backing: Backing::Writeback,
                    workers: &[
                        "--cgroup /sys/fs/cgroup/wl --set memory.max=40M --set memory.zswap.max=3M --pages 6144 \
                            --seed 33|random:4000,mark:/tmp/late-parallel/in-use.0,random:20000,\
                            wait:/tmp/late-parallel/recording,random:6000",
                        "--cgroup /sys/fs/cgroup/wl --pages 6144 --seed 34|random:4000,\
                            mark:/tmp/late-parallel/in-use.1,random:20000,wait:/tmp/late-parallel/recording,\
                            random:6000,free:0-1000",
                        "--cgroup /sys/fs/cgroup/wl --pages 6144 --seed 35|pageout:all,\
                            mark:/tmp/late-parallel/in-use.2,random:20000,wait:/tmp/late-parallel/recording,fork,\
                            random:6000,pageout:0-3000",
                    ],
                    at_least: &[("zswpout", 10000), ("zswpin", 3000), ("pswpout", 1000)],
                    ..LATE
                },
                Scenario {
                    name: "late-thp",
                    workers: &["--cgroup /sys/fs/cgroup/wl --thp --block 512 --pages 16384 --seed 36|\
                        pageout:all,mark:/tmp/late-thp/in-use.0,touch-read:0-700,touch-write:5000-5300,\
                        wait:/tmp/late-thp/recording,free:6000-6300,pageout:4000-7000"],
                    at_least: &[("zswpout", 9000), ("swpout_zero", 2000)],
                    ..LATE
                },
            ],
            ..BOOT
        },
        Boot {
            // More than half full: the allocator takes back cached slots nobody uses while it scans.
            name: "tight",
            cpus: 1,
            swap: 64,
            scenarios: vec![Scenario {
                name: "reclaim",
                backing: Backing::Device,
                workers: &[
                    "--cgroup /sys/fs/cgroup/wl --set memory.max=24M --pages 13500 --seed 21|random:40000",
                    "--cgroup /sys/fs/cgroup/wm --set memory.max=12M --thp --pages 5120 --block 512 --seed 22|\
                        random:8000,free:0-2000,random:8000",
                ],
                at_least: &[("pswpout", 15000), ("pswpin", 10000)],
                large: true,
                ..CLEAN
            }],
            ..BOOT
        },
        Boot {
            // What the kernel refuses, other sizes of folios, several devices, and all of it taken back.
            name: "corners",
            cpus: 2,
            swap: 64,
            scenarios: vec![
                Scenario {
                    name: "swap-max",
                    workers: &["--cgroup /sys/fs/cgroup/wl --set memory.swap.max=8M --pages 6144 --seed 31|\
                        pageout:all,touch-write:0-999,pageout:all"],
                    at_least: &[("zswpout", 1000)],
                    ..CLEAN
                },
                Scenario {
                    name: "no-writeback",
                    backing: Backing::Memory,
                    workers: &["--cgroup /sys/fs/cgroup/wl --set memory.zswap.writeback=0 \
                        --set memory.zswap.max=1M --pages 6144 --seed 32|pageout:all,touch-read:0-2000"],
                    at_least: &[("zswpout", 300), ("swpout_zero", 800)],
                    ..CLEAN
                },
                Scenario {
                    name: "mthp",
                    machine: (
                        "size never 2048; size madvise 64; size madvise 256",
                        "size madvise 2048; size never 64; size never 256",
                    ),
                    workers: &["--cgroup /sys/fs/cgroup/wl --thp --block 64 --pages 6144 --seed 33|\
                        pageout:all,touch-read:0-700,touch-write:2000-2600,free:3000-3600/2,pageout:all"],
                    at_least: &[("zswpout", 3000), ("swpout_zero", 800)],
                    large: true,
                    ..CLEAN
                },
                Scenario {
                    name: "mthp-device",
                    backing: Backing::Device,
                    machine: ("size never 2048; size madvise 64", "size madvise 2048; size never 64"),
                    workers: &[
                        "--cgroup /sys/fs/cgroup/wl --set memory.max=16M --thp --block 64 --pages 6144 \
                        --seed 34|random:6000,free:3000-3600/2,random:3000",
                    ],
                    at_least: &[("pswpout", 3000), ("pswpin", 1000)],
                    large: true,
                    ..CLEAN
                },
                Scenario {
                    // The faster device first, the rest on the disk; reads and writes of zram end where they begin.
                    name: "priorities",
                    backing: Backing::Device,
                    machine: ("zram 0 16M", "zram_off 0"),
                    devices: &[("/dev/vda", ""), ("/dev/zram0", "10")],
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 8192 --seed 35|\
                        pageout:all,sleep:500,touch-read:0-2000,touch-write:5000-6000,free:100-900,pageout:all"],
                    at_least: &[("pswpout", 5000), ("pswpin", 1000)],
                    ..CLEAN
                },
                Scenario {
                    name: "equals",
                    backing: Backing::Device,
                    machine: ("zram 0 16M; zram 1 12M", "zram_off 0; zram_off 1"),
                    devices: &[("/dev/zram0", "3"), ("/dev/zram1", "3")],
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 5000 --seed 36|\
                        pageout:all,touch-read:0-1500,free:100-900,pageout:all"],
                    at_least: &[("pswpout", 3000), ("pswpin", 700)],
                    ..CLEAN
                },
                Scenario {
                    name: "swapoff",
                    end: End::Swapoff,
                    // All fits into memory: pages go out because they are named, and come back under swapoff.
                    workers: &[
                        "--cgroup /sys/fs/cgroup/wl --pages 6000 --seed 37|pageout:all,random:3000,pageout:all,\
                        random:3000,pageout:all,random:3000,pageout:all,random:3000,pageout:all,random:3000,\
                        pageout:all,random:3000,pageout:all,random:3000,pageout:all,random:1000000",
                        "--cgroup /sys/fs/cgroup/wl --pages 4000 --shared --seed 38|pageout:all,random:2000,\
                        pageout:all,random:2000,pageout:all,random:2000,pageout:all,random:2000,pageout:all,\
                        random:2000,pageout:all,random:2000,pageout:all,random:1000000",
                    ],
                    at_least: &[("zswpout", 3000)],
                    ..CLEAN
                },
            ],
            ..BOOT
        },
        Boot {
            name: "four-cpus",
            cpus: 4,
            swap: 512,
            scenarios: vec![
                Scenario {
                    name: "writeback",
                    backing: Backing::Writeback,
                    workers: &["--cgroup /sys/fs/cgroup/wl --set memory.max=64M --set memory.zswap.max=8M \
                        --pages 32768 --seed 9|random:40000,free:3000-6000/2,touch-read:8000-8500"],
                    at_least: &[("zswpwb", 2000), ("pswpout", 4000), ("pswpin", 1000), ("zswpout", 5000)],
                    ..CLEAN
                },
                Scenario {
                    name: "parallel",
                    workers: &[
                        "--cgroup /sys/fs/cgroup/wl --set memory.max=48M --pages 6144 --seed 10|random:20000",
                        "--cgroup /sys/fs/cgroup/wl --pages 6144 --seed 11|random:20000,free:0-1000",
                        "--cgroup /sys/fs/cgroup/wl --pages 6144 --seed 12|pageout:all,random:20000,pageout:0-3000",
                        "--cgroup /sys/fs/cgroup/wl --pages 6144 --seed 13|random:10000,fork,random:10000",
                    ],
                    at_least: &[("zswpout", 10000), ("zswpin", 5000)],
                    ..CLEAN
                },
                Scenario {
                    name: "thp",
                    workers: &["--cgroup /sys/fs/cgroup/wl --thp --block 512 --pages 16384 --seed 14|\
                        pageout:all,touch-read:0-700,touch-write:5000-5300,free:6000-6300,pageout:4000-7000"],
                    at_least: &[("zswpout", 9000), ("swpout_zero", 2000)],
                    large: true,
                    ..CLEAN
                },
                Scenario {
                    name: "thp-device",
                    backing: Backing::Device,
                    workers: &["--cgroup /sys/fs/cgroup/wl --thp --block 512 --pages 16384 --seed 15|\
                        pageout:all,sleep:1000,reclaim:8000,touch-read:0-700,free:6000-6300"],
                    at_least: &[("pswpout", 9000)],
                    large: true,
                    ..CLEAN
                },
            ],
            ..BOOT
        },
        Boot { name: "rights", extra: RIGHTS, ..BOOT },
        Boot { name: "losses", cpus: 4, extra: LOSSES, ..BOOT },
        Boot { name: "lockdown", cpus: 1, append: "lockdown=confidentiality", extra: LOCKDOWN, ..BOOT },
    ]
}

/// The script of a boot: the functions, then a call for each scenario, then its own.
pub(crate) fn script(lib: &str, boot: &Boot) -> String {
    let mut script = format!("{lib}\n{}\n", boot.prepare);
    for s in &boot.scenarios {
        let zswap = if s.backing == Backing::Device { "N" } else { "Y" };
        let end = match s.end {
            End::Clean | End::Lossy => "int",
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
    fn script_calls_each_scenario() {
        let boots = full();
        let text = script("# lib", &boots[0]);
        assert!(text.starts_with("# lib\n") && text.ends_with("exit $failed\n"));
        assert!(text.contains("scenario small-ring Y '--ring-size 4096' int '"), "{text}");
        assert!(text.contains("scenario device N '' int '") && text.contains("scenario killed Y '' kill '"));
    }
}

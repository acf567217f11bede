//! One CPU: nothing happens beside the load, so everything must agree to the last slot.

use super::{BOOT, Backing, Boot, CLEAN, End, Scenario};

/// Probes where trampolines would do.
const PROBES: &str = include_str!("../../../../guest/probes.sh");

/// The boots of this part.
pub(super) fn boots() -> Vec<Boot> {
    vec![
        Boot {
            name: "probes",
            cpus: 1,
            extra: PROBES,
            scenarios: vec![Scenario {
                name: "order0-probes",
                record_args: "--rung kprobe",
                workers: &["--cgroup /sys/fs/cgroup/wl --pages 4096|\
                        pageout:all,touch-read:0-255,touch-write:256-511,free:600-900/2,pageout:100-300,\
                        touch-read:2000-2600/3,free:2000-2100"],
                at_least: &[("zswpout", 2500), ("zswpin", 300), ("swpout_zero", 800), ("swpin_zero", 80)],
                ..CLEAN
            }],
            ..BOOT
        },
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
                    // Read the tables again it would know everything in the end.
                    record_args: "--ring-size 4096 --no-scan",
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
    ]
}

//! The recorder comes when swap is in use and the load runs.

use super::{BOOT, Backing, Boot, End, LATE, Scenario};

/// The dashboard's own comparison, after the scenarios.
const DASHBOARD: &str = include_str!("../../../../guest/dashboard.sh");

/// The boots of this part.
pub(super) fn boots() -> Vec<Boot> {
    vec![
        Boot {
            name: "late-one-cpu",
            cpus: 1,
            scenarios: vec![
                Scenario {
                    name: "late-order0",
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 4096 --seed 31|\
                        pageout:all,touch-read:0-255,touch-write:256-511,free:600-900/2,mark:/tmp/late-order0/in-use.0,\
                        wait:/tmp/late-order0/recording,pageout:100-300,touch-read:2000-2600/3,free:2000-2100,\
                        touch-write:1000-2999,pageout:all,touch-write:500-3500,pageout:all"],
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
            extra: DASHBOARD,
            ..BOOT
        },
        Boot {
            name: "churn",
            cpus: 4,
            in_turn: true,
            scenarios: vec![Scenario {
                // A minute of swapping by three at once, that the recorder comes into the middle of.
                name: "churn",
                backing: Backing::Writeback,
                record_args: "--verify --ring-size 64M",
                workers: &[
                    "--cgroup /sys/fs/cgroup/wl --set memory.high=48M --set memory.zswap.max=3M --pages 6144 \
                        --seed 51|random:4000,mark:/tmp/churn/in-use.0,churn:/tmp/churn/recording:60000",
                    "--cgroup /sys/fs/cgroup/wl --pages 6144 --seed 52|random:4000,mark:/tmp/churn/in-use.1,\
                        churn:/tmp/churn/recording:60000,free:0-1000",
                    "--cgroup /sys/fs/cgroup/wl --pages 6144 --seed 53|pageout:all,mark:/tmp/churn/in-use.2,\
                        churn:/tmp/churn/recording:60000,fork,random:1000,pageout:0-3000",
                ],
                at_least: &[("zswpout", 5000), ("zswpin", 2000), ("pswpout", 2000), ("pswpin", 500)],
                ..LATE
            }],
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
                        "--cgroup /sys/fs/cgroup/wl --set memory.high=40M --set memory.zswap.max=3M --pages 6144 \
                            --seed 33|random:4000,mark:/tmp/late-parallel/in-use.0,random:20000,\
                            wait:/tmp/late-parallel/recording,random:6000",
                        "--cgroup /sys/fs/cgroup/wl --pages 6144 --seed 34|random:4000,\
                            mark:/tmp/late-parallel/in-use.1,random:20000,wait:/tmp/late-parallel/recording,\
                            random:6000,free:0-1000",
                        "--cgroup /sys/fs/cgroup/wl --pages 6144 --seed 35|pageout:all,\
                            mark:/tmp/late-parallel/in-use.2,random:20000,wait:/tmp/late-parallel/recording,fork,\
                            random:6000,pageout:0-3000",
                    ],
                    at_least: &[("zswpout", 5000), ("zswpin", 800), ("pswpout", 1000)],
                    ..LATE
                },
                Scenario {
                    name: "late-thp",
                    workers: &["--cgroup /sys/fs/cgroup/wl --thp --block 512 --pages 16384 --seed 36|\
                        pageout:all,mark:/tmp/late-thp/in-use.0,touch-read:0-700,touch-write:5000-5300,\
                        wait:/tmp/late-thp/recording,free:6000-6300,pageout:4000-7000"],
                    at_least: &[("zswpout", 9000), ("swpout_zero", 2000)],
                    large: true,
                    ..LATE
                },
            ],
            ..BOOT
        },
        Boot {
            name: "lossy",
            cpus: 4,
            in_turn: true,
            scenarios: vec![Scenario {
                // A ring that overflows whenever many pages are named at once. When the tables are read again after that,
                // they go on, one page at a time.
                name: "churn-lossy",
                backing: Backing::Writeback,
                record_args: "--verify --ring-size 16384",
                end: End::Rescan,
                // What zswap holds counts against the cgroup as well: without a limit of its own it leaves no room.
                workers: &[
                    "--cgroup /sys/fs/cgroup/wl --set memory.high=40M --set memory.zswap.max=4M --pages 6144 \
                            --seed 41|pageout:all,random:4000,pageout:all,mark:/tmp/churn-lossy/lost.0,wait:/tmp/churn-lossy/certain,touch-read:9,sleep:200,\
                            touch-write:19,sleep:200,free:29-31,sleep:200,pageout:9-19",
                    "--cgroup /sys/fs/cgroup/wl --pages 6144 --seed 42|pageout:all,random:4000,free:0-1000,\
                            pageout:all,mark:/tmp/churn-lossy/lost.1,wait:/tmp/churn-lossy/certain,touch-write:2009,sleep:200,\
                            touch-read:2019,sleep:200,pageout:2000-2020",
                    "--cgroup /sys/fs/cgroup/wl --shared --pages 3000 --seed 43|pageout:all,random:4000,pageout:all,\
                            mark:/tmp/churn-lossy/lost.2,wait:/tmp/churn-lossy/certain,touch-read:9,sleep:200,\
                            touch-write:19,sleep:200,pageout:0-20",
                ],
                at_least: &[("zswpout", 5000)],
                ..LATE
            }],
            ..BOOT
        },
    ]
}

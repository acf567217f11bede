//! Four CPUs at the same time.

use super::{BOOT, Backing, Boot, CLEAN, Scenario};

/// The boots of this part.
pub(super) fn boots() -> Vec<Boot> {
    vec![Boot {
        name: "four-cpus",
        cpus: 4,
        swap: 512,
        scenarios: vec![
            Scenario {
                name: "writeback",
                backing: Backing::Writeback,
                workers: &["--cgroup /sys/fs/cgroup/wl --set memory.max=64M --set memory.zswap.max=8M \
                        --pages 32768 --seed 9|random:40000,free:3000-6000/2,touch-read:8000-8500"],
                at_least: &[("zswpwb", 1000), ("pswpout", 2000), ("pswpin", 1000), ("zswpout", 5000)],
                ..CLEAN
            },
            Scenario {
                name: "parallel",
                workers: &[
                    "--cgroup /sys/fs/cgroup/wl --set memory.high=48M --pages 6144 --seed 10|random:20000",
                    "--cgroup /sys/fs/cgroup/wl --pages 6144 --seed 11|random:20000,free:0-1000",
                    "--cgroup /sys/fs/cgroup/wl --pages 6144 --seed 12|pageout:all,random:20000,pageout:0-3000",
                    "--cgroup /sys/fs/cgroup/wl --pages 6144 --seed 13|random:10000,fork,random:10000",
                ],
                at_least: &[("zswpout", 6000), ("zswpin", 2500)],
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
    }]
}

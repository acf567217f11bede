//! What the kernel refuses, other sizes of folios, several devices, and all of it taken back.

use super::{BOOT, Backing, Boot, CLEAN, End, Scenario};

/// The boots of this part.
pub(super) fn boots() -> Vec<Boot> {
    vec![Boot {
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
                workers: &["--cgroup /sys/fs/cgroup/wl --set memory.max=16M --thp --block 64 --pages 6144 \
                        --seed 34|random:6000,free:3000-3600/2,random:3000"],
                at_least: &[("pswpout", 2000), ("pswpin", 1000)],
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
    }]
}

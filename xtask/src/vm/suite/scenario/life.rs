//! What else can happen in a slot's life, once each. One CPU: every count must be exact.

use super::{BOOT, Backing, Boot, CLEAN, Scenario, Special};

/// What the verifier says of each program.
const VERIFIED: &str = include_str!("../../../../guest/verified.sh");

/// The boots of this part.
pub(super) fn boots() -> Vec<Boot> {
    vec![
        Boot {
            name: "life",
            cpus: 1,
            swap: 64,
            prepare: "load_more",
            extra: VERIFIED,
            scenarios: vec![
                Scenario {
                    name: "hibernation",
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 1500 --seed 41|\
                        pageout:0-599,hibernate:70,pageout:600-1000,thaw,touch-write:0-99,hibernate:40,\
                        pageout:1001-1499,free:0-50"],
                    at_least: &[("zswpout", 800)],
                    special: Special::Image(40),
                    ..CLEAN
                },
                Scenario {
                    name: "cgroup-gone",
                    workers: &[
                        "--cgroup /sys/fs/cgroup/gone --pages 1000 --seed 42|\
                            pageout:all,remove-cgroup,touch-read:0-99,free:100-199",
                        // What is in memory when the cgroup goes is its parent's from then on.
                        "--cgroup /sys/fs/cgroup/outer/inner --pages 1000 --seed 43|\
                            pageout:0-499,remove-cgroup,pageout:500-999",
                    ],
                    at_least: &[("zswpout", 1000)],
                    special: Special::Removed(&["/gone (deleted)", "/outer/inner (deleted)"]),
                    ..CLEAN
                },
                Scenario {
                    // No slot keeps the id of the first one: the next cgroup may have it. Apart from the others: a third
                    // thread would find both copies of an exit busy when the other two are preempted in them.
                    name: "cgroup-again",
                    workers: &["--cgroup /sys/fs/cgroup/first --pages 1000 --seed 44|\
                        pageout:all,remove-cgroup,free:all,sleep:1500,cgroup:/sys/fs/cgroup/second,fill:all,\
                        pageout:all"],
                    at_least: &[("zswpout", 1000)],
                    ..CLEAN
                },
                Scenario {
                    name: "swap-file",
                    backing: Backing::Device,
                    machine: ("file_system /dev/vda; swap_file /mnt/swap 40", "umount /mnt"),
                    devices: &[("/mnt/swap", "")],
                    workers: &[
                        "--cgroup /sys/fs/cgroup/wl --pages 3000 --seed 45|\
                            pageout:all,sleep:500,reclaim:3000,touch-read:0-255,free:600-900/2,pageout:100-300",
                        // A file has no slots for large folios: they are split.
                        "--cgroup /sys/fs/cgroup/wm --pages 1024 --thp --block 512 --seed 46|pageout:all",
                    ],
                    at_least: &[("pswpout", 2000), ("pswpin", 150), ("thp_swpout_fallback", 1)],
                    ..CLEAN
                },
                Scenario {
                    name: "discard",
                    backing: Backing::Device,
                    machine: ("nullb 16", "nullb_off"),
                    devices: &[("/dev/n0", "discard")],
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 3500 --seed 47|\
                        pageout:all,sleep:300,reclaim:3500,free:0-2600,sleep:500,fill:0-1000,pageout:0-1000,\
                        sleep:300,free:0-1000,sleep:500"],
                    at_least: &[("pswpout", 2500)],
                    special: Special::Discard("n0"),
                    ..CLEAN
                },
                Scenario {
                    name: "write-errors",
                    backing: Backing::Device,
                    machine: ("nullb 16", "nullb_off"),
                    devices: &[("/dev/n0", "")],
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 2500 --seed 48|\
                        set:/sys/kernel/config/nullb/n0/badblocks=+8192-10239,pageout:all,sleep:1000,\
                        set:/sys/kernel/config/nullb/n0/badblocks=-8192-10239,touch-read:0-2000/3,\
                        set:/sys/kernel/config/nullb/n0/badblocks=+8192-10239,pageout:0-300,sleep:1000"],
                    at_least: &[("pswpout", 1500)],
                    special: Special::BadSlots(8192 / 8, 10239 / 8),
                    ..CLEAN
                },
                Scenario {
                    // Page by page, without readahead: as many reads fail as pages are asked for. None is of zeroes.
                    name: "read-errors",
                    backing: Backing::Device,
                    machine: (
                        "nullb 16; echo 0 > /proc/sys/vm/page-cluster",
                        "nullb_off; echo 3 > /proc/sys/vm/page-cluster",
                    ),
                    devices: &[("/dev/n0", "")],
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 2000 --pattern comp --seed 58|\
                        pageout:all,sleep:1000,reclaim:2000,sleep:500,\
                        set:/sys/kernel/config/nullb/n0/badblocks=+0-32767,lost:100-399,\
                        set:/sys/kernel/config/nullb/n0/badblocks=-0-32767,touch-read:1000-1299"],
                    at_least: &[("pswpout", 1900), ("pswpin", 300)],
                    special: Special::LostPages(300),
                    ..CLEAN
                },
                Scenario {
                    name: "swap-full",
                    backing: Backing::Device,
                    machine: ("nullb 4", "nullb_off"),
                    devices: &[("/dev/n0", "")],
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 2000 --seed 49|\
                        pageout:all,sleep:500,pageout:all,touch-write:0-100,free:200-300,pageout:all"],
                    at_least: &[("pswpout", 700)],
                    special: Special::Refused(500),
                    ..CLEAN
                },
                Scenario {
                    name: "readahead",
                    backing: Backing::Device,
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 4096 --seed 50|\
                        pageout:all,sleep:1000,reclaim:4096,touch-read:0-1200"],
                    at_least: &[("pswpout", 2500), ("swap_ra", 150)],
                    ..CLEAN
                },
            ],
            ..BOOT
        },
        Boot {
            name: "zswap-life",
            cpus: 1,
            swap: 64,
            scenarios: vec![
                Scenario {
                    name: "zswap-off",
                    backing: Backing::Writeback,
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 4096 --seed 51|\
                        pageout:0-1999,set:/sys/module/zswap/parameters/enabled=N,pageout:2000-4095,sleep:500,\
                        touch-write:0-300,touch-read:300-600,pageout:0-200"],
                    at_least: &[("zswpout", 1000), ("zswpin", 200), ("pswpout", 1000)],
                    ..CLEAN
                },
                Scenario {
                    name: "zswap-full",
                    backing: Backing::Writeback,
                    machine: (":", "echo 20 > /sys/module/zswap/parameters/max_pool_percent"),
                    // The worker spares an entry once, gives up after 16, and is woken by the next refusal: few entries,
                    // and enough of those for it to come round.
                    workers: &["--cgroup /sys/fs/cgroup/wl --pages 4096 --seed 52|\
                            pageout:0-899,set:/sys/module/zswap/parameters/max_pool_percent=0,pageout:2000-4095,\
                            sleep:500,touch-write:2000-3999,pageout:2000-3999,sleep:500,touch-write:2000-3999,\
                            pageout:2000-3999,sleep:500,touch-write:2000-3999,pageout:2000-3999,sleep:1000,\
                            touch-read:0-300"],
                    at_least: &[("zswpout", 500), ("zswpwb", 500), ("pswpout", 1500)],
                    special: Special::PoolLimit,
                    ..CLEAN
                },
                Scenario {
                    name: "shrinker",
                    backing: Backing::Writeback,
                    machine: (
                        "echo Y > /sys/module/zswap/parameters/shrinker_enabled",
                        "echo N > /sys/module/zswap/parameters/shrinker_enabled",
                    ),
                    workers: &[
                        "--cgroup /sys/fs/cgroup/wl --set memory.max=6M --pages 4000 --seed 53|pageout:all,\
                        random:3000,reclaim:2000,random:3000,reclaim:2000,random:3000,reclaim:2000,touch-read:0-300",
                    ],
                    at_least: &[("zswpout", 2500), ("zswpwb", 100)],
                    ..CLEAN
                },
                Scenario {
                    name: "zswap-max",
                    backing: Backing::Writeback,
                    workers: &[
                        "--cgroup /sys/fs/cgroup/wl --set memory.zswap.max=0 --pages 1500 --seed 54|pageout:all",
                        "--cgroup /sys/fs/cgroup/wm --set memory.zswap.max=256K --pages 2500 --seed 55|\
                            pageout:all,touch-read:0-300",
                    ],
                    at_least: &[("zswpout", 300), ("pswpout", 1500)],
                    ..CLEAN
                },
                Scenario {
                    // The first pages of a folio compress, a later one does not, and nothing may go to the device.
                    name: "partial",
                    backing: Backing::Memory,
                    machine: ("size never 2048; size madvise 16", "size madvise 2048; size never 16"),
                    workers: &["--cgroup /sys/fs/cgroup/wl --set memory.zswap.writeback=0 --thp --block 3 \
                        --pattern data --pages 3000 --seed 56|pageout:all,touch-read:0-500"],
                    at_least: &[("zswpout", 500)],
                    large: true,
                    ..CLEAN
                },
                Scenario {
                    name: "orders",
                    // Huge pages first: where small ones were, page tables are in their way.
                    machine: ("sizes never; size madvise 2048", "sizes never; size madvise 2048"),
                    workers: &["--cgroup /sys/fs/cgroup/wl --thp --block 512 --pages 8192 --seed 57|\
                        set:/sys/kernel/mm/transparent_hugepage/hugepages-2048kB/enabled=never,free:0-7167,\
                        set:/sys/kernel/mm/transparent_hugepage/hugepages-16kB/enabled=madvise,fill:0-1023,\
                        set:/sys/kernel/mm/transparent_hugepage/hugepages-16kB/enabled=never,\
                        set:/sys/kernel/mm/transparent_hugepage/hugepages-32kB/enabled=madvise,fill:1024-2047,\
                        set:/sys/kernel/mm/transparent_hugepage/hugepages-32kB/enabled=never,\
                        set:/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled=madvise,fill:2048-3071,\
                        set:/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled=never,\
                        set:/sys/kernel/mm/transparent_hugepage/hugepages-128kB/enabled=madvise,fill:3072-4095,\
                        set:/sys/kernel/mm/transparent_hugepage/hugepages-128kB/enabled=never,\
                        set:/sys/kernel/mm/transparent_hugepage/hugepages-256kB/enabled=madvise,fill:4096-5119,\
                        set:/sys/kernel/mm/transparent_hugepage/hugepages-256kB/enabled=never,\
                        set:/sys/kernel/mm/transparent_hugepage/hugepages-512kB/enabled=madvise,fill:5120-6143,\
                        set:/sys/kernel/mm/transparent_hugepage/hugepages-512kB/enabled=never,\
                        set:/sys/kernel/mm/transparent_hugepage/hugepages-1024kB/enabled=madvise,fill:6144-7167,\
                        set:/sys/kernel/mm/transparent_hugepage/hugepages-1024kB/enabled=never,\
                        pageout:all"],
                    at_least: &[("zswpout", 3000), ("swpout_zero", 512)],
                    large: true,
                    special: Special::Orders,
                    ..CLEAN
                },
            ],
            ..BOOT
        },
    ]
}

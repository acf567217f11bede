//! The transitions of a slot, and what each needs to be known.

use super::super::counters::Total;
use vswap_common::{Field, Hook, Tally};

/// Another way to know a transition from hooks.
pub(super) struct Instead {
    /// Those hooks.
    pub(super) hooks: &'static [Hook],
    /// What of the kernel's structures it takes.
    pub(super) fields: &'static [Field],
    /// What is derived, in words.
    pub(super) how: &'static str,
}

/// What a transition needs to be known.
pub(super) struct Spec {
    /// Its name.
    pub(super) name: &'static str,
    /// What it means for a slot.
    pub(super) shows: &'static str,
    /// Hooks that tell it.
    pub(super) needs: &'static [Hook],
    /// What else does, the best first.
    pub(super) instead: &'static [Instead],
    /// Sums of tracepoints.
    pub(super) sums: &'static [Tally],
    /// Counters that the kernel keeps.
    pub(super) totals: &'static [Total],
    /// What the totals say.
    pub(super) say: &'static str,
}

/// In the order of a slot's life.
pub(super) const SPECS: &[Spec] = &[
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
pub(super) const READS: [(&str, Field, &str); 2] = [
    ("cause of store refusal", Field::RefusalsTold, "only a cgroup's limit is told"),
    ("cause of fallback", Field::FreeSlotsTold, "free slots are counted from the events"),
];

/// What only slots of a virtual device do.
pub(super) const VIRTUAL: &[Spec] = &[
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

//! The hooks by number: index of their counters and key of the plan.

macro_rules! hooks {
    ($($(#[$doc:meta])* $name:ident = $program:literal,)*) => {
        /// A hook: one eBPF program at one kernel function.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[repr(u32)]
        pub enum Hook { $($(#[$doc])* $name,)* }

        impl Hook {
            /// All hooks in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Name of the program in the eBPF object.
            pub const fn program(self) -> &'static str {
                match self { $(Self::$name => $program,)* }
            }
        }
    };
}

hooks! {
    /// Allocation and every other entry into the swap cache, under the cluster lock.
    CacheAdd = "cache_add",
    /// Folio leaves the swap cache, under the cluster lock.
    CacheDel = "cache_del",
    /// Slots become free, under the cluster lock.
    Free = "free",
    /// Owner cgroup recorded, folio locked.
    Charge = "charge",
    /// Allocation failed.
    AllocExit = "alloc_exit",
    /// Writeout begins, folio locked.
    WriteoutEnter = "writeout_enter",
    /// Writeout over: zero-filled or refused.
    WriteoutExit = "writeout_exit",
    /// zswap store begins, folio locked.
    StoreEnter = "store_enter",
    /// zswap store over, folio still locked.
    StoreExit = "store_exit",
    /// One page stored: compressed size.
    StorePage = "store_page",
    /// A zswap entry is freed.
    ZswapFree = "zswap_free",
    /// zswap load over.
    LoadExit = "load_exit",
    /// Swap-in read begins, folio locked.
    ReadEnter = "read_enter",
    /// Swap-in read issued.
    ReadExit = "read_exit",
    /// Physical write queued, folio locked.
    Write = "write",
    /// Physical write finished (interrupt).
    WriteEnd = "write_end",
    /// Physical read finished (interrupt).
    ReadEnd = "read_end",
    /// swapon tells the device's struct.
    SwapOnSlot = "swapon_slot",
    /// swapon is about to enable the device: no slot of it is in use yet.
    SwapOn = "swapon",
    /// swapoff of a device completed.
    SwapOff = "swapoff",
    /// Cluster moves to another list, under the cluster lock.
    ClusterMove = "cluster_move",
    /// References to the slots of a folio go up.
    Dup = "dup",
    /// References to a slot that need not be cached go up (fork).
    DupDirect = "dup_direct",
    /// References go down.
    Put = "put",
    /// The allocator takes a cluster off a list.
    Isolate = "isolate",
    /// An allocation begins.
    AllocEnter = "alloc_enter",
    /// zswap is asked: what comes back without its answer is not zero-filled.
    LoadEnter = "load_enter",
    /// swapoff begins to bring pages back.
    SwapOffBegin = "swapoff_begin",
    /// A slot for the image of a hibernation.
    Hibernate = "hibernate",
    /// Not at a function: user space runs it to read the kernel's tables.
    Scan = "scan",
    /// zswap looks at an old entry: written back, spared or not to be had.
    ShrinkItem = "shrink_item",
    /// A walk for reclaim's shrinker is over.
    ShrinkScan = "shrink_scan",
    /// A walk for a full pool or cgroup is over.
    ShrinkLimit = "shrink_limit",
    /// kswapd reclaims.
    Kswapd = "kswapd",
    /// A thread without a free page reclaims.
    Direct = "direct_enter",
    /// A cgroup at its limit reclaims.
    MemcgReclaim = "memcg_enter",
    /// Somebody asked for reclaim.
    Proactive = "proact_enter",
    /// Pages are reclaimed that somebody named.
    Pageout = "pages_enter",
}

impl Hook {
    /// Name of the program's second copy, for exits of preemptible functions: it does the work when the kernel
    /// skipped the first.
    pub const fn second(self) -> Option<&'static str> {
        match self {
            Self::Charge => Some("charge_2"),
            Self::AllocExit => Some("alloc_exit_2"),
            Self::WriteoutExit => Some("writeout_exit_2"),
            Self::StoreExit => Some("store_exit_2"),
            Self::LoadExit => Some("load_exit_2"),
            Self::ReadExit => Some("read_exit_2"),
            Self::ShrinkScan => Some("shrink_scan_2"),
            Self::ShrinkLimit => Some("shrink_limit_2"),
            _ => None,
        }
    }
}

impl Hook {
    /// Programs that serve the hook on some kernels in one copy: what the kernel skips of them is lost.
    pub const fn helpers(self) -> &'static [&'static str] {
        match self {
            Self::Free => {
                &["free_slot", "free_parked", "free_run", "reserve", "release", "unback", "unback_at_end"]
            }
            Self::CacheAdd => &["back", "cache_enter"],
            Self::CacheDel => &["cache_clear"],
            Self::Charge => &["charge_enter"],
            Self::Write => &["write_phys"],
            Self::AllocExit => &["alloc_return"],
            _ => &[],
        }
    }
}

/// Number of hooks.
pub const HOOKS: usize = Hook::ALL.len();

impl Hook {
    /// The hook with this number, if there is one.
    pub fn from_index(i: usize) -> Option<Self> {
        Self::ALL.get(i).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positions_and_programs_differ() {
        for (i, hook) in Hook::ALL.iter().enumerate() {
            assert_eq!(*hook as usize, i);
            assert!(Hook::ALL[..i].iter().all(|h| h.program() != hook.program()));
            assert!(hook.program().len() < 16, "the kernel cuts program names at 15 bytes");
        }
    }
}

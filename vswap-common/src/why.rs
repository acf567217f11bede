//! Causes: who reclaims, why zswap writes back, why it refuses. Numbers in the records that carry them.

macro_rules! causes {
    ($(#[$doc:meta])* $name:ident, $count:ident: $($(#[$item_doc:meta])* $item:ident = $n:literal, $label:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum $name { $($(#[$item_doc])* $item = $n,)* }

        #[doc = concat!("Number of values of [`", stringify!($name), "`].")]
        pub const $count: usize = $name::ALL.len();

        impl $name {
            /// All of them in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$item,)*];

            /// Name in JSON.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$item => $label,)* }
            }

            /// The one with this number; what a newer version wrote is unknown.
            pub fn from_number(n: u64) -> Self {
                usize::try_from(n).ok().and_then(|n| Self::ALL.get(n)).copied().unwrap_or(Self::Unknown)
            }
        }
    };
}

causes! {
    /// Who made room when a folio was swapped out: the innermost of the reclaim functions that the thread is in.
    Reclaimer, RECLAIMERS:
    /// Nobody told: in none of these functions, or their hooks are missing.
    Unknown = 0, "unknown";
    /// The reclaim thread of a node (`balance_pgdat`).
    Kswapd = 1, "kswapd";
    /// A thread that found no free page (`try_to_free_pages`).
    Direct = 2, "direct";
    /// A cgroup at its limit (`try_to_free_mem_cgroup_pages`).
    Memcg = 3, "memcg";
    /// Somebody wrote to `memory.reclaim`, or to that of a node.
    Proactive = 4, "proactive";
    /// `MADV_PAGEOUT`, DAMON (`reclaim_pages`).
    Pageout = 5, "pageout";
}

causes! {
    /// Why zswap wrote a page back to the device.
    Writeback, WRITEBACKS:
    /// Nobody told.
    Unknown = 0, "unknown";
    /// Reclaim asked its shrinker (`zswap_shrinker_scan`).
    Shrinker = 1, "shrinker";
    /// The pool was full (`shrink_worker`).
    PoolLimit = 2, "pool_limit";
    /// The cgroup was at `memory.zswap.max` (`zswap_store`).
    MemcgLimit = 3, "memcg_limit";
}

causes! {
    /// Why zswap did not take a folio.
    Refusal, REFUSALS:
    /// None of these, or nobody told.
    Unknown = 0, "unknown";
    /// zswap is switched off.
    Disabled = 1, "disabled";
    /// The pool is full.
    PoolLimit = 2, "pool_limit";
    /// The cgroup is at `memory.zswap.max` and nothing could be written back.
    MemcgLimit = 3, "memcg_limit";
    /// The compressor failed or made the page larger (`reject_compress_fail`).
    CompressFail = 4, "compress_fail";
    /// The allocator of compressed pages does not take one so large (`reject_compress_poor`).
    CompressPoor = 5, "compress_poor";
    /// No memory for the compressed page (`reject_alloc_fail`).
    AllocFail = 6, "alloc_fail";
    /// No memory for its entry (`reject_kmemcache_fail`).
    EntryFail = 7, "entry_fail";
}

/// Lowest of the three bits of [`crate::Record::flags`] that hold the [`Reclaimer`], in records of writeouts.
pub const RECLAIMER_SHIFT: u32 = 13;

/// The reclaimer in the flags of a record that has one.
pub fn reclaimer(flags: u16) -> Reclaimer {
    Reclaimer::from_number(u64::from(flags >> RECLAIMER_SHIFT))
}

/// What became of the entries that a walk over zswap's list looked at: places of the four 16-bit counts in `arg` of a
/// `Shrink` record.
pub mod walk {
    /// Written back.
    pub const WRITTEN: usize = 0;
    /// Used since they were stored: spared this time.
    pub const SPARED: usize = 1;
    /// Could not be written back.
    pub const FAILED: usize = 2;
    /// In the swap cache: the walk ended there.
    pub const STOPPED: usize = 3;

    /// The counts as one number.
    pub const fn pack(counts: [u16; 4]) -> u64 {
        counts[0] as u64 | (counts[1] as u64) << 16 | (counts[2] as u64) << 32 | (counts[3] as u64) << 48
    }

    /// The counts in a packed number.
    pub const fn unpack(arg: u64) -> [u64; 4] {
        [arg & 0xffff, arg >> 16 & 0xffff, arg >> 32 & 0xffff, arg >> 48]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positions_and_strangers_are_unknown() {
        for (i, r) in Reclaimer::ALL.iter().enumerate() {
            assert_eq!((*r as usize, Reclaimer::from_number(i as u64)), (i, *r));
            assert_eq!(reclaimer((*r as u16) << RECLAIMER_SHIFT | 0x1fff), *r);
        }
        for (i, r) in Refusal::ALL.iter().enumerate() {
            assert_eq!((*r as usize, Refusal::from_number(i as u64)), (i, *r));
        }
        assert_eq!(Writeback::from_number(4), Writeback::Unknown);
        assert_eq!(Writeback::from_number(u64::MAX), Writeback::Unknown);
        const { assert!(RECLAIMERS <= 8, "three bits") };
    }

    #[test]
    fn counts_of_a_walk_keep_apart() {
        for counts in [[1, 2, 3, 4], [u16::MAX, 0, u16::MAX, 0], [0, u16::MAX, 0, u16::MAX]] {
            assert_eq!(walk::unpack(walk::pack(counts)), counts.map(u64::from));
        }
    }
}

//! What is counted where only tracepoints can be attached: sums by kind of transition, not slots.
//!
//! The numbers of the kernel's items differ from build to build: user space reads them from the enums in BTF and
//! writes them into the programs' read-only data ([`Items`]).

use crate::field::MISSING;

/// Where a sum comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    /// `memcg:count_memcg_events` with this enumerator of `enum vm_event_item`.
    Event(&'static str),
    /// `memcg:mod_memcg_state` upwards with this enumerator of `enum memcg_stat_item`.
    Up(&'static str),
    /// The same, downwards.
    Down(&'static str),
    /// `vmscan:mm_vmscan_write_folio`, told apart by the bracket of reclaim that the task is in.
    Written,
    /// The brackets of reclaim themselves.
    Bracket,
    /// `block:block_bio_queue` for swap devices.
    Bio,
    /// Kept by the programs.
    Own,
}

macro_rules! tallies {
    ($($(#[$doc:meta])* $name:ident = $label:literal, $origin:expr,)*) => {
        /// One sum; the number is its index in [`Sums`].
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[repr(usize)]
        pub enum Tally { $($(#[$doc])* $name,)* }

        impl Tally {
            /// All sums in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Name in JSON: the kernel's own where it has one.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// Where it comes from.
            pub const fn origin(self) -> Origin {
                match self { $(Self::$name => $origin,)* }
            }
        }
    };
}

tallies! {
    /// Pages read from swap devices.
    PswpIn = "pswpin", Origin::Event("PSWPIN"),
    /// Pages written to swap devices, writeback of zswap included.
    PswpOut = "pswpout", Origin::Event("PSWPOUT"),
    /// Pages filled with zeroes.
    ZeroIn = "swpin_zero", Origin::Event("SWPIN_ZERO"),
    /// Pages found to be all zeroes.
    ZeroOut = "swpout_zero", Origin::Event("SWPOUT_ZERO"),
    /// Pages decompressed.
    ZswpIn = "zswpin", Origin::Event("ZSWPIN"),
    /// Pages compressed.
    ZswpOut = "zswpout", Origin::Event("ZSWPOUT"),
    /// Pages moved from zswap to a device.
    ZswpWb = "zswpwb", Origin::Event("ZSWPWB"),
    /// Folios of PMD size written whole.
    ThpOut = "thp_swpout", Origin::Event("THP_SWPOUT"),
    /// Folios of PMD size split because no run of slots was found.
    ThpFallback = "thp_swpout_fallback", Origin::Event("THP_SWPOUT_FALLBACK"),
    /// Slots charged to a cgroup.
    SlotsCharged = "slots_charged", Origin::Up("MEMCG_SWAP"),
    /// Slots no cgroup is charged for any more.
    SlotsUncharged = "slots_uncharged", Origin::Down("MEMCG_SWAP"),
    /// Pages that came into zswap.
    ZswapAdded = "zswap_added", Origin::Up("MEMCG_ZSWAPPED"),
    /// Pages that left zswap: loaded, written back, or their slot freed.
    ZswapGone = "zswap_gone", Origin::Down("MEMCG_ZSWAPPED"),
    /// Folios that reclaim wrote for a task that needed memory.
    WrittenDirect = "written_by_direct_reclaim", Origin::Written,
    /// Folios that reclaim wrote for a cgroup at its limit, or on demand (`memory.reclaim`).
    WrittenMemcg = "written_by_memcg_reclaim", Origin::Written,
    /// Folios that kswapd wrote.
    WrittenKswapd = "written_by_kswapd", Origin::Written,
    /// Folios that reclaim wrote outside any bracket that was seen to begin (`MADV_PAGEOUT`, kswapd already awake).
    WrittenOther = "written_by_other_reclaim", Origin::Written,
    /// Direct reclaims that ended.
    DirectReclaims = "direct_reclaims", Origin::Bracket,
    /// Time in them, nanoseconds.
    DirectNs = "direct_reclaim_ns", Origin::Bracket,
    /// Reclaims of a cgroup that ended.
    MemcgReclaims = "memcg_reclaims", Origin::Bracket,
    /// Time in them, nanoseconds.
    MemcgNs = "memcg_reclaim_ns", Origin::Bracket,
    /// Runs of kswapd that ended.
    KswapdRuns = "kswapd_runs", Origin::Bracket,
    /// Time in them, nanoseconds.
    KswapdNs = "kswapd_ns", Origin::Bracket,
    /// Requests queued to read from swap devices.
    BiosRead = "bios_read", Origin::Bio,
    /// Bytes they ask for.
    BytesRead = "bytes_read", Origin::Bio,
    /// Requests queued to write to swap.
    BiosWritten = "bios_written", Origin::Bio,
    /// Bytes they carry.
    BytesWritten = "bytes_written", Origin::Bio,
    /// Pages whose cgroup could not be told or had no room in the table: in the sums, in no cgroup.
    Unattributed = "unattributed", Origin::Own,
    /// Begins of reclaim that found no room in the table of tasks.
    BracketsLost = "brackets_lost", Origin::Own,
}

/// Number of sums.
pub const TALLIES: usize = Tally::ALL.len();
/// The first so many are kept by cgroup as well.
pub const BY_CGROUP: usize = Tally::ZswapGone as usize + 1;
/// Cgroups that have sums of their own; the pages of others are `Unattributed`.
pub const MAX_CGROUPS: u32 = 8192;
/// Swap devices that can be told by their number.
pub const MAX_WATCHED: u32 = 64;

/// All sums.
pub type Sums = [u64; TALLIES];
/// Sums of a cgroup, its children not included.
pub type CgroupSums = [u64; BY_CGROUP];

/// What the programs compare with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Items {
    /// Number of the kernel's item by [`Tally`]; [`MISSING`] where it has none.
    pub items: [u32; BY_CGROUP],
    /// 1 if `mod_memcg_state` has a `long` value, 0 if an `int`.
    pub wide: u32,
}

impl Items {
    /// Compares equal to nothing.
    pub const EMPTY: Self = Self { items: [MISSING; BY_CGROUP], wide: 0 };

    /// The numbers as they are written into the object.
    pub fn words(&self) -> [u32; BY_CGROUP + 1] {
        let mut words = [self.wide; BY_CGROUP + 1];
        words[..BY_CGROUP].copy_from_slice(&self.items);
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ones_are_those_of_cgroups() {
        for (i, tally) in Tally::ALL.iter().enumerate() {
            assert_eq!(*tally as usize, i);
            let of_memcg = matches!(tally.origin(), Origin::Event(_) | Origin::Up(_) | Origin::Down(_));
            assert_eq!(of_memcg, i < BY_CGROUP, "{}", tally.label());
            assert!(Tally::ALL[..i].iter().all(|t| t.label() != tally.label()));
        }
    }

    #[test]
    fn words_are_the_items_and_the_width() {
        let mut items = Items::EMPTY;
        items.items[3] = 7;
        items.wide = 1;
        let words = items.words();
        assert_eq!((words[3], words[BY_CGROUP], words[0]), (7, 1, MISSING));
        assert_eq!(size_of::<Items>(), size_of_val(&words));
    }
}

//! Sets of layout fields that programs of several hooks read.

use vswap_common::Field;

pub(super) const FOLIO: &[Field] = &[Field::FolioSwap, Field::FolioFlags, Field::FolioFlags1, Field::PgHead];
pub(super) const CACHE: &[Field] = &[
    Field::FolioSwap,
    Field::FolioFlags,
    Field::FolioFlags1,
    Field::PgHead,
    Field::CiTable,
    Field::ClusterSlots,
    Field::ZeroInWord,
];
/// The cache hooks where neither owner nor zero flag is in the cluster: both are told by other hooks.
pub(super) const COUNTED: &[Field] = &[
    Field::FolioSwap,
    Field::FolioFlags,
    Field::FolioFlags1,
    Field::PgHead,
    Field::CiTable,
    Field::ClusterSlots,
    Field::CiExtend,
];
/// The same where the counts are not in the words either.
pub(super) const MAPPED: &[Field] = &[
    Field::FolioSwap,
    Field::FolioFlags,
    Field::FolioFlags1,
    Field::PgHead,
    Field::CiTable,
    Field::ClusterSlots,
    Field::CountInMap,
];
pub(super) const CLUSTER: &[Field] = &[Field::SiType, Field::SiClusters, Field::CiSize, Field::ClusterSlots];
pub(super) const BATCH: &[Field] = &[
    Field::SioBvecs,
    Field::SioCount,
    Field::BvecSize,
    Field::BvecPage,
    Field::BvecLen,
    Field::FolioSwap,
    Field::FolioFlags,
    Field::FolioFlags1,
    Field::PgHead,
];

pub(super) const BIO: &[Field] = &[
    Field::IoByBio,
    Field::BioVec,
    Field::BioStatus,
    Field::BvecPage,
    Field::BvecLen,
    Field::FolioSwap,
    Field::FolioFlags,
    Field::FolioFlags1,
    Field::PgHead,
];

/// What the scan reads of every device, folio and xarray.
macro_rules! scan {
    ($($more:ident),*) => {
        &[
            Field::SiMax,
            Field::SiPages,
            Field::SiFlags,
            Field::SiPrio,
            Field::SiClusters,
            Field::CiSize,
            Field::CiCount,
            Field::CiOrder,
            Field::CiList,
            Field::ClusterSlots,
            Field::FolioSwap,
            Field::FolioFlags,
            Field::FolioFlags1,
            Field::PgHead,
            Field::PgLocked,
            Field::PgDirty,
            Field::PageSize,
            Field::XaSize,
            Field::XaHead,
            Field::XaShift,
            Field::XaSlots,
            $(Field::$more,)*
        ]
    };
}

/// 7.2 and later: everything is in the cluster.
pub(super) const SCAN: &[Field] = scan!(CiFlags, CiTable, CiMemcg, ZeroInWord);
/// Virtual swap: the same for its devices, and the words of virtual slots.
pub(super) const SCAN_VIRTUAL: &[Field] = scan!(
    CiFlags, CiTable, CiMemcg, ZeroInWord, VirtTable, VirtIndex, VirtPool, VirtFlag, VirtPhys, VirtZswap,
    VirtTypeAt
);
/// 7.1: owners and zero flags are elsewhere.
pub(super) const SCAN_COUNT: &[Field] =
    scan!(CiFlags, CiTable, CiExtend, SiZeromap, CgroupMap, CgroupCtrlSize);
/// 7.0: the counts too.
pub(super) const SCAN_MAP: &[Field] =
    scan!(CiFlags, CiTable, CountInMap, SiMap, SiZeromap, CgroupMap, CgroupCtrlSize);
/// 6.18 and 6.19: the map has holds for the cache as well.
pub(super) const SCAN_HELD: &[Field] =
    scan!(CiFlags, CiTable, HoldInMap, SiMap, SiZeromap, CgroupMap, CgroupCtrlSize);
/// 6.12: no tables at all.
pub(super) const SCAN_CACHES: &[Field] =
    scan!(SlotCaches, SiMap, SiZeromap, CgroupMap, CgroupCtrlSize, CgroupInPages, SpaceSize, SpacePages);

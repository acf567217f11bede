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

pub(super) const SCAN: &[Field] = &[
    Field::SiMax,
    Field::SiPages,
    Field::SiFlags,
    Field::SiPrio,
    Field::SiClusters,
    Field::CiSize,
    Field::CiCount,
    Field::CiFlags,
    Field::CiOrder,
    Field::CiList,
    Field::CiTable,
    Field::CiMemcg,
    Field::ClusterSlots,
    Field::ZeroInWord,
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
];

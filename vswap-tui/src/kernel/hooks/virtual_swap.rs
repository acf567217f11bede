//! The places of kernels with virtual swap: what a hook does besides, and under which names.

use super::{Alternative, Helper, How, Programs, kprobe};
use vswap_common::Field;

/// What tells that physical slots were taken; without it the first write to them is the first sign.
pub const TAKES_BACKING: &str = "alloc_swap_scan_cluster";

/// The variable that points to the virtual device.
const VIRTUAL_DEVICE: &str = "vswap_si";

/// Fields of the cache hooks and those that find a slot's word in a virtual table.
const WORDS: &[Field] = &[
    Field::VirtTable,
    Field::VirtIndex,
    Field::VirtFlag,
    Field::VirtPhys,
    Field::VirtZswap,
    Field::VirtTypeAt,
    Field::SiType,
    Field::SiFlags,
    Field::SiInuse,
    Field::FolioSwap,
    Field::FolioFlags,
    Field::FolioFlags1,
    Field::PgHead,
    Field::CiTable,
    Field::ClusterSlots,
    Field::ZeroInWord,
];

/// The allocator is one for both: what it takes for a folio that has its virtual slots already is their backing.
pub(super) const ADDED: Alternative = Alternative {
    function: "__swap_cache_do_add_folio",
    args: &["swap_cluster_info *", "folio *", "swp_entry_t"],
    fields: WORDS,
    instead: None,
    helpers: &[
        takes_backing(&["swap_info_struct *", "swap_cluster_info *", "folio *", "long unsigned int"]),
        // RFC v1 hands over the word to write besides.
        takes_backing(&[
            "swap_info_struct *",
            "swap_cluster_info *",
            "folio *",
            "long unsigned int",
            "long unsigned int",
        ]),
        // Which device is the virtual one; asked once.
        Helper {
            function: VIRTUAL_DEVICE,
            args: &[],
            programs: Programs { how: How::Run, names: &["virtual_device"] },
            optional: false,
        },
    ],
};

const fn takes_backing(args: &'static [&'static str]) -> Helper {
    let programs = Programs { how: How::Fexit, names: &["back"] };
    Helper { function: TAKES_BACKING, args, programs, optional: true }
}

pub(super) const DELETED: Alternative = Alternative {
    function: "__swap_cache_do_del_folio",
    args: &["swap_cluster_info *", "folio *", "swp_entry_t", "_"],
    fields: WORDS,
    instead: None,
    helpers: &[],
};

/// What gives backing up by both of its names, and what gives the physical slots back: a function of its own, or where
/// the compiler took it apart, the end that it shares with [`FREED`]'s own function.
pub(super) const FREED_RFC1: Alternative = freed(&[gives_up("vswap_release_backing"), UNBACKED]);
pub(super) const FREED_RFC1_INLINED: Alternative =
    freed(&[gives_up("vswap_release_backing"), UNBACKED_AT_END]);
pub(super) const FREED: Alternative = freed(&[gives_up("__vswap_release_backing"), UNBACKED]);
pub(super) const FREED_INLINED: Alternative = freed(&[gives_up("__vswap_release_backing"), UNBACKED_AT_END]);

const fn freed(helpers: &'static [Helper]) -> Alternative {
    Alternative {
        function: "__swap_cluster_free_entries",
        args: &["swap_info_struct *", "swap_cluster_info *", "_", "_"],
        fields: FREE,
        instead: None,
        helpers,
    }
}

const FREE: &[Field] = &[
    Field::VirtTable,
    Field::VirtIndex,
    Field::VirtFlag,
    Field::SiType,
    Field::SiFlags,
    Field::SiClusters,
    Field::CiSize,
    Field::CiTable,
    Field::ClusterSlots,
];

const fn gives_up(function: &'static str) -> Helper {
    Helper {
        function,
        args: &["swap_cluster_info *", "_", "_"],
        programs: Programs { how: How::Fentry, names: &["release"] },
        optional: false,
    }
}

const UNBACKED: Helper = Helper {
    function: "__swap_cluster_free_phys_backing",
    args: &["swap_info_struct *", "swap_cluster_info *", "_", "_"],
    programs: Programs { how: How::Fentry, names: &["unback"] },
    optional: false,
};

const UNBACKED_AT_END: Helper = Helper {
    function: "__swap_cluster_finish_free",
    args: &["swap_info_struct *", "swap_cluster_info *", "_", "_"],
    programs: Programs { how: How::Fentry, names: &["unback_at_end"] },
    optional: false,
};

/// The owner of virtual slots is only recorded; slots of a device are charged at once, as elsewhere.
pub(super) const RECORDED: Alternative = Alternative {
    function: "__mem_cgroup_try_charge_swap",
    args: &["folio *"],
    fields: &[
        Field::VirtTable,
        Field::FolioSwap,
        Field::FolioFlags,
        Field::FolioFlags1,
        Field::PgHead,
        Field::CiMemcg,
    ],
    instead: None,
    helpers: &[Helper {
        function: "__mem_cgroup_record_swap",
        args: &["folio *"],
        programs: Programs { how: How::Fexit, names: &["charge_virtual", "charge_virtual_2"] },
        optional: false,
    }],
};

pub(super) const WRITTEN: Alternative = Alternative {
    function: "__swap_writepage",
    args: &["_", "_"],
    fields: &[
        Field::VirtTable,
        Field::ArgWrite,
        Field::FolioSwap,
        Field::FolioFlags,
        Field::FolioFlags1,
        Field::PgHead,
    ],
    instead: None,
    helpers: &[kprobe("__swap_writepage_phys", &["folio *", "_", "swp_entry_t"], &["write_phys"])],
};

/// One function for both; the physical slot is in the virtual table.
pub(super) const WRITTEN_OUT: Alternative = Alternative {
    function: "__swap_writeout",
    args: &["_", "_"],
    fields: &[
        Field::VirtTable,
        Field::VirtPool,
        Field::VirtPhys,
        Field::VirtTypeAt,
        Field::XaHead,
        Field::XaShift,
        Field::XaSlots,
        Field::ClusterSlots,
        Field::ArgWrite,
        Field::FolioSwap,
        Field::FolioFlags,
        Field::FolioFlags1,
        Field::PgHead,
    ],
    instead: Some(Programs { how: How::Kprobe, names: &["write_table"] }),
    helpers: &[],
};

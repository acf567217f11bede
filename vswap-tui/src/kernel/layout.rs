//! From BTF to the layout: every field of [`vswap_common::Field`] read from the running kernel, none assumed.

use super::btf::Btf;
use super::virt;
use vswap_common::{Field, Layout};

/// Resolves all fields; what this kernel does not have stays missing.
pub fn resolve(btf: &Btf) -> Layout {
    let mut layout = Layout::EMPTY;
    for &field in Field::ALL {
        if let Some(value) = value_of(btf, field) {
            layout.set(field, value);
        }
    }
    layout
}

fn value_of(btf: &Btf, field: Field) -> Option<u32> {
    let member = |s: &str, path: &str| btf.member(s, path).map(|m| m.offset);
    match field {
        Field::FolioSwap => member("folio", "swap"),
        Field::FolioFlags => member("folio", "flags"),
        Field::FolioFlags1 => member("folio", "_flags_1"),
        Field::PgHead => u32::try_from(btf.enum_value("pageflags", "PG_head")?).ok(),
        Field::PgSwapcache => u32::try_from(btf.enum_value("pageflags", "PG_swapcache")?).ok(),
        Field::FolioMemcg => member("folio", "memcg_data"),
        // Since 7.1 a folio always points to an obj_cgroup; `is_root` came with that change. Before, to its mem_cgroup.
        Field::ObjcgMemcg => {
            btf.member("obj_cgroup", "is_root")?;
            member("obj_cgroup", "memcg")
        }
        Field::MemcgId => member("mem_cgroup", "id.id"),
        Field::MemcgCgroup => member("mem_cgroup", "css.cgroup"),
        // The program takes a css for its mem_cgroup, which holds only if it is the first member.
        Field::MemcgParent => {
            member("mem_cgroup", "css").filter(|off| *off == 0)?;
            member("mem_cgroup", "css.parent")
        }
        Field::CgroupKn => member("cgroup", "kn"),
        Field::KnId => member("kernfs_node", "id"),
        Field::CiOrder => member("swap_cluster_info", "order"),
        Field::CiTable => member("swap_cluster_info", "table"),
        Field::CiMemcg => {
            // The program indexes u16 ids from the start of the table.
            member("swap_memcg_table", "id").filter(|off| *off == 0)?;
            member("swap_cluster_info", "memcg_table")
        }
        Field::CiExtend => member("swap_cluster_info", "extend_table"),
        Field::CiSize => btf.size_of("swap_cluster_info"),
        Field::SiType => member("swap_info_struct", "type"),
        Field::SiFlags => member("swap_info_struct", "flags"),
        Field::SiMax => member("swap_info_struct", "max"),
        Field::SiPages => member("swap_info_struct", "pages"),
        Field::SiClusters => member("swap_info_struct", "cluster_info"),
        Field::ClusterSlots => {
            let slots = match btf.member("swap_table", "entries") {
                Some(entries) => btf.array_len(entries)?,
                // The largest order that has a list fills a cluster.
                None => {
                    let orders = btf.array_len(btf.member("swap_info_struct", "nonfull_clusters")?)?;
                    1u32.checked_shl(orders.checked_sub(1)?)?
                }
            };
            Some(slots).filter(|n| n.is_power_of_two() && *n <= 512)
        }
        Field::ZeroInWord => {
            // The count moved into the word first (no `swap_map`), the zero flag after it (no zero bitmap).
            let elsewhere = member("swap_info_struct", "swap_map").is_some()
                || member("swap_info_struct", "zeromap").is_some()
                || member("swap_cluster_info", "zero_bitmap").is_some();
            (member("swap_cluster_info", "table").is_some() && !elsewhere).then_some(1)
        }
        Field::SiFree => member("swap_info_struct", "free_clusters"),
        Field::SiFull => member("swap_info_struct", "full_clusters"),
        Field::SiNonfull => member("swap_info_struct", "nonfull_clusters"),
        Field::SiFrag => member("swap_info_struct", "frag_clusters"),
        Field::ListSize => btf.size_of("list_head").filter(|n| *n > 0),
        Field::PageSize => btf.size_of("page").filter(|n| *n > 0),
        Field::ZswapEntry => member("zswap_entry", "swpentry"),
        Field::ZswapLength => member("zswap_entry", "length"),
        Field::SioBvecs => member("swap_iocb", "bvecs"),
        Field::SioCount => member("swap_iocb", "nr_bvecs"),
        Field::BvecSize => btf.size_of("bio_vec"),
        Field::BvecPage => member("bio_vec", "bv_page"),
        Field::BvecLen => member("bio_vec", "bv_len"),
        Field::IoByBio => {
            let bio = |func: &str| {
                btf.signature(func).is_some_and(|args| args.first().is_some_and(|a| a == "bio *"))
            };
            let batches = btf.signature("swap_write_end").is_some();
            (!batches && bio("end_swap_bio_write") && bio("end_swap_bio_read")).then_some(1)
        }
        Field::OwnerByRecord => {
            let args = btf.signature("swap_cgroup_record")?;
            let known = args.len() == 4 && args[0] == "folio *" && args[2] == "swp_entry_t";
            // Before 7.0 the folio is not in the cache yet when its owner is recorded.
            let cached = btf.signature("swapcache_prepare").is_none();
            (known && cached && member("swap_cluster_info", "memcg_table").is_none()).then_some(1)
        }
        Field::FreeByOffset => {
            let args = btf.signature("swap_entries_free")?;
            (args.len() == 5 && args[2] == "long unsigned int").then_some(1)
        }
        Field::CountInMap => {
            let table = member("swap_cluster_info", "table").is_some();
            let map = member("swap_info_struct", "swap_map").is_some();
            // Before 7.0 the map holds a bit for the cache as well, and slots are prepared for it.
            let pure =
                btf.signature("folio_dup_swap").is_some() && btf.signature("swapcache_prepare").is_none();
            (table && map && pure).then_some(1)
        }
        Field::HoldInMap => {
            let table = member("swap_cluster_info", "table").is_some();
            let map = member("swap_info_struct", "swap_map").is_some();
            (table && map && btf.signature("swapcache_prepare").is_some()).then_some(1)
        }
        Field::NoZswap => {
            let swap = btf.size_of("swap_info_struct").is_some();
            (swap && btf.size_of("zswap_entry").is_none()).then_some(1)
        }
        Field::SiUsers => member("swap_info_struct", "users"),
        Field::SlotCaches => {
            let first = |func: &str| btf.signature(func)?.into_iter().next();
            let parked = first("free_swap_slot")? == "swp_entry_t"
                && first("swapcache_free_entries")? == "swp_entry_t *"
                && btf.signature("swap_entry_range_free")?.get(1)? == "swp_entry_t";
            let table = member("swap_cluster_info", "table").is_some();
            let maps = member("swap_info_struct", "swap_map").is_some()
                && member("swap_info_struct", "zeromap").is_some();
            (parked && maps && !table).then_some(1)
        }
        Field::LoadSaysTrue => (btf.signature("zswap_load")?.last()? == "bool").then_some(1),
        Field::BioVec => member("bio", "bi_io_vec"),
        Field::BioStatus => member("bio", "bi_status"),
        // The page that `swap_writepage` was given is the first of its folio.
        Field::ArgWriteout => folio_argument(btf, "swap_writeout")
            .or_else(|| (btf.signature("swap_writepage")?.first()? == "page *").then_some(0)),
        Field::ArgWrite => {
            folio_argument(btf, "__swap_writepage").or_else(|| folio_argument(btf, "__swap_writeout"))
        }
        Field::ArgRead => folio_argument(btf, "swap_read_folio"),
        Field::SiPrio => member("swap_info_struct", "prio"),
        Field::CiCount => member("swap_cluster_info", "count"),
        Field::CiFlags => member("swap_cluster_info", "flags"),
        Field::CiList => {
            // The program takes `next` for the first member and `prev` for the one after it.
            member("list_head", "prev").filter(|off| *off == 8)?;
            member("swap_cluster_info", "list")
        }
        Field::PgUptodate => u32::try_from(btf.enum_value("pageflags", "PG_uptodate")?).ok(),
        Field::PgLocked => u32::try_from(btf.enum_value("pageflags", "PG_locked")?).ok(),
        Field::PgDirty => u32::try_from(btf.enum_value("pageflags", "PG_dirty")?).ok(),
        Field::XaSize => btf.size_of("xarray").filter(|n| *n > 0),
        Field::XaHead => member("xarray", "xa_head"),
        Field::XaShift => member("xa_node", "shift"),
        Field::XaSlots => {
            // The program reads the 64 slots of a node at once.
            btf.array_len(btf.member("xa_node", "slots")?).filter(|n| *n == 64)?;
            member("xa_node", "slots")
        }
        Field::SiInuse => member("swap_info_struct", "inuse_pages"),
        Field::VirtTable => {
            virtual_words(btf)?;
            member("swap_cluster_info_dynamic", "virtual_table")
        }
        Field::VirtIndex => {
            virtual_words(btf)?;
            member("swap_cluster_info_dynamic", "index")
        }
        Field::VirtPool => {
            virtual_words(btf)?;
            member("swap_info_struct", "cluster_info_pool")
        }
        Field::VirtFlag => {
            virtual_words(btf)?;
            u32::try_from(btf.any_enum_value("SWP_VSWAP")?).ok()
        }
        Field::VirtPhys => Some(virtual_words(btf)?.phys),
        Field::VirtZswap => Some(virtual_words(btf)?.zswap),
        Field::VirtZero => virtual_words(btf)?.zero,
        Field::VirtTypeAt => Some(virtual_words(btf)?.type_at),
        Field::ArgFound => {
            virtual_words(btf)?;
            let args = btf.signature("alloc_swap_scan_cluster")?.len() - 1;
            u32::try_from(args).ok().filter(|n| matches!(n, 4 | 5))
        }
        Field::BioDevice => member("bio", "bi_bdev"),
        Field::BioOp => member("bio", "bi_opf"),
        Field::BioSize => member("bio", "bi_iter.bi_size"),
        Field::DeviceNumber => member("block_device", "bd_dev"),
        Field::OpBits => bit(btf, "req_flag_bits", "__REQ_FAILFAST_DEV").filter(|bits| *bits > 0),
        Field::OpRead => number(btf, "req_op", "REQ_OP_READ"),
        Field::OpWrite => number(btf, "req_op", "REQ_OP_WRITE"),
        Field::ListNumbers => {
            let known = [("FREE", 1), ("NONFULL", 2), ("FRAG", 3), ("FULL", 4), ("DISCARD", 5)];
            let number = |list: &str| btf.enum_value("swap_cluster_flags", &format!("CLUSTER_FLAG_{list}"));
            known.iter().all(|(list, n)| number(list) == Some(*n)).then_some(1)
        }
        Field::SwpSolidState | Field::SwpBlock | Field::SwpPageDiscard | Field::SwpSynchronous => {
            // An enum without a name; the label is the enumerator's.
            u32::try_from(btf.any_enum_value(field.label())?).ok()
        }
        Field::OpSwap => bit(btf, "req_flag_bits", "__REQ_SWAP"),
        Field::SiMap => member("swap_info_struct", "swap_map"),
        Field::SiZeromap => member("swap_info_struct", "zeromap"),
        Field::CgroupMap => {
            owners_in_pages(btf)?;
            member("swap_cgroup_ctrl", "map")
        }
        Field::CgroupCtrlSize => btf.size_of("swap_cgroup_ctrl").filter(|n| *n > 0),
        Field::CgroupInPages => owners_in_pages(btf)?.then_some(1),
        Field::SpaceSize => btf.size_of("address_space").filter(|n| *n > 0),
        Field::SpacePages => member("address_space", "i_pages"),
        Field::PercpuSi => member("percpu_swap_cluster", "si"),
        Field::PercpuOffset => member("percpu_swap_cluster", "offset"),
        Field::SiGlobal => member("swap_info_struct", "global_cluster"),
        Field::GlobalNext => member("swap_sequential_cluster", "next"),
        Field::ArgWalk => {
            let args = btf.signature("shrink_memcg_cb")?;
            let last = args.len().checked_sub(2)?;
            // The program looks at the third and the fourth.
            (matches!(last, 2 | 3) && args[last] == "void *").then_some(u32::try_from(last).ok()?)
        }
        Field::LruWritten => number(btf, "lru_status", "LRU_REMOVED_RETRY"),
        Field::LruSpared => number(btf, "lru_status", "LRU_ROTATE"),
        Field::LruFailed => number(btf, "lru_status", "LRU_RETRY"),
        Field::LruStopped => number(btf, "lru_status", "LRU_STOP"),
        // Variables, which BTF does not have: the plan knows.
        Field::FreeSlotsTold | Field::RefusalsTold => None,
    }
}

/// How a map of owners lies in memory; `None` if its elements are not what the program reads.
fn owners_in_pages(btf: &Btf) -> Option<bool> {
    let first = |name: &str| btf.member("swap_cgroup", name).is_some_and(|m| m.offset == 0);
    match btf.size_of("swap_cgroup")? {
        2 if first("id") => Some(true),
        4 if first("ids") => Some(false),
        _ => None,
    }
}

fn number(btf: &Btf, name: &str, enumerator: &str) -> Option<u32> {
    u32::try_from(btf.enum_value(name, enumerator)?).ok()
}

/// Number of a bit in a word of 32.
fn bit(btf: &Btf, name: &str, enumerator: &str) -> Option<u32> {
    number(btf, name, enumerator).filter(|bit| *bit < 32)
}

fn virtual_words(btf: &Btf) -> Option<virt::Words> {
    virt::words(btf)?.ok()
}

/// Position of the folio: it changed places between kernels of one function name. Our programs look at two places.
fn folio_argument(btf: &Btf, func: &str) -> Option<u32> {
    let args = btf.signature(func)?;
    let at = args.iter().position(|a| a == "folio *")?;
    u32::try_from(at).ok().filter(|at| *at < 2 && args.len() == 3)
}

/// Name of the layout generation, by what the structs have (never by version).
pub fn name(btf: &Btf) -> &'static str {
    let has = |s: &str, m: &str| btf.member(s, m).is_some();
    if let Some(words) = virt::words(btf) {
        words.map_or("virtual-swap-unknown", |words| words.name)
    } else if has("swap_cluster_info", "memcg_table") {
        if has("swap_info_struct", "ops") { "swap-table-memcg-ops" } else { "swap-table-memcg" }
    } else if has("swap_cluster_info", "extend_table") {
        "swap-table-count"
    } else if has("swap_cluster_info", "table") && btf.signature("swapcache_prepare").is_some() {
        "swap-table-prepare"
    } else if has("swap_cluster_info", "table") {
        "swap-table-map"
    } else if has("swap_info_struct", "lowest_bit") {
        "swap-map"
    } else {
        "unknown"
    }
}

/// Fields that only kernels before 7.3 have, or those without zswap.
#[cfg(test)]
pub(super) const OLDER: [Field; 13] = [
    Field::IoByBio,
    Field::OwnerByRecord,
    Field::FreeByOffset,
    Field::CountInMap,
    Field::HoldInMap,
    Field::NoZswap,
    Field::SlotCaches,
    Field::LoadSaysTrue,
    Field::SiMap,
    Field::SiZeromap,
    Field::CgroupMap,
    Field::CgroupCtrlSize,
    Field::CgroupInPages,
];

#[cfg(test)]
mod tests {
    use super::super::btf::fixture;
    use super::*;

    fn virtual_only(f: Field) -> bool {
        f as usize >= Field::VirtTable as usize && f as usize <= Field::ArgFound as usize
    }

    #[test]
    fn virtual_swap_has_its_fields_and_only_rfc_1_tags_zeroes() {
        use fixture::Generation;
        for generation in [Generation::VirtualRfc1, Generation::VirtualRfc2, Generation::Virtual] {
            let btf = Btf::parse(fixture::described(generation).build()).unwrap();
            let l = resolve(&btf);
            for f in Field::ALL.iter().filter(|f| virtual_only(**f) && **f != Field::VirtZero) {
                assert!(l.get(*f).is_some(), "{generation:?} {}", f.label());
            }
            let first = generation == Generation::VirtualRfc1;
            assert_eq!(l.get(Field::VirtZero), first.then_some(2));
            assert_eq!(l.get(Field::ArgFound), Some(if first { 5 } else { 4 }));
            assert_eq!((l.get(Field::VirtFlag), l.get(Field::VirtTable)), (Some(1 << 14), Some(96)));
            assert_eq!(l.get(Field::ZeroInWord), Some(1));
            assert_eq!(name(&btf), virtual_words(&btf).unwrap().name);
        }
    }

    #[test]
    fn every_field_of_7_3_is_found_where_the_description_puts_it() {
        let btf = Btf::parse(fixture::swap_table_memcg().build()).unwrap();
        let l = resolve(&btf);
        for f in Field::ALL {
            let by_plan = matches!(f, Field::FreeSlotsTold | Field::RefusalsTold);
            let older = by_plan || OLDER.contains(f) || virtual_only(*f);
            assert_eq!(l.get(*f).is_none(), older, "{}", f.label());
        }
        assert_eq!(l.get(Field::FolioSwap), Some(56));
        assert_eq!(l.get(Field::CiSize), Some(80));
        assert_eq!(l.get(Field::PgHead), Some(9));
        assert_eq!(l.get(Field::ArgWriteout), Some(1), "the folio is second in 7.3");
        assert_eq!(name(&btf), "swap-table-memcg-ops");
    }

    #[test]
    fn zero_bitmap_means_the_flag_is_not_in_the_word() {
        let mut b = fixture::Builder::new();
        b.structure("swap_info_struct", 64, &[("zeromap", 1, 8)]);
        b.structure("swap_cluster_info", 64, &[("table", 1, 8)]);
        let l = resolve(&Btf::parse(b.build()).unwrap());
        assert_eq!(l.get(Field::ZeroInWord), None);
        assert_eq!(l.get(Field::CiTable), Some(8));
    }

    #[test]
    fn lists_with_other_numbers_are_not_known() {
        let numbers = |full: u32| {
            let mut b = fixture::Builder::new();
            let lists = [("FREE", 1), ("NONFULL", 2), ("FRAG", 3), ("FULL", full), ("DISCARD", 5)];
            let names = lists.map(|(list, n)| (format!("CLUSTER_FLAG_{list}"), n));
            let names: Vec<(&str, u32)> = names.iter().map(|(name, n)| (name.as_str(), *n)).collect();
            b.enumeration("swap_cluster_flags", &names);
            resolve(&Btf::parse(b.build()).unwrap()).get(Field::ListNumbers)
        };
        assert_eq!((numbers(4), numbers(6)), (Some(1), None));
    }

    #[test]
    fn css_that_is_not_first_is_not_followed() {
        let mut b = fixture::Builder::new();
        let css = b.structure("cgroup_subsys_state", 64, &[("cgroup", 1, 0), ("parent", 1, 48)]);
        b.structure("mem_cgroup", 512, &[("css", css, 16)]);
        let l = resolve(&Btf::parse(b.build()).unwrap());
        assert_eq!(l.get(Field::MemcgParent), None);
        assert_eq!(l.get(Field::MemcgCgroup), Some(16));
    }
}

//! Plans for each generation, from descriptions of our own making.

use super::super::btf::fixture;
use super::super::layout::OLDER;
use super::*;

fn functions(at: &Alternative) -> impl Iterator<Item = &'static str> {
    std::iter::once(at.function).chain(at.helpers.iter().map(|helper| helper.function))
}

fn symbols() -> Symbols {
    let mut names: Vec<String> =
        SPECS.iter().flat_map(|s| s.alternatives).flat_map(functions).map(|f| format!("0 t {f}\n")).collect();
    names.extend(Address::ALL.iter().map(|a| format!("ffff00 b {}\n", a.names()[0])));
    Symbols::parse(&names.concat())
}

fn full() -> Plan {
    plan(&Btf::parse(fixture::swap_table_memcg().build()).unwrap(), &symbols())
}

#[test]
fn linux_7_3_gets_every_hook() {
    let p = full();
    for h in &p.hooks {
        assert!(h.target.is_ok(), "{:?}: {:?}", h.hook, h.target);
    }
    assert!(p.missing().is_empty());
    assert_eq!(
        p.layout_map().len(),
        Field::ALL.len() - OLDER.len() - 9,
        "all but what only older kernels and virtual swap have"
    );
    assert_eq!(p.hooks[Hook::WriteEnd as usize].target, Ok("swap_write_end"));
}

/// The plan for a generation, which has every hook.
fn complete(generation: fixture::Generation) -> Plan {
    let p = plan(&Btf::parse(fixture::described(generation).build()).unwrap(), &symbols());
    assert!(p.hooks.iter().all(|h| h.target.is_ok()), "{generation:?}: {:?}", p.hooks);
    p
}

#[test]
fn linux_7_2_completes_bio_by_bio() {
    let p = complete(fixture::Generation::Memcg);
    assert_eq!(p.layout_name, "swap-table-memcg");
    assert_eq!(p.hooks[Hook::WriteEnd as usize].target, Ok("__end_swap_bio_write"));
    assert_eq!(p.hooks[Hook::ReadEnd as usize].target, Ok("end_swap_bio_read"));
    let value = |field| p.layout.get(field);
    assert_eq!((value(Field::IoByBio), value(Field::BioVec)), (Some(1), Some(72)));
    assert_eq!(value(Field::ArgWriteout), Some(0), "the folio is first before 7.3");
    assert_eq!((value(Field::ZeroInWord), value(Field::OwnerByRecord)), (Some(1), None));
}

#[test]
fn linux_7_1_has_owners_and_zero_flags_elsewhere() {
    let p = complete(fixture::Generation::Count);
    assert_eq!(p.layout_name, "swap-table-count");
    assert_eq!(p.hooks[Hook::CacheAdd as usize].target, Ok("__swap_cache_add_folio"));
    assert_eq!(p.hooks[Hook::CacheDel as usize].target, Ok("__swap_cache_del_folio"));
    assert_eq!(p.hooks[Hook::Charge as usize].target, Ok("swap_cgroup_record"));
    let value = |field| p.layout.get(field);
    assert_eq!((value(Field::OwnerByRecord), value(Field::CiMemcg)), (Some(1), None));
    assert_eq!((value(Field::ZeroInWord), value(Field::CountInMap)), (None, None));
    assert!(value(Field::ObjcgMemcg).is_some(), "a folio points to an obj_cgroup since 7.1");
}

#[test]
fn linux_7_0_frees_by_offset_and_has_empty_words_in_use() {
    let p = complete(fixture::Generation::Map);
    assert_eq!(p.layout_name, "swap-table-map");
    assert_eq!(p.hooks[Hook::Free as usize].target, Ok("swap_entries_free"));
    assert_eq!(p.hooks[Hook::SwapOnSlot as usize].target, Ok("add_swap_extent"));
    let value = |field| p.layout.get(field);
    assert_eq!((value(Field::FreeByOffset), value(Field::CountInMap)), (Some(1), Some(1)));
    assert_eq!(value(Field::ObjcgMemcg), None, "a folio points to its mem_cgroup before 7.1");
}

#[test]
fn linux_6_12_gets_its_own_programs_and_the_lists_stay_untold() {
    let p =
        plan(&Btf::parse(fixture::described(fixture::Generation::SlotCaches).build()).unwrap(), &symbols());
    assert_eq!((p.layout_name, p.missing()), ("swap-map", vec![]));
    let off: Vec<Hook> = p.hooks.iter().filter(|h| h.target.is_err()).map(|h| h.hook).collect();
    assert_eq!(off, [Hook::ClusterMove, Hook::Dup, Hook::DupDirect, Hook::Put, Hook::Isolate]);
    let programs = |hook: Hook| -> Vec<(How, &str, &str)> {
        p.hooks[hook as usize].probes.iter().map(|p| (p.how, p.function, p.program)).collect()
    };
    assert_eq!(
        programs(Hook::CacheAdd),
        ["cache_joined", "cache_joined_2"].map(|name| (How::Fexit, "add_to_swap_cache", name))
    );
    assert_eq!(
        programs(Hook::Free),
        [
            (How::Fentry, "swap_entry_range_free", "free"),
            (How::Fentry, "swap_range_alloc", "reserve"),
            (How::Kprobe, "free_swap_slot", "free_slot"),
            (How::Kprobe, "swapcache_free_entries", "free_parked"),
            (How::Kprobe, "free_swap_and_cache_nr", "free_run"),
        ]
    );
    assert_eq!(
        programs(Hook::AllocExit),
        [(How::Kretprobe, "folio_alloc_swap", "alloc_return")],
        "fexit takes no function that returns a struct"
    );
    assert_eq!(p.hooks[Hook::Charge as usize].describe().how, "fexit+kprobe");
    assert_eq!(
        p.hooks[Hook::Charge as usize].describe().function,
        "swap_cgroup_record + __mem_cgroup_try_charge_swap"
    );
    let value = |field| p.layout.get(field);
    assert_eq!((value(Field::SlotCaches), value(Field::LoadSaysTrue)), (Some(1), Some(1)));
    assert_eq!((value(Field::ClusterSlots), value(Field::ArgWriteout)), (Some(512), Some(0)));
    assert_eq!(
        (value(Field::CiTable), value(Field::ObjcgMemcg), value(Field::OwnerByRecord)),
        (None, None, None)
    );
}

#[test]
fn virtual_swap_gets_its_places_under_the_names_of_each_posting() {
    use fixture::Generation;
    for generation in [Generation::VirtualRfc1, Generation::VirtualRfc2, Generation::Virtual] {
        let p = plan(&Btf::parse(fixture::described(generation).build()).unwrap(), &symbols());
        let off: Vec<Hook> = p.hooks.iter().filter(|h| h.target.is_err()).map(|h| h.hook).collect();
        assert_eq!(off, [], "{generation:?}: {:?}", p.hooks);
        // Where the kernel has no trampolines, all of it as probes.
        assert!(p.hooks.iter().all(|h| h.as_probes().is_ok()), "{generation:?}");
        let probes = |hook: Hook| -> Vec<(&str, &str)> {
            p.hooks[hook as usize].probes.iter().map(|p| (p.function, p.program)).collect()
        };
        let gives_up = match generation {
            Generation::VirtualRfc1 => "vswap_release_backing",
            _ => "__vswap_release_backing",
        };
        assert_eq!(
            probes(Hook::Free)[1..],
            [(gives_up, "release"), ("__swap_cluster_free_phys_backing", "unback")]
        );
        assert_eq!(probes(Hook::CacheAdd)[1], ("alloc_swap_scan_cluster", "back"));
        assert_eq!(probes(Hook::Charge)[2], ("__mem_cgroup_record_swap", "charge_virtual"));
        let writes: &[(&str, &str)] = match generation {
            Generation::Virtual => &[("__swap_writeout", "write_table")],
            _ => &[("__swap_writepage", "write"), ("__swap_writepage_phys", "write_phys")],
        };
        assert_eq!(probes(Hook::Write), writes);
    }
}

#[test]
fn virtual_swap_is_refused_as_a_whole_where_half_would_be_missing() {
    let described = || fixture::described(fixture::Generation::VirtualRfc1);
    let all: String = SPECS
        .iter()
        .flat_map(|s| s.alternatives)
        .flat_map(functions)
        .map(|name| format!("0 t {name}\n"))
        .collect();
    let p = plan(&Btf::parse(described().build()).unwrap(), &Symbols::parse(&all));
    assert!(p.hooks.iter().all(|h| h.probes.is_empty()));
    assert!(p.missing()[0].contains("address of vswap_si"), "{:?}", p.missing());
    assert!(p.withheld.is_some_and(|why| why.contains("CAP_SYSLOG")));
    let untold = Symbols::parse(&all.replace("0 t vswap_si\n", ""));
    let p = plan(&Btf::parse(described().build()).unwrap(), &untold);
    assert_eq!((p.withheld.is_some(), p.missing().len()), (false, 3), "no user can");

    // The functions of a plain kernel are all there: they are not taken instead.
    let without = all.replace("0 t vswap_release_backing\n", "") + "ff b vswap_si\n";
    let p = plan(&Btf::parse(described().build()).unwrap(), &Symbols::parse(&without));
    assert_eq!(p.missing().len(), 1, "{:?}", p.missing());
    assert!(p.missing()[0].contains("vswap_release_backing"), "{:?}", p.missing());

    let inlined = all.replace("0 t __swap_cluster_free_phys_backing\n", "") + "ff b vswap_si\n";
    let p = plan(&Btf::parse(described().build()).unwrap(), &Symbols::parse(&inlined));
    let last = p.hooks[Hook::Free as usize].probes.last().map(|p| (p.function, p.program));
    assert_eq!(last, Some(("__swap_cluster_finish_free", "unback_at_end")));

    let mut other = fixture::described(fixture::Generation::Memcg);
    other.structure("swap_cluster_info_dynamic", 64, &[("ci", 1, 0), ("virtual_table", 1, 8)]);
    let p = plan(&Btf::parse(other.build()).unwrap(), &symbols());
    assert_eq!((p.layout_name, p.missing().len()), ("virtual-swap-unknown", 3));
    assert!(p.missing()[0].contains("of a kind not known"), "{:?}", p.missing());
}

#[test]
fn a_helper_that_is_missing_turns_the_hook_off() {
    let btf = Btf::parse(fixture::described(fixture::Generation::SlotCaches).build()).unwrap();
    let all: String = SPECS
        .iter()
        .flat_map(|s| s.alternatives)
        .flat_map(functions)
        .map(|name| format!("0 t {name}{}\n", if name == "free_swap_slot" { ".isra.0" } else { "" }))
        .collect();
    let p = plan(&btf, &Symbols::parse(&all));
    assert!(p.missing()[0].contains("free_swap_slot exists only as a copy"), "{:?}", p.missing());
    assert!(p.hooks[Hook::Free as usize].probes.is_empty());
}

#[test]
fn a_kernel_that_prepares_slots_for_the_cache_is_not_taken_for_7_0() {
    let mut b = fixture::described(fixture::Generation::Map);
    b.func("swapcache_prepare", &[1], 1);
    let p = plan(&Btf::parse(b.build()).unwrap(), &symbols());
    assert_eq!(p.layout_name, "swap-table-prepare");
    assert!(p.missing()[0].contains("count in map"), "{:?}", p.missing());
}

#[test]
fn slots_only_leaves_out_what_the_model_needs() {
    let off: Vec<Hook> =
        full().slots_only().hooks.iter().filter(|h| h.target.is_err()).map(|h| h.hook).collect();
    assert_eq!(off, [Hook::Dup, Hook::DupDirect, Hook::Put, Hook::Isolate]);
}

#[test]
fn scan_is_off_by_name_of_what_is_missing_and_everything_else_goes_on() {
    let scan = |p: &Plan| p.hooks[Hook::Scan as usize].target.clone();
    let off = full().without_scan();
    assert_eq!(scan(&off), Err("switched off by --no-scan".to_owned()));
    assert_eq!(off.hooks.iter().filter(|h| h.target.is_err()).count(), 1);

    let btf = || Btf::parse(fixture::swap_table_memcg().build()).unwrap();
    let hidden: String = Address::ALL.iter().map(|a| format!("0 b {}\n", a.names()[0])).collect();
    for text in ["", "ffff10 b swap_info\nffff20 b nr_swapfiles\n", hidden.as_str()] {
        let p = plan(&btf(), &Symbols::parse(text));
        let why = scan(&p).unwrap_err();
        assert!(why.contains("address of") && why.contains("nr_zswap_trees"), "{why}");
        assert_eq!(why.contains("swap_info"), !text.contains("ffff10 b swap_info"), "{why}");
    }
    // Pages in the cache stay unconfirmed without these two, and cgroups without a name; no reason not to look.
    let some = "1 b swap_info\n1 b nr_swapfiles\n1 b zswap_trees\n1 b nr_zswap_trees\n";
    assert!(scan(&plan(&btf(), &Symbols::parse(some))).is_ok());

    let mut b = fixture::Builder::new();
    b.structure("swap_info_struct", 64, &[("lowest_bit", 1, 8)]);
    let why = scan(&plan(&Btf::parse(b.build()).unwrap(), &symbols())).unwrap_err();
    assert!(why.contains("swap_cluster_info.table") && why.contains("xa_node.slots"), "{why}");
}

#[test]
fn kernel_without_swap_tables_is_refused_by_name() {
    let mut b = fixture::Builder::new();
    b.structure("swap_info_struct", 64, &[("lowest_bit", 1, 8)]);
    let p = plan(&Btf::parse(b.build()).unwrap(), &Symbols::default());
    assert_eq!(p.layout_name, "swap-map");
    assert_eq!(p.missing().len(), 3);
    assert!(p.missing()[0].contains("no function __swap_cache_do_add_folio"));
}

#[test]
fn suffixed_and_inlined_functions_are_not_attached() {
    let btf = Btf::parse(fixture::swap_table_memcg().build()).unwrap();
    let text = "0 t move_cluster.isra.0\n0 t swap_writeout\n";
    let p = plan(&btf, &Symbols::parse(text));
    let of = |hook: Hook| p.hooks[hook as usize].target.clone();
    assert!(of(Hook::ClusterMove).unwrap_err().contains("renamed by the compiler"));
    assert!(of(Hook::Write).unwrap_err().contains("inlined everywhere"));
    assert!(of(Hook::WriteoutEnter).is_ok());
}

#[test]
fn changed_arguments_turn_the_hook_off() {
    let mut b = fixture::swap_table_memcg();
    // A later definition does not replace the first: describe the kernel anew with another signature.
    b.func("unused", &[], 0);
    let mut other = fixture::Builder::new();
    other.func("zswap_entry_free", &[1], 0);
    let p = plan(&Btf::parse(other.build()).unwrap(), &Symbols::default());
    let why = p.hooks[Hook::ZswapFree as usize].target.clone().unwrap_err();
    assert!(why.contains("takes (int), expected (zswap_entry *)"), "{why}");
}

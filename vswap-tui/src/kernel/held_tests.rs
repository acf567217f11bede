//! Plans for Linux 6.18 and 6.19, with zswap and without.

use super::btf::{Btf, fixture};
use super::hooks::{How, SPECS};
use super::plan::{Plan, plan};
use super::symbols::Symbols;
use fixture::Generation;
use vswap_common::{Address, Field, Hook};

/// Every function that any hook asks for, and every variable.
fn symbols() -> Symbols {
    let alternatives = || SPECS.iter().flat_map(|spec| spec.alternatives);
    let functions = alternatives().map(|at| at.function);
    let helpers = alternatives().flat_map(|at| at.helpers).map(|helper| helper.function);
    let mut text: String = functions.chain(helpers).map(|name| format!("0 t {name}\n")).collect();
    text.extend(Address::ALL.iter().map(|of| format!("ffff00 b {}\n", of.names()[0])));
    Symbols::parse(&text)
}

fn planned(described: fixture::Builder) -> Plan {
    plan(&Btf::parse(described.build()).unwrap(), &symbols())
}

fn off(p: &Plan) -> Vec<Hook> {
    p.hooks.iter().filter(|h| h.target.is_err()).map(|h| h.hook).collect()
}

fn programs(p: &Plan, hook: Hook) -> Vec<(How, &str, &str)> {
    p.hooks[hook as usize].probes.iter().map(|p| (p.how, p.function, p.program)).collect()
}

const UNTOLD: [Hook; 4] = [Hook::Dup, Hook::DupDirect, Hook::Put, Hook::Isolate];

#[test]
fn linux_6_18_tells_slots_when_their_folio_enters_the_cache() {
    let p = planned(fixture::described(Generation::Hold));
    assert_eq!((p.layout_name, p.missing()), ("swap-table-prepare", vec![]));
    assert_eq!(off(&p), UNTOLD, "{:?}", p.hooks);
    assert_eq!(
        programs(&p, Hook::CacheAdd),
        [(How::Kprobe, "swap_cache_add_folio", "cache_enter")],
        "not under a lock: the entry of a probe is not preempted"
    );
    assert_eq!(
        programs(&p, Hook::CacheDel),
        [
            (How::Fentry, "__swap_cache_del_folio", "cache_del"),
            (How::Kprobe, "swapcache_clear", "cache_clear")
        ]
    );
    assert_eq!(programs(&p, Hook::Free), [(How::Fentry, "swap_entries_free", "free")]);
    assert_eq!(
        programs(&p, Hook::Charge).last(),
        Some(&(How::Kprobe, "__mem_cgroup_try_charge_swap", "charge_enter")),
        "the owner is recorded before the slots are told"
    );
    let value = |field| p.layout.get(field);
    assert_eq!((value(Field::HoldInMap), value(Field::CountInMap)), (Some(1), None));
    assert_eq!((value(Field::OwnerByRecord), value(Field::FreeByOffset)), (None, None));
    assert_eq!((value(Field::ZeroInWord), value(Field::NoZswap)), (None, None));
    assert_eq!(value(Field::ArgRead), Some(0), "the folio is first before 7.3");
}

#[test]
fn the_result_of_an_allocation_is_where_the_arguments_end() {
    let p = planned(fixture::described(Generation::Hold));
    assert_eq!(programs(&p, Hook::AllocExit), [(How::Kretprobe, "folio_alloc_swap", "k_alloc_exit")]);
    assert_eq!(programs(&p, Hook::AllocEnter), [(How::Kprobe, "folio_alloc_swap", "alloc_enter")]);
    let newer = planned(fixture::described(Generation::Map));
    assert_eq!(programs(&newer, Hook::AllocExit)[0], (How::Fexit, "folio_alloc_swap", "alloc_exit"));
}

#[test]
fn the_scan_of_6_18_needs_the_maps_and_the_table() {
    let described = || fixture::described(Generation::Hold);
    assert!(planned(described()).hooks[Hook::Scan as usize].target.is_ok());
    let hidden = Symbols::parse("0 b swap_info\n0 b nr_swapfiles\n");
    let p = plan(&Btf::parse(described().build()).unwrap(), &hidden);
    let why = p.hooks[Hook::Scan as usize].target.clone().unwrap_err();
    assert!(why.contains("address of swap_info"), "{why}");
}

#[test]
fn without_zswap_devices_are_told_by_others_and_reads_by_the_kernels_flag() {
    for generation in [Generation::Hold, Generation::Ops] {
        let p = planned(fixture::without_zswap(generation));
        assert_eq!(p.missing(), Vec::<String>::new());
        assert_eq!(p.layout.get(Field::NoZswap), Some(1));
        assert_eq!(programs(&p, Hook::SwapOn), [(How::Kprobe, "percpu_ref_resurrect", "swapon_ready")]);
        assert_eq!(programs(&p, Hook::SwapOff), [(How::Fentry, "swap_cgroup_swapoff", "swapoff")]);
        let zswap = [Hook::StoreEnter, Hook::StoreExit, Hook::ZswapFree, Hook::LoadExit, Hook::LoadEnter];
        assert!(zswap.iter().all(|hook| off(&p).contains(hook)), "{:?}", off(&p));
        assert!(p.hooks[Hook::Scan as usize].target.is_ok(), "its tables have no trees of zswap");
    }
    // Where zswap is built, nobody else is asked.
    assert_eq!(programs(&planned(fixture::described(Generation::Ops)), Hook::SwapOn)[0].1, "zswap_swapon");
}

#[test]
fn a_hold_without_the_function_that_enters_the_cache_is_refused_by_name() {
    let mut b = fixture::described(Generation::Map);
    b.func("swapcache_prepare", &[1], 1);
    let p = planned(b);
    assert_eq!(p.layout_name, "swap-table-prepare");
    assert!(p.missing()[0].contains("swap_cache_add_folio"), "{:?}", p.missing());
}

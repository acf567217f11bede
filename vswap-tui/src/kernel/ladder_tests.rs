use super::*;
use crate::kernel::btf::{Btf, fixture};
use crate::kernel::hooks::SPECS as HOOKS;

fn hooks(state: impl Fn(Hook) -> HookState) -> Vec<HookPlan> {
    let plan = |spec: &crate::kernel::hooks::Spec| HookPlan {
        hook: spec.hook.program().to_owned(),
        how: spec.how.name().to_owned(),
        state: state(spec.hook),
        reason: if state(spec.hook) == HookState::Ok { String::new() } else { "inlined".to_owned() },
        ..HookPlan::default()
    };
    HOOKS.iter().map(plan).collect()
}

fn without(missing: &[Hook]) -> Vec<HookPlan> {
    hooks(|hook| if missing.contains(&hook) { HookState::Blind } else { HookState::Ok })
}

fn kept(dir: &std::path::Path) -> Counters {
    std::fs::create_dir_all(dir.join("proc")).unwrap();
    std::fs::write(dir.join("proc/vmstat"), "zswpin 1\nzswpout 2\nzswpwb 3\npswpin 4\npswpout 5\n").unwrap();
    std::fs::write(dir.join("proc/swaps"), "Filename Type Size Used Priority\n").unwrap();
    Counters::read(dir)
}

/// The ladder of a kernel without tracepoints.
fn low(hooks: &[HookPlan], layout: &Layout, counters: &Counters, refusal: Option<&str>) -> Vec<Transition> {
    ladder(hooks, layout, &Below { points: &[], items: &Items::EMPTY, counters }, refusal)
}

fn find<'a>(ladder: &'a [Transition], name: &str) -> &'a Transition {
    ladder.iter().find(|t| t.transition == name).unwrap()
}

#[test]
fn every_transition_is_seen_with_every_hook() {
    let mut layout = Layout::EMPTY;
    for field in [Field::RefusalsTold, Field::FreeSlotsTold] {
        layout.set(field, 1);
    }
    let all = low(&without(&[]), &layout, &Counters::default(), None);
    assert!(all.iter().all(|t| t.state == Sight::Seen && t.reason.is_empty()), "{all:?}");
    assert_eq!(find(&all, "free").rung, Rung::Fentry);
    assert_eq!(find(&all, "references").rung, Rung::Kprobe);
    assert_eq!(find(&all, "swap-out to zswap").rung, Rung::Kprobe, "its weakest hook");
    let mut names: Vec<_> = all.iter().map(|t| t.transition).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
}

#[test]
fn virtual_swap_has_transitions_of_its_own() {
    let mut layout = Layout::EMPTY;
    let names = |layout: &Layout| -> Vec<_> {
        low(&without(&[]), layout, &Counters::default(), None).iter().map(|t| t.transition).collect()
    };
    assert!(!names(&layout).contains(&"backing taken"));
    layout.set(Field::VirtTable, 96);
    assert!(names(&layout).ends_with(&["backing taken", "backing given up"]));
}

#[test]
fn every_hook_is_of_use_to_some_transition() {
    // Compressed sizes are beside the transitions, as are reading the tables and the begin of a swapoff, which only the
    // model needs.
    let beside = [Hook::StorePage, Hook::Scan, Hook::SwapOffBegin];
    for hook in Hook::ALL.iter().filter(|h| !beside.contains(h)) {
        assert!(SPECS.iter().any(|s| s.needs.contains(hook)), "{}", hook.program());
    }
}

#[test]
fn another_hook_infers_only_where_the_layout_lets_it() {
    let blind = without(&[Hook::Charge]);
    let mut layout = Layout::EMPTY;
    let owner = |layout: &Layout| find(&low(&blind, layout, &Counters::default(), None), "charge").clone();
    assert_eq!((owner(&layout).state, owner(&layout).rung), (Sight::Blind, Rung::Nothing));
    assert_eq!(owner(&layout).reason, "charge: inlined");
    layout.set(Field::CiMemcg, 24);
    let inferred = owner(&layout);
    assert_eq!((inferred.state, inferred.rung), (Sight::Inferred, Rung::Fentry));
    assert_eq!(inferred.by, ["cache_del"]);
    assert!(inferred.reason.contains("charge: inlined"), "{}", inferred.reason);
}

#[test]
fn without_zswap_the_kernels_flag_tells_reads_apart() {
    let none = without(&[Hook::LoadEnter, Hook::LoadExit]);
    let mut layout = Layout::EMPTY;
    let states = |layout: &Layout| {
        let all = low(&none, layout, &Counters::default(), None);
        ["swap-in of zeroes", "swap-in from device"].map(|name| find(&all, name).clone())
    };
    assert_eq!(states(&layout)[0].state, Sight::Blind, "zswap is there, and its hooks are not");
    layout.set(Field::NoZswap, 1);
    for (read, by) in states(&layout).iter().zip([["read_enter", "read_exit"], ["read_enter", "read_end"]]) {
        assert_eq!((read.state, &read.by[..]), (Sight::Inferred, &by.map(str::to_owned)[..]));
        assert!(read.reason.contains("no zswap to ask"), "{}", read.reason);
    }
}

#[test]
fn without_hooks_totals_remain_and_say_what_they_leave_out() {
    let dir = tempfile::tempdir().unwrap();
    let none = hooks(|_| HookState::Blind);
    let all = low(&none, &Layout::EMPTY, &kept(dir.path()), Some("no slot map without cache_add"));
    let zswap = find(&all, "swap-out to zswap");
    assert_eq!((zswap.state, zswap.rung), (Sight::Inferred, Rung::Counters));
    assert_eq!(zswap.by, ["zswpout in /proc/vmstat"]);
    assert!(zswap.reason.starts_with("totals only") && zswap.reason.contains("store_enter: inlined"));
    let lists = find(&all, "cluster lists");
    assert_eq!((lists.state, lists.rung), (Sight::Blind, Rung::Nothing));
    assert_eq!(find(&all, "swap-in of zeroes").state, Sight::Blind, "no such line in this vmstat");
}

#[test]
fn hooks_do_not_help_where_nothing_is_recorded() {
    let missing = without(&[Hook::CacheAdd]);
    let all = low(&missing, &Layout::EMPTY, &Counters::default(), Some("no slot map without cache_add"));
    assert!(all.iter().all(|t| t.state == Sight::Blind), "{all:?}");
    assert_eq!(find(&all, "free").reason, "no slot map without cache_add");
    assert_eq!(find(&all, "alloc").reason, "cache_add: inlined");
}

#[test]
fn where_hooks_do_not_help_tracepoints_give_the_sums_of_each_cgroup() {
    let btf = Btf::parse(fixture::swap_table_memcg().build()).unwrap();
    let plan = tracepoints::plan(&btf, &crate::kernel::layout::resolve(&btf));
    let points: Vec<HookPlan> = plan.points.iter().map(tracepoints::Point::describe).collect();
    let dir = tempfile::tempdir().unwrap();
    let counters = kept(dir.path());
    let below = Below { points: &points, items: &plan.items, counters: &counters };
    let none = hooks(|_| HookState::Blind);
    let all = ladder(&none, &Layout::EMPTY, &below, Some("refused"));
    let zswap = find(&all, "swap-out to zswap");
    assert_eq!((zswap.state, zswap.rung), (Sight::Inferred, Rung::Tracepoint));
    assert_eq!(zswap.by, ["memcg:count_memcg_events ZSWPOUT"]);
    assert!(zswap.reason.contains("sums of each cgroup (pages), not which slots"), "{}", zswap.reason);
    assert_eq!(find(&all, "free").by, ["memcg:mod_memcg_state MEMCG_SWAP"]);
    assert_eq!(find(&all, "swapon/off").rung, Rung::Counters);
    assert_eq!(find(&all, "cluster lists").state, Sight::Blind);
    // With a slot map nobody attaches them.
    let some = ladder(&without(&[Hook::StoreEnter]), &Layout::EMPTY, &below, None);
    assert_eq!(find(&some, "swap-out to zswap").rung, Rung::Counters);
}

//! What a reader who does not know the code must be able to read off the screen of a small terminal, with as few keys
//! as the footer names.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{MONO, S, app, busy, huge, line_with, lines};
use std::sync::Arc;
use vswap_common::why::{Reclaimer, Writeback};
use vswap_tui::app::frame::Frame;
use vswap_tui::app::message::{Action, Step};
use vswap_tui::app::prompt::Ask;
use vswap_tui::app::{App, Message, View, update};
use vswap_tui::meta::{CgroupUse, Header, HookPlan, HookState};
use vswap_tui::snapshot::closeup::{Closeup, SlotView};
use vswap_tui::snapshot::{Backend, DeviceView, Losses, MemcgView, Snapshot};

fn small(snapshot: Snapshot) -> App {
    app(snapshot, 80, 24)
}

fn press(app: &mut App, actions: &[Action]) {
    for action in actions {
        update(app, Message::Do(*action));
    }
}

fn type_in(app: &mut App, text: &str) {
    text.chars().for_each(|c| press(app, &[Action::Type(c)]));
    press(app, &[Action::Accept]);
}

#[test]
fn how_many_slots_are_in_zswap() {
    line_with(&lines(&small(busy(3)), MONO), &["zswap", "150,000", "586 MiB", "57.3 %"]);
}

#[test]
fn which_cgroup_has_most_on_disk() {
    let mut snapshot = busy(200);
    snapshot.memcgs[77].mix[Backend::Phys as usize] = 9_999;
    let mut dashboard = small(snapshot);
    press(&mut dashboard, &[Action::Show(View::Cgroups), Action::Sort, Action::Sort, Action::Tree]);
    let frame = lines(&dashboard, MONO);
    line_with(&frame, &["flat", "by phys", "1/200"]);
    // The first row, and the cursor is on it: its whole path stands below.
    assert!(frame[3].contains("9,999"), "{}", frame[3]);
    line_with(&frame, &["pod-77", "9,999"]);
}

#[test]
fn how_fragmented_the_device_is_for_order_4() {
    let mut snapshot = busy(3);
    snapshot.devices[0].aligned = [800_000, 300_000, 120_000, 40_000, 12_345, 4_000, 900, 70, 3, 0];
    snapshot.devices[0].aligned_exact = true;
    let mut dashboard = small(snapshot);
    press(&mut dashboard, &[Action::Show(View::Clusters)]);
    line_with(&lines(&dashboard, MONO), &["fits by order", "4:12.3k", "9:0"]);
}

#[test]
fn what_the_p99_of_a_swap_in_from_disk_is() {
    line_with(&lines(&small(busy(3)), MONO), &["p50", "p99", "max"]);
    line_with(&lines(&small(busy(3)), MONO), &["in phys", "81.0 us", "4.56 ms"]);
}

#[test]
fn whether_anything_was_lost() {
    for (lost, told) in [(0, "lost 0"), (41, "LOST 41")] {
        let losses = Losses { lost, gaps: u64::from(lost > 0), ..Losses::default() };
        let mut dashboard = small(Snapshot { losses, ..busy(3) });
        for view in View::ALL {
            press(&mut dashboard, &[Action::Show(view)]);
            assert!(lines(&dashboard, MONO)[0].contains(told), "{view:?}");
        }
    }
}

#[test]
fn who_swaps_and_why_a_second() {
    let mut dashboard = small(busy(3));
    press(&mut dashboard, &[Action::Show(View::Flow)]);
    assert!(!lines(&dashboard, MONO).join("").contains("Why, a second"), "nothing had a cause yet");
    let mut later = busy(3);
    later.ts += 2 * S;
    later.why.writeout[Reclaimer::Memcg as usize][0] = 400;
    later.why.writeout[Reclaimer::Kswapd as usize][0] = 5_000;
    later.why.writeback[Writeback::PoolLimit as usize][0] = 90;
    let now = later.ts;
    let frame = Frame { now, snapshot: Arc::new(later), ..Frame::default() };
    update(&mut dashboard, Message::Frame(frame));
    for size in [(80, 24), (200, 60)] {
        update(&mut dashboard, Message::Resize(size.into()));
        let frame = lines(&dashboard, MONO);
        line_with(&frame, &["out by", "kswapd 2,500, memcg 200"]);
        line_with(&frame, &["written back for", "full pool 45"]);
    }
    // What it came to since the start, on a terminal that has no room for both.
    update(&mut dashboard, Message::Resize((80, 24).into()));
    press(&mut dashboard, &[Action::Totals]);
    let frame = lines(&dashboard, MONO);
    line_with(&frame, &["Slots since the start, from row to column"]);
    line_with(&frame, &["out by", "kswapd 5,000, memcg 400"]);
}

#[test]
fn why_zswap_wrote_back_what_a_cgroup_has() {
    let mut snapshot = busy(1);
    snapshot.memcgs[0] = MemcgView { writebacks: [0, 30, 10, 0], refaults: 4, ..snapshot.memcgs[0].clone() };
    let mut dashboard = small(snapshot.clone());
    press(&mut dashboard, &[Action::Show(View::Cgroups)]);
    line_with(
        &lines(&dashboard, MONO),
        &["written back", "40 pages, shrinker 75.0 %, full pool 25.0 %; read again 4"],
    );
    let mut wide = app(snapshot, 200, 60);
    press(&mut wide, &[Action::Show(View::Cgroups)]);
    let frame = lines(&wide, MONO);
    let (heads, row) = (&frame[2], &frame[3]);
    for (head, value) in [("wb:shrink", "30"), ("wb:pool", "10"), ("wb:limit", "."), ("reread", "4")] {
        let end = heads.find(head).unwrap_or_else(|| panic!("no {head} in {heads}")) + head.len();
        // Names are shown as they are, so columns are counted in characters.
        let cells: Vec<char> = row.chars().collect();
        let told: String = cells[end - value.len()..end].iter().collect();
        assert_eq!(told, value, "{head}\n{heads}\n{row}");
    }
}

/// The slots of a physical device on a kernel with virtual swap, or without.
fn mapping(virtual_swap: bool) -> App {
    let mut snapshot = busy(3);
    let slot = |virt| SlotView {
        used: true,
        backend: Backend::Phys,
        confirmed: true,
        memcg: 1,
        virt,
        ..SlotView::default()
    };
    let held = |i: u64| slot((virtual_swap && i == 77).then_some(vswap_common::Entry::new(5, 4711).0));
    let path = Arc::clone(&snapshot.memcgs[0].path);
    let near = Closeup { dev: 0, cluster: 0, slots: (0..512).map(held).collect(), paths: [(1, path)].into() };
    snapshot.closeup = Some(Arc::new(near));
    if virtual_swap {
        snapshot.devices.push(DeviceView {
            dev: 5,
            name: "vswap".into(),
            r#virtual: true,
            active: true,
            ..DeviceView::default()
        });
    }
    let mut dashboard = small(snapshot);
    press(&mut dashboard, &[Action::Show(View::Mapping), Action::Ask(Ask::Slot)]);
    type_in(&mut dashboard, "/dev/vda:77");
    dashboard
}

#[test]
fn whose_page_a_physical_slot_holds() {
    let frame = lines(&mapping(true), MONO);
    line_with(&frame, &["Slot 0:77"]);
    line_with(&frame, &["0:77", "phys", "holds 5:4711"]);
    line_with(&frame, &["leads", "back to virtual slot 5:4711, whose data it holds (Enter follows)"]);
    line_with(&frame, &["owner", "pod-0"]);
    let mut other = mapping(true);
    press(&mut other, &[Action::Move(Step::Right)]);
    line_with(&lines(&other, MONO), &["leads", "back to no virtual slot: none holds it"]);
    let frame = lines(&mapping(false), MONO);
    line_with(&frame, &["leads", "nowhere else: no virtual swap here, page 77 of the device is its place"]);
}

#[test]
fn what_this_kernel_lets_be_seen_of_each_transition() {
    let hook = |hook: &vswap_common::Hook| HookPlan {
        hook: hook.program().into(),
        how: "fentry".into(),
        state: if *hook == vswap_common::Hook::Free { HookState::Blind } else { HookState::Ok },
        reason: if *hook == vswap_common::Hook::Free { "inlined here".into() } else { String::new() },
        ..HookPlan::default()
    };
    let header =
        Header { plan: vswap_common::Hook::ALL.iter().map(hook).collect(), ..(*busy(3).header).clone() };
    let mut dashboard = small(Snapshot { header: Arc::new(header), ..busy(3) });
    press(&mut dashboard, &[Action::Show(View::Doctor)]);
    let mut frame = Vec::new();
    for _ in 0..5 {
        frame.extend(lines(&dashboard, MONO));
        press(&mut dashboard, &[Action::Move(Step::PageDown)]);
    }
    line_with(&frame, &["Transitions of a slot", "seen", "inferred", "1 blind"]);
    line_with(&frame, &["swap-in from zswap", "seen", "fentry/fexit", "a page is decompressed"]);
    line_with(&frame, &["free", "BLIND", "slots become free"]);
    line_with(&frame, &["inlined here"]);
}

#[test]
fn what_waits_in_cpu_caches_stands_beside_the_difference_of_the_charges() {
    let audit = |idle: Option<u64>| {
        let mut snapshot = busy(3);
        for cgroup in &mut snapshot.memcgs {
            let usage = CgroupUse { swap: Some(152 * 4096), ..CgroupUse::default() };
            (cgroup.charged_then, cgroup.usage) = (100, Some(usage));
        }
        snapshot.devices[0].idle = idle;
        let mut dashboard = small(snapshot);
        press(&mut dashboard, &[Action::Show(View::Cgroups), Action::Tree]);
        lines(&dashboard, MONO).into_iter().find(|line| line.contains("charge audit")).unwrap()
    };
    assert!(audit(Some(76)).contains("+208 KiB, 304 KiB in CPU caches; memory.swap.current 608 KiB"));
    assert!(audit(Some(51)).contains("+208 KiB, 204 KiB in CPU caches; memory.swap.current 608 KiB"));
    for idle in [None, Some(0)] {
        assert!(audit(idle).contains("+208 KiB; memory.swap.current 608 KiB, counted 400 KiB"));
    }
}

#[test]
fn the_screens_of_a_huge_machine_answer_the_questions() {
    let mut dashboard = app(huge(), 80, 24);
    update(&mut dashboard, Message::Do(Action::Show(View::Clusters)));
    line_with(&lines(&dashboard, MONO), &["131,072 clusters"]);
    line_with(&lines(&dashboard, MONO), &["fits by order, at most", "4:4,711", "9:0"]);
    update(&mut dashboard, Message::Do(Action::Show(View::Cgroups)));
    line_with(&lines(&dashboard, MONO), &["1000 cgroups with slots, tree with sums, by slots"]);
    update(&mut dashboard, Message::Do(Action::Tree));
    update(&mut dashboard, Message::Do(Action::Move(Step::Last)));
    let frame = lines(&dashboard, MONO);
    line_with(&frame, &["コ", "-999"]);
    line_with(&frame, &["charge audit", "the same", "3.87 MiB"]);
    update(&mut dashboard, Message::Do(Action::Show(View::Latency)));
    line_with(&lines(&dashboard, MONO), &["in phys", "777", "81.0 us", "4.56 ms", "1.2 s"]);
}

//! Every view, at both sizes, over every kind of data: nothing yet, small, a machine at the bounds, records lost. What a
//! view is for must be on it in each of them, and what does not change must not move.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{MONO, app, busy, huge, lines};
use std::sync::Arc;
use vswap_common::{Entry, Hook, Kind, Record};
use vswap_tui::app::message::{Action, Step};
use vswap_tui::app::{App, Message, View, update};
use vswap_tui::check::{Agreement, BesideView, CpuCaches};
use vswap_tui::decode::{Event, decode};
use vswap_tui::meta::{Header, HookPlan, HookState, HookTotals};
use vswap_tui::snapshot::closeup::{Closeup, SlotView};
use vswap_tui::snapshot::watch::{Picked, Watched};
use vswap_tui::snapshot::{Backend, Losses, Snapshot};
use vswap_tui::whatif::Row;

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 60)];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Data {
    Empty,
    Small,
    Huge,
    Lossy,
}

const ALL: [Data; 4] = [Data::Empty, Data::Small, Data::Huge, Data::Lossy];

/// A screen: a view, or one of the things that can be opened in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Screen {
    View(View),
    OpenCluster,
    /// The designs of the allocator view, to the last line.
    WhatIf,
    /// The hooks of the doctor, to the last line.
    Hooks,
}

fn snapshot(data: Data) -> Snapshot {
    let mut snapshot = match data {
        Data::Empty => return Snapshot::default(),
        Data::Small => busy(3),
        Data::Huge => huge(),
        Data::Lossy => {
            let losses = Losses { lost: 5, gaps: 1, ..Losses::default() };
            Snapshot { losses, unconfirmed: 99, ..busy(3) }
        }
    };
    let blind = |hook: &Hook| *hook == Hook::ReadEnd;
    let plan = |hook: &Hook| HookPlan {
        hook: hook.program().into(),
        how: "fentry".into(),
        state: if blind(hook) { HookState::Blind } else { HookState::Ok },
        reason: if blind(hook) { "inlined here".into() } else { String::new() },
        ..HookPlan::default()
    };
    let header = Header { plan: Hook::ALL.iter().map(plan).collect(), ..(*snapshot.header).clone() };
    snapshot.header = Arc::new(header);
    let emitted = if data == Data::Huge { 123_456_789_012 } else { 4_711 };
    let totals = |hook: &Hook| HookTotals { hook: hook.program().into(), emitted, ..HookTotals::default() };
    snapshot.hooks = Hook::ALL.iter().map(totals).collect();
    let slot = |i: usize| SlotView {
        used: i.is_multiple_of(3),
        backend: Backend::ALL[1 + i % 4],
        confirmed: data != Data::Lossy,
        memcg: 1,
        len: 700,
        ..SlotView::default()
    };
    let path = Arc::clone(&snapshot.memcgs[0].path);
    let paths = [(1, Arc::clone(&path))];
    snapshot.paths = Arc::new(paths.clone().into());
    let slots = (0..512).map(slot).collect();
    snapshot.closeup = Some(Arc::new(Closeup { dev: 0, cluster: 0, slots, paths: paths.into() }));
    for (from, row) in snapshot.transitions.iter_mut().enumerate() {
        for (to, n) in row.iter_mut().enumerate().filter(|(to, _)| *to != from) {
            *n = if data == Data::Huge { u64::MAX / 16 } else { (10 * from + to) as u64 };
        }
    }
    snapshot
}

fn event(kind: Kind, off: u64) -> Event {
    let (entry, ts) = (Entry::new(0, off).0, 101 * common::S);
    let memcg = vswap_common::flags::MEMCG;
    let record =
        Record { kind: kind as u8, entry, ts, nr: 1, memcg: 1, flags: memcg, cpu: 3, ..Record::default() };
    decode(&record).unwrap()
}

fn shown(data: Data, screen: Screen, (columns, rows): (u16, u16)) -> App {
    let mut app = app(snapshot(data), columns, rows);
    let mut press = |action| drop(update(&mut app, Message::Do(action)));
    match screen {
        Screen::View(view) => press(Action::Show(view)),
        Screen::OpenCluster => [Action::Show(View::Clusters), Action::Open].into_iter().for_each(press),
        Screen::WhatIf => press(Action::Show(View::Allocator)),
        Screen::Hooks => press(Action::Show(View::Doctor)),
    }
    if data == Data::Empty {
        return app;
    }
    let events = vec![event(Kind::Charge, 3), event(Kind::Free, 3)];
    let picked = Picked { events, since: 0, whole: true };
    let watched = Watched { watch: app.watch(), log: picked.clone(), slot: picked };
    app.frame.watched = Arc::new(watched);
    let most = if data == Data::Huge { 64 << 20 } else { 2_000 };
    let peak = |model: &str, n| Row { model: model.into(), peak_phys_slots: n, ..Row::default() };
    let agreement = Agreement { allocations: most, agreed: most, from_swapon: true, ..Agreement::default() };
    app.frame.beside = Some(Arc::new(BesideView {
        agreement: Some(agreement),
        why_not: String::new(),
        caches: (0..4).map(|cpu| CpuCaches { cpu, next: [Some((0, most)); 10] }).collect(),
        designs: vec![peak("as-recorded", most), peak("vswap-rfc2", most / 4)],
    }));
    app
}

/// What the screen shows, scrolled to its last line where there is more.
fn frame(app: &mut App, screen: Screen) -> Vec<String> {
    let mut all = lines(app, MONO);
    if matches!(screen, Screen::WhatIf | Screen::Hooks) {
        for _ in 0..20 {
            update(app, Message::Do(Action::Move(Step::PageDown)));
            all.extend(lines(app, MONO));
        }
    }
    all
}

/// What must stand there, whatever the size.
fn wanted(data: Data, screen: Screen) -> &'static [&'static str] {
    use Data::{Empty, Huge};
    match (screen, data) {
        (Screen::Hooks | Screen::View(View::Doctor), Empty) => {
            &["not told", "confirmed", "no hook in these events"]
        }
        (_, Empty) => &["No swap device is in use.", "swapon FILE"],
        (Screen::View(View::Overview), Huge) => {
            &["150,000", "256 GiB", "93.8 %", "Cgroups 1000", " more", "4.56 ms"]
        }
        (Screen::View(View::Overview), _) => {
            &["150,000", "586 MiB", "57.3 %", "/dev/vda", "pod-0", "4.56 ms"]
        }
        (Screen::View(View::Clusters), Huge) => &["131,072 clusters", "4:4,711", "full"],
        (Screen::View(View::Clusters), _) => {
            &["8,192 clusters", "a cell", "unconfirmed", "folio 0", "nonfull"]
        }
        (Screen::OpenCluster, Huge) => &["171 of 512 slots used", "Slot 0:0", "burstable-", "コ", "charge"],
        (Screen::OpenCluster, _) => &["171 of 512 slots used", "Slot 0:0", "owner", "pod-0", "charge"],
        (Screen::View(View::Mapping), Huge) => &["512 runs of slots", "コ", "charge"],
        (Screen::View(View::Mapping), _) => &["512 runs of slots", "leads to", "pod-0", "charge"],
        (Screen::View(View::Cgroups), Huge) => &["1000 cgroups", "1/1001", "500,500", "コ", "charge audit"],
        (Screen::View(View::Cgroups), _) => &["3 cgroups", "pod-0", "1,000", "500", "290", "200"],
        (Screen::View(View::Latency), _) => {
            &["in phys", "777", "81.0 us", "200 us", "4.56 ms", "9.00 ms", "1.2 s"]
        }
        (Screen::View(View::Flow), Huge) => &["since the start", "1.15E", "charge", "0:3", "コ"],
        (Screen::View(View::Flow), _) => &["since the start", "34", "charge", "0:3", "pod-0"],
        (Screen::View(View::Allocator), Huge) => &["67,108,864 of 67,108,864 allocations (100 %)", "131,072"],
        (Screen::View(View::Allocator), _) => &["2,000 of 2,000 allocations (100 %)", "nonfull", "1,366"],
        (Screen::WhatIf, Huge) => {
            &["would free 50,331,648 of 67,108,864", "cpu 3", "o9 0:67108864", "16,777,216"]
        }
        (Screen::WhatIf, _) => &["would free 1,500 of 2,000", "cpu 3", "o9 0:2000", "Physical slots at peak"],
        (Screen::View(View::Doctor), _) => &["7.3.4-amd64", "confirmed", "3 inferred", "swapon/off"],
        (Screen::Hooks, Huge) => &["BLIND", "read_end", "inlined here", "zswap_free", "123G"],
        (Screen::Hooks, _) => &["BLIND", "read_end", "inlined here", "zswap_free", "4,711"],
    }
}

fn screens() -> impl Iterator<Item = Screen> {
    let more = [Screen::OpenCluster, Screen::WhatIf, Screen::Hooks];
    View::ALL.into_iter().map(Screen::View).chain(more)
}

#[test]
fn every_screen_says_what_it_is_for_over_all_data_at_both_sizes() {
    for screen in screens() {
        for data in ALL {
            for size in SIZES {
                let mut dashboard = shown(data, screen, size);
                let frame = frame(&mut dashboard, screen);
                let text = frame.join("\n");
                for wanted in wanted(data, screen) {
                    assert!(text.contains(wanted), "{screen:?} {data:?} {size:?} lacks '{wanted}':\n{text}");
                }
                assert_eq!(frame[0].contains("LOST 5 "), data == Data::Lossy, "{}", frame[0]);
                assert!(frame[usize::from(size.1) - 1].contains("q quit"), "{screen:?} {size:?}");
            }
        }
    }
}

#[test]
fn loss_is_told_on_the_screens_that_explain() {
    for size in SIZES {
        let mut doctor = shown(Data::Lossy, Screen::View(View::Doctor), size);
        let text = frame(&mut doctor, Screen::View(View::Doctor)).join("\n");
        assert!(text.contains("5 records in 1 gaps") && text.contains("99 not"), "{text}");
        let mut overview = shown(Data::Lossy, Screen::View(View::Overview), size);
        let text = frame(&mut overview, Screen::View(View::Overview)).join("\n");
        assert!(text.contains("5 records lost, 1 gap, 99 slots unconfirmed"), "{text}");
        let mut slot = shown(Data::Lossy, Screen::OpenCluster, size);
        assert!(frame(&mut slot, Screen::OpenCluster).join("\n").contains("unconfirmed"));
    }
}

/// Columns where the words of a line begin or end.
fn places(frame: &[String], first: &str, heads: &[&str]) -> Vec<usize> {
    let line = frame.iter().find(|l| l.contains(first)).unwrap_or_else(|| panic!("no {first}: {frame:#?}"));
    let at = |head: &&str| line.find(*head).unwrap_or_else(|| panic!("no {head}: {line}"));
    heads.iter().map(at).collect()
}

#[test]
fn columns_stay_where_they_are_whatever_the_figures() {
    for size in SIZES {
        let heads: [(View, &str, &[&str]); 5] = [
            (View::Overview, "Where it is", &["slots", "bytes", "share"]),
            (View::Overview, "Pages/s", &["out", "in", "Latency", "p50", "p99", "max"]),
            (View::Overview, "Devices", &["size", "used", "Cgroups", "slots", "zswap"]),
            (View::Cgroups, "out/s", &["slots", "zswap", "phys", "zero", "out/s", "in/s"]),
            (View::Latency, "p99.9", &["samples", "p50", "p90", "p99", "max"]),
        ];
        for (view, first, heads) in heads {
            let at = |data| {
                let screen = Screen::View(view);
                places(&frame(&mut shown(data, screen, size), screen), first, heads)
            };
            assert_eq!(at(Data::Small), at(Data::Huge), "{view:?} {size:?}");
            assert_eq!(at(Data::Small), at(Data::Lossy), "{view:?} {size:?}");
        }
    }
}

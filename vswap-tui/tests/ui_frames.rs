//! What a user reads off drawn frames.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{COLOUR, MONO, S, app, busy, lines, screen};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Size;
use ratatui::style::{Color, Modifier};
use std::sync::Arc;
use std::time::Duration;
use vswap_common::Entry;
use vswap_tui::app::frame::{End, Frame, Playback, Timeline};
use vswap_tui::app::keymap::Scope;
use vswap_tui::app::keys::KEYS;
use vswap_tui::app::message::{Action, Control, Effect, Step};
use vswap_tui::app::{App, Message, Origin, Paint, View, update};
use vswap_tui::check::{Agreement, BesideView, Cause, Compared, CpuCaches, Divergence, Invariant};
use vswap_tui::cli::Speed;
use vswap_tui::meta::{CgroupUse, Header};
use vswap_tui::snapshot::{DeviceView, Fault, Finding, Losses, ScanView, Snapshot, VerifyView};
use vswap_tui::ui;
use vswap_tui::whatif::Row;

/// The line that has all these words, in order.
fn line_with<'a>(lines: &'a [String], words: &[&str]) -> &'a str {
    lines
        .iter()
        .find(|line| {
            let mut rest = line.as_str();
            words.iter().all(|w| rest.split_once(w).map(|(_, after)| rest = after).is_some())
        })
        .unwrap_or_else(|| panic!("no line with {words:?} in\n{}", lines.join("\n")))
}

#[test]
fn overview_answers_where_the_pages_are() {
    let lines = lines(&app(busy(3), 80, 24), MONO);
    line_with(&lines, &["vswap live", "1 Overview 2 3", "01:00.0", "100 % confirmed", "lost 0"]);
    line_with(&lines, &["folio", "2,000", "7.81 MiB", "0.8 %"]);
    line_with(&lines, &["zswap", "150,000", "586 MiB", "57.3 %"]);
    line_with(&lines, &["phys", "70,000", "273 MiB", "26.7 %"]);
    line_with(&lines, &["unknown", "8", "<0.1 %"]);
    line_with(&lines, &["in use", "262,008", "1023 MiB", "cached 12,345"]);
    line_with(&lines, &["586 MiB in 146 MiB", "ratio 4.00"]);
    line_with(&lines, &["waste: 380,000 device slots (1.45 GiB, 17.9 %) hold only zswap or zero pages"]);
}

#[test]
fn overview_answers_is_it_getting_worse_and_what_it_costs() {
    let lines = lines(&app(busy(3), 80, 24), MONO);
    line_with(&lines, &["zswap", "1,200", "100"]);
    line_with(&lines, &["slots +/-", "1,400", "600"]);
    line_with(&lines, &["in phys", "81.0 us", "4.56 ms", "1.2 s"]);
    line_with(&lines, &["in zero", "-"]);
    line_with(&lines, &["2,000 events/s"]);
    // A minute of growth ends at the top of the scale.
    assert!(line_with(&lines, &["zswap", "150,000"]).trim_end().ends_with('@'));
}

#[test]
fn overview_names_devices_and_cgroups() {
    let frame = lines(&app(busy(3), 120, 40), MONO);
    line_with(&frame, &["0 /dev/vda", "16.0 GiB", "50.0 %", "-2"]);
    line_with(&frame, &["3 /swapfile", "200 MiB", "50.0 %", "-5"]);
    line_with(&frame, &["pod-0", "1,000", "500", "290", "200"]);
    let many = app(busy(1000), 80, 24);
    line_with(&lines(&many, MONO), &["Cgroups 1000"]);
    line_with(&lines(&many, MONO), &["and 997 more"]);
}

#[test]
fn cgroups_scroll_to_the_last() {
    let mut many = app(busy(1000), 120, 40);
    update(&mut many, Message::Do(Action::Move(Step::Last)));
    line_with(&lines(&many, MONO), &["pod-999"]);
}

#[test]
fn loss_is_red_and_first_in_the_header_and_explained() {
    let losses = Losses { lost: 1234, gaps: 2, undecodable: 1, ..Losses::default() };
    let lossy = app(Snapshot { losses, unconfirmed: 131_004, ..busy(3) }, 80, 24);
    for view in View::ALL {
        let mut lossy = lossy.clone();
        lossy.view = view;
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|f| ui::draw(&lossy, COLOUR, f.buffer_mut())).unwrap();
        let buffer = terminal.backend().buffer();
        let header: String = (0..80).map(|x| buffer[(x, 0)].symbol()).collect();
        assert!(header.ends_with("LOST 1,234 "), "{header}");
        assert!(header.contains("50.0 % confirmed"), "{header}");
        assert_eq!(buffer[(75, 0)].bg, Color::Red);
    }
    let frame = lines(&lossy, MONO);
    line_with(&frame, &["1,234 records lost, 2 gaps, 1 record unreadable, 131,004 slots unconfirmed"]);
    let narrow = app(Snapshot { losses: Losses { lost: 7, ..Losses::default() }, ..busy(3) }, 40, 10);
    assert!(lines(&narrow, MONO)[0].ends_with("LOST 7 "));
}

/// A recording that began late, with its last scan and comparison.
fn late(scan: Option<ScanView>, verify: Option<VerifyView>) -> App {
    let header = Header { from_swapon: false, ..(*busy(3).header).clone() };
    let mut app = app(Snapshot { header: Arc::new(header), scan, verify, ..busy(3) }, 100, 60);
    app.view = View::Allocator;
    app
}

#[test]
fn a_late_start_without_a_scan_is_not_called_whole() {
    let frame = lines(&late(None, None), MONO);
    assert!(frame[0].contains("not all slots known") && !frame[0].contains("100 %"), "{}", frame[0]);
    line_with(&frame, &["scan", "not read: slots in use before the start are unknown"]);
    let scan = ScanView { scans: 3, slots: 4608, ns: 63_000_000, doubtful: 2, ended: true, complete: true };
    let frame = lines(&late(Some(scan), None), MONO);
    assert!(frame[0].contains("100 % confirmed"), "{}", frame[0]);
    line_with(
        &frame,
        &["scan", "4,608 slots in 63.0 ms; 2 whose place they do not tell; 2 times again after a loss"],
    );
}

#[test]
fn a_comparison_shows_its_result_its_cost_and_why_it_is_not_possible() {
    let verify = |differing, ended| VerifyView {
        checked: 3844,
        differing,
        looks: 2,
        ns: 9_000_000,
        ended,
        complete: true,
        examples: vec![
            "slot 0:50 is free in the map, zswap in the kernel's tables".into();
            differing as usize
        ],
        ..VerifyView::default()
    };
    assert!(lines(&late(None, Some(verify(0, false))), MONO)[0].contains("verifying"));
    let frame = lines(&late(None, Some(verify(0, true))), MONO);
    assert!(frame[0].contains("verified: 0 differ"), "{}", frame[0]);
    line_with(
        &frame,
        &["verified", "3,844 slots compared, 0 differ, 0 not known for certain; 2 looks, 9.00 ms"],
    );
    let frame = lines(&late(None, Some(verify(1, true))), MONO);
    assert!(frame[0].contains("verified: 1 differ"), "{}", frame[0]);
    line_with(&frame, &["slot 0:50 is free in the map, zswap in the kernel's tables"]);
    let mut refused = late(None, None);
    refused.frame.refused = Some("no addresses".into());
    let frame = lines(&refused, MONO);
    assert!(frame[0].contains("cannot verify"), "{}", frame[0]);
    line_with(&frame, &["verify", "not possible: no addresses"]);
    let asked = update(&mut refused, Message::Do(Action::Verify));
    assert_eq!(asked, Some(Effect::Pump(Control::Verify)));
}

#[test]
fn no_colour_means_none_and_ascii_means_ascii() {
    let losses = Losses { lost: 1, ..Losses::default() };
    let mut dashboard = app(Snapshot { losses, ..busy(20) }, 120, 40);
    dashboard.timeline = Timeline::from_blocks([(100 * S, 200 * S, 9)].into_iter());
    for (view, help) in View::ALL.into_iter().map(|v| (v, false)).chain([(View::Clusters, true)]) {
        (dashboard.view, dashboard.help) = (view, help);
        let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
        terminal.draw(|f| ui::draw(&dashboard, MONO, f.buffer_mut())).unwrap();
        for cell in terminal.backend().buffer().content() {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
            // Names are shown as they are.
            assert!(cell.symbol().is_ascii() || "ü日本".contains(cell.symbol()), "{}", cell.symbol());
        }
    }
    // Loss still stands out.
    (dashboard.view, dashboard.help) = (View::Overview, false);
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
    terminal.draw(|f| ui::draw(&dashboard, MONO, f.buffer_mut())).unwrap();
    assert!(terminal.backend().buffer()[(115, 0)].modifier.contains(Modifier::BOLD));
}

#[test]
fn empty_dashboard_says_what_to_do() {
    let none = app(Snapshot::default(), 80, 24);
    assert!(screen(&none, MONO).contains("swapon FILE"));
    let device = DeviceView { active: true, ..DeviceView::default() };
    let idle = app(Snapshot { devices: vec![device], ..Snapshot::default() }, 80, 24);
    assert!(screen(&idle, MONO).contains("memory.reclaim"));
    for (origin, hint) in [(Origin::Stream, "vswap record -o -"), (Origin::Replay, "n takes one event")] {
        let mut waiting = app(Snapshot::default(), 80, 24);
        waiting.origin = origin;
        assert!(screen(&waiting, MONO).contains(hint));
        waiting.view = View::Clusters;
        assert!(screen(&waiting, MONO).contains(hint), "the cluster map is empty too");
    }
}

#[test]
fn cluster_map_says_its_scale_and_what_is_under_the_cursor() {
    let mut map = app(busy(3), 80, 24);
    map.view = View::Clusters;
    let frame = lines(&map, MONO);
    line_with(&frame, &["/dev/vda (1/2) 50.0 % used; 8,192 clusters, 16 a cell"]);
    line_with(&frame, &["Cluster 0, first of its cell"]);
    line_with(&frame, &["free 1,366", "nonfull 1,366", "frag 1,365", "full 1,365"]);
    update(&mut map, Message::Do(Action::NextDevice));
    update(&mut map, Message::Do(Action::Move(Step::Right)));
    let frame = lines(&map, MONO);
    line_with(&frame, &["/swapfile (2/2) 50.0 % used; 100 clusters, a cell each; list and fill"]);
    line_with(&frame, &["slots 512-1023", "nonfull, order 1, 256 of 512 used, 1 unconfirmed"]);
    line_with(&frame, &["folio 5  zero 50  zswap 100  phys 100  unknown 1"]);
    // free, nonfull half, frag half, full, off list half, discard: over and over.
    line_with(&frame, &[" 0 .5e#Ex.5e#Ex"]);
    update(&mut map, Message::Do(Action::Paint));
    line_with(&lines(&map, MONO), &[" 0 .55#5..55#5."]);
    update(&mut map, Message::Do(Action::Paint));
    line_with(&lines(&map, MONO), &[" 0 .%%%%..%%%%."]);
    update(&mut map, Message::Do(Action::Paint));
    line_with(&lines(&map, MONO), &[" 0 .1234..7890"]);
    assert_eq!(map.clusters.paint, Paint::Order);
}

#[test]
fn help_shows_every_key_of_the_table() {
    let mut help = app(busy(3), 120, 100);
    help.help = true;
    for playing in [false, true] {
        help.frame.playback =
            playing.then_some(Playback { paused: false, speed: Speed::Max, seeking: false });
        let frame = lines(&help, MONO);
        let hidden = if playing { Scope::Watching } else { Scope::Playing };
        for b in KEYS.iter().filter(|b| b.scope != hidden) {
            let keys: Vec<String> = b.keys.iter().map(|k| k.name()).collect();
            line_with(&frame, &[&keys.join(" "), b.help]);
        }
    }
}

#[test]
fn replay_shows_position_speed_pause_and_end() {
    let timeline = Timeline::from_blocks([(100 * S, 130 * S, 5), (200 * S, 220 * S, 50)].into_iter());
    let mut replay = App::new(Origin::Replay, Duration::from_millis(250), timeline, Size::new(80, 24));
    let playback = Some(Playback { paused: true, speed: Speed::Times(10.0), seeking: false });
    let frame = Frame { now: 160 * S, snapshot: Arc::new(busy(3)), playback, ..Frame::default() };
    update(&mut replay, Message::Frame(frame.clone()));
    let text = lines(&replay, MONO);
    assert!(text[22].starts_with(" 01:00.0 ") && text[22].trim_end().ends_with(" 02:00.0"), "{}", text[22]);
    let marker = text[22].find('|').unwrap();
    assert!((39..=41).contains(&marker), "half way: {}", text[22]);
    line_with(&text, &["PAUSED 10x", "n event"]);
    let end = Some(End { clean: false, damage: Some("checksum differs at byte 4096".into()) });
    update(&mut replay, Message::Frame(Frame { now: 220 * S, end, ..frame.clone() }));
    line_with(&lines(&replay, MONO), &["input damaged: checksum differs at byte 4096"]);
    let end = Some(End { clean: true, damage: None });
    update(&mut replay, Message::Frame(Frame { now: 220 * S, end, ..frame }));
    line_with(&lines(&replay, MONO), &["end of trace"]);
}

#[test]
fn frozen_picture_says_so() {
    let mut frozen = app(busy(3), 80, 24);
    update(&mut frozen, Message::Do(Action::Freeze));
    line_with(&lines(&frozen, MONO), &["FROZEN, collection goes on"]);
}

#[test]
fn too_small_a_terminal_gets_a_message() {
    let text = screen(&app(busy(3), 39, 9), MONO);
    assert!(text.contains("39x9 is too small") && text.contains("need 40x10"), "{text}");
}

#[test]
fn no_size_panics() {
    let huge = Snapshot { losses: Losses { lost: u64::MAX, ..Losses::default() }, ..busy(1000) };
    for snapshot in [Snapshot::default(), busy(2), huge] {
        let mut dashboard = app(snapshot, 80, 24);
        for timeline in [None, Timeline::from_blocks([(100 * S, 200 * S, 5)].into_iter())] {
            dashboard.timeline = timeline;
            for (view, help) in View::ALL.into_iter().map(|v| (v, false)).chain([(View::Clusters, true)]) {
                (dashboard.view, dashboard.help) = (view, help);
                update(&mut dashboard, Message::Do(Action::Redraw));
                for width in (1..46).chain([80, 109, 110, 200, 300]) {
                    for height in (1..13).chain([23, 24, 60, 100]) {
                        update(&mut dashboard, Message::Resize(Size::new(width, height)));
                        let _ = lines(&dashboard, COLOUR);
                    }
                }
            }
        }
    }
}

#[test]
fn a_buffer_of_another_size_than_the_state_is_drawn_inside_itself() {
    let mut late = app(busy(9), 200, 60);
    late.view = View::Clusters;
    update(&mut late, Message::Do(Action::Move(Step::Last)));
    let mut terminal = Terminal::new(TestBackend::new(41, 11)).unwrap();
    terminal.draw(|f| ui::draw(&late, MONO, f.buffer_mut())).unwrap();
}

/// The dashboard with a model beside it that differs from the kernel.
fn beside(agreement: Option<Agreement>) -> App {
    let mut dashboard = app(busy(3), 80, 24);
    let mut next = [None; 10];
    (next[0], next[4]) = (Some((0, 5120)), Some((1, 77 << 20)));
    let view = BesideView {
        agreement,
        why_not: "start with `vswap live --check`".into(),
        caches: vec![CpuCaches { cpu: 3, next }],
        designs: vec![
            Row { model: "as-recorded".into(), peak_phys_slots: 2000, ..Row::default() },
            Row { model: "vswap-rfc2".into(), peak_phys_slots: 500, ..Row::default() },
        ],
    };
    dashboard.frame.beside = Some(Arc::new(view));
    dashboard.view = View::Allocator;
    dashboard
}

#[test]
fn allocator_says_whether_the_kernel_does_what_the_model_does() {
    let miss = Divergence {
        ts: 102 * S,
        request: 9374,
        cpu: 3,
        order: 0,
        kernel: Some(Entry::new(0, 10_244).into()),
        model: None,
        cause: Cause::Contention,
        context: "cache of cpu 3, order 0: none\n  the kernel's way: 0:nonfull[0] -> cluster 20".into(),
    };
    let compared = |misses: u64| Compared {
        compared: 45_659,
        agreed: 45_659 - misses,
        misses: (misses > 0).then_some((Cause::Model, misses)).into_iter().collect(),
        first: None,
    };
    let agreement = Agreement {
        allocations: 45_659,
        agreed: 45_656,
        refused: 7,
        misses: [(Cause::Contention, 3)].into(),
        first_divergence: Some(miss),
        paths: compared(0),
        moves: compared(2),
        from_swapon: true,
        references: true,
        invariants: vec![Invariant { name: "FOLIO backing has a folio", checked: 50, broken: 1 }],
        ..Agreement::default()
    };
    let mut dashboard = beside(Some(agreement));
    let frame = lines(&dashboard, MONO);
    line_with(&frame, &["same slot", "45,656 of 45,659 allocations (>99.9 %), 7 refused by the kernel"]);
    line_with(&frame, &["3 missed: another CPU was at work in between"]);
    line_with(&frame, &["same way", "45,659 of 45,659"]);
    line_with(&frame, &["2 differ: NOT EXPLAINED"]);
    line_with(&frame, &["first miss", "request 9,374 after 2.0 s, cpu 3, order 0: kernel 0:10244, model"]);
    line_with(&frame, &["the kernel's way: 0:nonfull[0] -> cluster 20"]);
    line_with(&frame, &["invariants", "1, 50 checks, 1 BROKEN"]);
    line_with(&frame, &["FOLIO backing has a folio"]);
    line_with(&frame, &["slot states", "no event contradicts"]);
    line_with(&frame, &["Clusters of /dev/vda by list and order"]);
    // What does not fit is scrolled to.
    let mut frame = Vec::new();
    for _ in 0..20 {
        update(&mut dashboard, Message::Do(Action::Move(Step::Down)));
        frame.extend(lines(&dashboard, MONO));
    }
    line_with(&frame, &["all", "o0", "o1", "o9"]);
    line_with(&frame, &["nonfull", "1,366", "274", "273"]);
    line_with(&frame, &["cpu 3", "o0 0:5120", "o4 1:80740352"]);
    line_with(&frame, &["The same load under other designs of swap"]);
    line_with(&frame, &["vswap-rfc2 would free 1,500 of 2,000 physical slots (5.86 MiB) at the peak"]);
    line_with(&frame, &["Physical slots at peak", "2,000", "500"]);
}

#[test]
fn allocator_without_a_model_says_why_and_shows_faults_and_lists() {
    let mut dashboard = beside(None);
    let mut snapshot = busy(3);
    snapshot.findings.counts[Fault::TwoOwners as usize] = 2;
    snapshot.findings.first = Arc::new(vec![Finding {
        fault: Fault::TwoOwners,
        ts: 5,
        event: "cache_add",
        dev: 1,
        off: 77,
        nr: 1,
        cpu: 2,
        tid: 9,
    }]);
    dashboard.frame.snapshot = Arc::new(snapshot);
    let frame = lines(&dashboard, MONO);
    line_with(&frame, &["no model", "start with `vswap live --check`"]);
    line_with(&frame, &["FAULT", "two owners of one slot: 2, first cache_add of 1:77"]);
    line_with(&frame, &["free", "1,366"]);
}

/// A machine at the bounds: 64 M slots in 131,072 clusters, a thousand cgroups with long paths.
fn huge() -> Snapshot {
    let mut snapshot = busy(1000);
    let cell = snapshot.devices[0].clusters[3];
    let device = &mut snapshot.devices[0];
    device.clusters = Arc::new(vec![cell; 131_072]);
    device.pages = 64 << 20;
    device.used = 60 << 20;
    device.aligned = [4 << 20, 1 << 20, 1 << 18, 1 << 16, 4711, 1 << 12, 1 << 9, 64, 3, 0];
    for (i, m) in snapshot.memcgs.iter_mut().enumerate() {
        m.path = format!("/kubepods.slice/{}/コンテナ-{i}", "burstable-".repeat(20)).into();
        m.usage = Some(CgroupUse { swap: Some(990 * 4096), ..CgroupUse::default() });
        m.charged_then = 990;
    }
    snapshot
}

#[test]
fn every_view_at_both_sizes_shows_empty_small_huge_and_lossy() {
    let losses = Losses { lost: 5, gaps: 1, ..Losses::default() };
    let lossy = Snapshot { losses, unconfirmed: 99, ..busy(3) };
    for (name, snapshot) in
        [("empty", Snapshot::default()), ("small", busy(3)), ("huge", huge()), ("lossy", lossy)]
    {
        for (width, height) in [(80, 24), (200, 60)] {
            let mut dashboard = app(snapshot.clone(), width, height);
            for view in View::ALL {
                update(&mut dashboard, Message::Do(Action::Show(view)));
                let text = screen(&dashboard, MONO);
                let header = text.lines().next().unwrap();
                assert!(header.contains(view.name()), "{name} {view:?} {width}: {header}");
                assert_eq!(header.contains("LOST 5"), name == "lossy", "{name} {view:?}");
                // Whatever the data, a view says something besides header and footer.
                let said =
                    text.lines().skip(1).take(usize::from(height) - 2).filter(|l| !l.trim().is_empty());
                assert!(said.count() >= 2, "{name} {view:?} {width}:\n{text}");
            }
        }
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

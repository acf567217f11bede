//! What a user reads off drawn frames.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{COLOUR, MONO, S, app, busy, huge, line_with, lines, screen};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Size;
use ratatui::style::{Color, Modifier};
use std::sync::Arc;
use std::time::Duration;
use vswap_tui::app::frame::{End, Frame, Playback, Timeline};
use vswap_tui::app::keymap::Scope;
use vswap_tui::app::keys::KEYS;
use vswap_tui::app::message::{Action, Step};
use vswap_tui::app::{App, Message, Origin, Paint, View, update};
use vswap_tui::cli::Speed;
use vswap_tui::snapshot::{DeviceView, Losses, Snapshot};
use vswap_tui::ui;

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
        waiting.frame.snapshot = Arc::new(Snapshot { events: 9, ..Snapshot::default() });
        assert!(screen(&waiting, MONO).contains("Nothing is in swap at this instant"));
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

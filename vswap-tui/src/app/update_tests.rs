//! Tests of [`super::update`].

use super::*;
use crate::app::frame::Playback;
use crate::app::prompt::Ask;
use crate::app::state::Origin;
use crate::app::views::Paint;
use crate::cli::Speed;
use crate::snapshot::{ClusterCell, DeviceView, MemcgView, Snapshot};
use ratatui::layout::Size;
use std::time::Duration;

fn frame(events: u64, devices: &[(u8, usize)]) -> Frame {
    let devices = devices
        .iter()
        .map(|(dev, clusters)| DeviceView {
            dev: *dev,
            clusters: Arc::new(vec![ClusterCell::default(); *clusters]),
            ..DeviceView::default()
        })
        .collect();
    let memcgs = vec![MemcgView { path: "/a".into(), ..MemcgView::default() }; 30];
    Frame {
        snapshot: Arc::new(Snapshot { events, devices, memcgs, ..Snapshot::default() }),
        ..Frame::default()
    }
}

fn app() -> App {
    let mut app = App::new(Origin::Live, Duration::from_millis(250), None, Size::new(80, 24));
    update(&mut app, Message::Frame(frame(1, &[(1, 8192), (3, 100)])));
    app
}

fn press(app: &mut App, action: Action) -> Option<Effect> {
    update(app, Message::Do(action))
}

#[test]
fn views_go_round_and_keep_their_state() {
    let mut app = app();
    for view in View::ALL {
        assert_eq!(app.view, view);
        press(&mut app, Action::Move(Step::Down));
        press(&mut app, Action::NextView);
    }
    assert_eq!(app.view, View::Overview);
    press(&mut app, Action::PreviousView);
    assert_eq!((app.view, app.doctor_top), (View::Doctor, 1));
    press(&mut app, Action::PreviousView);
    assert_eq!((app.view, app.allocator_top), (View::Allocator, 1));
    press(&mut app, Action::Show(View::Latency));
    assert_eq!(app.latency, 1);
    press(&mut app, Action::Show(View::Clusters));
    assert!(app.clusters.cursor > 0);
    press(&mut app, Action::Back);
    assert_eq!((app.view, app.cgroup_top), (View::Overview, 1));
}

fn type_in(app: &mut App, text: &str) -> Option<Effect> {
    for c in text.chars() {
        press(app, Action::Type(c));
    }
    press(app, Action::Accept)
}

#[test]
fn a_cluster_opens_to_its_slots_and_a_slot_to_its_mapping() {
    let mut app = app();
    app.view = View::Clusters;
    assert_eq!(app.watch(), crate::snapshot::watch::Watch::default(), "the map asks for nothing");
    press(&mut app, Action::Move(Step::Right));
    let cluster = app.clusters.cursor as u64;
    press(&mut app, Action::Open);
    assert_eq!(app.watch().cluster, Some((1, cluster)));
    press(&mut app, Action::Move(Step::Down));
    press(&mut app, Action::Move(Step::Right));
    let off = cluster * 512 + 65;
    assert_eq!(app.watch().slot, Some(vswap_common::Entry::new(1, off)));
    press(&mut app, Action::Move(Step::Last));
    press(&mut app, Action::Move(Step::Right));
    assert_eq!(app.mapping.off, cluster * 512 + 511, "the cursor stays in the cluster");
    press(&mut app, Action::Move(Step::PageDown));
    assert_eq!((app.clusters.cursor as u64, app.mapping.off), (cluster + 1, (cluster + 1) * 512 + 511));
    press(&mut app, Action::Open);
    assert_eq!(app.view, View::Mapping);
    press(&mut app, Action::Map);
    assert_eq!((app.view, app.clusters.open), (View::Clusters, false));
    press(&mut app, Action::Open);
    press(&mut app, Action::Back);
    assert!(!app.clusters.open && app.view == View::Clusters, "out of the cluster, not of the view");
}

#[test]
fn slots_are_followed_to_their_physical_ones_and_back() {
    let mut app = app();
    press(&mut app, Action::Show(View::Mapping));
    press(&mut app, Action::Ask(Ask::Slot));
    assert_eq!(type_in(&mut app, "1:4711"), None);
    assert_eq!((app.view, app.mapping.off, app.notice.clone()), (View::Mapping, 4711, None));
    let phys = Some(vswap_common::Entry::new(3, 77).0);
    let slots = vec![crate::snapshot::closeup::SlotView { used: true, phys, ..Default::default() }; 512];
    let near = crate::snapshot::closeup::Closeup { dev: 1, cluster: 9, slots, ..Default::default() };
    let mut snapshot = (*app.frame.snapshot).clone();
    snapshot.closeup = Some(Arc::new(near));
    app.frame.snapshot = Arc::new(snapshot);
    press(&mut app, Action::Open);
    assert_eq!((app.device().map(|d| d.dev), app.mapping.off), (Some(3), 77));
    press(&mut app, Action::Return);
    assert_eq!((app.device().map(|d| d.dev), app.mapping.off), (Some(1), 4711));
    // And from the physical slot to the virtual one that owns it.
    let virt = Some(vswap_common::Entry::new(1, 4711).0);
    let slots = vec![crate::snapshot::closeup::SlotView { used: true, virt, ..Default::default() }; 512];
    let near = crate::snapshot::closeup::Closeup { dev: 3, cluster: 0, slots, ..Default::default() };
    let mut snapshot = (*app.frame.snapshot).clone();
    snapshot.closeup = Some(Arc::new(near));
    app.frame.snapshot = Arc::new(snapshot);
    press(&mut app, Action::Ask(Ask::Slot));
    assert_eq!(type_in(&mut app, "3:77"), None);
    press(&mut app, Action::Open);
    assert_eq!((app.device().map(|d| d.dev), app.mapping.off), (Some(1), 4711));
    press(&mut app, Action::Open);
    assert!(app.notice.as_deref().is_some_and(|n| n.contains("no virtual swap here")), "{:?}", app.notice);
    press(&mut app, Action::Ask(Ask::Slot));
    type_in(&mut app, "nonsense");
    assert!(app.notice.as_deref().is_some_and(|n| n.contains("DEVICE:OFFSET")));
}

#[test]
fn typing_is_taken_back_completed_and_left() {
    let mut app = app();
    press(&mut app, Action::Ask(Ask::Command));
    for c in "inte".chars() {
        press(&mut app, Action::Type(c));
    }
    press(&mut app, Action::Complete);
    assert_eq!(app.prompt.as_ref().map(|p| p.text.as_str()), Some("interval "));
    let effect = type_in(&mut app, "2s");
    assert_eq!(effect, Some(Effect::Pump(Control::Interval(Duration::from_secs(2)))));
    press(&mut app, Action::Ask(Ask::Command));
    press(&mut app, Action::Type('x'));
    press(&mut app, Action::Erase);
    assert!(app.prompt.is_some());
    press(&mut app, Action::Erase);
    assert!(app.prompt.is_none(), "nothing left to erase: out");
    press(&mut app, Action::Ask(Ask::Command));
    press(&mut app, Action::Back);
    assert!(app.prompt.is_none() && app.view == View::Overview);
    press(&mut app, Action::Ask(Ask::Command));
    type_in(&mut app, "frobnicate");
    assert!(app.notice.as_deref().is_some_and(|n| n.contains("frobnicate")));
    press(&mut app, Action::Move(Step::Down));
    assert_eq!(app.notice, None, "gone with the next key");
}

#[test]
fn filters_belong_to_their_view() {
    let mut app = app();
    press(&mut app, Action::Show(View::Flow));
    press(&mut app, Action::Ask(Ask::Filter));
    type_in(&mut app, "free cpu1");
    assert_eq!(app.watch().log.map(|f| f.cpu), Some(Some(1)));
    press(&mut app, Action::Show(View::Cgroups));
    assert_eq!(app.watch().log, None, "nobody reads the log");
    press(&mut app, Action::Ask(Ask::Filter));
    assert_eq!(app.prompt.as_ref().map(|p| p.text.as_str()), Some(""));
    type_in(&mut app, "web");
    assert_eq!((app.cgroups.filter.as_str(), app.flow.text.as_str()), ("web", "free cpu1"));
    assert!(app.cgroup_rows.is_empty());
    press(&mut app, Action::Back);
    assert_eq!((app.cgroups.filter.as_str(), app.cgroup_rows.is_empty()), ("", false));
}

#[test]
fn plus_zooms_in_the_map_and_sets_the_tempo_elsewhere() {
    let mut app = app();
    app.view = View::Clusters;
    assert_eq!(press(&mut app, Action::Plus), None);
    assert_eq!(app.clusters.zoom, 1);
    press(&mut app, Action::Minus);
    assert_eq!(app.clusters.zoom, 0);
    let slower = Effect::Pump(Control::Interval(Duration::from_millis(500)));
    assert_eq!(press(&mut app, Action::Slower(true)), Some(slower));
    app.frame.playback = Some(Playback { paused: false, speed: Speed::Times(1.0), seeking: false });
    let slower = Effect::Pump(Control::Speed(Speed::Times(0.5)));
    assert_eq!(press(&mut app, Action::Slower(true)), Some(slower));
}

#[test]
fn skipping_stays_within_the_recording() {
    let mut app = app();
    app.timeline = crate::app::frame::Timeline::from_blocks([(1000, 3000, 9)].into_iter());
    app.frame.now = 1050;
    assert_eq!(press(&mut app, Action::Skip(1)), Some(Effect::Pump(Control::Seek(1150))));
    assert_eq!(press(&mut app, Action::Skip(-1)), Some(Effect::Pump(Control::Seek(1000))));
    assert_eq!(press(&mut app, Action::Restart), Some(Effect::Pump(Control::Seek(0))));
}

#[test]
fn the_mouse_chooses_views_and_clusters_and_scrolls() {
    let mut app = app();
    let tab = layout::tabs(&app)[1].1;
    update(&mut app, Message::Mouse(tab.x + 1, 0, None));
    assert_eq!(app.view, View::Clusters);
    let map = layout::clusters(layout::screen(app.size, false).body).map;
    update(&mut app, Message::Mouse(map.x + layout::LABEL + 2, map.y + 1, None));
    let grid = app.grid();
    assert_eq!(app.clusters.cursor, grid.cell(1, 2).start);
    update(&mut app, Message::Mouse(5, 5, Some(3)));
    assert_eq!(app.clusters.cursor, grid.cell(4, 2).start);
    for (x, y) in [(0, 0), (79, 23), (500, 500), (map.x, map.y), (map.right(), map.y)] {
        update(&mut app, Message::Mouse(x, y, None));
    }
}

#[test]
fn freeze_holds_the_picture_and_then_jumps_to_the_newest() {
    let mut app = app();
    assert_eq!(press(&mut app, Action::Freeze), None, "collection goes on: nothing is asked of the pump");
    for events in 2..5 {
        update(&mut app, Message::Frame(frame(events, &[(1, 10)])));
    }
    assert_eq!(app.frame.snapshot.events, 1);
    press(&mut app, Action::Freeze);
    assert_eq!(app.frame.snapshot.events, 4);
}

#[test]
fn in_a_replay_space_stops_time_itself() {
    let mut app = app();
    app.frame.playback = Some(Playback { paused: false, speed: Speed::Times(1.0), seeking: false });
    assert_eq!(press(&mut app, Action::Freeze), Some(Effect::Pump(Control::Pause(true))));
    assert_eq!(press(&mut app, Action::Freeze), Some(Effect::Pump(Control::Pause(false))));
    assert!(!app.frozen);
    assert_eq!(press(&mut app, Action::StepEvent), Some(Effect::Pump(Control::StepEvent)));
}

#[test]
fn plus_and_minus_walk_intervals_or_speeds_and_stop_at_the_ends() {
    let mut app = app();
    let effect = press(&mut app, Action::Plus);
    assert_eq!(effect, Some(Effect::Pump(Control::Interval(Duration::from_millis(500)))));
    for _ in 0..20 {
        press(&mut app, Action::Minus);
    }
    assert_eq!(app.interval, Duration::from_millis(50));
    assert_eq!(press(&mut app, Action::Minus), None);
    app.interval = Duration::from_millis(300);
    press(&mut app, Action::Plus);
    assert_eq!(app.interval, Duration::from_millis(500), "an odd interval joins at its neighbour");

    app.frame.playback = Some(Playback { paused: false, speed: Speed::Times(1000.0), seeking: false });
    assert_eq!(press(&mut app, Action::Plus), Some(Effect::Pump(Control::Speed(Speed::Max))));
    assert_eq!(press(&mut app, Action::Plus), None);
    assert_eq!(press(&mut app, Action::Minus), Some(Effect::Pump(Control::Speed(Speed::Times(1000.0)))));
}

#[test]
fn cursor_stays_on_the_device_and_on_the_screen() {
    let mut app = app();
    app.view = View::Clusters;
    for step in [Step::Left, Step::Up, Step::PageUp] {
        press(&mut app, Action::Move(step));
        assert_eq!(app.clusters.cursor, 0);
    }
    while app.clusters.zoom < max_zoom(&app) {
        press(&mut app, Action::ZoomIn);
    }
    assert_eq!(app.grid().per_cell, 1);
    press(&mut app, Action::Move(Step::Last));
    for step in [Step::Right, Step::Down, Step::PageDown] {
        press(&mut app, Action::Move(step));
        assert_eq!(app.clusters.cursor, 8191);
    }
    let (row, _) = app.grid().place(8191);
    assert!((app.clusters.top..app.clusters.top + app.grid().visible).contains(&row));
    update(&mut app, Message::Frame(frame(9, &[(1, 7)])));
    assert_eq!(app.clusters.cursor, 6, "the device shrank");
    update(&mut app, Message::Frame(frame(10, &[])));
    press(&mut app, Action::Move(Step::Down));
    assert_eq!(app.clusters.cursor, 0, "the device went away");
}

#[test]
fn devices_go_round_and_a_vanished_one_falls_back() {
    let mut app = app();
    assert_eq!(app.device().map(|d| d.dev), Some(1));
    press(&mut app, Action::NextDevice);
    assert_eq!(app.device().map(|d| d.dev), Some(3));
    assert_eq!(app.summary.lists[0][0], 100, "lists are those of the shown device");
    press(&mut app, Action::PreviousDevice);
    press(&mut app, Action::PreviousDevice);
    assert_eq!(app.device().map(|d| d.dev), Some(3));
    update(&mut app, Message::Frame(frame(2, &[(1, 5)])));
    assert_eq!(app.device().map(|d| d.dev), Some(1));
}

#[test]
fn resize_to_nothing_and_back_is_survived() {
    let mut app = app();
    app.view = View::Clusters;
    press(&mut app, Action::Move(Step::Last));
    for (w, h) in [(1, 1), (0, 0), (300, 100), (20, 5), (80, 24)] {
        update(&mut app, Message::Resize(Size::new(w, h)));
        press(&mut app, Action::Move(Step::Up));
        press(&mut app, Action::ZoomIn);
    }
    assert!(app.clusters.cursor < 8192);
}

#[test]
fn help_scrolls_instead_of_the_view_below_it() {
    let mut app = app();
    press(&mut app, Action::Help);
    press(&mut app, Action::Move(Step::Down));
    assert_eq!((app.help_top, app.cgroup_top), (1, 0));
    press(&mut app, Action::Back);
    press(&mut app, Action::Move(Step::Last));
    assert_eq!((app.help, app.cgroup_top), (false, 29));
}

#[test]
fn paint_goes_round() {
    let mut app = app();
    for _ in 0..4 {
        press(&mut app, Action::Paint);
    }
    assert_eq!(app.clusters.paint, Paint::List);
}

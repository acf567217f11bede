//! Tests of [`super::update`].

use super::*;
use crate::app::frame::Playback;
use crate::app::state::{Origin, Paint};
use crate::snapshot::{ClusterCell, DeviceView, MemcgView, Snapshot};
use ratatui::layout::Size;
use std::sync::Arc;

fn frame(events: u64, devices: &[(u8, usize)]) -> Frame {
    let devices = devices
        .iter()
        .map(|(dev, clusters)| DeviceView {
            dev: *dev,
            clusters: Arc::new(vec![ClusterCell::default(); *clusters]),
            ..DeviceView::default()
        })
        .collect();
    let memcgs = vec![MemcgView::default(); 30];
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
    press(&mut app, Action::NextView);
    assert_eq!(app.view, View::Clusters);
    press(&mut app, Action::Move(Step::Right));
    let at = app.clusters.cursor;
    assert!(at > 0);
    press(&mut app, Action::NextView);
    assert_eq!(app.view, View::Allocator);
    press(&mut app, Action::Move(Step::Down));
    press(&mut app, Action::NextView);
    assert_eq!(app.view, View::Overview);
    press(&mut app, Action::PreviousView);
    assert_eq!((app.view, app.allocator_top), (View::Allocator, 1));
    press(&mut app, Action::PreviousView);
    assert_eq!((app.view, app.clusters.cursor), (View::Clusters, at));
    press(&mut app, Action::Back);
    assert_eq!(app.view, View::Overview);
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
    app.frame.playback = Some(Playback { paused: false, speed: Speed::Times(1.0) });
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

    app.frame.playback = Some(Playback { paused: false, speed: Speed::Times(1000.0) });
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

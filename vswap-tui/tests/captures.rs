//! The pictures of the README: every view over the same generated load, drawn anew and compared. `cargo xtask captures`
//! writes them.

#![allow(clippy::unwrap_used, reason = "tests")]

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Size;
use std::path::Path;
use std::time::Duration;
use vswap_tui::app::frame::{Frame, Vitals};
use vswap_tui::app::message::{Action, Control, Step};
use vswap_tui::app::{App, Message, Origin, View, update};
use vswap_tui::check::Beside;
use vswap_tui::cli::Workload;
use vswap_tui::runtime::pump::{Advanced, Pump};
use vswap_tui::snapshot::Backend;
use vswap_tui::source::Source;
use vswap_tui::source::generator::Generator;
use vswap_tui::ui;
use vswap_tui::ui::theme::{Depth, Theme};

const COLUMNS: u16 = 80;
const ROWS: u16 = 24;

/// The generated machine after some seconds. Same seed, same events.
fn machine(seconds: u64) -> Pump {
    let source = Generator::unpaced(Workload::Mixed, 1);
    let beside = Beside::new(String::new()).with_model(source.header());
    let limit = Some(Duration::from_secs(seconds));
    let mut pump = Pump::new(Box::new(source), Some(beside), None, limit).with_journal();
    while pump.advance(Duration::ZERO).unwrap() != Advanced::Ended {}
    pump
}

/// What this machine here adds to a frame is left out.
fn still(mut frame: Frame) -> Frame {
    frame.vitals = Vitals::default();
    frame.events_per_s = 0.0;
    frame.end = None;
    frame
}

fn look(app: &mut App, pump: &mut Pump) {
    pump.control(Control::Watch(app.watch())).unwrap();
    update(app, Message::Frame(still(pump.frame())));
}

/// All pictures by name.
fn pictures() -> Vec<(String, String)> {
    let size = Size::new(COLUMNS, ROWS);
    let mut app = App::new(Origin::Demo, Duration::from_millis(250), None, size);
    update(&mut app, Message::Frame(still(machine(2).frame())));
    let mut pump = machine(4);
    look(&mut app, &mut pump);
    let mut all = Vec::new();
    let mut shoot = |app: &App, name: &str| {
        let mut terminal = Terminal::new(TestBackend::new(COLUMNS, ROWS)).unwrap();
        terminal.draw(|f| ui::draw(app, Theme::new(Depth::Mono, false), f.buffer_mut())).unwrap();
        let buffer = terminal.backend().buffer();
        let row = |y| (0..COLUMNS).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        let lines: Vec<String> = (0..ROWS).map(|y| row(y).trim_end().to_owned()).collect();
        all.push((name.to_owned(), lines.join("\n")));
    };
    for view in View::ALL {
        update(&mut app, Message::Do(Action::Show(view)));
        if view == View::Clusters {
            (0..3).for_each(|_| drop(update(&mut app, Message::Do(Action::Move(Step::Right)))));
        }
        if view == View::Latency {
            (0..2).for_each(|_| drop(update(&mut app, Message::Do(Action::Move(Step::Down)))));
        }
        look(&mut app, &mut pump);
        shoot(&app, &view.name().to_lowercase());
        if view == View::Clusters {
            update(&mut app, Message::Do(Action::Open));
            look(&mut app, &mut pump);
            // A slot with something to tell.
            let slots = &app.closeup().unwrap().slots;
            let to = slots.iter().rposition(|s| s.backend == Backend::Zswap && s.order > 0).unwrap();
            (0..to).for_each(|_| drop(update(&mut app, Message::Do(Action::Move(Step::Right)))));
            look(&mut app, &mut pump);
            shoot(&app, "cluster");
        }
    }
    all
}

#[test]
fn the_readme_shows_what_the_dashboard_draws() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let old = std::fs::read_to_string(&file).unwrap();
    let mut new = old.clone();
    for (name, picture) in pictures() {
        let mark = format!("<!-- capture: {name} -->\n```text\n");
        let Some(start) = new.find(&mark).map(|at| at + mark.len()) else { continue };
        let end = start + new[start..].find("\n```").expect("a picture ends with three backticks");
        new.replace_range(start..end, &picture);
    }
    if std::env::var_os("VSWAP_WRITE_CAPTURES").is_some() {
        std::fs::write(&file, new).unwrap();
        return;
    }
    assert!(old.matches("<!-- capture: ").count() >= View::ALL.len(), "every main view has a picture");
    assert!(old == new, "the README shows something else than the dashboard: run `cargo xtask captures`");
}

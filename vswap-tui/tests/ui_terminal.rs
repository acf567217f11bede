//! The dashboard on a real terminal: keys, resizes, signals, panics, and the terminal given back each time.

#![allow(clippy::unwrap_used, reason = "tests")]

mod pty;

use pty::Pty;
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use vswap_tui::cli::Workload;
use vswap_tui::meta::Trailer;
use vswap_tui::source::Source;
use vswap_tui::source::generator::Generator;
use vswap_tui::term::Screen;
use vswap_tui::trace::TraceWriter;

/// What each view shows and no other, in the order of their digits.
const VIEWS: [&str; 8] = [
    "Where it is",
    "fits by order",
    "runs of slots",
    "charge audit",
    "Spread of",
    "Slots a second",
    "Model beside the kernel",
    "Hooks:",
];

#[test]
fn keys_walk_the_views_and_q_leaves() {
    let mut t = Pty::vswap(&["demo"], 80, 24);
    t.shows(VIEWS[0]);
    assert!(!t.is_cooked());
    for (digit, title) in ('1'..).zip(VIEWS) {
        t.keys(&digit.to_string());
        t.shows(title);
    }
    t.keys("\t");
    t.shows(VIEWS[0]);
    t.keys("2\r");
    t.shows("slots used");
    t.shows("owner");
    t.keys("\x1b");
    t.shows(VIEWS[1]);
    t.keys("?");
    t.shows("Shift-Tab");
    t.keys("\x1b");
    t.shows(VIEWS[1]);
    t.keys(":lat\r");
    t.shows(VIEWS[4]);
    t.keys("6/free\r");
    t.shows("Events: 'free'");
    t.keys("4/nobody has this\r");
    t.shows("no path fits");
    t.keys("q");
    assert_eq!(t.restored().code(), Some(0));
}

#[test]
fn keys_work_on_the_screen_of_totals() {
    for (end, keys) in [("q", "q"), ("Ctrl-C", "\x03")] {
        let mut t = Pty::vswap(&["live", "--totals"], 80, 24);
        t.shows("Sums only");
        t.keys("?");
        t.shows("Where the numbers come from");
        t.keys("\x1b");
        t.shows("Sums only");
        t.keys(keys);
        assert_eq!(t.restored().code(), Some(0), "{end}");
    }
    let mut t = Pty::vswap(&["live", "--totals"], 80, 24);
    t.shows("Sums only");
    t.keys("d");
    t.shows(VIEWS[0]);
    t.keys("q");
    assert_eq!(t.restored().code(), Some(0));
}

#[test]
fn every_view_survives_a_tiny_terminal() {
    let mut t = Pty::vswap(&["demo"], 80, 24);
    t.shows(VIEWS[0]);
    for (digit, title) in ('1'..).zip(VIEWS) {
        t.keys(&digit.to_string());
        t.shows(title);
        t.resize(20, 5);
        t.shows("20x5 is too small");
        t.resize(80, 24);
        t.shows(title);
    }
    t.keys("q");
    assert_eq!(t.restored().code(), Some(0));
}

#[test]
fn the_shown_instant_is_saved() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("now.json");
    let mut t = Pty::vswap(&["demo"], 80, 24);
    let seen = t.wait_for(0, "Where it is");
    t.keys(&format!(":save {}\r", file.display()));
    t.wait_for(seen, "saved");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert!(json["events"].as_u64().is_some_and(|n| n > 0) && json["memcgs"].is_array());
    t.keys("q");
    assert_eq!(t.restored().code(), Some(0));
}

#[test]
fn a_replay_goes_back_and_on() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.vswap");
    write_trace(&file, 8);
    let mut t = Pty::vswap(&["replay", file.to_str().unwrap(), "--speed", "max"], 100, 30);
    t.shows("end of trace");
    t.keys(" 0");
    t.shows("PAUSED max");
    t.shows("No event up to here");
    t.keys(",");
    t.shows("end of trace");
    t.keys("[");
    t.shows("PAUSED max");
    t.shows("Where it is");
    t.keys("6");
    t.shows("alloc");
    t.keys(":seek 1s\r");
    t.shows("end of trace");
    t.keys("q");
    assert_eq!(t.restored().code(), Some(0));
}

#[test]
fn resize_to_nothing_and_back() {
    let mut t = Pty::vswap(&["demo"], 80, 24);
    let seen = t.wait_for(0, "Where it is");
    t.resize(20, 5);
    let seen = t.wait_for(seen, "20x5");
    t.resize(1, 1);
    t.resize(200, 60);
    t.wait_for(seen, "one column a second");
    t.keys("\x03");
    assert_eq!(t.restored().code(), Some(0));
}

#[test]
fn signals_end_it_cleanly() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut t = Pty::vswap(&["demo"], 80, 24);
        t.wait_for(0, "Where it is");
        t.signal(signal);
        assert_eq!(t.restored().code(), Some(0), "{signal:?}");
    }
}

#[test]
fn stop_gives_the_terminal_back_and_continue_takes_it_again() {
    let mut t = Pty::vswap(&["demo"], 80, 24);
    let mut seen = t.wait_for(0, "Where it is");
    // From outside, then by key.
    for by_key in [false, true] {
        if by_key {
            t.keys("\x1a");
        } else {
            t.signal(Signal::TSTP);
        }
        t.wait_stopped(true);
        assert!(t.is_cooked());
        seen = t.wait_for(seen, "\x1b[?1049l");
        t.signal(Signal::CONT);
        seen = t.wait_for(seen, "\x1b[?1049h");
        seen = t.wait_for(seen, "Where it is");
        t.wait_stopped(false);
        assert!(!t.is_cooked());
    }
    t.keys("q");
    assert_eq!(t.restored().code(), Some(0));
}

/// Not a test by itself: what [`a_panic_on_any_thread_gives_the_terminal_back`] runs on its terminal.
#[test]
#[ignore = "run by another test on a terminal"]
fn panics_on_a_terminal() {
    let _screen = Screen::enter().unwrap();
    let panicked = std::thread::spawn(|| panic!("boom on a thread")).join();
    assert!(panicked.is_ok(), "the thread panicked");
}

#[test]
fn a_panic_on_any_thread_gives_the_terminal_back() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", "panics_on_a_terminal"]);
    let mut t = Pty::spawn(command, 80, 24);
    assert_eq!(t.restored().code(), Some(101));
    let output = t.output();
    assert!(
        output.find("\x1b[?1049l") < output.find("boom on a thread"),
        "the message is on the normal screen"
    );
}

#[test]
fn a_terminal_that_goes_away_ends_it() {
    let status = Pty::hung_up(&["demo", "--interval", "50ms"]);
    assert_eq!(status.signal(), None, "{status}");
}

fn write_trace(path: &Path, batches: usize) {
    let mut generator = Generator::unpaced(Workload::Mixed, 7);
    let mut writer = TraceWriter::new(Vec::new(), generator.header()).unwrap();
    for _ in 0..batches {
        for record in generator.records(5_000) {
            writer.push(&record).unwrap();
        }
        writer.flush().unwrap();
    }
    std::fs::write(path, writer.finish(&Trailer::default()).unwrap()).unwrap();
}

#[test]
fn replay_plays_steps_and_stays_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.vswap");
    write_trace(&file, 4);
    let path = file.to_str().unwrap();

    let mut t = Pty::vswap(&["replay", path, "--speed", "0.001x"], 100, 30);
    let seen = t.wait_for(0, "events/s");
    t.keys("n");
    let seen = t.wait_for(seen, "PAUSED");
    t.keys(".");
    t.keys("....................");
    t.wait_for(seen, "trace");
    t.keys("2");
    t.shows("fits by order");
    t.keys("q");
    assert_eq!(t.restored().code(), Some(0));

    let mut t = Pty::vswap(&["replay", path, "--speed", "max"], 100, 30);
    t.wait_for(0, "trace");
    t.keys("q");
    assert_eq!(t.restored().code(), Some(0));
}

#[test]
fn a_trace_cut_short_is_shown_up_to_the_cut_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cut.vswap");
    write_trace(&file, 4);
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() * 2 / 3]).unwrap();
    let mut t = Pty::vswap(&["replay", file.to_str().unwrap(), "--speed", "max"], 120, 30);
    t.wait_for(0, "input damaged");
    t.keys("q");
    assert_eq!(t.restored().code(), Some(5));
}

fn vswap(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vswap"));
    command.args(args).stdin(Stdio::null());
    command
}

#[test]
fn without_a_terminal_the_message_names_headless() {
    for args in [&["demo"][..], &["live"], &["replay", "/nonexistent"]] {
        let out = vswap(args).output().unwrap();
        assert_eq!(out.status.code(), Some(1));
        let message = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(message.contains("not a terminal") && message.contains("--headless"), "{message}");
    }
}

#[test]
fn a_dumb_terminal_is_told_what_to_do() {
    let mut command = Command::new("/usr/bin/env");
    command.args(["TERM=dumb", env!("CARGO_BIN_EXE_vswap"), "demo"]);
    let t = Pty::spawn(command, 80, 24);
    let end = t.wait_for(0, "--headless");
    assert!(t.output()[..end].contains("TERM"));
    assert!(!t.output().contains("\x1b[?1049h"));
}

#[test]
fn headless_demo_gives_the_same_result_for_the_same_seed() {
    let run = |seed: &str| {
        let out =
            vswap(&["demo", "--headless", "--json", "--duration", "2s", "--seed", seed]).output().unwrap();
        assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    let first = run("5");
    let json: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert!(json["events"].as_u64().unwrap() > 1000);
    assert_eq!(json["lost"], 0);
    assert_eq!(first, run("5"));
    assert_ne!(first, run("6"));
}

#[test]
fn headless_live_input_and_replay_agree() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.vswap");
    write_trace(&file, 2);
    let path = file.to_str().unwrap();
    let replayed = vswap(&["replay", path, "--headless", "--json"]).output().unwrap();
    assert_eq!(replayed.status.code(), Some(0), "{}", String::from_utf8_lossy(&replayed.stderr));
    let streamed = vswap(&["live", "--input", "-", "--headless", "--json"])
        .stdin(std::fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    assert_eq!(streamed.status.code(), Some(0), "{}", String::from_utf8_lossy(&streamed.stderr));
    assert_eq!(replayed.stdout, streamed.stdout);
    let reported = vswap(&["report", path, "--json"]).output().unwrap();
    assert_eq!(replayed.stdout, reported.stdout, "one object for all of them");
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let out = vswap(&["demo", "--headless", "--duration", "1s"]).stdout(writer).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stderr.is_empty());
}

//! Every view against what `vswap report`, `vswap slots` and `vswap replay --check` say of the same events: recordings of
//! real kernels from a file and as a stream, and the demo. What a reader finds on the screen is what is in the trace.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use assert_cmd::Command;
use common::{MONO, line_with, lines};
use ratatui::layout::Size;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
use vswap_tui::app::message::{Action, Control, Step};
use vswap_tui::app::prompt::Ask;
use vswap_tui::app::{App, Message, Origin, View, update};
use vswap_tui::check::Beside;
use vswap_tui::cli::Workload;
use vswap_tui::runtime::pump::{Advanced, Pump};
use vswap_tui::source::Source;
use vswap_tui::source::generator::Generator;
use vswap_tui::source::trace::TraceSource;
use vswap_tui::ui::format;

/// Columns and rows of the terminals.
const SIZES: [(u16, u16); 2] = [(80, 24), (200, 60)];
/// From a quarter of its slots on the column of a second matrix begins.
const SECOND_MATRIX: usize = 56;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn output(args: &[&str]) -> String {
    let run = Command::cargo_bin("vswap").unwrap().args(args).assert().success();
    String::from_utf8(run.get_output().stdout.clone()).unwrap()
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&output(args)).unwrap()
}

/// A number of a report.
fn n(v: &Value, key: &str) -> u64 {
    v[key].as_u64().unwrap_or_else(|| panic!("no number {key} in {v}"))
}

/// A dashboard over events that have all been taken in.
struct Shown {
    app: App,
    pump: Pump,
}

impl Shown {
    fn new(source: Box<dyn Source>, origin: Origin, limit: Option<Duration>) -> Self {
        let beside = Beside::new(String::new()).with_model(source.header());
        let mut pump = Pump::new(source, Some(beside), None, limit).with_journal();
        while pump.advance(Duration::from_millis(20)).unwrap() != Advanced::Ended {}
        let app = App::new(origin, Duration::from_millis(250), None, Size::new(80, 24));
        let mut shown = Self { app, pump };
        shown.look();
        shown
    }

    /// Asks for what the view wants, and shows it.
    fn look(&mut self) {
        self.pump.control(Control::Watch(self.app.watch())).unwrap();
        update(&mut self.app, Message::Frame(self.pump.frame()));
    }

    fn press(&mut self, action: Action) {
        update(&mut self.app, Message::Do(action));
        self.look();
    }

    /// The view on a terminal of this size.
    fn view(&mut self, view: View, (columns, rows): (u16, u16)) -> Vec<String> {
        update(&mut self.app, Message::Resize(Size::new(columns, rows)));
        self.press(Action::Show(view));
        lines(&self.app, MONO)
    }

    /// All there is to scroll to of a view that is longer than the screen.
    fn scrolled(&mut self, view: View, size: (u16, u16)) -> Vec<String> {
        self.view(view, size);
        self.press(Action::Move(Step::First));
        let mut all = lines(&self.app, MONO);
        for _ in 0..20 {
            self.press(Action::Move(Step::PageDown));
            all.extend(lines(&self.app, MONO));
        }
        all
    }

    fn jump(&mut self, to: &str) -> Vec<String> {
        update(&mut self.app, Message::Do(Action::Ask(Ask::Slot)));
        to.chars().for_each(|c| drop(update(&mut self.app, Message::Do(Action::Type(c)))));
        self.press(Action::Accept);
        lines(&self.app, MONO)
    }
}

/// What every view must say at every size.
fn check(shown: &mut Shown, report: &Value) {
    let page = n(&report["host"], "page_size");
    let used: u64 = report["backends"].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum();
    assert!(used > 0, "an empty trace tells nothing");
    for size in SIZES {
        let overview = shown.view(View::Overview, size);
        for (backend, slots) in report["backends"].as_object().unwrap() {
            let slots = slots.as_u64().unwrap();
            let share = format::percent_of(slots, used);
            line_with(&overview, &[backend, &format::count(slots), &format::bytes(slots * page), &share]);
        }
        line_with(&overview, &["in use", &format::count(used), &format::bytes(used * page)]);
        let compressed = n(report, "zswap_bytes");
        if compressed > 0 {
            let whole = format::bytes(n(&report["backends"], "zswap") * page);
            line_with(&overview, &["zswap holds", &whole, " in ", &format::bytes(compressed)]);
        }
        let lost = n(report, "lost");
        assert!(overview[0].trim_end().ends_with(&format!("lost {lost}")), "{}", overview[0]);
        for d in report["devices"].as_array().unwrap() {
            let share = match d["virtual"] == true {
                true => format::count_in(n(d, "used"), 5),
                false => format::percent_of(n(d, "used"), n(d, "pages")),
            };
            line_with(&overview, &[&n(d, "dev").to_string(), d["name"].as_str().unwrap(), &share]);
        }
        check_latency(shown, report, &overview, size);
        check_cgroups(shown, report, size);
        check_clusters(shown, report, size);
        check_doctor(shown, report, size);
    }
    check_flow(shown, report);
}

/// Names on the screen and in the report.
const KINDS: [(&str, &str); 6] = [
    ("in zero", "load_zero"),
    ("in zswap", "load_zswap"),
    ("in phys", "load_phys"),
    ("out zswap", "store_zswap"),
    ("out phys", "write_phys"),
    ("stay zswap", "in_zswap"),
];

fn check_latency(shown: &mut Shown, report: &Value, overview: &[String], size: (u16, u16)) {
    let latency = shown.view(View::Latency, size);
    for (name, key) in KINDS {
        let p = &report["latency_ns"][key];
        let count = n(p, "count");
        let at = |q: &str| format::duration(n(p, q));
        if count == 0 {
            line_with(&latency, &[name, " 0 ", "-", "-", "-", "-", "-"]);
            continue;
        }
        let all = ["p50", "p90", "p99", "p999", "max"].map(at);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        line_with(&latency, &[&[name, &format::count(count)], &all[..]].concat());
        line_with(overview, &[name, &at("p50"), &at("p99"), &at("max")]);
    }
}

fn check_cgroups(shown: &mut Shown, report: &Value, size: (u16, u16)) {
    if shown.app.cgroups.tree {
        update(&mut shown.app, Message::Do(Action::Tree));
    }
    let rows = shown.view(View::Cgroups, size);
    let some = |n: u64| if n == 0 { ".".to_owned() } else { format::count(n) };
    for m in report["memcgs"].as_array().unwrap() {
        let path = m["path"].as_str().unwrap();
        let figures = ["slots", "zswap", "phys", "zero"].map(|key| some(n(m, key)));
        let figures: Vec<&str> = figures.iter().map(String::as_str).collect();
        let row = line_with(&rows, &[&[path], &figures[..]].concat());
        if size.0 >= 200 {
            let at = |head: &str| {
                let end = rows[2].find(head).unwrap_or_else(|| panic!("no {head}: {}", rows[2])) + head.len();
                row.chars().take(end).collect::<String>().rsplit(' ').next().unwrap().to_owned()
            };
            assert_eq!(
                (at("charged"), at("reread")),
                (format::count(n(m, "charged")), some(n(m, "refaults")))
            );
            let causes = &m["writebacks"];
            for (head, key) in
                [("wb:shrink", "shrinker"), ("wb:pool", "pool_limit"), ("wb:limit", "memcg_limit")]
            {
                assert_eq!(at(head), some(causes[key].as_u64().unwrap_or(0)), "{head}: {row}");
            }
        }
    }
}

/// The number after a word.
fn after(line: &str, word: &str) -> Option<u64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.windows(2).filter(|w| w[0] == word).find_map(|w| w[1].replace(',', "").parse().ok())
}

/// Clusters by list, summed over the devices, in the cluster view and in the allocator view.
fn check_clusters(shown: &mut Shown, report: &Value, size: (u16, u16)) {
    let mut told: BTreeMap<&str, u64> = BTreeMap::new();
    for c in report["clusters"].as_array().unwrap() {
        let list = ["free", "nonfull", "frag", "full", "discard"];
        if let Some(list) = list.into_iter().find(|l| c["list"] == *l) {
            *told.entry(list).or_default() += n(c, "clusters");
        }
    }
    if told.is_empty() {
        assert!(
            shown.view(View::Clusters, size).join(" ").contains("list not told "),
            "nobody told the lists"
        );
    }
    for view in [View::Clusters, View::Allocator] {
        let mut sums: BTreeMap<&str, u64> = told.keys().map(|list| (*list, 0)).collect();
        for _ in report["devices"].as_array().unwrap() {
            let screen = shown.view(view, size);
            for (list, sum) in &mut sums {
                *sum += screen.iter().find_map(|line| after(line, list)).unwrap_or(0);
            }
            shown.press(Action::NextDevice);
        }
        assert_eq!(sums, told, "{view:?} {size:?}\n{}", lines(&shown.app, MONO).join("\n"));
    }
}

fn check_doctor(shown: &mut Shown, report: &Value, size: (u16, u16)) {
    let doctor = shown.scrolled(View::Doctor, size);
    let unconfirmed = format!("{} not", format::count(n(report, "unconfirmed")));
    line_with(&doctor, &["confirmed", &unconfirmed]);
    let losses = &report["losses"];
    let lost = format!("{} records in {} gaps", n(losses, "lost"), n(losses, "gaps"));
    line_with(&doctor, &["lost", &lost]);
    for hook in report["hooks"].as_array().unwrap() {
        let emitted = format::count_in(n(hook, "emitted"), 11);
        line_with(&doctor, &[hook["hook"].as_str().unwrap(), &emitted]);
    }
}

/// The matrix of all that moved, and the newest event.
fn check_flow(shown: &mut Shown, report: &Value) {
    let flow = shown.view(View::Flow, (200, 60));
    let names = ["free", "folio", "zero", "zswap", "phys"];
    let mut seen = 0;
    for (row, from) in names.iter().enumerate() {
        let line: String = flow[3 + row].chars().skip(SECOND_MATRIX).take(SECOND_MATRIX).collect();
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(cells[0], *from, "{line}");
        let to = names.iter().filter(|to| *to != from);
        for (to, cell) in to.zip(&cells[1..]) {
            let told = report["transitions"].as_array().unwrap();
            let told =
                told.iter().find(|t| t["from"] == *from && t["to"] == *to).map_or(0, |t| n(t, "count"));
            assert_eq!(cell.replace(['.', ','], "").parse().unwrap_or(0), told, "{from} to {to}: {line}");
            seen += u64::from(told > 0);
        }
    }
    assert_eq!(seen, report["transitions"].as_array().unwrap().len() as u64, "all of them are on the screen");
    let us = n(report, "duration_ns") / 1000;
    line_with(&flow, &[&format!("{}.{:06}", us / 1_000_000, us % 1_000_000)]);
}

/// Slots of the dump under the cursor of the mapping, one in every `step`; and how many aligned runs are left.
fn check_slots(shown: &mut Shown, dump: &str, step: usize) {
    let slots: Vec<Value> = dump.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(slots.len() > step, "nothing to look at");
    shown.view(View::Mapping, (200, 60));
    for slot in slots.iter().step_by(step) {
        let place = format!("{}:{}", n(slot, "dev"), n(slot, "off"));
        let screen = shown.jump(&place);
        line_with(&screen, &[&format!("Slot {place} ")]);
        let state = match (slot["backend"].as_str().unwrap(), slot["len"].as_u64()) {
            ("zswap", Some(len)) => format!("zswap, {} of ", format::bytes(len)),
            (backend, _) => backend.to_owned(),
        };
        line_with(&screen, &[&format!("  {state}")]);
        line_with(&screen, &[&format!("order {}", n(slot, "order"))]);
        line_with(&screen, &["owner  ", slot["memcg"].as_str().unwrap()]);
        if let Some(off) = slot["phys"]["off"].as_u64() {
            line_with(&screen, &[&format!("to physical slot {}:{off} ", n(&slot["phys"], "dev"))]);
        }
    }
}

/// Aligned free runs and waste of the only device, counted from the slots in use: what the report says, and of orders 4
/// and 9 the screen.
fn check_aligned(shown: &mut Shown, dump: &str, device: &Value) {
    let mut used = vec![false; n(device, "pages") as usize + 1];
    let mut waste = 0;
    // The first page holds the header of the device.
    used[0] = true;
    for line in dump.lines() {
        let slot: Value = serde_json::from_str(line).unwrap();
        used[n(&slot, "off") as usize] = true;
        waste += u64::from(matches!(slot["backend"].as_str(), Some("zswap" | "zero")));
    }
    assert_eq!(n(device, "waste"), waste);
    let fits = |order: usize| {
        used.chunks_exact(1 << order).filter(|run| run.iter().all(|slot| !slot)).count() as u64
    };
    let told: Vec<u64> = serde_json::from_value(device["aligned"].clone()).unwrap();
    assert_eq!(told, (0..=9).map(fits).collect::<Vec<_>>());
    for size in SIZES {
        let screen = shown.view(View::Clusters, size).join(" ");
        for order in [4usize, 9] {
            let wanted = format!(" {order}:{} ", format::count_in(fits(order), 5));
            assert!(screen.contains(&wanted), "no{wanted}on the screen {size:?}:\n{screen}");
        }
    }
}

fn file(name: &str, origin: Origin, limit: Option<Duration>) -> Shown {
    let source = match origin {
        Origin::Stream => TraceSource::stream(File::open(fixture(name)).unwrap()).unwrap(),
        _ => TraceSource::open(&fixture(name)).unwrap(),
    };
    Shown::new(Box::new(source), origin, limit)
}

#[test]
fn a_recording_of_a_real_kernel_is_shown_as_it_is_from_file_and_stream() {
    for name in ["linux-7.3-4cpu-thp.vswap", "linux-7.3-1cpu-order0.vswap"] {
        let path = fixture(name);
        let path = path.to_str().unwrap();
        let report = json(&["report", "--json", path]);
        let dump = output(&["slots", path]);
        let checked = json(&["replay", "--check", "--json", path]);
        for origin in [Origin::Replay, Origin::Stream] {
            let mut shown = file(name, origin, None);
            check(&mut shown, &report);
            check_slots(&mut shown, &dump, 997);
            check_aligned(&mut shown, &dump, &report["devices"][0]);
            let (agreed, all) = (n(&checked, "agreed"), n(&checked, "allocations"));
            assert!(all > 0);
            for size in SIZES {
                let allocator = shown.view(View::Allocator, size);
                let told = format!("{} of {} allocations", format::count(agreed), format::count(all));
                line_with(&allocator, &["same slot", &told]);
            }
        }
    }
}

#[test]
fn so_is_its_middle_with_large_folios_writeback_and_reads_from_the_device() {
    let name = "linux-7.3-4cpu-mixed.vswap";
    let path = fixture(name);
    let path = path.to_str().unwrap();
    let report = json(&["replay", "--headless", "--json", "--duration", "700ms", path]);
    let mut shown = file(name, Origin::Replay, Some(Duration::from_millis(700)));
    check(&mut shown, &report);
    let dump = output(&["slots", "--at", "700ms", path]);
    check_slots(&mut shown, &dump, 97);
    check_aligned(&mut shown, &dump, &report["devices"][0]);
}

#[test]
fn so_are_kernels_with_other_tables() {
    for name in [
        "linux-6.12-1cpu-order0.vswap",
        "linux-6.18-1cpu-order0.vswap",
        "linux-vswap-rfc-v1-2cpu-limit.vswap",
    ] {
        let path = fixture(name);
        let path = path.to_str().unwrap();
        let mut shown = file(name, Origin::Replay, None);
        check(&mut shown, &json(&["report", "--json", path]));
        check_slots(&mut shown, &output(&["slots", path]), 97);
    }
}

#[test]
fn the_demo_is_shown_as_its_report_has_it() {
    for workload in ["mixed", "writeback"] {
        let args =
            ["demo", "--headless", "--json", "--seed", "7", "--duration", "3s", "--workload", workload];
        let report = json(&args);
        let workload = if workload == "mixed" { Workload::Mixed } else { Workload::Writeback };
        let source = Box::new(Generator::unpaced(workload, 7));
        let mut shown = Shown::new(source, Origin::Demo, Some(Duration::from_secs(3)));
        check(&mut shown, &report);
        let (agreed, all) = (n(&report["check"], "agreed"), n(&report["check"], "allocations"));
        let told = format!("{} of {} allocations", format::count(agreed), format::count(all));
        line_with(&shown.view(View::Allocator, (80, 24)), &["same slot", &told]);
    }
}

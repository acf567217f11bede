//! `vswap report` and `vswap slots` on traces written here: output, filters and exit codes.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail their test")]

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;
use vswap_common::{Entry, Kind, Record, flags};
use vswap_tui::meta::{CgroupInfo, ClockPair, DeviceInfo, Header, HookTotals, KernelInfo, Trailer};
use vswap_tui::trace::{TraceWriter, file};

const SECOND: u64 = 1_000_000_000;

fn header() -> Header {
    Header {
        tool_version: "0.1.0".into(),
        origin: "host".into(),
        kernel: KernelInfo {
            release: "7.3.4-test".into(),
            machine: "x86_64".into(),
            cpus: 2,
            page_size: 4096,
            cluster_slots: 512,
        },
        layout_name: "swap-table-memcg".into(),
        devices: vec![DeviceInfo { dev: 0, name: "/dev/vda".into(), pages: 1023, ..Default::default() }],
        cgroups: vec![CgroupInfo { id: 7, inode: 1, path: "/wl".into() }],
        clock: ClockPair { monotonic_ns: 10 * SECOND, realtime_ns: 1_700_000_000 * SECOND },
        from_swapon: true,
        ..Header::default()
    }
}

/// One page each: zero, zswap, written to the device; a second later a fourth is allocated by an unknown cgroup.
fn records() -> Vec<Record> {
    let mut out = Vec::new();
    let mut add = |kind: Kind, off: u64, change: fn(&mut Record)| {
        let n = out.len() as u64;
        let mut r = Record {
            ts: 10 * SECOND + n * 1000,
            entry: Entry::new(0, off).0,
            seq: n as u32,
            tid: 42,
            nr: 1,
            kind: kind as u8,
            flags: flags::WORDS,
            ..Record::default()
        };
        change(&mut r);
        out.push(r);
    };
    let charge = |r: &mut Record| {
        r.memcg = 7;
        r.flags |= flags::MEMCG;
    };
    for off in [1, 2, 3] {
        add(Kind::Alloc, off, |_| ());
        add(Kind::Charge, off, charge);
    }
    add(Kind::Zero, 1, |r| r.flags |= flags::ZERO);
    add(Kind::CacheDel, 1, |r| r.flags |= flags::SWAPOUT | flags::ZERO);
    add(Kind::ZswapStore, 2, |r| {
        r.val = 1234;
        r.arg = 5000;
    });
    add(Kind::CacheDel, 2, |r| r.flags |= flags::SWAPOUT);
    add(Kind::ZswapReject, 3, |_| ());
    add(Kind::Write, 3, |_| ());
    add(Kind::WriteEnd, 3, |_| ());
    add(Kind::CacheDel, 3, |r| r.flags |= flags::SWAPOUT);
    add(Kind::Alloc, 600, |r| r.ts += SECOND);
    add(Kind::Charge, 600, |r| {
        r.ts += SECOND;
        r.memcg = 9;
        r.flags |= flags::MEMCG;
    });
    out
}

struct Trace {
    _dir: TempDir,
    path: PathBuf,
}

fn trace(records: &[Record], trailer: Option<Trailer>) -> Trace {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.vswap");
    let mut w = TraceWriter::new(file::create(&path, false).unwrap(), &header()).unwrap();
    for r in records {
        w.push(r).unwrap();
    }
    match trailer {
        Some(trailer) => drop(w.finish(&trailer).unwrap()),
        None => w.flush().unwrap(),
    }
    Trace { _dir: dir, path }
}

fn whole() -> Trace {
    trace(&records(), Some(Trailer { records: 16, reason: "signal".into(), ..Trailer::default() }))
}

fn vswap(args: &[&str], file: &Path) -> Output {
    Command::cargo_bin("vswap").unwrap().args(args).arg(file).output().unwrap()
}

fn json(args: &[&str], file: &Path, exit: i32) -> Value {
    let out = vswap(args, file);
    assert_eq!(out.status.code(), Some(exit), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

fn lines(args: &[&str], file: &Path, exit: i32) -> Vec<String> {
    let out = vswap(args, file);
    assert_eq!(out.status.code(), Some(exit), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().lines().map(String::from).collect()
}

const ZERO: &str = r#"{"dev":0,"off":1,"backend":"zero","phys":null,"memcg":"/wl","order":0,"cached":false,"len":null,"confirmed":true}"#;
const ZSWAP: &str = r#"{"dev":0,"off":2,"backend":"zswap","phys":null,"memcg":"/wl","order":0,"cached":false,"len":1234,"confirmed":true}"#;
const PHYS: &str = r#"{"dev":0,"off":3,"backend":"phys","phys":null,"memcg":"/wl","order":0,"cached":false,"len":null,"confirmed":true}"#;
const FOLIO: &str = r##"{"dev":0,"off":600,"backend":"folio","phys":null,"memcg":"#9","order":0,"cached":true,"len":null,"confirmed":true}"##;

#[test]
fn slots_are_the_map_at_the_end() {
    assert_eq!(lines(&["slots"], &whole().path, 0), [ZERO, ZSWAP, PHYS, FOLIO]);
}

#[test]
fn slots_can_be_filtered_and_dated() {
    let t = whole();
    assert_eq!(lines(&["slots", "--memcg", "/wl"], &t.path, 0), [ZERO, ZSWAP, PHYS]);
    assert_eq!(lines(&["slots", "--memcg", "#9"], &t.path, 0), [FOLIO]);
    assert!(lines(&["slots", "--device", "1"], &t.path, 0).is_empty());
    assert_eq!(lines(&["slots", "--device", "0", "--at", "500ms"], &t.path, 0), [ZERO, ZSWAP, PHYS]);
    assert_eq!(lines(&["slots", "--at", "1h"], &t.path, 0).len(), 4);
}

#[test]
fn report_json_holds_what_the_contract_names() {
    let report = json(&["report", "--json"], &whole().path, 0);
    let at = |pointer: &str| report.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is missing"));
    assert_eq!(at("/events"), 16);
    assert_eq!(at("/lost"), 0);
    assert_eq!(at("/duration_ns"), SECOND + 15_000);
    assert_eq!(at("/kernel"), "7.3.4-test");
    assert_eq!(at("/layout"), "swap-table-memcg");
    assert_eq!(at("/devices/0/name"), "/dev/vda");
    assert_eq!((at("/devices/0/dev"), at("/devices/0/pages")), (&0.into(), &1023.into()));
    assert_eq!((at("/devices/0/used"), at("/devices/0/virtual")), (&4.into(), &false.into()));
    for backend in ["folio", "zero", "zswap", "phys"] {
        assert_eq!(at(&format!("/backends/{backend}")), 1, "{backend}");
    }
    let clusters: u64 =
        at("/clusters").as_array().unwrap().iter().map(|c| c["slots"].as_u64().unwrap()).sum();
    assert_eq!(clusters, 4);
    let memcg = &at("/memcgs").as_array().unwrap()[0];
    for (key, value) in [("slots", 3), ("zswap", 1), ("zero", 1), ("phys", 1), ("charged", 3)] {
        assert_eq!(memcg[key], value, "{key}");
    }
    assert_eq!(memcg["path"], "/wl");
    let freshly: u64 = at("/transitions")
        .as_array()
        .unwrap()
        .iter()
        .filter(|t| t["from"] == "free")
        .map(|t| t["count"].as_u64().unwrap())
        .sum();
    assert_eq!(freshly, 4, "every slot came from free: {}", at("/transitions"));
    assert_eq!(at("/latency_ns/store_zswap/count"), 1);
    for key in ["p50", "p90", "p99", "p999", "max"] {
        let ns = at(&format!("/latency_ns/store_zswap/{key}")).as_u64().unwrap();
        assert!((4900..=5100).contains(&ns), "{key} = {ns}");
    }
    assert_eq!(at("/unconfirmed"), 0);
    assert_eq!((at("/totals/zswpout"), at("/totals/swpout_zero")), (&1.into(), &1.into()));
    assert_eq!(at("/trailer/reason"), "signal");
    assert_eq!(at("/damage"), &Value::Null);
    assert_eq!(at("/started"), "2023-11-14T22:13:20.000Z");
}

#[test]
fn report_for_people_names_kernel_time_and_numbers() {
    let out = lines(&["report"], &whole().path, 0).join("\n");
    for part in ["7.3.4-test", "swap-table-memcg", "2023-11-14T22:13:20", "Lost      none", "/dev/vda", "/wl"]
    {
        assert!(out.contains(part), "{part} is missing in\n{out}");
    }
    assert!(!out.contains("DAMAGE") && !out.contains("LOST"), "{out}");
}

#[test]
fn a_gap_ends_in_exit_code_3_and_unconfirmed_slots() {
    let mut records = records();
    let gap = Record { kind: Kind::Gap as u8, entry: 0, nr: 0, arg: 25, ..records[13] };
    records.insert(14, gap);
    let t = trace(&records, Some(Trailer { records: 16, lost: 25, ..Trailer::default() }));
    let report = json(&["report", "--json"], &t.path, 3);
    assert_eq!(report["lost"], 25);
    assert_eq!(report["unconfirmed"], 3);
    let text = lines(&["report"], &t.path, 3).join("\n");
    assert!(text.contains("LOST      25 events"), "{text}");
    let slots = lines(&["slots"], &t.path, 3);
    assert!(
        slots[0].contains(r#""confirmed":false"#) && slots[3].contains(r#""confirmed":true"#),
        "{slots:?}"
    );
}

#[test]
fn losses_known_only_to_the_trailer_count() {
    let hook = HookTotals { hook: "free".into(), emitted: 9, fault: 4, ..HookTotals::default() };
    let t = trace(&records(), Some(Trailer { lost: 4, hooks: vec![hook], ..Trailer::default() }));
    let report = json(&["report", "--json"], &t.path, 3);
    assert_eq!((&report["lost"], &report["hooks"][0]["fault"]), (&4.into(), &4.into()));
    let text = lines(&["report"], &t.path, 3).join("\n");
    assert!(text.contains("Hooks that lost events"), "{text}");
}

#[test]
fn a_cut_file_is_used_as_far_as_it_is_whole_and_ends_in_exit_code_5() {
    for cut in [0, 3] {
        let t = trace(&records(), None);
        let len = fs::metadata(&t.path).unwrap().len();
        fs::OpenOptions::new().append(true).open(&t.path).unwrap().set_len(len - cut).unwrap();
        let report = json(&["report", "--json"], &t.path, 5);
        assert_eq!(report["events"], if cut == 0 { 16 } else { 0 });
        assert_eq!(report["trailer"], Value::Null);
        let damage = report["damage"].as_str().unwrap();
        assert!(damage.contains("cut short at byte") && damage.contains("no trailer"), "{damage}");
        assert_eq!(lines(&["slots"], &t.path, 5).len(), if cut == 0 { 4 } else { 0 });
        let out = vswap(&["report"], &t.path);
        assert_eq!(out.status.code(), Some(5));
        assert!(String::from_utf8(out.stdout).unwrap().contains("DAMAGE"));
    }
}

#[test]
fn nothing_usable_and_no_trace_are_told_apart() {
    let t = whole();
    for (bytes, exit, words) in [("", 5, "cut short"), ("this is not a trace", 1, "not a vswap trace")] {
        fs::write(&t.path, bytes).unwrap();
        for command in ["report", "slots"] {
            let out = vswap(&[command], &t.path);
            let message = String::from_utf8(out.stderr).unwrap();
            assert_eq!(out.status.code(), Some(exit), "{message}");
            assert!(message.contains(words) && message.contains("t.vswap"), "{message}");
        }
    }
    let out = vswap(&["report"], Path::new("no-such-file"));
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8(out.stderr).unwrap().contains("no-such-file"));
}

#[test]
fn standard_input_is_a_trace_too() {
    let bytes = fs::read(whole().path).unwrap();
    let mut command = Command::cargo_bin("vswap").unwrap();
    let out = command.args(["slots", "-"]).write_stdin(bytes).output().unwrap();
    assert_eq!(out.status.code(), Some(0));
    assert_eq!(String::from_utf8(out.stdout).unwrap().lines().count(), 4);
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut records = records();
    let first = records[0];
    // Enough lines to fill any pipe.
    let all = (1000..9000).map(|off| Record { entry: Entry::new(0, off).0, ..first });
    records.splice(14..14, all);
    let t = trace(&records, Some(Trailer::default()));
    let binary = assert_cmd::cargo::cargo_bin("vswap");
    let mut child = std::process::Command::new(binary)
        .arg("slots")
        .arg(&t.path)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn messages_that_nobody_reads_change_no_exit_code() {
    let t = trace(&records(), None);
    for args in [&["report"][..], &["slots"], &["report", "/nonexistent"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut run = std::process::Command::new(assert_cmd::cargo::cargo_bin("vswap"));
        run.args(args).args((args.len() == 1).then_some(&t.path));
        let out = run.stderr(writer).output().unwrap();
        assert_eq!(out.status.code(), Some(if args.len() == 1 { 5 } else { 1 }), "{args:?}");
    }
}

#[test]
fn the_endpoint_is_not_forgotten_where_no_slots_are_told() {
    for rung in ["counters", "tracepoint"] {
        let args = ["live", "--headless", "--openmetrics", "0", "--rung", rung];
        let run = Command::cargo_bin("vswap").unwrap().args(args).assert().code(2);
        let said = String::from_utf8(run.get_output().stderr.clone()).unwrap();
        assert!(said.contains("--openmetrics"), "{said}");
    }
}

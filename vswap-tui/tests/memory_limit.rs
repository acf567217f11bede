//! `--memory-limit`: inputs that would take any amount of memory take what they are given, and everybody is told.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail their test")]

use proptest::prelude::*;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use tempfile::TempDir;
use vswap_common::{Entry, Kind, Record, device, flags};
use vswap_tui::collector::Collector;
use vswap_tui::decode::decode;
use vswap_tui::memory;
use vswap_tui::meta::{Header, KernelInfo, Trailer};
use vswap_tui::trace::{TraceWriter, file};

/// Address space for a run, KiB: enough for the program, not for what the input asks for.
const SPACE: u64 = 360_000;
const LIMIT: &str = "32M";
/// Clusters that the wide trace touches: about 600 MB of slot map.
const CLUSTERS: u64 = 120_000;

fn header() -> Header {
    Header {
        kernel: KernelInfo { cpus: 2, page_size: 4096, cluster_slots: 512, ..KernelInfo::default() },
        layout_name: "swap-table-memcg".into(),
        from_swapon: true,
        ..Header::default()
    }
}

fn record(n: u64, kind: Kind, dev: u8, off: u64) -> Record {
    let (ts, seq) = (1_000_000 + n * 1000, n as u32);
    Record {
        ts,
        seq,
        kind: kind as u8,
        entry: Entry::new(dev, off).0,
        nr: 1,
        flags: flags::WORDS,
        ..Record::default()
    }
}

fn swapon(n: u64, dev: u8, max: u64) -> Record {
    let flags = device::BLOCK | device::SOLID_STATE;
    Record { arg: max - 1, val: -1, nr: 0, flags, ..record(n, Kind::SwapOn, dev, max) }
}

fn write(dir: &TempDir, records: impl Iterator<Item = Record>) -> PathBuf {
    let path = dir.path().join("t.vswap");
    let mut writer = TraceWriter::new(file::create(&path, false).unwrap(), &header()).unwrap();
    let mut n = 0;
    for r in records {
        writer.push(&r).unwrap();
        n += 1;
    }
    writer.finish(&Trailer { records: n, ..Trailer::default() }).unwrap();
    path
}

/// One slot in each of many clusters.
fn wide(dir: &TempDir) -> PathBuf {
    let slots = (0..CLUSTERS).map(|i| record(i + 1, Kind::Alloc, 0, i * 512 + 1));
    write(dir, std::iter::once(swapon(0, 0, CLUSTERS * 512)).chain(slots))
}

/// Devices as large as an offset can say, and little on them.
fn huge(dir: &TempDir) -> PathBuf {
    let devices = (0..8u8).map(|dev| swapon(dev.into(), dev, 1 << 31));
    write(dir, devices.chain((1..100).map(|i| record(100 + i, Kind::Alloc, 0, i))))
}

/// Runs in so much address space: whatever takes more dies.
fn run(args: &[&str], trace: &Path) -> Output {
    let mut sh = Command::new("sh");
    sh.args(["-c", &format!("ulimit -v {SPACE}; exec \"$@\""), "sh", env!("CARGO_BIN_EXE_vswap")]);
    sh.args(args).arg(trace).env("MALLOC_ARENA_MAX", "1").output().unwrap()
}

fn stderr(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

#[test]
fn a_slot_map_that_does_not_fit_is_cut_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let trace = wide(&dir);
    let free = run(&["report", "--json"], &trace);
    assert_eq!(free.status.code(), None, "without a limit it dies of this space: {}", stderr(&free));

    let report = run(&["report", "--json", "--memory-limit", LIMIT], &trace);
    assert_eq!(report.status.code(), Some(3), "{}", stderr(&report));
    assert!(stderr(&report).contains("--memory-limit"), "{}", stderr(&report));
    let json: Value = serde_json::from_slice(&report.stdout).unwrap();
    let untracked = json["losses"]["untracked"].as_u64().unwrap();
    let used = json["devices"][0]["used"].as_u64().unwrap();
    assert_eq!(
        (json["events"].as_u64(), used + untracked),
        (Some(CLUSTERS + 1), CLUSTERS),
        "each slot or counted"
    );
    assert!(used > 0 && used < CLUSTERS / 10, "{used}");

    let text = run(&["report", "--memory-limit", LIMIT], &trace);
    assert!(String::from_utf8_lossy(&text.stdout).contains("--memory-limit"), "{}", stderr(&text));
    let slots = run(&["slots", "--memory-limit", LIMIT], &trace);
    assert_eq!(
        (slots.status.code(), slots.stdout.iter().filter(|b| **b == b'\n').count() as u64),
        (Some(3), used)
    );
    for command in [&["replay", "--headless"][..], &["live", "--headless", "--input"], &["diff", "--json"]] {
        let mut args = vec!["--memory-limit", LIMIT];
        args.extend(command);
        if command[0] == "diff" {
            args.push(trace.to_str().unwrap());
        }
        let out = run(&args, &trace);
        assert_eq!(out.status.code(), Some(3), "{command:?}: {}", stderr(&out));
    }
}

#[test]
fn a_model_of_devices_that_do_not_fit_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let trace = huge(&dir);
    let check = run(&["--memory-limit", LIMIT, "replay", "--check", "--json"], &trace);
    assert!(check.status.code().is_some(), "{}", stderr(&check));
    assert!(stderr(&check).contains("--memory-limit"), "{}", stderr(&check));
    let what_if =
        run(&["--memory-limit", LIMIT, "replay", "--compare", "swap-table,vswap", "--json"], &trace);
    assert_eq!(what_if.status.code(), Some(3), "{}", stderr(&what_if));
    let json: Value = serde_json::from_slice(&what_if.stdout).unwrap();
    assert!(json.to_string().contains("--memory-limit"), "{json}");
    // Such devices never were followed, with a limit or without.
    let free = run(&["replay", "--compare", "swap-table,vswap", "--json"], &trace);
    assert_eq!(free.status.code(), Some(3), "{}", stderr(&free));
}

#[test]
fn a_block_of_json_without_end_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.vswap");
    let plan = vec![vswap_tui::meta::HookPlan::default(); 60_000];
    let mut writer =
        TraceWriter::new(file::create(&path, false).unwrap(), &Header { plan, ..header() }).unwrap();
    writer.push(&record(1, Kind::Alloc, 0, 1)).unwrap();
    writer.finish(&Trailer::default()).unwrap();
    let out = run(&["report", "--json"], &path);
    assert_eq!(out.status.code(), Some(5), "{}", stderr(&out));
    assert!(stderr(&out).contains("no recorder writes"), "{}", stderr(&out));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_comes_the_limit_holds_and_all_is_given_back(
        events in prop::collection::vec((0u8..40, 0u8..3, 0u64..4, 0u64..100_000, 0u16..600, any::<u64>()), 0..400)
    ) {
        const BYTES: u64 = 100_000;
        memory::limit_process(BYTES);
        let budget = Arc::clone(memory::process());
        prop_assert_eq!(budget.left(), BYTES);
        {
            let mut collector = Collector::new(Arc::new(header()), 1 << 30);
            for (n, (kind, dev, far, off, nr, arg)) in events.into_iter().enumerate() {
                let entry = Entry::new(dev, off * 512u64.pow(far as u32)).0;
                let r = Record { nr, arg, ts: n as u64, kind, entry, ..Record::default() };
                if let Ok(event) = decode(&r) {
                    collector.apply(&event);
                }
                prop_assert!(budget.left() <= BYTES);
            }
            let snapshot = collector.snapshot();
            prop_assert_eq!(collector.slots().count() as u64, snapshot.used());
            let kept = collector.slots().map(|s| (s.dev, s.off / 512)).collect::<std::collections::BTreeSet<_>>();
            prop_assert!(kept.len() as u64 <= BYTES / 4608, "{} clusters", kept.len());
        }
        prop_assert_eq!(budget.left(), BYTES, "all is given back");
    }
}

//! `vswap replay --model`, `--compare`, `--set` on traces of real kernels: against the collector's own count, and as a
//! user sees them.

#![allow(clippy::unwrap_used, reason = "tests")]

use assert_cmd::Command;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use vswap_common::Kind;
use vswap_tui::collector::Collector;
use vswap_tui::decode::Event;
use vswap_tui::meta::Header;
use vswap_tui::source::trace::TraceSource;
use vswap_tui::source::{Batch, Polled, Source};
use vswap_tui::whatif::{Comparison, Design, Row};

const TRACES: [&str; 4] = [
    "linux-7.3-1cpu-order0.vswap",
    "linux-7.3-4cpu-thp.vswap",
    "linux-7.3-1cpu-mixed.vswap",
    "linux-7.3-4cpu-mixed.vswap",
];

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn events(name: &str) -> (Header, Vec<Event>) {
    let mut source = TraceSource::open(&fixture(name)).unwrap();
    let (mut events, mut batch) = (Vec::new(), Batch::default());
    loop {
        let polled = source.poll(&mut batch, Duration::from_secs(1)).unwrap();
        events.extend_from_slice(&batch.events);
        if let Polled::End { .. } = polled {
            return (source.header().clone(), events);
        }
    }
}

fn rows(header: &Header, events: &[Event]) -> Vec<Row> {
    let mut comparison = Comparison::new(header, &Design::all());
    events.iter().for_each(|e| comparison.apply(e));
    comparison.rows()
}

/// Slots in use after these events, by backend, as the collector counts them.
fn collected(header: &Header, events: &[Event]) -> [u64; 5] {
    let mut collector = Collector::new(Arc::new(header.clone()), u64::MAX);
    events.iter().for_each(|e| collector.apply(e));
    collector.snapshot().mix
}

#[test]
fn without_vswap_it_is_what_the_kernel_really_used() {
    for name in TRACES {
        let (header, events) = events(name);
        let (mut used, mut peak, mut after) = (0u64, 0, 0);
        for (i, e) in events.iter().enumerate() {
            match e.kind {
                Kind::Alloc => used += u64::from(e.nr),
                Kind::Free => used -= u64::from(e.nr),
                _ => {}
            }
            if used > peak {
                (peak, after) = (used, i + 1);
            }
        }
        assert!(peak > 3000, "{name}");
        assert_eq!(collected(&header, &events[..after]).iter().sum::<u64>(), peak, "{name}");
        let rows = rows(&header, &events);
        for row in &rows[..2] {
            assert_eq!(row.peak_phys_slots, peak, "{name} {}", row.model);
        }
        for row in &rows {
            // A folio that the record had to split is placed as a whole where there is room.
            let split =
                |note: &String| row.model.starts_with("vswap") && note.contains("that the record split");
            assert!(row.notes.iter().all(split), "{name} {}: {:?}", row.model, row.notes);
            assert_eq!(row.kept_pages, 0, "{name} {}", row.model);
        }
        // The record's slots forced on the model, or the model's own choice: the same slots, the same tables.
        assert_eq!(Row { model: rows[0].model.clone(), ..rows[1].clone() }, rows[0], "{name}");
        for row in &rows[2..] {
            assert!(row.peak_phys_slots < peak, "{name} {}", row.model);
            assert!(row.peak_virtual_slots >= peak, "{name} {}", row.model);
        }
    }
}

/// First place from `at` on where no folio is half stored: the collector sees its pages one by one, a design takes the
/// folio as a whole.
fn between_stores(events: &[Event], at: usize) -> usize {
    let mut storing = std::collections::HashSet::new();
    for (i, e) in events.iter().enumerate() {
        if i >= at && storing.is_empty() {
            return i;
        }
        match e.kind {
            Kind::ZswapPage => _ = storing.insert(e.tid),
            Kind::ZswapStore | Kind::ZswapReject => _ = storing.remove(&e.tid),
            _ => {}
        }
    }
    events.len()
}

#[test]
fn every_design_has_the_pages_where_the_collector_has_them() {
    for name in TRACES {
        let (header, events) = events(name);
        for share in [3, 2, 1] {
            let events = &events[..between_stores(&events, events.len() / share)];
            let [none, folio, zero, zswap, phys] = collected(&header, events);
            for row in rows(&header, events) {
                // A design that could place a folio the record had to split has slots for all its parts.
                let extra = if row.model.starts_with("vswap") { 512 } else { 0 };
                let now = (row.now.zero, row.now.zswap, row.now.phys);
                assert_eq!(now, (zero, zswap, phys), "{name} 1/{share} {}", row.model);
                let folio = none + folio;
                assert!((folio..=folio + extra).contains(&row.now.folio), "{name} 1/{share} {}", row.model);
            }
        }
    }
}

/// Generated loads use several devices with priorities, swapoffs, refused charges, full swap.
#[test]
fn generated_loads_need_what_was_recorded_and_less_under_vswap() {
    let dir = tempfile::tempdir().unwrap();
    for workload in ["mixed", "thp", "writeback", "churn", "oom"] {
        let file = dir.path().join(workload);
        let options = ["--workload", workload, "--events", "40K", "--slots", "8K", "-o"];
        Command::cargo_bin("vswap").unwrap().arg("generate").args(options).arg(&file).assert().success();
        let list = "as-recorded,swap-table,vswap-rfc1,vswap-rfc2";
        let out = json(&[file.to_str().unwrap(), "--compare", list, "--json"]);
        let peak = |i: usize| out["models"][i]["peak_phys_slots"].as_u64().unwrap();
        assert_eq!(out["models"][0]["exact"], true, "{workload} {}", out["models"][0]["notes"]);
        assert!(peak(0) > 500 && peak(0) == peak(1), "{workload} {} {}", peak(0), peak(1));
        assert!(peak(2) < peak(0) && peak(3) < peak(0), "{workload}");
        for i in 2..4 {
            assert!(out["models"][i]["peak_virtual_slots"].as_u64() >= Some(peak(0)), "{workload}");
        }
    }
}

fn vswap(args: &[&str]) -> assert_cmd::assert::Assert {
    Command::cargo_bin("vswap").unwrap().arg("replay").args(args).assert()
}

fn json(args: &[&str]) -> Value {
    let run = vswap(args).success();
    serde_json::from_slice(&run.get_output().stdout).unwrap()
}

#[test]
fn json_has_the_contracts_members_for_each_model() {
    let file = fixture(TRACES[0]);
    let file = file.to_str().unwrap();
    let alone = json(&[file, "--model", "vswap-rfc1", "--json"]);
    let models = alone["models"].as_array().unwrap();
    assert_eq!(models.len(), 2, "beside what was recorded");
    assert_eq!((&models[0]["model"], &models[1]["model"]), (&"as-recorded".into(), &"vswap-rfc1".into()));
    for model in models {
        for key in ["peak_phys_slots", "peak_virtual_slots", "metadata_bytes_peak"] {
            assert!(model[key].is_u64(), "{key}");
        }
        assert_eq!(model["fallbacks_by_order"].as_array().unwrap().len(), 10);
        let parts: u64 = model["metadata"].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum();
        assert_eq!(model["metadata_bytes_peak"], parts);
    }
    assert_eq!((&models[0]["peak_phys_slots"], &models[1]["peak_phys_slots"]), (&4096.into(), &0.into()));
    let both = json(&[file, "--check", "--compare", "as-recorded,vswap-rfc1", "--json"]);
    assert_eq!(both["models"], alone["models"]);
    assert_eq!((&both["allocations"], &both["agreement"]), (&4096.into(), &1.0.into()));
    assert!(json(&[file, "--check", "--json"]).get("models").is_none());
}

#[test]
fn four_designs_stand_side_by_side_in_80_columns() {
    let file = fixture(TRACES[2]);
    let list = "as-recorded,swap-table,vswap-rfc1,vswap-rfc2";
    let run = vswap(&[file.to_str().unwrap(), "--compare", list]).success();
    let text = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for part in [
        "swap-table needs what as-recorded needs",
        "vswap-rfc2 would free 2,797 of 3,539 physical slots (10.9 MiB) at the peak",
        "metadata +18.3 KiB (+8.4 %)",
        "as-recorded   swap-table   vswap-rfc1   vswap-rfc2",
        "Exact for this record.",
        "/wl",
    ] {
        assert!(text.contains(part), "no '{part}' in\n{text}");
    }
    let checked = vswap(&[file.to_str().unwrap(), "--check", "--model", "vswap"]).success();
    let text = String::from_utf8(checked.get_output().stdout.clone()).unwrap();
    assert!(text.contains("Agreed") && text.contains("vswap-rfc2 would free"), "{text}");
}

#[test]
fn a_smaller_pool_moves_pages_to_the_device_and_says_what_is_estimated() {
    let file = fixture(TRACES[0]);
    let file = file.to_str().unwrap();
    let out = json(&[file, "--model", "vswap", "--set", "zswap-max=1M", "--set", "cluster=256", "--json"]);
    let (recorded, small) = (&out["models"][0], &out["models"][1]);
    assert_eq!(small["model"], "vswap-rfc2 zswap-max=1048576,cluster=256");
    assert_eq!((&recorded["exact"], &small["exact"]), (&true.into(), &false.into()));
    let number = |model: &Value, key: &str| model[key].as_u64().unwrap();
    // It is open while a byte is left, so that one page may go over.
    assert!(number(small, "zswap_bytes_peak") < (1 << 20) + 4096);
    assert!(number(small, "peak_phys_slots") > 1000 && number(small, "zswap_writebacks") > 100, "{small}");
    assert!(number(small, "peak_phys_slots") < number(recorded, "peak_phys_slots"));
    let text = vswap(&[file, "--model", "vswap", "--set", "phys-pages=100"]).success();
    let text = String::from_utf8(text.get_output().stdout.clone()).unwrap();
    assert!(text.starts_with("With phys-pages=100, except as-recorded:"), "{text}");
}

#[test]
fn wrong_questions_are_usage_errors_that_name_the_choices() {
    let file = fixture(TRACES[0]);
    let file = file.to_str().unwrap();
    for (args, part) in [
        (&["--model", "plan9"][..], "there are as-recorded, swap-table, vswap-rfc1, vswap-rfc2"),
        (&["--compare", "vswap,swap-table,vswap-rfc2"], "'vswap-rfc2' is named twice"),
        (&["--model", "vswap", "--set", "zswap-max=much"], "zswap-max=much"),
        (&["--model", "vswap", "--set", "cluster=7"], "512 slots, or 256"),
        (
            &["--model", "vswap", "--set", "speed=1"],
            "there are zswap-max=BYTES, phys-pages=N, cluster=512|256",
        ),
        (&["--model", "vswap", "--set", "cluster=256", "--set", "cluster=256"], "given twice"),
        (&["--set", "cluster=256"], "--set needs --model or --compare"),
        (&["--model", "as-recorded", "--set", "cluster=256"], "changes no model"),
        (&["--model", "vswap", "--compare", "vswap"], "cannot be used with"),
    ] {
        let run = vswap(&[&[file], args].concat()).code(2);
        let message = String::from_utf8(run.get_output().stderr.clone()).unwrap();
        assert!(message.contains(part), "{args:?}: {message}");
    }
}

#[test]
fn a_cut_trace_is_replayed_up_to_the_damage() {
    let bytes = std::fs::read(fixture(TRACES[0])).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let cut = dir.path().join("cut.vswap");
    std::fs::write(&cut, &bytes[..bytes.len() * 2 / 3]).unwrap();
    let run = vswap(&[cut.to_str().unwrap(), "--model", "vswap", "--json"]).code(5);
    let out: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    assert!(out["models"][0]["peak_phys_slots"].as_u64() <= Some(4096), "{out}");
}

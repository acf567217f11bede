//! `vswap diff` on recordings of real kernels.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail their test")]

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn diff(args: &[&Path], more: &[&str]) -> String {
    let mut run = Command::cargo_bin("vswap").unwrap();
    run.arg("diff").args(args).args(more);
    String::from_utf8(run.assert().success().get_output().stdout.clone()).unwrap()
}

#[test]
fn one_cpu_against_four_and_a_recording_against_itself() {
    let (one, four) = (fixture("linux-7.3-1cpu-mixed.vswap"), fixture("linux-7.3-4cpu-mixed.vswap"));
    let rows: Value = serde_json::from_str(&diff(&[&one, &four], &["--check", "--json"])).unwrap();
    let row = |name: &str| rows.as_array().unwrap().iter().find(|r| r["name"] == name).unwrap();
    assert_eq!(row("model picks the slot")["a"]["median"], 100.0);
    assert_eq!(row("events")["a"]["median"], 81649.0);
    assert_eq!(row("events")["b"]["median"], 78826.0);
    let rate = row("zswpout");
    assert_eq!((rate["group"].as_str(), rate["unit"].as_str()), (Some("rate"), Some("/s")));
    assert!(rate["change"].as_f64().is_some_and(|c| c.abs() > 0.01));
    let table = diff(&[&one, &one], &[]);
    assert!(
        table.contains("load_zswap p99") && table.contains("+0.0%") && table.contains("one run each"),
        "{table}"
    );
}

#[test]
fn folders_are_sets_of_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("base"), dir.path().join("patched"));
    for (folder, names) in [(&a, ["1cpu-order0", "1cpu-mixed"]), (&b, ["4cpu-mixed", "4cpu-thp"])] {
        fs::create_dir(folder).unwrap();
        for name in names {
            let name = format!("linux-7.3-{name}.vswap");
            fs::copy(fixture(&name), folder.join(&name)).unwrap();
        }
    }
    let table = diff(&[&a, &b], &[]);
    assert!(
        table.contains("base (2 runs)") && table.contains("patched (2 runs)") && table.contains("+-"),
        "{table}"
    );
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let failed = Command::cargo_bin("vswap").unwrap().arg("diff").args([&a, &empty]).assert().code(1);
    assert!(String::from_utf8_lossy(&failed.get_output().stderr).contains("no recordings"));
}

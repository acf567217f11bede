//! `vswap generate`: the file, what other commands make of it, and what it refuses.

#![allow(clippy::unwrap_used, reason = "tests")]

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const EVENTS: u64 = 30_000;

fn vswap(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("vswap").unwrap();
    command.args(args);
    command
}

fn generate(out: &Path, more: &[&str]) -> Command {
    let mut command = vswap(&["generate", "--events", "30K", "-o"]);
    command.arg(out).args(more);
    command
}

fn json(command: &mut Command) -> Value {
    serde_json::from_slice(&command.assert().success().get_output().stdout).unwrap()
}

#[test]
fn same_options_same_bytes_and_another_seed_others() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, more: &[&str]| {
        let path = dir.path().join(name);
        generate(&path, more).assert().success();
        fs::read(path).unwrap()
    };
    for workload in ["mixed", "thp", "writeback", "churn", "oom"] {
        let more = ["--workload", workload, "--cpus", "2", "--slots", "16K"];
        let name = |n: u8| format!("{workload}-{n}");
        assert_eq!(file(&name(1), &more), file(&name(2), &more), "{workload}");
        assert_ne!(
            fs::read(dir.path().join(name(1))).unwrap(),
            file(&name(3), &[&more[..], &["--seed", "2"]].concat())
        );
    }
}

#[test]
fn a_file_that_exists_is_replaced_only_by_force_and_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.vswap");
    fs::write(&path, "precious").unwrap();
    let run = generate(&path, &[]).assert().code(1);
    let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(stderr.contains("--force"), "{stderr}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    let run = generate(&path, &["--force"]).assert().success();
    assert!(run.get_output().stdout.is_empty(), "messages go to stderr");
    assert!(fs::metadata(&path).unwrap().len() > 10_000);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn other_commands_read_it_and_the_check_agrees() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.vswap");
    generate(&path, &["--workload", "oom", "--slots", "8K"]).assert().success();
    let report = json(vswap(&["report", "--json"]).arg(&path));
    assert_eq!((report["events"].as_u64(), report["lost"].as_u64()), (Some(EVENTS), Some(0)));
    assert_eq!(report["unconfirmed"], 0);
    assert_eq!(report["devices"].as_array().unwrap().len(), 3);
    assert_eq!(report["devices"][0]["name"], "generated0");
    let pages: u64 = report["devices"].as_array().unwrap().iter().map(|d| d["pages"].as_u64().unwrap()).sum();
    assert_eq!(pages, (8 << 10) - 3, "all slots but the headers");

    let check = json(vswap(&["replay", "--check", "--json"]).arg(&path));
    assert!(check["allocations"].as_u64() > Some(1_000));
    assert_eq!((&check["agreement"], &check["faults"]), (&1.0.into(), &0.into()));

    let slots = vswap(&["slots"]).arg(&path).assert().success();
    let used = report["devices"].as_array().unwrap().iter().map(|d| d["used"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(slots.get_output().stdout.iter().filter(|b| **b == b'\n').count() as u64, used);
}

#[test]
fn a_stream_is_the_same_trace() {
    let stream = generate(Path::new("-"), &["--seed", "5"]).assert().success().get_output().stdout.clone();
    let report = json(vswap(&["report", "--json", "-"]).write_stdin(stream.clone()));
    assert_eq!(report["events"].as_u64(), Some(EVENTS));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.vswap");
    generate(&path, &["--seed", "5"]).assert().success();
    assert_eq!(fs::read(path).unwrap(), stream);
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let exe = assert_cmd::cargo::cargo_bin("vswap");
    let shell = format!("{} generate --events 2M -o - | head -c 100000 | wc -c", exe.display());
    let run = Command::new("bash").args(["-o", "pipefail", "-c", &shell]).assert().success();
    assert_eq!(String::from_utf8_lossy(&run.get_output().stdout).trim(), "100000");
}

#[test]
fn what_cannot_be_is_refused_with_the_bounds() {
    for (option, value, bound) in [
        ("--slots", "100", "4096"),
        ("--slots", "1G", "16777216"),
        ("--cpus", "0", "256"),
        ("--cpus", "many", "256"),
        ("--events", "0", "1M"),
        ("--workload", "quiet", "writeback"),
    ] {
        let run = vswap(&["generate", "-o", "/nonexistent/x", option, value]).assert().code(2);
        let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        assert!(stderr.contains(bound), "{option} {value}: {stderr}");
    }
}

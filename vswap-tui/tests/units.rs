//! The systemd units in `dist/`: their options are options of `vswap record`, and systemd takes the files.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail their test")]

use clap::Parser;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use vswap_tui::cli::{self, Cli, RecordArgs};

fn dist(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist").join(name)
}

/// What stands in quotes behind the variable, as `vswap record` reads it.
fn options(file: &str, variable: &str) -> RecordArgs {
    let text = fs::read_to_string(dist(file)).unwrap();
    let (_, rest) = text.split_once(&format!("{variable}=\"")).unwrap();
    let (options, _) = rest.split_once('"').unwrap();
    let fixed = ["vswap", "record", "-o", "/var/lib/vswap/host.vswap"];
    let cli = Cli::try_parse_from(fixed.into_iter().chain(options.split_whitespace())).unwrap();
    let Some(cli::Command::Record(args)) = cli.command else { panic!("{options} is no recording") };
    args
}

#[test]
fn the_options_of_the_units_are_options_of_record() {
    for file in ["vswap-record.service", "vswap.default"] {
        let args = options(file, "VSWAP_RECORD_OPTIONS");
        // No logrotate: what is on the disk is bounded.
        assert!(args.keeping.rotate_size.is_some() && args.keeping.keep.is_some(), "{file}");
    }
    for file in ["vswap-flight.service", "vswap.default"] {
        let args = options(file, "VSWAP_FLIGHT_OPTIONS");
        assert!(args.keeping.keep.is_some(), "{file}");
    }
}

#[test]
fn systemd_takes_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("skipped: no systemd-analyze here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["vswap-record.service", "vswap-flight.service"] {
        let text = fs::read_to_string(dist(name)).unwrap();
        // Neither the binary nor its manual is installed where this runs.
        let text = text.replace("/usr/bin/vswap", env!("CARGO_BIN_EXE_vswap"));
        let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with("Documentation=")).collect();
        let unit = folder.path().join(name);
        fs::write(&unit, lines.join("\n")).unwrap();
        let out = Command::new("systemd-analyze").arg("verify").arg(&unit).output().unwrap();
        // Other units of the machine may have faults of their own.
        let said = String::from_utf8_lossy(&out.stderr);
        let ours: Vec<&str> = said.lines().filter(|l| l.contains(name)).collect();
        assert!(ours.is_empty(), "{ours:?}");
    }
}

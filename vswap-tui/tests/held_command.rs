//! The held side of `record -- CMD`: it stops before it becomes the command, and becomes it when told to go on.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use assert_cmd::cargo::cargo_bin;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn held(command: &[&str]) -> Child {
    let mut held = Command::new(cargo_bin("vswap"));
    held.args(["exec-held", "--"]).args(command);
    held.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// State letter of a process, as `/proc/PID/stat` has it after the name.
fn state(child: &Child) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

fn wait_until_stopped(child: &Child) {
    let begin = Instant::now();
    while state(child) != Some('T') {
        assert!(begin.elapsed() < Duration::from_secs(20), "never stopped: {:?}", state(child));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn let_go(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::CONT).unwrap();
}

#[test]
fn nothing_runs_before_it_is_let_go_and_the_process_stays_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    let mut child = held(&["sh", "-c", &format!("touch {}; echo $$; exit 7", mark.display())]);
    wait_until_stopped(&child);
    assert!(!mark.exists());
    let_go(&child);
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((status.code(), said.trim()), (Some(7), child.id().to_string().as_str()));
    assert!(mark.exists());
}

#[test]
fn a_command_that_cannot_be_run_is_named() {
    let mut child = held(&["/nonexistent/program"]);
    wait_until_stopped(&child);
    let_go(&child);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("/nonexistent/program"), "{said}");
}

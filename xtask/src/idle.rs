//! What an open dashboard costs when nothing happens, beside btop on the same machine in the same half minute. How
//! often each really drew is counted from what it wrote to its terminal.

use crate::sh;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long both are watched.
const SPAN: Duration = Duration::from_secs(30);
/// Time to start up, not counted.
const START: Duration = Duration::from_secs(5);
/// Ticks of /proc/PID/stat in a second (`USER_HZ`).
const HZ: f64 = 100.0;

/// Writes to a terminal that are less apart belong to one drawing.
const APART: f64 = 0.05;

/// A program on a terminal of its own.
struct Shown {
    name: &'static str,
    script: Child,
    /// When it wrote how much, a line a write.
    timing: PathBuf,
}

/// Prints the share of a core that each takes at 200x60 and four frames a second.
pub(crate) fn run() -> Result<()> {
    if sh::which("script").is_none() {
        println!("idle: skipped, `script` (util-linux) is missing");
        return Ok(());
    }
    let vswap = sh::target().join("release/vswap");
    sh::run(sh::cargo().args(["build", "--release", "--package", "vswap-tui"]))?;
    let dir = sh::target().join("idle");
    std::fs::create_dir_all(&dir)?;
    let (trace, fifo) = (dir.join("idle.vswap"), dir.join("idle.fifo"));
    sh::run(
        Command::new(&vswap)
            .args(["generate", "--force", "--events", "200000", "-o"])
            .arg(&trace)
            .stdout(Stdio::null()),
    )?;
    let _ = std::fs::remove_file(&fifo);
    sh::run(Command::new("mkfifo").arg(&fifo))?;
    // A stream that has told what there is and is silent from then on, as a host is that does not swap.
    let mut feed = Command::new("sh")
        .arg("-c")
        .arg(format!("{{ head -c -64 {}; sleep 60; }} > {}", quoted(&trace)?, quoted(&fifo)?))
        .spawn()?;
    let ours = format!("exec {} live --input {} --interval 250ms", quoted(&vswap)?, quoted(&fifo)?);
    let mut shown = vec![on_terminal("vswap, idle stream", &ours, dir.join("vswap.timing"))?];
    if sh::which("btop").is_some() {
        // The rate is in its configuration: not every version has an option for it.
        std::fs::create_dir_all(dir.join("btop"))?;
        std::fs::write(dir.join("btop/btop.conf"), "update_ms = 250\n")?;
        let theirs = format!("XDG_CONFIG_HOME={} exec btop --utf-force", quoted(&dir)?);
        shown.push(on_terminal("btop", &theirs, dir.join("btop.timing"))?);
    } else {
        println!("idle: without btop, which is not installed (apt-get install btop)");
    }
    std::thread::sleep(START);
    let began = Instant::now();
    let before: Vec<_> = shown.iter().map(|s| (ticks(&s.script), drawings(&s.timing))).collect();
    std::thread::sleep(SPAN);
    let seconds = began.elapsed().as_secs_f64();
    let mut failed = None;
    for (Shown { name, script, timing }, (before, drawn)) in shown.iter().zip(before) {
        match (before, ticks(script)) {
            (Some(before), Some(after)) => {
                let share = (after - before) as f64 / HZ / seconds * 100.0;
                let drawn = drawings(timing) - drawn;
                let rate = drawn as f64 / seconds;
                println!(
                    "idle: {name}: {share:.2} % of a core over {seconds:.0} s, asked for 4 drawings a second, drew \
                     {drawn} times ({rate:.1}), 200x60"
                );
            }
            _ => failed = Some(*name),
        }
    }
    for Shown { script, .. } in &mut shown {
        let _ = script.kill();
        let _ = script.wait();
    }
    let _ = feed.kill();
    let _ = feed.wait();
    if let Some(name) = failed {
        bail!("{name} did not stay open on its terminal");
    }
    Ok(())
}

fn quoted(path: &Path) -> Result<String> {
    let text = path.to_str().context("a path that is not UTF-8")?;
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

/// Runs a command on a terminal of its own.
fn on_terminal(name: &'static str, command: &str, timing: PathBuf) -> Result<Shown> {
    let script = Command::new("script")
        .args(["-qfe", "--logging-format", "classic", "--log-out", "/dev/null", "--log-timing"])
        .arg(&timing)
        .args(["-c", &format!("stty cols 200 rows 60; {command}")])
        .env("TERM", "xterm-256color")
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("start `script`")?;
    Ok(Shown { name, script, timing })
}

/// Drawings in a file of `script --log-timing`: writes with a pause before them.
fn drawings(timing: &Path) -> usize {
    bursts(&std::fs::read_to_string(timing).unwrap_or_default())
}

/// Lines of seconds since the line before, and bytes.
fn bursts(timing: &str) -> usize {
    let pause = |line: &str| line.split_once(' ').and_then(|(s, _)| s.parse::<f64>().ok());
    timing.lines().filter_map(pause).filter(|seconds| *seconds >= APART).count()
}

/// CPU time of the one process that `script` runs, in ticks.
fn ticks(script: &Child) -> Option<u64> {
    let pid = script.id();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    let child = children.split_whitespace().next()?;
    spent(&std::fs::read_to_string(format!("/proc/{child}/stat")).ok()?)
}

/// User and system time in a line of /proc/PID/stat; the name in it may hold anything.
fn spent(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11).map(|n| n.parse::<u64>().ok());
    Some(fields.next()?? + fields.next()??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_close_together_are_one_drawing() {
        assert_eq!(bursts("0.250000 4096\n0.000100 812\n0.249000 31\n0.3"), 2);
        assert_eq!(bursts(""), 0);
    }

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 1 0 9 0 0";
        assert_eq!(spent(stat), Some(175));
        assert_eq!(spent("7 (x) S 1"), None);
    }
}

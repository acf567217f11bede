//! `vswap live --totals`: the lowest rung. What a kernel counts without being traced: how many pages go where, never
//! which slot. Needs no privilege and no eBPF.

use super::drain::quiet_on_broken_pipe;
use crate::cli::ViewArgs;
use crate::exit::{Exit, ExitError};
use crate::kernel::counters::{Counters, GAUGES};
use crate::term;
use crate::tracer::drop_privileges;
use anyhow::Context;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Lines faster than this are not read by anybody.
const FASTEST: Duration = Duration::from_secs(1);
/// Longest time without looking at the stop flag.
const TICK: Duration = Duration::from_millis(50);
/// The names stand again after this many lines.
const PAGE: usize = 24;

/// What is never in totals; part of every output.
const LEFT_OUT: &str = "totals of the whole machine: not which slots, owners, clusters, or latencies";

/// Totals between two readings.
#[derive(Serialize)]
struct Between {
    /// What these numbers leave out.
    left_out: &'static str,
    seconds: f64,
    /// At the end, pages.
    now: BTreeMap<&'static str, u64>,
    /// Pages counted between begin and end; gauges are left out.
    counted: BTreeMap<&'static str, u64>,
}

impl Between {
    fn new(before: &Counters, after: &Counters, elapsed: Duration) -> Self {
        let old = before.values();
        let now = after.values();
        let counted = now
            .iter()
            .filter(|(name, _)| !GAUGES.contains(name))
            .filter_map(|(name, n)| Some((*name, n.saturating_sub(*old.get(name)?))))
            .collect();
        Self { left_out: LEFT_OUT, seconds: elapsed.as_secs_f64(), now, counted }
    }

    /// Names of the columns, and what is in them: gauges as they are, counters a second.
    fn columns(&self) -> Vec<(String, f64)> {
        let gauge = |name: &&str| Some(((*name).to_owned(), *self.now.get(*name)? as f64));
        let rate = |(name, n): (&&str, &u64)| (format!("{name}/s"), *n as f64 / self.seconds.max(1e-9));
        GAUGES.iter().filter_map(gauge).chain(self.counted.iter().map(rate)).collect()
    }

    fn heading(&self) -> String {
        self.columns().iter().fold(String::new(), |mut out, (name, _)| {
            let _ = write!(out, "{name:>width$}  ", width = name.len().max(9));
            out
        })
    }

    fn line(&self) -> String {
        self.columns().iter().fold(String::new(), |mut out, (name, value)| {
            let _ = write!(out, "{value:>width$.0}  ", width = name.len().max(9));
            out
        })
    }
}

/// Runs to the end of `--duration` or until a signal: a line a second, or one object at the end with `--json`.
///
/// # Errors
/// `NotSupported` (7) if there are no totals either.
pub(super) fn run(args: &ViewArgs) -> anyhow::Result<Exit> {
    let stop = term::stop_flag().context("install signal handlers")?;
    drop_privileges()?;
    let root = Path::new("/");
    let first = Counters::read(root);
    if first.values().is_empty() {
        return Err(ExitError::new(Exit::NotSupported, "neither /proc/vmstat nor /proc/swaps can be read"));
    }
    eprintln!("vswap: {LEFT_OUT}");
    let begin = Instant::now();
    let (mut before, mut then, mut lines) = (first.clone(), begin, 0);
    let end = args.duration.and_then(|d| begin.checked_add(d));
    loop {
        let over = wait(then + args.interval.max(FASTEST), end, &stop);
        let (now, at) = (Counters::read(root), Instant::now());
        if !args.json {
            let between = Between::new(&before, &now, at - then);
            let mut text = if lines % PAGE == 0 { between.heading() + "\n" } else { String::new() };
            text.push_str(&between.line());
            text.push('\n');
            if !told(&text)? {
                return Ok(Exit::Ok);
            }
            lines += 1;
        }
        (before, then) = (now, at);
        if over {
            break;
        }
    }
    if args.json {
        let whole = Between::new(&first, &before, then - begin);
        told(&(serde_json::to_string_pretty(&whole).context("totals to JSON")? + "\n"))?;
    }
    Ok(Exit::Ok)
}

/// Waits until `next`; true if the run is over.
fn wait(next: Instant, end: Option<Instant>, stop: &AtomicBool) -> bool {
    loop {
        let now = Instant::now();
        if stop.load(Ordering::Relaxed) || end.is_some_and(|end| now >= end) {
            return true;
        }
        if now >= next {
            return false;
        }
        let until = end.map_or(next, |end| end.min(next));
        sleep((until - now).min(TICK));
    }
}

/// Writes to standard output; false if nobody reads it any more.
fn told(text: &str) -> anyhow::Result<bool> {
    let mut gone = false;
    let result = std::io::stdout().write_all(text.as_bytes()).inspect_err(|_| gone = true);
    quiet_on_broken_pipe(result).context("write to standard output")?;
    Ok(!gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(vmstat: &str, used: u64) -> Counters {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("proc")).unwrap();
        std::fs::write(dir.path().join("proc/vmstat"), vmstat).unwrap();
        let swaps = format!("Filename Type Size Used Priority\n/dev/a partition 400 {} -2\n", used * 4);
        std::fs::write(dir.path().join("proc/swaps"), swaps).unwrap();
        Counters::read(dir.path())
    }

    #[test]
    fn counters_are_rates_and_gauges_are_values() {
        let before = counters("pswpout 100\nzswpout 5\nnr_swapcached 50\n", 10);
        let after = counters("pswpout 300\nzswpout 5\nnr_swapcached 20\n", 40);
        let between = Between::new(&before, &after, Duration::from_secs(2));
        let columns: BTreeMap<_, _> = between.columns().into_iter().collect();
        assert_eq!((columns["pswpout/s"], columns["zswpout/s"]), (100.0, 0.0));
        assert_eq!(
            (columns["nr_swapcached"], columns["swap_used"], columns["swap_pages"]),
            (20.0, 40.0, 100.0)
        );
        assert_eq!(columns.len(), 5);
        assert_eq!(between.heading().len(), between.line().len(), "columns stand below their names");
        assert_eq!(between.counted, BTreeMap::from([("pswpout", 200), ("zswpout", 0)]));
    }

    #[test]
    fn the_end_comes_before_the_next_line() {
        let (now, stop) = (Instant::now(), AtomicBool::new(false));
        assert!(wait(now + Duration::from_secs(60), Some(now), &stop));
        assert!(!wait(now, Some(now + Duration::from_secs(60)), &stop));
        stop.store(true, Ordering::Relaxed);
        assert!(wait(now + Duration::from_secs(60), None, &stop));
    }
}

//! The rungs below tracing of functions, as a screen, as a line a second, or as one object: how many pages go where, never
//! which slot. Counters in files need no privilege and no eBPF; tracepoints add cgroups, reclaim and requests.

use super::drain::quiet_on_broken_pipe;
use super::view::environment;
use super::{demo, view};
use crate::cli::{DemoArgs, ViewArgs, Workload};
use crate::config::Config;
use crate::exit::{Exit, ExitError};
use crate::kernel::counters::GAUGES;
use crate::runtime;
use crate::term;
use crate::totals::{LEFT_OUT, Sampler, View};
use crate::tracer::{Tallies, drop_privileges};
use anyhow::Context;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Faster than this the kernel does not add up its counters, and nobody reads lines.
const FASTEST: Duration = Duration::from_secs(1);
/// Longest time without looking at the stop flag.
const TICK: Duration = Duration::from_millis(50);
/// The names stand again after this many lines.
const PAGE: usize = 24;

/// Names of the columns, and what is in them: gauges as they are, the others a second.
fn columns(view: &View) -> Vec<(String, f64)> {
    let gauge = |name: &&str| Some(((*name).to_owned(), *view.now.get(*name)? as f64));
    let rate = |row: &crate::totals::Row| (format!("{}/s", row.name.replace(' ', "-")), row.rate);
    GAUGES.iter().filter_map(gauge).chain(view.transitions.iter().map(rate)).collect()
}

fn heading(view: &View) -> String {
    columns(view).iter().fold(String::new(), |mut out, (name, _)| {
        let _ = write!(out, "{name:>width$}  ", width = name.len().max(9));
        out
    })
}

fn line(view: &View) -> String {
    columns(view).iter().fold(String::new(), |mut out, (name, value)| {
        let _ = write!(out, "{value:>width$.0}  ", width = name.len().max(9));
        out
    })
}

/// Runs to the end of `--duration`, until a signal, or until the user leaves. `why` is what keeps better rungs from
/// working here.
///
/// # Errors
/// `NotSupported` (7) if there are no totals either.
pub(super) fn run(args: &ViewArgs, tallies: Option<Tallies>, why: String) -> anyhow::Result<Exit> {
    let screen = !args.headless();
    view::check_terminal(args)?;
    drop_privileges()?;
    let mut sampler = Sampler::new(Path::new("/"), tallies, why);
    if sampler.is_empty() {
        return Err(ExitError::new(Exit::NotSupported, "neither /proc/vmstat nor /proc/swaps can be read"));
    }
    let interval = args.interval.unwrap_or_default().max(FASTEST);
    let last = if screen {
        let config = Config::load(args.config.as_deref(), environment)?;
        let theme = config.theme(environment)?;
        let left = runtime::totals::run(&mut sampler, interval, args.duration, theme)?;
        if left.demo {
            let view = ViewArgs { duration: None, ..args.clone() };
            return demo::run(&DemoArgs { view, workload: Workload::Mixed, seed: 1 });
        }
        left.view
    } else {
        crate::say!("vswap: {LEFT_OUT}");
        match lines(args, &mut sampler, interval)? {
            Some(last) => last,
            None => return Ok(Exit::Ok),
        }
    };
    Ok(if last.short() { Exit::Lost } else { Exit::Ok })
}

/// A line a second, or one object at the end; the last look, or none if nobody reads any more.
fn lines(args: &ViewArgs, sampler: &mut Sampler, interval: Duration) -> anyhow::Result<Option<View>> {
    let stop = term::stop_flag().context("install signal handlers")?;
    let begin = Instant::now();
    let end = args.duration.and_then(|d| begin.checked_add(d));
    let mut told = 0;
    loop {
        let over = wait(Instant::now() + interval, end, &stop);
        let view = sampler.look()?;
        if !args.json {
            let head = if told % PAGE == 0 { heading(&view) + "\n" } else { String::new() };
            told += 1;
            if !tell(&format!("{head}{}\n", line(&view)))? {
                return Ok(None);
            }
        } else if over {
            tell(&(serde_json::to_string_pretty(&view).context("totals to JSON")? + "\n"))?;
        }
        if over {
            return Ok(Some(view));
        }
    }
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
fn tell(text: &str) -> anyhow::Result<bool> {
    let mut gone = false;
    let result = std::io::stdout().write_all(text.as_bytes()).inspect_err(|_| gone = true);
    quiet_on_broken_pipe(result).context("write to standard output")?;
    Ok(!gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn put(root: &Path, vmstat: &str, used: u64) {
        std::fs::create_dir_all(root.join("proc")).unwrap();
        std::fs::write(root.join("proc/vmstat"), vmstat).unwrap();
        let swaps = format!("Filename Type Size Used Priority\n/dev/a partition 400 {} -2\n", used * 4);
        std::fs::write(root.join("proc/swaps"), swaps).unwrap();
    }

    #[test]
    fn counters_are_rates_and_gauges_are_values() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "pswpout 100\nzswpout 5\nnr_swapcached 50\n", 10);
        let mut sampler = Sampler::new(dir.path(), None, String::new());
        put(dir.path(), "pswpout 300\nzswpout 5\nnr_swapcached 20\n", 40);
        let view = sampler.look().unwrap();
        let columns: BTreeMap<_, _> = columns(&view).into_iter().collect();
        assert!(columns["out-to-the-device/s"] > 0.0 && columns["out-to-zswap/s"] == 0.0);
        assert_eq!(
            (columns["nr_swapcached"], columns["swap_used"], columns["swap_pages"]),
            (20.0, 40.0, 100.0)
        );
        assert_eq!(columns.len(), 5);
        let shown = serde_json::to_value(&view).unwrap();
        assert_eq!(
            (shown["counted"]["pswpout"].as_u64(), shown["rung"].as_str()),
            (Some(200), Some("counters"))
        );
        assert!(shown["left_out"].as_str().unwrap().contains("not which slots"));
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

//! What a scenario left behind, parsed: the kernel's counters, the workload's truth, and what vswap says.

use super::ways::Ways;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A slot: (device, offset).
pub(crate) type Entry = (u8, u64);

/// A line of `vswap slots`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Slot {
    pub(crate) dev: u8,
    pub(crate) off: u64,
    pub(crate) backend: String,
    pub(crate) phys: Option<Place>,
    pub(crate) memcg: Option<String>,
    pub(crate) cached: bool,
    pub(crate) confirmed: bool,
    pub(crate) order: u8,
}

/// A physical slot behind a virtual one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Place {
    pub(crate) dev: u8,
    pub(crate) off: u64,
}

/// A line of the workload's truth.
#[derive(Clone, Debug, Deserialize)]
struct TruthLine {
    kind: String,
    dev: u8,
    off: u64,
}

/// The last line of the workload's truth.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Summary {
    pub(crate) present: u64,
    pub(crate) swapped: u64,
    pub(crate) freed: u64,
    pub(crate) slots: u64,
    pub(crate) shared: bool,
    pub(crate) shared_swapped: u64,
    pub(crate) shared_away: BTreeMap<String, u64>,
}

/// Large folios of one size.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BySize {
    /// Written to the device.
    pub(crate) swpout: u64,
    /// Stored in zswap.
    pub(crate) zswpout: u64,
}

/// What the workload and the kernel say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kernel {
    /// Slot to kind of content, all workers.
    pub(crate) truth: BTreeMap<Entry, String>,
    /// One per worker.
    pub(crate) summaries: Vec<Summary>,
    /// Used pages by device, in the order of /proc/swaps.
    pub(crate) used: Vec<(String, u64)>,
    /// vmstat after minus before.
    pub(crate) vmstat: BTreeMap<String, u64>,
    /// Cgroup path to memory.swap.current.
    pub(crate) swap_current: BTreeMap<String, u64>,
    /// Virtual slots in use, by the kernel's own counter; `None` without virtual swap.
    pub(crate) virtual_used: Option<u64>,
    /// The same before the load: see [`Ways::virtual_swap`].
    pub(crate) virtual_left: u64,
    /// zswap's stored_pages; `None` without its debugfs folder.
    pub(crate) stored_pages: Option<u64>,
    /// The same before the load.
    pub(crate) stored_before: u64,
    /// `nr_swapcached` at the end.
    pub(crate) swapcached: u64,
    /// Folios that found no slot, all cgroups (`fail` of memory.swap.events).
    pub(crate) swap_fails: u64,
    /// Bytes of pages in zswap before and after compression, all cgroups (memory.stat).
    pub(crate) zswapped: u64,
    /// The same before the load.
    pub(crate) zswapped_before: u64,
    /// See `zswapped`.
    pub(crate) zswap_bytes: u64,
    /// How often zswap's pool was found at its limit.
    pub(crate) pool_limit_hit: u64,
    /// Calls of `zswap_invalidate`, if they could be counted.
    pub(crate) invalidated: Option<u64>,
    /// Calls of `folio_realloc_swap`, where there is virtual swap.
    pub(crate) reallocs: Option<u64>,
    /// Sectors discarded, by block device.
    pub(crate) discarded: BTreeMap<String, u64>,
    /// Large folios swapped out, by size in KiB.
    pub(crate) by_size: BTreeMap<u64, BySize>,
    /// What it does in its own way.
    pub(crate) ways: Ways,
}

/// What vswap says about its trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vswap {
    /// Exit code of the recorder.
    pub(crate) record_code: i32,
    /// Lines of `vswap slots`.
    pub(crate) slots: Vec<Slot>,
    /// Exit code of `vswap report`.
    pub(crate) report_code: i32,
    /// Object of `vswap report --json`.
    pub(crate) report: Value,
    /// Object of `vswap replay --check --compare as-recorded,swap-table --json`.
    pub(crate) check: Value,
}

impl Kernel {
    /// Reads the folder of a scenario.
    pub(crate) fn read(dir: &Path, ways: Ways) -> Result<Self> {
        let mut kernel = Self { ways, ..Self::default() };
        for file in files(dir)?.iter().filter(|name| name.starts_with("truth.")) {
            truth(&text(&dir.join(file))?, &mut kernel).with_context(|| file.clone())?;
        }
        let after = dir.join("after");
        kernel.used = swaps(&text(&after.join("swaps"))?)?;
        let end = swaps(&text(&dir.join("swaps.end"))?)?;
        if end != kernel.used {
            bail!("the kernel was not at rest: /proc/swaps said {:?}, then {end:?}", kernel.used);
        }
        let before = dir.join("before");
        let stat = text(&after.join("memory.stat"))?;
        (kernel.zswapped, kernel.zswap_bytes) = (field(&stat, "zswapped"), field(&stat, "zswap"));
        kernel.zswapped_before = field(&text(&before.join("memory.stat"))?, "zswapped");
        let vmstat = text(&after.join("vmstat"))?;
        kernel.swapcached = field(&vmstat, "nr_swapcached");
        kernel.vmstat = delta(&text(&before.join("vmstat"))?, &vmstat)?;
        kernel.pool_limit_hit =
            risen(&before, &after, "zswap.pool_limit_hit", |text| text.trim().parse().ok());
        // "oracle-event hits misses"
        let calls =
            |text: &str| text.split_whitespace().skip(1).map(|n| n.parse::<u64>().ok()).sum::<Option<u64>>();
        let counted = |what: &str| after.join(what).is_file().then(|| risen(&before, &after, what, calls));
        (kernel.invalidated, kernel.reallocs) = (counted("invalidate"), counted("realloc"));
        kernel.sizes(&before, &after)?;
        let disks = |dir: &Path| text(&dir.join("disks")).map(|text| discards(&text));
        let earlier = disks(&before)?;
        let more = |(name, n): (String, u64)| (earlier.get(&name).map_or(n, |m| n.saturating_sub(*m)), name);
        kernel.discarded = disks(&after)?.into_iter().map(more).map(|(n, name)| (name, n)).collect();
        for file in files(&after)? {
            if file.ends_with(".swap.events") {
                kernel.swap_fails += field(&text(&after.join(&file))?, "fail");
            }
            if let Some(name) = file.strip_suffix(".swap.current") {
                let bytes = text(&after.join(&file))?.trim().parse().with_context(|| file.clone())?;
                kernel.swap_current.insert(format!("/{name}"), bytes);
            }
        }
        let stored = after.join("zswap.stored_pages");
        if stored.is_file() {
            kernel.stored_pages = Some(text(&stored)?.trim().parse().context("stored_pages")?);
            let earlier = before.join("zswap.stored_pages");
            if earlier.is_file() {
                kernel.stored_before = text(&earlier)?.trim().parse().context("stored_pages")?;
            }
        }
        let used = after.join("vswap.used");
        if used.is_file() {
            kernel.virtual_used = Some(text(&used)?.trim().parse().context("vswap's used")?);
            kernel.virtual_left = text(&before.join("vswap.used"))?.trim().parse().context("vswap's used")?;
            kernel.ways = kernel.ways.with_virtual_swap(kernel.virtual_left);
        }
        if after.join("no-zswap").is_file() {
            kernel.ways = kernel.ways.without_zswap();
            kernel.invalidated = None;
        }
        Ok(kernel)
    }

    /// Slots in use: the virtual ones, or those of all devices.
    pub(crate) fn slots_used(&self) -> u64 {
        // An image has slots of the device itself.
        let virtual_used = self.virtual_used.map(|used| used + self.image());
        virtual_used.unwrap_or_else(|| self.used.iter().map(|(_, pages)| pages).sum())
    }

    /// Devices by the number they have in swap entries, in the order of /proc/swaps: the suite uses no other. The virtual
    /// one is there before all others.
    pub(crate) fn devices(&self) -> impl Iterator<Item = (usize, &(String, u64))> {
        let first = usize::from(self.ways.virtual_swap);
        self.used.iter().enumerate().map(move |(i, device)| (i + first, device))
    }

    /// Counters of large folios; kernels before 6.13 have no zswpout.
    fn sizes(&mut self, before: &Path, after: &Path) -> Result<()> {
        for file in files(after)? {
            let kib = file.strip_prefix("hugepages-").and_then(|name| name.strip_suffix("kB.stats"));
            let Some(kib) = kib.and_then(|kib| kib.parse().ok()) else { continue };
            let of = |what: &str| {
                let line = |text: &str| {
                    let of = text.lines().find_map(|l| l.strip_prefix(what)?.strip_prefix(':'));
                    of.and_then(|n| n.trim().parse().ok())
                };
                risen(before, after, &file, line)
            };
            self.by_size.insert(kib, BySize { swpout: of("swpout"), zswpout: of("zswpout") });
        }
        Ok(())
    }

    /// Pages in zswap.
    pub(crate) fn stored(&self) -> u64 {
        self.stored_pages.unwrap_or(0)
    }

    /// Slots of a hibernation image.
    pub(crate) fn image(&self) -> u64 {
        self.truth.values().filter(|kind| *kind == "hibernation").count() as u64
    }
}

/// The number behind `name` in lines of `name number`; 0 without such a line.
fn field(text: &str, name: &str) -> u64 {
    let of = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(of).unwrap_or(0)
}

/// By how much a counter in this file rose; one that was not there before began at 0.
fn risen(before: &Path, after: &Path, file: &str, read: impl Fn(&str) -> Option<u64>) -> u64 {
    let of = |dir: &Path| fs::read_to_string(dir.join(file)).ok().and_then(|text| read(&text)).unwrap_or(0);
    of(after).saturating_sub(of(before))
}

/// Sectors discarded by device, from lines of `/sys/block/NAME/stat` and what is in it: the 14th number.
fn discards(text: &str) -> BTreeMap<String, u64> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?.strip_prefix("/sys/block/")?.strip_suffix("/stat")?.to_owned();
        Some((name, words.nth(13)?.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

/// On what kind of kernel the scenario was left out, if it was.
pub(crate) fn skipped(dir: &Path) -> Option<String> {
    fs::read_to_string(dir.join("skipped")).ok().map(|why| why.trim().to_owned())
}

impl Vswap {
    /// Asks `vswap` about the trace of a scenario.
    pub(crate) fn read(dir: &Path, vswap: &Path, ways: Ways) -> Result<Self> {
        let trace = dir.join("trace.vswap");
        let record_code = text(&dir.join("record.rc"))?.trim().parse().context("record.rc")?;
        let (_, slots) = ask(Command::new(vswap).arg("slots").arg(&trace))?;
        let (report_code, report) = ask(Command::new(vswap).args(["report", "--json"]).arg(&trace))?;
        let mut check = Value::Null;
        if ways.model {
            let mut replay = Command::new(vswap);
            replay.args(["replay", "--check", "--json"]);
            // Designs are compared on recordings without a virtual layer.
            if !ways.virtual_swap {
                replay.args(["--compare", "as-recorded,swap-table"]);
            }
            let (_, said) = ask(replay.arg(&trace))?;
            fs::write(dir.join("check.json"), &said)?;
            check = serde_json::from_str(&said).context("vswap replay --check --json")?;
        }
        fs::write(dir.join("slots.ndjson"), &slots)?;
        fs::write(dir.join("report.json"), &report)?;
        Ok(Self {
            record_code,
            slots: slots
                .lines()
                .map(|line| serde_json::from_str(line).with_context(|| format!("vswap slots: {line}")))
                .collect::<Result<_>>()?,
            report_code,
            report: serde_json::from_str(&report).context("vswap report --json")?,
            check,
        })
    }

    /// What `vswap live --check --headless --json` said when it ended.
    pub(crate) fn live(dir: &Path) -> Result<Self> {
        let report: Value = serde_json::from_str(&text(&dir.join("live.json"))?).context("live.json")?;
        let mut check = report.get("check").cloned().context("live.json has no check")?;
        check["shadow"] = serde_json::json!({"faults": report.get("findings")});
        Ok(Self {
            record_code: text(&dir.join("record.rc"))?.trim().parse().context("record.rc")?,
            report,
            check,
            ..Self::default()
        })
    }

    /// A number of the report by JSON pointer.
    pub(crate) fn number(&self, pointer: &str) -> Option<u64> {
        self.report.pointer(pointer)?.as_u64()
    }
}

/// Runs to the end; the code is judged by the caller, as loss and damage have codes of their own.
fn ask(cmd: &mut Command) -> Result<(i32, String)> {
    let out = cmd.output().with_context(|| format!("{cmd:?}"))?;
    let code = out.status.code().with_context(|| format!("{cmd:?} died: {}", out.status))?;
    if out.stdout.is_empty() && !matches!(code, 0 | 3 | 5) {
        bail!("{cmd:?} ended with {code}: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok((code, String::from_utf8(out.stdout).with_context(|| format!("{cmd:?}"))?))
}

fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn files(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn truth(text: &str, kernel: &mut Kernel) -> Result<()> {
    let mut lines: Vec<&str> = text.lines().collect();
    let summary = lines.pop().context("no truth was told")?;
    let summary: Summary = serde_json::from_str(summary).with_context(|| summary.to_owned())?;
    if summary.slots != lines.len() as u64 {
        bail!("{} lines, but the summary counts {} slots", lines.len(), summary.slots);
    }
    for line in lines {
        let line: TruthLine = serde_json::from_str(line).with_context(|| line.to_owned())?;
        kernel.truth.insert((line.dev, line.off), line.kind);
    }
    kernel.summaries.push(summary);
    Ok(())
}

/// /proc/swaps: path and used pages of each line after the head.
fn swaps(text: &str) -> Result<Vec<(String, u64)>> {
    let line = |line: &str| -> Option<(String, u64)> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Some((words.first()?.to_string(), words.get(3)?.parse::<u64>().ok()? / 4))
    };
    text.lines().skip(1).map(|l| line(l).with_context(|| format!("/proc/swaps: {l}"))).collect()
}

/// Counters of vmstat that went up, and by how much. Those that are not counters may fall and are left out.
fn delta(before: &str, after: &str) -> Result<BTreeMap<String, u64>> {
    let parse = |text: &str| -> Result<BTreeMap<String, u64>> {
        text.lines()
            .map(|l| {
                let (name, n) = l.split_once(' ').with_context(|| l.to_owned())?;
                Ok((name.to_owned(), n.trim().parse().with_context(|| l.to_owned())?))
            })
            .collect()
    };
    let before = parse(before).context("vmstat before")?;
    Ok(parse(after)
        .context("vmstat after")?
        .into_iter()
        .filter_map(|(name, n)| Some((n.checked_sub(*before.get(&name)?)?, name)))
        .map(|(n, name)| (name, n))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_files() {
        let text = "Filename\tType\tSize\tUsed\tPriority\n/dev/vda  partition\t524284\t\t4096\t-2\n";
        assert_eq!(swaps(text).unwrap(), [("/dev/vda".to_owned(), 1024)]);
        assert!(swaps("head\n/dev/vda partition\n").is_err());
        let delta = delta("zswpin 5\nnr_free 9\n", "zswpin 8\nnr_free 7\nnew 3\n").unwrap();
        assert_eq!(delta, BTreeMap::from([("zswpin".to_owned(), 3)]));
    }

    #[test]
    fn truth_must_be_whole() {
        let summary = r#"{"summary":true,"pages":2,"present":1,"swapped":1,"freed":0,"slots":1,"children":0,"shared":false,"shared_swapped":0,"shared_away":{"zero":0,"comp":0,"rand":0}}"#;
        let line = r#"{"page":1,"kind":"comp","dev":0,"off":77}"#;
        let mut kernel = Kernel::default();
        truth(&format!("{line}\n{summary}\n"), &mut kernel).unwrap();
        assert_eq!(kernel.truth, BTreeMap::from([((0, 77), "comp".to_owned())]));
        assert!(truth(&format!("{summary}\n"), &mut kernel).is_err(), "a line is missing");
        assert!(truth("", &mut kernel).is_err());
        assert!(truth(&format!("{line}\n"), &mut kernel).is_err(), "no summary");
    }
}

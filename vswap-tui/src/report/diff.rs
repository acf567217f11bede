//! Two sets of recordings side by side: medians and spread, in the table layout of kernel patch letters.

use serde::Serialize;
use serde_json::Value;
use std::io::{self, Write};

/// A number of one recording.
struct Metric {
    group: &'static str,
    name: String,
    unit: &'static str,
    value: f64,
}

/// One number of both sets.
#[derive(Debug, Serialize, PartialEq)]
pub struct Row {
    /// `rate`, `latency`, `mix`, `fragmentation`, `agreement`, `trust`.
    pub group: &'static str,
    /// What it is.
    pub name: String,
    /// Its unit.
    pub unit: &'static str,
    /// The first set; `None` if no recording of it has this number.
    pub a: Option<Set>,
    /// The second set.
    pub b: Option<Set>,
    /// Change of the median in percent of that of A; `None` if that is zero or either is missing.
    pub change: Option<f64>,
    /// The ranges of the two sets overlap: the runs do not tell a difference. With one run each nothing is known about
    /// that.
    pub overlaps: bool,
}

/// A number over the runs of a set.
#[derive(Clone, Copy, Debug, Serialize, PartialEq)]
pub struct Set {
    /// Median.
    pub median: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Runs that have the number.
    pub runs: usize,
}

impl Set {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, min, max, runs: values.len() })
    }

    /// Half the range in percent of the median.
    fn spread(&self) -> f64 {
        if self.median == 0.0 { 0.0 } else { (self.max - self.min) / 2.0 / self.median.abs() * 100.0 }
    }
}

/// Compares two sets of reports (as `report --json` prints them).
pub fn compare(a: &[Value], b: &[Value]) -> Vec<Row> {
    let sets = [a, b].map(|set| set.iter().map(metrics).collect::<Vec<_>>());
    let mut rows: Vec<Row> = Vec::new();
    for metric in sets.iter().flatten().flatten() {
        let known = rows.iter().any(|r| r.group == metric.group && r.name == metric.name);
        if !known {
            let [a, b] = [0, 1].map(|side| {
                let same = |m: &&Metric| m.group == metric.group && m.name == metric.name;
                let all = sets[side].iter().filter_map(|run| run.iter().find(same));
                Set::of(all.map(|m| m.value).collect())
            });
            rows.push(row(metric, a, b));
        }
    }
    // Stable: numbers of one group stay in the order they were met.
    rows.sort_by_key(|r| GROUPS.iter().position(|g| *g == r.group));
    rows
}

const GROUPS: [&str; 6] = ["rate", "latency", "mix", "fragmentation", "agreement", "trust"];

fn row(metric: &Metric, a: Option<Set>, b: Option<Set>) -> Row {
    let both = a.zip(b);
    let change = both.filter(|(a, _)| a.median != 0.0).map(|(a, b)| (b.median / a.median - 1.0) * 100.0);
    let overlaps = both.is_some_and(|(a, b)| a.min <= b.max && b.min <= a.max);
    Row { group: metric.group, name: metric.name.clone(), unit: metric.unit, a, b, change, overlaps }
}

fn metrics(report: &Value) -> Vec<Metric> {
    let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_f64);
    let seconds = number("/duration_ns").unwrap_or(0.0) / 1e9;
    let mut all = Vec::new();
    let mut add = |group, name: &str, unit, value: Option<f64>| {
        if let Some(value) = value.filter(|v| v.is_finite()) {
            all.push(Metric { group, name: name.to_owned(), unit, value });
        }
    };
    if let Some(totals) = report["totals"].as_object().filter(|_| seconds > 0.0) {
        for (name, n) in totals {
            // A rate that is zero in every run says nothing.
            add("rate", name, "/s", n.as_f64().filter(|n| *n > 0.0).map(|n| n / seconds));
        }
    }
    if let Some(kinds) = report["latency_ns"].as_object() {
        for (kind, p) in kinds.iter().filter(|(_, p)| p["count"].as_u64() > Some(0)) {
            for q in ["p50", "p99", "p999"] {
                add("latency", &format!("{kind} {q}"), "us", p[q].as_f64().map(|ns| ns / 1e3));
            }
        }
    }
    let backends = ["folio", "zero", "zswap", "phys"];
    let slots: f64 = backends.iter().filter_map(|b| number(&format!("/backends/{b}"))).sum();
    for backend in backends.iter().filter(|_| slots > 0.0) {
        let share = number(&format!("/backends/{backend}")).map(|n| n / slots * 100.0);
        add("mix", backend, "% of slots", share);
    }
    let stored = number("/backends/zswap").zip(number("/zswap_bytes")).filter(|(_, bytes)| *bytes > 0.0);
    add("mix", "zswap ratio", "x", stored.map(|(pages, bytes)| pages * 4096.0 / bytes));
    fragmentation(report, slots, &mut add);
    let agreement = number("/check/agreed").zip(number("/check/allocations")).filter(|(_, of)| *of > 0.0);
    add("agreement", "model picks the slot", "%", agreement.map(|(agreed, of)| agreed / of * 100.0));
    add("trust", "events", "", number("/events"));
    add("trust", "lost", "", number("/lost"));
    add("trust", "unconfirmed slots", "", number("/unconfirmed"));
    add("trust", "contradictions", "", number("/losses/contradictions"));
    all
}

/// How the clusters in use are filled at the end.
fn fragmentation(
    report: &Value,
    slots: f64,
    add: &mut impl FnMut(&'static str, &str, &'static str, Option<f64>),
) {
    let Some(groups) = report["clusters"].as_array() else { return };
    let count = |lists: &[&str]| -> f64 {
        let of = groups.iter().filter(|g| g["list"].as_str().is_some_and(|l| lists.contains(&l)));
        of.filter_map(|g| g["clusters"].as_f64()).sum()
    };
    let (partly, full) = (count(&["nonfull", "frag"]), count(&["full"]));
    if partly + full > 0.0 {
        add("fragmentation", "clusters partly used", "%", Some(partly / (partly + full) * 100.0));
        add("fragmentation", "slots a cluster in use", "", Some(slots / (partly + full)));
    }
}

/// The table: one line a number, medians with half the range in percent of them, then the change.
///
/// # Errors
/// If writing fails.
pub fn table(rows: &[Row], names: [&str; 2], runs: [usize; 2], out: &mut impl Write) -> io::Result<()> {
    let head = |i: usize| format!("{} ({} {})", names[i], runs[i], if runs[i] == 1 { "run" } else { "runs" });
    writeln!(out, "{:<34} {:>24} {:>24} {:>12}", "", head(0), head(1), "change")?;
    let mut group = "";
    for r in rows {
        if r.group != group {
            group = r.group;
            writeln!(out, "{group}")?;
        }
        let name = if r.unit.is_empty() { r.name.clone() } else { format!("{} ({})", r.name, r.unit) };
        let change = match r.change {
            Some(c) if r.overlaps && runs.iter().any(|n| *n > 1) => format!("({c:+.1}%)"),
            Some(c) => format!("{c:+.1}%"),
            None => "-".to_owned(),
        };
        writeln!(out, "  {name:<32} {:>24} {:>24} {change:>12}", cell(r.a), cell(r.b))?;
    }
    if runs.iter().any(|n| *n > 1) {
        writeln!(
            out,
            "medians; +- half the range of the runs; (change): the ranges overlap, the runs tell no difference"
        )?;
    } else {
        writeln!(out, "one run each: how much of a change is chance, nobody knows")?;
    }
    Ok(())
}

fn cell(set: Option<Set>) -> String {
    let Some(set) = set else { return "-".to_owned() };
    let value = if set.median.fract() == 0.0 || set.median.abs() >= 1000.0 {
        format!("{:.0}", set.median)
    } else {
        format!("{:.2}", set.median)
    };
    if set.runs > 1 { format!("{value} +-{:>5.1}%", set.spread()) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(zswpout: u64, p99: u64) -> Value {
        json!({
            "duration_ns": 2_000_000_000u64,
            "totals": {"zswpout": zswpout, "pswpin": 0},
            "latency_ns": {"load_zswap": {"count": 3, "p50": 1000, "p99": p99, "p999": p99}},
            "backends": {"folio": 0, "zero": 25, "zswap": 50, "phys": 25},
            "zswap_bytes": 50 * 1024, "events": 10, "lost": 0, "unconfirmed": 0,
            "losses": {"contradictions": 0},
            "clusters": [{"list": "nonfull", "order": 0, "clusters": 1}, {"list": "full", "order": 0, "clusters": 3}]
        })
    }

    fn find<'a>(rows: &'a [Row], name: &str) -> &'a Row {
        rows.iter().find(|r| r.name == name).unwrap()
    }

    #[test]
    fn medians_spread_and_change() {
        let a = [report(100, 5000), report(110, 5000), report(120, 9000)];
        let b = [report(210, 5000), report(220, 7000), report(230, 7000)];
        let rows = compare(&a, &b);
        let rate = find(&rows, "zswpout");
        let set = rate.a.unwrap();
        assert_eq!((set.median, set.min, set.max, set.runs), (55.0, 50.0, 60.0, 3));
        assert_eq!((rate.change, rate.overlaps), (Some(100.0), false));
        let p99 = find(&rows, "load_zswap p99");
        assert_eq!((p99.a.unwrap().median, p99.b.unwrap().median, p99.overlaps), (5.0, 7.0, true));
        assert_eq!(find(&rows, "zswap ratio").a.unwrap().median, 4.0);
        assert_eq!(find(&rows, "clusters partly used").a.unwrap().median, 25.0);
        assert!(!rows.iter().any(|r| r.name == "pswpin"), "never happened in any run");
        let mut text = Vec::new();
        table(&rows, ["base", "patched"], [3, 3], &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.contains("base (3 runs)") && text.contains("+100.0%") && text.contains("(+40.0%)"),
            "{text}"
        );
    }

    #[test]
    fn what_one_side_lacks_is_a_dash() {
        let rows = compare(&[report(100, 1)], &[json!({})]);
        let rate = find(&rows, "zswpout");
        assert_eq!((rate.b, rate.change), (None, None));
        let mut text = Vec::new();
        table(&rows, ["a", "b"], [1, 1], &mut text).unwrap();
        assert!(String::from_utf8(text).unwrap().contains("one run each"));
        assert!(compare(&[], &[]).is_empty());
    }
}

//! The state as OpenMetrics text, for Prometheus and its kin.

use crate::snapshot::{Backend, LatencyKind, List, Snapshot};
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

/// What a server says of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# TYPE {name} {kind}\n# HELP {name} {help}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (i, (label, value)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{}\"", if i == 0 { '{' } else { ',' }, escape(value));
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

/// The snapshot as a whole exposition, `# EOF` included.
pub fn text(s: &Snapshot) -> String {
    let mut t = Text(String::with_capacity(16 << 10));
    let h = &s.header;
    t.family("vswap", "info", "What watches which kernel.");
    let info =
        [("version", env!("CARGO_PKG_VERSION")), ("kernel", &h.kernel.release), ("layout", &h.layout_name)];
    t.sample("vswap_info", &info, 1);

    t.family("vswap_slots", "gauge", "Swap slots in use by where their data is.");
    for (name, n) in places(&s.mix) {
        t.sample("vswap_slots", &[("backend", name)], n);
    }
    t.family("vswap_unconfirmed_slots", "gauge", "Slots in use whose state is not certain.");
    t.sample("vswap_unconfirmed_slots", &[], s.unconfirmed);
    t.family("vswap_cached_slots", "gauge", "Slots in use with a folio in the swap cache.");
    t.sample("vswap_cached_slots", &[], s.cached);
    t.family("vswap_zswap_bytes", "gauge", "Compressed bytes in zswap, as far as lengths are known.");
    t.sample("vswap_zswap_bytes", &[], s.zswap_bytes);

    devices(&mut t, s);
    t.family("vswap_cgroup_slots", "gauge", "Swap slots in use by cgroup and where their data is.");
    for m in &s.memcgs {
        for (name, n) in places(&m.mix) {
            t.sample(
                "vswap_cgroup_slots",
                &[("cgroup", &m.path), ("id", &m.id.to_string()), ("backend", name)],
                n,
            );
        }
    }
    t.family("vswap_cgroup_zswap_bytes", "gauge", "Compressed bytes in zswap by cgroup.");
    for m in &s.memcgs {
        t.sample(
            "vswap_cgroup_zswap_bytes",
            &[("cgroup", &m.path), ("id", &m.id.to_string())],
            m.zswap_bytes,
        );
    }
    counters(&mut t, s);
    latencies(&mut t, s);
    t.0.push_str("# EOF\n");
    t.0
}

fn devices(t: &mut Text, s: &Snapshot) {
    let label = |d: &crate::snapshot::DeviceView| (d.dev.to_string(), d.name.clone());
    t.family("vswap_device_pages", "gauge", "Usable pages of a swap device.");
    for d in s.devices.iter().filter(|d| d.active) {
        let (dev, name) = label(d);
        t.sample("vswap_device_pages", &[("dev", &dev), ("name", &name)], d.pages);
    }
    t.family("vswap_device_slots", "gauge", "Swap slots in use by device and where their data is.");
    for d in s.devices.iter().filter(|d| d.active) {
        let (dev, name) = label(d);
        for (backend, n) in places(&d.mix) {
            t.sample("vswap_device_slots", &[("dev", &dev), ("name", &name), ("backend", backend)], n);
        }
    }
    t.family("vswap_clusters", "gauge", "Clusters of a device by list and order.");
    for d in s.devices.iter().filter(|d| d.active) {
        let (dev, name) = label(d);
        let mut by_list: BTreeMap<(u8, u8), u64> = BTreeMap::new();
        for c in d.clusters.iter().filter(|c| c.list != List::None) {
            *by_list.entry((c.list as u8, c.order)).or_default() += 1;
        }
        for ((list, order), n) in by_list {
            let list = format!("{:?}", List::from_kernel(i32::from(list))).to_lowercase();
            let labels = [("dev", &*dev), ("name", &name), ("list", &list), ("order", &order.to_string())];
            t.sample("vswap_clusters", &labels, n);
        }
    }
}

fn counters(t: &mut Text, s: &Snapshot) {
    let c = &s.totals;
    t.family(
        "vswap_pages",
        "counter",
        "Pages by what happened to them, counted as the kernel's vmstat counts.",
    );
    let totals = [
        ("alloc", c.alloc),
        ("free", c.free),
        ("zswpout", c.zswpout),
        ("zswpin", c.zswpin),
        ("zswpwb", c.zswpwb),
        ("pswpout", c.pswpout),
        ("pswpin", c.pswpin),
        ("swpout_zero", c.swpout_zero),
        ("swpin_zero", c.swpin_zero),
        ("zswap_reject", c.zswap_reject),
        ("writeout_reject", c.writeout_reject),
        ("io_error", c.io_error),
    ];
    for (event, n) in totals {
        t.sample("vswap_pages_total", &[("event", event)], n);
    }
    t.family("vswap_alloc_failures", "counter", "Requests for slots that were refused.");
    t.sample("vswap_alloc_failures_total", &[], c.alloc_fail);
    t.family("vswap_transitions", "counter", "Slots that moved from one place to another.");
    for (from, row) in Backend::ALL.iter().zip(&s.transitions) {
        for (to, n) in Backend::ALL.iter().zip(row).filter(|(to, _)| *to != from) {
            t.sample("vswap_transitions_total", &[("from", free(*from)), ("to", free(*to))], n);
        }
    }
    t.family("vswap_events", "counter", "Events taken in.");
    t.sample("vswap_events_total", &[], s.events);
    t.family("vswap_lost_events", "counter", "Events that should have been taken in and were not.");
    t.sample("vswap_lost_events_total", &[], s.losses.lost.saturating_add(s.losses.undecodable));
    t.family("vswap_contradictions", "counter", "Events that contradict the state of their slot.");
    t.sample("vswap_contradictions_total", &[], s.losses.contradictions);
}

fn latencies(t: &mut Text, s: &Snapshot) {
    t.family(
        "vswap_latency_seconds",
        "summary",
        "How long things take, since the start; within one percent.",
    );
    for (kind, p) in LatencyKind::ALL.iter().zip(&s.latency).filter(|(_, p)| p.count > 0) {
        for (quantile, ns) in
            [("0.5", p.p50), ("0.9", p.p90), ("0.99", p.p99), ("0.999", p.p999), ("1.0", p.max)]
        {
            let labels = [("kind", kind.name()), ("quantile", quantile)];
            t.sample("vswap_latency_seconds", &labels, ns as f64 / 1e9);
        }
        t.sample("vswap_latency_seconds_count", &[("kind", kind.name())], p.count);
    }
}

fn places(mix: &crate::snapshot::Mix) -> impl Iterator<Item = (&'static str, u64)> + '_ {
    let name = |b: &Backend| if *b == Backend::None { "unknown" } else { b.name() };
    Backend::ALL.iter().zip(mix).map(move |(b, n)| (name(b), *n))
}

const fn free(b: Backend) -> &'static str {
    match b {
        Backend::None => "free",
        other => other.name(),
    }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::MemcgView;

    #[test]
    fn names_that_would_break_out_are_escaped() {
        let memcg =
            MemcgView { path: "/a\"b\\c\nd".into(), slots: 1, mix: [0, 1, 0, 0, 0], ..Default::default() };
        let text = text(&Snapshot { memcgs: vec![memcg], ..Snapshot::default() });
        assert!(
            text.contains(r#"vswap_cgroup_slots{cgroup="/a\"b\\c\nd",id="0",backend="folio"} 1"#),
            "{text}"
        );
        assert!(text.ends_with("# EOF\n") && text.lines().all(|l| !l.is_empty()));
    }
}

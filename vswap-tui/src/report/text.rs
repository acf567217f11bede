//! The report as text: what matters first, losses before anything that they make doubtful.

use super::table::Table;
use super::{Backends, Report};
use crate::ui::format::{bytes, count, duration, percent_of};
use std::array;
use std::io::{self, Write};
use vswap_common::slot::ORDERS;

/// Cgroups shown; the JSON report has all.
const MEMCGS: usize = 20;

/// Writes the whole report.
///
/// # Errors
/// If `out` cannot be written.
pub fn write(r: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    head(r, out)?;
    trust(r, out)?;
    slots(r, out)?;
    devices(r, out)?;
    memcgs(r, out)?;
    clusters(r, out)?;
    fragmentation(r, out)?;
    transitions(r, out)?;
    latencies(r, out)?;
    pages(r, out)?;
    super::why::text(&r.why, out)?;
    if let Some(check) = r.check {
        write!(out, "\nModel beside the kernel\n{}", super::agreement::text(check))?;
    }
    if !r.models.is_empty() {
        write!(out, "\n{}", super::designs::text(r.models, r.host.page_size.into()))?;
    }
    Ok(())
}

fn or_unknown(s: &str) -> &str {
    if s.is_empty() { "unknown" } else { s }
}

fn head(r: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "Kernel    {} {}, {} CPUs, layout {}",
        or_unknown(r.kernel),
        r.host.machine,
        r.host.cpus,
        or_unknown(r.layout)
    )?;
    writeln!(
        out,
        "Recorded  {} long, from {}, by vswap {} ({})",
        duration(r.duration_ns),
        r.started.as_deref().unwrap_or("an unknown time"),
        or_unknown(r.tool_version),
        or_unknown(r.origin)
    )?;
    if !r.command.is_empty() {
        writeln!(out, "Command   {}", r.command.join(" "))?;
    }
    let start = if r.from_swapon { "begins before swapon" } else { "begins with swap in use" };
    writeln!(out, "Events    {}, {start}", count(r.events))
}

/// Everything that limits what the rest is worth.
fn trust(r: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let l = r.losses;
    if let Some(damage) = &r.damage {
        writeln!(out, "DAMAGE    {damage}")?;
    }
    if r.lost > 0 {
        writeln!(out, "LOST      {} events in {} gaps", count(r.lost), count(l.gaps))?;
    } else {
        writeln!(out, "Lost      none")?;
    }
    if let Some(scan) = &r.scan {
        let doubt =
            if scan.doubtful > 0 { format!(", {} in doubt", count(scan.doubtful)) } else { String::new() };
        let cut = if scan.complete { "" } else { "; it did not get to its end" };
        let again = if scan.scans > 1 {
            format!("; {} times again after a loss", scan.scans - 1)
        } else {
            String::new()
        };
        let took = duration(scan.ns);
        writeln!(
            out,
            "Scan      {} slots of the kernel's tables in {took}{doubt}{cut}{again}",
            count(scan.slots)
        )?;
    }
    if let Some(v) = r.verify {
        let unknown = if v.unknown > 0 { format!(", {} unknown", count(v.unknown)) } else { String::new() };
        writeln!(
            out,
            "Verified  {} slots with the kernel's tables in {}: {} differ{unknown}",
            count(v.checked),
            duration(v.ns),
            count(v.differing)
        )?;
        for example in &v.examples {
            writeln!(out, "          {example}")?;
        }
    }
    if r.unconfirmed > 0 {
        let used = r.used();
        writeln!(
            out,
            "Doubt     {} of {} slots in use ({}) are unconfirmed",
            count(r.unconfirmed),
            count(used),
            percent_of(r.unconfirmed, used)
        )?;
    }
    for (n, what) in [
        (l.undecodable, "records could not be decoded: a newer vswap may have written them"),
        (l.contradictions, "events contradicted the state of their slot"),
        (l.inversions, "events came after what they describe was over"),
        (
            l.untracked,
            "changes of slots were not followed, for want of memory: a larger --memory-limit helps",
        ),
        (l.overflow, "latency samples were dropped: a bounded table was full"),
    ] {
        if n > 0 {
            writeln!(out, "Doubt     {} {what}", count(n))?;
        }
    }
    for group in &r.findings {
        writeln!(out, "  {}", group.line())?;
    }
    let mut table = Table::new(&["  hook", "emitted", "lost", "faults", "map full", "skipped"]);
    for h in r.hooks.iter().filter(|h| h.missing() > 0) {
        table.row([
            format!("  {}", h.hook),
            count(h.emitted),
            count(h.lost),
            count(h.fault),
            count(h.map_full),
            count(h.recursion_misses),
        ]);
    }
    table.write("Hooks that lost events", out)
}

fn slots(r: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let used = r.used();
    let page = u64::from(r.host.page_size);
    let mut table = Table::new(&["  backend", "slots", "share", "data"]);
    let b = &r.backends;
    for (name, n) in named(b) {
        if name == "unknown" && n == 0 {
            continue;
        }
        table.row([format!("  {name}"), count(n), percent_of(n, used), data(n, page)]);
    }
    table.row(["  total".into(), count(used), percent_of(used, used), data(used, page)]);
    table.write("Slots in use", out)?;
    writeln!(
        out,
        "  {} have a folio in the swap cache; zswap holds {} compressed",
        count(r.cached),
        bytes(r.zswap_bytes)
    )
}

fn named(b: &Backends) -> [(&'static str, u64); 5] {
    [("folio", b.folio), ("zero", b.zero), ("zswap", b.zswap), ("phys", b.phys), ("unknown", b.unknown)]
}

/// Size of the pages behind slots; a trace without page size leaves it out.
fn data(slots: u64, page: u64) -> String {
    if page == 0 { "-".into() } else { bytes(slots.saturating_mul(page)) }
}

fn devices(r: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new(&[
        "  dev", "prio", "pages", "used", "share", "folio", "zero", "zswap", "phys", "waste", " name",
    ]);
    for d in &r.devices {
        let state = if d.active { "" } else { " (off)" };
        let kind = if d.r#virtual { " (virtual)" } else { "" };
        table.row([
            format!("  {}", d.dev),
            d.prio.to_string(),
            count(d.pages),
            count(d.used),
            percent_of(d.used, d.pages),
            count(d.backends.folio),
            count(d.backends.zero),
            count(d.backends.zswap),
            count(d.backends.phys),
            count(d.waste),
            format!(" {}{kind}{state}", d.name),
        ]);
    }
    table.write("Devices", out)?;
    for d in r.devices.iter().filter(|d| d.backing > 0) {
        writeln!(
            out,
            "  {} of {} hold the data of virtual slots and are counted there too",
            count(d.backing),
            d.name
        )?;
    }
    for d in r.devices.iter().filter(|d| d.active) {
        if let Some(idle) = d.idle {
            let of = if d.name.is_empty() { "the device" } else { d.name };
            writeln!(
                out,
                "  {} more of {of} wait in per-CPU caches: used for the kernel, those given up still charged",
                count(idle)
            )?;
        }
    }
    Ok(())
}

fn memcgs(r: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut table =
        Table::new(&["  slots", "charged", "folio", "zero", "zswap", "phys", "compressed", " cgroup"]);
    for m in r.memcgs.iter().take(MEMCGS) {
        table.row([
            format!("  {}", count(m.slots)),
            count(m.charged),
            count(m.folio),
            count(m.zero),
            count(m.zswap),
            count(m.phys),
            bytes(m.zswap_bytes),
            format!(" {}", m.path),
        ]);
    }
    table.write("Cgroups", out)?;
    match r.memcgs.len().checked_sub(MEMCGS) {
        Some(more) if more > 0 => writeln!(out, "  and {} more, see --json", count(more as u64)),
        _ => Ok(()),
    }
}

fn clusters(r: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new(&["  list", "order", "clusters", "slots in use"]);
    for c in &r.clusters {
        let list = format!("  {:?}", c.list).to_lowercase();
        table.row([list, c.order.to_string(), count(c.clusters), count(c.slots)]);
    }
    table.write("Clusters", out)
}

/// Folios of each order that would still find an aligned run of free slots.
fn fragmentation(r: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    const COLUMNS: usize = ORDERS + 2;
    let heads: [String; COLUMNS] = array::from_fn(|i| match i {
        0 => "  order".to_owned(),
        i if i <= ORDERS => (i - 1).to_string(),
        _ => " name".to_owned(),
    });
    let mut table = Table::new(&heads.each_ref().map(String::as_str));
    for d in r.devices.iter().filter(|d| d.active) {
        let Some(aligned) = d.aligned else { continue };
        table.row(array::from_fn(|i| match i {
            0 => if d.aligned_exact { "  exact" } else { "  at most" }.to_owned(),
            i if i <= ORDERS => count(aligned[i - 1]),
            _ => format!(" {}", d.name),
        }));
    }
    table.write("Fragmentation: folios that would still find aligned free slots", out)
}

fn transitions(r: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new(&["  from", "to", "slots"]);
    for t in &r.transitions {
        table.row([format!("  {}", t.from), t.to.into(), count(t.count)]);
    }
    table.write("Transitions", out)
}

fn latencies(r: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new(&["  what", "count", "p50", "p90", "p99", "p99.9", "max"]);
    for (name, p) in r.latency_ns.iter().filter(|(_, p)| p.count > 0) {
        table.row([
            format!("  {name}"),
            count(p.count),
            duration(p.p50),
            duration(p.p90),
            duration(p.p99),
            duration(p.p999),
            duration(p.max),
        ]);
    }
    table.write("Latencies", out)
}

fn pages(r: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let t = r.totals;
    let mut table = Table::new(&["  counter", "pages"]);
    for (name, n) in [
        ("allocated", t.alloc),
        ("freed", t.free),
        ("zswpout", t.zswpout),
        ("zswpin", t.zswpin),
        ("zswpwb", t.zswpwb),
        ("pswpout", t.pswpout),
        ("pswpin", t.pswpin),
        ("swpout_zero", t.swpout_zero),
        ("swpin_zero", t.swpin_zero),
        ("zswap refused", t.zswap_reject),
        ("writeout refused", t.writeout_reject),
        ("I/O failed", t.io_error),
        ("allocations refused (folios)", t.alloc_fail),
        ("taken for hibernation images", t.hibernate),
        ("queued for discard (clusters)", t.discards),
        ("physical slots taken for virtual ones", t.backed),
        ("physical slots given back", t.unbacked),
    ] {
        if n > 0 {
            table.row([format!("  {name}"), count(n)]);
        }
    }
    table.write("Pages", out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Snapshot;
    use crate::snapshot::{ScanView, VerifyView};

    fn text(snapshot: &Snapshot, damage: Option<&str>) -> String {
        let mut out = Vec::new();
        write(&Report::new(snapshot, None, damage.map(String::from)), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn loss_and_damage_stand_above_the_numbers() {
        let mut snapshot = Snapshot { mix: [0, 1, 2, 3, 4], unconfirmed: 5, ..Snapshot::default() };
        let scan =
            ScanView { scans: 1, slots: 12_345, ns: 45_000_000, doubtful: 2, ended: true, complete: false };
        snapshot.scan = Some(scan);
        snapshot.verify = Some(VerifyView {
            ns: 3_000_000,
            ended: true,
            checked: 9,
            unknown: 1,
            differing: 1,
            looks: 2,
            complete: true,
            examples: vec!["slot 0:50 is free in the map, zswap in the kernel's tables".into()],
        });
        snapshot.losses.lost = 1234;
        snapshot.losses.gaps = 2;
        let text = text(&snapshot, Some("cut short at byte 99"));
        let at = |s: &str| text.find(s).unwrap_or_else(|| panic!("{s} is missing in\n{text}"));
        assert!(at("DAMAGE    cut short at byte 99") < at("LOST      1,234 events in 2 gaps"));
        assert!(at("LOST") < at("Slots in use"));
        assert!(text.contains("5 of 10 slots in use (50.0 %) are unconfirmed"));
        assert!(text.contains("slots of the kernel's tables in 45"), "{text}");
        assert!(text.contains("2 in doubt; it did not get to its end"), "{text}");
        assert!(
            text.contains(
                "9 slots with the kernel's tables in 3.00 ms: 1 differ, 1 unknown\n          slot 0:50"
            ),
            "{text}"
        );
    }

    #[test]
    fn an_empty_trace_is_a_short_report_without_loss() {
        let text = text(&Snapshot::default(), None);
        assert!(
            text.contains("Lost      none") && !text.contains("Devices") && !text.contains("DAMAGE"),
            "{text}"
        );
    }
}

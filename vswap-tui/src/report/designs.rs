//! Results of several designs as a table: one column a design, 80 columns wide with four of them.

use crate::ui::format::{bytes, count, percent};
use crate::whatif::{Charged, Room, Row};
use std::fmt::Write as _;

/// Width of the first column, and of each design's.
const LABEL: usize = 27;
const COLUMN: usize = 13;
/// Columns of the whole.
const WIDTH: usize = LABEL + 4 * COLUMN;
/// Cgroups in the table; JSON has all.
const CGROUPS: usize = 6;

/// A table of the rows with a sentence for each design that differs from the first.
pub fn text(rows: &[Row], page_size: u64) -> String {
    let page = if page_size == 0 { 4096 } else { page_size };
    let mut table = Table { rows, out: String::new() };
    headlines(&mut table.out, rows, page);
    table.line("", |r| name(r).to_owned());
    table.line("Physical slots at peak", |r| count(r.peak_phys_slots));
    table.line("  in bytes", |r| bytes(r.peak_phys_slots * page));
    table.line("  holding nothing", |r| count(r.idle_phys_slots_at_peak));
    table.line("Virtual slots at peak", |r| count(r.peak_virtual_slots));
    table.line("Pages at that peak", |_| String::new());
    table.line("  in zswap", |r| count(r.at_peak.zswap));
    table.line("  zero-filled", |r| count(r.at_peak.zero));
    table.line("  on a device", |r| count(r.at_peak.phys));
    table.line("  in memory only", |r| count(r.at_peak.folio));
    table.line("Metadata at its peak", |r| bytes(r.metadata_bytes_peak));
    table.line("  clusters", |r| bytes(r.metadata.clusters));
    table.line("  swap tables", |r| bytes(r.metadata.tables));
    table.line("  memcg tables", |r| bytes(r.metadata.memcg));
    table.line("  virtual tables", |r| bytes(r.metadata.virtual_tables));
    table.line("  extend tables", |r| bytes(r.metadata.extend));
    table.line("  trees", |r| bytes(r.metadata.trees));
    table.line("  zswap entries", |r| bytes(r.metadata.zswap_entries));
    table.line("zswap pool at its peak", |r| bytes(r.zswap_bytes_peak));
    table.line("zswap writebacks", |r| count(r.zswap_writebacks));
    table.line("Pages kept in memory", |r| count(r.kept_pages));
    table.line("Fallbacks", |r| count(r.fallbacks_by_order.iter().sum()));
    for order in 0..rows.first().map_or(0, |r| r.fallbacks_by_order.len()) {
        if rows.iter().any(|r| r.fallbacks_by_order[order] > 0) {
            table.line(&format!("  order {order}"), |r| count(r.fallbacks_by_order[order]));
        }
    }
    room(&mut table, "Room at the peak", |r| &r.room_at_peak);
    room(&mut table, "Room at the end", |r| &r.room);
    charges(&mut table);
    notes(&mut table.out, rows);
    table.out
}

/// Orders that the kernel swaps folios of, from none to all of a cluster; JSON has the others.
fn room(table: &mut Table<'_>, title: &str, of: impl Fn(&Row) -> &Room) {
    table.line(title, |_| String::new());
    for order in [0, 2, 4, 9] {
        let label = if order == 0 { "  free slots".to_owned() } else { format!("  folios of order {order}") };
        table.line(&label, |r| count(of(r).fits_by_order[order]));
    }
}

struct Table<'a> {
    rows: &'a [Row],
    out: String,
}

impl Table<'_> {
    fn line(&mut self, label: &str, value: impl Fn(&Row) -> String) {
        let mut line = format!("{:LABEL$}", shortened(label));
        for row in self.rows {
            let _ = write!(line, "{:>COLUMN$}", value(row));
        }
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }
}

/// Name without settings.
fn name(row: &Row) -> &str {
    row.model.split(' ').next().unwrap_or_default()
}

/// The end of a path tells more than its beginning.
fn shortened(label: &str) -> String {
    let excess = label.chars().count().saturating_sub(LABEL - 1);
    if excess == 0 {
        return label.to_owned();
    }
    format!("  ...{}", label.chars().skip(excess + 5).collect::<String>())
}

fn headlines(out: &mut String, rows: &[Row], page: u64) {
    let Some((first, others)) = rows.split_first() else { return };
    if let Some((_, settings)) = rows.iter().find_map(|r| r.model.split_once(' ')) {
        out.push_str(&wrapped(&format!("With {settings}, except as-recorded:")));
    }
    for row in others {
        let (before, after) = (first.peak_phys_slots, row.peak_phys_slots);
        if after == before && row.metadata_bytes_peak == first.metadata_bytes_peak {
            let _ = writeln!(out, "{} needs what {} needs", name(row), name(first));
            continue;
        }
        let slots = if after <= before {
            format!(
                "would free {} of {} physical slots ({}) at the peak",
                count(before - after),
                count(before),
                bytes((before - after) * page)
            )
        } else {
            format!(
                "would need {} physical slots more than {} at the peak",
                count(after - before),
                count(before)
            )
        };
        let _ = writeln!(out, "{} {slots};\n  metadata {}", name(row), change(first, row));
    }
    out.push('\n');
}

fn change(first: &Row, row: &Row) -> String {
    let (before, after) = (first.metadata_bytes_peak, row.metadata_bytes_peak);
    let sign = if after >= before { '+' } else { '-' };
    let by = after.abs_diff(before);
    let share = if before == 0 { String::new() } else { format!(" ({sign}{})", percent_of(by, before)) };
    format!("{sign}{}{share}", bytes(by))
}

/// Like [`percent`], which ends at 100.
fn percent_of(by: u64, of: u64) -> String {
    let share = by as f64 / of as f64;
    if share < 1.0 { percent(share) } else { format!("{:.0} %", share * 100.0) }
}

fn charges(table: &mut Table<'_>) {
    let mut paths: Vec<(u64, &str)> = Vec::new();
    for charged in table.rows.iter().flat_map(|r| &r.charges) {
        let most = charged.at_peak.max(charged.now);
        match paths.iter_mut().find(|(_, path)| *path == charged.path) {
            Some((known, _)) => *known = most.max(*known),
            None => paths.push((most, &charged.path)),
        }
    }
    paths.sort_by(|a, b| (b.0, a.1).cmp(&(a.0, b.1)));
    let paths: Vec<String> = paths.into_iter().take(CGROUPS).map(|(_, path)| path.to_owned()).collect();
    let mut section = |title: &str, of: fn(&Charged) -> u64| {
        table.line(title, |_| String::new());
        for path in &paths {
            let charged = |r: &Row| r.charges.iter().find(|c| c.path == *path).map_or(0, of);
            table.line(&format!("  {path}"), |r| count(charged(r)));
        }
    };
    if !paths.is_empty() {
        section("Swap charged at the peak", |c| c.at_peak);
        section("Swap charged at the end", |c| c.now);
    }
}

/// The sentence in lines of at most [`WIDTH`] columns, all but the first indented.
fn wrapped(text: &str) -> String {
    let (mut out, mut column) = (String::new(), 0);
    for word in text.split(' ') {
        let len = word.chars().count();
        if column > 0 && column + 1 + len > WIDTH {
            out.push_str("\n ");
            column = 1;
        }
        if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += len;
    }
    out + "\n"
}

fn notes(out: &mut String, rows: &[Row]) {
    let mut seen: Vec<(&str, Vec<&str>)> = Vec::new();
    for row in rows {
        for note in &row.notes {
            match seen.iter_mut().find(|(known, _)| known == note) {
                Some((_, names)) => names.push(name(row)),
                None => seen.push((note, vec![name(row)])),
            }
        }
    }
    out.push('\n');
    if seen.is_empty() {
        out.push_str("Exact for this record.\n");
    }
    for (note, names) in seen {
        let who = if names.len() == rows.len() { "all".to_owned() } else { names.join(", ") };
        out.push_str(&wrapped(&format!("Not exact ({who}): {note}")));
    }
    out.push_str(
        "What is paged out, in and freed is the record's; a design reclaims nothing by\n\
         itself, and a page that it cannot page out stays in memory.\n",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_fits_and_differences_are_said_in_words() {
        let first =
            Row { model: "as-recorded".into(), peak_phys_slots: 20_000, exact: true, ..Row::default() };
        let note = "a note that is so long that it could not possibly stand on one line of eighty columns"
            .to_owned();
        let more = Row {
            model: "swap-table zswap-max=1048576,phys-pages=32768,cluster=256".into(),
            peak_phys_slots: 20_500,
            metadata_bytes_peak: 2048,
            notes: vec![note],
            ..first.clone()
        };
        let less = Row { model: "vswap-rfc2".into(), peak_phys_slots: 7_655, ..more.clone() };
        let text = text(&[first, more, less.clone(), less], 0);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        for part in [
            "With zswap-max=1048576,phys-pages=32768,cluster=256, except as-recorded:",
            "swap-table would need 500 physical slots more than 20,000 at the peak",
            "vswap-rfc2 would free 12,345 of 20,000 physical slots (48.2 MiB) at the peak",
            "metadata +2.00 KiB",
            "Not exact (swap-table, vswap-rfc2, vswap-rfc2): a note",
        ] {
            assert!(text.contains(part), "no '{part}' in\n{text}");
        }
    }

    #[test]
    fn long_labels_keep_their_end() {
        assert_eq!(shortened("  /short"), "  /short");
        let long = shortened("  /system.slice/some.service/worker");
        assert!(
            long.len() < LABEL && long.starts_with("  ...") && long.ends_with("service/worker"),
            "{long}"
        );
    }
}

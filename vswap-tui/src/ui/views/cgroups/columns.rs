//! Columns of the cgroup table, in the order in which they are worth their room.

use crate::app::App;
use crate::app::cgroups::{Row, SortBy};
use crate::snapshot::Backend;
use crate::ui::format;
use vswap_common::why::Writeback;

/// A column.
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) width: u16,
    /// What it sorts by.
    pub(super) sort: Option<SortBy>,
    pub(super) value: fn(&Row, &App) -> String,
}

const fn column(
    head: &'static str,
    width: u16,
    sort: Option<SortBy>,
    value: fn(&Row, &App) -> String,
) -> Column {
    Column { head, width, sort, value }
}

fn backend(row: &Row, backend: Backend) -> String {
    match row.sums.mix[backend as usize] {
        0 => ".".into(),
        n => format::count_in(n, 8),
    }
}

fn rate(row: &Row, i: usize) -> String {
    if row.sums.rates[i] > 0.0 { format::rate(row.sums.rates[i], 7) } else { ".".into() }
}

fn written_back(row: &Row, cause: Writeback) -> String {
    match row.sums.writebacks[cause as usize] {
        0 => ".".into(),
        n => format::count_in(n, 8),
    }
}

pub(super) const COLUMNS: [Column; 18] = [
    column("slots", 10, Some(SortBy::Slots), |r, _| format::count_in(r.sums.slots, 9)),
    column("zswap", 9, Some(SortBy::Zswap), |r, _| backend(r, Backend::Zswap)),
    column("phys", 9, Some(SortBy::Phys), |r, _| backend(r, Backend::Phys)),
    column("zero", 9, Some(SortBy::Zero), |r, _| backend(r, Backend::Zero)),
    column("out/s", 8, Some(SortBy::Out), |r, _| rate(r, 0)),
    column("in/s", 8, Some(SortBy::In), |r, _| rate(r, 1)),
    column("ratio", 7, None, |r, app| ratio(r, app.page_size())),
    column("audit", 10, Some(SortBy::Audit), |r, _| difference(r.audit)),
    column("bytes", 10, None, |r, app| format::bytes(r.sums.slots.saturating_mul(app.page_size()))),
    column("pool", 10, None, |r, _| format::bytes(r.sums.zswap_bytes)),
    column("limit", 10, None, limit),
    column("charged", 10, None, |r, _| format::count_in(r.sums.charged, 9)),
    column("wb/s", 8, Some(SortBy::Writeback), |r, _| rate(r, 2)),
    column("wb:shrink", 10, None, |r, _| written_back(r, Writeback::Shrinker)),
    column("wb:pool", 9, None, |r, _| written_back(r, Writeback::PoolLimit)),
    column("wb:limit", 9, None, |r, _| written_back(r, Writeback::MemcgLimit)),
    column("reread", 9, None, |r, _| {
        if r.sums.refaults == 0 { ".".into() } else { format::count_in(r.sums.refaults, 8) }
    }),
    column("folio", 9, None, |r, _| backend(r, Backend::Folio)),
];

/// Uncompressed over compressed bytes in zswap.
pub(super) fn ratio(row: &Row, page: u64) -> String {
    let pages = row.sums.mix[Backend::Zswap as usize];
    if row.sums.zswap_bytes == 0 || pages == 0 {
        return ".".into();
    }
    format!("{:.2}", pages.saturating_mul(page) as f64 / row.sums.zswap_bytes as f64)
}

/// What the kernel says beyond what we count: `=` where both are the same, `.` where the kernel was not read.
pub(super) fn difference(bytes: Option<i64>) -> String {
    match bytes {
        None => ".".into(),
        Some(0) => "=".into(),
        Some(n) => format!("{}{}", if n < 0 { "-" } else { "+" }, format::bytes(n.unsigned_abs())),
    }
}

fn limit(row: &Row, app: &App) -> String {
    let usage = row.memcg.and_then(|i| app.frame.snapshot.memcgs.get(i)?.usage.as_ref());
    match usage {
        None => ".".into(),
        Some(u) => u.swap_max.map_or_else(|| "max".into(), format::bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_difference_unknown_and_differences_are_told_apart() {
        assert_eq!(
            [None, Some(0), Some(8192), Some(-4096)].map(difference),
            [".", "=", "+8.00 KiB", "-4.00 KiB"]
        );
    }
}

//! The cgroups of the totals: names for inodes, and what their own files say.

use super::rows::per_second;
use crate::kernel::facts::CgroupPaths;
use crate::tracer::Reading;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};
use vswap_common::Tally;
use vswap_common::tally::{BY_CGROUP, CgroupSums};

/// A cgroup, its children not included.
#[derive(Clone, Debug, Serialize)]
pub struct CgroupRow {
    /// Path, or `#inode` when the directory is gone.
    pub path: String,
    /// Inode of the directory.
    pub inode: u64,
    /// Slots charged to it and its children now, from its own file; none if it has none.
    pub slots: Option<u64>,
    /// Pages out a second, to wherever; writeback of zswap is not counted again.
    pub out_rate: f64,
    /// Pages in a second.
    pub in_rate: f64,
    /// Sums since the begin, by name; what is 0 is left out.
    pub sums: BTreeMap<&'static str, u64>,
}

/// A directory that was not found is not looked for again before this time.
const GONE_FOR: Duration = Duration::from_secs(10);

/// Names of cgroups.
pub(super) struct Cgroups {
    paths: CgroupPaths,
    gone: HashMap<u64, Instant>,
}

impl Cgroups {
    pub(super) fn new(root: &Path) -> Self {
        Self { paths: CgroupPaths::new(root), gone: HashMap::new() }
    }

    /// Rows of all cgroups that anything was counted for, the busiest first.
    pub(super) fn rows(&mut self, now: &Reading, old: Option<&Reading>, seconds: f64) -> Vec<CgroupRow> {
        let before: HashMap<u64, &CgroupSums> =
            old.iter().flat_map(|old| &old.cgroups).map(|(inode, sums)| (*inode, sums)).collect();
        self.gone.retain(|inode, _| now.cgroups.iter().any(|(known, _)| known == inode));
        let mut rows: Vec<CgroupRow> = now
            .cgroups
            .iter()
            .filter(|(_, sums)| sums.iter().any(|n| *n > 0))
            .map(|(inode, sums)| {
                let then = before.get(inode).copied().unwrap_or(&[0; BY_CGROUP]);
                let rate = |of: fn(&CgroupSums) -> u64| per_second(of(sums), of(then), seconds);
                let path = self.path(*inode);
                CgroupRow {
                    slots: path.as_deref().and_then(|path| self.slots(path)),
                    path: path.unwrap_or_else(|| format!("#{inode}")),
                    inode: *inode,
                    out_rate: rate(out),
                    in_rate: rate(back),
                    sums: named(sums),
                }
            })
            .collect();
        let weight = |row: &CgroupRow| {
            let sum: u64 = row.sums.values().sum();
            ((row.out_rate + row.in_rate) as u64, sum)
        };
        rows.sort_by(|a, b| weight(b).cmp(&weight(a)).then_with(|| a.path.cmp(&b.path)));
        rows
    }

    fn path(&mut self, inode: u64) -> Option<String> {
        let now = Instant::now();
        if self.gone.get(&inode).is_some_and(|since| now.duration_since(*since) < GONE_FOR) {
            return None;
        }
        let path = self.paths.path(inode);
        match path {
            None => self.gone.insert(inode, now),
            Some(_) => self.gone.remove(&inode),
        };
        path
    }

    fn slots(&self, path: &str) -> Option<u64> {
        let file = self.paths.directory(path).join("memory.swap.current");
        let bytes: u64 = std::fs::read_to_string(file).ok()?.trim().parse().ok()?;
        Some(bytes / rustix::param::page_size() as u64)
    }
}

fn named(sums: &CgroupSums) -> BTreeMap<&'static str, u64> {
    let pairs = Tally::ALL.iter().zip(sums);
    pairs.filter(|(_, n)| **n > 0).map(|(tally, n)| (tally.label(), *n)).collect()
}

/// Pages that left memory: what zswap later hands to the device left it before.
fn out(sums: &CgroupSums) -> u64 {
    let of = |tally: Tally| sums[tally as usize];
    (of(Tally::ZswpOut) + of(Tally::ZeroOut) + of(Tally::PswpOut)).saturating_sub(of(Tally::ZswpWb))
}

fn back(sums: &CgroupSums) -> u64 {
    let of = |tally: Tally| sums[tally as usize];
    of(Tally::ZswpIn) + of(Tally::ZeroIn) + of(Tally::PswpIn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use vswap_common::tally::TALLIES;

    fn reading(cgroups: &[(u64, &[(Tally, u64)])]) -> Reading {
        let sums = |of: &[(Tally, u64)]| {
            let mut sums = [0; BY_CGROUP];
            for (tally, n) in of {
                sums[*tally as usize] = *n;
            }
            sums
        };
        let cgroups = cgroups.iter().map(|(inode, of)| (*inode, sums(of))).collect();
        Reading { sums: [0; TALLIES], cgroups, missed: Vec::new() }
    }

    #[test]
    fn cgroups_have_names_rates_and_slots_and_the_busiest_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let app = dir.path().join("sys/fs/cgroup/app");
        std::fs::create_dir_all(&app).unwrap();
        std::fs::write(app.join("memory.swap.current"), "40960\n").unwrap();
        let inode = app.metadata().unwrap().ino();
        let mut cgroups = Cgroups::new(dir.path());
        let then = reading(&[(inode, &[(Tally::ZswpOut, 10)])]);
        let now = reading(&[
            (1 << 40, &[(Tally::ZswpIn, 900)]),
            (inode, &[(Tally::ZswpOut, 110), (Tally::PswpOut, 50), (Tally::ZswpWb, 50), (Tally::ZeroIn, 4)]),
            (7 << 40, &[]),
        ]);
        let rows = cgroups.rows(&now, Some(&then), 2.0);
        let shown: Vec<_> = rows.iter().map(|r| (r.path.as_str(), r.out_rate, r.in_rate, r.slots)).collect();
        assert_eq!(shown, [("#1099511627776", 0.0, 450.0, None), ("/app", 50.0, 2.0, Some(10))]);
        assert_eq!(rows[1].sums["zswpwb"], 50);
        assert!(!rows[1].sums.contains_key("zswpin"), "what is 0 is left out");
    }
}

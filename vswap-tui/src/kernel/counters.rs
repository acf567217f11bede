//! The lowest rung: totals that the kernel keeps whether it is traced or not. They tell how many, never which slot.

use super::facts::read_swaps;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::Path;

/// Where a total stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Total {
    /// A line of `/proc/vmstat`.
    Vmstat(&'static str),
    /// `/proc/swaps`: devices, their size and use.
    Swaps,
    /// A file of each cgroup below the cgroup2 mount.
    Cgroup(&'static str),
}

impl Total {
    /// Where to look, in words.
    pub fn place(self) -> String {
        match self {
            Self::Vmstat(name) => format!("{name} in /proc/vmstat"),
            Self::Swaps => "/proc/swaps".to_owned(),
            Self::Cgroup(name) => format!("{name} of each cgroup"),
        }
    }
}

/// Lines of vmstat about swap: what `doctor` shows.
const VMSTAT: [&str; 9] = [
    "pswpin",
    "pswpout",
    "zswpin",
    "zswpout",
    "zswpwb",
    "swpin_zero",
    "swpout_zero",
    "nr_swapcached",
    "thp_swpout_fallback",
];

/// Values that are a state; all others only grow.
pub const GAUGES: [&str; 3] = ["swap_used", "swap_pages", "nr_swapcached"];

/// Totals of one host, read once.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    vmstat: BTreeMap<&'static str, u64>,
    swaps: Option<(u64, u64)>,
    cgroup_files: Vec<&'static str>,
}

/// Files that cgroups have, if the memory controller is in cgroup2.
const CGROUP: [&str; 2] = ["memory.swap.current", "memory.swap.events"];

impl Counters {
    /// Reads the host below `root`.
    pub fn read(root: &Path) -> Self {
        let text = std::fs::read_to_string(root.join("proc/vmstat")).unwrap_or_default();
        let swaps = root.join("proc/swaps").exists().then(|| {
            let lines = read_swaps(root);
            (lines.iter().map(|l| l.used).sum(), lines.iter().map(|l| l.pages).sum())
        });
        Self { vmstat: vmstat(&text), swaps, cgroup_files: cgroup_files(&root.join("sys/fs/cgroup")) }
    }

    /// This kernel keeps that total.
    pub fn has(&self, total: Total) -> bool {
        match total {
            Total::Vmstat(name) => self.vmstat.contains_key(name),
            Total::Swaps => self.swaps.is_some(),
            Total::Cgroup(name) => self.cgroup_files.contains(&name),
        }
    }

    /// Name to value, pages: the lines of vmstat that are there, and the use of all devices.
    pub fn values(&self) -> BTreeMap<&'static str, u64> {
        let mut values = self.vmstat.clone();
        if let Some((used, pages)) = self.swaps {
            values.insert("swap_used", used);
            values.insert("swap_pages", pages);
        }
        values
    }
}

impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.values().serialize(to)
    }
}

fn vmstat(text: &str) -> BTreeMap<&'static str, u64> {
    let known = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        let name = VMSTAT.iter().find(|n| **n == name)?;
        Some((*name, value.trim().parse().ok()?))
    };
    text.lines().filter_map(known).collect()
}

/// Only cgroups below the root have these files; one of them shows what all have.
fn cgroup_files(mount: &Path) -> Vec<&'static str> {
    let unified = mount.join("unified");
    let mount = if unified.is_dir() { unified } else { mount.to_owned() };
    let Ok(dirs) = std::fs::read_dir(mount) else { return Vec::new() };
    let any = dirs.flatten().map(|e| e.path()).find(|dir| dir.join("memory.current").is_file());
    any.map(|dir| CGROUP.into_iter().filter(|f| dir.join(f).is_file()).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_that_are_there_are_told_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let file = dir.path().join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        assert!(Counters::read(dir.path()).values().is_empty());
        put("proc/vmstat", "nr_free_pages 7\npswpin 3\npswpout 12\nzswpin x\n");
        put(
            "proc/swaps",
            "Filename Type Size Used Priority\n/dev/a partition 400 40 -2\n/dev/b file 40 0 5\n",
        );
        put("sys/fs/cgroup/app/memory.current", "1\n");
        put("sys/fs/cgroup/app/memory.swap.current", "1\n");
        let counters = Counters::read(dir.path());
        assert!(counters.has(Total::Vmstat("pswpout")) && counters.has(Total::Swaps));
        assert!(!counters.has(Total::Vmstat("zswpin")) && !counters.has(Total::Vmstat("nr_free_pages")));
        assert!(counters.has(Total::Cgroup("memory.swap.current")));
        assert!(!counters.has(Total::Cgroup("memory.swap.events")));
        let values = counters.values();
        assert_eq!((values["swap_used"], values["swap_pages"], values["pswpin"]), (10, 110, 3));
    }
}

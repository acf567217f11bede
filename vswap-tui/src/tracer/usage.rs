//! What the kernel's own files say of the cgroups that have slots: use and limits, for the audit of charges.

use crate::meta::CgroupUse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Cgroups read in one call: a thousand of them must not cost a core.
const AT_ONCE: usize = 32;
/// Cgroups followed at most.
const MOST: usize = 4096;

/// Cgroups in turn.
pub(super) struct Usage {
    mount: PathBuf,
    followed: BTreeMap<u16, (PathBuf, CgroupUse)>,
    /// The last one read.
    at: u16,
}

impl Usage {
    /// Nobody yet; `root` is that of the host's files.
    pub(super) fn new(root: &Path) -> Self {
        Self { mount: root.join("sys/fs/cgroup"), followed: BTreeMap::new(), at: 0 }
    }

    /// From now on the cgroup at `path` (below the mount) is read too.
    pub(super) fn follow(&mut self, id: u16, path: &str) {
        if self.followed.len() < MOST || self.followed.contains_key(&id) {
            let folder = self.mount.join(path.trim_start_matches('/'));
            self.followed.insert(id, (folder, CgroupUse { id, ..CgroupUse::default() }));
        }
    }

    /// Reads the next few; returns those that changed.
    pub(super) fn next(&mut self) -> Vec<CgroupUse> {
        let at = self.at;
        let after: Vec<u16> = self.followed.range(at.saturating_add(1)..).map(|(id, _)| *id).collect();
        let before = self.followed.range(..=at).map(|(id, _)| *id);
        let turn: Vec<u16> = after.into_iter().chain(before).take(AT_ONCE).collect();
        let mut changed = Vec::new();
        for id in turn {
            self.at = id;
            let Some((folder, known)) = self.followed.get_mut(&id) else { continue };
            let now = read(id, folder);
            if now != *known {
                known.clone_from(&now);
                changed.push(now);
            }
        }
        changed
    }
}

/// The root has no such files, and a cgroup may be gone: what cannot be read is not known.
fn read(id: u16, folder: &Path) -> CgroupUse {
    let number = |file: &str| std::fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok();
    CgroupUse {
        id,
        swap: number("memory.swap.current"),
        swap_max: number("memory.swap.max"),
        zswap: number("memory.zswap.current"),
        zswap_max: number("memory.zswap.max"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_turn_and_only_changes_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let folder = |n: u16| dir.path().join(format!("sys/fs/cgroup/c{n}"));
        let mut usage = Usage::new(dir.path());
        for n in 1..=70u16 {
            std::fs::create_dir_all(folder(n)).unwrap();
            std::fs::write(folder(n).join("memory.swap.current"), format!("{}\n", u64::from(n) * 4096))
                .unwrap();
            std::fs::write(folder(n).join("memory.swap.max"), "max\n").unwrap();
            usage.follow(n, &format!("/c{n}"));
        }
        let first: Vec<_> = (0..3).flat_map(|_| usage.next()).collect();
        assert_eq!(first.len(), 70);
        let of = |n: u16| first.iter().find(|u| u.id == n).unwrap();
        assert_eq!((of(7).swap, of(7).swap_max, of(7).zswap), (Some(28_672), None, None));
        assert!((0..3).all(|_| usage.next().is_empty()));
        std::fs::write(folder(9).join("memory.swap.max"), "8192\n").unwrap();
        let told: Vec<_> = (0..3).flat_map(|_| usage.next()).collect();
        assert_eq!((told.len(), told[0].id, told[0].swap_max), (1, 9, Some(8192)));
        std::fs::remove_dir_all(folder(9)).unwrap();
        let gone: Vec<_> = (0..3).flat_map(|_| usage.next()).collect();
        assert_eq!(gone, [CgroupUse { id: 9, ..CgroupUse::default() }]);
    }
}

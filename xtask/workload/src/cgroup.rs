//! The cgroup whose memory is limited. Guests only: nothing here runs unless `--cgroup` names a folder.

use crate::pattern::PAGE;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder in a cgroup v2 mount.
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    /// Creates it if need be and writes the given files (`memory.max`, ...).
    pub(crate) fn create(dir: &Path, settings: &[(String, String)]) -> Result<Self> {
        // The controller must be on in the parent before the folder has memory files. Writing it twice is harmless.
        // Of a folder in a folder the outer one is no cgroup before it is made.
        if let Some(parent) = dir.parent() {
            if let Some(outer) = parent.parent().filter(|outer| outer.join("cgroup.procs").exists()) {
                write(&outer.join("cgroup.subtree_control"), "+memory")?;
                fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
            }
            write(&parent.join("cgroup.subtree_control"), "+memory")?;
        }
        fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        for (file, value) in settings {
            write(&dir.join(file), value)?;
        }
        Ok(Self(dir.to_path_buf()))
    }

    /// Moves this process in: what it touches from now on is charged here.
    pub(crate) fn enter(&self) -> Result<()> {
        write(&self.0.join("cgroup.procs"), "0")
    }

    /// Moves this process to the parent; pages already charged stay where they are.
    pub(crate) fn leave(&self) -> Result<()> {
        let parent = self.0.parent().context("a cgroup without a parent")?;
        write(&parent.join("cgroup.procs"), "0")
    }

    /// Moves this process to the root and removes the folder: what it has in swap stays charged to it.
    pub(crate) fn remove(self) -> Result<()> {
        let root = self.0.ancestors().take_while(|dir| dir.join("cgroup.procs").exists()).last();
        write(&root.context("a cgroup without a root")?.join("cgroup.procs"), "0")?;
        fs::remove_dir(&self.0).with_context(|| format!("rmdir {}", self.0.display()))
    }

    /// Asks the kernel to reclaim that many pages. It says EAGAIN when it found fewer, which is as good here.
    pub(crate) fn reclaim(&self, pages: u64) -> Result<()> {
        let path = self.0.join("memory.reclaim");
        match fs::write(&path, (pages * PAGE as u64).to_string()) {
            Err(err) if err.raw_os_error() != Some(libc::EAGAIN) => {
                Err(err).with_context(|| path.display().to_string())
            }
            _ => Ok(()),
        }
    }
}

fn write(path: &Path, value: &str) -> Result<()> {
    fs::write(path, value).with_context(|| format!("writing '{value}' to {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_reach_their_files() {
        let root = std::env::temp_dir().join(format!("vswap-workload-{}", std::process::id()));
        let dir = root.join("wl");
        fs::create_dir_all(&root).unwrap();
        let cgroup = Cgroup::create(&dir, &[("memory.max".into(), "64M".into())]).unwrap();
        cgroup.enter().unwrap();
        assert_eq!(fs::read_to_string(root.join("cgroup.subtree_control")).unwrap(), "+memory");
        assert_eq!(fs::read_to_string(dir.join("memory.max")).unwrap(), "64M");
        assert_eq!(fs::read_to_string(dir.join("cgroup.procs")).unwrap(), "0");
        cgroup.reclaim(3).unwrap();
        assert_eq!(fs::read_to_string(dir.join("memory.reclaim")).unwrap(), "12288");
        fs::remove_dir_all(root).unwrap();
    }
}

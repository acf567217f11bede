//! Reading a host: release, BTF, symbols, swap devices, cgroups - all below a root folder, so that tests and
//! `doctor --root` can point elsewhere. Reads only.

use super::btf::Btf;
use super::caps::Rights;
use super::symbols::Symbols;
use crate::exit::{Exit, ExitError};
use crate::meta::{ClockPair, KernelInfo};
use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Facts about one host.
pub struct Facts {
    /// Release, CPUs, page size.
    pub kernel: KernelInfo,
    /// Type information.
    pub btf: Btf,
    /// Names in kallsyms, empty if unreadable.
    pub symbols: Symbols,
    /// What this process may do, and what settings forbid.
    pub rights: Rights,
    /// The kernel has kprobes that a program can be attached to.
    pub kprobes: bool,
    /// Lines of `/proc/swaps`.
    pub swaps: Vec<SwapLine>,
}

/// A device as `/proc/swaps` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwapLine {
    /// Path.
    pub name: String,
    /// Usable pages.
    pub pages: u64,
    /// Pages in use.
    pub used: u64,
    /// Priority.
    pub prio: i32,
}

/// BTF of a kernel has 5 to 8 MB; below `--root` anything may stand in its place.
const MAX_BTF: u64 = 256 << 20;
/// kallsyms of a kernel with all modules has 20 MB.
const MAX_TEXT: u64 = 256 << 20;

/// A file of at most so many bytes; of files in /proc nobody knows the length before.
fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {most} bytes")));
    }
    Ok(bytes)
}

impl Facts {
    /// Reads the host below `root` (`/` for this one).
    ///
    /// # Errors
    /// `NotSupported` (7) if the kernel has no BTF; other failures with the file they concern.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let btf_path = root.join("sys/kernel/btf/vmlinux");
        let bytes = read_at_most(&btf_path, MAX_BTF).map_err(|e| {
            ExitError::new(
                Exit::NotSupported,
                format!(
                    "{}: {e}. vswap reads every offset from the kernel's BTF; this kernel offers none \
                     (build it with CONFIG_DEBUG_INFO_BTF=y)",
                    btf_path.display()
                ),
            )
        })?;
        let btf = Btf::parse(bytes).with_context(|| btf_path.display().to_string())?;
        let text = |p: &str| {
            let bytes = read_at_most(&root.join(p), MAX_TEXT).unwrap_or_default();
            String::from_utf8(bytes).unwrap_or_default()
        };
        let cpuinfo = text("sys/devices/system/cpu/possible");
        Ok(Self {
            kernel: KernelInfo {
                release: text("proc/sys/kernel/osrelease").trim().to_owned(),
                machine: std::env::consts::ARCH.to_owned(),
                cpus: count_cpus(cpuinfo.trim()),
                page_size: rustix::param::page_size() as u32,
                cluster_slots: super::layout::resolve(&btf)
                    .get(vswap_common::Field::ClusterSlots)
                    .unwrap_or_default(),
            },
            symbols: Symbols::parse(&text("proc/kallsyms")),
            rights: Rights::read(root),
            kprobes: root.join("sys/bus/event_source/devices/kprobe").is_dir(),
            swaps: read_swaps(root),
            btf,
        })
    }
}

/// `0-3,8` to 5; 0 if it is not a list.
fn count_cpus(list: &str) -> u32 {
    list.split(',')
        .filter_map(|part| {
            let (a, b) = part.split_once('-').unwrap_or((part, part));
            let (a, b): (u32, u32) = (a.parse().ok()?, b.parse().ok()?);
            b.checked_sub(a)?.checked_add(1)
        })
        .fold(0, u32::saturating_add)
}

/// Devices in `/proc/swaps` below `root`, in the order of their swap types; empty if it cannot be read.
pub fn read_swaps(root: &Path) -> Vec<SwapLine> {
    std::fs::read_to_string(root.join("proc/swaps")).map(|t| parse_swaps(&t)).unwrap_or_default()
}

fn parse_swaps(text: &str) -> Vec<SwapLine> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            // The path may hold spaces as \040; the four numbers are at the end.
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, .., size, used, prio] = words.as_slice() else { return None };
            Some(SwapLine {
                name: name.replace("\\040", " "),
                pages: size.parse::<u64>().ok()? / 4,
                used: used.parse::<u64>().ok()? / 4,
                prio: prio.parse().ok()?,
            })
        })
        .collect()
}

/// Both clocks at one instant.
pub fn clock_pair() -> ClockPair {
    let ns = |id| {
        let t = clock_gettime(id);
        (t.tv_sec as u64).saturating_mul(1_000_000_000) + t.tv_nsec as u64
    };
    ClockPair { monotonic_ns: ns(ClockId::Monotonic), realtime_ns: ns(ClockId::Realtime) }
}

/// Paths of cgroup directories by inode, found by walking the cgroup2 mount; bounded, and read again only when an
/// unknown inode turns up.
pub struct CgroupPaths {
    mount: PathBuf,
    by_inode: HashMap<u64, String>,
}

/// Directories looked at per walk: a host with more has its rest shown by number.
const MAX_CGROUPS: usize = 20_000;

impl CgroupPaths {
    /// Nothing read yet. Where the memory controller is still in cgroup v1, its own hierarchy has the directories.
    pub fn new(root: &Path) -> Self {
        let mount = root.join("sys/fs/cgroup");
        let memory = mount.join("memory");
        let unified = mount.join("unified");
        let mount = if memory.join("memory.limit_in_bytes").is_file() {
            memory
        } else if unified.is_dir() {
            unified
        } else {
            mount
        };
        Self { mount, by_inode: HashMap::new() }
    }

    /// Directory of the cgroup with this path.
    pub fn directory(&self, path: &str) -> PathBuf {
        self.mount.join(path.trim_start_matches('/'))
    }

    /// Path of the cgroup with this inode, `/` for the root; `None` if there is no such directory (any more).
    pub fn path(&mut self, inode: u64) -> Option<String> {
        if inode == 0 {
            return None;
        }
        if !self.by_inode.contains_key(&inode) {
            self.walk();
        }
        self.by_inode.get(&inode).cloned()
    }

    /// The cgroup with this inode still has its folder.
    pub fn is_there(&self, inode: u64, path: &str) -> bool {
        match self.mount.join(path.trim_start_matches('/')).symlink_metadata() {
            Ok(meta) => meta.ino() == inode,
            Err(err) => err.kind() != std::io::ErrorKind::NotFound,
        }
    }

    fn walk(&mut self) {
        let mut todo = vec![self.mount.clone()];
        let mut seen = 0;
        while let Some(dir) = todo.pop() {
            let Ok(meta) = dir.symlink_metadata() else { continue };
            seen += 1;
            if !meta.is_dir() || seen > MAX_CGROUPS {
                continue;
            }
            let rel = dir.strip_prefix(&self.mount).unwrap_or(&dir);
            self.by_inode.insert(meta.ino(), format!("/{}", rel.display()));
            let Ok(entries) = std::fs::read_dir(&dir) else { continue };
            todo.extend(
                entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swaps_and_cpus_parse() {
        let text = "Filename\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/vda                                partition\t524284\t\t40\t\t-2\n/my\\040swap file 8 4 5\nrubbish\n";
        let swaps = parse_swaps(text);
        assert_eq!(swaps[0], SwapLine { name: "/dev/vda".into(), pages: 131_071, used: 10, prio: -2 });
        assert_eq!(swaps[1].name, "/my swap");
        assert_eq!(swaps.len(), 2);
        assert_eq!(parse_swaps(""), vec![]);
        assert_eq!(count_cpus("0-3,8"), 5);
        assert_eq!(count_cpus("nonsense"), 0);
        assert_eq!(count_cpus("5-2"), 0);
    }

    #[test]
    fn cgroup_paths_by_inode() {
        let dir = tempfile::tempdir().unwrap();
        let wl = dir.path().join("sys/fs/cgroup/a/b");
        std::fs::create_dir_all(&wl).unwrap();
        let mut paths = CgroupPaths::new(dir.path());
        let root_inode = dir.path().join("sys/fs/cgroup").metadata().unwrap().ino();
        assert_eq!(paths.path(wl.metadata().unwrap().ino()).as_deref(), Some("/a/b"));
        assert_eq!(paths.path(root_inode).as_deref(), Some("/"));
        assert_eq!(paths.path(0), None);
        let late = dir.path().join("sys/fs/cgroup/late");
        std::fs::create_dir(&late).unwrap();
        assert_eq!(paths.path(late.metadata().unwrap().ino()).as_deref(), Some("/late"));
    }

    #[test]
    fn directories_of_the_memory_controller_are_those_of_its_hierarchy() {
        let dir = tempfile::tempdir().unwrap();
        let memory = dir.path().join("sys/fs/cgroup/memory");
        for of in ["sys/fs/cgroup/unified/a", "sys/fs/cgroup/memory/b"] {
            std::fs::create_dir_all(dir.path().join(of)).unwrap();
        }
        std::fs::write(memory.join("memory.limit_in_bytes"), "").unwrap();
        let mut paths = CgroupPaths::new(dir.path());
        assert_eq!(paths.path(memory.join("b").metadata().unwrap().ino()).as_deref(), Some("/b"));
        assert_eq!(paths.directory("/b"), memory.join("b"));
    }

    #[test]
    fn host_without_btf_is_not_supported() {
        let dir = tempfile::tempdir().unwrap();
        let err = Facts::read(dir.path()).err().unwrap();
        assert_eq!(crate::exit::code_of(&err), Exit::NotSupported);
        assert!(err.to_string().contains("CONFIG_DEBUG_INFO_BTF"));
    }
}

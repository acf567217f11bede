//! Names for what the records only number: which device is which path, which memcg is which cgroup.

use super::usage::Usage;
use crate::kernel::facts::{CgroupPaths, SwapLine, read_swaps};
use crate::meta::{CgroupInfo, CgroupUse, DeviceInfo};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use vswap_common::slot::MAX_DEVICES;
use vswap_common::{Entry, Kind, Record, flags};

/// Watches the records for devices and cgroups not named yet.
pub(super) struct News {
    root: PathBuf,
    paths: CgroupPaths,
    /// Inode last seen for each memcg id; ids are used again after a cgroup is gone.
    inodes: Vec<u64>,
    /// Pages by device number, once a record told them; taken out when the device has its name.
    unnamed: [Option<u64>; MAX_DEVICES],
    named: [Option<DeviceInfo>; MAX_DEVICES],
    /// A scan found the device, all of them in the order of their numbers, as `/proc/swaps` has them.
    scanned: [bool; MAX_DEVICES],
    cgroups: Vec<CgroupInfo>,
    usage: Usage,
    /// Cgroups named so far, by id: one that is removed keeps its id as long as it has slots.
    there: BTreeMap<u16, (u64, String)>,
    /// The id at which the next look for removed ones begins.
    next_there: u16,
    next_census: Option<Instant>,
    next_look: Option<Instant>,
    /// Looks still to be taken often: what was told last may not be the end of it.
    fresh: u8,
}

/// What the kernel writes behind the path of a removed cgroup (`/proc/PID/cgroup`).
const REMOVED: &str = " (deleted)";
/// Cgroups looked after at a time.
const CENSUS: usize = 1024;

/// `/proc/swaps` is read this often while a device has no name, and so many times after: the kernel shows a device
/// before swapon has given it its priority, and whose turn it is among devices hangs on that.
const LOOK_OFTEN: Duration = Duration::from_millis(100);
const LOOKS_AFTER: u8 = 10;
/// and this often otherwise.
const LOOK_SELDOM: Duration = Duration::from_secs(1);

impl News {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            paths: CgroupPaths::new(root),
            inodes: vec![0; usize::from(u16::MAX) + 1],
            unnamed: [None; MAX_DEVICES],
            named: [const { None }; MAX_DEVICES],
            scanned: [false; MAX_DEVICES],
            cgroups: Vec::new(),
            usage: Usage::new(root),
            there: BTreeMap::new(),
            next_there: 0,
            next_census: None,
            next_look: None,
            fresh: 0,
        }
    }

    /// A device that `/proc/swaps` will never name.
    pub(super) fn knows(&mut self, info: &DeviceInfo) {
        self.named[usize::from(info.dev) % MAX_DEVICES] = Some(info.clone());
    }

    /// Notes what a record tells. Called for every record: two compares for most.
    #[inline]
    pub(super) fn look(&mut self, r: &Record) {
        if r.kind == Kind::Charge as u8 || r.kind == Kind::ScanOwner as u8 {
            if r.flags & flags::MEMCG != 0 && r.arg != 0 && self.inodes[usize::from(r.memcg)] != r.arg {
                self.inodes[usize::from(r.memcg)] = r.arg;
                self.there.remove(&r.memcg);
                if let Some(path) = self.paths.path(r.arg) {
                    self.usage.follow(r.memcg, &path);
                    self.there.insert(r.memcg, (r.arg, path.clone()));
                    self.cgroups.push(CgroupInfo { id: r.memcg, inode: r.arg, path });
                }
            }
        } else if r.kind >= Kind::SwapOn as u8 {
            self.device(r);
        }
    }

    fn device(&mut self, r: &Record) {
        let dev = usize::from(Entry(r.entry).dev());
        if self.named[dev].as_ref().is_some_and(|device| device.r#virtual) {
            return;
        }
        let known = self.named[dev].is_some() || self.unnamed[dev].is_some();
        let told = r.kind == Kind::SwapOn as u8
            || (r.kind == Kind::ScanDevice as u8 && r.flags & flags::VERIFY == 0);
        if told || (r.kind == Kind::ClusterMove as u8 && !known) {
            self.named[dev] = None;
            self.unnamed[dev] = Some(r.arg);
            self.scanned[dev] = r.kind == Kind::ScanDevice as u8;
        } else if r.kind == Kind::SwapOff as u8 {
            self.named[dev] = None;
            self.unnamed[dev] = None;
        }
    }

    /// Cgroups newly seen, or found removed, since the last call.
    pub(super) fn cgroups(&mut self) -> Vec<CgroupInfo> {
        let now = Instant::now();
        if self.next_census.is_none_or(|at| now >= at) {
            let all = self.next_census.is_none();
            self.next_census = Some(now + LOOK_SELDOM);
            self.census(if all { usize::MAX } else { CENSUS });
        }
        std::mem::take(&mut self.cgroups)
    }

    /// What the files of some cgroups say, if it changed since they were last read; each call reads a few of them.
    pub(super) fn usage(&mut self) -> Vec<CgroupUse> {
        self.usage.next()
    }

    /// Looks whether the next `most` cgroups still have their folders.
    fn census(&mut self, most: usize) {
        let from = self.next_there;
        let around = self.there.range(from..).chain(self.there.range(..from));
        let mut gone = Vec::new();
        for (id, (inode, path)) in around.take(most) {
            self.next_there = id.wrapping_add(1);
            if !self.paths.is_there(*inode, path) {
                gone.push(CgroupInfo { id: *id, inode: *inode, path: format!("{path}{REMOVED}") });
            }
        }
        for info in &gone {
            self.there.remove(&info.id);
        }
        self.cgroups.extend(gone);
    }

    /// Devices whose name became certain, or whose priority changed, since the last call. Certain is a line of
    /// `/proc/swaps` that no other device has and whose size is that of exactly one unnamed device: two of one size
    /// at once stay without a name, unless a scan found them in their order.
    pub(super) fn devices(&mut self) -> Vec<DeviceInfo> {
        let now = Instant::now();
        let any = self.unnamed.iter().any(Option::is_some) || self.named.iter().any(Option::is_some);
        if !any || self.next_look.is_some_and(|at| now < at) {
            return Vec::new();
        }
        let waiting = self.fresh > 0 || self.unnamed.iter().any(Option::is_some);
        self.next_look = Some(now + if waiting { LOOK_OFTEN } else { LOOK_SELDOM });
        let told = self.name_from(&read_swaps(&self.root));
        self.fresh = if told.is_empty() { self.fresh.saturating_sub(1) } else { LOOKS_AFTER };
        told
    }

    /// Makes the next [`News::devices`] and [`News::cgroups`] look at everything, without waiting for its time: the recording ends.
    pub(super) fn hurry(&mut self) {
        self.next_look = None;
        self.next_census = None;
    }

    fn name_from(&mut self, lines: &[SwapLine]) -> Vec<DeviceInfo> {
        let mut out = Vec::new();
        // The kernel shows a device before swapon has given it its priority.
        for known in self.named.iter_mut().flatten() {
            if let Some(line) = lines.iter().find(|l| l.name == known.name && l.prio != known.prio) {
                known.prio = line.prio;
                out.push(known.clone());
            }
        }
        for dev in 0..MAX_DEVICES {
            let Some(pages) = self.unnamed[dev] else { continue };
            let rivals: Vec<usize> = (0..MAX_DEVICES).filter(|d| self.unnamed[*d] == Some(pages)).collect();
            let in_order = rivals.iter().all(|d| self.scanned[*d]);
            let taken = |name: &str| self.named.iter().flatten().any(|d| d.name == name);
            let free: Vec<&SwapLine> = lines.iter().filter(|l| l.pages == pages && !taken(&l.name)).collect();
            if let [line, ..] = free.as_slice()
                && rivals.len() == free.len()
                && (rivals.len() == 1 || in_order)
            {
                let (name, used, prio) = (line.name.clone(), line.used, line.prio);
                let info = DeviceInfo { dev: dev as u8, name, pages, used, prio, r#virtual: false };
                out.push(info.clone());
                self.named[dev] = Some(info);
                self.unnamed[dev] = None;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, pages: u64) -> SwapLine {
        SwapLine { name: name.into(), pages, used: 0, prio: -1 }
    }

    fn swapon(dev: u8, pages: u64) -> Record {
        Record {
            kind: Kind::SwapOn as u8,
            entry: Entry::new(dev, pages + 1).0,
            arg: pages,
            ..Record::default()
        }
    }

    #[test]
    fn device_gets_the_one_line_of_its_size() {
        let mut n = News::new(Path::new("/nonexistent"));
        n.look(&swapon(0, 100));
        n.look(&swapon(1, 200));
        let names: Vec<_> = n
            .name_from(&[line("/dev/a", 100), line("/dev/b", 200)])
            .into_iter()
            .map(|d| (d.dev, d.name))
            .collect();
        assert_eq!(names, vec![(0, "/dev/a".to_owned()), (1, "/dev/b".to_owned())]);
        assert!(n.name_from(&[line("/dev/a", 100)]).is_empty(), "told once");
    }

    #[test]
    fn a_device_known_from_elsewhere_waits_for_no_line() {
        let mut n = News::new(Path::new("/nonexistent"));
        n.knows(&DeviceInfo { dev: 0, name: "vswap".into(), r#virtual: true, ..DeviceInfo::default() });
        n.look(&Record { kind: Kind::ClusterMove as u8, arg: 100, ..Record::default() });
        n.look(&swapon(1, 100));
        let told = n.name_from(&[line("/dev/a", 100)]);
        assert_eq!(told.iter().map(|d| d.dev).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn priority_given_late_is_told() {
        let mut n = News::new(Path::new("/nonexistent"));
        n.look(&swapon(0, 100));
        assert_eq!(n.name_from(&[line("/dev/a", 100)])[0].prio, -1);
        let late = SwapLine { prio: 5, ..line("/dev/a", 100) };
        assert_eq!(n.name_from(std::slice::from_ref(&late))[0].prio, 5);
        assert!(n.name_from(&[late]).is_empty(), "told once");
    }

    #[test]
    fn two_of_one_size_are_not_guessed() {
        let mut n = News::new(Path::new("/nonexistent"));
        n.look(&swapon(0, 100));
        n.look(&swapon(1, 100));
        assert!(n.name_from(&[line("/dev/a", 100), line("/dev/b", 100)]).is_empty());
    }

    #[test]
    fn scanned_devices_have_the_order_of_their_lines() {
        let found = |dev| Record { kind: Kind::ScanDevice as u8, ..swapon(dev, 100) };
        let lines = [line("/dev/a", 100), line("/dev/b", 100)];
        let mut n = News::new(Path::new("/nonexistent"));
        n.look(&found(1));
        assert!(n.name_from(&lines).is_empty(), "the other one may be before it");
        n.look(&found(4));
        let names: Vec<_> = n.name_from(&lines).into_iter().map(|d| (d.dev, d.name)).collect();
        assert_eq!(names, [(1, "/dev/a".to_owned()), (4, "/dev/b".to_owned())]);

        let mut mixed = News::new(Path::new("/nonexistent"));
        mixed.look(&found(0));
        mixed.look(&swapon(1, 100));
        assert!(mixed.name_from(&lines).is_empty(), "one came meanwhile");
    }

    #[test]
    fn second_device_of_a_size_is_certain_once_the_first_has_its_name() {
        let mut n = News::new(Path::new("/nonexistent"));
        n.look(&swapon(0, 100));
        assert_eq!(n.name_from(&[line("/dev/a", 100)]).len(), 1);
        n.look(&swapon(1, 100));
        assert_eq!(n.name_from(&[line("/dev/a", 100), line("/dev/b", 100)])[0].name, "/dev/b");
    }

    #[test]
    fn cgroup_is_told_once_and_again_when_its_id_is_reused() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let wl = dir.path().join("sys/fs/cgroup/wl");
        std::fs::create_dir_all(&wl).unwrap();
        let charge = |inode| Record {
            kind: Kind::Charge as u8,
            memcg: 9,
            arg: inode,
            flags: flags::MEMCG,
            ..Record::default()
        };
        let mut n = News::new(dir.path());
        let inode = wl.metadata().unwrap().ino();
        n.look(&charge(inode));
        n.look(&charge(inode));
        assert_eq!(n.cgroups(), vec![CgroupInfo { id: 9, inode, path: "/wl".into() }]);
        let other = dir.path().join("sys/fs/cgroup").metadata().unwrap().ino();
        n.look(&charge(other));
        assert_eq!(n.cgroups()[0].path, "/");
    }

    #[test]
    fn a_removed_cgroup_keeps_its_name_and_is_said_to_be_gone() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = dir.path().join("sys/fs/cgroup").join(name);
            std::fs::create_dir_all(&folder).unwrap();
            folder
        };
        let charge = |memcg, inode| Record {
            kind: Kind::Charge as u8,
            memcg,
            arg: inode,
            flags: flags::MEMCG,
            ..Record::default()
        };
        let (a, b) = (folder("a"), folder("b"));
        let mut n = News::new(dir.path());
        for (id, folder) in [(7, &a), (9, &b)] {
            n.look(&charge(id, folder.metadata().unwrap().ino()));
        }
        assert_eq!(n.cgroups().len(), 2);
        std::fs::remove_dir(&a).unwrap();
        assert!(n.cgroups().is_empty(), "not looked at every time");
        n.hurry();
        let gone: Vec<_> = n.cgroups().into_iter().map(|c| (c.id, c.path)).collect();
        assert_eq!(gone, [(7, "/a (deleted)".to_owned())]);
        n.hurry();
        assert!(n.cgroups().is_empty(), "told once");
        n.look(&charge(7, b.metadata().unwrap().ino()));
        assert_eq!(n.cgroups()[0].path, "/b", "the id is used again");
    }
}

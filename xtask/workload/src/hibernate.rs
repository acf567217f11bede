//! Swap slots without a folio: what hibernation allocates for its image, through `/dev/snapshot` and without
//! hibernating (include/uapi/linux/suspend_ioctls.h).

use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::Error;
use std::os::fd::AsRawFd;
use std::os::linux::fs::MetadataExt;
use std::path::Path;

const SNAPSHOT: &str = "/dev/snapshot";
/// Counters of virtual swap, on kernels that have it.
const VIRTUAL: &str = "/sys/kernel/debug/vswap";
/// `_IO('3', 9)`, `_IOW('3', 13, struct resume_swap_area)` and `_IOR('3', 20, __kernel_loff_t)`.
const SNAPSHOT_FREE_SWAP_PAGES: libc::Ioctl = 0x3309;
const SNAPSHOT_SET_SWAP_AREA: libc::Ioctl = 1 << 30 | 12 << 16 | 0x330d;
const SNAPSHOT_ALLOC_SWAP_PAGE: libc::Ioctl = 2 << 30 | 8 << 16 | 0x3314;

/// `struct resume_swap_area`.
#[repr(C, packed)]
struct SwapArea {
    offset: i64,
    dev: u32,
}

/// Slots held for an image; given back when dropped.
#[derive(Debug)]
pub(crate) struct Image {
    snapshot: File,
    /// Number of the device in swap entries.
    pub(crate) dev: u8,
    /// Offsets of the slots.
    pub(crate) slots: Vec<u64>,
}

impl Image {
    /// Nothing allocated yet on this swap partition.
    pub(crate) fn on(device: &Path) -> Result<Self> {
        let swaps = fs::read_to_string("/proc/swaps").context("/proc/swaps")?;
        let dev =
            number(&swaps, device).with_context(|| format!("{} is no swap device", device.display()))?;
        // The virtual device is there before all others and has no line.
        let dev = dev + u8::from(Path::new(VIRTUAL).is_dir());
        let meta = fs::metadata(device).with_context(|| device.display().to_string())?;
        let snapshot = File::open(SNAPSHOT).context(SNAPSHOT)?;
        let (major, minor) = (libc::major(meta.st_rdev()), libc::minor(meta.st_rdev()));
        // `new_encode_dev`
        let area = SwapArea { offset: 0, dev: minor & 0xff | major << 8 | (minor & !0xff) << 12 };
        // SAFETY: `area` is the struct this request reads, and lives through the call.
        let rc = unsafe { libc::ioctl(snapshot.as_raw_fd(), SNAPSHOT_SET_SWAP_AREA, &raw const area) };
        if rc != 0 {
            return Err(Error::last_os_error()).context("SNAPSHOT_SET_SWAP_AREA");
        }
        Ok(Self { snapshot, dev, slots: Vec::new() })
    }

    /// Allocates `count` more.
    pub(crate) fn grow(&mut self, count: u64) -> Result<()> {
        for _ in 0..count {
            let mut place = 0i64;
            // SAFETY: the request writes the one 64-bit number it is given, which lives through the call.
            let rc =
                unsafe { libc::ioctl(self.snapshot.as_raw_fd(), SNAPSHOT_ALLOC_SWAP_PAGE, &raw mut place) };
            if rc != 0 {
                return Err(Error::last_os_error()).context("SNAPSHOT_ALLOC_SWAP_PAGE");
            }
            // A byte offset on the disk, which is the slot's on a partition.
            self.slots.push(u64::try_from(place).context("a place before the device")? >> 12);
        }
        Ok(())
    }

    /// Gives all of them back.
    pub(crate) fn free(&mut self) -> Result<()> {
        // SAFETY: the request takes no argument.
        if unsafe { libc::ioctl(self.snapshot.as_raw_fd(), SNAPSHOT_FREE_SWAP_PAGES) } != 0 {
            bail!("SNAPSHOT_FREE_SWAP_PAGES: {}", Error::last_os_error());
        }
        self.slots.clear();
        Ok(())
    }
}

/// Devices of a fresh guest have the order of their lines.
fn number(swaps: &str, device: &Path) -> Option<u8> {
    let of = |line: &str| line.split_whitespace().next().is_some_and(|name| Path::new(name) == device);
    u8::try_from(swaps.lines().skip(1).position(of)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_numbered_from_the_first_line() {
        let swaps = "Filename Type Size Used Priority\n/dev/a partition 4 0 -2\n/dev/b partition 4 0 -3\n";
        assert_eq!(number(swaps, Path::new("/dev/b")), Some(1));
        assert_eq!(number(swaps, Path::new("/dev/c")), None);
        assert_eq!(size_of::<SwapArea>(), 12);
    }
}

//! Where the kernel says our pages are: /proc/PID/pagemap, read for every mapping of ours and of our children.

use crate::pattern::PAGE;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;

/// Swap types from here on are not devices but the kernel's special entries (migration, poison, markers).
const MAX_DEVICES: u8 = 23;

/// A pagemap word (Documentation/admin-guide/mm/pagemap.rst).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Never touched, freed, or shared and not mapped here.
    Nowhere,
    /// In memory.
    Present,
    /// In this swap slot.
    Swapped {
        /// Swap type.
        dev: u8,
        /// Offset in the device.
        off: u64,
    },
    /// A special entry.
    Special,
}

/// Decodes a pagemap word.
pub(crate) const fn place(word: u64) -> Place {
    if word >> 63 & 1 == 1 {
        return Place::Present;
    }
    if word >> 62 & 1 == 0 {
        return Place::Nowhere;
    }
    let dev = (word & 0x1f) as u8;
    if dev >= MAX_DEVICES {
        return Place::Special;
    }
    Place::Swapped { dev, off: word >> 5 & ((1 << 50) - 1) }
}

/// Places of `count` pages from virtual address `addr` in process `pid` (a number or `self`).
pub(crate) fn places(pid: &str, addr: usize, count: usize) -> Result<Vec<Place>> {
    let path = format!("/proc/{pid}/pagemap");
    let file = File::open(&path).context(path.clone())?;
    let mut bytes = vec![0; count * 8];
    file.read_exact_at(&mut bytes, (addr / PAGE * 8) as u64).context(path)?;
    Ok(bytes.as_chunks::<8>().0.iter().map(|w| place(u64::from_le_bytes(*w))).collect())
}

/// Every swapped page of a process as slot -> virtual address. Pages that several processes share appear once when
/// the maps of all are put together.
pub(crate) fn swapped(pid: &str, into: &mut BTreeMap<(u8, u64), usize>) -> Result<()> {
    for (start, end) in mappings(&read(&format!("/proc/{pid}/maps"))?) {
        for (i, place) in places(pid, start, (end - start) / PAGE)?.into_iter().enumerate() {
            if let Place::Swapped { dev, off } = place {
                into.insert((dev, off), start + i * PAGE);
            }
        }
    }
    Ok(())
}

/// Address ranges in the text of /proc/PID/maps that have a pagemap.
fn mappings(maps: &str) -> Vec<(usize, usize)> {
    let range = |line: &str| {
        let (start, rest) = line.split_once('-')?;
        let end = rest.split(' ').next()?;
        // The vsyscall page lies outside user space and has no pagemap.
        let range = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
        (range.1 < 1 << 47).then_some(range)
    };
    maps.lines().filter_map(range).collect()
}

/// Swapped pages of shared memory at `addr`, from smaps: pagemap forgets where a shared page went.
pub(crate) fn shared_swap_pages(addr: usize) -> Result<u64> {
    let smaps = read("/proc/self/smaps")?;
    swap_kb(&smaps, addr).map(|kb| kb / 4).context("no mapping of ours in /proc/self/smaps")
}

fn swap_kb(smaps: &str, addr: usize) -> Option<u64> {
    let mut lines = smaps.lines();
    lines.find(|line| mappings(line).first().is_some_and(|(start, end)| (*start..*end).contains(&addr)))?;
    lines.find_map(|line| line.strip_prefix("Swap:"))?.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn read(path: &str) -> Result<String> {
    let mut text = String::new();
    fs::File::open(path).and_then(|mut f| f.read_to_string(&mut text)).with_context(|| path.to_owned())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!(place(0), Place::Nowhere);
        assert_eq!(place(1 << 63 | 1 << 62 | 5), Place::Present);
        assert_eq!(place(1 << 62 | 4711 << 5 | 3), Place::Swapped { dev: 3, off: 4711 });
        assert_eq!(place(1 << 62 | 1 << 55 | 1 << 61 | 9 << 5), Place::Swapped { dev: 0, off: 9 });
        assert_eq!(place(1 << 62 | 31), Place::Special);
    }

    #[test]
    fn maps_and_smaps() {
        let maps =
            "7f00-9f00 rw-p 00000000 00:00 0 [heap]\nffffffffff600000-ffffffffff601000 --xp 0 [vsyscall]\n";
        assert_eq!(mappings(maps), [(0x7f00, 0x9f00)]);
        let smaps =
            "1000-2000 rw-p 0\nSwap:    4 kB\n3000-9000 rw-s 0\nRss: 8 kB\nSwap:   12 kB\nSwapPss: 0 kB\n";
        assert_eq!(swap_kb(smaps, 0x4000), Some(12));
        assert_eq!(swap_kb(smaps, 0xa000), None);
    }

    #[test]
    fn own_pages_are_present() {
        let here = Box::new([1u8; PAGE * 2]);
        let places = places("self", here.as_ptr().addr(), 1).unwrap();
        assert!(matches!(places[0], Place::Present | Place::Swapped { .. }), "{places:?}");
    }
}

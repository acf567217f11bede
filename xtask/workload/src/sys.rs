//! The only unsafe code: a mapping, advice about it, a child process, swapon.
//!
//! The standard library has no mmap, madvise, mincore, fork or swapon; nothing here leaves a raw pointer outside.

use crate::pattern::PAGE;
use std::ffi::CString;
use std::io::{Error, Result};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

/// Huge pages need their alignment, and a kernel that uses them gives none by itself for small mappings.
const HUGE: usize = 2 << 20;

/// Anonymous memory of whole pages, unmapped on drop.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: *mut u8,
    pages: usize,
    whole: (*mut libc::c_void, usize),
}

/// What to tell the kernel about pages (madvise(2)).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Advice {
    /// Swap them out now.
    PageOut,
    /// Drop private pages.
    DontNeed,
    /// Punch shared pages out of their file.
    Remove,
    /// Bring pages in, or say that it cannot be done.
    PopulateRead,
    /// Use huge pages.
    Huge,
    /// Use base pages.
    NoHuge,
}

impl Mapping {
    /// Maps `pages` pages at a huge-page boundary, private or shared (shared anonymous memory is shmem).
    pub(crate) fn new(pages: usize, shared: bool) -> Result<Self> {
        let len = pages
            .checked_mul(PAGE)
            .and_then(|len| len.checked_add(HUGE))
            .ok_or(Error::from_raw_os_error(libc::ENOMEM))?;
        let flags = libc::MAP_ANONYMOUS | if shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
        // SAFETY: a new mapping at an address the kernel chooses overlaps nothing.
        let whole =
            unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        if whole == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        let pad = whole.addr().next_multiple_of(HUGE) - whole.addr();
        // SAFETY: pad < HUGE, and the mapping is HUGE longer than the pages.
        let base = unsafe { whole.cast::<u8>().add(pad) };
        Ok(Self { base, pages, whole: (whole, len) })
    }

    /// Pages in the mapping.
    pub(crate) fn pages(&self) -> usize {
        self.pages
    }

    /// Virtual address of the first page.
    pub(crate) fn addr(&self) -> usize {
        self.base.addr()
    }

    /// Copies a page out, faulting it in if need be.
    pub(crate) fn read(&self, page: usize, buf: &mut [u8; PAGE]) {
        // SAFETY: `at` checks the bound; the mapping is readable and `buf` is not part of it.
        unsafe { ptr::copy_nonoverlapping(self.at(page, 1), buf.as_mut_ptr(), PAGE) }
    }

    /// Overwrites a page.
    pub(crate) fn write(&mut self, page: usize, buf: &[u8; PAGE]) {
        // SAFETY: `at` checks the bound; the mapping is writable and `buf` is not part of it.
        unsafe { ptr::copy_nonoverlapping(buf.as_ptr(), self.at(page, 1), PAGE) }
    }

    /// madvise(2) on `count` pages from `page`.
    pub(crate) fn advise(&self, page: usize, count: usize, advice: Advice) -> Result<()> {
        let advice = match advice {
            Advice::PageOut => libc::MADV_PAGEOUT,
            Advice::DontNeed => libc::MADV_DONTNEED,
            Advice::Remove => libc::MADV_REMOVE,
            Advice::PopulateRead => libc::MADV_POPULATE_READ,
            Advice::Huge => libc::MADV_HUGEPAGE,
            Advice::NoHuge => libc::MADV_NOHUGEPAGE,
        };
        // SAFETY: the range lies in our mapping, of which no Rust reference exists.
        let rc = unsafe { libc::madvise(self.at(page, count).cast(), count * PAGE, advice) };
        if rc == 0 { Ok(()) } else { Err(Error::last_os_error()) }
    }

    /// mincore(2): for every page, whether it is in memory. What pagemap cannot say about shared pages.
    pub(crate) fn resident(&self) -> Result<Vec<bool>> {
        let mut vec = vec![0u8; self.pages];
        // SAFETY: the range is our mapping, and `vec` has a byte for each of its pages.
        let rc = unsafe { libc::mincore(self.base.cast(), self.pages * PAGE, vec.as_mut_ptr()) };
        if rc != 0 {
            return Err(Error::last_os_error());
        }
        Ok(vec.into_iter().map(|byte| byte & 1 == 1).collect())
    }

    /// Address of `count` pages from `page`.
    fn at(&self, page: usize, count: usize) -> *mut u8 {
        assert!(count <= self.pages && page <= self.pages - count, "page {page}+{count} of {}", self.pages);
        // SAFETY: just checked to lie inside the mapping.
        unsafe { self.base.add(page * PAGE) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `whole` is what mmap returned, and nothing refers to it any more.
        unsafe { libc::munmap(self.whole.0, self.whole.1) };
    }
}

/// Keeps what is mapped now (program, stack, heap) out of swap, so that only the test pages go there.
pub(crate) fn lock_current() -> Result<()> {
    // SAFETY: takes no pointers.
    if unsafe { libc::mlockall(libc::MCL_CURRENT) } == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

/// Starts a child that shares our memory copy-on-write, does nothing, and dies with us. Returns its pid.
pub(crate) fn fork_sleeper() -> Result<i32> {
    // SAFETY: this program has one thread, so the child's copy is consistent; it calls nothing but
    // async-signal-safe functions and never returns from here.
    match unsafe { libc::fork() } {
        -1 => Err(Error::last_os_error()),
        0 => {
            // SAFETY: plain system calls without pointers. If the parent died before prctl, init is our parent.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                while libc::getppid() != 1 {
                    libc::pause();
                }
                libc::_exit(0)
            }
        }
        pid => Ok(pid),
    }
}

/// `SWAP_FLAG_PREFER` and `SWAP_FLAG_PRIO_MASK` of include/uapi (linux/swap.h), which libc does not name.
const SWAP_FLAG_PREFER: i32 = 0x8000;
const SWAP_FLAG_PRIO_MASK: i32 = 0x7fff;
/// `SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_PAGES`: freed clusters, not the whole device at once.
const SWAP_FLAG_DISCARD_PAGES: i32 = 0x10000 | 0x40000;

/// swapon(2), with a priority if one is given.
pub(crate) fn swapon(device: &Path, priority: Option<u16>, discard: bool) -> Result<()> {
    let device = CString::new(device.as_os_str().as_bytes())?;
    let prefer = priority.map_or(0, |p| SWAP_FLAG_PREFER | i32::from(p) & SWAP_FLAG_PRIO_MASK);
    let flags = prefer | if discard { SWAP_FLAG_DISCARD_PAGES } else { 0 };
    // SAFETY: a path that ends in a zero byte and lives through the call; the kernel reads nothing else.
    match unsafe { libc::swapon(device.as_ptr(), flags) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_what_was_written() {
        for shared in [false, true] {
            let mut map = Mapping::new(4, shared).unwrap();
            assert_eq!(map.addr() % HUGE, 0);
            map.write(3, &[9; PAGE]);
            let mut buf = [1; PAGE];
            map.read(3, &mut buf);
            assert_eq!(buf, [9; PAGE]);
            assert!(map.resident().unwrap()[3]);
            let drop = if shared { Advice::Remove } else { Advice::DontNeed };
            map.advise(3, 1, drop).unwrap();
            map.read(3, &mut buf);
            assert_eq!(buf, [0; PAGE], "freed pages read as zeroes");
        }
    }

    #[test]
    #[should_panic(expected = "page 4+1 of 4")]
    fn bounds_are_checked() {
        Mapping::new(4, false).unwrap().read(4, &mut [0; PAGE]);
    }
}

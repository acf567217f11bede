//! The memory of a BPF array, read without a system call.
//!
//! While a system call reads a map, the kernel skips kprobe programs on that CPU (`bpf_disable_instrumentation`). If the
//! reader is preempted there, whatever runs meanwhile is not traced: looking at the counters would lose records.

use anyhow::{Context, ensure};
use aya::maps::MapData;
use rustix::mm::{MapFlags, ProtFlags, mmap};
use std::os::fd::AsFd;
use std::sync::atomic::AtomicU64;

/// Maps the array as words, read only, for as long as the process lives: there is one of it, and it is small.
///
/// # Errors
/// If the values are not whole words, or the kernel does not map it (the array lacks `BPF_F_MMAPABLE`).
pub(super) fn words(map: &MapData) -> anyhow::Result<&'static [AtomicU64]> {
    let info = map.info().context("ask for the size of the counters")?;
    let (values, bytes) = (info.max_entries() as usize, info.value_size() as usize);
    ensure!(bytes % size_of::<AtomicU64>() == 0, "counters of {bytes} bytes are not whole words");
    let length = values * bytes;
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
    let at =
        unsafe { mmap(std::ptr::null_mut(), length, ProtFlags::READ, MapFlags::SHARED, map.fd().as_fd(), 0) }
            .context("map the counters of the hooks")?;
    // SAFETY: `at` is page-aligned, `length` bytes of it are readable, and nothing unmaps them. Others write them, so
    // they are atomics; they are only loaded, for which a read-only page is enough.
    Ok(unsafe { std::slice::from_raw_parts(at.cast::<AtomicU64>(), length / size_of::<AtomicU64>()) })
}

//! The maps, and the only place that names them.

use crate::call::KEPT;
use crate::hooks::scan::Chunk;
use crate::hooks::tally::Bracket;
use crate::scratch::Task;
use crate::why::Refusals;
use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf};
use vswap_common::HookCounts;
use vswap_common::counter::CpuState;
use vswap_common::hook::HOOKS;
use vswap_common::tally::{CgroupSums, MAX_CGROUPS, MAX_WATCHED, Sums};

/// One ring for all CPUs: reservation order is the order of the cluster lock. Size set by user space.
#[map]
pub static RING: RingBuf = RingBuf::with_byte_size(16 << 20, 0);

/// Arguments of calls that a probe saw begin, by the place of their frame. Small where no exit is a probe.
#[map]
pub static CALLS: LruHashMap<u64, [u64; KEPT]> = LruHashMap::with_max_entries(16384, 0);

/// Counters by CPU, and on each by hook number; user space makes it large enough for all possible CPUs. Not a per-CPU
/// array: those cannot be mapped, and a system call that reads a map keeps the kernel from running kprobe programs on
/// its CPU, for a whole time slice if the reader is preempted in it.
#[map]
pub static COUNTS: Array<HookCounts> = Array::with_max_entries(HOOKS as u32, BPF_F_MMAPABLE);

/// Running numbers of each CPU, one element.
#[map]
pub static CPUS: PerCpuArray<CpuState> = PerCpuArray::with_max_entries(1, 0);

/// What a thread is in the middle of, by thread id. LRU: a thread that died in the middle leaves by itself.
#[map]
pub static TASKS: LruHashMap<u32, Task> = LruHashMap::with_max_entries(16384, 0);

/// What the scan is looking at, one element: user space runs one scan, step by step.
#[map]
pub static CHUNK: Array<Chunk> = Array::with_max_entries(1, 0);

/// Sums of the tracepoints, one element. This map and the next three are made small where functions can be traced.
#[map]
pub static SUMS: PerCpuArray<Sums> = PerCpuArray::with_max_entries(1, 0);

/// Sums by cgroup, by the inode of its directory.
#[map]
pub static CGROUP_SUMS: HashMap<u64, CgroupSums> = HashMap::with_max_entries(MAX_CGROUPS, 0);

/// Reclaim that a thread is in the middle of, by thread id.
#[map]
pub static BRACKETS: LruHashMap<u32, Bracket> = LruHashMap::with_max_entries(16384, 0);

/// Numbers of the swap devices (`dev_t`); user space keeps them.
#[map]
pub static WATCHED: HashMap<u32, u32> = HashMap::with_max_entries(MAX_WATCHED, 0);
/// The kernel's counters of refused stores, as far as a store has been found for each count; one element. See
/// [`crate::why::refusal`].
#[map]
pub static REFUSALS: Array<Refusals> = Array::with_max_entries(1, 0);

//! Per-hook, per-CPU counters kept by the eBPF programs: loss is never silent.

/// What one hook did on one CPU, in records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct HookCounts {
    /// Records put into the ring.
    pub emitted: u64,
    /// Records that found the ring full.
    pub lost: u64,
    /// Records given up because a kernel read failed.
    pub fault: u64,
    /// Records given up because a per-task map was full.
    pub map_full: u64,
    /// Exits that no copy of the program saw: the kernel skipped both. Noticed at the thread's next entry.
    pub skipped: u64,
}

impl HookCounts {
    /// Records that should be in the trace and are not.
    pub const fn missing(&self) -> u64 {
        self.lost + self.fault + self.map_full + self.skipped
    }

    /// Adds the counts of another CPU.
    pub const fn add(&mut self, other: &Self) {
        self.emitted += other.emitted;
        self.lost += other.lost;
        self.fault += other.fault;
        self.map_full += other.map_full;
        self.skipped += other.skipped;
    }
}

/// Running numbers of one CPU, shared by all hooks on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct CpuState {
    /// Next [`crate::Record::seq`].
    pub seq: u64,
    /// Records lost on this CPU so far.
    pub lost: u64,
}

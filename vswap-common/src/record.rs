//! The fixed-size bytes a hook puts into the ring buffer, and the unit of a trace file.
//!
//! One record describes a run of `nr` consecutive slots: a folio, not a page. 48 bytes without padding, native
//! byte order in the ring (x86-64: little endian), little endian in files.

/// Bits of [`Record::flags`].
pub mod flags {
    /// The swap table words carry the zero flag: data is all zeroes, stored nowhere.
    pub const ZERO: u16 = 1 << 0;
    /// The write moves a page from zswap to the device, it is not reclaim writing a folio.
    pub const WRITEBACK: u16 = 1 << 1;
    /// I/O failed.
    pub const FAILED: u16 = 1 << 2;
    /// The folio leaves the cache by reclaim (`__remove_mapping`), not because its slot is given up.
    pub const SWAPOUT: u16 = 1 << 3;
    /// The zswap entry was freed while its page was being loaded.
    pub const IN_LOAD: u16 = 1 << 4;
    /// The zswap entry was freed while the slot's folio was being stored again (replaced or undone).
    pub const IN_STORE: u16 = 1 << 5;
    /// `memcg` was read from the kernel's table; without it the field says nothing.
    pub const MEMCG: u16 = 1 << 6;
    /// The swap table words could be read; without it `ZERO` says nothing.
    pub const WORDS: u16 = 1 << 7;
    /// A scan found the slots' folio in the swap cache.
    pub const CACHED: u16 = 1 << 8;
    /// The scan compares what is known with the tables; it teaches nothing.
    pub const VERIFY: u16 = 1 << 9;
    /// The zswap entry was freed by the thread that gives the slot up just now: `Free` follows (6.12).
    pub const IN_FREE: u16 = 1 << 10;
    /// Slots were found and given back: the cgroup's limit refused them.
    pub const GIVEN: u16 = 1 << 11;
    /// The zswap entry was freed by the thread that has just written its page to a device: the folio is unlocked, and the
    /// slot may have gone on since (virtual swap).
    pub const MOVED: u16 = 1 << 12;
    // Bits 13 to 15: `crate::why::RECLAIMER_SHIFT`.
}

/// What a device is: [`Record::flags`] of `SwapOn` and `ScanDevice`. Bits of the trace format, set from the kernel's
/// `SWP_*` flags, whose numbers are read from BTF.
pub mod device {
    /// Its backing device is not rotational (`SWP_SOLIDSTATE`).
    pub const SOLID_STATE: u16 = 1 << 4;
    /// A block device; else a regular file (`SWP_BLKDEV`).
    pub const BLOCK: u16 = 1 << 6;
    /// Clusters that became free are discarded (`SWP_PAGE_DISCARD`).
    pub const PAGE_DISCARD: u16 = 1 << 10;
    /// Reads and writes complete in the caller (`SWP_SYNCHRONOUS_IO`).
    pub const SYNCHRONOUS: u16 = 1 << 12;
}

/// What a hook saw. Meaning of `arg` and `val` by kind: see [`crate::Kind`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Record {
    /// `CLOCK_MONOTONIC`, nanoseconds, taken in the hook.
    pub ts: u64,
    /// First slot of the run, `swp_entry_t.val`.
    pub entry: u64,
    /// By kind: a duration in ns, a count.
    pub arg: u64,
    /// Running number on this CPU over all hooks; lost records take a number too. Wraps.
    pub seq: u32,
    /// By kind: a return value, a compressed length in bytes, a list.
    pub val: i32,
    /// Thread id of the task that ran the hook (0 in the idle task; arbitrary in interrupts).
    pub tid: u32,
    /// Slots in the run, at least 1 where `entry` means something.
    pub nr: u16,
    /// Memory cgroup id (the kernel's private id) if flag `MEMCG` is set.
    pub memcg: u16,
    /// CPU the hook ran on.
    pub cpu: u16,
    /// Low bits of the number of records lost on this CPU so far: a change places the loss in sequence.
    pub lost: u16,
    /// [`flags`]; for `SwapOn` and `ScanDevice` those of [`device`].
    pub flags: u16,
    /// [`crate::Kind`] as a number.
    pub kind: u8,
    /// Folio order, or order of the cluster.
    pub order: u8,
}

/// Size of a record in bytes.
pub const RECORD_SIZE: usize = 48;
const _: () = assert!(core::mem::size_of::<Record>() == RECORD_SIZE);
const _: () = assert!(core::mem::align_of::<Record>() == 8);

impl Record {
    /// Little-endian bytes, in the order of the fields.
    pub fn to_bytes(&self) -> [u8; RECORD_SIZE] {
        let mut b = [0; RECORD_SIZE];
        b[0..8].copy_from_slice(&self.ts.to_le_bytes());
        b[8..16].copy_from_slice(&self.entry.to_le_bytes());
        b[16..24].copy_from_slice(&self.arg.to_le_bytes());
        b[24..28].copy_from_slice(&self.seq.to_le_bytes());
        b[28..32].copy_from_slice(&self.val.to_le_bytes());
        b[32..36].copy_from_slice(&self.tid.to_le_bytes());
        b[36..38].copy_from_slice(&self.nr.to_le_bytes());
        b[38..40].copy_from_slice(&self.memcg.to_le_bytes());
        b[40..42].copy_from_slice(&self.cpu.to_le_bytes());
        b[42..44].copy_from_slice(&self.lost.to_le_bytes());
        b[44..46].copy_from_slice(&self.flags.to_le_bytes());
        b[46] = self.kind;
        b[47] = self.order;
        b
    }

    /// The record in these bytes. Any bytes are a record; [`crate::Kind::from_u8`] decides about its kind.
    pub fn from_bytes(b: &[u8; RECORD_SIZE]) -> Self {
        let u64_at = |i: usize| {
            u64::from_le_bytes([b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4], b[i + 5], b[i + 6], b[i + 7]])
        };
        let u32_at = |i: usize| u32::from_le_bytes([b[i], b[i + 1], b[i + 2], b[i + 3]]);
        let u16_at = |i: usize| u16::from_le_bytes([b[i], b[i + 1]]);
        Self {
            ts: u64_at(0),
            entry: u64_at(8),
            arg: u64_at(16),
            seq: u32_at(24),
            val: u32_at(28) as i32,
            tid: u32_at(32),
            nr: u16_at(36),
            memcg: u16_at(38),
            cpu: u16_at(40),
            lost: u16_at(42),
            flags: u16_at(44),
            kind: b[46],
            order: b[47],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_round_trip_and_every_byte_counts() {
        let mut bytes = [0u8; RECORD_SIZE];
        for (i, b) in bytes.iter_mut().enumerate() {
            *b = i as u8 ^ 0xa5;
        }
        assert_eq!(Record::from_bytes(&bytes).to_bytes(), bytes);
        for i in 0..RECORD_SIZE {
            let mut other = bytes;
            other[i] ^= 1;
            assert_ne!(Record::from_bytes(&other), Record::from_bytes(&bytes), "byte {i} is not read");
        }
    }
}

//! Records to events: one total function. Any 48 bytes give an [`Event`] or a [`DecodeError`], never a panic.

use thiserror::Error;
use vswap_common::record::RECORD_SIZE;
use vswap_common::slot::{CLUSTER_SLOTS, MAX_DEVICES};
use vswap_common::{Entry, Kind, Record, flags};

/// A decoded record: a run of slots and what happened to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub ts: u64,
    /// First slot of the run.
    pub entry: Entry,
    /// By kind: a duration in ns, a count of records (`Gap`), pages (`SwapOn`).
    pub arg: u64,
    /// By kind: negative errno, compressed bytes, a list number.
    pub val: i32,
    /// Thread that ran the hook; arbitrary for events from interrupts.
    pub tid: u32,
    /// Slots in the run; 0 where `entry` means nothing.
    pub nr: u16,
    /// Kernel-private memcg id; 0 when nobody is charged. Only with [`Event::has_memcg`].
    pub memcg: u16,
    /// CPU of the hook.
    pub cpu: u16,
    /// Bits of [`vswap_common::flags`].
    pub flags: u16,
    /// What happened.
    pub kind: Kind,
    /// Order of the folio or cluster.
    pub order: u8,
}

impl Event {
    /// The words behind the run said "zero-filled".
    pub const fn zero_flag(&self) -> bool {
        self.flags & flags::ZERO != 0
    }
    /// The words behind the run were readable, so [`Event::zero_flag`] is a fact.
    pub const fn words_known(&self) -> bool {
        self.flags & flags::WORDS != 0
    }
    /// [`Event::memcg`] was read from the kernel's table.
    pub const fn has_memcg(&self) -> bool {
        self.flags & flags::MEMCG != 0
    }
    /// I/O failed.
    pub const fn failed(&self) -> bool {
        self.flags & flags::FAILED != 0
    }
    /// First slot at the other end, where the event is about virtual slots and the physical ones behind them.
    pub const fn other_end(&self) -> Option<Entry> {
        match self.kind {
            Kind::Back | Kind::Write if self.arg != 0 => Some(Entry(self.arg)),
            _ => None,
        }
    }
    /// A write on behalf of zswap writeback.
    pub const fn writeback(&self) -> bool {
        self.flags & flags::WRITEBACK != 0
    }
}

/// Why bytes are not an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum DecodeError {
    /// Not exactly one record long.
    #[error("record of {0} bytes, expected {RECORD_SIZE}")]
    Length(usize),
    /// Written by a newer version, or damaged.
    #[error("unknown record kind {0}")]
    Kind(u8),
    /// A run that leaves its cluster, or of no slots.
    #[error("run of {nr} slots at offset {off} does not fit a cluster")]
    Run {
        /// Slots in the run.
        nr: u16,
        /// First offset.
        off: u64,
    },
    /// An order no folio has.
    #[error("order {0} is above 9")]
    Order(u8),
    /// Bits set that no swap entry has.
    #[error("entry {0:#x} is not a swap entry")]
    Entry(u64),
}

/// Bytes of one ring or file record to an event.
///
/// # Errors
/// Every way in which the bytes contradict the format, see [`DecodeError`].
pub fn decode_bytes(bytes: &[u8]) -> Result<Event, DecodeError> {
    let exact: &[u8; RECORD_SIZE] = bytes.try_into().map_err(|_| DecodeError::Length(bytes.len()))?;
    decode(&Record::from_bytes(exact))
}

/// A record to an event; checks every field that later stages index with.
///
/// # Errors
/// See [`decode_bytes`].
#[inline]
pub fn decode(r: &Record) -> Result<Event, DecodeError> {
    let kind = Kind::from_u8(r.kind).ok_or(DecodeError::Kind(r.kind))?;
    let entry = Entry(r.entry);
    if r.entry >> 63 != 0 || usize::from(entry.dev()) >= MAX_DEVICES {
        return Err(DecodeError::Entry(r.entry));
    }
    if r.order > 9 {
        return Err(DecodeError::Order(r.order));
    }
    if has_run(kind) {
        let within = entry.off() % u64::from(CLUSTER_SLOTS) + u64::from(r.nr);
        if r.nr == 0 || within > u64::from(CLUSTER_SLOTS) {
            return Err(DecodeError::Run { nr: r.nr, off: entry.off() });
        }
    }
    Ok(Event {
        ts: r.ts,
        entry,
        arg: r.arg,
        val: r.val,
        tid: r.tid,
        nr: r.nr,
        memcg: r.memcg,
        cpu: r.cpu,
        flags: r.flags,
        kind,
        order: r.order,
    })
}

/// Kinds whose `entry` and `nr` name slots (the kernel never lets such a run leave its cluster).
pub const fn has_run(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Gap
            | Kind::AllocFail
            | Kind::SwapOn
            | Kind::SwapOff
            | Kind::ClusterMove
            | Kind::Isolate
            | Kind::AllocBegin
            | Kind::ScanBegin
            | Kind::ScanDevice
            | Kind::ScanCluster
            | Kind::ScanOwner
            | Kind::ScanEnd
            | Kind::SwapOffBegin
            | Kind::ScanCandidate
            | Kind::Shrink
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn alloc() -> Record {
        Record {
            ts: 7,
            entry: Entry::new(1, 512).0,
            nr: 4,
            order: 2,
            kind: Kind::Alloc as u8,
            ..Record::default()
        }
    }

    #[test]
    fn whole_record_decodes() {
        let e = decode_bytes(&alloc().to_bytes()).unwrap();
        assert_eq!((e.kind, e.entry.dev(), e.entry.off(), e.nr), (Kind::Alloc, 1, 512, 4));
    }

    #[test]
    fn kinds_without_a_run_need_none() {
        for kind in [
            Kind::AllocBegin,
            Kind::AllocFail,
            Kind::Isolate,
            Kind::ClusterMove,
            Kind::ScanCluster,
            Kind::SwapOn,
            Kind::Gap,
        ] {
            assert!(decode(&Record { kind: kind as u8, nr: 0, entry: 0, ..alloc() }).is_ok(), "{kind:?}");
        }
    }

    #[test]
    fn empty_short_and_long_are_named() {
        for n in [0, 1, 47, 49, 96] {
            assert_eq!(decode_bytes(&vec![2; n]), Err(DecodeError::Length(n)));
        }
    }

    #[test]
    fn what_no_kernel_writes_is_refused() {
        assert_eq!(decode(&Record { kind: 0, ..alloc() }), Err(DecodeError::Kind(0)));
        assert_eq!(decode(&Record { kind: 200, ..alloc() }), Err(DecodeError::Kind(200)));
        assert_eq!(decode(&Record { order: 10, ..alloc() }), Err(DecodeError::Order(10)));
        assert_eq!(decode(&Record { nr: 0, ..alloc() }), Err(DecodeError::Run { nr: 0, off: 512 }));
        assert_eq!(decode(&Record { nr: 513, ..alloc() }), Err(DecodeError::Run { nr: 513, off: 512 }));
        assert_eq!(decode(&Record { entry: 1 << 63, ..alloc() }), Err(DecodeError::Entry(1 << 63)));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_fail_and_runs_stay_in_their_cluster(bytes in prop::array::uniform32(any::<u8>()), tail in prop::array::uniform16(any::<u8>())) {
            let mut all = [0u8; RECORD_SIZE];
            all[..32].copy_from_slice(&bytes);
            all[32..].copy_from_slice(&tail);
            if let Ok(e) = decode_bytes(&all) && has_run(e.kind) {
                prop_assert!(e.nr >= 1);
                prop_assert_eq!(e.entry.off() / 512, (e.entry.off() + u64::from(e.nr) - 1) / 512);
            }
        }

        #[test]
        fn a_flipped_bit_never_panics(bit in 0usize..RECORD_SIZE * 8) {
            let mut b = alloc().to_bytes();
            b[bit / 8] ^= 1 << (bit % 8);
            let _ = decode_bytes(&b);
        }
    }
}

//! The ring of the generated machine: stamps every record as the hooks do and keeps them in order.

use super::rng::Rng;
use vswap_common::why::{RECLAIMER_SHIFT, Reclaimer};
use vswap_common::{Entry, Kind, Record};

/// Thread that reclaims for everybody.
pub(super) const KSWAPD: u32 = 71;
/// Threads of the cgroups' processes begin here.
pub(super) const PROCESSES: u32 = 1000;

/// Clock, running CPU and thread, and the records not yet taken.
pub(super) struct Ring {
    rng: Rng,
    clock: u64,
    cpu: u16,
    tid: u32,
    seq: Vec<u32>,
    out: Vec<Record>,
}

impl Ring {
    /// A ring of a machine with `cpus` CPUs at event time `start`, ns.
    pub(super) fn new(cpus: u16, start: u64, seed: u64) -> Self {
        Self { rng: Rng::new(seed), clock: start, cpu: 0, tid: 1, seq: vec![0; cpus.into()], out: Vec::new() }
    }

    /// Event time, ns.
    pub(super) const fn now(&self) -> u64 {
        self.clock
    }

    /// CPU that runs.
    pub(super) const fn cpu(&self) -> u16 {
        self.cpu
    }

    /// What follows happens on this CPU, in this thread, and not before `at`.
    pub(super) fn run(&mut self, cpu: u16, tid: u32, at: u64) {
        (self.cpu, self.tid, self.clock) = (cpu, tid, self.clock.max(at));
    }

    /// Lets time pass, about `typical` ns.
    pub(super) fn spend(&mut self, typical: u64) {
        self.clock += self.rng.duration(typical);
    }

    /// Stamps a record and puts it into the ring.
    pub(super) fn push(&mut self, record: Record) {
        self.clock += self.rng.between(150, 600);
        self.push_along(record);
    }

    /// The same for a record that comes with the one before: no time passes.
    pub(super) fn push_along(&mut self, record: Record) {
        let flags = record.flags | self.reclaimer(record.kind);
        let seq = &mut self.seq[usize::from(self.cpu)];
        self.out.push(Record { ts: self.clock, seq: *seq, tid: self.tid, cpu: self.cpu, flags, ..record });
        *seq = seq.wrapping_add(1);
    }

    /// Who reclaims, in the flags of a record that tells it: processes do when their cgroup is at its limit.
    fn reclaimer(&self, kind: u8) -> u16 {
        let tells = [
            Kind::Zero,
            Kind::WriteoutReject,
            Kind::ZswapStore,
            Kind::ZswapReject,
            Kind::Write,
            Kind::Shrink,
        ];
        if !tells.iter().any(|k| *k as u8 == kind) {
            return 0;
        }
        let who = match self.tid {
            KSWAPD => Reclaimer::Kswapd,
            tid if tid >= PROCESSES => Reclaimer::Memcg,
            _ => Reclaimer::Unknown,
        };
        (who as u16) << RECLAIMER_SHIFT
    }

    /// Records that nobody took yet.
    pub(super) fn waiting(&self) -> usize {
        self.out.len()
    }

    /// Takes all of them.
    pub(super) fn take(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.out)
    }
}

/// A record of nothing yet.
pub(super) fn draft(kind: Kind) -> Record {
    Record { kind: kind as u8, ..Record::default() }
}

/// A record about `nr` slots.
pub(super) fn about(kind: Kind, at: Entry, nr: u16, order: u8) -> Record {
    Record { entry: at.0, nr, order, ..draft(kind) }
}

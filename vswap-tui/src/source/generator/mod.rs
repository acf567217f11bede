//! A generated load: the records that the hooks of a Linux 7.3 machine would write, with the reference allocator in
//! the place of the kernel.
//!
//! ```text
//! load (what is wanted) -> sim (processes) -> kernel (model, zswap, steps to records) -> ring -> records
//!                           runs: what page tables hold          machine: devices, cgroups, header
//! ```
//!
//! Needs neither root nor eBPF. Deterministic: the same [`Spec`] gives the same records, on every machine.

mod kernel;
mod load;
mod machine;
mod paging;
mod ring;
mod rng;
mod runs;
mod sim;
mod swapoff;
mod zswap;

use super::{Batch, Polled, Source};
use crate::cli::Workload;
use crate::decode;
use crate::meta::{ClockPair, Header, Update};
use crate::model::Model;
use sim::Sim;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};
use vswap_common::Record;

/// Slots of a machine that nobody gave a size.
pub const USUAL_SLOTS: u64 = load::USUAL_SLOTS;
/// Slots there can be: 16 MiB to 64 GiB of swap.
pub const SLOTS: RangeInclusive<u64> = 4096..=16 << 20;
/// CPUs there can be.
pub const CPUS: RangeInclusive<u16> = 1..=256;
/// CPUs of a machine that nobody gave a number.
pub const USUAL_CPUS: u16 = 4;

/// Records of one poll, before the operation that crosses it is finished (at most a few thousand more).
const SLICE: usize = 16_384;
/// A paced poll waits at least this long, so that a demo makes batches and not single events.
const TICK: Duration = Duration::from_millis(20);
/// Event time between two looks at the files of the generated machine.
const NEWS_EVERY_NS: u64 = 1_000_000_000;
/// Behind by more than this (the process was stopped, the machine slept), event time no longer tries to catch up.
const MOST_BEHIND: Duration = Duration::from_secs(1);

/// What to generate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spec {
    /// Kind of load.
    pub workload: Workload,
    /// Same seed, same records.
    pub seed: u64,
    /// Slots of all swap devices, headers included; clamped to [`SLOTS`].
    pub slots: u64,
    /// CPUs; clamped to [`CPUS`].
    pub cpus: u16,
}

impl Spec {
    /// A workload on the usual machine.
    pub const fn new(workload: Workload, seed: u64) -> Self {
        Self { workload, seed, slots: USUAL_SLOTS, cpus: USUAL_CPUS }
    }
}

/// Source of generated events.
pub struct Generator {
    header: Header,
    sim: Sim,
    /// Event time at which devices and cgroups are told again.
    next_news: u64,
    pace: Option<Pace>,
}

/// Ties event time to the wall clock.
struct Pace {
    wall: Instant,
    event: u64,
}

impl Pace {
    /// Event time that belongs to this moment.
    fn now(&self) -> u64 {
        self.event.saturating_add(u64::try_from(self.wall.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Generator {
    /// A load in real time: event time runs with the wall clock, from the first poll on.
    pub fn new(workload: Workload, seed: u64) -> Self {
        let mut generator = Self::unpaced(workload, seed);
        generator.pace = Some(Pace { wall: Instant::now(), event: machine::START_NS });
        generator
    }

    /// A load as fast as the caller polls, for tests and benches. It never ends.
    pub fn unpaced(workload: Workload, seed: u64) -> Self {
        Self::of(Spec::new(workload, seed))
    }

    /// What `spec` says, as fast as the caller polls. It never ends.
    pub fn of(spec: Spec) -> Self {
        let slots = spec.slots.clamp(*SLOTS.start(), *SLOTS.end());
        let spec = Spec { slots, cpus: spec.cpus.clamp(*CPUS.start(), *CPUS.end()), ..spec };
        Self { header: machine::header(&spec), sim: Sim::new(&spec), next_news: 0, pace: None }
    }

    /// The next records, at least `n`, in ring order; for benches that want the wire form and no news.
    pub fn records(&mut self, n: usize) -> Vec<Record> {
        let mut all = Vec::new();
        while all.len() < n {
            let (_, mut records) = self.chunk(u64::MAX, n - all.len());
            if all.is_empty() {
                all = records;
            } else {
                all.append(&mut records);
            }
        }
        all
    }

    /// News, and the records that follow them: about `n`, fewer before more news.
    pub fn next(&mut self, n: usize) -> (Option<Update>, Vec<Record>) {
        self.chunk(u64::MAX, n)
    }

    fn chunk(&mut self, until: u64, n: usize) -> (Option<Update>, Vec<Record>) {
        let mut news = None;
        // News of a device come behind the record of its swapon.
        let due = self.sim.announce || self.sim.now() >= self.next_news;
        if due && self.sim.kernel.ring.waiting() == 0 {
            self.sim.announce = false;
            self.next_news = self.sim.now() + NEWS_EVERY_NS;
            news = Some(machine::news(&self.sim.kernel.model));
        }
        self.sim.run(until, n);
        (news, self.sim.kernel.ring.take())
    }

    /// The clocks of the generated machine.
    pub const fn clock(&self) -> ClockPair {
        machine::clock(self.sim.now())
    }

    /// The allocator after the last record, whole operations at a time.
    pub const fn model(&self) -> &Model {
        &self.sim.kernel.model
    }

    /// Requests of the generated load that the model refused as impossible: 0 unless the generator has lost track.
    pub const fn refused(&self) -> u64 {
        self.sim.kernel.refused()
    }

    /// Event time up to which records are wanted now.
    fn until(&mut self, timeout: Duration) -> u64 {
        let Some(pace) = &mut self.pace else { return u64::MAX };
        std::thread::sleep(timeout.min(TICK));
        if pace.now().saturating_sub(self.sim.now()) > MOST_BEHIND.as_nanos() as u64 {
            *pace = Pace { wall: Instant::now(), event: self.sim.now() };
        }
        pace.now()
    }
}

impl Source for Generator {
    fn header(&self) -> &Header {
        &self.header
    }

    fn poll(&mut self, batch: &mut Batch, timeout: Duration) -> anyhow::Result<Polled> {
        batch.clear();
        let until = self.until(timeout);
        let (news, records) = self.chunk(until, SLICE);
        batch.updates.extend(news);
        for record in records {
            match decode::decode(&record) {
                Ok(event) => batch.events.push(event),
                Err(_) => batch.undecodable += 1,
            }
        }
        Ok(Polled::More)
    }
}

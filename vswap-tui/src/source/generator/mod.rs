//! A generated load: records as the hooks would make them, from a small simulation of pages, zswap and devices.
//!
//! Needs neither root nor eBPF. Deterministic: the same workload and seed give the same events. It stands in for
//! the reference model as the driver of `vswap demo`, tests and benches; its allocator is not the kernel's.

mod device;
mod folios;
mod load;
mod rng;
mod sim;

use super::{Batch, Polled, Source};
use crate::cli::Workload;
use crate::decode;
use crate::meta::{ClockPair, Header, KernelInfo, Update};
use load::Load;
use sim::Sim;
use std::time::{Duration, Instant};
use vswap_common::Record;
use vswap_common::slot::CLUSTER_SLOTS;

/// Event time at the start: an hour after an imagined boot.
const START_NS: u64 = 3_600 * 1_000_000_000;
/// Records of one poll, before the operation that crosses it is finished (at most a few thousand more).
const SLICE: usize = 16_384;
/// A paced poll waits at least this long, so that a demo makes batches and not single events.
const TICK: Duration = Duration::from_millis(20);
/// Behind by more than this (the process was stopped, the machine slept), event time no longer tries to catch up.
const MOST_BEHIND: Duration = Duration::from_secs(1);

/// Source of generated events.
pub struct Generator {
    header: Header,
    sim: Sim,
    pace: Option<Pace>,
    told_devices: bool,
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
        generator.pace = Some(Pace { wall: Instant::now(), event: START_NS });
        generator
    }

    /// A load as fast as the caller polls, for tests and benches. It never ends.
    pub fn unpaced(workload: Workload, seed: u64) -> Self {
        let header = Header {
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            command: vec![format!("workload {workload:?}").to_lowercase(), format!("seed {seed}")],
            origin: "generator".to_owned(),
            kernel: KernelInfo {
                release: "vswap generator".to_owned(),
                machine: "generated".to_owned(),
                cpus: sim::cpus(),
                page_size: 4096,
                cluster_slots: CLUSTER_SLOTS,
            },
            layout_name: "generated".to_owned(),
            cgroups: sim::cgroups(),
            clock: ClockPair { monotonic_ns: START_NS, realtime_ns: 0 },
            from_swapon: true,
            ..Header::default()
        };
        Self { header, sim: Sim::new(Load::of(workload), seed, START_NS), pace: None, told_devices: false }
    }

    /// The next records, at least `n`, in ring order; for writers of traces and benches that want the wire form.
    pub fn records(&mut self, n: usize) -> Vec<Record> {
        std::mem::take(self.sim.run(u64::MAX, n))
    }
}

impl Source for Generator {
    fn header(&self) -> &Header {
        &self.header
    }

    fn poll(&mut self, batch: &mut Batch, timeout: Duration) -> anyhow::Result<Polled> {
        batch.clear();
        if !self.told_devices {
            self.told_devices = true;
            batch.updates.push(Update { devices: sim::devices(), ..Update::default() });
        }
        let until = match &mut self.pace {
            None => u64::MAX,
            Some(pace) => {
                std::thread::sleep(timeout.min(TICK));
                let now = pace.now();
                if now.saturating_sub(self.sim.now()) > MOST_BEHIND.as_nanos() as u64 {
                    *pace = Pace { wall: Instant::now(), event: self.sim.now() };
                }
                pace.now()
            }
        };
        for record in self.sim.run(until, SLICE).drain(..) {
            match decode::decode(&record) {
                Ok(event) => batch.events.push(event),
                Err(_) => batch.undecodable += 1,
            }
        }
        Ok(Polled::More)
    }
}

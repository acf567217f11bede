//! Draining the ring: raw bytes to records, gaps in sequence, news beside them.

use super::load::Tracer;
use crate::kernel::facts::clock_pair;
use crate::meta::{HookTotals, Trailer, Update};
use aya::programs::Program;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use vswap_common::Record;
use vswap_common::record::RECORD_SIZE;

/// Most records a call of [`Tracer::drain`] hands out.
const MAX_BATCH: usize = 65_536;
/// The programs wake the reader only when the ring fills up, so we look by ourselves this often.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Counters are read this often.
const NEWS_EVERY: Duration = Duration::from_secs(1);

/// What one call brought; reuse it so that no call allocates.
#[derive(Default, Debug)]
pub struct Drained {
    /// Records in ring order, gaps in sequence.
    pub records: Vec<Record>,
    /// Devices and cgroups that got a name, counters once a second.
    pub updates: Vec<Update>,
    next_news: Option<Instant>,
}

impl Tracer {
    /// Takes what is in the ring, waiting at most `timeout` for the first record.
    ///
    /// # Errors
    /// If waiting on the ring fails.
    pub fn drain(&mut self, out: &mut Drained, timeout: Duration) -> anyhow::Result<()> {
        out.records.clear();
        out.updates.clear();
        let deadline = Instant::now() + timeout;
        loop {
            self.take(&mut out.records);
            if !out.records.is_empty() {
                break;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let step = left.min(LOOK_EVERY);
            let spec = Timespec { tv_sec: 0, tv_nsec: step.subsec_nanos().into() };
            match poll(&mut [PollFd::new(&self.ring.as_fd(), PollFlags::IN)], Some(&spec)) {
                Ok(_) => {}
                // A signal: let the caller look at its flag.
                Err(rustix::io::Errno::INTR) => break,
                Err(e) => return Err(e.into()),
            }
        }
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
        self.tell(out);
        Ok(())
    }

    fn take(&mut self, records: &mut Vec<Record>) {
        while records.len() < MAX_BATCH {
            let Some(item) = self.ring.next() else { break };
            let Ok(bytes) = <&[u8; RECORD_SIZE]>::try_from(&*item) else { continue };
            let record = Record::from_bytes(bytes);
            drop(item);
            if let Some(gap) = self.gaps.before(&record) {
                records.push(gap);
            }
            self.news.look(&record);
            records.push(record);
        }
    }

    fn tell(&mut self, out: &mut Drained) {
        let cgroups = self.news.cgroups();
        let now = Instant::now();
        let hooks = if out.next_news.is_none_or(|at| now >= at) {
            out.next_news = Some(now + NEWS_EVERY);
            self.totals()
        } else {
            Vec::new()
        };
        let devices = self.news.devices();
        if !(cgroups.is_empty() && devices.is_empty() && hooks.is_empty()) {
            out.updates.push(Update { devices, cgroups, hooks });
        }
    }

    /// Counters by hook so far.
    pub fn totals(&self) -> Vec<HookTotals> {
        self.counters.totals(&self.ebpf)
    }

    /// Detaches every hook. Records already in the ring stay there: call [`Tracer::drain`] until it brings none.
    pub fn detach(&mut self) {
        for (_, program) in self.ebpf.programs_mut() {
            let links = match program {
                Program::FEntry(p) => p.unload(),
                Program::FExit(p) => p.unload(),
                Program::KProbe(p) => p.unload(),
                _ => Ok(()),
            };
            if let Err(e) = links {
                log::debug!("detach: {e}");
            }
        }
    }

    /// Ends the recording: detaches, takes the rest of the ring, and closes the books. The last drained batch holds
    /// the rest of the records and a gap for what was lost after the last record of its CPU.
    ///
    /// # Errors
    /// As [`Tracer::drain`].
    pub fn finish(
        &mut self,
        reason: &str,
        mut each: impl FnMut(&Drained) -> anyhow::Result<()>,
    ) -> anyhow::Result<Trailer> {
        self.news.hurry();
        // Recursion misses are told by the programs: read them while they are loaded.
        let mut hooks = self.totals();
        self.detach();
        let mut out = Drained::default();
        loop {
            self.drain(&mut out, Duration::ZERO)?;
            if out.records.is_empty() {
                break;
            }
            each(&out)?;
        }
        for (now, before) in self.totals().into_iter().zip(&mut hooks) {
            *before = HookTotals { recursion_misses: before.recursion_misses, ..now };
        }
        let clock = clock_pair();
        let lost: u64 = hooks.iter().map(HookTotals::missing).sum();
        out.records.extend(self.gaps.rest(lost, clock.monotonic_ns));
        out.updates.push(Update {
            devices: self.news.devices(),
            cgroups: self.news.cgroups(),
            hooks: hooks.clone(),
        });
        each(&out)?;
        Ok(Trailer { records: 0, lost, hooks, clock, reason: reason.to_owned() })
    }
}

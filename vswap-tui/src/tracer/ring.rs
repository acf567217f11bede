//! Draining the ring: raw bytes to records, gaps in sequence, news beside them.

use super::load::Tracer;
use crate::kernel::facts::clock_pair;
use crate::meta::{HookTotals, Trailer, Update};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use vswap_common::record::RECORD_SIZE;
use vswap_common::{Kind, Record};

/// Most records a call of [`Tracer::drain`] hands out.
const MAX_BATCH: usize = 65_536;
/// The programs wake the reader only when the ring fills up, so we look by ourselves this often.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Losses are looked at this often.
const NEWS_EVERY: Duration = Duration::from_secs(1);

/// Calls that the kernel skipped are looked at this often between turns of the scan.
const UNSEEN_EVERY: Duration = Duration::from_millis(250);

/// What one call brought; reuse it so that no call allocates.
#[derive(Default, Debug)]
pub struct Drained {
    /// Records in ring order, gaps in sequence.
    pub records: Vec<Record>,
    /// Devices and cgroups that got a name; counters when something was lost.
    pub updates: Vec<Update>,
    next_news: Option<Instant>,
    /// Loss at the last look at the counters.
    lost_then: u64,
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
            let more = self.scan_on(&mut out.records, MAX_BATCH / 2);
            let left = deadline.saturating_duration_since(Instant::now());
            if !out.records.is_empty() || left.is_zero() {
                break;
            }
            if more {
                continue;
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
        self.tell(out)
    }

    /// Takes what the batch has room for; true if it had room for all. A record that a program on another CPU has not
    /// finished yet hides those behind it.
    pub(super) fn take(&mut self, records: &mut Vec<Record>) -> bool {
        while records.len() < MAX_BATCH {
            let Some(item) = self.ring.next() else { return true };
            let Ok(bytes) = <&[u8; RECORD_SIZE]>::try_from(&*item) else { continue };
            let record = Record::from_bytes(bytes);
            drop(item);
            if let Some(gap) = self.gaps.before(&record) {
                records.push(gap);
            }
            self.scan_records += u64::from(Kind::from_u8(record.kind).is_some_and(Kind::of_scan));
            if record.ts > self.ends_at {
                continue;
            }
            self.news.look(&record);
            if let Some(scan) = &mut self.scan {
                scan.look(&record);
            }
            records.push(record);
        }
        false
    }

    fn tell(&mut self, out: &mut Drained) -> anyhow::Result<()> {
        let cgroups = self.news.cgroups();
        let now = Instant::now();
        let (mut hooks, mut usage) = (Vec::new(), Vec::new());
        let often = out.next_news.is_none_or(|at| now >= at);
        if often {
            out.next_news = Some(now + NEWS_EVERY);
            usage = self.news.usage();
        }
        // A scan makes certain what was lost before it: nobody may hear of that only afterwards.
        if often || std::mem::take(&mut self.books_due) {
            let lost = self.lost();
            if lost != out.lost_then {
                out.lost_then = lost;
                hooks = self.counters.totals(&self.ebpf);
            }
        }
        let devices = self.news.devices();
        if !(cgroups.is_empty() && devices.is_empty() && hooks.is_empty() && usage.is_empty()) {
            out.updates.push(Update { devices, cgroups, hooks, usage });
        }
        Ok(())
    }

    /// Records lost so far, also those that no later record of their CPU has told of.
    pub fn lost(&self) -> u64 {
        self.counters.given_up() + self.counters.unseen(&self.ebpf)
    }

    /// As [`Tracer::lost`], but what the kernel skipped is asked for only now and then: that reads a file for each
    /// program, far too much for every turn of a reader that has to keep up.
    pub(super) fn lost_lately(&mut self, now: Instant) -> u64 {
        let unseen = match self.unseen {
            Some((at, unseen)) if now.duration_since(at) < UNSEEN_EVERY => unseen,
            _ => {
                let unseen = self.counters.unseen(&self.ebpf);
                self.unseen = Some((now, unseen));
                unseen
            }
        };
        self.counters.given_up() + unseen
    }

    /// A file of the recording was closed: so many losses in all stand in the counters of such files without a gap.
    pub const fn settle(&mut self, elsewhere: u64) {
        self.gaps.settle(elsewhere);
    }

    /// The hooks' counters now.
    pub fn totals(&self) -> Vec<HookTotals> {
        self.counters.totals(&self.ebpf)
    }

    /// Detaches every hook. Records already in the ring stay there: call [`Tracer::drain`] until it brings none.
    ///
    /// Under load hooks go one by one while others still record: what they say from here on is no whole story, and left
    /// out. Those attached last go first, so that no entry misses an exit that is gone already.
    pub fn detach(&mut self) {
        self.ends_at = clock_pair().monotonic_ns;
        self.counters.close_links();
        while let Some(link) = self.links.pop() {
            drop(link);
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
        // What it did not read, nobody waits for.
        self.scan = None;
        self.detach();
        let mut out = Drained::default();
        loop {
            self.drain(&mut out, Duration::ZERO)?;
            if out.records.is_empty() {
                break;
            }
            each(&out)?;
        }
        let hooks = self.counters.totals(&self.ebpf);
        let clock = clock_pair();
        let lost: u64 = hooks.iter().map(HookTotals::missing).sum();
        out.records.extend(self.gaps.rest(lost, clock.monotonic_ns));
        out.updates.push(Update {
            devices: self.news.devices(),
            cgroups: self.news.cgroups(),
            hooks: hooks.clone(),
            usage: self.news.usage(),
        });
        each(&out)?;
        Ok(Trailer { records: 0, lost, hooks, clock, reason: reason.to_owned() })
    }
}

//! The scan of the kernel's tables, step by step: user space runs the scan program, the program tells what it reads
//! through the same ring as the hooks, and the ring is drained between steps. So a device of any size cannot fill it.
//!
//! ```text
//! settle -> Begin -> devices -> clusters -> slots of clusters in use -> owners -> slots in doubt again
//!                        |          |                 |                   ^              |
//!                        `----------+-- look() -------+-------------------'              v
//!                                  (what comes out of the ring)         End <- candidates <- lists
//! ```

mod rescan;
mod steps;
#[cfg(test)]
mod tests;

pub(super) use self::rescan::Rescan;
use self::steps::Step;
pub(super) use self::steps::{Purpose, Scan};
use super::load::Tracer;
use crate::kernel::facts::clock_pair;
use aya::Ebpf;
use aya::programs::{Program, RawTracePointRunOptions, TestRun};
use std::time::{Duration, Instant};
use vswap_common::scan::op;
use vswap_common::{Hook, Record};

/// Asks a CPU what it lost.
const LOST: Step = Step { op: op::LOST, a: 0, b: 0 };
/// Longest work in one go; the reader wants the hooks' records too.
const TURN: Duration = Duration::from_millis(5);

/// Until the next look at what another CPU's record hides.
const HIDDEN: Duration = Duration::from_micros(100);

/// What is over: how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanResult {
    /// Slots read.
    pub slots: u64,
    /// From the first step to the last.
    pub took: Duration,
    /// Slots whose place the tables do not tell.
    pub doubtful: u64,
    /// Why it did not read everything.
    pub failed: Option<String>,
}

impl Tracer {
    /// Begins to compare the kernel's tables with what was told of them, if this kernel allows it; the records carry
    /// `VERIFY`. The `look` is numbered from 0 within one comparison. [`Tracer::drain`] runs it.
    pub fn verify(&mut self, look: u32) {
        if self.can_scan().is_ok() {
            self.scan = Some(Scan::new(Instant::now(), Purpose::Verify(look), self.cpus));
        }
    }

    /// Compares now, and once more right after: under load one look alone may read between an event and the change it
    /// tells of.
    ///
    /// # Errors
    /// Why the tables cannot be read, or that they are being read already.
    pub fn verify_twice(&mut self) -> Result<(), String> {
        self.can_scan().map_err(str::to_owned)?;
        if self.scanning() {
            return Err("the kernel's tables are being read already".to_owned());
        }
        self.verify(0);
        self.once_more = true;
        Ok(())
    }

    /// Times the tables were read again after a loss.
    pub const fn rescans(&self) -> u64 {
        self.rescan.count()
    }

    /// Reads the tables again if records were lost and the reader keeps up again.
    fn rescan_if_lost(&mut self, now: Instant) {
        // Whoever had no reason to scan at the start has none for devices that came later: they are in use too.
        if self.scan.is_none() && self.no_scan.is_none() && self.links_open() {
            let lost = self.lost_lately(now);
            if self.rescan.begins(now, lost) {
                self.scan = Some(Scan::new(now, Purpose::Rescan, self.cpus));
            }
        }
    }

    /// Records were lost, and the tables will be read again when the reader keeps up.
    pub const fn rescan_due(&self) -> bool {
        self.rescan.due()
    }

    /// Tells what each CPU lost after its last record. What had come before is out of the ring but for
    /// what another CPU has not finished, whose record says itself what was lost until then.
    fn tell_losses(&mut self, records: &mut Vec<Record>) {
        let ts = clock_pair().monotonic_ns;
        for cpu in 0..u16::try_from(self.cpus).unwrap_or(u16::MAX) {
            // CPUs that are offline have nothing to say.
            if let Ok(lost) = run(&self.ebpf, LOST, 0, Some(cpu)) {
                records.extend(self.gaps.by_counter(cpu, lost, ts));
            }
        }
        self.books_due = true;
        self.unseen = None;
        let lost = self.lost_lately(Instant::now());
        self.rescan.knows(lost);
    }

    /// A scan runs.
    pub const fn scanning(&self) -> bool {
        self.scan.is_some()
    }

    /// How the last scan went; told once.
    pub fn scan_result(&mut self) -> Option<ScanResult> {
        self.scan_result.take()
    }

    /// Some of what the scan told is still in the ring, behind a record that another CPU has not finished.
    fn tells_hidden(&self) -> bool {
        self.counters.emitted(Hook::Scan) != self.scan_records
    }

    /// Works on the scan for a moment; what it tells is taken out of the ring at once. True if there is more to do
    /// without waiting.
    pub(super) fn scan_on(&mut self, records: &mut Vec<Record>, limit: usize) -> bool {
        self.rescan_if_lost(Instant::now());
        // Not the time the look for losses takes: a turn without a step would be asked for again at once, for ever.
        let begin = Instant::now();
        while records.len() < limit && self.scan.is_some() {
            let now = Instant::now();
            if now - begin > TURN {
                return true;
            }
            // What the last step told decides on the next one.
            if self.tells_hidden() {
                self.take(records);
            }
            let hidden = self.tells_hidden();
            let Some(scan) = &mut self.scan else { return false };
            if hidden && scan.waits(now) {
                std::thread::sleep(HIDDEN);
                return true;
            }
            let Some(step) = scan.next(now) else { return false };
            if step.op == op::BEGIN {
                scan.began = now;
                // What is certain from here on must not be put in doubt by a loss from before, nor be compared without
                // knowing of it.
                if !self.take(records) {
                    return true;
                }
                self.tell_losses(records);
            }
            let Some(scan) = &mut self.scan else { return false };
            let over = match run(&self.ebpf, step, scan.extra, None) {
                Ok(answer) => scan.done(step, answer),
                Err(why) => scan.give_up(&why, step.op),
            };
            if over {
                self.scan_result = Some(scan.result());
                self.scan = None;
                self.rescan.ended(Instant::now());
                if std::mem::take(&mut self.once_more) {
                    self.verify(1);
                }
            }
            self.take(records);
        }
        self.scan.is_some()
    }
}

/// Runs the program once, on `cpu` if that matters.
fn run(ebpf: &Ebpf, step: Step, extra: u16, cpu: Option<u16>) -> Result<u32, String> {
    let Some(Program::RawTracePoint(program)) = ebpf.program(Hook::Scan.program()) else {
        return Err("the eBPF object has no scan program: built from another version".to_owned());
    };
    let mut options = RawTracePointRunOptions::new();
    options.cpu = cpu.map(u32::from);
    options.args[..4].copy_from_slice(&[step.op, step.a, step.b, u64::from(extra)]);
    program.test_run(options).map(|r| r.return_value).map_err(|e| format!("cannot run the scan program: {e}"))
}

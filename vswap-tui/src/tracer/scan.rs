//! The scan of the kernel's tables, step by step: user space runs the scan program, the program tells what it reads
//! through the same ring as the hooks, and the ring is drained between steps. So a device of any size cannot fill it.
//!
//! ```text
//! settle -> Begin -> devices -> clusters -> slots of clusters in use -> owners -> slots in doubt again -> End
//!                        |          |                 |                   ^
//!                        `----------+-- look() -------+-------------------'   (what comes out of the ring)
//! ```

use super::load::Tracer;
use aya::Ebpf;
use aya::programs::{Program, RawTracePointRunOptions, TestRun};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use vswap_common::scan::{CHUNK, CLUSTERS_A_RUN, SLOTS_A_RUN, answer, op};
use vswap_common::slot::{CLUSTER_SLOTS, MAX_DEVICES};
use vswap_common::{Entry, Hook, Kind, Record, flags};

/// Between the last hook and the first read: whoever was inside a function under the cluster lock when its hook came
/// has left it by then.
const SETTLE: Duration = Duration::from_millis(20);
/// Between looks at slots whose folio was locked.
const AGAIN: Duration = Duration::from_millis(20);
/// Such looks: half a second, longer than a page stays locked on a machine that works.
const MAX_LOOKS: u32 = 25;
/// Longest work in one go; the reader wants the hooks' records too.
const TURN: Duration = Duration::from_millis(5);
/// Times in a row that the ring may be full before the scan gives up.
const MAX_FULL: u32 = 1000;

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

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Begin,
    Device(u8),
    Clusters,
    Slots,
    Owners,
    Again,
    End,
}

/// One command to the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Step {
    op: u64,
    a: u64,
    b: u64,
}

/// A running scan.
#[derive(Debug)]
pub(super) struct Scan {
    phase: Phase,
    /// Extra flags of the records.
    extra: u16,
    not_before: Instant,
    began: Instant,
    /// Devices found, by number, and the cluster to ask for next.
    devices: VecDeque<(u8, u64)>,
    /// Where to go on: the next slot of each cluster in use, or of each chunk to look at again.
    chunks: VecDeque<Entry>,
    /// The chunk of the first of them is read and is being told.
    read: bool,
    /// Chunks with a locked folio in them, to look at again.
    doubtful: Vec<Entry>,
    looks: u32,
    /// Slots of the present look that the tables did not tell the place of.
    unknown: u64,
    owners: Vec<bool>,
    unasked: VecDeque<u16>,
    slots: u64,
    full: u32,
    failed: Option<String>,
}

impl Scan {
    /// A scan that begins a moment after `now`; `verify` makes it one that only compares.
    pub(super) fn new(now: Instant, verify: bool) -> Self {
        Self {
            phase: Phase::Begin,
            extra: if verify { flags::VERIFY } else { 0 },
            not_before: now + SETTLE,
            began: now,
            devices: VecDeque::new(),
            chunks: VecDeque::new(),
            read: false,
            doubtful: Vec::new(),
            looks: 0,
            unknown: 0,
            owners: vec![false; usize::from(u16::MAX) + 1],
            unasked: VecDeque::new(),
            slots: 0,
            full: 0,
            failed: None,
        }
    }

    /// Notes a record of the scan that came out of the ring.
    #[inline]
    pub(super) fn look(&mut self, r: &Record) {
        if r.kind < Kind::ScanDevice as u8 {
            return;
        }
        let entry = Entry(r.entry);
        if r.kind == Kind::ScanDevice as u8 {
            self.devices.push_back((entry.dev(), 0));
        } else if r.kind == Kind::ScanCluster as u8 && r.nr > 0 {
            self.chunks.push_back(entry);
        } else if r.kind == Kind::ScanSlots as u8
            && r.flags & flags::MEMCG != 0
            && r.memcg != 0
            && !self.owners[usize::from(r.memcg)]
        {
            self.owners[usize::from(r.memcg)] = true;
            self.unasked.push_back(r.memcg);
        }
        if r.kind == Kind::ScanSlots as u8
            && vswap_common::place::place(r.arg) == vswap_common::place::UNKNOWN
        {
            self.unknown += u64::from(r.nr);
        }
    }

    /// What to do next; `None` to wait, or when everything is done.
    fn next(&mut self, now: Instant) -> Option<Step> {
        if now < self.not_before {
            return None;
        }
        loop {
            match self.phase {
                Phase::Begin => return Some(Step { op: op::BEGIN, a: 0, b: 0 }),
                Phase::Device(dev) if usize::from(dev) < MAX_DEVICES => {
                    return Some(Step { op: op::DEVICE, a: u64::from(dev), b: 0 });
                }
                Phase::Device(_) => self.phase = Phase::Clusters,
                // Slots in between, so that what is to be read later stays short.
                Phase::Clusters | Phase::Slots => {
                    if let Some(step) = self.slots() {
                        self.phase = Phase::Slots;
                        return Some(step);
                    }
                    self.phase = Phase::Clusters;
                    match self.devices.front() {
                        Some(&(dev, next)) => {
                            return Some(Step { op: op::CLUSTERS, a: u64::from(dev), b: next });
                        }
                        None => self.phase = Phase::Owners,
                    }
                }
                Phase::Owners => match self.unasked.front() {
                    Some(&id) => return Some(Step { op: op::OWNER, a: u64::from(id), b: 0 }),
                    None => self.phase = Phase::Again,
                },
                Phase::Again => {
                    if let Some(step) = self.slots() {
                        return Some(step);
                    }
                    if self.doubtful.is_empty() || self.looks >= MAX_LOOKS {
                        self.phase = Phase::End;
                        continue;
                    }
                    self.looks += 1;
                    self.unknown = 0;
                    self.chunks.extend(self.doubtful.drain(..));
                    self.not_before = now + AGAIN;
                    return None;
                }
                Phase::End => return Some(Step { op: op::END, a: self.slots, b: self.unknown }),
            }
        }
    }

    /// The next step in the first chunk of the queue.
    fn slots(&self) -> Option<Step> {
        let at = self.chunks.front()?;
        Some(match self.read {
            false => Step { op: op::READ, a: u64::from(at.dev()), b: at.off() },
            true => Step { op: op::TELL, a: at.off() % CHUNK, b: 0 },
        })
    }

    /// Takes in the program's answer; true when the scan is over.
    fn done(&mut self, step: Step, answer: u32) -> bool {
        let full = answer & answer::FULL != 0;
        let done = u64::from(answer & answer::DONE);
        self.full = if full { self.full + 1 } else { 0 };
        if self.full > MAX_FULL {
            return self.give_up("the ring stayed full: a larger --ring-size helps", step.op);
        }
        if answer & answer::FAULT != 0 {
            return self.give_up("a table of the kernel could not be read", step.op);
        }
        match step.op {
            op::BEGIN if !full => self.phase = Phase::Device(0),
            op::DEVICE if !full => self.phase = Phase::Device(step.a as u8 + 1),
            op::CLUSTERS => {
                let over = answer & answer::NONE != 0 || (!full && done < CLUSTERS_A_RUN);
                match self.devices.front_mut() {
                    Some(_) if over => drop(self.devices.pop_front()),
                    Some((_, next)) => *next += done,
                    None => {}
                }
            }
            // The device is gone, or ends inside the cluster.
            op::READ if answer & answer::NONE != 0 => drop(self.chunks.pop_front()),
            op::READ => self.read = true,
            op::TELL => self.advance(answer, done),
            op::OWNER if !full => drop(self.unasked.pop_front()),
            op::END if !full => return true,
            _ => {}
        }
        false
    }

    /// Moves on in the first chunk of the queue, and from it to the next one of its cluster.
    fn advance(&mut self, answer: u32, done: u64) {
        let Some(at) = self.chunks.pop_front() else { return };
        let chunk = Entry::new(at.dev(), at.off() - at.off() % CHUNK);
        if answer & answer::DOUBT != 0 && self.doubtful.last() != Some(&chunk) {
            self.doubtful.push(chunk);
        }
        let again = self.phase == Phase::Again;
        if !again {
            self.slots += done;
        }
        let next = at.add(done);
        // Fewer than asked for, and not for want of room: the device ends here.
        let over = answer & answer::FULL == 0 && done < SLOTS_A_RUN.min(CHUNK - at.off() % CHUNK);
        self.read = next.off() / CHUNK == at.off() / CHUNK && !over;
        let more = !again && next.off() / u64::from(CLUSTER_SLOTS) == at.off() / u64::from(CLUSTER_SLOTS);
        if self.read || (more && !over) {
            self.chunks.push_front(next);
        }
    }

    fn give_up(&mut self, why: &str, op: u64) -> bool {
        let over = self.phase == Phase::End;
        self.failed = Some(format!("{why} (step {op})"));
        self.phase = Phase::End;
        self.extra |= flags::FAILED;
        self.full = 0;
        over
    }

    fn result(&self) -> ScanResult {
        ScanResult {
            slots: self.slots,
            took: self.began.elapsed(),
            doubtful: self.unknown,
            failed: self.failed.clone(),
        }
    }
}

impl Tracer {
    /// Begins to compare the kernel's tables with what was told of them, if this kernel allows it; the records carry
    /// `VERIFY`. [`Tracer::drain`] runs it.
    pub fn verify(&mut self) {
        if self.can_scan().is_ok() {
            self.scan = Some(Scan::new(Instant::now(), true));
        }
    }

    /// A scan runs.
    pub const fn scanning(&self) -> bool {
        self.scan.is_some()
    }

    /// How the last scan went; told once.
    pub fn scan_result(&mut self) -> Option<ScanResult> {
        self.scan_result.take()
    }

    /// Works on the scan for a moment; what it tells is taken out of the ring at once. True if there is more to do
    /// without waiting.
    pub(super) fn scan_on(&mut self, records: &mut Vec<Record>, limit: usize) -> bool {
        let begin = Instant::now();
        while records.len() < limit {
            let now = Instant::now();
            if now - begin > TURN {
                return true;
            }
            let Some(scan) = &mut self.scan else { return false };
            let Some(step) = scan.next(now) else { return false };
            if step.op == op::BEGIN {
                scan.began = now;
            }
            let over = match run(&self.ebpf, step, scan.extra) {
                Ok(answer) => scan.done(step, answer),
                Err(why) => scan.give_up(&why, step.op),
            };
            if over {
                self.scan_result = Some(scan.result());
                self.scan = None;
            }
            self.take(records);
        }
        true
    }
}

/// Runs the program once.
fn run(ebpf: &Ebpf, step: Step, extra: u16) -> Result<u32, String> {
    let Some(Program::RawTracePoint(program)) = ebpf.program(Hook::Scan.program()) else {
        return Err("the eBPF object has no scan program: built from another version".to_owned());
    };
    let mut options = RawTracePointRunOptions::new();
    options.args[..4].copy_from_slice(&[step.op, step.a, step.b, u64::from(extra)]);
    program.test_run(options).map(|r| r.return_value).map_err(|e| format!("cannot run the scan program: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a scan against a machine of one device of `clusters` clusters of which `used` are in use.
    fn drive(
        clusters: u64,
        used: &[u64],
        mut answer_slots: impl FnMut(u64) -> u32,
    ) -> (Vec<Step>, ScanResult) {
        let mut base = 0;
        let mut scan = Scan::new(Instant::now(), false);
        let (mut steps, mut now) = (Vec::new(), Instant::now() + SETTLE);
        let tell = |scan: &mut Scan, kind: Kind, off: u64, nr: u16| {
            let record = Record { kind: kind as u8, entry: Entry::new(3, off).0, nr, ..Record::default() };
            scan.look(&Record { memcg: 5, flags: flags::MEMCG, ..record });
        };
        for _ in 0..100_000 {
            let Some(step) = scan.next(now) else {
                now += AGAIN;
                continue;
            };
            steps.push(step);
            let answer = match step.op {
                op::DEVICE if step.a == 3 => {
                    tell(&mut scan, Kind::ScanDevice, clusters * 512, 0);
                    1
                }
                op::DEVICE => answer::NONE,
                op::CLUSTERS => {
                    let told = CLUSTERS_A_RUN.min(clusters - step.b);
                    for i in step.b..step.b + told {
                        tell(&mut scan, Kind::ScanCluster, i * 512, if used.contains(&i) { 512 } else { 0 });
                    }
                    if told == 0 { answer::NONE } else { told as u32 }
                }
                op::READ if step.b >= clusters * 512 - 32 => answer::NONE,
                op::READ => {
                    base = step.b - step.b % 64;
                    64
                }
                op::TELL => {
                    tell(&mut scan, Kind::ScanSlots, base + step.a, 1);
                    answer_slots(base + step.a)
                }
                _ => 1,
            };
            if scan.done(step, answer) {
                return (steps, scan.result());
            }
        }
        panic!("the scan does not end");
    }

    fn asked(steps: &[Step], op: u64) -> Vec<u64> {
        steps.iter().filter(|s| s.op == op).map(|s| s.b).collect()
    }

    #[test]
    fn every_slot_of_every_cluster_in_use_is_read_once() {
        let (steps, result) = drive(33, &[0, 31], |_| 16);
        assert_eq!(asked(&steps, op::CLUSTERS), [0, 16, 32]);
        let want: Vec<u64> = (0..8).map(|i| i * 64).chain((0..8).map(|i| 31 * 512 + i * 64)).collect();
        assert_eq!(asked(&steps, op::READ), want);
        let told: Vec<u64> = steps.iter().filter(|s| s.op == op::TELL).map(|s| s.a).collect();
        assert_eq!(told, [0, 16, 32, 48].repeat(16));
        assert_eq!((result.slots, result.failed), (1024, None));
        let owners: Vec<u64> = steps.iter().filter(|s| s.op == op::OWNER).map(|s| s.a).collect();
        assert_eq!(owners, [5], "each cgroup is asked for once");
        assert_eq!((steps[0].op, steps[steps.len() - 1].op), (op::BEGIN, op::END));
    }

    #[test]
    fn a_device_may_end_inside_a_chunk() {
        let (steps, result) = drive(1, &[0], |off| if off == 448 { 7 } else { 16 });
        assert_eq!((result.slots, asked(&steps, op::READ).len()), (448 + 7, 8));
    }

    #[test]
    fn a_full_ring_is_asked_for_the_rest() {
        let mut first = true;
        let (steps, result) =
            drive(1, &[0], |_| if std::mem::take(&mut first) { 10 | answer::FULL } else { 16 });
        let told: Vec<u64> = steps.iter().filter(|s| s.op == op::TELL).map(|s| s.a).collect();
        assert_eq!(told[..4], [0, 10, 26, 42]);
        assert!(result.failed.is_none());
    }

    #[test]
    fn locked_folios_are_looked_at_again_and_not_for_ever() {
        let mut looks = 0;
        let (steps, _) = drive(1, &[0], |off| {
            looks += u32::from(off == 128);
            if off == 128 && looks < 4 { 16 | answer::DOUBT } else { 16 }
        });
        assert_eq!(asked(&steps, op::READ)[8..], [128, 128, 128]);
        let (steps, result) = drive(1, &[0], |_| 16 | answer::DOUBT);
        assert_eq!(asked(&steps, op::READ).len(), 8 + 8 * MAX_LOOKS as usize);
        assert!(result.failed.is_none());
    }

    #[test]
    fn what_cannot_be_read_ends_the_scan_and_says_so() {
        let (steps, result) = drive(4, &[0, 1], |off| if off == 64 { answer::FAULT } else { 16 });
        assert!(result.failed.unwrap().contains("could not be read"));
        assert_eq!(steps.last().unwrap().op, op::END);
        let (_, result) = drive(4, &[0, 1], |_| answer::FULL);
        assert!(result.failed.unwrap().contains("--ring-size"));
    }
}

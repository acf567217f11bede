//! What to ask the program next: a pure state machine, driven by its answers and by the records it told.

use super::ScanResult;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use vswap_common::scan::{CHUNK, CLUSTERS_A_RUN, SLOTS_A_RUN, answer, op};
use vswap_common::slot::{CLUSTER_SLOTS, MAX_DEVICES};
use vswap_common::{Entry, Kind, Record, flags};

/// Between the last hook and the first read: whoever was inside a function under the cluster lock when its hook came
/// has left it by then.
pub(super) const SETTLE: Duration = Duration::from_millis(20);
/// Between looks at slots whose folio was locked.
pub(super) const AGAIN: Duration = Duration::from_millis(20);
/// Such looks: half a second, longer than a page stays locked on a machine that works.
pub(super) const MAX_LOOKS: u32 = 25;
/// Longest wait for what the program told and a record of another CPU hides: that CPU is at it.
const MAX_HIDDEN: Duration = Duration::from_secs(10);
/// Times in a row that the ring may be full before the scan gives up.
const MAX_FULL: u32 = 1000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Begin,
    Device(u8),
    Clusters,
    Slots,
    Owners,
    Again,
    Lists,
    Candidates(u64),
    End,
}

/// One command to the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Step {
    pub(super) op: u64,
    pub(super) a: u64,
    pub(super) b: u64,
}

/// What a scan is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tracer) enum Purpose {
    /// To know what was there before the hooks came.
    Start,
    /// To know again, after a loss.
    Rescan,
    /// To compare: this look of one comparison.
    Verify(u32),
}

/// A running scan.
#[derive(Debug)]
pub(in crate::tracer) struct Scan {
    phase: Phase,
    purpose: Purpose,
    /// Extra flags of the records.
    pub(super) extra: u16,
    not_before: Instant,
    pub(super) began: Instant,
    /// Devices found, by number, and the cluster to ask for next.
    devices: VecDeque<(u8, u64)>,
    /// Those of them that are done.
    seen: Vec<u8>,
    /// CPUs that the machine can have.
    cpus: u64,
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
    /// Since when what the last step told is hidden.
    hidden: Option<Instant>,
    failed: Option<String>,
}

impl Scan {
    /// A scan that begins a moment after `now`; `cpus`: how many the machine can have.
    pub(in crate::tracer) fn new(now: Instant, purpose: Purpose, cpus: u64) -> Self {
        Self {
            phase: Phase::Begin,
            purpose,
            extra: if matches!(purpose, Purpose::Verify(_)) { flags::VERIFY } else { 0 },
            not_before: now + SETTLE,
            began: now,
            devices: VecDeque::new(),
            seen: Vec::new(),
            cpus,
            chunks: VecDeque::new(),
            read: false,
            doubtful: Vec::new(),
            looks: 0,
            unknown: 0,
            owners: vec![false; usize::from(u16::MAX) + 1],
            unasked: VecDeque::new(),
            slots: 0,
            full: 0,
            hidden: None,
            failed: None,
        }
    }

    /// Notes a record of the scan that came out of the ring.
    #[inline]
    pub(in crate::tracer) fn look(&mut self, r: &Record) {
        if r.kind < Kind::ScanDevice as u8 {
            return;
        }
        let entry = Entry(r.entry);
        if r.kind == Kind::ScanDevice as u8 {
            self.devices.push_back((entry.dev(), 0));
        } else if r.kind == Kind::ScanCluster as u8 && r.nr > 0 && self.phase != Phase::Lists {
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

    /// What the last step told is not out of the ring yet: true if the scan waits for it. It gives up when that takes too
    /// long, and goes to its end.
    pub(super) fn waits(&mut self, now: Instant) -> bool {
        let since = *self.hidden.get_or_insert(now);
        if self.failed.is_none() && now - since > MAX_HIDDEN {
            self.give_up("what it told does not come out of the ring", 0);
        }
        self.failed.is_none()
    }

    const fn verifies(&self) -> bool {
        matches!(self.purpose, Purpose::Verify(_))
    }

    /// What to do next; `None` to wait, or when everything is done.
    pub(super) fn next(&mut self, now: Instant) -> Option<Step> {
        self.hidden = None;
        if now < self.not_before {
            return None;
        }
        loop {
            match self.phase {
                Phase::Begin => {
                    let (a, b) = match self.purpose {
                        Purpose::Start => (0, 0),
                        Purpose::Rescan => (0, 1),
                        Purpose::Verify(look) => (u64::from(look) + 1, 0),
                    };
                    return Some(Step { op: op::BEGIN, a, b });
                }
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
                        // Who only compares has no use for what the allocator does next.
                        self.phase = if self.verifies() { Phase::End } else { Phase::Lists };
                        self.devices.extend(self.seen.drain(..).map(|dev| (dev, 0)));
                        continue;
                    }
                    self.looks += 1;
                    self.unknown = 0;
                    self.chunks.extend(self.doubtful.drain(..));
                    self.not_before = now + AGAIN;
                    return None;
                }
                // All in a row: the order of a list is one only if nothing happens meanwhile.
                Phase::Lists => match self.devices.front() {
                    Some(&(dev, next)) => {
                        return Some(Step { op: op::CLUSTERS, a: u64::from(dev), b: next });
                    }
                    None => self.phase = Phase::Candidates(0),
                },
                Phase::Candidates(n) => {
                    // CPUs first, then what devices have for all of them.
                    if n < self.cpus {
                        return Some(Step { op: op::CANDIDATES, a: n, b: 0 });
                    }
                    match self.seen.get((n - self.cpus) as usize) {
                        Some(&dev) => return Some(Step { op: op::CANDIDATES, a: u64::from(dev), b: 1 }),
                        None => self.phase = Phase::End,
                    }
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
    pub(super) fn done(&mut self, step: Step, answer: u32) -> bool {
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
                    Some(_) if over => self.seen.extend(self.devices.pop_front().map(|(dev, _)| dev)),
                    Some((_, next)) => *next += done,
                    None => {}
                }
            }
            // The device is gone, or ends inside the cluster.
            op::READ if answer & answer::NONE != 0 => drop(self.chunks.pop_front()),
            op::READ => self.read = true,
            op::TELL => self.advance(answer, done),
            op::CANDIDATES if !full => {
                if let Phase::Candidates(n) = &mut self.phase {
                    *n += 1;
                }
            }
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

    pub(super) fn give_up(&mut self, why: &str, op: u64) -> bool {
        let over = self.phase == Phase::End;
        self.failed = Some(format!("{why} (step {op})"));
        self.phase = Phase::End;
        self.extra |= flags::FAILED;
        self.full = 0;
        over
    }

    pub(super) fn result(&self) -> ScanResult {
        ScanResult {
            slots: self.slots,
            took: self.began.elapsed(),
            doubtful: self.unknown,
            failed: self.failed.clone(),
        }
    }
}

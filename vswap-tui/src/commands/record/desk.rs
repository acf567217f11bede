//! The recording on a thread of its own, so that nothing it does holds up the drain of the kernel's ring: a key frame
//! or the opening of the next file with millions of slots takes seconds, and the default ring lasts for one at 300,000
//! records a second.
//!
//! ```text
//! ring -> Tracer -> Desk -- jobs in order, bounded --> Recording (slot map, files)
//! ```
//!
//! When the backlog is full the drain waits, the ring fills, and what is lost is counted there.

use super::recording::Recording;
use crate::memory;
use crate::meta::Update;
use crate::recorder::{BACKLOG, Written};
use crate::tracer::Drained;
use anyhow::Context;
use std::collections::VecDeque;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use vswap_common::Record;

/// Records of a job: more waits with the next one.
const BATCH: usize = 65_536;

type Task = Box<dyn FnOnce(&mut Recording) -> anyhow::Result<()> + Send>;

enum Job {
    /// News, and the records that follow them.
    Take(Vec<Update>, Vec<Record>),
    /// Anything else, in its place.
    Do(Task),
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Records of all jobs that are not done.
    records: usize,
    /// No more jobs will come.
    closed: bool,
    /// Nobody does jobs any more.
    gone: bool,
    status: Status,
    /// What it wants was given, or is on the way.
    asked: bool,
}

/// What the recording says of itself after each job.
#[derive(Clone, Debug, Default)]
pub(super) struct Status {
    /// Written so far.
    pub(super) written: Written,
    /// The other end of the stream is closed.
    pub(super) reader_gone: bool,
    /// Losses without a gap in files that are closed.
    pub(super) elsewhere: u64,
    /// The counters of the hooks are wanted, for a file that is to be closed for this reason.
    wants: Option<String>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells those who wait, however the thread ends.
struct Leaving<'a>(&'a Shared);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.gone = true;
        queue.jobs.clear();
        self.0.changed.notify_all();
    }
}

/// Hands jobs to the recording.
pub(super) struct Desk {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
    most: usize,
}

impl Desk {
    /// Starts the thread; privileges must be given up before.
    pub(super) fn open(recording: Recording) -> anyhow::Result<Self> {
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("recording".into())
            .spawn(move || work(recording, &theirs))
            .context("start the thread that writes the recording")?;
        let quarter = memory::process().left() / 4 / size_of::<Record>() as u64;
        let most = BACKLOG.min(usize::try_from(quarter).unwrap_or(BACKLOG)).max(BATCH);
        Ok(Self { shared, thread: Some(thread), most })
    }

    /// News and records, in this order; waits while too many wait already.
    pub(super) fn take(&mut self, drained: &Drained) -> anyhow::Result<()> {
        let mut queue = self.shared.lock();
        while queue.records >= self.most && !queue.gone {
            queue = self.shared.wait(queue);
        }
        if queue.gone {
            drop(queue);
            return self.why();
        }
        queue.records += drained.records.len();
        match queue.jobs.back_mut() {
            Some(Job::Take(_, records)) if drained.updates.is_empty() && records.len() < BATCH => {
                records.extend_from_slice(&drained.records);
            }
            _ => queue.jobs.push_back(Job::Take(drained.updates.clone(), drained.records.clone())),
        }
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Something else to be done after all that was handed over before.
    pub(super) fn tell(
        &mut self,
        task: impl FnOnce(&mut Recording) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let mut queue = self.shared.lock();
        if queue.gone {
            drop(queue);
            return self.why();
        }
        queue.jobs.push_back(Job::Do(Box::new(task)));
        self.shared.changed.notify_all();
        Ok(())
    }

    /// As [`Desk::tell`], and waits for the answer.
    pub(super) fn ask<T: Send + 'static>(
        &mut self,
        task: impl FnOnce(&mut Recording) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let (answer, answered) = sync_channel(1);
        self.tell(move |recording| {
            let value = task(recording)?;
            // Whoever asked waits for nothing else.
            let _ = answer.send(value);
            Ok(())
        })?;
        match answered.recv() {
            Ok(value) => Ok(value),
            Err(_) => match self.why() {
                Err(why) => Err(why),
                Ok(()) => anyhow::bail!("the recording ended early"),
            },
        }
    }

    /// What the recording said last.
    pub(super) fn status(&self) -> Status {
        self.shared.lock().status.clone()
    }

    /// The reason for which it wants the counters of the hooks, told once for each time.
    pub(super) fn wanted(&self) -> Option<String> {
        let mut queue = self.shared.lock();
        if queue.asked {
            return None;
        }
        let why = queue.status.wants.clone();
        queue.asked = why.is_some();
        why
    }

    /// What was asked for with [`Desk::wanted`] is there.
    pub(super) fn give(
        &mut self,
        task: impl FnOnce(&mut Recording) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let shared = Arc::clone(&self.shared);
        self.tell(move |recording| {
            let done = task(recording);
            let mut queue = shared.lock();
            (queue.asked, queue.status.wants) = (false, None);
            done
        })
    }

    /// Why the thread ended before it was told to.
    fn why(&mut self) -> anyhow::Result<()> {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result.and_then(|()| anyhow::bail!("the recording ended early")),
            Some(Err(_)) => anyhow::bail!("the thread that writes the recording died"),
            None => anyhow::bail!("the recording has ended"),
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // Its result was asked for, or nobody wants it any more.
            let _ = thread.join();
        }
    }
}

fn work(mut recording: Recording, shared: &Shared) -> anyhow::Result<()> {
    let leaving = Leaving(shared);
    loop {
        let mut queue = shared.lock();
        let job = loop {
            if let Some(job) = queue.jobs.pop_front() {
                break job;
            }
            if queue.closed {
                drop(queue);
                drop(leaving);
                return Ok(());
            }
            queue = shared.wait(queue);
        };
        drop(queue);
        let records = match job {
            Job::Take(updates, records) => {
                recording.take(&updates, &records)?;
                records.len()
            }
            Job::Do(task) => {
                task(&mut recording)?;
                0
            }
        };
        let status = Status {
            written: recording.written(),
            reader_gone: recording.reader_gone,
            elsewhere: recording.elsewhere,
            wants: recording.wants(),
        };
        let mut queue = shared.lock();
        queue.records -= records;
        queue.status = status;
        shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command, RecordArgs};
    use crate::meta::{Header, Trailer};
    use clap::Parser;
    use std::path::Path;
    use std::time::{Duration, Instant};
    use vswap_common::Kind;

    fn args(path: &Path) -> RecordArgs {
        let cli = Cli::try_parse_from(["vswap", "record", "--force", "-o", path.to_str().unwrap()]).unwrap();
        let Some(Command::Record(args)) = cli.command else { panic!("that is a record command") };
        args
    }

    fn some(n: usize) -> Drained {
        let record = Record { kind: Kind::Alloc as u8, nr: 1, ts: 1, ..Record::default() };
        let mut drained = Drained::default();
        drained.records.resize(n, record);
        drained
    }

    fn held_up(desk: &mut Desk) -> std::sync::mpsc::SyncSender<()> {
        let (go_on, wait) = sync_channel(1);
        desk.tell(move |_| Ok(wait.recv()?)).unwrap();
        go_on
    }

    #[test]
    fn the_drain_goes_on_while_the_recording_is_held_up() {
        let dir = tempfile::tempdir().unwrap();
        let args = args(&dir.path().join("t.vswap"));
        let mut desk = Desk::open(Recording::begin(&args, &Header::default()).unwrap()).unwrap();
        let go_on = held_up(&mut desk);
        for _ in 0..100 {
            desk.take(&some(10_000)).unwrap();
        }
        assert_eq!(desk.shared.lock().records, 1_000_000);
        go_on.send(()).unwrap();
        let written = desk.ask(|r| r.finish(&Trailer::default())).unwrap();
        assert_eq!((written.records, desk.shared.lock().records), (1_000_000, 0));
    }

    #[test]
    fn a_full_backlog_makes_the_drain_wait_and_no_longer_than_needed() {
        let dir = tempfile::tempdir().unwrap();
        let args = args(&dir.path().join("t.vswap"));
        let mut desk = Desk::open(Recording::begin(&args, &Header::default()).unwrap()).unwrap();
        desk.most = 50_000;
        let go_on = held_up(&mut desk);
        (0..5).for_each(|_| desk.take(&some(10_000)).unwrap());
        let shared = Arc::clone(&desk.shared);
        let waiting = thread::spawn(move || {
            desk.take(&some(1)).unwrap();
            desk.ask(|r| r.finish(&Trailer::default())).unwrap()
        });
        thread::sleep(Duration::from_millis(100));
        assert_eq!(shared.lock().records, 50_000, "it waits");
        go_on.send(()).unwrap();
        assert_eq!(waiting.join().unwrap().records, 50_001);
    }

    #[test]
    fn a_failed_write_is_told_to_whoever_comes_next() {
        let mut begun = args(Path::new("/dev/null"));
        begun.output = "-".into();
        let mut desk = Desk::open(Recording::begin(&begun, &Header::default()).unwrap()).unwrap();
        desk.tell(|_| anyhow::bail!("no space")).unwrap();
        let begin = Instant::now();
        let why = loop {
            if let Err(why) = desk.take(&some(1)) {
                break why;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "nobody is told");
        };
        assert_eq!(why.to_string(), "no space");
    }
}

//! Where the bytes of a recording go, and when they are forced to the disk.
//!
//! A sync may take seconds on a busy disk, and the ring fills meanwhile: a thread of its own does it. One that is still
//! at it when the next is due is left alone.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

/// When bytes are forced to the disk. What the operating system has survives a killed recorder in any case; this is
/// about power cuts and crashes of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sync {
    /// Whenever the operating system likes
    None,
    /// When a file is closed
    Close,
    /// After each flush too
    Flush,
}

/// A file, a pipe or a terminal, and the thread that syncs it.
pub struct Sink {
    file: File,
    sync: Sync,
    written: u64,
    syncer: Option<Syncer>,
}

struct Syncer {
    ask: SyncSender<()>,
    failed: Receiver<io::Error>,
    thread: JoinHandle<()>,
}

impl Sink {
    /// A file with this policy. What is no regular file is never synced.
    ///
    /// # Errors
    /// If the file cannot be looked at.
    pub fn new(file: File, sync: Sync) -> io::Result<Self> {
        let sync = if file.metadata()?.is_file() { sync } else { Sync::None };
        Ok(Self { file, sync, written: 0, syncer: None })
    }

    /// Asks for what was written to be on the disk soon, if the policy says so.
    ///
    /// # Errors
    /// If an earlier one failed, or the thread cannot be made: it is started by the first, when privileges are gone.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.sync == Sync::Flush && self.syncer.is_none() {
            self.syncer = Some(Syncer::start(self.file.try_clone()?)?);
        }
        let Some(syncer) = &self.syncer else { return Ok(()) };
        if let Ok(err) = syncer.failed.try_recv() {
            return Err(err);
        }
        match syncer.ask.try_send(()) {
            Ok(()) | Err(TrySendError::Full(())) => Ok(()),
            Err(TrySendError::Disconnected(())) => {
                Err(io::Error::other("the thread that syncs the trace died"))
            }
        }
    }

    /// Bytes written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Closes it, on the disk if the policy says so.
    ///
    /// # Errors
    /// If flushing or syncing fails.
    pub fn close(mut self) -> io::Result<()> {
        self.file.flush()?;
        if let Some(syncer) = self.syncer.take() {
            drop(syncer.ask);
            // It has nothing to say but what `failed` holds.
            let _ = syncer.thread.join();
            if let Ok(err) = syncer.failed.try_recv() {
                return Err(err);
            }
        }
        if self.sync == Sync::None { Ok(()) } else { self.file.sync_all() }
    }
}

impl Syncer {
    fn start(file: File) -> io::Result<Self> {
        let (ask, asked) = sync_channel::<()>(1);
        let (fail, failed) = sync_channel(1);
        let thread = thread::Builder::new().name("sync".into()).spawn(move || {
            while asked.recv().is_ok() {
                if let Err(err) = file.sync_data() {
                    // One that was not asked for yet is news enough.
                    let _ = fail.try_send(err);
                }
            }
        })?;
        Ok(Self { ask, failed, thread })
    }
}

impl Write for Sink {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.file.write(buf)?;
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

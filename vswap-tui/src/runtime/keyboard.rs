//! Waiting for keys on the terminal - and noticing that the terminal is gone.
//!
//! crossterm reads from standard input if that is a terminal, else from the controlling one. When it is hung up
//! (a closed window, a dropped connection) its poll never returns, so we wait on the same terminal ourselves.

use crossterm::event;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// crossterm does not even look at the terminal when it may not wait at all.
const LOOK: Duration = Duration::from_millis(1);

/// What waiting brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ready {
    /// crossterm has something to read.
    Keys,
    /// The time is over, or a signal came.
    Nothing,
    /// The terminal is gone.
    Gone,
}

/// The terminal that keys come from.
pub(super) struct Keyboard {
    tty: OwnedFd,
}

impl Keyboard {
    /// Finds the terminal crossterm will read from.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn open() -> io::Result<Self> {
        let stdin = io::stdin();
        let tty = if stdin.is_terminal() {
            stdin.as_fd().try_clone_to_owned()?
        } else {
            File::open("/dev/tty")?.into()
        };
        Ok(Self { tty })
    }

    /// crossterm has an event for us, which its `read` then gives without waiting.
    ///
    /// # Errors
    /// If the terminal cannot be read.
    pub(super) fn pending() -> io::Result<bool> {
        event::poll(LOOK)
    }

    /// Waits for a key.
    ///
    /// # Errors
    /// If the terminal cannot be waited for.
    pub(super) fn wait(&self, timeout: Duration) -> io::Result<Ready> {
        let spec = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
        let mut fds = [PollFd::new(&self.tty, PollFlags::IN)];
        match poll(&mut fds, Some(&spec)) {
            Err(rustix::io::Errno::INTR) => return Ok(Ready::Nothing),
            other => other?,
        };
        let events = fds[0].revents();
        Ok(if events.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            Ready::Gone
        } else if events.contains(PollFlags::IN) {
            Ready::Keys
        } else {
            Ready::Nothing
        })
    }
}

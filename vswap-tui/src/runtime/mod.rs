//! Threads, and what runs between them.
//!
//! ```text
//! pump thread                                   main thread
//! Source -> Collector -> Frame --> Mailbox ---> update(&mut App) -> draw
//!    ^                             (newest only)     |
//!    '------- Control (bounded) ---------------------'
//! ```
//!
//! The pump never waits for the screen: a frame nobody took is replaced. The screen never waits for the pump: it
//! draws what the mailbox holds. So a slow terminal cannot fill the kernel's ring.

pub mod dashboard;
pub mod headless;
mod keyboard;
mod mailbox;
pub mod pace;
pub mod pump;

use crate::exit::Exit;
use crate::snapshot::Snapshot;
use std::sync::Arc;

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The last state.
    pub snapshot: Arc<Snapshot>,
    /// How the input ended; `None` if it was left before its end.
    pub end: Option<crate::app::End>,
}

impl Outcome {
    /// The exit code: a damaged input before lost events, because it may hide more of them.
    pub fn exit(&self) -> Exit {
        if self.end.as_ref().is_some_and(|e| !e.clean) {
            Exit::Damaged
        } else if self.snapshot.losses.lost > 0 {
            Exit::Lost
        } else {
            Exit::Ok
        }
    }
}

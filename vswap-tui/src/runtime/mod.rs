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
pub mod exposition;
mod goal;
pub mod headless;
mod keyboard;
mod mailbox;
pub mod pace;
pub mod pump;
mod save;
pub mod totals;
mod vitals;

use crate::app::End;
use crate::check::BesideView;
use crate::exit::Exit;
use crate::meta::Trailer;
use crate::snapshot::Snapshot;
use std::sync::Arc;

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The last state.
    pub snapshot: Arc<Snapshot>,
    /// The model beside it, where one ran.
    pub beside: Option<Arc<BesideView>>,
    /// How the input ended; `None` if it was left before its end.
    pub end: Option<End>,
    /// Last words of the recorder, if the input came to them.
    pub trailer: Option<Trailer>,
}

impl Outcome {
    /// Where and why the input is not whole, in words.
    pub fn damage(&self) -> Option<String> {
        self.end.as_ref().filter(|e| !e.clean).map(End::words)
    }

    /// The model, if one ran, or the history of the slots speaks against the kernel.
    pub fn diverged(&self) -> bool {
        let agreement = self.beside.as_ref().and_then(|b| b.agreement.as_ref());
        agreement.is_some_and(|a| a.diverged() || self.snapshot.findings.total() > 0)
    }

    /// The exit code: a damaged input before lost events, because it may hide more of them.
    pub fn exit(&self) -> Exit {
        if self.end.as_ref().is_some_and(|e| !e.clean) {
            Exit::Damaged
        } else if self.missing() > 0 {
            Exit::Lost
        } else {
            Exit::Ok
        }
    }

    /// Events that should have been taken in and were not.
    pub fn missing(&self) -> u64 {
        let losses = &self.snapshot.losses;
        let told = self.trailer.as_ref().map_or(0, |t| t.lost);
        losses.missing(told)
    }
}

//! Findings by fault.

use crate::snapshot::{Fault, Finding, Findings};
use serde::Serialize;

/// Events that show one fault.
#[derive(Debug, Serialize)]
pub struct FaultGroup<'a> {
    /// Which fault.
    pub fault: Fault,
    /// Events.
    pub events: u64,
    /// The first few.
    pub first: Vec<&'a Finding>,
}

impl<'a> FaultGroup<'a> {
    /// The faults that occurred.
    pub fn of(findings: &'a Findings) -> Vec<Self> {
        Fault::ALL
            .into_iter()
            .zip(findings.counts)
            .filter(|(_, events)| *events > 0)
            .map(|(fault, events)| {
                let first = findings.first.iter().filter(|f| f.fault == fault).collect();
                Self { fault, events, first }
            })
            .collect()
    }

    /// Fault, count and the first place, in words.
    pub fn line(&self) -> String {
        let first = self.first.first().map_or(String::new(), |f| {
            let slots = if f.nr > 1 { format!(" ({} slots)", f.nr) } else { String::new() };
            format!(", first {} of {}:{}{slots} at {} ns on cpu {}", f.event, f.dev, f.off, f.ts, f.cpu)
        });
        format!("{}: {}{first}", self.fault.words(), self.events)
    }
}

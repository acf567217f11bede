//! What runs beside the collector of a dashboard: the model of the kernel, and the load under other designs. Fed with
//! the same events, looked at when a frame is made.

use super::{Agreement, Checker};
use crate::decode::Event;
use crate::meta::{Header, Update};
use crate::whatif::{Comparison, Design, Row};
use std::sync::Arc;
use vswap_common::slot::ORDERS;

/// CPUs whose caches are shown.
const MAX_CPUS: usize = 64;

/// What a dashboard runs beside the collector.
pub struct Beside {
    /// The model, or why there is none, in words.
    checker: Result<Box<Checker>, String>,
    /// The load under other designs.
    designs: Option<Comparison>,
    /// Which these are, for a new beginning.
    chosen: Vec<Design>,
}

/// The model at one instant, immutable.
#[derive(Clone, Debug, Default)]
pub struct BesideView {
    /// How model and kernel agree; `None` without a model.
    pub agreement: Option<Agreement>,
    /// Why there is no model.
    pub why_not: String,
    /// Caches of CPUs that have any, by CPU number: the next slot by order.
    pub caches: Vec<CpuCaches>,
    /// What the load needs under other designs, side by side.
    pub designs: Vec<Row>,
}

/// What a CPU's cache names: the device and the next offset, by order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuCaches {
    /// CPU number.
    pub cpu: usize,
    /// `None` where the next request of that order goes by the lists.
    pub next: [Option<(u8, u64)>; ORDERS],
}

impl Beside {
    /// Nothing yet; `why_not` is shown where the model would be.
    pub const fn new(why_not: String) -> Self {
        Self { checker: Err(why_not), designs: None, chosen: Vec::new() }
    }

    /// The model, if it knows the allocator of the recorded kernel.
    #[must_use]
    pub fn with_model(mut self, header: &Header) -> Self {
        self.checker = super::knows(header).map(|()| Box::new(Checker::new(header)));
        self
    }

    /// The load under these designs, if the events are of a kernel whose intent we can tell.
    #[must_use]
    pub fn with_designs(mut self, header: &Header, designs: &[Design]) -> Self {
        let any = !designs.is_empty() && super::plain(header).is_ok();
        self.designs = any.then(|| Comparison::new(header, designs));
        self.chosen = designs.to_vec();
        self
    }

    /// Begins anew with the same parts: the events come from the first one again.
    #[must_use]
    pub fn restarted(mut self, header: &Header) -> Self {
        let chosen = std::mem::take(&mut self.chosen);
        let any = self.designs.is_some();
        let mut fresh = Self::new(self.checker.as_ref().err().cloned().unwrap_or_default());
        if self.checker.is_ok() {
            fresh = fresh.with_model(header);
        }
        if any { fresh.with_designs(header, &chosen) } else { fresh }
    }

    /// Requests so far in which model and kernel differ; the number only grows.
    pub fn misses(&self) -> u64 {
        self.checker.as_ref().map_or(0, |checker| checker.misses())
    }

    /// Takes in one event.
    pub fn apply(&mut self, e: &Event) {
        if let Ok(checker) = &mut self.checker {
            checker.apply(e);
        }
        if let Some(designs) = &mut self.designs {
            designs.apply(e);
        }
    }

    /// Takes in news.
    pub fn update(&mut self, update: &Update) {
        if let Ok(checker) = &mut self.checker {
            checker.update(update);
        }
        if let Some(designs) = &mut self.designs {
            designs.update(update);
        }
    }

    /// Records that did not decode.
    pub fn note_undecodable(&mut self, n: u64) {
        if let Ok(checker) = &mut self.checker {
            checker.note_undecodable(n);
        }
        if let Some(designs) = &mut self.designs {
            designs.note_undecodable(n);
        }
    }

    /// The state now. Costs what changed since the last call, not the size of the devices.
    pub fn view(&mut self) -> Arc<BesideView> {
        let designs = self.designs.as_mut().map(Comparison::rows).unwrap_or_default();
        Arc::new(match &self.checker {
            Ok(checker) => BesideView {
                agreement: Some(checker.agreement()),
                why_not: String::new(),
                caches: checker.caches().take(MAX_CPUS).collect(),
                designs,
            },
            Err(why) => BesideView { why_not: why.clone(), designs, ..BesideView::default() },
        })
    }

    /// The state at the end: the invariants are checked once more.
    pub fn finish(&mut self) -> Arc<BesideView> {
        if let Ok(checker) = &mut self.checker {
            checker.end();
        }
        self.view()
    }
}

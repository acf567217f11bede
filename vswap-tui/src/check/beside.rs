//! The model beside the collector of a dashboard: fed with the same events, looked at when a frame is made.

use super::{Agreement, Checker};
use crate::decode::Event;
use crate::meta::{Header, Update};
use std::sync::Arc;
use vswap_common::slot::ORDERS;

/// CPUs whose caches are shown.
const MAX_CPUS: usize = 64;

/// What a dashboard runs beside the collector.
pub struct Beside {
    /// The model, or why there is none, in words.
    checker: Result<Box<Checker>, String>,
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
    /// The model for a recording, if it knows the allocator of its kernel.
    pub fn new(header: &Header) -> Self {
        Self { checker: super::knows(header).map(|()| Box::new(Checker::new(header))) }
    }

    /// No model, and why.
    pub const fn none(why: String) -> Self {
        Self { checker: Err(why) }
    }

    /// Takes in one event.
    pub fn apply(&mut self, e: &Event) {
        if let Ok(checker) = &mut self.checker {
            checker.apply(e);
        }
    }

    /// Takes in news.
    pub fn update(&mut self, update: &Update) {
        if let Ok(checker) = &mut self.checker {
            checker.update(update);
        }
    }

    /// The state now.
    pub fn view(&self) -> Arc<BesideView> {
        Arc::new(match &self.checker {
            Ok(checker) => BesideView {
                agreement: Some(checker.agreement()),
                why_not: String::new(),
                caches: checker.caches().take(MAX_CPUS).collect(),
            },
            Err(why) => BesideView { why_not: why.clone(), ..BesideView::default() },
        })
    }

    /// The state at the end: the invariants are checked once more.
    pub fn finish(&mut self) -> Arc<BesideView> {
        if let Ok(checker) = &mut self.checker {
            checker.check_invariants();
        }
        self.view()
    }
}

//! What the running kernel offers: facts read below a root folder, and the pure function from facts to a plan.

pub mod btf;
pub mod caps;
pub mod counters;
pub mod facts;
pub mod hooks;
pub mod ladder;
pub mod layout;
pub mod plan;
pub mod recorded;
pub mod symbols;
pub mod tracepoints;
pub mod virt;

pub use facts::Facts;
pub use plan::{Plan, PlannedHook, Probe, plan};

#[cfg(test)]
mod held_tests;

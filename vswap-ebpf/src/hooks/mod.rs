//! The hooks, one file per stage in a slot's life. Each program is a thin entry around a plain function.
//!
//! A tracing program that is preempted is skipped for every other task on its CPU until it goes on
//! (`recursion_misses`). Under a spinlock and in interrupts that cannot happen: there fentry and fexit serve. Elsewhere
//! an entry is a kprobe, which runs with preemption off, and an exit is attached twice: the first copy to run clears
//! the state that the entry left, so the second finds nothing to do - unless the first was skipped.

mod alloc;
mod cache;
mod count;
mod device;
mod free;
mod io;
mod reclaim;
pub mod scan;
mod shrink;
pub mod tally;
mod twins;
mod virt;
mod zswap;

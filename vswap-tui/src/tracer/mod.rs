//! Attaching to the running kernel: the only user of aya. Raw records out, nothing decoded or printed.
//!
//! ```text
//! Facts -> Plan -> load (globals, maps, one program per hook) -> attach -> Tracer::drain -> records + news
//! ```

mod counts;
mod explain;
mod gap;
mod load;
mod news;
mod ring;

pub use load::{Options, Tracer, probe};
pub use ring::Drained;

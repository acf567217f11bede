//! Attaching to the running kernel: the only user of aya. Raw records out, nothing decoded or printed.
//!
//! ```text
//! Facts -> Plan -> load (globals, maps, one program per hook) -> attach -> Tracer::drain -> records + news
//!                                                                `- scan of the kernel's tables -^
//! ```

mod attach;
mod counts;
mod explain;
mod fdinfo;
mod gap;
mod load;
mod mapped;
mod news;
mod privilege;
mod ring;
mod scan;
mod tallies;
mod usage;
mod virt;

pub use load::{Options, Tracer, probe};
pub use privilege::drop_all as drop_privileges;
pub use ring::Drained;
pub use scan::ScanResult;
pub use tallies::{Reading, Tallies, probe as probe_tallies};

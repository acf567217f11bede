//! What the kernel side and the user side of vswap share.
//!
//! ```text
//! hook (vswap-ebpf) -> Record (48 bytes) -> ring buffer -> decode (vswap-tui) -> Event
//! ```
//!
//! Nothing here knows a kernel offset: offsets arrive in [`field::Layout`], which user space fills from the
//! BTF of the running kernel before the programs are loaded.
#![no_std]

pub mod counter;
pub mod field;
pub mod hook;
pub mod kind;
pub mod place;
pub mod prio;
pub mod record;
pub mod scan;
pub mod slot;
pub mod tally;
pub mod why;

pub use counter::HookCounts;
pub use field::{Field, Layout, MISSING};
pub use hook::Hook;
pub use kind::Kind;
pub use record::{Record, device, flags};
pub use scan::Address;
pub use slot::Entry;
pub use tally::Tally;

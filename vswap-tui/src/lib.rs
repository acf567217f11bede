//! vswap: where swapped memory really is.
//!
//! ```text
//! kernel hooks -> ring buffer -> decode -> Event -+-> trace file ------------.
//!                                                 |                          |
//! trace file  -> decode ---------------> Event ---+-> collector (slot map)   |  same bytes, same decode,
//! generator -----> records -> decode --> Event ---+   -> Snapshot -> views   |  same collector, same views
//! ```
//!
//! Folder order is data order: `kernel` reads what the running kernel offers, `tracer` attaches, `decode` turns
//! bytes into events, `source` is where events come from, `trace` the file, `collector` the truth, `snapshot`
//! what views and reports may see, `totals` what remains where nothing is traced slot by slot, `app`/`ui` the dashboard, `commands` one file per subcommand.

pub mod app;
mod capped;
pub mod check;
pub mod cli;
pub mod collector;
pub mod commands;
pub mod config;
pub mod decode;
pub mod exit;
pub mod export;
pub mod kernel;
pub mod memory;
pub mod meta;
pub mod model;
pub(crate) mod recorded;
pub mod recorder;
pub mod report;
pub mod runtime;
mod say;
pub mod snapshot;
pub mod source;
pub mod term;
pub mod totals;
pub mod trace;
pub mod tracer;
pub mod ui;
pub mod whatif;

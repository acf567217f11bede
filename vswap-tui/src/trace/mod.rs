//! The trace file: what a recording is on disk and in a pipe.
//!
//! ```text
//! TraceWriter -> preamble, blocks -> file or pipe -> TraceReader -> records
//!  (columns::Encoder)     (format)                   (window, columns::decode)
//! ```
//!
//! Knows records and metadata only; what they mean is the collector's business.

pub mod columns;
pub mod damage;
pub mod error;
pub mod file;
pub mod format;
pub mod index;
mod jump;
pub mod keyframe;
pub mod reader;
mod window;
pub mod writer;

pub use damage::Damage;
pub use error::TraceError;
pub use index::Index;
pub use keyframe::KeyState;
pub use reader::{Item, TraceReader};
pub use writer::TraceWriter;

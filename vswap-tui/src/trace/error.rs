//! What can be wrong with a trace as a whole. Damage inside one is not an error: see [`super::damage::Damage`].

use super::format::MAJOR;
use std::io;
use thiserror::Error;

/// Why a trace cannot be read or written at all.
#[derive(Debug, Error)]
pub enum TraceError {
    /// The file is something else.
    #[error(
        "not a vswap trace: the file does not begin with the trace magic; traces are made by `vswap record -o FILE`"
    )]
    NotATrace,
    /// Ends before anything usable: an empty file, or one cut within its first block.
    #[error("trace cut short: it ends at byte {at}, before its first whole block; nothing in it can be used")]
    CutShort {
        /// Length of the file.
        at: u64,
    },
    /// Written by a later version of the format.
    #[error(
        "trace format {major}.{minor} is newer than this vswap (it reads up to {MAJOR}.x); read it with the vswap that wrote it"
    )]
    Newer {
        /// Major version of the file.
        major: u16,
        /// Minor version of the file.
        minor: u16,
    },
    /// Metadata that does not fit into one block.
    #[error("{what} of {len} bytes does not fit into a trace block of {max} bytes")]
    TooLarge {
        /// Which block.
        what: &'static str,
        /// Its size.
        len: usize,
        /// The limit.
        max: u32,
    },
    /// Metadata that cannot be written as JSON.
    #[error("trace metadata: {0}")]
    Json(#[from] serde_json::Error),
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

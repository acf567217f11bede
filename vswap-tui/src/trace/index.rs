//! Where the blocks of a trace file are and which time they cover: block headers only, payloads are not read.

use super::error::TraceError;
use super::format::{
    BLOCK_HEADER_LEN, BlockHeader, MAJOR, PREAMBLE_LEN, Preamble, block_type, read_preamble,
};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// One block of records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexEntry {
    /// Offset of the block header in the file.
    pub offset: u64,
    /// Records in the block.
    pub count: u32,
    /// Records in all blocks before.
    pub before: u64,
    /// Smallest time stamp in the block, ns.
    pub first_ts: u64,
    /// Largest time stamp in the block, ns.
    pub last_ts: u64,
}

/// The blocks of records of a file, in its order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Index {
    /// One entry a block.
    pub blocks: Vec<IndexEntry>,
    /// False if the scan stopped at damage or found no trailer: what lies beyond is not in the index.
    pub whole: bool,
}

impl Index {
    /// Scans a file. Reads 56 bytes a block and leaves the file position alone. Payload checksums are the
    /// reader's business; the scan ends at the first header that is not whole.
    ///
    /// # Errors
    /// If this is not a trace this version can read, or reading fails.
    pub fn scan(file: &File) -> Result<Self, TraceError> {
        let len = file.metadata()?.len();
        let mut preamble = [0; PREAMBLE_LEN];
        if len < PREAMBLE_LEN as u64 {
            return Err(TraceError::CutShort { at: len });
        }
        file.read_exact_at(&mut preamble, 0)?;
        match read_preamble(&preamble) {
            Preamble::Foreign => return Err(TraceError::NotATrace),
            Preamble::Version(major, minor) if major > MAJOR => {
                return Err(TraceError::Newer { major, minor });
            }
            Preamble::Version(..) | Preamble::Damaged => {}
        }
        let mut index = Self::default();
        let mut offset = PREAMBLE_LEN as u64;
        let mut head = [0; BLOCK_HEADER_LEN];
        while offset + BLOCK_HEADER_LEN as u64 <= len {
            file.read_exact_at(&mut head, offset)?;
            let Ok(h) = BlockHeader::decode(&head) else { break };
            let end = offset + h.block_len() as u64;
            if end > len {
                break;
            }
            if h.kind == block_type::TRAILER {
                index.whole = true;
                break;
            }
            if h.kind == block_type::RECORDS {
                index.blocks.push(IndexEntry {
                    offset,
                    count: h.count,
                    before: h.before,
                    first_ts: h.first_ts,
                    last_ts: h.last_ts,
                });
            }
            offset = end;
        }
        Ok(index)
    }

    /// Smallest and largest time stamp of all blocks.
    pub fn span(&self) -> Option<(u64, u64)> {
        let first = self.blocks.iter().map(|b| b.first_ts).min()?;
        let last = self.blocks.iter().map(|b| b.last_ts).max()?;
        Some((first, last))
    }

    /// Records in all blocks.
    pub fn records(&self) -> u64 {
        self.blocks.iter().map(|b| u64::from(b.count)).sum()
    }
}

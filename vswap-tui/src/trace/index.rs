//! Where the blocks of a trace file are and which time they cover: from the INDEX block at the end, else from the
//! block headers. Payloads are not read.
//!
//! INDEX holds 48 bytes for each RECORDS, UPDATE and KEY block, in the order of the file, plain or as one zstd frame:
//!
//! | at | size | what |
//! |---|---|---|
//! | 0 | 1 | type of the block |
//! | 1 | 3 | zero |
//! | 4 | 4 | records in the block |
//! | 8 | 4 | number of the block |
//! | 12 | 4 | zero |
//! | 16 | 8 | offset of the block header in the file |
//! | 24 | 8 | records in all blocks before |
//! | 32 | 8 | smallest time stamp; of a KEY the time of the first event |
//! | 40 | 8 | largest time stamp; of a KEY that of all records before it |
//!
//! The TRAILER's JSON has the offset of the INDEX as `index`. An index is only a hint: whoever jumps to a block checks
//! the header it finds there.

use super::error::TraceError;
use super::format::{
    BLOCK_HEADER_LEN, BLOCK_MAGIC, BlockHeader, MAJOR, PREAMBLE_LEN, Preamble, block_type, encoding,
    read_preamble, u32_at, u64_at,
};
use serde::Deserialize;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Bytes of an entry in the file.
pub(super) const ENTRY_LEN: usize = 48;
/// Entries of an INDEX: a larger trace has none and is walked.
pub(super) const MAX_ENTRIES: usize = super::format::MAX_RAW as usize / ENTRY_LEN;
/// Entries kept of a file that is walked, 240 MB; or what `--memory-limit` leaves half of. What comes later is read, not
/// jumped to.
const MAX_WALKED: u64 = 1 << 22;
/// A trailer is found within so many bytes of the end.
const TAIL: u64 = 256 << 10;

/// One block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexEntry {
    /// Offset of the block header in the file.
    pub offset: u64,
    /// Number of the block in the file.
    pub number: u32,
    /// Records in the block.
    pub count: u32,
    /// Records in all blocks before.
    pub before: u64,
    /// Smallest time stamp in the block, ns.
    pub first_ts: u64,
    /// Largest time stamp in the block, ns.
    pub last_ts: u64,
}

/// The blocks of a file, in its order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Index {
    /// Blocks of records.
    pub blocks: Vec<IndexEntry>,
    /// Key frames.
    pub keys: Vec<IndexEntry>,
    /// News about devices, cgroups and counters.
    pub updates: Vec<IndexEntry>,
    /// False if the scan stopped at damage or found no trailer: what lies beyond is not in the index.
    pub whole: bool,
}

/// The member of the trailer that says where the index is.
#[derive(Deserialize)]
struct Pointer {
    index: Option<u64>,
}

impl IndexEntry {
    /// The entry of a block at `offset`.
    pub fn of(h: &BlockHeader, offset: u64) -> Self {
        Self {
            offset,
            number: h.number,
            count: h.count,
            before: h.before,
            first_ts: h.first_ts,
            last_ts: h.last_ts,
        }
    }

    pub(super) fn encode(&self, kind: u8) -> [u8; ENTRY_LEN] {
        let mut b = [0; ENTRY_LEN];
        b[0] = kind;
        b[4..8].copy_from_slice(&self.count.to_le_bytes());
        b[8..12].copy_from_slice(&self.number.to_le_bytes());
        b[16..24].copy_from_slice(&self.offset.to_le_bytes());
        b[24..32].copy_from_slice(&self.before.to_le_bytes());
        b[32..40].copy_from_slice(&self.first_ts.to_le_bytes());
        b[40..48].copy_from_slice(&self.last_ts.to_le_bytes());
        b
    }

    fn decode(b: &[u8]) -> Self {
        Self {
            count: u32_at(b, 4),
            number: u32_at(b, 8),
            offset: u64_at(b, 16),
            before: u64_at(b, 24),
            first_ts: u64_at(b, 32),
            last_ts: u64_at(b, 40),
        }
    }
}

impl Index {
    /// The index of a file: the one at its end, or one made by walking it.
    ///
    /// # Errors
    /// If this is not a trace this version can read, or reading fails.
    pub fn load(file: &File) -> Result<Self, TraceError> {
        let len = check_preamble(file)?;
        match at_end(file, len) {
            Some(index) => Ok(index),
            None => Self::scan(file),
        }
    }

    /// Walks a file. Reads 56 bytes a block and leaves the file position alone. Payload checksums are the
    /// reader's business; the walk ends at the first header that is not whole.
    ///
    /// # Errors
    /// If this is not a trace this version can read, or reading fails.
    pub fn scan(file: &File) -> Result<Self, TraceError> {
        let len = check_preamble(file)?;
        let mut index = Self::default();
        let mut offset = PREAMBLE_LEN as u64;
        let room = (crate::memory::process().left() / 2 / size_of::<IndexEntry>() as u64).min(MAX_WALKED);
        let mut entries = 0;
        while let Some(h) = header_at(file, offset, len)? {
            if h.kind == block_type::TRAILER {
                index.whole = true;
                break;
            }
            entries += 1;
            if entries > room {
                log::warn!(
                    "the index of this file ends at byte {offset} with {room} blocks: what comes later is reached by reading on"
                );
                break;
            }
            index.add(h.kind, IndexEntry::of(&h, offset));
            offset += h.block_len() as u64;
        }
        Ok(index)
    }

    /// The entries in the payload of an INDEX block; `None` if they contradict the format.
    pub fn parse(raw: &[u8]) -> Option<Self> {
        if !raw.len().is_multiple_of(ENTRY_LEN) {
            return None;
        }
        let mut index = Self { whole: true, ..Self::default() };
        let mut last = 0;
        for b in raw.chunks_exact(ENTRY_LEN) {
            let entry = IndexEntry::decode(b);
            if entry.offset <= last {
                return None;
            }
            last = entry.offset;
            index.add(b[0], entry);
        }
        Some(index)
    }

    fn add(&mut self, kind: u8, entry: IndexEntry) {
        match kind {
            block_type::RECORDS => self.blocks.push(entry),
            block_type::KEY => self.keys.push(entry),
            block_type::UPDATE => self.updates.push(entry),
            _ => {}
        }
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

/// Length of the file, if its preamble is one this version reads.
fn check_preamble(file: &File) -> Result<u64, TraceError> {
    let len = file.metadata()?.len();
    let mut preamble = [0; PREAMBLE_LEN];
    if len < PREAMBLE_LEN as u64 {
        return Err(TraceError::CutShort { at: len });
    }
    file.read_exact_at(&mut preamble, 0)?;
    match read_preamble(&preamble) {
        Preamble::Foreign => Err(TraceError::NotATrace),
        Preamble::Version(major, minor) if major > MAJOR => Err(TraceError::Newer { major, minor }),
        Preamble::Version(..) | Preamble::Damaged => Ok(len),
    }
}

/// The block header at `offset`, if a whole block of that length fits into the file.
fn header_at(file: &File, offset: u64, len: u64) -> Result<Option<BlockHeader>, TraceError> {
    let mut head = [0; BLOCK_HEADER_LEN];
    if offset.saturating_add(BLOCK_HEADER_LEN as u64) > len {
        return Ok(None);
    }
    file.read_exact_at(&mut head, offset)?;
    Ok(BlockHeader::decode(&head).ok().filter(|h| offset + h.block_len() as u64 <= len))
}

/// The index at the end of a file that was closed cleanly; `None` wherever anything does not fit.
fn at_end(file: &File, len: u64) -> Option<Index> {
    let from = len.saturating_sub(TAIL);
    let mut tail = vec![0; usize::try_from(len - from).ok()?];
    file.read_exact_at(&mut tail, from).ok()?;
    let starts = tail.windows(BLOCK_MAGIC.len()).enumerate().rev().filter(|(_, w)| *w == BLOCK_MAGIC);
    let (trailer, payload) = starts
        .filter_map(|(i, _)| {
            let h = BlockHeader::decode(tail[i..].first_chunk()?).ok()?;
            (i + h.block_len() == tail.len()).then(|| (h, &tail[i + BLOCK_HEADER_LEN..]))
        })
        .next()?;
    if trailer.kind != block_type::TRAILER {
        return None;
    }
    let pointer: Pointer = serde_json::from_slice(&unpack(&trailer, payload)?).ok()?;
    let offset = pointer.index?;
    let h = header_at(file, offset, len).ok()??;
    if h.kind != block_type::INDEX || h.number.checked_add(1)? != trailer.number {
        return None;
    }
    let mut payload = vec![0; h.stored_len as usize];
    file.read_exact_at(&mut payload, offset + BLOCK_HEADER_LEN as u64).ok()?;
    Index::parse(&unpack(&h, &payload)?)
}

/// Plain bytes of a payload that is whole. The raw length was checked against the format's limit with the header.
fn unpack(h: &BlockHeader, payload: &[u8]) -> Option<Vec<u8>> {
    if crc32c::crc32c(payload) != h.payload_crc {
        return None;
    }
    match h.encoding {
        encoding::PLAIN => Some(payload.to_vec()),
        encoding::ZSTD => zstd::bulk::decompress(payload, h.raw_len as usize).ok(),
        _ => None,
    }
}

//! The trace file format, version 1.1. `docs/trace-format.md` says the same for those who write another reader.
//!
//! A trace is a preamble followed by blocks. It is written front to back, never seeked, so a file and a pipe hold
//! the same bytes. All numbers are little endian; all checksums are CRC-32C (Castagnoli).
//!
//! **Preamble**, 16 bytes:
//!
//! | at | size | what |
//! |---|---|---|
//! | 0 | 8 | magic `89 56 53 57 41 50 0A 1A` (`.VSWAP..`, damaged by text-mode copies) |
//! | 8 | 2 | major version: a reader refuses a larger one |
//! | 10 | 2 | minor version: a reader ignores block types and JSON members it does not know, and names a larger one |
//! | 12 | 4 | checksum of bytes 0 to 11 |
//!
//! **Block**, a 56-byte header followed by `stored` bytes of payload:
//!
//! | at | size | what |
//! |---|---|---|
//! | 0 | 4 | magic `56 42 4C 4B` (`VBLK`), what a reader looks for after damage |
//! | 4 | 1 | type: 1 HEADER, 2 UPDATE, 3 RECORDS, 4 TRAILER; since 1.1 also 5 KEY, 6 KEY_SLOTS, 7 INDEX |
//! | 5 | 1 | encoding: 0 plain, 1 zstd, 2 columns (RECORDS and KEY_SLOTS) |
//! | 6 | 2 | zero |
//! | 8 | 4 | raw length: bytes of payload after decompression, at most [`MAX_RAW`] |
//! | 12 | 4 | stored length: bytes of payload in the file, at most raw length (plus the directory for columns) |
//! | 16 | 4 | records in the block, at most [`MAX_RECORDS`]; 0 unless RECORDS |
//! | 20 | 4 | number of the block, from 0 (the HEADER), without holes |
//! | 24 | 8 | records in all blocks before this one |
//! | 32 | 8 | smallest time stamp of the records in the block, ns of `CLOCK_MONOTONIC`; 0 without records |
//! | 40 | 8 | largest time stamp |
//! | 48 | 4 | checksum of the stored payload |
//! | 52 | 4 | checksum of header bytes 0 to 51 |
//!
//! HEADER, UPDATE, TRAILER and KEY hold one JSON object each ([`crate::meta`], [`super::keyframe`]). HEADER is the
//! first block, TRAILER the last; a recording that did not end cleanly has no TRAILER. A KEY and the KEY_SLOTS right
//! after it are a key frame: the state after all records before it, so that a reader can begin there. INDEX stands
//! right before TRAILER ([`super::index`]); a reader without one walks the block headers. RECORDS hold [`vswap_common::Record`]s in ring
//! order, gap records in sequence; how is told in [`super::columns`]. No block needs another one to be decoded.
//!
//! **Torn tail.** The writer hands each block to the operating system in one piece and never changes it later. A
//! writer that dies leaves whole blocks and at most one incomplete one at the end. A reader uses every whole
//! block, then reports at which byte the file stops being whole, and that there is no TRAILER. Missing TRAILER
//! alone (the cut fell between two blocks) is reported the same way.
//!
//! **Damage in the middle.** A block counts only if both checksums hold. After one that does not, the reader
//! looks byte by byte for the next whole header. Number and record count of that header say exactly how many
//! records the damage took: they enter the stream as one gap record, so no stage mistakes the hole for silence.
//! A block whose number or count runs backwards (files pasted together) is treated as damage too.

use thiserror::Error;

/// First bytes of every trace.
pub const FILE_MAGIC: [u8; 8] = *b"\x89VSWAP\n\x1a";
/// Readers refuse files with a larger major version.
pub const MAJOR: u16 = 1;
/// Additions that old readers may ignore.
pub const MINOR: u16 = 1;
/// Bytes of the preamble.
pub const PREAMBLE_LEN: usize = 16;
/// First bytes of every block.
pub const BLOCK_MAGIC: [u8; 4] = *b"VBLK";
/// Bytes of a block header.
pub const BLOCK_HEADER_LEN: usize = 56;
/// Largest decompressed payload, bytes. Checked before memory is taken.
pub const MAX_RAW: u32 = 8 << 20;
/// Most records in one block.
pub const MAX_RECORDS: u32 = 65_536;

/// Type of a block as a number in the file; readers skip numbers that are not listed here.
pub mod block_type {
    /// JSON [`crate::meta::Header`].
    pub const HEADER: u8 = 1;
    /// JSON [`crate::meta::Update`].
    pub const UPDATE: u8 = 2;
    /// Records.
    pub const RECORDS: u8 = 3;
    /// JSON [`crate::meta::Trailer`].
    pub const TRAILER: u8 = 4;
    /// JSON [`crate::trace::keyframe::KeyState`]; its KEY_SLOTS follow.
    pub const KEY: u8 = 5;
    /// Slots of a key frame: a u32 count of records, then columns.
    pub const KEY_SLOTS: u8 = 6;
    /// Where the blocks are: see [`crate::trace::index`].
    pub const INDEX: u8 = 7;
}

/// Encoding of a payload as a number in the file.
pub mod encoding {
    /// As is.
    pub const PLAIN: u8 = 0;
    /// One zstd frame.
    pub const ZSTD: u8 = 1;
    /// See [`crate::trace::columns`].
    pub const COLUMNS: u8 = 2;
}

/// The checksum of the format: CRC-32C.
pub fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// The preamble of this version.
pub fn preamble() -> [u8; PREAMBLE_LEN] {
    let mut b = [0; PREAMBLE_LEN];
    b[..8].copy_from_slice(&FILE_MAGIC);
    b[8..10].copy_from_slice(&MAJOR.to_le_bytes());
    b[10..12].copy_from_slice(&MINOR.to_le_bytes());
    let crc = crc32c::crc32c(&b[..12]);
    b[12..].copy_from_slice(&crc.to_le_bytes());
    b
}

/// What the first 16 bytes of a file say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preamble {
    /// A trace with this major and minor version.
    Version(u16, u16),
    /// A trace whose version bytes are damaged.
    Damaged,
    /// Something else.
    Foreign,
}

/// Judges the first bytes of a file.
pub fn read_preamble(b: &[u8; PREAMBLE_LEN]) -> Preamble {
    if b[..8] != FILE_MAGIC {
        return Preamble::Foreign;
    }
    if crc32c::crc32c(&b[..12]) != u32_at(b, 12) {
        return Preamble::Damaged;
    }
    Preamble::Version(u16::from_le_bytes([b[8], b[9]]), u16::from_le_bytes([b[10], b[11]]))
}

/// A block header, without magic and its own checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BlockHeader {
    /// See [`block_type`].
    pub kind: u8,
    /// See [`encoding`].
    pub encoding: u8,
    /// Payload bytes after decompression.
    pub raw_len: u32,
    /// Payload bytes in the file.
    pub stored_len: u32,
    /// Records in the block.
    pub count: u32,
    /// Number of the block in the file.
    pub number: u32,
    /// Records in all blocks before.
    pub before: u64,
    /// Smallest time stamp in the block, ns.
    pub first_ts: u64,
    /// Largest time stamp in the block, ns.
    pub last_ts: u64,
    /// Checksum of the stored payload.
    pub payload_crc: u32,
}

/// Why 56 bytes are not a block header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum HeaderFault {
    /// Not the block magic.
    #[error("no block begins here")]
    Magic,
    /// The checksum does not hold.
    #[error("checksum of the block header does not match")]
    Checksum,
    /// Lengths above what the format allows.
    #[error("block header exceeds the limits of the format")]
    Limit,
}

impl BlockHeader {
    /// The 56 bytes in the file.
    pub fn encode(&self) -> [u8; BLOCK_HEADER_LEN] {
        let mut b = [0; BLOCK_HEADER_LEN];
        b[..4].copy_from_slice(&BLOCK_MAGIC);
        b[4] = self.kind;
        b[5] = self.encoding;
        b[8..12].copy_from_slice(&self.raw_len.to_le_bytes());
        b[12..16].copy_from_slice(&self.stored_len.to_le_bytes());
        b[16..20].copy_from_slice(&self.count.to_le_bytes());
        b[20..24].copy_from_slice(&self.number.to_le_bytes());
        b[24..32].copy_from_slice(&self.before.to_le_bytes());
        b[32..40].copy_from_slice(&self.first_ts.to_le_bytes());
        b[40..48].copy_from_slice(&self.last_ts.to_le_bytes());
        b[48..52].copy_from_slice(&self.payload_crc.to_le_bytes());
        let crc = crc32c::crc32c(&b[..52]);
        b[52..].copy_from_slice(&crc.to_le_bytes());
        b
    }

    /// The header in these bytes, if its checksum holds and its lengths are within the limits.
    ///
    /// # Errors
    /// See [`HeaderFault`].
    pub fn decode(b: &[u8; BLOCK_HEADER_LEN]) -> Result<Self, HeaderFault> {
        if b[..4] != BLOCK_MAGIC {
            return Err(HeaderFault::Magic);
        }
        if crc32c::crc32c(&b[..52]) != u32_at(b, 52) {
            return Err(HeaderFault::Checksum);
        }
        let h = Self {
            kind: b[4],
            encoding: b[5],
            raw_len: u32_at(b, 8),
            stored_len: u32_at(b, 12),
            count: u32_at(b, 16),
            number: u32_at(b, 20),
            before: u64_at(b, 24),
            first_ts: u64_at(b, 32),
            last_ts: u64_at(b, 40),
            payload_crc: u32_at(b, 48),
        };
        let directory =
            if h.encoding == encoding::COLUMNS { super::columns::MAX_DIRECTORY as u32 } else { 0 };
        if h.raw_len > MAX_RAW || h.stored_len > h.raw_len + directory || h.count > MAX_RECORDS {
            return Err(HeaderFault::Limit);
        }
        Ok(h)
    }

    /// Bytes of the whole block in the file.
    pub fn block_len(&self) -> usize {
        BLOCK_HEADER_LEN + self.stored_len as usize
    }
}

/// Four little-endian bytes at `i`; 0 beyond the end.
pub(super) fn u32_at(b: &[u8], i: usize) -> u32 {
    b.get(i..).and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_le_bytes)
}

/// Eight little-endian bytes at `i`; 0 beyond the end.
pub(super) fn u64_at(b: &[u8], i: usize) -> u64 {
    b.get(i..).and_then(<[u8]>::first_chunk).copied().map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BlockHeader {
        BlockHeader {
            kind: block_type::RECORDS,
            encoding: encoding::COLUMNS,
            raw_len: 5000,
            stored_len: 1234,
            count: 77,
            number: 3,
            before: 1 << 40,
            first_ts: 17,
            last_ts: u64::MAX,
            payload_crc: 0xdead_beef,
        }
    }

    #[test]
    fn header_round_trips() {
        assert_eq!(BlockHeader::decode(&header().encode()), Ok(header()));
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_seen() {
        let good = header().encode();
        for bit in 0..BLOCK_HEADER_LEN * 8 {
            let mut b = good;
            b[bit / 8] ^= 1 << (bit % 8);
            assert!(BlockHeader::decode(&b).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn lengths_above_the_limits_are_refused() {
        for h in [
            BlockHeader { raw_len: MAX_RAW + 1, ..header() },
            BlockHeader { count: MAX_RECORDS + 1, ..header() },
            BlockHeader { stored_len: u32::MAX, ..header() },
            BlockHeader { encoding: encoding::PLAIN, stored_len: 5001, ..header() },
        ] {
            assert_eq!(BlockHeader::decode(&h.encode()), Err(HeaderFault::Limit));
        }
    }

    #[test]
    fn preamble_tells_version_damage_and_foreign_files() {
        assert_eq!(read_preamble(&preamble()), Preamble::Version(MAJOR, MINOR));
        for bit in 0..PREAMBLE_LEN * 8 {
            let mut b = preamble();
            b[bit / 8] ^= 1 << (bit % 8);
            let expected = if bit < 64 { Preamble::Foreign } else { Preamble::Damaged };
            assert_eq!(read_preamble(&b), expected, "bit {bit}");
        }
    }
}

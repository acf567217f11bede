//! Records and metadata to a trace, front to back.

use super::columns::Encoder;
use super::error::TraceError;
use super::format::{BlockHeader, MAX_RAW, block_type, encoding, preamble};
use super::index::{ENTRY_LEN, IndexEntry, MAX_ENTRIES};
use super::keyframe::{KeyState, PART_HEAD, PART_RECORDS};
use crate::meta::{Header, Trailer, Update};
use serde::Serialize;
use std::io::Write;
use vswap_common::Record;

/// Records in a full block: large enough to compress well, small enough to stay in the cache while it is decoded.
pub const BLOCK_RECORDS: u32 = 16_384;

/// zstd level. The predictions leave the matcher nothing to find: in the benchmark level 3 gives 3.63 bytes an
/// event, level 1 3.59.
const LEVEL: i32 = 1;

/// Writes a trace. Each block goes out in one `write_all`, so `W` needs no buffer of its own.
pub struct TraceWriter<W: Write> {
    out: W,
    encoder: Encoder,
    block: Vec<u8>,
    number: u32,
    before: u64,
    bytes: u64,
    /// Entries of the INDEX; cleared for good when there are too many for one block.
    index: Vec<[u8; ENTRY_LEN]>,
    index_full: bool,
}

/// A trailer as it stands in the file.
#[derive(Serialize)]
struct Closing<'a> {
    #[serde(flatten)]
    trailer: &'a Trailer,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
}

impl<W: Write> TraceWriter<W> {
    /// Writes preamble and header.
    ///
    /// # Errors
    /// If writing fails or the header is larger than a block.
    pub fn new(mut out: W, header: &Header) -> Result<Self, TraceError> {
        out.write_all(&preamble())?;
        let mut writer = Self {
            out,
            encoder: Encoder::new(LEVEL)?,
            block: Vec::new(),
            number: 0,
            before: 0,
            bytes: preamble().len() as u64,
            index: Vec::new(),
            index_full: false,
        };
        writer.json(block_type::HEADER, "header", header, (0, 0))?;
        writer.out.flush()?;
        Ok(writer)
    }

    /// Adds a record; a full block goes out.
    ///
    /// # Errors
    /// If writing fails. The records of that block are lost then, and readers will see how many.
    #[inline]
    pub fn push(&mut self, record: &Record) -> Result<(), TraceError> {
        self.encoder.push(record);
        if self.encoder.count() >= BLOCK_RECORDS { self.close_block() } else { Ok(()) }
    }

    /// Adds news about devices, cgroups or counters, in sequence with the records.
    ///
    /// # Errors
    /// If writing fails or the update is larger than a block.
    pub fn update(&mut self, update: &Update) -> Result<(), TraceError> {
        self.close_block()?;
        self.json(block_type::UPDATE, "update", update, (0, 0))
    }

    /// Adds a key frame: the state after all records pushed so far, `slots` as [`super::keyframe`] says.
    ///
    /// # Errors
    /// If writing fails or the state without slots is larger than a block.
    pub fn key_frame(
        &mut self,
        state: &KeyState,
        slots: impl IntoIterator<Item = Record>,
    ) -> Result<(), TraceError> {
        self.close_block()?;
        self.json(block_type::KEY, "key frame", state, (state.first_ts, state.ts))?;
        for record in slots {
            if self.encoder.count() >= PART_RECORDS {
                self.key_part(false)?;
            }
            self.encoder.push(&record);
        }
        self.key_part(true)
    }

    fn key_part(&mut self, last: bool) -> Result<(), TraceError> {
        self.begin();
        self.block.extend_from_slice(&self.encoder.count().to_le_bytes());
        self.block.extend_from_slice(&u32::from(last).to_le_bytes());
        let raw_len = PART_HEAD as u32 + self.encoder.finish(&mut self.block)?;
        let kind = block_type::KEY_SLOTS;
        self.write(BlockHeader { kind, encoding: encoding::COLUMNS, raw_len, ..BlockHeader::default() })
    }

    /// Hands everything to the operating system. Call it at least every second: what is not flushed dies with
    /// the process.
    ///
    /// # Errors
    /// If writing fails.
    pub fn flush(&mut self) -> Result<(), TraceError> {
        self.close_block()?;
        Ok(self.out.flush()?)
    }

    /// Closes the trace cleanly.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(mut self, trailer: &Trailer) -> Result<W, TraceError> {
        self.close_block()?;
        let index = (!self.index_full).then_some(self.bytes);
        if index.is_some() {
            let raw = std::mem::take(&mut self.index).concat();
            self.packed(block_type::INDEX, &raw, (0, 0))?;
        }
        self.json(block_type::TRAILER, "trailer", &Closing { trailer, index }, (0, 0))?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// What is written to. Bytes written to it directly would damage the trace.
    pub fn sink_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Adds a block of records as it stands in another trace: header and payload, whose checksum was checked.
    ///
    /// # Errors
    /// If writing fails.
    pub fn copy_records(&mut self, header: &BlockHeader, payload: &[u8]) -> Result<(), TraceError> {
        self.close_block()?;
        self.begin();
        self.block.extend_from_slice(payload);
        self.write(*header)
    }

    /// Records taken so far, gap records included.
    pub fn records(&self) -> u64 {
        self.before + u64::from(self.encoder.count())
    }

    /// Bytes handed to `W` so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn close_block(&mut self) -> Result<(), TraceError> {
        let count = self.encoder.count();
        if count == 0 {
            return Ok(());
        }
        let (first_ts, last_ts) = self.encoder.span();
        self.begin();
        let raw_len = self.encoder.finish(&mut self.block)?;
        let header = BlockHeader {
            kind: block_type::RECORDS,
            encoding: encoding::COLUMNS,
            raw_len,
            count,
            first_ts,
            last_ts,
            ..BlockHeader::default()
        };
        self.write(header)
    }

    fn json(
        &mut self,
        kind: u8,
        what: &'static str,
        value: &impl Serialize,
        span: (u64, u64),
    ) -> Result<(), TraceError> {
        let raw = serde_json::to_vec(value)?;
        if raw.len() > MAX_RAW as usize {
            return Err(TraceError::TooLarge { what, len: raw.len(), max: MAX_RAW });
        }
        self.packed(kind, &raw, span)
    }

    /// A block of `raw` bytes (at most [`MAX_RAW`]), compressed if that helps.
    fn packed(&mut self, kind: u8, raw: &[u8], (first_ts, last_ts): (u64, u64)) -> Result<(), TraceError> {
        let packed = zstd::bulk::compress(raw, 3)?;
        let smaller = packed.len() < raw.len();
        self.begin();
        self.block.extend_from_slice(if smaller { &packed } else { raw });
        let encoding = if smaller { encoding::ZSTD } else { encoding::PLAIN };
        let raw_len = raw.len() as u32;
        self.write(BlockHeader { kind, encoding, raw_len, first_ts, last_ts, ..BlockHeader::default() })
    }

    /// Leaves room for the block header, which is known last.
    fn begin(&mut self) {
        self.block.clear();
        self.block.resize(super::format::BLOCK_HEADER_LEN, 0);
    }

    fn write(&mut self, mut header: BlockHeader) -> Result<(), TraceError> {
        let (head, payload) = self.block.split_at_mut(super::format::BLOCK_HEADER_LEN);
        header.stored_len = payload.len() as u32;
        header.payload_crc = crc32c::crc32c(payload);
        header.number = self.number;
        header.before = self.before;
        head.copy_from_slice(&header.encode());
        if matches!(header.kind, block_type::RECORDS | block_type::UPDATE | block_type::KEY) {
            if self.index.len() < MAX_ENTRIES && !self.index_full {
                self.index.push(IndexEntry::of(&header, self.bytes).encode(header.kind));
            } else {
                self.index = Vec::new();
                self.index_full = true;
            }
        }
        // Counted before the write: if it fails, the next block tells the reader that something is missing.
        self.number = self.number.wrapping_add(1);
        self.before += u64::from(header.count);
        self.out.write_all(&self.block)?;
        self.bytes += self.block.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_records_and_bytes() {
        let mut w = TraceWriter::new(Vec::new(), &Header::default()).unwrap();
        let head = w.bytes();
        for i in 0..u64::from(BLOCK_RECORDS) + 1 {
            w.push(&Record { ts: i, kind: 2, nr: 1, ..Record::default() }).unwrap();
        }
        assert_eq!(w.records(), u64::from(BLOCK_RECORDS) + 1);
        let full = w.bytes();
        assert!(full > head);
        w.flush().unwrap();
        let flushed = w.bytes();
        assert!(flushed > full, "the open block must go out");
        w.flush().unwrap();
        assert_eq!(w.bytes(), flushed, "nothing new, nothing written");
        let out = w.finish(&Trailer::default()).unwrap();
        assert!(out.len() as u64 > flushed);
    }

    #[test]
    fn a_failed_write_is_an_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        assert!(matches!(TraceWriter::new(Full, &Header::default()), Err(TraceError::Io(_))));
    }
}

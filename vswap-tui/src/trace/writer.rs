//! Records and metadata to a trace, front to back.

use super::columns::Encoder;
use super::error::TraceError;
use super::format::{BlockHeader, MAX_RAW, block_type, encoding, preamble};
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
        };
        writer.json(block_type::HEADER, "header", header)?;
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
        self.json(block_type::UPDATE, "update", update)
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
        self.json(block_type::TRAILER, "trailer", trailer)?;
        self.out.flush()?;
        Ok(self.out)
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

    fn json(&mut self, kind: u8, what: &'static str, value: &impl Serialize) -> Result<(), TraceError> {
        let raw = serde_json::to_vec(value)?;
        let raw_len = u32::try_from(raw.len())
            .ok()
            .filter(|n| *n <= MAX_RAW)
            .ok_or(TraceError::TooLarge { what, len: raw.len(), max: MAX_RAW })?;
        let packed = zstd::bulk::compress(&raw, 3)?;
        let smaller = packed.len() < raw.len();
        self.begin();
        self.block.extend_from_slice(if smaller { &packed } else { &raw });
        let encoding = if smaller { encoding::ZSTD } else { encoding::PLAIN };
        self.write(BlockHeader { kind, encoding, raw_len, ..BlockHeader::default() })
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

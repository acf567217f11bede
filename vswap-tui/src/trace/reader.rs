//! A trace to records: everything whole is used, everything else is named.

use super::columns::Decoder;
use super::damage::Damage;
use super::error::TraceError;
use super::format::{
    BLOCK_HEADER_LEN, BLOCK_MAGIC, BlockHeader, HeaderFault, MAJOR, MAX_RECORDS, MINOR, PREAMBLE_LEN,
    Preamble, block_type, encoding, read_preamble,
};
use super::window::Window;
use crate::meta::{Header, Trailer, Update};
use serde::de::DeserializeOwned;
use std::io::{self, Read, Seek};
use vswap_common::{Kind, Record};

/// A payload that fails its checksum is searched for a block again, byte by byte. A file made of overlapping
/// false headers could keep a reader busy for hours that way, so beyond this many bytes it is stepped over whole.
const REHASH_LIMIT: u64 = 1 << 30;

/// What [`TraceReader::next`] found.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Records were appended: a block, or one gap record in the place of records that damage took.
    Records,
    /// News in sequence.
    Update(Update),
    /// Nothing more will come. `None` when the recording was not closed cleanly.
    End(Option<Trailer>),
}

/// Reads a trace from a file or a pipe.
pub struct TraceReader<R: Read> {
    window: Window<R>,
    decoder: Decoder,
    header: Header,
    damage: Option<Damage>,
    /// Number the next block should have.
    number: u32,
    /// Records in all blocks before the next one.
    before: u64,
    last_ts: u64,
    /// Payload bytes hashed in vain.
    rehashed: u64,
    /// Trailer, once the end was reached.
    end: Option<Option<Trailer>>,
    /// Version of the file, if it is a later minor than ours.
    newer: Option<(u16, u16)>,
}

/// Why the bytes at the window are not a usable block.
pub(super) enum Fault {
    /// They end early.
    Short(&'static str),
    /// They are damaged.
    Bad(String),
}

impl<R: Read> TraceReader<R> {
    /// Reads up to the header.
    ///
    /// # Errors
    /// If this is not a trace, is newer than this reader, or holds no whole block.
    pub fn new(inner: R) -> Result<Self, TraceError> {
        let mut reader = Self {
            window: Window::new(inner),
            decoder: Decoder::new()?,
            header: Header::default(),
            damage: None,
            number: 0,
            before: 0,
            last_ts: 0,
            rehashed: 0,
            end: None,
            newer: None,
        };
        reader.begin()?;
        Ok(reader)
    }

    fn begin(&mut self) -> Result<(), TraceError> {
        let bytes = self.window.look(PREAMBLE_LEN)?;
        let Some(preamble) = bytes.first_chunk::<PREAMBLE_LEN>() else {
            let at = bytes.len() as u64;
            let prefix = bytes.iter().zip(super::format::FILE_MAGIC).all(|(a, b)| *a == b);
            return Err(if prefix { TraceError::CutShort { at } } else { TraceError::NotATrace });
        };
        match read_preamble(preamble) {
            Preamble::Foreign => return Err(TraceError::NotATrace),
            Preamble::Version(major, minor) if major > MAJOR => {
                return Err(TraceError::Newer { major, minor });
            }
            Preamble::Version(major, minor) => {
                self.newer = (major == MAJOR && minor > MINOR).then_some((major, minor));
            }
            Preamble::Damaged => self.note(8, "the version in the preamble does not match its checksum", 0),
        }
        self.window.step(PREAMBLE_LEN);
        self.head()
    }

    /// Reads the header block.
    pub(super) fn head(&mut self) -> Result<(), TraceError> {
        // A damaged header costs names and facts, not records: the rest is read with what is left.
        match self.whole_block()? {
            Some(h) if h.kind == block_type::HEADER && h.number == 0 => {
                if let Some(header) = self.json(&h)? {
                    self.header = header;
                }
                self.pass(&h);
            }
            Some(_) => {}
            None => return Err(TraceError::CutShort { at: self.window.offset() }),
        }
        Ok(())
    }

    /// What the trace says about itself; empty if its header block is damaged.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Major and minor version of the file if its minor is later than ours: what that added is passed over.
    pub fn newer(&self) -> Option<(u16, u16)> {
        self.newer
    }

    /// Damage found so far; complete after [`Item::End`].
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// Bytes read so far: after [`Item::End`] the length of what belongs to the trace.
    pub fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// The next block; records are appended to `out`.
    ///
    /// # Errors
    /// Only if reading itself fails; damage ends in [`TraceReader::damage`].
    pub fn next(&mut self, out: &mut Vec<Record>) -> Result<Item, TraceError> {
        self.next_with(out, |r| Some(*r))
    }

    /// As [`TraceReader::next`], but keeps what `map` makes of each record: spares a copy.
    ///
    /// # Errors
    /// As [`TraceReader::next`].
    pub fn next_with<T>(
        &mut self,
        out: &mut Vec<T>,
        mut map: impl FnMut(&Record) -> Option<T>,
    ) -> Result<Item, TraceError> {
        loop {
            if let Some(trailer) = &self.end {
                return Ok(Item::End(trailer.clone()));
            }
            let Some(h) = self.whole_block()? else {
                return Ok(Item::End(None));
            };
            let missing = h.before.saturating_sub(self.before);
            if missing > 0 {
                // The gap goes first; the block is looked at again by the next call.
                if let Some(damage) = &mut self.damage {
                    damage.lost_records += missing;
                }
                self.before = h.before;
                self.number = h.number;
                let ts = if h.count > 0 { h.first_ts } else { self.last_ts };
                out.extend(map(&Record { kind: Kind::Gap as u8, ts, arg: missing, ..Record::default() }));
                return Ok(Item::Records);
            }
            match h.kind {
                block_type::RECORDS if self.records(&h, out, &mut map)? => return Ok(Item::Records),
                block_type::UPDATE => {
                    let update = self.json(&h)?;
                    self.pass(&h);
                    if let Some(update) = update {
                        return Ok(Item::Update(update));
                    }
                }
                block_type::TRAILER => {
                    let trailer = self.json(&h)?;
                    self.pass(&h);
                    self.end = Some(trailer);
                }
                // RECORDS that contradict the format were noted and passed; other types are a later minor's.
                block_type::RECORDS => {}
                _ => self.pass(&h),
            }
        }
    }

    /// Steps over a block that was used.
    pub(super) fn pass(&mut self, h: &BlockHeader) {
        self.window.step(h.block_len());
        self.number = h.number.wrapping_add(1);
        self.before = h.before.saturating_add(u64::from(h.count));
    }

    /// Goes on at `offset`, where block `number` with `before` records before it should be.
    pub(super) fn place(&mut self, offset: u64, number: u32, before: u64) -> Result<(), TraceError>
    where
        R: Seek,
    {
        self.window.jump(offset)?;
        (self.number, self.before, self.end, self.last_ts) = (number, before, None, 0);
        // What is damaged behind is found again by whoever reads it again; only the preamble is not.
        let preamble = self.damage.take().filter(|d| d.at < PREAMBLE_LEN as u64);
        self.damage =
            preamble.map(|d| Damage { skips: 1, skipped_bytes: 0, lost_records: 0, torn_at: None, ..d });
        Ok(())
    }

    /// The block at the window, and the decoder for its columns.
    pub(super) fn block_and_decoder(&mut self, h: &BlockHeader) -> Result<(&[u8], &mut Decoder), TraceError> {
        Ok((self.window.look(h.block_len())?, &mut self.decoder))
    }

    /// Header of the next whole block, which then is at the window; skips damage. `None` at the end.
    fn whole_block(&mut self) -> Result<Option<BlockHeader>, TraceError> {
        let at = self.window.offset();
        let fault = match self.check()? {
            Ok(h) => {
                // A writer whose disk was full for a while leaves whole blocks with holes between them.
                if h.number != self.number && self.damage.is_none() {
                    self.note(at, &format!("blocks before number {} were never written", h.number), 0);
                }
                return Ok(Some(h));
            }
            Err(fault) => fault,
        };
        let (why, short) = match fault {
            Fault::Short(why) => (why.to_owned(), true),
            Fault::Bad(why) => (why, false),
        };
        loop {
            self.window.step(1);
            if !self.seek_magic()? {
                break;
            }
            if let Ok(h) = self.check()? {
                self.note(at, &why, self.window.offset() - at);
                return Ok(Some(h));
            }
        }
        // Bytes that merely end early, or nothing at all, are a torn tail; anything else is damage as well.
        if !short {
            self.note(at, &why, self.window.offset() - at);
        }
        let damage = self.damage.get_or_insert(Damage {
            at,
            why,
            skips: 0,
            skipped_bytes: 0,
            lost_records: 0,
            torn_at: None,
        });
        damage.torn_at = Some(at);
        self.end = Some(None);
        Ok(None)
    }

    /// Steps to the next block magic; false at the end of the stream.
    fn seek_magic(&mut self) -> Result<bool, TraceError> {
        loop {
            if self.window.look(BLOCK_MAGIC.len())?.len() < BLOCK_MAGIC.len() {
                let rest = self.window.loaded().len();
                self.window.step(rest);
                return Ok(false);
            }
            let loaded = self.window.loaded();
            match loaded.windows(BLOCK_MAGIC.len()).position(|w| w == BLOCK_MAGIC) {
                Some(0) => return Ok(true),
                Some(n) => self.window.step(n),
                None => {
                    let n = loaded.len() + 1 - BLOCK_MAGIC.len();
                    self.window.step(n);
                }
            }
        }
    }

    /// Is there a whole block at the window that may follow what was read?
    pub(super) fn check(&mut self) -> Result<Result<BlockHeader, Fault>, TraceError> {
        let bytes = self.window.look(BLOCK_HEADER_LEN)?;
        let Some(head) = bytes.first_chunk::<BLOCK_HEADER_LEN>() else {
            let why = if bytes.is_empty() { "" } else { "the file ends inside a block header" };
            return Ok(Err(Fault::Short(why)));
        };
        let h = match BlockHeader::decode(head) {
            Ok(h) => h,
            Err(e @ (HeaderFault::Magic | HeaderFault::Checksum | HeaderFault::Limit)) => {
                return Ok(Err(Fault::Bad(e.to_string())));
            }
        };
        let skipped = h.number.checked_sub(self.number);
        let missing = h.before.checked_sub(self.before);
        let plausible = match (skipped, missing) {
            (Some(skipped), Some(missing)) => missing <= u64::from(skipped) * u64::from(MAX_RECORDS),
            _ => false,
        };
        if !plausible {
            return Ok(Err(Fault::Bad(format!("block {} does not follow block {}", h.number, self.number))));
        }
        let block = self.window.look(h.block_len())?;
        if block.len() < h.block_len() {
            return Ok(Err(Fault::Short("the file ends inside a block")));
        }
        if crc32c::crc32c(&block[BLOCK_HEADER_LEN..]) != h.payload_crc {
            self.rehashed += u64::from(h.stored_len);
            if self.rehashed > REHASH_LIMIT {
                self.window.step(h.block_len() - 1);
            }
            return Ok(Err(Fault::Bad("checksum of a block does not match".to_owned())));
        }
        Ok(Ok(h))
    }

    fn note(&mut self, at: u64, why: &str, bytes: u64) {
        let damage = self.damage.get_or_insert_with(|| Damage {
            at,
            why: why.to_owned(),
            skips: 0,
            skipped_bytes: 0,
            lost_records: 0,
            torn_at: None,
        });
        damage.skips += 1;
        damage.skipped_bytes += bytes;
    }

    /// A whole block whose content no writer makes: passed, its records count as lost.
    fn refuse(&mut self, h: &BlockHeader, why: &str) {
        self.note(self.window.offset(), why, h.block_len() as u64);
        // Number and count stay behind, so the next block reports what this one held.
        self.window.step(h.block_len());
    }

    /// Appends the records of the block; false (and nothing appended) if they contradict the format.
    fn records<T>(
        &mut self,
        h: &BlockHeader,
        out: &mut Vec<T>,
        mut map: impl FnMut(&Record) -> Option<T>,
    ) -> Result<bool, TraceError> {
        if h.encoding != encoding::COLUMNS {
            self.refuse(h, "unknown encoding of records, made by a newer version");
            return Ok(false);
        }
        let kept = out.len();
        out.reserve(h.count as usize);
        let block = self.window.look(h.block_len())?;
        let done =
            self.decoder.decode(&block[BLOCK_HEADER_LEN..], h.count, h.raw_len, |r| out.extend(map(r)));
        match done {
            Ok(()) => {
                self.last_ts = self.last_ts.max(h.last_ts);
                self.pass(h);
                Ok(true)
            }
            Err(fault) => {
                out.truncate(kept);
                self.refuse(h, &fault.to_string());
                Ok(false)
            }
        }
    }

    /// The JSON object in the block at the window, which stays there; notes damage if it is none.
    pub(super) fn json<T: DeserializeOwned>(&mut self, h: &BlockHeader) -> Result<Option<T>, TraceError> {
        let block = self.window.look(h.block_len())?;
        let parsed = metadata(h, &block[BLOCK_HEADER_LEN..]);
        match parsed {
            Ok(value) => Ok(Some(value)),
            Err(why) => {
                self.note(self.window.offset(), &why.to_string(), h.block_len() as u64);
                Ok(None)
            }
        }
    }
}

/// The JSON object in the payload of a block whose checksums hold. Its raw length is within the format's limit.
///
/// # Errors
/// If it does not decompress, or is no such object.
pub fn metadata<T: DeserializeOwned>(h: &BlockHeader, payload: &[u8]) -> Result<T, TraceError> {
    let foreign = |why: &str| TraceError::Io(io::Error::new(io::ErrorKind::InvalidData, why.to_owned()));
    match h.encoding {
        encoding::PLAIN => Ok(serde_json::from_slice(payload)?),
        encoding::ZSTD => match zstd::bulk::decompress(payload, h.raw_len as usize) {
            Ok(raw) if raw.len() == h.raw_len as usize => Ok(serde_json::from_slice(&raw)?),
            _ => Err(foreign("metadata does not decompress")),
        },
        _ => Err(foreign("unknown encoding of metadata")),
    }
}

//! Reading on at another place of a file: at a block that an index names, or behind a key frame.

use super::error::TraceError;
use super::format::{BLOCK_HEADER_LEN, BlockHeader, PREAMBLE_LEN, block_type, encoding, u32_at};
use super::index::IndexEntry;
use super::keyframe::{KeyState, PART_HEAD};
use super::reader::TraceReader;
use crate::meta::Update;
use std::io::{Read, Seek};
use vswap_common::Record;

impl<R: Read + Seek> TraceReader<R> {
    /// Goes on with the block of `entry`. False, and nothing can be read any more before the next jump, if that block
    /// is not there or not whole.
    ///
    /// # Errors
    /// If seeking or reading fails.
    pub fn jump(&mut self, entry: &IndexEntry) -> Result<bool, TraceError> {
        self.place(entry.offset, entry.number, entry.before)?;
        Ok(self.whole(entry)?.is_some())
    }

    /// Goes on with the first block after the header.
    ///
    /// # Errors
    /// If seeking or reading fails.
    pub fn rewind(&mut self) -> Result<(), TraceError> {
        self.place(PREAMBLE_LEN as u64, 0, 0)?;
        self.head()
    }

    /// The state of the key frame at `entry`; [`TraceReader::key_slots`] comes next. `None` if it is not whole, or no
    /// writer's.
    ///
    /// # Errors
    /// If seeking or reading fails.
    pub fn key_state(&mut self, entry: &IndexEntry) -> Result<Option<KeyState>, TraceError> {
        self.place(entry.offset, entry.number, entry.before)?;
        let Some(h) = self.whole(entry)?.filter(|h| h.kind == block_type::KEY) else { return Ok(None) };
        let state = self.json::<KeyState>(&h)?;
        self.pass(&h);
        Ok(state.filter(KeyState::plausible))
    }

    /// Hands out the slots of the key frame whose state was just read; reading goes on behind it. False if the frame
    /// is not whole: what was handed out must be dropped then.
    ///
    /// # Errors
    /// If reading fails.
    pub fn key_slots(&mut self, mut each: impl FnMut(&Record)) -> Result<bool, TraceError> {
        loop {
            let Ok(h) = self.check()? else { return Ok(false) };
            let (block, decoder) = self.block_and_decoder(&h)?;
            let payload = &block[BLOCK_HEADER_LEN..];
            let columns = payload.get(PART_HEAD..).zip(h.raw_len.checked_sub(PART_HEAD as u32));
            let (count, last) = (u32_at(payload, 0), u32_at(payload, 4) != 0);
            let Some((columns, raw_len)) = columns else { return Ok(false) };
            let known = h.kind == block_type::KEY_SLOTS && h.encoding == encoding::COLUMNS;
            if !known || decoder.decode(columns, count, raw_len, &mut each).is_err() {
                return Ok(false);
            }
            self.pass(&h);
            if last {
                return Ok(true);
            }
        }
    }

    /// The update at `entry`, if it is whole.
    ///
    /// # Errors
    /// If seeking or reading fails.
    pub fn update_at(&mut self, entry: &IndexEntry) -> Result<Option<Update>, TraceError> {
        self.place(entry.offset, entry.number, entry.before)?;
        match self.whole(entry)?.filter(|h| h.kind == block_type::UPDATE) {
            Some(h) => self.json(&h),
            None => Ok(None),
        }
    }

    /// Header of the block at the window if it is whole and the one that `entry` means.
    fn whole(&mut self, entry: &IndexEntry) -> Result<Option<BlockHeader>, TraceError> {
        let same = |h: &BlockHeader| h.number == entry.number && h.before == entry.before;
        Ok(self.check()?.ok().filter(same))
    }
}

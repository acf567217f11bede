//! The slot map beside a recording, for key frames and for the opening of the next file.

use super::Sink;
use crate::collector::Collector;
use crate::decode::decode;
use crate::meta::{CgroupInfo, ClockPair, DeviceInfo, Header, Update};
use crate::trace::{TraceError, TraceWriter};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use vswap_common::Record;

/// One point of history an hour: nobody looks at it, and it should cost nothing.
const HISTORY_NS: u64 = 3_600_000_000_000;
/// A frame waits until the file has grown by this many times what the frame takes: frames cost a tenth at most.
const GROWTH: u64 = 10;
/// What a frame takes, before the first was made: bytes at least, and a slot in use.
const FRAME_BYTES: u64 = 1500;
const SLOT_BYTES: u64 = 3;

/// What a reader of the file so far knows.
pub(super) struct State {
    collector: Collector,
    header: Header,
    devices: BTreeMap<u8, DeviceInfo>,
    cgroups: BTreeMap<u16, CgroupInfo>,
    /// Time of the last frame, or of the first record.
    framed_at: Option<u64>,
    /// Bytes of the file after the last frame.
    framed_bytes: u64,
    /// Bytes of the last frame.
    frame_size: u64,
}

impl State {
    pub(super) fn new(header: Header) -> Self {
        let devices = header.devices.iter().map(|d| (d.dev, d.clone())).collect();
        let cgroups = header.cgroups.iter().map(|c| (c.id, c.clone())).collect();
        Self {
            collector: Collector::new(Arc::new(header.clone()), HISTORY_NS),
            header,
            devices,
            cgroups,
            framed_at: None,
            framed_bytes: 0,
            frame_size: 0,
        }
    }

    pub(super) fn update(&mut self, update: &Update) {
        self.devices.extend(update.devices.iter().map(|d| (d.dev, d.clone())));
        self.cgroups.extend(update.cgroups.iter().map(|c| (c.id, c.clone())));
        self.collector.update(update);
    }

    pub(super) fn take(&mut self, records: &[Record]) {
        for record in records {
            match decode(record) {
                Ok(event) => self.collector.apply(&event),
                Err(_) => self.collector.note_undecodable(1),
            }
        }
    }

    pub(super) fn collector(&mut self) -> &mut Collector {
        &mut self.collector
    }

    /// A frame now would be true, late enough, and cheap beside what was written since the last.
    pub(super) fn frame_due(&mut self, every: Duration, bytes: u64) -> bool {
        if !self.collector.can_frame() {
            return false;
        }
        let ts = self.collector.now();
        let last = *self.framed_at.get_or_insert(ts);
        let late = u128::from(ts.saturating_sub(last)) >= every.as_nanos();
        let expected = self.frame_size.max(FRAME_BYTES + SLOT_BYTES * self.collector.used());
        late && bytes.saturating_sub(self.framed_bytes) >= GROWTH * expected
    }

    pub(super) fn write_frame(&mut self, writer: &mut TraceWriter<Sink>) -> Result<(), TraceError> {
        // The open block goes first, so that only the frame is measured.
        writer.flush()?;
        let before = writer.bytes();
        writer.key_frame(&self.collector.key_state(), self.collector.key_slots())?;
        self.framed_bytes = writer.bytes();
        self.frame_size = self.framed_bytes - before;
        self.framed_at = Some(self.collector.now());
        Ok(())
    }

    /// The state can be told as the opening of a file.
    pub(super) fn can_open(&self) -> bool {
        self.collector.can_frame()
    }

    /// Header of a file that goes on from here.
    pub(super) fn header(&self, clock: ClockPair, part: u32) -> Header {
        let in_use = self.collector.devices_in_use();
        Header {
            devices: self.devices.values().filter(|d| in_use.contains(&d.dev)).cloned().collect(),
            cgroups: self.cgroups.values().cloned().collect(),
            clock,
            from_swapon: false,
            part,
            ..self.header.clone()
        }
    }

    /// Opening records of such a file.
    pub(super) fn opening(
        &self,
        mut tell: impl FnMut(&Record) -> Result<(), TraceError>,
    ) -> Result<(), TraceError> {
        self.collector.opening(|record| tell(&record))
    }

    /// As [`State::opening`]; it is then the state of who reads the file of `header`. The old slot map goes as the new
    /// one comes, so that there is never more than one of them.
    pub(super) fn go_on(
        &mut self,
        header: Header,
        mut tell: impl FnMut(&Record) -> Result<(), TraceError>,
    ) -> Result<(), TraceError> {
        let before = std::mem::replace(self, Self::new(header));
        before.collector.into_opening(|record| {
            tell(&record)?;
            self.take(&[record]);
            Ok(())
        })
    }
}

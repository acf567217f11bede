//! Events of this host: the tracer's records, decoded.

use super::{Batch, Polled, Source};
use crate::decode::decode;
use crate::meta::Header;
use crate::tracer::{Drained, Options, Tracer};
use std::time::Duration;
use vswap_common::record::RECORD_SIZE;

/// The ring of this host. Dropping it detaches every hook.
pub struct LiveSource {
    tracer: Tracer,
    drained: Drained,
    ring_bytes: u64,
    /// Bytes found in the ring at one look, the most since somebody asked.
    fullest: u64,
    /// Bytes of the batches before, while each of them was as large as batches get.
    run: u64,
}

/// Bytes a record takes in the ring: itself and the kernel's header.
const IN_RING: u64 = RECORD_SIZE as u64 + 8;
/// A batch of this many may have left records behind.
const FULL_BATCH: usize = 32_768;

impl LiveSource {
    /// Attaches to this host.
    ///
    /// # Errors
    /// As [`Tracer::start`]: exit code 6 or 7 with what is missing.
    pub fn open(options: Options) -> anyhow::Result<Self> {
        let ring_bytes = options.ring_bytes;
        Ok(Self {
            tracer: Tracer::start(options)?,
            drained: Drained::default(),
            ring_bytes,
            fullest: 0,
            run: 0,
        })
    }
}

impl Source for LiveSource {
    fn header(&self) -> &Header {
        self.tracer.header()
    }

    fn poll(&mut self, batch: &mut Batch, timeout: Duration) -> anyhow::Result<Polled> {
        batch.clear();
        self.tracer.drain(&mut self.drained, timeout)?;
        for record in &self.drained.records {
            match decode(record) {
                Ok(event) => batch.events.push(event),
                Err(_) => batch.undecodable += 1,
            }
        }
        batch.updates.append(&mut self.drained.updates);
        let taken = self.drained.records.len();
        self.run += taken as u64 * IN_RING;
        self.fullest = self.fullest.max(self.run);
        if taken < FULL_BATCH {
            self.run = 0;
        }
        Ok(Polled::More)
    }

    fn ring_fill(&mut self) -> Option<f64> {
        let fullest = std::mem::take(&mut self.fullest);
        Some((fullest as f64 / self.ring_bytes.max(1) as f64).min(1.0))
    }

    fn verify(&mut self) -> Result<(), String> {
        self.tracer.verify_twice()
    }
}

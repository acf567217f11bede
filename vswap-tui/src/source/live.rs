//! Events of this host: the tracer's records, decoded.

use super::{Batch, Polled, Source};
use crate::decode::decode;
use crate::meta::Header;
use crate::tracer::{Drained, Options, Tracer};
use std::time::Duration;

/// The ring of this host. Dropping it detaches every hook.
pub struct LiveSource {
    tracer: Tracer,
    drained: Drained,
}

impl LiveSource {
    /// Attaches to this host with a ring of `ring_bytes`; `for_model` tells what only the model needs too (two to
    /// three records more a page), `scan` reads the kernel's tables first if swap is in use.
    ///
    /// # Errors
    /// As [`Tracer::start`]: exit code 6 or 7 with what is missing.
    pub fn open(ring_bytes: u64, for_model: bool, scan: bool, debug_bpf: bool) -> anyhow::Result<Self> {
        Ok(Self {
            tracer: Tracer::start(Options { ring_bytes, debug: debug_bpf, slots_only: !for_model, scan })?,
            drained: Drained::default(),
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
        Ok(Polled::More)
    }
}

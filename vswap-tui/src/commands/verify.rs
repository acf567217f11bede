//! `vswap record --verify`: the slot map made from the records, held against the kernel's own tables at the end.

use crate::collector::Collector;
use crate::decode::decode;
use crate::exit::{Exit, ExitError};
use crate::meta::Header;
use crate::snapshot::VerifyView;
use crate::tracer::{Drained, Tracer};
use std::sync::Arc;
use std::time::Duration;

/// Looks at most: under load a slot may change between an event and a read of it, but hardly the same one each time.
const MAX_LOOKS: u32 = 4;
/// One point of history a second; nobody looks at it.
const HISTORY_NS: u64 = 1_000_000_000;

/// The slot map beside a recording.
pub(super) struct Verifier {
    collector: Collector,
}

impl Verifier {
    /// # Errors
    /// `NotSupported` (7) if the tables cannot be read here, with the reason.
    pub(super) fn new(tracer: &Tracer) -> anyhow::Result<Self> {
        if let Err(why) = tracer.can_scan() {
            let message = format!("--verify reads the kernel's tables, which is not possible here: {why}");
            return Err(ExitError::new(Exit::NotSupported, message));
        }
        let header: Arc<Header> = Arc::new(tracer.header().clone());
        Ok(Self { collector: Collector::new(header, HISTORY_NS) })
    }

    /// Takes in what goes into the recording.
    pub(super) fn take(&mut self, drained: &Drained) {
        for update in &drained.updates {
            self.collector.update(update);
        }
        for record in &drained.records {
            match decode(record) {
                Ok(event) => self.collector.apply(&event),
                Err(_) => self.collector.note_undecodable(1),
            }
        }
    }

    /// Compares until nothing differs, or the same slots differ in the last look of several. `each` gets what was
    /// drained meanwhile.
    pub(super) fn compare(
        &mut self,
        tracer: &mut Tracer,
        mut each: impl FnMut(&Drained) -> anyhow::Result<()>,
    ) -> anyhow::Result<VerifyView> {
        let mut drained = Drained::default();
        loop {
            tracer.verify();
            while tracer.scanning() {
                tracer.drain(&mut drained, Duration::from_millis(50))?;
                self.take(&drained);
                each(&drained)?;
            }
            if let Some(why) = tracer.scan_result().and_then(|r| r.failed) {
                return Err(ExitError::new(Exit::Failure, format!("--verify did not get to the end: {why}")));
            }
            let view = self.collector.snapshot().verify.unwrap_or_default();
            if view.differing == 0 || view.looks >= MAX_LOOKS {
                return Ok(view);
            }
        }
    }
}

/// The result in words, on stderr.
pub(super) fn tell(view: &VerifyView) {
    let unknown = match view.unknown {
        0 => String::new(),
        n => format!(" ({n} more are not known for certain)"),
    };
    eprintln!(
        "vswap: compared {} slots with the kernel's tables{unknown}: {} differ",
        view.checked, view.differing
    );
    for example in &view.examples {
        eprintln!("vswap: {example}");
    }
}

//! `vswap record --verify`: the slot map made from the records, held against the kernel's own tables at the end.

use super::desk::Desk;
use crate::exit::{Exit, ExitError};
use crate::snapshot::VerifyView;
use crate::tracer::{Drained, Tracer};
use std::time::Duration;

/// Looks at most: under load a slot may change between an event and a read of it, but hardly the same one each time.
const MAX_LOOKS: u32 = 4;

/// Fails early where the tables cannot be read.
///
/// # Errors
/// `NotSupported` (7) with the reason.
pub(super) fn check(tracer: &Tracer) -> anyhow::Result<()> {
    tracer.can_scan().map_err(|why| {
        let message = format!("--verify reads the kernel's tables, which is not possible here: {why}");
        ExitError::new(Exit::NotSupported, message)
    })
}

/// Compares until nothing differs, or the same slots differ in the last look of several. What is drained meanwhile goes
/// into the recording.
pub(super) fn compare(tracer: &mut Tracer, desk: &mut Desk) -> anyhow::Result<VerifyView> {
    let mut drained = Drained::default();
    // One that runs is worth its end: without it nothing is certain.
    finish_scan(tracer, desk, &mut drained)?;
    for look in 0.. {
        tracer.verify(look);
        finish_scan(tracer, desk, &mut drained)?;
        if let Some(why) = tracer.scan_result().and_then(|r| r.failed) {
            return Err(ExitError::new(Exit::Failure, format!("--verify did not get to the end: {why}")));
        }
        let view = desk.ask(|r| Ok(r.slot_map().and_then(|c| c.snapshot().verify)))?.unwrap_or_default();
        if view.differing == 0 || view.looks >= MAX_LOOKS {
            return Ok(view);
        }
    }
    Ok(VerifyView::default())
}

fn finish_scan(tracer: &mut Tracer, desk: &mut Desk, drained: &mut Drained) -> anyhow::Result<()> {
    while tracer.scanning() {
        tracer.drain(drained, Duration::from_millis(50))?;
        desk.take(drained)?;
    }
    Ok(())
}

/// The result in words, on stderr.
pub(super) fn tell(view: &VerifyView) {
    let unknown = match view.unknown {
        0 => String::new(),
        n => format!(" ({n} more are not known for certain)"),
    };
    crate::say!(
        "vswap: compared {} slots with the kernel's tables{unknown}: {} differ",
        view.checked,
        view.differing
    );
    for example in &view.examples {
        crate::say!("vswap: {example}");
    }
}

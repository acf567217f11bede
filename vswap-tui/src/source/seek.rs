//! Going to another time of a trace file: from the last key frame before it, else from the beginning.

use super::trace::explain;
use crate::collector::Collector;
use crate::meta::Header;
use crate::snapshot::Point;
use crate::trace::index::IndexEntry;
use crate::trace::{Index, TraceError, TraceReader};
use std::fs::File;
use std::sync::Arc;

/// The state at the last place at or before `ts`; `reader` goes on behind it.
pub(super) fn seek(
    reader: &mut TraceReader<File>,
    index: &Index,
    header: &Arc<Header>,
    ts: u64,
    interval_ns: u64,
    history: &[Point],
) -> anyhow::Result<Collector> {
    // Frames that are damaged, or not what the index says, are passed over for the one before.
    for key in index.keys.iter().rev().filter(|k| k.last_ts <= ts) {
        if let Some(collector) =
            at_frame(reader, index, header, key, interval_ns, history).map_err(explain)?
        {
            return Ok(collector);
        }
    }
    reader.rewind().map_err(explain)?;
    Ok(Collector::new(Arc::clone(header), interval_ns))
}

/// The state of one frame; `None` if it is not whole.
fn at_frame(
    reader: &mut TraceReader<File>,
    index: &Index,
    header: &Arc<Header>,
    key: &IndexEntry,
    interval_ns: u64,
    history: &[Point],
) -> Result<Option<Collector>, TraceError> {
    let mut names = Vec::new();
    for entry in index.updates.iter().take_while(|u| u.offset < key.offset) {
        names.extend(reader.update_at(entry)?);
    }
    let Some(state) = reader.key_state(key)? else { return Ok(None) };
    if state.ts != key.last_ts {
        return Ok(None);
    }
    let mut collector = Collector::restore(Arc::clone(header), interval_ns, &names, &state, history);
    let mut foreign = 0u64;
    let whole = reader.key_slots(|r| foreign += u64::from(!collector.restore_slot(r)))?;
    Ok((whole && foreign == 0).then_some(collector))
}

//! One allocation of one thread, from its begin to its outcome, and what the model is told about it.

use crate::model::{FolioFacts, Oracle};
use vswap_common::Entry;

/// Folios reclaimed by one request that are remembered; the kernel scans one cluster of 512 slots.
const MAX_RECLAIMED: usize = 512;

/// An open request.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    /// Order asked for.
    pub(super) order: u8,
    /// First slots of the folios the thread took out of the cache on its way: the allocator reclaimed them.
    pub(super) reclaimed: Vec<Entry>,
    /// Runs the thread freed on its way.
    pub(super) freed: Vec<(Entry, u16)>,
    /// The slots were told; what follows is no longer part of the search.
    pub(super) told: bool,
    /// The first cluster the allocator looked into: list number, order, and the cluster, `None` if it found none on
    /// that list it could lock.
    pub(super) first_look: Option<(i32, u8, Option<Entry>)>,
    /// Number of events of other CPUs before the request began, to see whether any came in between.
    pub(super) foreign_before: u64,
}

impl Request {
    /// Notes a reclaimed folio.
    pub(super) fn reclaim(&mut self, head: Entry) {
        if self.reclaimed.len() < MAX_RECLAIMED {
            self.reclaimed.push(head);
        }
    }
}

/// Answers the model's questions from the trace.
pub(super) struct Witness<'a> {
    /// Slot the kernel took, `None` if it refused the request.
    pub(super) took: Option<Entry>,
    /// Folios that could be reclaimed: those that were.
    pub(super) reclaimed: &'a [Entry],
}

impl Oracle for Witness<'_> {
    fn folio(&mut self, head: Entry, _order: u8) -> FolioFacts {
        if self.reclaimed.contains(&head) { FolioFacts::IDLE } else { FolioFacts::LOCKED }
    }

    fn agrees(&mut self, at: Entry) -> bool {
        self.took == Some(at)
    }
}

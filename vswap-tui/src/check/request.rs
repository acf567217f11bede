//! One allocation of one thread, from its begin to its outcome, and what the model is told about it.

use crate::decode::Event;
use crate::model::{Flag, FolioFacts, ListId, Oracle, Step};
use vswap_common::Entry;

/// Folios reclaimed by one request that are remembered; the kernel scans one cluster of 512 slots.
const MAX_RECLAIMED: usize = 512;
/// Lists asked by one request that are remembered. Stealing asks about 20; full clusters that are scanned in vain add
/// one each.
const MAX_LOOKS: usize = 256;

/// A list that was asked for a cluster, and the cluster it gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Look {
    pub(super) dev: u8,
    /// `None` for a list head we do not know.
    pub(super) list: Option<ListId>,
    pub(super) found: Option<u32>,
}

impl Look {
    /// What the kernel recorded (`isolate_lock_cluster`); `cluster_of` is the device's arithmetic.
    pub(super) fn of(e: &Event, cluster: u32) -> Self {
        let list = match e.val {
            1 => Some(ListId::Free),
            2 => Some(ListId::Nonfull(e.order)),
            3 => Some(ListId::Frag(e.order)),
            4 => Some(ListId::Full),
            _ => None,
        };
        Self { dev: e.entry.dev(), list, found: (e.nr > 0).then_some(cluster) }
    }

    /// The same for the model.
    pub(super) const fn by_model(step: &Step) -> Option<Self> {
        match *step {
            Step::Isolate(dev, list, found) => Some(Self { dev, list: Some(list), found }),
            _ => None,
        }
    }
}

/// An open request.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    /// Its begin is in the trace, and so is what it looked at.
    pub(super) begun: bool,
    /// CPU it began on.
    pub(super) cpu: u16,
    /// Order asked for.
    pub(super) order: u8,
    /// First slots of the folios the thread took out of the cache on its way: the allocator reclaimed them.
    pub(super) reclaimed: Vec<Entry>,
    /// Runs the thread freed on its way.
    pub(super) freed: Vec<(Entry, u16)>,
    /// The slots were told; what follows is no longer part of the search.
    pub(super) told: bool,
    /// The lists it asked, in order.
    pub(super) looks: Vec<Look>,
    /// It asked more than are remembered.
    pub(super) forgot_looks: bool,
    /// A cluster it took off the free list went back there unscanned: there was no memory for its tables.
    pub(super) no_memory: bool,
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

    /// Notes a list that was asked.
    pub(super) fn look(&mut self, look: Look) {
        if self.looks.len() < MAX_LOOKS {
            self.looks.push(look);
        } else {
            self.forgot_looks = true;
        }
    }

    /// Notes a move of a cluster by the thread that searches.
    pub(super) fn moved(&mut self, cluster: u32, flag: u8) {
        let last = self.looks.last();
        let from_free = last.is_some_and(|l| l.list == Some(ListId::Free) && l.found == Some(cluster));
        self.no_memory |= flag == Flag::Free as u8 && from_free && self.freed.is_empty();
    }

    /// The kernel's way against the model's `steps`.
    pub(super) fn compare(&self, steps: &[Step]) -> Way {
        let mut ours = steps.iter().filter_map(Look::by_model);
        for kernel in &self.looks {
            match ours.next() {
                Some(model) if model == *kernel => {}
                // The same list, but not its head: that was locked. All locked means empty.
                Some(model)
                    if (model.dev, model.list) == (kernel.dev, kernel.list) && model.found.is_some() =>
                {
                    return Way::Skipped;
                }
                _ => return Way::Other,
            }
        }
        if ours.next().is_none() { Way::Same } else { Way::Other }
    }
}

/// How the ways of kernel and model through the lists compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// The same lists gave the same clusters.
    Same,
    /// They part where the kernel passed over the head of a list (`isolate_lock_cluster` skips what is locked, and
    /// takes a list whose clusters are all locked for empty).
    Skipped,
    /// They part elsewhere.
    Other,
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

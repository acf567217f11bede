//! Physical slots behind virtual ones, as a scan finds them.
//!
//! The rule is that of the slots: a scan speaks only of what no event told since it began. A link between two slots comes
//! with `Back` or `Write` and goes with `Unback`, which all name the physical slot; so what none of them named has kept
//! its link, whatever became of the virtual slot meanwhile.

use crate::collector::Collector;
use crate::decode::Event;
use crate::memory::Claim;
use rustc_hash::FxHashSet;
use vswap_common::{Entry, flags};

/// Physical slots followed during one scan, in some 40 MiB.
const MAX_TOUCHED: usize = 2 << 20;
/// Bytes of one, in a table that may be half empty.
const SLOT: u64 = 2 * (size_of::<u64>() as u64 + 1);

/// Physical slots whose link events told of since the scan began.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// A scan runs.
    on: bool,
    slots: FxHashSet<u64>,
    /// More than there is room for: the scan teaches no link any more.
    overflow: bool,
    claim: Claim,
}

impl Touched {
    pub(super) fn begin(&mut self) {
        *self = Self { on: true, ..Self::default() };
    }

    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    fn note(&mut self, phys: Entry, nr: u16) {
        if !self.on || self.overflow {
            return;
        }
        if self.slots.len() >= MAX_TOUCHED || !self.claim.grow(u64::from(nr) * SLOT) {
            *self = Self { on: true, overflow: true, ..Self::default() };
            return;
        }
        self.slots.extend((0..u64::from(nr)).map(|i| phys.add(i).0));
    }

    fn has(&self, phys: Entry) -> bool {
        self.overflow || self.slots.contains(&phys.0)
    }
}

impl Collector {
    /// An event told of the link of physical slots.
    pub(in crate::collector) fn touch_backing(&mut self, phys: Entry, nr: u16) {
        self.scanning.touched.note(phys, nr);
    }

    /// The scan found physical slots behind virtual ones.
    pub(in crate::collector) fn scan_backed(&mut self, e: &Event) {
        if e.flags & flags::VERIFY != 0 {
            return self.compare_links(e);
        }
        for i in 0..u64::from(e.nr) {
            let (virt, phys) = (Entry(e.arg).add(i), e.entry.add(i));
            let free = self.map.links.phys_of(virt).is_none() && self.map.links.owner_of(phys).is_none();
            if free && !self.scanning.touched.has(phys) {
                self.back(&Event { entry: phys, nr: 1, ..*e }, virt, phys);
            }
        }
    }
}

//! The state of the design when it used most physical slots, and the highest sums of the rest.

use super::room::{Marks, Room, Rooms};
use crate::model::{Backing, Cost, Model};
use serde::Serialize;

/// Slots by where their data is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Mix {
    /// Only in memory.
    pub folio: u64,
    /// Nowhere: zero-filled.
    pub zero: u64,
    /// Compressed in zswap.
    pub zswap: u64,
    /// On a device.
    pub phys: u64,
}

impl Mix {
    pub(super) fn of(&mut self, backing: Backing) -> &mut u64 {
        match backing {
            Backing::None | Backing::Folio => &mut self.folio,
            Backing::Zero => &mut self.zero,
            Backing::Zswap(_) => &mut self.zswap,
            Backing::Phys(_) => &mut self.phys,
        }
    }

    /// Slots whose data is not on a device.
    pub const fn elsewhere(&self) -> u64 {
        self.folio + self.zero + self.zswap
    }
}

/// Peaks of one design. The details of the peak are taken when use is about to fall from it, not each time it rises.
pub(super) struct Peak {
    /// Most physical slots in use.
    pub(super) phys: u64,
    /// Most virtual slots in use.
    pub(super) virt: u64,
    /// Metadata when its sum was highest.
    pub(super) cost: Cost,
    cost_total: u64,
    /// Use stands at its peak, whose details are not taken yet.
    open: bool,
    /// Slots by place at the peak.
    pub(super) mix: Mix,
    /// Room at the peak.
    pub(super) room: Room,
    /// Charged slots at the peak, by memcg id.
    pub(super) charged: Vec<u64>,
    /// Groups whose charge may have changed since `charged` was taken.
    owners: Marks,
}

impl Default for Peak {
    fn default() -> Self {
        Self {
            phys: 0,
            virt: 0,
            cost: Cost::default(),
            cost_total: 0,
            // A design that never needs a physical slot has its peak to the end.
            open: true,
            mix: Mix::default(),
            room: Room::default(),
            charged: Vec::new(),
            owners: Marks::default(),
        }
    }
}

impl Peak {
    /// Takes in the state after an event.
    pub(super) fn measure(&mut self, model: &Model) {
        let phys = used(model);
        if phys > self.phys {
            self.phys = phys;
            self.open = true;
        }
        if model.config().policy.virt.is_some() {
            self.virt = self.virt.max(model.device(0).map_or(0, |device| device.inuse));
        }
        let cost = model.cost();
        let total = cost.total();
        if total > self.cost_total {
            (self.cost, self.cost_total) = (cost, total);
        }
    }

    /// The charge of a group changes.
    #[inline]
    pub(super) fn charges(&mut self, id: u16) {
        if id != 0 {
            self.owners.mark(id.into());
        }
    }

    /// Use may fall now: takes the details of a peak that it still stands at. What happens while use stays there is
    /// part of them, so they are taken again each time.
    #[inline]
    pub(super) fn settle(&mut self, model: &Model, mix: Mix, rooms: &mut Rooms) {
        if self.open {
            if used(model) < self.phys {
                self.open = false;
                return;
            }
            self.mix = mix;
            self.room = rooms.now(model);
            while let Some(id) = self.owners.take() {
                let id = id as usize;
                if id >= self.charged.len() {
                    self.charged.resize(id + 1, 0);
                }
                self.charged[id] = model.charges().get(id as u16).own;
            }
        }
    }
}

/// Physical slots in use.
fn used(model: &Model) -> u64 {
    u64::try_from(model.total_pages() - model.free_pages()).unwrap_or(0)
}

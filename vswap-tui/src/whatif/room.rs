//! Fragmentation: how many more folios of each order would fit on the physical devices. Counted cluster by cluster
//! and only where something changed, so that the state at the peak can be had each time the peak moves.

use crate::model::{Device, Model};
use serde::Serialize;
use vswap_common::Entry;
use vswap_common::slot::ORDERS;

/// Numbers marked once each until they are taken.
#[derive(Default)]
pub(super) struct Marks {
    marked: Vec<bool>,
    list: Vec<u32>,
}

impl Marks {
    pub(super) fn mark(&mut self, n: u32) {
        let i = n as usize;
        if i >= self.marked.len() {
            self.marked.resize(i + 1, false);
        }
        if !std::mem::replace(&mut self.marked[i], true) {
            self.list.push(n);
        }
    }

    pub(super) fn take(&mut self) -> Option<u32> {
        let n = self.list.pop()?;
        self.marked[n as usize] = false;
        Some(n)
    }
}

/// Free room of all physical devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Room {
    /// Free slots.
    pub free_slots: u64,
    /// Folios of each order that would fit, if only they came: free runs of 2^order slots at a multiple of it.
    pub fits_by_order: [u64; ORDERS],
}

/// Room in one cluster, by order.
type Fits = [u16; ORDERS];

#[derive(Default)]
struct Clusters {
    fits: Vec<Fits>,
    changed: Marks,
}

/// Room by device and cluster, with the clusters that changed since they were counted.
#[derive(Default)]
pub(super) struct Rooms {
    devices: Vec<Clusters>,
    total: Room,
}

impl Rooms {
    /// A device of so many clusters came, or with 0 went.
    pub(super) fn set_device(&mut self, d: u8, clusters: usize) {
        let d = usize::from(d);
        if d >= self.devices.len() {
            self.devices.resize_with(d + 1, Clusters::default);
        }
        let old = std::mem::take(&mut self.devices[d]);
        old.fits.iter().for_each(|fits| self.count(fits, false));
        self.devices[d].fits.resize(clusters, Fits::default());
        (0..clusters).for_each(|c| self.devices[d].changed.mark(c as u32));
    }

    /// Slots of this cluster were taken or given back.
    pub(super) fn changed(&mut self, at: Entry, shift: u32) {
        if let Some(device) = self.devices.get_mut(usize::from(at.dev())) {
            let c = (at.off() >> shift) as usize;
            if c < device.fits.len() {
                device.changed.mark(c as u32);
            }
        }
    }

    /// The room now.
    pub(super) fn now(&mut self, model: &Model) -> Room {
        for d in 0..self.devices.len() {
            let Some(device) = model.device(d as u8) else { continue };
            while let Some(c) = self.devices[d].changed.take() {
                let new = fits(device, c, model.config().thp_swap);
                let Some(slot) = self.devices[d].fits.get_mut(c as usize) else { continue };
                let old = std::mem::replace(slot, new);
                self.count(&old, false);
                self.count(&new, true);
            }
        }
        self.total
    }

    fn count(&mut self, fits: &Fits, add: bool) {
        for (sum, n) in self.total.fits_by_order.iter_mut().zip(fits) {
            *sum = if add { *sum + u64::from(*n) } else { *sum - u64::from(*n) };
        }
        self.total.free_slots = self.total.fits_by_order[0];
    }
}

/// Free aligned runs of a cluster by order; of order 0 alone where folios are not swapped as a whole.
fn fits(device: &Device, c: u32, thp_swap: bool) -> Fits {
    let slots = device.cluster_slots() as usize;
    let Some(cluster) = device.clusters.get(c as usize) else { return Fits::default() };
    let mut bits = [0u64; 8];
    for (bits, marks) in bits[..slots / 64].iter_mut().zip(cluster.marks()) {
        *bits = !marks.used;
    }
    let mut fits = Fits::default();
    fits[0] = bits.iter().map(|bits| bits.count_ones() as u16).sum();
    if !thp_swap || !device.block_device {
        return fits;
    }
    // Bit i of a mask: the run of this order that begins at i is free.
    let starts = [
        0x5555_5555_5555_5555u64,
        0x1111_1111_1111_1111,
        0x0101_0101_0101_0101,
        0x0001_0001_0001_0001,
        0x0000_0001_0000_0001,
        1,
    ];
    for (order, start) in (1..).zip(starts) {
        for bits in &mut bits {
            *bits &= *bits >> (1u32 << (order - 1)) & start;
        }
        fits[order] = bits.iter().map(|bits| bits.count_ones() as u16).sum();
    }
    for (words, fits) in [2, 4, 8].into_iter().zip(&mut fits[7..]) {
        let whole = |words: &&[u64]| words.iter().all(|bits| *bits == 1);
        *fits = bits.chunks_exact(words).filter(whole).count() as u16;
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::policy::SWAP_TABLE;
    use crate::model::{Config, DeviceSpec, Folio, Undisturbed};

    fn machine(thp_swap: bool) -> (Model, Rooms) {
        let mut model = Model::new(Config { thp_swap, ..Config::new(SWAP_TABLE) });
        model.swapon(&DeviceSpec::block(1024)).unwrap();
        let mut rooms = Rooms::default();
        rooms.set_device(0, model.device(0).unwrap().clusters.len());
        (model, rooms)
    }

    #[test]
    fn a_header_costs_one_run_of_each_order() {
        let (model, mut rooms) = machine(true);
        let room = rooms.now(&model);
        assert_eq!(room.free_slots, 1023);
        let want: Vec<u64> = (0..10).map(|order| (1024 >> order) - 1).collect();
        assert_eq!(room.fits_by_order, want[..]);
    }

    #[test]
    fn only_marked_clusters_are_counted_again_and_a_device_takes_its_room_along() {
        let (mut model, mut rooms) = machine(true);
        let before = rooms.now(&model);
        let folio = Folio { pfn: 1, order: 4, memcg: 0 };
        let at = model.alloc_folio(0, folio, &mut Undisturbed).slot.unwrap();
        assert_eq!(rooms.now(&model), before, "not marked");
        rooms.changed(at, 9);
        let after = rooms.now(&model);
        assert_eq!(after.free_slots, before.free_slots - 16);
        assert_eq!(after.fits_by_order[4], before.fits_by_order[4] - 1);
        rooms.set_device(0, 0);
        assert_eq!(rooms.now(&model), Room::default());
    }

    #[test]
    fn without_thp_swap_only_order_0_fits() {
        let (model, mut rooms) = machine(false);
        let room = rooms.now(&model);
        assert_eq!((room.free_slots, room.fits_by_order[0], room.fits_by_order[1]), (1023, 1023, 0));
    }
}

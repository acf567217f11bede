//! A swap device (`struct swap_info_struct`) and how `swapon` sets it up.

use super::cluster::{Cluster, Flag, ROOM, Tables};
use super::fault::Fault;
use super::index::Indices;
use super::lists::Lists;
use super::vword::Vword;
use super::word::Word;
use super::xarray::ZswapTrees;
use vswap_common::slot::ORDERS;

/// Priority of a `swapon` that names none (`DEF_SWAP_PRIO`).
pub const DEFAULT_PRIORITY: i32 = -1;

/// Tables of emptied clusters kept for the next ones, per device.
const SPARE_TABLES: usize = 32;

/// What `swapon` is told, or reads from the header and the block device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceSpec {
    /// `last_page` of the header: highest offset.
    pub last_page: u64,
    /// Bad pages of the header.
    pub bad_pages: Vec<u64>,
    /// Priority, [`DEFAULT_PRIORITY`] if none was named.
    pub priority: i32,
    /// A block device; else a regular file, which never takes large folios (`SWP_BLKDEV`).
    pub block_device: bool,
    /// Backing device is not rotational (`SWP_SOLIDSTATE`).
    pub solid_state: bool,
    /// Reads and writes complete in the caller: zram (`SWP_SYNCHRONOUS_IO`).
    pub synchronous: bool,
    /// Freed clusters are discarded (`SWP_PAGE_DISCARD`).
    pub page_discard: bool,
}

impl DeviceSpec {
    /// A solid-state block device of `max` pages, header included, at the default priority.
    pub const fn block(max: u64) -> Self {
        Self {
            last_page: max.saturating_sub(1),
            bad_pages: Vec::new(),
            priority: DEFAULT_PRIORITY,
            block_device: true,
            solid_state: true,
            synchronous: false,
            page_discard: false,
        }
    }
}

/// One device. A type whose device is gone keeps an empty one with `live` false.
#[derive(Debug, Default)]
pub struct Device {
    /// In use as a swap type.
    pub live: bool,
    /// The virtual device.
    pub virt: bool,
    /// See [`DeviceSpec::block_device`].
    pub block_device: bool,
    /// See [`DeviceSpec::solid_state`].
    pub solid_state: bool,
    /// See [`DeviceSpec::synchronous`].
    pub synchronous: bool,
    /// See [`DeviceSpec::page_discard`].
    pub page_discard: bool,
    /// Allocation allowed (`SWP_WRITEOK`).
    pub writeok: bool,
    /// Not on the avail list (`SWAP_USAGE_OFFLIST_BIT`).
    pub off_avail: bool,
    /// Reclaim of full clusters is queued (`reclaim_work`).
    pub reclaim_queued: bool,
    /// Discards are queued (`discard_work`).
    pub discard_queued: bool,
    /// Priority.
    pub priority: i32,
    /// Number of the enabling that put it where it is among its equals.
    pub enabled: u32,
    /// Offsets are below this.
    pub max: u64,
    /// Usable slots.
    pub pages: u64,
    /// Slots in use.
    pub inuse: u64,
    /// Bad slots: header, holes, padding.
    pub bad: u64,
    /// Clusters that hold tables.
    pub populated: u32,
    /// Extend tables.
    pub extends: u32,
    /// Clusters by index.
    pub clusters: Vec<Cluster>,
    /// Cluster lists.
    pub lists: Lists,
    /// Shared cache of a rotational device, offset by order (`global_cluster`).
    pub shared: [u64; ORDERS],
    pub(super) indices: Indices,
    /// Populated clusters with [`Cluster::direct`].
    pub(super) direct: u32,
    /// zswap entries of direct-mapped slots.
    pub(super) trees: ZswapTrees,
    spare: Vec<Box<Tables>>,
    shift: u32,
}

impl Device {
    /// Sets a physical device up (`swapon`, `setup_swap_clusters_info`). Not yet enabled.
    ///
    /// # Errors
    /// [`Fault::Setup`] for a header the kernel refuses.
    pub(super) fn physical(spec: &DeviceSpec, shift: u32) -> Result<Self, Fault> {
        if spec.last_page == 0 {
            return Err(Fault::Setup("an empty swap area"));
        }
        if !spec.block_device && !spec.bad_pages.is_empty() {
            return Err(Fault::Setup("bad pages in a regular file"));
        }
        let max = spec.last_page + 1;
        let size = 1u64 << shift;
        let count = max.div_ceil(size);
        if u32::try_from(count).map_or(true, |c| c == u32::MAX) {
            return Err(Fault::Setup("more clusters than a 32-bit index names"));
        }
        let mut dev = Self {
            live: true,
            block_device: spec.block_device,
            solid_state: spec.solid_state,
            synchronous: spec.synchronous,
            page_discard: spec.page_discard,
            off_avail: true,
            priority: spec.priority,
            max,
            pages: max - 1,
            shift,
            ..Self::default()
        };
        dev.clusters.resize_with(count as usize, || Cluster::new(Flag::Free));
        dev.lists.grow(count as usize);
        dev.mark_bad(0);
        for &page in &spec.bad_pages {
            if page == 0 || page > spec.last_page {
                return Err(Fault::Setup("a bad page outside the area"));
            }
            if !dev.mark_bad(page) {
                return Err(Fault::Setup("a bad page named twice"));
            }
            dev.pages -= 1;
        }
        for page in max..count * size {
            dev.mark_bad(page);
        }
        if dev.pages == 0 {
            return Err(Fault::Setup("no usable page"));
        }
        for c in 0..dev.clusters.len() as u32 {
            let cluster = &mut dev.clusters[c as usize];
            cluster.flag = if cluster.count > 0 { Flag::Nonfull } else { Flag::Free };
            let list = super::ListId::of(cluster.flag, 0);
            if let Some(list) = list {
                dev.lists.append(list, c);
            }
        }
        Ok(dev)
    }

    /// The most memory that a physical device of `max` slots takes in the model, bytes: all clusters populated, of
    /// `1 << shift` slots each. The tables of a small cluster are as large as those of a large one.
    pub const fn memory(max: u64, shift: u32) -> u64 {
        let links = 4 * size_of::<u32>() as u64;
        let cluster = (size_of::<Cluster>() + size_of::<Tables>()) as u64 + links;
        max.div_ceil(1 << shift).saturating_mul(cluster)
    }

    /// The same for slots of the virtual device, whose tables say where the data is as well.
    pub const fn virtual_memory(max: u64, shift: u32) -> u64 {
        let places = (ROOM * size_of::<Vword>()) as u64;
        Self::memory(max, shift).saturating_add(max.div_ceil(1 << shift).saturating_mul(places))
    }

    /// The virtual device as it stands after boot (`vswap_init`): cluster 0 with the header slot, on no list.
    pub(super) fn virtual_device(max: u64, shift: u32) -> Self {
        let mut dev = Self {
            live: true,
            virt: true,
            solid_state: true,
            writeok: true,
            off_avail: true,
            priority: 32767,
            max,
            pages: max - 1,
            shift,
            ..Self::default()
        };
        dev.ensure_cluster(0);
        dev.indices.take(0);
        dev.mark_bad(0);
        // The header cluster serves nobody and has no virtual table.
        dev.clusters[0].flag = Flag::None;
        if let Some(tables) = &mut dev.clusters[0].tables {
            tables.vwords = Box::default();
        }
        dev
    }

    /// Marks one slot Bad at setup (`swap_cluster_setup_bad_slot`); false if it was already.
    fn mark_bad(&mut self, page: u64) -> bool {
        let c = (page >> self.shift) as u32;
        self.populate(c);
        let slot = (page & ((1 << self.shift) - 1)) as usize;
        let cluster = &mut self.clusters[c as usize];
        if cluster.word(slot) == Word::BAD {
            return false;
        }
        cluster.replace(slot..slot + 1, |_| Word::BAD);
        cluster.count += 1;
        self.bad += 1;
        true
    }

    /// Room for a virtual cluster of index `c`.
    pub(super) fn ensure_cluster(&mut self, c: u32) {
        while self.clusters.len() <= c as usize {
            self.clusters.push(Cluster::new(Flag::Dead));
        }
        self.lists.grow(self.clusters.len());
    }

    /// Gives an empty cluster its tables.
    pub(super) fn populate(&mut self, c: u32) {
        let cluster = &mut self.clusters[c as usize];
        if cluster.tables.is_none() {
            let fresh = || Box::new(Tables::new(self.virt));
            cluster.tables = Some(self.spare.pop().unwrap_or_else(fresh));
            cluster.generation = cluster.generation.wrapping_add(1);
            cluster.direct = false;
            self.populated += 1;
        }
    }

    /// Takes the tables of an emptied cluster back. Every word and vword in them is already zero, so the next
    /// cluster can have them as they are.
    pub(super) fn depopulate(&mut self, c: u32) {
        if let Some(mut tables) = self.clusters[c as usize].tables.take() {
            self.populated -= 1;
            self.direct -= u32::from(std::mem::take(&mut self.clusters[c as usize].direct));
            if tables.extend.take().is_some() {
                self.extends -= 1;
            }
            if self.spare.len() < SPARE_TABLES {
                self.spare.push(tables);
            }
        }
    }

    /// Cluster of an offset.
    pub fn cluster_of(&self, off: u64) -> u32 {
        (off >> self.shift) as u32
    }

    /// First offset of a cluster.
    pub fn base(&self, c: u32) -> u64 {
        u64::from(c) << self.shift
    }

    /// Slots in a cluster.
    pub const fn cluster_slots(&self) -> u64 {
        1 << self.shift
    }

    /// Word of a slot, NULL where nothing is.
    pub fn word(&self, off: u64) -> Word {
        let slot = (off & (self.cluster_slots() - 1)) as usize;
        self.clusters.get((off >> self.shift) as usize).map_or(Word::NULL, |c| c.word(slot))
    }

    /// Bytes held by the device: clusters, links, tables.
    pub fn bytes(&self) -> usize {
        let tables = |t: &Tables| t.bytes();
        size_of::<Self>()
            + self.clusters.capacity() * size_of::<Cluster>()
            + self.lists.bytes()
            + self.clusters.iter().filter_map(|c| c.tables.as_deref()).map(tables).sum::<usize>()
            + self.spare.iter().map(|t| tables(t)).sum::<usize>()
            + self.trees.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_clusters_have_tables_as_large_as_large_ones() {
        let slots = 1 << 20;
        assert_eq!(Device::memory(slots, 8), 2 * Device::memory(slots, 9));
        let tables = Tables::new(true).bytes() as u64;
        for shift in [8, 9] {
            assert!(Device::virtual_memory(slots, shift) >= (slots >> shift) * tables);
        }
    }
}

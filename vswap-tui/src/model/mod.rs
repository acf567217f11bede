//! The reference allocator: a deterministic, single-threaded model of the kernel's swap slot allocator and of the
//! virtual swap layer. No I/O, no clock, no randomness; what the kernel decided elsewhere comes from an [`Oracle`].
//!
//! ```text
//! alloc_folio -> alloc -> scan -> (reclaim -> free) -> charge
//!                  '- virtual device, then physical devices by the avail list
//! writeout, zswap_writeback -> backend -> alloc (physical backing)
//! dup, put -> count -> free -> backend (release) ; cache_add, cache_del -> cache -> free
//! swapon, swapoff -> swapping ; run_*_worker -> reclaim, free ; force -> the kernel's choice after a mismatch
//! ```
//!
//! One file per stage; every rule names the kernel function it follows. Offsets are page-sized, entries are the
//! kernel's `swp_entry_t`. A request that does not fit the state is a [`Fault`], never a panic.

pub mod adopt;
pub mod alloc;
pub mod backend;
pub mod cache;
pub mod charge;
pub mod cluster;
pub mod cost;
pub mod count;
pub mod device;
pub mod fault;
pub mod force;
pub mod free;
pub mod index;
pub mod invariant;
pub mod journal;
pub mod lists;
pub mod oracle;
pub mod policy;
pub mod reclaim;
mod request;
pub mod scan;
pub mod swapping;
pub mod vword;
pub mod word;
mod xarray;

pub use alloc::Folio;
pub use charge::{Cgroup, Charges};
pub use cluster::Flag;
pub use cost::Cost;
pub use device::{Device, DeviceSpec};
pub use fault::Fault;
pub use journal::{End, Outcome, Path, Step, Uncached, Walk};
pub use lists::ListId;
pub use oracle::{FolioFacts, Memory, Oracle, Undisturbed};
pub use policy::{Config, Policy};
pub use vword::Backing;
pub use word::Word;

use vswap_common::Entry;
use vswap_common::slot::{MAX_DEVICES, ORDERS};

/// Device number that no device has.
const NO_DEVICE: u8 = u8::MAX;

/// Caches of one CPU (`percpu_swap_cluster`, and the virtual device's own).
#[derive(Clone, Copy, Debug)]
pub struct CpuCache {
    /// Device the physical cache names, by order.
    dev: [u8; ORDERS],
    /// Next offset on it, 0 for none.
    off: [u64; ORDERS],
    /// Next offset on the virtual device, 0 for none.
    virt: [u64; ORDERS],
}

impl CpuCache {
    const EMPTY: Self = Self { dev: [NO_DEVICE; ORDERS], off: [0; ORDERS], virt: [0; ORDERS] };

    /// Physical cache of `order`: the device, unless it is gone, and the offset.
    pub fn physical(&self, order: u8) -> (Option<u8>, u64) {
        let dev = self.dev[order as usize];
        ((dev != NO_DEVICE).then_some(dev), self.off[order as usize])
    }

    /// Virtual cache of `order`.
    pub fn virtual_off(&self, order: u8) -> u64 {
        self.virt[order as usize]
    }
}

/// Situations where the design, as written, does something that looks unintended. Counted, not imitated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Alarms {
    /// Backing reclaim from an entry that is not its folio's head would have touched foreign slots.
    pub foreign_backing: u64,
    /// Backing reclaim of a folio that has users or is under writeback.
    pub backing_in_use: u64,
    /// New backing for a folio would have overwritten physical backing of its tail that nothing released: after a
    /// partial zswap store of a folio that a device had, undone for its stored pages alone (RFC v2).
    pub leaked_backing: u64,
    /// A folio left the cache while its slots had users and no backing: the data is lost.
    pub lost_data: u64,
    /// A physical device number that a Pointer or vword cannot hold.
    pub wide_type: u64,
    /// The slow path would spin over devices of equal priority.
    pub spin: u64,
    /// A swap counter or slot count would have gone below zero.
    pub underflow: u64,
}

/// Sums kept where things happen, for the invariants that speak of single steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Audit {
    /// Words turned NULL.
    pub words_freed: u64,
    /// Sum of count drops.
    pub count_freed: u64,
    /// Sum of drops of inuse.
    pub inuse_freed: u64,
    /// Words turned NULL on physical devices.
    pub physical_words_freed: u64,
    /// Rise of nr_swap_pages by frees.
    pub nr_freed: u64,
    /// Backings given to folios, and those not consecutive and aligned.
    pub reallocs: u64,
    /// See `reallocs`.
    pub reallocs_broken: u64,
}

/// The allocator of one machine.
#[derive(Debug)]
pub struct Model {
    config: Config,
    shift: u32,
    orders: u8,
    devices: Vec<Device>,
    cpus: Vec<CpuCache>,
    /// Physical devices by priority, in use (`swap_active_head`).
    active: Vec<u8>,
    /// Those with room (`swap_avail_head`).
    avail: Vec<u8>,
    /// Free physical slots (`nr_swap_pages`).
    nr: i64,
    /// Usable physical slots (`total_swap_pages`).
    total: i64,
    charges: Charges,
    next_zswap: u64,
    zswap_virtual: u64,
    zswap_direct: u64,
    rejects: u64,
    alarms: Alarms,
    audit: Audit,
    steps: Option<Vec<Step>>,
}

impl Model {
    /// A machine after boot: the virtual device if the design has one, no physical device.
    pub fn new(config: Config) -> Self {
        let shift = config.shift();
        let devices = match config.policy.virt {
            Some(_) => {
                // At least one cluster beside the header's, and not past what an index can name.
                let max = config.virtual_max.clamp(2 << shift, policy::VIRTUAL_MAX);
                vec![Device::virtual_device(max, shift)]
            }
            None => Vec::new(),
        };
        Self {
            config,
            shift,
            orders: if config.thp_swap { ORDERS as u8 } else { 1 },
            devices,
            cpus: vec![CpuCache::EMPTY; config.cpus.max(1)],
            active: Vec::new(),
            avail: Vec::new(),
            nr: 0,
            total: 0,
            charges: Charges::new(config.cgroup),
            next_zswap: 1,
            zswap_virtual: 0,
            zswap_direct: 0,
            rejects: 0,
            alarms: Alarms::default(),
            audit: Audit::default(),
            steps: None,
        }
    }

    /// What the model was built with.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// A device in use, by swap type.
    pub fn device(&self, dev: u8) -> Option<&Device> {
        self.devices.get(dev as usize).filter(|d| d.live)
    }

    /// Swap types in use, with their devices.
    pub fn devices(&self) -> impl Iterator<Item = (u8, &Device)> {
        (0u8..).zip(&self.devices).filter(|(_, d)| d.live)
    }

    /// Physical devices with room, in the order they are tried.
    pub fn avail(&self) -> &[u8] {
        &self.avail
    }

    /// Caches of a CPU.
    pub fn cache(&self, cpu: usize) -> CpuCache {
        self.cpus.get(cpu).copied().unwrap_or(CpuCache::EMPTY)
    }

    /// CPUs seen so far.
    pub fn cpus(&self) -> usize {
        self.cpus.len()
    }

    /// Free physical slots (`nr_swap_pages`).
    pub const fn free_pages(&self) -> i64 {
        self.nr
    }

    /// Usable physical slots (`total_swap_pages`).
    pub const fn total_pages(&self) -> i64 {
        self.total
    }

    /// Less than half of physical swap is free (`vm_swap_full`).
    pub const fn swap_full(&self) -> bool {
        self.nr * 2 < self.total
    }

    /// Pages in zswap: of virtual slots, and of direct-mapped ones.
    pub const fn zswap_pages(&self) -> (u64, u64) {
        (self.zswap_virtual, self.zswap_direct)
    }

    /// Slots the virtual device could not give (`alloc_reject`).
    pub const fn virtual_rejects(&self) -> u64 {
        self.rejects
    }

    /// Memcg counters.
    pub const fn charges(&self) -> &Charges {
        &self.charges
    }

    /// Memcg settings: parents, limits.
    pub const fn charges_mut(&mut self) -> &mut Charges {
        &mut self.charges
    }

    /// Unintended situations met so far.
    pub const fn alarms(&self) -> Alarms {
        self.alarms
    }

    /// Sums for the step invariants.
    pub const fn audit(&self) -> Audit {
        self.audit
    }

    /// Word of a slot.
    pub fn word(&self, at: Entry) -> Word {
        self.device(at.dev()).map_or(Word::NULL, |d| d.word(at.off()))
    }

    /// Vword of a virtual slot, as the kernel stores it.
    pub fn vword(&self, at: Entry) -> vword::Vword {
        let (c, slot) = self.split_off(at.off());
        let cluster = self.device(at.dev()).and_then(|d| d.clusters.get(c as usize));
        cluster.map_or(vword::Vword::NONE, |c| c.vword(slot))
    }

    /// Recorded memcg id of a slot.
    pub fn memcg(&self, at: Entry) -> u16 {
        let (c, slot) = self.split_off(at.off());
        self.device(at.dev()).and_then(|d| d.clusters.get(c as usize)).map_or(0, |c| c.id(slot))
    }

    /// Starts recording [`Step`]s.
    pub fn record_steps(&mut self) {
        self.steps = Some(Vec::new());
    }

    /// The steps recorded since the last call.
    pub fn take_steps(&mut self) -> Vec<Step> {
        self.steps.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The steps recorded and not taken yet.
    pub fn steps(&self) -> &[Step] {
        self.steps.as_deref().unwrap_or_default()
    }

    /// Forgets the steps recorded so far and keeps their memory, for callers that look at every request.
    pub fn clear_steps(&mut self) {
        if let Some(steps) = &mut self.steps {
            steps.clear();
        }
    }

    /// Notes that the folio cached at `head` is about to leave the cache, if steps are recorded.
    #[inline]
    fn note_uncache(&mut self, head: Entry, order: u8) {
        if self.steps.is_some() {
            let (zero, memcg) = (self.word(head).zero(), self.memcg(head));
            self.note(Step::Uncache(Uncached { head, order, zero, memcg }));
        }
    }

    #[inline]
    fn note(&mut self, step: Step) {
        if let Some(steps) = &mut self.steps {
            steps.push(step);
        }
    }

    /// Cluster index and slot in it of an offset.
    #[inline]
    const fn split_off(&self, off: u64) -> (u32, usize) {
        ((off >> self.shift) as u32, (off & ((1 << self.shift) - 1)) as usize)
    }

    /// Device, cluster and slot of a range that lies in one cluster of a live device.
    fn locate(&self, at: Entry, nr: u64) -> Result<(u8, u32, usize), Fault> {
        let dev = self.device(at.dev()).ok_or(Fault::NoDevice(at.dev()))?;
        let (c, slot) = self.split_off(at.off());
        let inside = nr > 0 && at.off().checked_add(nr).is_some_and(|end| end <= dev.max);
        if !inside || slot as u64 + nr > 1 << self.shift || c as usize >= dev.clusters.len() {
            return Err(Fault::Range { at, nr });
        }
        Ok((at.dev(), c, slot))
    }

    /// Caches of `cpu`, created on first use.
    #[inline]
    fn cpu_mut(&mut self, cpu: usize) -> &mut CpuCache {
        if cpu >= self.cpus.len() {
            self.cpus.resize(cpu + 1, CpuCache::EMPTY);
        }
        &mut self.cpus[cpu]
    }

    #[inline]
    fn dev(&self, d: u8) -> &Device {
        &self.devices[d as usize]
    }

    #[inline]
    fn dev_mut(&mut self, d: u8) -> &mut Device {
        &mut self.devices[d as usize]
    }

    /// Moves a cluster to the tail of the list of `flag` (`move_cluster`); not if it has the flag already.
    #[inline]
    fn shift_to(&mut self, d: u8, c: u32, flag: Flag) {
        let dev = &mut self.devices[d as usize];
        let cluster = &mut dev.clusters[c as usize];
        if cluster.flag == flag {
            return;
        }
        if let Some(list) = ListId::of(cluster.flag, cluster.order) {
            dev.lists.remove(list, c);
        }
        cluster.flag = flag;
        let order = cluster.order;
        if let Some(list) = ListId::of(flag, order) {
            dev.lists.append(list, c);
        }
        if self.steps.is_some() {
            self.note(Step::Move(d, c, flag, order));
        }
    }

    /// Types that can be named, [`MAX_DEVICES`] minus the special ones of the reference configuration.
    const fn max_types(&self) -> usize {
        MAX_DEVICES - 4
    }
}

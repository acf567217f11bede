//! What if: the intent of a trace replayed under another design of swap, or on another machine.
//!
//! ```text
//! Event -> intent (page these out, in again, free them) -> Places (recorded slot -> slot of the design)
//!       -> Target (model + counts + peaks) -> Row, one for each design, side by side
//! ```
//!
//! What happens to a page is the record's: when it is paged out, by whom, whether zswap took it, how small it was,
//! when it comes back, when its slot is given up. Where it goes is the design's. A design reclaims nothing by itself,
//! and the load does not react to it: a page that a design cannot page out stays in memory and its later events pass it
//! by. A row says what is not exact, and why.

mod alloc;
mod apply;
mod data;
mod design;
mod found;
mod peak;
mod places;
mod pool;
mod room;
mod row;
mod target;

#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;

pub use design::{Design, DesignError, Settings};
pub use peak::Mix;
pub use room::Room;
pub use row::{Charged, Row};

use crate::collector::recent::RecentFrees;
use crate::decode::Event;
use crate::memory::Claim;
use crate::meta::{CgroupInfo, DeviceInfo, Header, Update};
use crate::model::policy::SWAP_TABLE;
use crate::model::{Config, Device, DeviceSpec};
use crate::recorded;
use alloc::Thread;
use places::{Place, Places};
use pool::Pool;
use rustc_hash::FxHashMap;
use target::Target;
use vswap_common::Hook;
use vswap_common::slot::{CLUSTER_SLOTS, MAX_DEVICES, ORDERS};

/// Slots of all recorded devices; as many as the slot map has.
const MAX_SLOTS: u64 = 64 << 20;

/// The most that a recorded device of `max` slots takes under a design: where its pages are, a slot for each, and on a
/// virtual device another.
fn memory(max: u64, design: &Config) -> u64 {
    let (shift, virt) = (design.shift(), design.policy.virt.is_some());
    let slots = Device::memory(max, shift) + if virt { Device::virtual_memory(max, shift) } else { 0 };
    max.saturating_mul(places::SLOT_BYTES).saturating_add(slots)
}

/// What is counted beside the model.
#[derive(Default)]
struct Tallies {
    fallbacks: [u64; ORDERS],
    kept: u64,
    writebacks: u64,
    /// Requests the record refused and this design serves: what the pages did afterwards nobody told.
    untold: u64,
    /// Charges the record refused.
    refused_charges: u64,
    /// Pages the recorded zswap refused: their compressed length is not known.
    rejected: u64,
    /// Pages without data anywhere that left memory, after loss or a swapoff: taken for written to the device.
    assumed: u64,
    /// Slots given back of folios that only the design could place.
    returned: u64,
    /// Slots first met in use.
    adopted: u64,
    /// Slots that a scan found in use.
    found: u64,
    /// Events on devices nobody told of.
    strange: u64,
    /// Devices that are not followed, as there is no memory for them.
    too_large: u64,
    gaps: u64,
    undecodable: u64,
}

/// A trace under one design.
pub struct WhatIf {
    design: Design,
    target: Target,
    places: Places,
    /// What the recorded devices take, here and in the design.
    memory: Claim,
    slots: [u64; MAX_DEVICES],
    pool: Pool,
    threads: FxHashMap<u32, Thread>,
    /// When threads are looked through next for one that went on with something else.
    sweep: u64,
    /// Priorities as told last: swapon does not tell them.
    priorities: [Option<i32>; MAX_DEVICES],
    recent_frees: RecentFrees,
    tallies: Tallies,
    cgroups: FxHashMap<u16, String>,
    from_swapon: bool,
    /// The recorded kernel keeps owners and zero flags in its swap tables, as the metadata is computed.
    owners_in_tables: bool,
    /// References to slots are in the trace.
    references: bool,
    /// Frees of zswap entries are in the trace, in order; loads are told late.
    zswap_frees: bool,
}

impl WhatIf {
    /// The design before the first event of the trace.
    pub fn new(header: &Header, design: Design) -> Self {
        let recorded = Config {
            cpus: (header.kernel.cpus as usize).clamp(1, 8192),
            thp_swap: header.kernel.cluster_slots != CLUSTER_SLOTS / 2,
            ..Config::new(SWAP_TABLE)
        };
        let mut what_if = Self {
            target: Target::new(&design, recorded),
            pool: Pool::new(design.settings.zswap_max),
            design,
            places: Places::default(),
            memory: Claim::default(),
            slots: [0; MAX_DEVICES],
            threads: FxHashMap::default(),
            sweep: 0,
            priorities: [None; MAX_DEVICES],
            recent_frees: RecentFrees::new(),
            tallies: Tallies::default(),
            cgroups: FxHashMap::default(),
            from_swapon: header.from_swapon,
            owners_in_tables: !matches!(
                header.layout_name.as_str(),
                "swap-table-prepare" | "swap-table-map" | "swap-table-count"
            ),
            references: recorded::references(header),
            zswap_frees: recorded::attached(header, Hook::ZswapFree),
        };
        what_if.learn(&header.cgroups, &[]);
        what_if
    }

    /// Cgroups and devices seen in the course of the recording.
    pub fn update(&mut self, update: &Update) {
        self.learn(&update.cgroups, &update.devices);
    }

    fn learn(&mut self, cgroups: &[CgroupInfo], devices: &[DeviceInfo]) {
        self.cgroups.extend(cgroups.iter().map(|group| (group.id, group.path.clone())));
        for device in devices.iter().filter(|device| !device.r#virtual) {
            if let Some(priority) = self.priorities.get_mut(usize::from(device.dev)) {
                *priority = Some(device.prio);
                self.target.set_priority(device.dev, device.prio);
            }
        }
    }

    fn add_device(&mut self, dev: u8, spec: &DeviceSpec) {
        // Offsets are 32 bits wide in the kernel; a larger number is damage.
        if spec.last_page > u64::from(u32::MAX) {
            self.target.faults += 1;
            return;
        }
        let max = spec.last_page + 1;
        self.forget_size(dev);
        if self.slots.iter().sum::<u64>().saturating_add(max) > MAX_SLOTS
            || !self.memory.grow(memory(max, self.target.model.config()))
        {
            self.tallies.too_large += 1;
            return;
        }
        if let Some(slots) = self.slots.get_mut(usize::from(dev)) {
            *slots = max;
        }
        self.places.add_device(dev, max);
        self.target.swapon(dev, spec);
    }

    /// The memory that a device took, when it is gone.
    fn forget_size(&mut self, dev: u8) {
        if let Some(slots) = self.slots.get_mut(usize::from(dev)) {
            self.memory.shrink(memory(std::mem::take(slots), self.target.model.config()));
        }
    }

    /// The result so far.
    pub fn row(&mut self) -> Row {
        self.target.settle();
        let model = &self.target.model;
        let peak = &self.target.peak;
        let mut charges: Vec<Charged> = model
            .charges()
            .iter()
            .map(|(id, group)| Charged {
                path: self.cgroups.get(&id).cloned().unwrap_or_else(|| format!("#{id}")),
                at_peak: peak.charged.get(usize::from(id)).copied().unwrap_or(0),
                now: group.own,
            })
            .filter(|charged| charged.at_peak + charged.now > 0)
            .collect();
        charges.sort_by(|a, b| (b.at_peak, b.now, &a.path).cmp(&(a.at_peak, a.now, &b.path)));
        let notes = self.notes();
        let phys_slots = u64::try_from(model.total_pages() - model.free_pages()).unwrap_or(0);
        Row {
            model: self.design.to_string(),
            peak_phys_slots: peak.phys,
            peak_virtual_slots: peak.virt,
            metadata_bytes_peak: peak.cost.total(),
            metadata: peak.cost,
            fallbacks_by_order: self.tallies.fallbacks,
            kept_pages: self.tallies.kept,
            at_peak: peak.mix,
            // A virtual slot takes a physical one only for data.
            idle_phys_slots_at_peak: if model.config().policy.virt.is_some() {
                0
            } else {
                peak.mix.elsewhere()
            },
            room_at_peak: peak.room,
            now: self.target.mix,
            phys_slots,
            room: self.target.rooms.now(model),
            zswap_bytes_peak: self.pool.peak(),
            zswap_writebacks: self.tallies.writebacks,
            charges,
            exact: notes.is_empty(),
            notes,
        }
    }

    fn notes(&self) -> Vec<String> {
        let t = &self.tallies;
        let virt = self.design.policy.virt.is_some();
        let counted = |n: u64, text: &str| (n > 0).then(|| format!("{n} {text}"));
        [
            (!self.from_swapon).then(|| {
                format!(
                    "the trace began late: {} slots in use count from the scan of the kernel's tables on, {} from their \
                     first event on",
                    t.found, t.adopted
                )
            }),
            counted(t.gaps, "times records were lost: what happened meanwhile is not in the result"),
            counted(t.undecodable, "records are of a newer version or damaged"),
            counted(t.too_large, "devices have more slots than are followed, or than --memory-limit leaves room for"),
            counted(t.strange, "events name a device that the trace does not describe"),
            counted(if self.from_swapon { t.adopted } else { 0 }, "slots were first met in use"),
            counted(t.assumed, "pages left memory whose data was nowhere: taken for written to the device"),
            counted(self.target.faults, "events did not fit the state"),
            (!self.owners_in_tables && !virt).then(|| {
                "metadata is that of Linux 7.2 and later; the recorded kernel has owners and zero flags elsewhere"
                    .to_owned()
            }),
            (!self.references).then(|| {
                "references are not in the trace (--slots-only): extend tables are not counted".to_owned()
            }),
            self.pool.limited().then(|| {
                "zswap-max is held against compressed bytes; the kernel counts the pages of its allocator"
                    .to_owned()
            }),
            counted(
                if self.pool.limited() { t.rejected } else { 0 },
                "pages that the recorded zswap refused have no known compressed length and go to the device",
            ),
            counted(
                t.returned,
                "slots of folios that the record split were given back: not all of their pages were paged out",
            ),
            counted(
                t.untold,
                "requests that the record refused would have had slots: their pages stay in memory here",
            ),
            counted(
                if virt { t.refused_charges } else { 0 },
                "charges that swap.max refused stay refused, though virtual slots are not charged",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Several designs side by side.
pub struct Comparison {
    runs: Vec<WhatIf>,
}

impl Comparison {
    /// The designs before the first event.
    pub fn new(header: &Header, designs: &[Design]) -> Self {
        Self { runs: designs.iter().map(|design| WhatIf::new(header, *design)).collect() }
    }

    /// Takes in one event.
    pub fn apply(&mut self, event: &Event) {
        self.runs.iter_mut().for_each(|run| run.apply(event));
    }

    /// Takes in news about cgroups and devices.
    pub fn update(&mut self, update: &Update) {
        self.runs.iter_mut().for_each(|run| run.update(update));
    }

    /// Records that did not decode.
    pub fn note_undecodable(&mut self, n: u64) {
        self.runs.iter_mut().for_each(|run| run.tallies.undecodable += n);
    }

    /// Events that should be there are not.
    pub fn lost(&self) -> bool {
        self.runs.iter().any(|run| run.tallies.gaps + run.tallies.undecodable + run.tallies.too_large > 0)
    }

    /// The results so far, in the order of the designs.
    pub fn rows(&mut self) -> Vec<Row> {
        self.runs.iter_mut().map(WhatIf::row).collect()
    }
}

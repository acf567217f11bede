//! The generated machine: its devices, cgroups, and what a trace of it says about itself.

use super::Spec;
use super::ring::draft;
use crate::meta::{CgroupInfo, CgroupUse, ClockPair, DeviceInfo, Header, KernelInfo, Update};
use crate::model::charge::UNLIMITED;
use crate::model::policy::SWAP_TABLE;
use crate::model::{Config, Device, DeviceSpec, Model};
use vswap_common::slot::CLUSTER_SLOTS;
use vswap_common::{Entry, Kind, Record, device};

/// Event time at the start: an hour after an imagined boot.
pub(super) const START_NS: u64 = 3_600 * 1_000_000_000;
/// The same moment on the wall, 2026-01-01 UTC: a trace does not depend on when it was made.
const START_REALTIME_NS: u64 = 1_767_225_600 * 1_000_000_000;
/// Devices there can be.
pub(super) const DEVICES: usize = 3;
/// The device that comes and goes.
pub(super) const GUEST: u8 = 1;
/// The first device is filled before the others, which take turns.
/// Bytes of a page.
const PAGE: u32 = 4096;
const PRIORITIES: [i32; DEVICES] = [10, -1, -1];
const PLAIN: u16 = device::SOLID_STATE | device::BLOCK;
/// The last device also discards clusters that became free.
const FLAGS: [u16; DEVICES] = [PLAIN, PLAIN, PLAIN | device::PAGE_DISCARD];

/// A memory cgroup and its part of the load.
pub(super) struct Group {
    path: &'static str,
    pub(super) id: u16,
    parent: u16,
    pub(super) inode: u64,
    /// Weight of its load.
    pub(super) share: u64,
    /// `memory.zswap.writeback`.
    pub(super) writeback: bool,
    /// Its memory is shared memory.
    pub(super) shmem: bool,
    /// `memory.swap.max`, permille of all slots.
    limit: Option<u64>,
}

const fn group(path: &'static str, id: u16, share: u64) -> Group {
    Group { path, id, parent: 0, inode: 1000 + id as u64, share, writeback: true, shmem: false, limit: None }
}

/// The cgroups.
pub(super) const GROUPS: [Group; 5] = [
    group("/web", 21, 40),
    Group { shmem: true, ..group("/db", 22, 25) },
    group("/batch", 23, 20),
    Group { limit: Some(30), ..group("/desktop", 24, 10) },
    Group { parent: 22, writeback: false, ..group("/db/pinned", 25, 5) },
];

/// Slots of each device, header included: half of all, a sixth, and the rest. The first two are of whole clusters.
pub(super) fn sizes(slots: u64) -> [u64; DEVICES] {
    let whole = |slots: u64| slots - slots % u64::from(CLUSTER_SLOTS);
    let (first, second) = (whole(slots / 2), whole(slots / 6));
    [first, second, slots - first - second]
}

/// A model of the machine without devices.
pub(super) fn model(spec: &Spec) -> Model {
    let mut model = Model::new(Config { cpus: spec.cpus.into(), ..Config::new(SWAP_TABLE) });
    for group in &GROUPS {
        let state = model.charges_mut().group_mut(group.id);
        state.parent = group.parent;
        if let Some(permille) = group.limit {
            state.limit = spec.slots * permille / 1000;
        }
    }
    model
}

/// Switches the device on that has the lowest unused number, and returns the record of it.
pub(super) fn swapon(model: &mut Model, sizes: [u64; DEVICES]) -> Option<Record> {
    let dev = (0..DEVICES as u8).find(|dev| model.device(*dev).is_none())?;
    let i = usize::from(dev);
    let (slots, priority, flags) = (sizes[i], PRIORITIES[i], FLAGS[i]);
    let page_discard = flags & device::PAGE_DISCARD != 0;
    model.swapon(&DeviceSpec { priority, page_discard, ..DeviceSpec::block(slots) }).ok()?;
    Some(Record { entry: Entry::new(dev, slots).0, arg: slots - 1, flags, ..draft(Kind::SwapOn) })
}

/// The devices in use, as /proc/swaps lists them, and what the files of the cgroups would say.
pub(super) fn news(model: &Model) -> Update {
    let info = |(dev, device): (u8, &Device)| DeviceInfo {
        dev,
        name: format!("generated{dev}"),
        pages: device.pages,
        used: device.inuse,
        prio: device.priority,
        r#virtual: false,
    };
    let bytes = |pages: u64| pages * u64::from(PAGE);
    let usage = |g: &Group| {
        let state = model.charges().get(g.id);
        let limit = (state.limit != UNLIMITED).then(|| bytes(state.limit));
        CgroupUse { id: g.id, swap: Some(bytes(state.swap)), swap_max: limit, ..CgroupUse::default() }
    };
    Update {
        devices: model.devices().map(info).collect(),
        usage: GROUPS.iter().map(usage).collect(),
        ..Update::default()
    }
}

/// What a trace of this machine says about itself. The same for the same spec and version.
pub(super) fn header(spec: &Spec) -> Header {
    let cgroups = GROUPS.iter().map(|g| CgroupInfo { id: g.id, inode: g.inode, path: g.path.to_owned() });
    Header {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        command: vec![
            format!("workload {:?}", spec.workload).to_lowercase(),
            format!("slots {}", spec.slots),
            format!("cpus {}", spec.cpus),
            format!("seed {}", spec.seed),
        ],
        origin: "generator".to_owned(),
        kernel: KernelInfo {
            release: "vswap generator".to_owned(),
            machine: "generated".to_owned(),
            cpus: spec.cpus.into(),
            page_size: PAGE,
            cluster_slots: CLUSTER_SLOTS,
        },
        // The allocator and the words are those of Linux 7.3.
        layout_name: "swap-table-memcg-ops".to_owned(),
        cgroups: cgroups.collect(),
        clock: ClockPair { monotonic_ns: START_NS, realtime_ns: START_REALTIME_NS },
        from_swapon: true,
        ..Header::default()
    }
}

/// The clocks of the machine at event time `now`.
pub(super) const fn clock(now: u64) -> ClockPair {
    ClockPair { monotonic_ns: now, realtime_ns: START_REALTIME_NS + (now - START_NS) }
}

//! Histories made by hand: a plain kernel that pages out and in, as its hooks would tell it.

use crate::decode::Event;
use crate::meta::{CgroupInfo, Header, KernelInfo};
use vswap_common::{Entry, Kind, flags};

/// Writes events.
pub(super) struct Script {
    pub(super) events: Vec<Event>,
    ts: u64,
    pub(super) tid: u32,
    pub(super) memcg: u16,
}

/// Events of one CPU, recorded from swapon.
pub(super) fn header() -> Header {
    let group = |id, path: &str| CgroupInfo { id, path: path.into(), ..CgroupInfo::default() };
    Header {
        kernel: KernelInfo { cpus: 1, cluster_slots: 512, ..KernelInfo::default() },
        cgroups: vec![group(7, "/wl"), group(8, "/wm")],
        from_swapon: true,
        ..Header::default()
    }
}

pub(super) fn at(off: u64) -> Entry {
    Entry::new(0, off)
}

impl Script {
    /// With a solid-state device 0 of `max` slots, header included.
    pub(super) fn new(max: u64) -> Self {
        let mut script = Self { events: Vec::new(), ts: 0, tid: 1, memcg: 7 };
        let e = script.tell(Kind::SwapOn, at(max), 0);
        (e.arg, e.flags) = (max - 1, 1 << 4 | 1 << 6);
        script
    }

    pub(super) fn tell(&mut self, kind: Kind, entry: Entry, nr: u16) -> &mut Event {
        self.ts += 1000;
        let order = if nr > 0 { nr.trailing_zeros() as u8 } else { 0 };
        let (ts, tid, memcg) = (self.ts, self.tid, self.memcg);
        let event = Event { ts, entry, arg: 10, val: 0, tid, nr, memcg, cpu: 0, flags: 0, kind, order };
        let last = self.events.len();
        self.events.push(event);
        &mut self.events[last]
    }

    /// A folio gets slots, an owner, and is unmapped.
    pub(super) fn alloc(&mut self, off: u64, nr: u16) {
        self.tell(Kind::AllocBegin, at(0), 0);
        self.tell(Kind::Alloc, at(off), nr);
        self.tell(Kind::Charge, at(off), nr).flags = flags::MEMCG;
        self.tell(Kind::Dup, at(off), nr);
    }

    /// Reclaim takes the clean folio.
    pub(super) fn leave(&mut self, off: u64, nr: u16) {
        self.tell(Kind::CacheDel, at(off), nr).flags = flags::SWAPOUT;
    }

    /// The folio goes to zswap, `len` bytes a page.
    pub(super) fn store(&mut self, off: u64, nr: u16, len: i32) {
        if nr > 1 {
            for i in 0..u64::from(nr) {
                self.tell(Kind::ZswapPage, at(off + i), 1).val = len;
            }
        }
        self.tell(Kind::ZswapStore, at(off), nr).val = if nr == 1 { len } else { 0 };
        self.leave(off, nr);
    }

    /// The folio is refused by zswap and goes to the device.
    pub(super) fn write(&mut self, off: u64, nr: u16) {
        self.tell(Kind::ZswapReject, at(off), nr);
        self.tell(Kind::Write, at(off), nr);
        self.tell(Kind::WriteEnd, at(off), nr);
        self.leave(off, nr);
    }

    /// The folio is zero-filled.
    pub(super) fn zero(&mut self, off: u64, nr: u16) {
        self.tell(Kind::Zero, at(off), nr);
        self.leave(off, nr);
    }

    /// zswap moves a page to the device.
    pub(super) fn write_back(&mut self, off: u64) {
        self.tell(Kind::CacheAdd, at(off), 1);
        self.tell(Kind::ZswapFree, at(off), 1);
        self.tell(Kind::Write, at(off), 1).flags = flags::WRITEBACK;
        self.tell(Kind::WriteEnd, at(off), 1);
        self.tell(Kind::CacheDel, at(off), 1);
    }

    /// A page is read in, from zswap if that is where it is; its slot stays.
    pub(super) fn read(&mut self, off: u64, zswap: bool) {
        self.tell(Kind::CacheAdd, at(off), 1);
        if zswap {
            self.tell(Kind::ZswapFree, at(off), 1).flags = flags::IN_LOAD;
            self.tell(Kind::LoadZswap, at(off), 1);
        } else {
            self.tell(Kind::LoadPhys, at(off), 1);
        }
    }

    /// Nobody uses the slots of a run that is not cached any more.
    pub(super) fn free(&mut self, off: u64, nr: u16) {
        self.tell(Kind::Put, at(off), nr);
        self.tell(Kind::Free, at(off), nr);
    }

    /// The last user of a cached page is gone, its slot is given up.
    pub(super) fn give_up(&mut self, off: u64) {
        self.tell(Kind::Put, at(off), 1);
        self.tell(Kind::CacheDel, at(off), 1);
        self.tell(Kind::Free, at(off), 1);
    }

    /// No slot for a folio of `order`.
    pub(super) fn refuse(&mut self, order: u8) {
        self.tell(Kind::AllocBegin, at(0), 0).order = order;
        let e = self.tell(Kind::AllocFail, at(0), 0);
        (e.val, e.order) = (-12, order);
    }
}

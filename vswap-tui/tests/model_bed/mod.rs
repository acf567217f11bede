//! A test bed for scripts on the model: short requests, and lists as the specification writes them.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a script that cannot run should stop")]

use vswap_common::Entry;
use vswap_tui::model::policy::{SWAP_TABLE, VSWAP_RFC1};
use vswap_tui::model::{
    Config, Device, DeviceSpec, End, Folio, FolioFacts, ListId, Model, Oracle, Outcome, Policy, Undisturbed,
};

/// Nothing can be reclaimed: every folio is locked.
pub(crate) struct Locked;

impl Oracle for Locked {
    fn folio(&mut self, _: Entry, _: u8) -> FolioFacts {
        FolioFacts::LOCKED
    }
}

/// How physical slots are asked for: they behave alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Plain kernel, the folio sits on the physical slot.
    Direct,
    /// A virtual slot first, the physical one as its backing.
    Backing,
}

pub(crate) const MODES: [Mode; 2] = [Mode::Direct, Mode::Backing];

pub(crate) struct Bed {
    pub(crate) model: Model,
    mode: Mode,
    pfn: u64,
}

impl Bed {
    /// Physical allocations in `mode`, on 4 CPUs.
    pub(crate) fn physical(mode: Mode) -> Self {
        Self::new(if mode == Mode::Direct { SWAP_TABLE } else { VSWAP_RFC1 }, mode)
    }

    pub(crate) fn new(policy: Policy, mode: Mode) -> Self {
        Self { model: Model::new(Config { cpus: 4, ..Config::new(policy) }), mode, pfn: 0 }
    }

    pub(crate) fn swapon(&mut self, spec: &DeviceSpec) -> u8 {
        self.model.swapon(spec).unwrap()
    }

    fn folio(&mut self, order: u8, memcg: u16) -> Folio {
        self.pfn += 1;
        Folio { pfn: self.pfn, order, memcg }
    }

    pub(crate) fn outcome(&mut self, cpu: usize, order: u8, memcg: u16, oracle: &mut impl Oracle) -> Outcome {
        let folio = self.folio(order, memcg);
        self.model.alloc_folio(cpu, folio, oracle)
    }

    /// One physical allocation: device and offset, or `None` for a failure.
    pub(crate) fn alloc_on(&mut self, cpu: usize, order: u8) -> Option<(u8, u64)> {
        let outcome = self.outcome(cpu, order, 0, &mut Locked);
        if self.mode == Mode::Direct {
            return outcome.slot.map(|e| (e.dev(), e.off()));
        }
        let head = outcome.slot.unwrap();
        assert_eq!((outcome.end, head.dev()), (End::Done, 0), "virtual slots come first");
        match self.model.realloc(cpu, head, order, &mut Locked).1 {
            Ok(phys) => Some((phys.dev(), phys.off())),
            Err(_) => {
                self.model.free_slots(head, 1 << order).unwrap();
                None
            }
        }
    }

    /// One physical allocation, the offset alone.
    pub(crate) fn alloc(&mut self, cpu: usize, order: u8) -> Option<u64> {
        self.alloc_on(cpu, order).map(|(_, off)| off)
    }

    /// One allocation on the virtual device.
    pub(crate) fn valloc(&mut self, cpu: usize, order: u8) -> u64 {
        let slot = self.outcome(cpu, order, 0, &mut Locked).slot.unwrap();
        assert_eq!(slot.dev(), 0);
        slot.off()
    }

    /// Frees physical slots, those of backings by freeing their owners.
    pub(crate) fn free(&mut self, dev: u8, offs: std::ops::Range<u64>) {
        let at = Entry::new(dev, offs.start);
        let nr = offs.end - offs.start;
        match self.mode {
            Mode::Direct => self.model.free_slots(at, nr).unwrap(),
            Mode::Backing => self.model.free_slots(self.model.word(at).owner(), nr).unwrap(),
        }
    }

    pub(crate) fn vfree(&mut self, offs: std::ops::Range<u64>) {
        self.model.free_slots(Entry::new(0, offs.start), offs.end - offs.start).unwrap();
    }

    fn device(&self, dev: u8) -> &Device {
        self.model.device(dev).unwrap()
    }

    /// Non-empty lists, as "free [c1 c2] frag0 [c0(2)]".
    pub(crate) fn lists(&self, dev: u8) -> String {
        let device = self.device(dev);
        let letter = if device.virt { 'k' } else { 'c' };
        let by_order = (0..10).flat_map(|o| [ListId::Nonfull(o), ListId::Frag(o)]);
        let all = [ListId::Free, ListId::Discard].into_iter().chain(by_order).chain([ListId::Full]);
        let mut parts = Vec::new();
        for list in all {
            let member = |c: u32| match list {
                ListId::Free | ListId::Full | ListId::Discard => format!("{letter}{c}"),
                _ => format!("{letter}{c}({})", device.clusters[c as usize].count),
            };
            let members: Vec<_> = device.lists.iter(list).map(member).collect();
            let name = match list {
                ListId::Free => "free".to_owned(),
                ListId::Discard => "discard".to_owned(),
                ListId::Full => "full".to_owned(),
                ListId::Nonfull(o) => format!("nonfull{o}"),
                ListId::Frag(o) => format!("frag{o}"),
            };
            if !members.is_empty() {
                parts.push(format!("{name} [{}]", members.join(" ")));
            }
        }
        parts.join(" ")
    }

    pub(crate) fn device_pages(&self, dev: u8) -> u64 {
        self.device(dev).pages
    }

    /// Physical cache of a CPU: device and offset.
    pub(crate) fn pc(&self, cpu: usize, order: u8) -> (Option<u8>, u64) {
        self.model.cache(cpu).physical(order)
    }

    /// Virtual cache of a CPU.
    pub(crate) fn vc(&self, cpu: usize, order: u8) -> u64 {
        self.model.cache(cpu).virtual_off(order)
    }

    /// Offset in the physical cache.
    pub(crate) fn pco(&self, cpu: usize, order: u8) -> u64 {
        self.pc(cpu, order).1
    }

    /// The slot's folio is mapped once and leaves the cache: a Shadow with one user.
    pub(crate) fn shadow(&mut self, at: Entry) {
        self.model.dup(at, 1, &mut Undisturbed).unwrap();
        self.model.cache_del(at, 0, vswap_tui::model::cache::Removal::Dropped).unwrap();
    }
}

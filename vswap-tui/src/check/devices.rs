//! Devices come and go: what the trace tells of them, and when.

use super::replay::Checker;
use crate::decode::Event;
use crate::meta::Update;
use crate::model::Device;
use crate::model::device::DEFAULT_PRIORITY;
use crate::recorded;
use vswap_common::prio;
use vswap_common::slot::MAX_DEVICES;

/// Slots of all devices that the model follows; as many as the slot map does. A larger device is not followed.
pub(super) const MAX_SLOTS: u64 = 64 << 20;

impl Checker {
    /// The kernel relies on a priority: it is told with the first list of the device that is asked, before the slots. A
    /// device that no list was asked of yet comes behind the others, or its lists would have been asked first.
    pub(super) fn learn_priority(&mut self, e: &Event) {
        let Some(prio) = prio::of(e.arg) else { return };
        self.priorities_told = true;
        let dev = e.entry.dev();
        let prio = i32::from(prio);
        if self.priorities[usize::from(dev) % MAX_DEVICES].replace(prio) != Some(prio) {
            self.model.set_priority(dev, prio);
        }
    }

    /// Takes in news: priorities of devices, which swapon does not tell yet. They may come before its record or after.
    pub fn update(&mut self, update: &Update) {
        for info in update.devices.iter().filter(|info| !info.r#virtual) {
            let told = &mut self.priorities[usize::from(info.dev) % MAX_DEVICES];
            if told.replace(info.prio).is_some() {
                continue;
            }
            let differs = self.model.device(info.dev).is_some_and(|dev| dev.priority != info.prio);
            self.model.set_priority(info.dev, info.prio);
            // Until now the devices were tried in another order than the kernel's.
            let physical = self.model.devices().filter(|(_, dev)| !dev.virt).count();
            if differs && self.used_untold != 0 && physical > 1 {
                self.unknown_start();
            }
        }
    }

    /// The lists cannot be known from what the trace tells.
    fn unknown_start(&mut self) {
        (self.known, self.result.from_swapon) = (false, false);
    }

    /// Bytes that a device of so many slots may take.
    fn memory_of(&self, slots: u64) -> u64 {
        Device::memory(slots, self.model.config().shift())
    }

    pub(super) fn swap_on(&mut self, e: &Event) {
        let max = e.entry.off();
        // Which pages are bad is not in the trace: a device with any is followed from a cold start.
        if e.arg + 1 != max {
            self.unknown_start();
        }
        let slots = self.physical_slots();
        if slots.saturating_add(max) > MAX_SLOTS || !self.memory.grow(self.memory_of(max)) {
            self.unknown_start();
            return self.too_large(max);
        }
        let priority = self.priorities[usize::from(e.entry.dev())].unwrap_or(DEFAULT_PRIORITY);
        let spec = recorded::device(e, priority);
        match self.model.swapon(&spec) {
            Ok(dev) if dev == e.entry.dev() => {}
            _ => self.fault(),
        }
        self.used_untold &= !(1 << e.entry.dev());
    }

    /// Devices of so many slots are not followed.
    pub(super) fn too_large(&mut self, slots: u64) {
        log::warn!(
            "the model does not follow {slots} slots of swap: it holds at most {MAX_SLOTS}, and what --memory-limit leaves \
             room for ({} bytes for these)",
            self.memory_of(slots)
        );
        self.fault();
    }

    pub(super) fn swap_off(&mut self, dev: u8) {
        self.put_back(|held| held == dev);
        self.check_invariants();
        let max = self.model.device(dev).map_or(0, |device| device.max);
        match self.model.swapoff(dev) {
            Ok(_) => self.memory.shrink(self.memory_of(max)),
            Err(_) => self.fault(),
        }
        self.priorities[usize::from(dev) % MAX_DEVICES] = None;
        self.model.clear_steps();
        self.moves.forget_device(dev);
    }
}

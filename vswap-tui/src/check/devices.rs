//! Devices come and go: what the trace tells of them, and what it tells late.

use super::replay::Checker;
use crate::decode::Event;
use crate::meta::{DeviceInfo, Update};
use crate::model::DeviceSpec;
use crate::model::device::DEFAULT_PRIORITY;
use crate::recorded;
use vswap_common::slot::MAX_DEVICES;

/// Slots of all devices that the model follows; as many as the slot map does. A larger device is not followed.
const MAX_SLOTS: u64 = 64 << 20;

impl Checker {
    /// Devices that were in use when recording began: their lists and slots are not known, their sizes are.
    pub(super) fn found_in_use(&mut self, devices: &[DeviceInfo]) {
        let mut devices: Vec<_> = devices.iter().filter(|info| !info.r#virtual && info.pages > 0).collect();
        devices.sort_by_key(|info| info.dev);
        let mut unused = Vec::new();
        for info in devices {
            if info.pages > MAX_SLOTS {
                continue;
            }
            let spec = DeviceSpec { priority: info.prio, ..DeviceSpec::block(info.pages + 1) };
            // Swap types are given out from the lowest on.
            while let Ok(dev) = self.model.swapon(&spec)
                && dev < info.dev
            {
                unused.push(dev);
            }
            self.priorities[usize::from(info.dev) % MAX_DEVICES] = Some(info.prio);
        }
        for dev in unused {
            let _ = self.model.swapoff(dev);
        }
        self.model.clear_steps();
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
            if differs && self.used_untold != 0 && self.model.devices().count() > 1 {
                self.result.from_swapon = false;
            }
        }
    }

    pub(super) fn swap_on(&mut self, e: &Event) {
        let max = e.entry.off();
        // Which pages are bad is not in the trace: a device with any is followed from a cold start.
        if e.arg + 1 != max {
            self.result.from_swapon = false;
        }
        let slots: u64 = self.model.devices().map(|(_, dev)| dev.max).sum();
        if slots.saturating_add(max) > MAX_SLOTS {
            self.result.from_swapon = false;
            return self.fault();
        }
        let priority = self.priorities[usize::from(e.entry.dev())].unwrap_or(DEFAULT_PRIORITY);
        let spec = recorded::device(e, priority);
        match self.model.swapon(&spec) {
            Ok(dev) if dev == e.entry.dev() => {}
            _ => self.fault(),
        }
        self.used_untold &= !(1 << e.entry.dev());
    }

    pub(super) fn swap_off(&mut self, dev: u8) {
        self.put_back(|held| held == dev);
        self.check_invariants();
        if self.model.swapoff(dev).is_err() {
            self.fault();
        }
        self.priorities[usize::from(dev) % MAX_DEVICES] = None;
        self.model.clear_steps();
        self.moves.forget_device(dev);
    }
}

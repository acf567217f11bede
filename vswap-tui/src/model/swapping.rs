//! `swapon` and `swapoff`.

use super::device::{Device, DeviceSpec};
use super::vword::{Backing, Vword};
use super::word::Kind;
use super::{Fault, Flag, Model, NO_DEVICE, Word};
use vswap_common::Entry;

impl Model {
    /// Adds a physical device at the lowest unused swap type (`swapon`, `enable_swap_info`).
    ///
    /// # Errors
    /// [`Fault::Setup`] for an area the kernel refuses, [`Fault::NoType`].
    pub fn swapon(&mut self, spec: &DeviceSpec) -> Result<u8, Fault> {
        let d = self.devices.iter().position(|dev| !dev.live).unwrap_or(self.devices.len());
        if d >= self.max_types() {
            return Err(Fault::NoType);
        }
        let dev = Device::physical(spec, self.shift)?;
        if d == self.devices.len() {
            self.devices.push(dev);
        } else {
            self.devices[d] = dev;
        }
        let d = d as u8;
        self.enable(d);
        Ok(d)
    }

    /// Counts the device in and puts it on both lists (`_enable_swap_info`).
    fn enable(&mut self, d: u8) {
        let last = self.devices.iter().map(|dev| dev.enabled).max().unwrap_or(0);
        let dev = self.dev_mut(d);
        dev.enabled = last + 1;
        dev.writeok = true;
        dev.off_avail = dev.inuse >= dev.pages;
        let (pages, room, priority) = (dev.pages as i64, !dev.off_avail, dev.priority);
        self.nr += pages;
        self.total += pages;
        let at = self.active.iter().position(|&x| self.dev(x).priority < priority);
        self.active.insert(at.unwrap_or(self.active.len()), d);
        if room {
            self.append_avail(d);
        }
    }

    /// A priority that became known after `swapon`, before anything was allocated: the device goes among its equals
    /// where it would be if it had been told at once.
    pub fn set_priority(&mut self, d: u8, priority: i32) {
        if self.device(d).is_none_or(|dev| dev.virt || dev.priority == priority) {
            return;
        }
        self.dev_mut(d).priority = priority;
        let order = |dev: &Device| (std::cmp::Reverse(dev.priority), dev.enabled);
        for list in [&mut self.active, &mut self.avail] {
            if let Some(at) = list.iter().position(|&x| x == d) {
                list.remove(at);
                let mine = order(&self.devices[d as usize]);
                let at = list.iter().position(|&x| order(&self.devices[x as usize]) > mine);
                list.insert(at.unwrap_or(list.len()), d);
            }
        }
    }

    /// First part of `swapoff`: no more allocation on the device (`del_from_avail_list`, counters).
    ///
    /// # Errors
    /// [`Fault::NoDevice`], also for the virtual device, which cannot be removed.
    pub fn swapoff_begin(&mut self, d: u8) -> Result<(), Fault> {
        self.device(d).filter(|dev| !dev.virt && dev.writeok).ok_or(Fault::NoDevice(d))?;
        let dev = self.dev_mut(d);
        dev.writeok = false;
        dev.off_avail = true;
        let pages = dev.pages as i64;
        self.nr -= pages;
        self.total -= pages;
        self.avail.retain(|&x| x != d);
        self.active.retain(|&x| x != d);
        Ok(())
    }

    /// Brings up to `most` used slots, or folios where they are cached, of a device under `swapoff` back, in ascending order, backings first
    /// (`vswap_unuse`, then `try_to_unuse`). Returns the slots still in use.
    ///
    /// # Errors
    /// [`Fault::NoDevice`].
    pub fn swapoff_step(&mut self, d: u8, most: u64) -> Result<u64, Fault> {
        self.device(d).filter(|dev| !dev.virt && !dev.writeok).ok_or(Fault::NoDevice(d))?;
        let mut left = most;
        for pointers in [true, false] {
            for c in 0..self.dev(d).clusters.len() as u32 {
                let base = self.dev(d).base(c);
                for slot in 0..1usize << self.shift {
                    let word = self.dev(d).clusters[c as usize].word(slot);
                    let fits = if pointers { word.kind() == Kind::Pointer } else { word.is_used() };
                    if left == 0 || !fits {
                        continue;
                    }
                    left -= 1;
                    if pointers {
                        self.unback(Entry::new(d, base + slot as u64), word);
                    } else {
                        // A cached folio goes as a whole, and this is its head: the walk ascends. After a miss in a
                        // trace the kernel's choice may have been forced into the midst of one.
                        let most = if word.is_cached() { 1 << word.order() } else { 1 };
                        let end = (slot + most).min(1 << self.shift);
                        let cluster = &self.dev(d).clusters[c as usize];
                        let nr = (slot..end).take_while(|&slot| cluster.word(slot).is_used()).count();
                        self.release(d, c, slot, nr as u64);
                    }
                }
            }
        }
        Ok(self.dev(d).inuse)
    }

    /// The data of the virtual slot that `phys` backs goes back to its folio, read in if it has none. A large folio
    /// gives up its whole backing at once: it is locked meanwhile.
    fn unback(&mut self, phys: Entry, word: Word) {
        let owner = word.owner();
        let Some(rules) = self.config.policy.virt else { return };
        if self.vword(owner).phys() != Some(phys) {
            return;
        }
        if !self.word(owner).is_cached() && self.cache_add(owner, 0, 0).is_err() {
            return;
        }
        let Ok((head, nr)) = self.cached_folio(owner) else { return };
        let (c, slot) = self.split_off(head.off());
        self.release_backing(c, slot, nr as usize);
        self.fill_vwords(c, slot, nr as usize, Vword::new(Backing::Folio, rules.tags));
    }

    /// Last part of a `swapoff` that emptied the device: the type is free again, caches forget it.
    ///
    /// # Errors
    /// [`Fault::NoDevice`] if the device still has slots in use or is not under `swapoff`.
    pub fn swapoff_finish(&mut self, d: u8) -> Result<(), Fault> {
        let ready = |dev: &&Device| !dev.virt && !dev.writeok && dev.inuse == 0;
        self.device(d).filter(ready).ok_or(Fault::NoDevice(d))?;
        self.devices[d as usize] = Device::default();
        for cache in &mut self.cpus {
            for dev in cache.dev.iter_mut().filter(|dev| **dev == d) {
                *dev = NO_DEVICE;
            }
        }
        Ok(())
    }

    /// A `swapoff` that was interrupted or ran out of memory: the device comes back behind its equals, its lists and
    /// the CPUs' caches as they are (`reinsert_swap_info`).
    ///
    /// # Errors
    /// [`Fault::NoDevice`] if the device is not under `swapoff`.
    pub fn swapoff_abort(&mut self, d: u8) -> Result<(), Fault> {
        self.device(d).filter(|dev| !dev.virt && !dev.writeok).ok_or(Fault::NoDevice(d))?;
        self.enable(d);
        Ok(())
    }

    /// The whole of `swapoff`.
    ///
    /// # Errors
    /// [`Fault::NoDevice`], also when slots remain; then the device is back in use.
    pub fn swapoff(&mut self, d: u8) -> Result<(), Fault> {
        self.swapoff_begin(d)?;
        if self.swapoff_step(d, u64::MAX)? > 0 {
            self.swapoff_abort(d)?;
            return Err(Fault::NoDevice(d));
        }
        self.swapoff_finish(d)
    }

    /// Flag and order of a cluster, `None` where there is none.
    pub fn cluster_state(&self, d: u8, c: u32) -> Option<(Flag, u8, u16)> {
        self.device(d)?.clusters.get(c as usize).map(|c| (c.flag, c.order, c.count))
    }
}

//! Where the data of a page goes: out to zswap or a device, and in again.

use super::{Place, WhatIf};
use crate::decode::Event;
use crate::model::Backing;
use crate::model::backend::Writeout;
use vswap_common::{Entry, Kind, flags};

/// Where a folio is written to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Zero,
    Zswap,
    Device,
    /// Refused: the folio stays the only copy.
    Memory,
}

impl WhatIf {
    pub(super) fn data(&mut self, e: &Event) {
        match e.kind {
            Kind::Zero if !self.late(e) => self.write_out(e, Fate::Zero),
            Kind::WriteoutReject => self.write_out(e, Fate::Memory),
            Kind::ZswapPage => self.compressed(e),
            Kind::ZswapStore => self.store(e),
            Kind::ZswapReject => self.tallies.rejected += u64::from(e.nr),
            Kind::Write if e.writeback() => self.write_back(e),
            Kind::Write => self.write_out(e, Fate::Device),
            Kind::ZswapFree if e.flags & flags::IN_LOAD != 0 => self.load(e),
            // Where frees of entries are not told, the load is, after the folio was unlocked.
            Kind::LoadZswap if !self.zswap_frees && !self.late(e) => self.load(e),
            Kind::LoadPhys => {
                self.adopt_locked(e);
                self.load(e);
            }
            _ => {}
        }
    }

    /// Recorded after the unlock, and the slots became free since it began: it is about somebody who is gone.
    fn late(&self, e: &Event) -> bool {
        self.recent_frees.freed_since(e.ts.saturating_sub(e.arg), e.entry, e.nr)
    }

    /// Compressed length of one page, or of the pages of a run.
    fn compressed(&mut self, e: &Event) {
        let len = u64::try_from(e.val).unwrap_or(0);
        for recorded in (0..u64::from(e.nr)).map(|i| e.entry.add(i)) {
            if self.places.get(recorded) != Place::Nowhere {
                self.pool.drop(&mut self.places, recorded);
                self.places.set_len(recorded, len);
            }
        }
    }

    fn store(&mut self, e: &Event) {
        self.adopt_locked(e);
        // Lengths of the pages of a large folio came one by one before.
        if e.nr == 1 {
            self.compressed(e);
        }
        if !self.pool.full() {
            self.write_out(e, Fate::Zswap);
            return;
        }
        self.write_out(e, Fate::Device);
        self.shrink(e.cpu);
    }

    fn write_out(&mut self, e: &Event, fate: Fate) {
        if fate != Fate::Zero {
            self.adopt_locked(e);
        }
        self.each_run(e, |this, at, nr, from| {
            // A zero-filled folio is told late: if it left the cache meanwhile, that record had the flag.
            if fate != Fate::Zero || (0..nr).all(|i| this.target.model.word(at.add(i)).is_cached()) {
                this.write_run(e.cpu, at, nr, from, fate);
            }
        });
    }

    pub(super) fn write_run(&mut self, cpu: u16, at: Entry, nr: u64, recorded: Entry, fate: Fate) {
        let how = Writeout {
            zero: fate == Fate::Zero,
            stored: if fate == Fate::Zswap { nr } else { 0 },
            writeback_allowed: fate == Fate::Device,
        };
        let stay = self.target.write_out(cpu, at, nr, how);
        if fate == Fate::Device {
            self.tallies.fallbacks.iter_mut().zip(stay).for_each(|(sum, n)| *sum += n);
        }
        let stays = stay.iter().any(|n| *n > 0);
        (0..nr).for_each(|i| self.places.set_stays(recorded.add(i), stays));
        self.follow(at, nr, recorded);
    }

    /// Brings the pool in line with what the design has in zswap.
    fn follow(&mut self, at: Entry, nr: u64, recorded: Entry) {
        for i in 0..nr {
            if matches!(self.target.model.backing(at.add(i)), Some(Backing::Zswap(_))) {
                self.pool.store(&mut self.places, recorded.add(i));
            } else {
                self.pool.drop(&mut self.places, recorded.add(i));
            }
        }
    }

    /// A page whose place nobody told leaves memory: zero-filled if the words say so, else to the device.
    pub(super) fn find_home(&mut self, e: &Event, at: Entry, nr: u64, recorded: Entry) {
        let zero = e.words_known() && e.zero_flag();
        if !zero {
            self.tallies.assumed += nr;
        }
        self.write_run(e.cpu, at, nr, recorded, if zero { Fate::Zero } else { Fate::Device });
    }

    /// Recorded writeback; a pool with a limit of its own decides for itself.
    fn write_back(&mut self, e: &Event) {
        if self.pool.limited() {
            return;
        }
        self.each_run(e, |this, at, nr, from| {
            for i in 0..nr {
                this.write_slot_back(e.cpu, at.add(i), from.add(i));
            }
        });
    }

    fn write_slot_back(&mut self, cpu: u16, at: Entry, recorded: Entry) -> bool {
        let done = self.target.zswap_writeback(cpu, at);
        if done {
            self.tallies.writebacks += 1;
            self.pool.drop(&mut self.places, recorded);
        }
        done
    }

    /// The shrink worker: the oldest entries go to the device until the pool takes stores again (`shrink_worker`).
    /// It ends where no physical slot is left.
    fn shrink(&mut self, cpu: u16) {
        for _ in 0..self.pool.queued() {
            if !self.pool.above_accept() {
                return;
            }
            let Some(recorded) = self.pool.rotate() else { return };
            let Place::Slot(at) = self.places.get(recorded) else { continue };
            let cached = self.target.model.word(at).is_cached();
            if !cached && !self.write_slot_back(cpu, at, recorded) {
                return;
            }
        }
    }

    /// The folio is read in: what zswap held for it is given up.
    fn load(&mut self, e: &Event) {
        self.each_run(e, |this, at, nr, from| {
            this.target.swap_in(at, nr);
            this.follow(at, nr, from);
        });
    }
}

//! What a scan found in use: the state that a trace begins with, given to the design page by page.

use super::data::Fate;
use super::{Place, WhatIf};
use crate::decode::Event;
use crate::recorded;
use vswap_common::{Entry, flags, place};

impl WhatIf {
    /// A device in use. After a loss it is known already.
    pub(super) fn found_device(&mut self, e: &Event) {
        let dev = e.entry.dev();
        if e.flags & flags::VERIFY != 0 || e.entry.off() == 0 {
            return;
        }
        if let Some(priority) = self.priorities.get_mut(usize::from(dev)) {
            *priority = Some(e.val);
        }
        let knows = |off| self.places.knows(Entry::new(dev, off), 1);
        if knows(e.entry.off() - 1) && !knows(e.entry.off()) {
            self.target.set_priority(dev, e.val);
        } else {
            // Another one of that number was there: nobody told that it went.
            self.swap_off(dev);
            self.add_device(dev, &recorded::device(e, e.val));
        }
    }

    /// Slots in equal state. What events told of them since the tables were read is younger.
    pub(super) fn found_slots(&mut self, e: &Event) {
        let at = place::place(e.arg);
        let known = self.places.knows(e.entry, e.nr.into());
        if e.flags & flags::VERIFY != 0 || place::unused(at) || !known || !self.incomplete() {
            return;
        }
        let read = e.ts.saturating_sub(place::age(e.arg));
        let owner = if e.has_memcg() { e.memcg } else { 0 };
        for recorded in (0..u64::from(e.nr)).map(|i| e.entry.add(i)) {
            if self.places.get(recorded) != Place::Nowhere || self.recent_frees.freed_since(read, recorded, 1)
            {
                continue;
            }
            self.tallies.found += 1;
            self.give_slot(e.cpu, recorded, owner);
            if let Place::Slot(slot) = self.places.get(recorded) {
                self.furnish(e, at, slot, recorded);
            }
        }
    }

    /// Users, data and folio of a slot that was found.
    fn furnish(&mut self, e: &Event, at: u64, slot: Entry, recorded: Entry) {
        let cached = e.flags & flags::CACHED != 0;
        // Who is neither cached nor referred to would not have been found; hibernation counts for one.
        let refs = place::refs(e.arg).max(u64::from(!cached));
        (0..refs).for_each(|_| self.target.dup(slot, 1));
        let fate = match at {
            place::ZERO => Some(Fate::Zero),
            place::ZSWAP => {
                self.places.set_len(recorded, u64::try_from(e.val).unwrap_or(0));
                Some(Fate::Zswap)
            }
            place::PHYS => Some(Fate::Device),
            // In memory, or nobody knows where.
            _ => None,
        };
        if let Some(fate) = fate {
            self.write_run(e.cpu, slot, 1, recorded, fate);
        }
        if !cached {
            self.target.cache_del(slot, 1);
        }
    }
}

//! A device comes and goes: before it goes, every slot on it is brought back (`try_to_unuse`).

use super::machine::GUEST;
use super::ring::about;
use super::runs::Run;
use super::sim::Sim;
use crate::model::Backing;
use vswap_common::Kind;

const US: u64 = 1_000;
/// The device goes only while it holds no more than this: it is emptied in one go.
const MOST_USED: u64 = 6_000;
/// Thread of the administrator.
const ADMIN: u32 = 400;

impl Sim {
    /// Once a wave the guest device goes, and some time later it comes again.
    pub(super) fn come_or_go(&mut self) {
        if self.now() < self.next_swap {
            return;
        }
        let wave = self.load.wave_ns;
        self.as_thread(ADMIN);
        match self.kernel.model.device(GUEST).map(|dev| dev.inuse) {
            None => {
                self.kernel.swapon();
                self.announce = true;
                self.next_swap += wave * 3 / 4;
            }
            Some(used) => {
                if used <= MOST_USED {
                    self.swapoff();
                }
                self.next_swap += wave / 4;
            }
        }
    }

    fn swapoff(&mut self) {
        // What is under way ends first, so that no folio is locked.
        while !self.io.is_empty() {
            self.io_done();
        }
        self.as_thread(ADMIN);
        self.kernel.swapoff_begins(GUEST);
        let mut used = self.kernel.runs.all(|run| run.entry.dev() == GUEST);
        while let Some((entry, _)) = used.pop() {
            let Some((id, run)) = self.kernel.runs.at(entry) else { continue };
            if run.cached {
                self.bring_back(run);
                continue;
            }
            for id in self.kernel.runs.carve(id, 0, run.nr) {
                let Some(page) = self.kernel.runs.get(id) else { continue };
                self.kernel.cache_add(page.entry);
                if let Some(Backing::Phys(_)) = self.kernel.swapin(page.entry) {
                    self.kernel.ring.spend(80 * US);
                    self.kernel.ring.push(about(Kind::ReadEnd, page.entry, 1, 0));
                }
                self.bring_back(page);
            }
        }
        self.kernel.swapoff_ends(GUEST);
    }

    /// Every page table that holds the slots of the cached folio maps it instead; then the slots go.
    fn bring_back(&mut self, run: Run) {
        for _ in 0..self.kernel.model.count(run.entry).unwrap_or(0) {
            self.kernel.put(run.entry, run.nr, false);
        }
        self.kernel.free_swap(run.entry);
    }
}

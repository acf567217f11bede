//! What a kernel's swap does in its own way: the checks are the same on all, what they expect is not.

use super::scenario::{Backing, Boot, End, Scenario, full};

/// Differences between the kernels that the suite knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ways {
    /// zswap refuses what does not compress (before 6.18), and large folios: both go to the device.
    pub(crate) zswap_refuses: bool,
    /// Most slots of a CPU that wait in its caches (before 6.18): in use for the kernel's counters, listed by nobody.
    pub(crate) idle_per_cpu: u64,
    /// What a device answers at once is read past the swap cache (before 7.0).
    pub(crate) past_cache: bool,
    /// Slots that the cgroup refuses to be charged for are given back before anybody is told of them (before 7.0).
    pub(crate) charged_first: bool,
    /// The model follows the allocator.
    pub(crate) model: bool,
    /// zswap is not built. The kernel itself says so: see [`Ways::without_zswap`].
    pub(crate) no_zswap: bool,
    /// Slots are virtual, and get one of a device only when they are written. The kernel itself says so, by the counters
    /// it has: see [`Ways::with_virtual_swap`].
    ///
    /// No swapoff ends the virtual device. Its first posting (RFC v1) does not reclaim a slot that loses its last
    /// reference while its folio is in the swap cache (`swap_put_entries_cluster` returns early), so slots of processes
    /// that are gone stay until memory is short. What a scenario finds of them is counted before its load and left out
    /// of what the load explains; on kernels that reclaim them it is none.
    pub(crate) virtual_swap: bool,
}

/// Layout of the kernel that keeps entries of a large folio that zswap could not store as a whole, if the folio may not go
/// to the device either (RFC v1: `zswap_store` does not undo itself, and `swap_writeout` gives up before it prepares the
/// folio again). The page is in memory alone, and the entry is counted until the slot is written again or freed.
pub(crate) const KEEPS_PARTIAL_STORES: &str = "virtual-swap-rfc1";

impl Default for Ways {
    fn default() -> Self {
        Self::NEW
    }
}

impl Ways {
    /// The newest kernels.
    pub(crate) const NEW: Self = Self {
        zswap_refuses: false,
        idle_per_cpu: 0,
        past_cache: false,
        charged_first: false,
        model: true,
        no_zswap: false,
        virtual_swap: false,
    };
    /// Linux 6.18 and 6.19.
    const HELD: Self = Self { past_cache: true, charged_first: true, model: false, ..Self::NEW };
    /// Linux 6.12: two caches of 64 slots (`SWAP_SLOTS_CACHE_SIZE`) for each CPU, one for each direction.
    const OLD: Self = Self { zswap_refuses: true, idle_per_cpu: 128, ..Self::HELD };

    /// Those of the kernel with this name: a version, or a file name with one like `vmlinuz-6.18.15-cloud`.
    pub(crate) fn of(kernel: &str) -> Self {
        let release = kernel.strip_prefix("vmlinuz-").unwrap_or(kernel);
        let end =
            release.match_indices(|c: char| !c.is_ascii_digit()).nth(1).map_or(release.len(), |(at, _)| at);
        match &release[..end] {
            "6.12" => Self::OLD,
            "6.18" | "6.19" => Self::HELD,
            _ => Self::NEW,
        }
    }

    /// Those of a kernel that turned out to have virtual swap, with so many slots of earlier loads left on its virtual
    /// device: the model's virtual layer begins empty, so it checks only recordings that begin with none.
    pub(crate) const fn with_virtual_swap(self, left: u64) -> Self {
        Self { model: left == 0, virtual_swap: true, ..self }
    }

    /// For a recording that begins late: the model takes over what the scan finds, but no virtual tables.
    pub(crate) const fn begun_late(self) -> Self {
        Self { model: self.model && !self.virtual_swap, ..self }
    }

    /// Those of a kernel that turned out to be built without zswap.
    pub(crate) const fn without_zswap(self) -> Self {
        Self { no_zswap: true, ..self }
    }

    /// The boots of the suite, fit for the kernel.
    pub(crate) fn boots(self) -> Vec<Boot> {
        let mut boots = full();
        for boot in &mut boots {
            // `live --check` is the model beside the kernel.
            boot.scenarios.retain(|s| self.model || s.end != End::Live);
            // Where zswap takes no large folio, it takes no part of one.
            boot.scenarios.retain(|s| !self.zswap_refuses || s.name != "partial");
            if self.zswap_refuses && boot.scenarios.iter().any(|s| s.large) {
                boot.prepare = NO_DISK;
            }
            for scenario in boot.scenarios.iter_mut().filter(|_| self.zswap_refuses) {
                refused(scenario);
            }
        }
        boots.retain(|boot| !(boot.scenarios.is_empty() && boot.extra.is_empty()));
        boots
    }
}

/// Before 6.13 a rotating disk has no clusters, hence no slots for large folios; what QEMU offers says it rotates.
const NO_DISK: &str = "echo 0 > /sys/block/vda/queue/rotational";

/// The same load where zswap takes less of it.
fn refused(scenario: &mut Scenario) {
    if scenario.large && scenario.backing == Backing::Zswap {
        // Folios that were split before go to zswap, whole ones to the device.
        scenario.backing = Backing::Writeback;
        scenario.at_least = match scenario.name {
            "mthp" => &[("pswpout", 2000), ("swpout_zero", 800)],
            "orders" => &[("pswpout", 3000), ("swpout_zero", 512)],
            _ => &[("pswpout", 5000), ("swpout_zero", 2000)],
        };
    }
    if scenario.name == "writeback" {
        // What compresses is small: 64 pages hold some thousand of the workload's.
        scenario.workers = &["--cgroup /sys/fs/cgroup/wl --set memory.max=64M --set memory.zswap.max=256K \
            --pages 32768 --seed 9|random:40000,free:3000-6000/2,touch-read:8000-8500"];
    }
    scenario.zswap_takes_half = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_kernel_runs_all_but_what_it_cannot() {
        let names = |ways: Ways| -> Vec<&str> {
            ways.boots().iter().flat_map(|b| b.scenarios.iter().map(|s| s.name)).collect()
        };
        let (old, new) = (names(Ways::of("6.12")), names(Ways::of("7.3")));
        let left_out: Vec<&str> = new.iter().filter(|name| !old.contains(name)).copied().collect();
        let needs = |s: &Scenario| s.end == End::Live || s.name == "partial";
        let wanted: Vec<&str> =
            full().iter().flat_map(|b| &b.scenarios).filter(|s| needs(s)).map(|s| s.name).collect();
        assert_eq!(left_out, wanted);
        assert!(left_out.contains(&"live-check") && old.len() > 15);
    }

    #[test]
    fn what_the_model_does_not_know_runs_without_it() {
        let boots = Ways::of("6.18").boots();
        let names: Vec<&str> = boots.iter().flat_map(|b| b.scenarios.iter().map(|s| s.name)).collect();
        let all = full().into_iter().flat_map(|b| b.scenarios);
        let live: Vec<&str> = all.filter(|s| s.end == End::Live).map(|s| s.name).collect();
        assert!(!live.is_empty() && live.iter().all(|name| !names.contains(name)));
        assert!(names.contains(&"partial") && names.contains(&"late-parallel"), "{names:?}");
        assert_eq!(Ways::of("6.19"), Ways::of("6.18"));
        assert_eq!(Ways::of("vmlinuz-6.18.15+deb13-cloud-amd64"), Ways::of("6.18"));
        assert_eq!((Ways::of("bzImage"), Ways::of("6.1")), (Ways::NEW, Ways::NEW));
    }

    #[test]
    fn large_folios_go_to_the_device_where_zswap_refuses_them() {
        let backing = |ways: Ways| {
            ways.boots().into_iter().flat_map(|b| b.scenarios).find(|s| s.name == "thp").map(|s| s.backing)
        };
        assert_eq!(backing(Ways::of("6.12")), Some(Backing::Writeback));
        assert_eq!(backing(Ways::NEW), Some(Backing::Zswap));
    }
}

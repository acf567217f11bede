//! Arithmetic of swap entries, as the kernel's `swp_entry_t` has it: type (device) in bits 58..62, offset below.

/// Slots in a cluster on kernels with `CONFIG_THP_SWAP` (`SWAPFILE_CLUSTER` = `HPAGE_PMD_NR`).
pub const CLUSTER_SLOTS: u32 = 512;
/// Orders that have lists of their own, 0 to 9 (`SWAP_NR_ORDERS`).
pub const ORDERS: usize = 10;
/// Device numbers a 5-bit swap type can name (`1 << MAX_SWAPFILES_SHIFT`).
pub const MAX_DEVICES: usize = 32;

const TYPE_SHIFT: u32 = 58;
const OFFSET_MASK: u64 = (1 << TYPE_SHIFT) - 1;

/// One swap location, `swp_entry_t.val`: a device number and a page-sized offset on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Entry(pub u64);

impl Entry {
    /// Entry of slot `off` on device `dev`.
    pub const fn new(dev: u8, off: u64) -> Self {
        Self(((dev as u64 & 0x1f) << TYPE_SHIFT) | (off & OFFSET_MASK))
    }

    /// Device number, 0 to 31 (`swp_type`).
    pub const fn dev(self) -> u8 {
        ((self.0 >> TYPE_SHIFT) & 0x1f) as u8
    }

    /// Slot offset on the device in pages (`swp_offset`).
    pub const fn off(self) -> u64 {
        self.0 & OFFSET_MASK
    }

    /// The entry `n` slots further on the same device; wraps inside the offset field only.
    #[must_use]
    pub const fn add(self, n: u64) -> Self {
        Self::new(self.dev(), self.off().wrapping_add(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_round_trips_device_and_offset() {
        for dev in 0..32u8 {
            for off in [0, 1, 511, 512, 0xffff_fe00, OFFSET_MASK] {
                let e = Entry::new(dev, off);
                assert_eq!((e.dev(), e.off()), (dev, off));
            }
        }
    }

    #[test]
    fn device_one_offset_three_has_the_kernels_value() {
        assert_eq!(Entry::new(1, 3).0, (1 << 58) + 3);
    }

    #[test]
    fn add_never_leaks_into_the_device() {
        assert_eq!(Entry::new(2, OFFSET_MASK).add(1), Entry::new(2, 0));
    }
}

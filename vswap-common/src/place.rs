//! `arg` of a `ScanSlots` record: where the data of the slots was found, how many references they have, and how long
//! before the record they were read.

/// Nobody uses the slots.
pub const FREE: u64 = 0;
/// In use; the tables do not say where the data is.
pub const UNKNOWN: u64 = 1;
/// The folio in the swap cache is the only copy.
pub const FOLIO: u64 = 2;
/// Zero-filled.
pub const ZERO: u64 = 3;
/// In zswap.
pub const ZSWAP: u64 = 4;
/// On the device.
pub const PHYS: u64 = 5;

/// Nobody uses the slots; the allocator has given them to a CPU's cache of slots (6.12).
pub const IDLE: u64 = 6;

/// Physical slots that hold the data of virtual ones, which tell where it is: nothing of their own.
pub const BACKS: u64 = 7;

/// References, saturated: 15 means 15 or more.
pub const MAX_REFS: u64 = 15;
const AGE_SHIFT: u32 = 16;
const MASK: u64 = 7;
const REFS_SHIFT: u32 = 8;

/// Place and references as one number.
pub const fn pack(place: u64, refs: u64) -> u64 {
    place | refs << REFS_SHIFT
}

/// The same, read `ns` nanoseconds before the record was made.
pub const fn aged(arg: u64, ns: u64) -> u64 {
    arg | ns << AGE_SHIFT
}

/// Nanoseconds between the read of the tables and the record; 0 in recordings that do not tell.
pub const fn age(arg: u64) -> u64 {
    arg >> AGE_SHIFT
}

/// The place in a packed number.
pub const fn place(arg: u64) -> u64 {
    arg & MASK
}

/// No page has a slot at this place.
pub const fn unused(place: u64) -> bool {
    place == FREE || place == IDLE || place == BACKS
}

/// The references in a packed number.
pub const fn refs(arg: u64) -> u64 {
    arg >> REFS_SHIFT & MAX_REFS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_and_references_do_not_touch() {
        for at in [FREE, UNKNOWN, FOLIO, ZERO, ZSWAP, PHYS, IDLE, BACKS] {
            for n in 0..=MAX_REFS {
                let arg = pack(at, n);
                assert_eq!((place(arg), refs(arg), age(arg)), (at, n, 0));
                let old = aged(arg, 123_456_789);
                assert_eq!((place(old), refs(old), age(old)), (at, n, 123_456_789));
            }
        }
    }
}

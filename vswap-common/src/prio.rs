//! `arg` of an `Isolate` record: the priority of the device, at the time the kernel relies on it.

const KNOWN: u64 = 1 << 16;

/// The priority as it goes into the record.
pub const fn pack(prio: i16) -> u64 {
    KNOWN | prio as u16 as u64
}

/// The priority; `None` if the record does not tell.
pub const fn of(arg: u64) -> Option<i16> {
    if arg & KNOWN == 0 { None } else { Some(arg as u16 as i16) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_priority_comes_back_and_nothing_is_none() {
        for prio in [i16::MIN, -2, -1, 0, 1, 10, i16::MAX] {
            assert_eq!(of(pack(prio)), Some(prio));
        }
        assert_eq!(of(0), None);
    }
}

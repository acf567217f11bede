//! Loss in sequence: turns the lost counter that each record carries into gap records at the place of the loss.

use vswap_common::{Kind, Record};

/// Last numbers seen of each CPU.
#[derive(Default)]
pub(super) struct GapTracker {
    cpus: Vec<Option<Seen>>,
    /// Records reported as lost so far.
    told: u64,
    /// Losses that files closed before have in their counters: no gap tells them again.
    elsewhere: u64,
}

#[derive(Clone, Copy)]
struct Seen {
    seq: u32,
    lost: u16,
}

/// CPUs we keep numbers for; the kernel's own bound is 8192.
const MAX_CPUS: usize = 8192;

impl GapTracker {
    /// The gap before `record`, if its CPU lost records since the last one.
    ///
    /// The counter decides *that* something was lost: an interrupt between stamping and publishing may bring two
    /// records of a CPU in the other order, which shows in `seq` but loses nothing. The distance in `seq` decides
    /// *how much*, because the counter in the record is only 16 bits wide.
    pub(super) fn before(&mut self, record: &Record) -> Option<Record> {
        let cpu = usize::from(record.cpu);
        if cpu >= MAX_CPUS {
            return None;
        }
        if cpu >= self.cpus.len() {
            self.cpus.resize(cpu + 1, None);
        }
        // Counters start at zero with the maps, so the first record tells what was lost before it.
        let seen = self.cpus[cpu].unwrap_or(Seen { seq: u32::MAX, lost: 0 });
        let lost = record.lost.wrapping_sub(seen.lost);
        // A record published late carries an older counter: more than half the range "ahead" means behind.
        if lost >= 1 << 15 {
            return None;
        }
        let ahead = record.seq.wrapping_sub(seen.seq);
        let in_order = ahead < 1 << 31;
        if in_order {
            self.cpus[cpu] = Some(Seen { seq: record.seq, lost: record.lost });
        }
        if lost == 0 {
            return None;
        }
        let by_seq = u64::from(ahead.wrapping_sub(1));
        let exact = in_order && by_seq % (1 << 16) == u64::from(lost) && by_seq >= u64::from(lost);
        let count = if exact { by_seq } else { u64::from(lost) };
        self.told += count;
        Some(gap(record.ts, record.cpu, count))
    }

    /// Records told as lost so far.
    pub(super) const fn told(&self) -> u64 {
        self.told
    }

    /// So many losses in all, without a place in sequence, stand in the counters of files that are closed.
    pub(super) const fn settle(&mut self, elsewhere: u64) {
        self.elsewhere = elsewhere;
    }

    /// The gap at the end: what the counters say was lost and no later record of its CPU could tell.
    pub(super) fn rest(&mut self, total_lost: u64, ts: u64) -> Option<Record> {
        let count = total_lost.checked_sub(self.told + self.elsewhere).filter(|n| *n > 0)?;
        self.told += count;
        Some(gap(ts, 0, count))
    }
}

fn gap(ts: u64, cpu: u16, count: u64) -> Record {
    Record { ts, arg: count, cpu, kind: Kind::Gap as u8, ..Record::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rec(cpu: u16, seq: u32, lost: u16) -> Record {
        Record { cpu, seq, lost, kind: Kind::Free as u8, ..Record::default() }
    }

    #[test]
    fn no_loss_no_gap() {
        let mut g = GapTracker::default();
        for seq in 0..10 {
            assert_eq!(g.before(&rec(0, seq, 0)), None);
        }
        assert_eq!(g.rest(0, 1), None);
    }

    #[test]
    fn loss_is_placed_and_counted_per_cpu() {
        let mut g = GapTracker::default();
        assert_eq!(g.before(&rec(0, 0, 0)), None);
        assert_eq!(g.before(&rec(1, 0, 0)), None);
        assert_eq!(g.before(&rec(0, 6, 5)).map(|r| (r.arg, r.cpu)), Some((5, 0)));
        assert_eq!(g.before(&rec(1, 1, 0)), None);
        assert_eq!(g.rest(12, 9).map(|r| r.arg), Some(7));
        assert_eq!(g.rest(12, 9), None, "told once");
    }

    #[test]
    fn what_a_closed_file_counts_is_not_told_again() {
        let mut g = GapTracker::default();
        g.before(&rec(0, 4, 4));
        g.settle(3);
        assert_eq!(g.rest(9, 1).map(|r| r.arg), Some(2));
        assert_eq!(g.rest(9, 1), None);
    }

    #[test]
    fn loss_before_the_first_record_counts() {
        assert_eq!(GapTracker::default().before(&rec(3, 4, 4)).map(|r| r.arg), Some(4));
    }

    #[test]
    fn more_than_sixteen_bits_of_loss_are_exact() {
        let mut g = GapTracker::default();
        g.before(&rec(0, 0, 0));
        let lost = 200_000u32;
        assert_eq!(g.before(&rec(0, lost + 1, lost as u16)).map(|r| r.arg), Some(u64::from(lost)));
    }

    #[test]
    fn interrupt_that_overtakes_is_no_loss() {
        let mut g = GapTracker::default();
        g.before(&rec(0, 0, 0));
        assert_eq!(g.before(&rec(0, 2, 0)), None);
        assert_eq!(g.before(&rec(0, 1, 0)), None);
        assert_eq!(g.before(&rec(0, 3, 0)), None);
    }

    #[test]
    fn late_record_with_an_older_counter_is_no_loss() {
        let mut g = GapTracker::default();
        g.before(&rec(0, 0, 0));
        assert!(g.before(&rec(0, 4, 2)).is_some());
        assert_eq!(g.before(&rec(0, 1, 0)), None);
        assert_eq!(g.before(&rec(0, 5, 2)), None);
    }
}

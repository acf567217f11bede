//! Loss in sequence: turns the lost counter that each record carries into gap records at the place of the loss.

use vswap_common::{Kind, Record};

/// Last numbers seen of each CPU.
#[derive(Default)]
pub(super) struct GapTracker {
    cpus: Vec<Seen>,
    /// Records reported as lost so far.
    told: u64,
    /// Losses that files closed before have in their counters: no gap tells them again.
    elsewhere: u64,
}

/// What is known of one CPU.
#[derive(Clone, Copy)]
struct Seen {
    /// Number of the last record.
    seq: u32,
    /// Records lost so far; those carry the low 16 bits of it.
    lost: u32,
    /// Of those, told since the last record.
    told: u32,
}

/// Counters start at zero with the maps, so the first record tells what was lost before it.
const START: Seen = Seen { seq: u32::MAX, lost: 0, told: 0 };

/// CPUs we keep numbers for; the kernel's own bound is 8192.
const MAX_CPUS: usize = 8192;

impl GapTracker {
    /// The gap before `record`, if its CPU lost records since the last one.
    ///
    /// The counter decides *that* something was lost: an interrupt between stamping and publishing may bring two
    /// records of a CPU in the other order, which shows in `seq` but loses nothing. The distance in `seq` decides
    /// *how much*, because the counter in the record is only 16 bits wide.
    pub(super) fn before(&mut self, record: &Record) -> Option<Record> {
        let seen = self.of(record.cpu)?;
        let ahead = record.seq.wrapping_sub(seen.seq);
        if ahead == 0 || ahead >= 1 << 31 {
            // Overtaken by a later one, which told what was lost.
            return None;
        }
        let short = record.lost.wrapping_sub(seen.lost as u16);
        let missing = (ahead - 1).saturating_sub(seen.told);
        // A record published late carries an older counter: far "ahead" without the numbers to go with it.
        if short >= 1 << 15 && missing < u32::from(short) {
            return None;
        }
        let exact = missing as u16 == short && missing >= u32::from(short);
        let count = if exact { missing } else { u32::from(short) };
        *seen = Seen { seq: record.seq, lost: seen.lost.wrapping_add(count), told: 0 };
        self.tell(record.cpu, record.ts, count)
    }

    /// The gap of a CPU that says it lost so many records so far: those after its last record are told by none.
    pub(super) fn by_counter(&mut self, cpu: u16, lost: u32, ts: u64) -> Option<Record> {
        let seen = self.of(cpu)?;
        let count = lost.wrapping_sub(seen.lost);
        // A record that came out of the ring meanwhile knows better.
        if count >= 1 << 31 {
            return None;
        }
        seen.lost = lost;
        seen.told = seen.told.saturating_add(count);
        self.tell(cpu, ts, count)
    }

    fn of(&mut self, cpu: u16) -> Option<&mut Seen> {
        let cpu = usize::from(cpu);
        if cpu >= MAX_CPUS {
            return None;
        }
        if cpu >= self.cpus.len() {
            self.cpus.resize(cpu + 1, START);
        }
        self.cpus.get_mut(cpu)
    }

    fn tell(&mut self, cpu: u16, ts: u64, count: u32) -> Option<Record> {
        self.told += u64::from(count);
        (count > 0).then(|| gap(ts, cpu, u64::from(count)))
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
    fn no_number_of_lost_records_looks_like_none() {
        for lost in [(1 << 15) - 1, 1 << 15, 40_000, (1 << 16) - 1, 1 << 16, 1 << 17, (1 << 17) + 40_000] {
            let mut g = GapTracker::default();
            g.before(&rec(0, 0, 0));
            let gap = g.before(&rec(0, lost + 1, lost as u16));
            assert_eq!(gap.map(|r| r.arg), Some(u64::from(lost)));
            assert_eq!(g.before(&rec(0, lost + 2, lost as u16)), None);
            assert_eq!(g.told, u64::from(lost));
        }
    }

    #[test]
    fn what_a_counter_told_no_record_tells_again() {
        let mut g = GapTracker::default();
        g.before(&rec(2, 0, 0));
        assert_eq!(g.by_counter(2, 0, 5), None);
        assert_eq!(g.by_counter(2, 70_000, 5).map(|r| (r.arg, r.cpu, r.ts)), Some((70_000, 2, 5)));
        assert_eq!(g.by_counter(2, 70_000, 6), None);
        assert_eq!(g.before(&rec(2, 70_001, 70_000u32 as u16)), None);
        assert_eq!(g.before(&rec(2, 70_005, 70_003u32 as u16)).map(|r| r.arg), Some(3));
        // Lost before and after the counter was asked, and told by one record.
        assert_eq!(g.by_counter(2, 70_005, 7).map(|r| r.arg), Some(2));
        assert_eq!(g.before(&rec(2, 70_010, 70_007u32 as u16)).map(|r| r.arg), Some(2));
        assert_eq!(g.by_counter(2, 70_001, 8), None, "asked before that record came");
        assert_eq!((g.told, g.rest(70_007, 9)), (70_007, None));
        assert_eq!(g.by_counter(0, 4, 9).map(|r| r.arg), Some(4), "a CPU that told nothing");
        assert_eq!(g.before(&rec(0, 4, 4)), None);
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

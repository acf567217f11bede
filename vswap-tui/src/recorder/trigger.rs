//! What makes the flight recorder save: seen in the records, or in what any process may read below /proc.

use std::fs;
use std::str::FromStr;
use std::time::{Duration, Instant};
use thiserror::Error;
use vswap_common::{Kind, Record, flags};

/// /proc is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const SECOND_NS: u64 = 1_000_000_000;

/// One condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trigger {
    /// Pages written back from zswap within a second of trace time.
    Writeback(u64),
    /// Requests for slots refused within a second.
    AllocFail(u64),
    /// The kernel killed a process for lack of memory.
    OomKill,
    /// Share of time in which some task stalled on memory, average of ten seconds, percent.
    Psi(f64),
}

/// A trigger that is none.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "'{0}' is not a trigger like writeback=1000 (pages a second), alloc-fail=1 (a second), oom, psi=20 (percent)"
)]
pub struct TriggerError(String);

impl FromStr for Trigger {
    type Err = TriggerError;

    fn from_str(s: &str) -> Result<Self, TriggerError> {
        let wrong = || TriggerError(s.to_owned());
        let count = |v: &str| v.parse().ok().filter(|n| *n > 0).ok_or_else(wrong);
        match s.split_once('=') {
            None if s == "oom" => Ok(Self::OomKill),
            Some(("writeback", v)) => count(v).map(Self::Writeback),
            Some(("alloc-fail", v)) => count(v).map(Self::AllocFail),
            Some(("psi", v)) => {
                let level: f64 = v.parse().map_err(|_| wrong())?;
                if level > 0.0 && level <= 100.0 { Ok(Self::Psi(level)) } else { Err(wrong()) }
            }
            _ => Err(wrong()),
        }
    }
}

/// Watches for triggers.
pub struct Watch {
    triggers: Vec<Trigger>,
    /// End of the second that is counted, and the counts in it.
    until: u64,
    written_back: u64,
    refused: u64,
    looked: Option<Instant>,
    oom_kills: Option<u64>,
}

impl Watch {
    /// Watches for these.
    pub fn new(triggers: Vec<Trigger>) -> Self {
        Self { triggers, until: 0, written_back: 0, refused: 0, looked: None, oom_kills: None }
    }

    /// Looks at records; the first condition that is met, in words.
    pub fn records(&mut self, records: &[Record]) -> Option<String> {
        let mut met = None;
        for r in records {
            if r.ts >= self.until {
                self.until = r.ts.saturating_add(SECOND_NS);
                (self.written_back, self.refused) = (0, 0);
            }
            if r.kind == Kind::Write as u8 && r.flags & flags::WRITEBACK != 0 {
                self.written_back += u64::from(r.nr);
            } else if r.kind == Kind::AllocFail as u8 {
                self.refused += 1;
            } else {
                continue;
            }
            let hit = |t: &&Trigger| match **t {
                Trigger::Writeback(n) => self.written_back >= n,
                Trigger::AllocFail(n) => self.refused >= n,
                Trigger::OomKill | Trigger::Psi(_) => false,
            };
            if met.is_none()
                && let Some(trigger) = self.triggers.iter().find(hit)
            {
                met = Some(match trigger {
                    Trigger::Writeback(n) => format!("{n} pages written back within a second"),
                    _ => format!("{} requests for slots refused within a second", self.refused),
                });
            }
        }
        met
    }

    /// Looks at /proc, once a second; the first condition that is met, in words.
    pub fn host(&mut self, now: Instant) -> Option<String> {
        if self.looked.is_some_and(|at| now - at < LOOK_EVERY) {
            return None;
        }
        self.looked = Some(now);
        let mut met = None;
        for trigger in &self.triggers {
            match *trigger {
                Trigger::OomKill => {
                    let kills = fs::read_to_string("/proc/vmstat").ok().and_then(|s| oom_kills(&s));
                    if kills > self.oom_kills && self.oom_kills.is_some() {
                        met.get_or_insert_with(|| {
                            "the kernel killed a process for lack of memory".to_owned()
                        });
                    }
                    self.oom_kills = kills.or(self.oom_kills);
                }
                Trigger::Psi(level) => {
                    let now = fs::read_to_string("/proc/pressure/memory").ok().and_then(|s| some_avg10(&s));
                    if let Some(now) = now.filter(|n| *n >= level) {
                        met.get_or_insert_with(|| format!("memory pressure of {now} %"));
                    }
                }
                Trigger::Writeback(_) | Trigger::AllocFail(_) => {}
            }
        }
        met
    }
}

/// The counter of /proc/vmstat.
fn oom_kills(vmstat: &str) -> Option<u64> {
    vmstat.lines().find_map(|l| l.strip_prefix("oom_kill "))?.trim().parse().ok()
}

/// `avg10` of the line `some` of /proc/pressure/memory.
fn some_avg10(psi: &str) -> Option<f64> {
    let line = psi.lines().find_map(|l| l.strip_prefix("some "))?;
    line.split_whitespace().find_map(|f| f.strip_prefix("avg10="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_read_as_they_are_written() {
        assert_eq!("writeback=1000".parse(), Ok(Trigger::Writeback(1000)));
        assert_eq!("alloc-fail=1".parse(), Ok(Trigger::AllocFail(1)));
        assert_eq!("oom".parse(), Ok(Trigger::OomKill));
        assert_eq!("psi=12.5".parse(), Ok(Trigger::Psi(12.5)));
        for wrong in ["", "oom=1", "psi=0", "psi=nan", "psi=101", "writeback", "writeback=0", "x=1"] {
            assert!(wrong.parse::<Trigger>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn bursts_count_within_a_second_only() {
        let write =
            |ts| Record { ts, kind: Kind::Write as u8, nr: 10, flags: flags::WRITEBACK, ..Record::default() };
        let mut w = Watch::new(vec![Trigger::Writeback(20)]);
        assert_eq!(w.records(&[write(5), write(SECOND_NS + 6)]), None, "two seconds");
        assert!(w.records(&[write(SECOND_NS + 7)]).is_some_and(|s| s.contains("20 pages")));
        let reclaim = Record { flags: 0, ..write(SECOND_NS + 8) };
        assert_eq!(Watch::new(vec![Trigger::Writeback(10)]).records(&[reclaim]), None, "no writeback");
        let refused = Record { kind: Kind::AllocFail as u8, ..write(9) };
        assert!(Watch::new(vec![Trigger::AllocFail(1)]).records(&[refused]).is_some());
    }

    #[test]
    fn the_kernels_words() {
        assert_eq!(oom_kills("nr_free_pages 5\noom_kill 3\nx 1\n"), Some(3));
        let psi =
            "some avg10=12.34 avg60=1.00 avg300=0.10 total=5\nfull avg10=9.00 avg60=0 avg300=0 total=1\n";
        assert_eq!((some_avg10(psi), some_avg10("")), (Some(12.34), None));
    }
}

//! The rows of the totals: each from the tracepoint that tells it, else from the kernel's own counter.

use crate::kernel::facts::read_swaps;
use crate::kernel::tracepoints::{place, programs_of};
use crate::tracer::{Reading, Tallies};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use vswap_common::Tally;

/// How far a number can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// It is the number.
    Exact,
    /// Some calls were missed.
    AtLeast,
    /// It counts something near to it; `by` says what.
    Approximate,
}

/// A transition.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Pages since the begin.
    pub total: u64,
    /// Pages a second since the last look.
    pub rate: f64,
    /// Where the number comes from.
    pub by: String,
    /// How far it can be trusted.
    pub trust: Trust,
    /// What the kernel's own counter of the same says, if it has one: pages without a cgroup are in it, and it may be
    /// behind by a second.
    pub counter: Option<u64>,
}

/// What one kind of reclaim did.
#[derive(Clone, Debug, Serialize)]
pub struct Reclaim {
    /// Who wanted memory.
    pub by: &'static str,
    /// Runs that ended; nothing where they have no begin and end.
    pub runs: Option<u64>,
    /// Time in them, nanoseconds.
    pub ns: Option<u64>,
    /// Folios that it had written, to wherever.
    pub written: u64,
    /// The same a second.
    pub rate: f64,
    /// Only what was seen between a begin and an end is told apart.
    pub trust: Trust,
}

/// Requests to swap devices since the begin.
#[derive(Clone, Debug, Serialize)]
pub struct SwapIo {
    /// Requests to read.
    pub reads: u64,
    /// Bytes they asked for.
    pub read_bytes: u64,
    /// Requests to write.
    pub writes: u64,
    /// Bytes they carried.
    pub written_bytes: u64,
    /// Bytes a second, read and written.
    pub rates: [f64; 2],
    /// Exact for devices that swap has for itself.
    pub trust: Trust,
    /// What is not in it; empty if nothing.
    pub left_out: &'static str,
}

/// A row's name, its sum, and the kernel's counter of the same.
const ROWS: &[(&str, Tally, &str)] = &[
    ("out to zswap", Tally::ZswpOut, "zswpout"),
    ("out as zeroes", Tally::ZeroOut, "swpout_zero"),
    ("out to the device", Tally::PswpOut, "pswpout"),
    ("zswap to the device", Tally::ZswpWb, "zswpwb"),
    ("in from zswap", Tally::ZswpIn, "zswpin"),
    ("in as zeroes", Tally::ZeroIn, "swpin_zero"),
    ("in from the device", Tally::PswpIn, "pswpin"),
    ("slots charged", Tally::SlotsCharged, ""),
    ("slots given back", Tally::SlotsUncharged, ""),
    ("pages that left zswap", Tally::ZswapGone, ""),
    ("large folios split", Tally::ThpFallback, "thp_swpout_fallback"),
];

/// A kind of reclaim: name, folios written, runs and time.
type Kind = (&'static str, Tally, Option<(Tally, Tally)>);

const RECLAIM: &[Kind] = &[
    ("direct", Tally::WrittenDirect, Some((Tally::DirectReclaims, Tally::DirectNs))),
    ("cgroup", Tally::WrittenMemcg, Some((Tally::MemcgReclaims, Tally::MemcgNs))),
    ("kswapd", Tally::WrittenKswapd, Some((Tally::KswapdRuns, Tally::KswapdNs))),
    ("others", Tally::WrittenOther, None),
];

/// Everything that one look brought, and the look before.
pub(super) struct Sources<'a> {
    pub(super) tallies: Option<&'a Tallies>,
    pub(super) reading: Option<&'a Reading>,
    pub(super) old: Option<&'a Reading>,
    pub(super) counted: &'a BTreeMap<&'static str, u64>,
    pub(super) old_counted: Option<&'a BTreeMap<&'static str, u64>>,
    /// Between the two.
    pub(super) seconds: f64,
}

impl Sources<'_> {
    fn sum(&self, tally: Tally) -> Option<u64> {
        self.tallies?.gives(tally).ok()?;
        Some(self.reading?.sums[tally as usize])
    }

    fn rate(&self, now: u64, before: u64) -> f64 {
        per_second(now, before, self.seconds)
    }

    fn before(&self, tally: Tally) -> u64 {
        self.old.map_or(0, |old| old.sums[tally as usize])
    }

    /// Exact unless the kernel skipped a program that the sum comes from.
    fn trust(&self, programs: &[&str]) -> Trust {
        let missed = self.reading.is_some_and(|r| r.missed.iter().any(|(p, _)| programs.contains(p)));
        if missed { Trust::AtLeast } else { Trust::Exact }
    }

    pub(super) fn transitions(&self) -> Vec<Row> {
        let row = |(name, tally, counter): &(&'static str, Tally, &str)| {
            if let Some(total) = self.sum(*tally) {
                let rate = self.rate(total, self.before(*tally));
                // Most calls that are missed are not about swap: the kernel's own counter tells whether one was.
                let trust = match self.trust(programs_of(*tally)) {
                    Trust::AtLeast if self.counted.get(counter).is_some_and(|n| *n <= total) => Trust::Exact,
                    other => other,
                };
                let counter = self.counted.get(counter).copied();
                return Some(Row { name, total, rate, by: place(*tally), trust, counter });
            }
            let total = *self.counted.get(counter)?;
            let before = self.old_counted.and_then(|old| old.get(counter)).copied().unwrap_or(0);
            let rate = self.rate(total, before);
            let by = format!("{counter} in /proc/vmstat");
            Some(Row { name, total, rate, by, trust: Trust::Exact, counter: Some(total) })
        };
        ROWS.iter().filter_map(row).collect()
    }

    pub(super) fn reclaim(&self) -> Vec<Reclaim> {
        let row = |(by, written, runs): &Kind| {
            let total = self.sum(*written)?;
            Some(Reclaim {
                by,
                runs: runs.and_then(|(runs, _)| self.sum(runs)),
                ns: runs.and_then(|(_, ns)| self.sum(ns)),
                written: total,
                rate: self.rate(total, self.before(*written)),
                trust: Trust::Approximate,
            })
        };
        RECLAIM.iter().filter_map(row).collect()
    }

    pub(super) fn swap_io(&self, root: &Path) -> Option<SwapIo> {
        let (read, written) = (self.sum(Tally::BytesRead)?, self.sum(Tally::BytesWritten)?);
        let rates = [
            self.rate(read, self.before(Tally::BytesRead)),
            self.rate(written, self.before(Tally::BytesWritten)),
        ];
        let file = |name: &str| {
            root.join(name.trim_start_matches('/')).metadata().is_ok_and(|m| m.file_type().is_file())
        };
        let files = read_swaps(root).iter().any(|line| file(&line.name));
        Some(SwapIo {
            reads: self.sum(Tally::BiosRead)?,
            read_bytes: read,
            writes: self.sum(Tally::BiosWritten)?,
            written_bytes: written,
            rates,
            trust: if files { Trust::Approximate } else { self.trust(&["t_bio"]) },
            left_out: if files { "reads from swap files" } else { "" },
        })
    }
}

pub(super) fn unattributed(reading: &Reading) -> u64 {
    reading.sums[Tally::Unattributed as usize]
}

pub(super) fn per_second(now: u64, before: u64, seconds: f64) -> f64 {
    now.saturating_sub(before) as f64 / seconds.max(1e-9)
}

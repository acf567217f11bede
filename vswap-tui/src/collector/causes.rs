//! Causes: what the records say of them, counted.

use super::Collector;
use crate::decode::Event;
use crate::snapshot::Percentiles;
use crate::snapshot::why::{Fallback, Outcome, Refused, STAYS, Stay, Why};
use crate::trace::keyframe::KeyCauses;
use hdrhistogram::Histogram;
use vswap_common::why::{Refusal, WRITEBACKS, Writeback, reclaimer, walk};
use vswap_common::{Kind, flags};

const NS_PER_MS: u64 = 1_000_000;
/// Longer counts as this: 400 days, more than a slot can remember.
const LONGEST_MS: u64 = 400 * 24 * 3_600_000;
const EAGAIN: i32 = -11;
const EINVAL: i32 = -22;

/// Times of pages, in milliseconds.
struct Ages {
    histogram: Histogram<u64>,
    percentiles: Percentiles,
    stale: bool,
}

impl Ages {
    fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_MS, 2)
            .expect("constant bounds, 1 <= lowest, 2 * lowest <= highest, digits <= 5");
        Self { histogram, percentiles: Percentiles::default(), stale: false }
    }

    /// Times and how often.
    fn dump(&self) -> Vec<(u64, u64)> {
        self.histogram.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())).collect()
    }

    fn restore(&mut self, dump: &[(u64, u64)]) {
        for (ms, n) in dump {
            self.histogram.saturating_record_n(*ms, *n);
        }
        self.stale = true;
    }

    fn record(&mut self, ms: u64) {
        self.histogram.saturating_record(ms);
        self.stale = true;
    }

    fn percentiles(&mut self) -> Percentiles {
        if std::mem::take(&mut self.stale) {
            let h = &self.histogram;
            let ns = |ms: u64| ms.min(h.max()) * NS_PER_MS;
            self.percentiles = Percentiles {
                p50: ns(h.value_at_quantile(0.5)),
                p90: ns(h.value_at_quantile(0.9)),
                p99: ns(h.value_at_quantile(0.99)),
                p999: ns(h.value_at_quantile(0.999)),
                max: ns(h.max()),
                count: h.len(),
            };
        }
        self.percentiles
    }
}

/// Counts by cause.
pub(super) struct Causes {
    counts: Why,
    stays: [Ages; STAYS],
    refaults: Ages,
}

impl Causes {
    pub(super) fn new() -> Self {
        Self { counts: Why::default(), stays: std::array::from_fn(|_| Ages::new()), refaults: Ages::new() }
    }

    /// The counts now.
    pub(super) fn view(&mut self) -> Why {
        let stays = self.stays.each_mut().map(Ages::percentiles);
        Why { stays, refaults: self.refaults.percentiles(), ..self.counts }
    }

    /// What a key frame carries.
    pub(super) fn dump(&self, memcgs: Vec<(u16, [u64; WRITEBACKS], u64)>) -> KeyCauses {
        KeyCauses {
            counts: self.counts,
            stays: self.stays.iter().map(Ages::dump).collect(),
            refaults: self.refaults.dump(),
            memcgs,
        }
    }

    /// Takes over what a key frame carries.
    pub(super) fn restore(&mut self, state: &KeyCauses) {
        self.counts = state.counts;
        self.stays.iter_mut().zip(&state.stays).for_each(|(ages, dump)| ages.restore(dump));
        self.refaults.restore(&state.refaults);
    }

    /// A folio was swapped out, or its writeout refused.
    pub(super) fn writeout(&mut self, e: &Event, outcome: Outcome) {
        self.counts.writeout[reclaimer(e.flags) as usize][outcome as usize] += u64::from(e.nr);
    }

    /// zswap wrote pages back. Returns the cause.
    pub(super) fn writeback(&mut self, e: &Event) -> Writeback {
        let cause = Writeback::from_number(e.val.unsigned_abs().into());
        self.counts.writeback[cause as usize][reclaimer(e.flags) as usize] += u64::from(e.nr);
        cause
    }

    /// zswap refused a folio.
    pub(super) fn refusal(&mut self, e: &Event) {
        let why = Refusal::from_number(e.val.unsigned_abs().into());
        let Refused { folios, pages } = &mut self.counts.refusals[why as usize];
        *folios += 1;
        *pages += u64::from(e.nr);
    }

    /// A walk over zswap's list ended.
    pub(super) fn shrink(&mut self, e: &Event) {
        let to = &mut self.counts.walks[Writeback::from_number(e.val.unsigned_abs().into()) as usize];
        let did = walk::unpack(e.arg);
        to.walks += 1;
        to.written += did[walk::WRITTEN];
        to.spared += did[walk::SPARED];
        to.failed += did[walk::FAILED];
        to.stopped += did[walk::STOPPED];
    }

    /// A page that was in zswap for so long leaves it by this event.
    #[inline]
    pub(super) fn stay(&mut self, e: &Event, ms: u64) {
        self.stays[ending(e) as usize].record(ms);
    }

    /// A page is read that was written back so long ago.
    pub(super) fn refault(&mut self, ms: u64) {
        self.refaults.record(ms);
    }

    /// A folio got no slot; `free` is what the map has free, if it can tell.
    fn fallback(&mut self, e: &Event, free: Option<u64>) {
        let order = usize::from(e.order);
        let (reason, told) = if e.flags & flags::GIVEN != 0 {
            (Fallback::MemcgLimit, true)
        } else if matches!(e.val, EAGAIN | EINVAL) {
            (Fallback::Unsupported, true)
        } else if let Some(free) = e.arg.checked_sub(1) {
            (by_free(free, order), true)
        } else {
            (free.map_or(Fallback::Unknown, |free| by_free(free, order)), false)
        };
        let table = if told { &mut self.counts.fallbacks } else { &mut self.counts.inferred_fallbacks };
        if let Some(count) = table[reason as usize].get_mut(order) {
            *count += 1;
        }
    }
}

/// Too little, or too scattered. A single slot cannot be scattered: others were faster, or somebody gave one back.
fn by_free(free: u64, order: usize) -> Fallback {
    if free < 1 << order {
        Fallback::NoSpace
    } else if order > 0 {
        Fallback::NoRun
    } else {
        Fallback::Unknown
    }
}

/// What the event means for a page that it takes out of zswap.
#[inline]
fn ending(e: &Event) -> Stay {
    match e.kind {
        Kind::ZswapFree if e.flags & flags::IN_LOAD != 0 => Stay::Loaded,
        Kind::ZswapFree if e.flags & flags::IN_STORE != 0 => Stay::Replaced,
        Kind::ZswapFree | Kind::Write if e.flags & flags::IN_FREE == 0 => Stay::WrittenBack,
        Kind::Free | Kind::ZswapFree | Kind::SwapOff => Stay::Freed,
        _ => Stay::Replaced,
    }
}

impl Collector {
    pub(super) fn fallback(&mut self, e: &Event) {
        let free = self.map.free_slots();
        self.causes.fallback(e, free);
    }

    /// Pages of the run that zswap wrote back are read: each counts once.
    pub(super) fn refaults(&mut self, e: &Event) {
        let (causes, map) = (&mut self.causes, &mut self.map);
        map.take_written_back(e, |row, ms| {
            row.refaults += 1;
            causes.refault(ms);
        });
    }
}

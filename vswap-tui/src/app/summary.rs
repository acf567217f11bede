//! What the views read off a frame, counted once when it arrives: rates, the series behind the sparklines, and the
//! clusters of the shown device by list and order.

use crate::app::frame::Frame;
use crate::snapshot::closeup::Run;
use crate::snapshot::{ClusterCell, List, Mix, Point, Totals};
use vswap_common::slot::ORDERS;

/// Columns of history kept for drawing; wider terminals show this many.
pub const BINS: usize = 240;
/// Time a rate is taken over, and the width of a bin: steady enough to read, short enough to react.
const WINDOW_NS: u64 = 1_000_000_000;

/// Pages (slots for `alloc` and `free`) per second of event time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Zero-filled pages swapped out.
    pub zero_out: f64,
    /// Zero-filled pages swapped in.
    pub zero_in: f64,
    /// Pages stored in zswap.
    pub zswap_out: f64,
    /// Pages loaded from zswap.
    pub zswap_in: f64,
    /// Pages queued to devices, writeback included (as `pswpout`).
    pub phys_out: f64,
    /// Pages read from devices.
    pub phys_in: f64,
    /// Pages moved from zswap to a device.
    pub writeback: f64,
    /// Slots allocated.
    pub alloc: f64,
    /// Slots freed.
    pub free: f64,
    /// Pages zswap refused or whose writeout was refused, and folios that found no slot.
    pub refused: f64,
}

impl Rates {
    fn from_totals(t: &Totals, seconds: f64) -> Self {
        let per = |n: u64| n as f64 / seconds;
        Self {
            zero_out: per(t.swpout_zero),
            zero_in: per(t.swpin_zero),
            zswap_out: per(t.zswpout),
            zswap_in: per(t.zswpin),
            phys_out: per(t.pswpout),
            phys_in: per(t.pswpin),
            writeback: per(t.zswpwb),
            alloc: per(t.alloc),
            free: per(t.free),
            refused: per(t.zswap_reject + t.writeout_reject + t.alloc_fail),
        }
    }
}

/// One second of history.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// Slots in use by backend at its end.
    pub mix: Mix,
    /// What happened in it.
    pub delta: Totals,
}

/// Clusters by list and order, `[list][order]`.
pub type ListCounts = [[u32; ORDERS]; 6];

/// Counted from one frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Rates over the last second.
    pub rates: Rates,
    /// Whole seconds of history, oldest first, at most [`BINS`]; a second without events repeats the state.
    pub bins: Vec<Bin>,
    /// Clusters of the shown device.
    pub lists: ListCounts,
    /// Slots of the cluster that is looked into, put together as far as they are alike.
    pub runs: Vec<Run>,
}

impl Summary {
    /// Counts a frame; `clusters` are those of the shown device.
    pub fn new(frame: &Frame, clusters: &[ClusterCell]) -> Self {
        let history = &frame.snapshot.history;
        Self {
            rates: rates(history, frame.snapshot.first_ts, frame.now),
            bins: bins(history, frame.now),
            lists: lists(clusters),
            runs: Vec::new(),
        }
    }
}

/// What it means that a cluster is on no list: where some are, it was taken off; else nobody tells this kernel's lists.
pub fn off_list(lists: &ListCounts) -> &'static str {
    let told = lists[List::Free as usize..].iter().flatten().any(|n| *n > 0);
    if told { "off list" } else { "list not told" }
}

/// Counts clusters by list and order.
pub fn lists(clusters: &[ClusterCell]) -> ListCounts {
    let mut counts = ListCounts::default();
    for c in clusters {
        counts[c.list as usize][usize::from(c.order).min(ORDERS - 1)] += 1;
    }
    counts
}

fn rates(history: &[Point], first_ts: u64, now: u64) -> Rates {
    let Some(last) = history.last() else { return Rates::default() };
    let window = WINDOW_NS.max(last.span_ns);
    // While events flow the window ends with the last closed interval, so that it always holds whole ones; in a
    // silence it ends now, so that the rate falls to zero.
    let silent = now.saturating_sub(last.ts) >= 2 * last.span_ns.max(1);
    let end = if silent { now } else { last.ts };
    let from = end.saturating_sub(window);
    let mut sum = Totals::default();
    for p in history.iter().rev().take_while(|p| p.ts > from) {
        add(&mut sum, &p.delta);
    }
    let lived = end.saturating_sub(first_ts).clamp(last.span_ns.clamp(1, window), window);
    Rates::from_totals(&sum, lived as f64 / 1e9)
}

fn bins(history: &[Point], now: u64) -> Vec<Bin> {
    let Some(first) = history.first() else { return Vec::new() };
    let this = now / WINDOW_NS;
    // Whole seconds only: the running one would always look like a dip.
    let oldest = (first.ts / WINDOW_NS).max(this.saturating_sub(BINS as u64));
    let mut out = vec![None::<Bin>; this.saturating_sub(oldest) as usize];
    let mut before = Mix::default();
    for p in history.iter() {
        let second = p.ts / WINDOW_NS;
        if second < oldest {
            before = p.mix;
        } else if let Some(slot) = out.get_mut((second - oldest) as usize) {
            let bin = slot.get_or_insert_default();
            bin.mix = p.mix;
            add(&mut bin.delta, &p.delta);
        }
    }
    let mut carried = before;
    out.into_iter()
        .map(|slot| {
            let bin = slot.unwrap_or(Bin { mix: carried, delta: Totals::default() });
            carried = bin.mix;
            bin
        })
        .collect()
}

fn add(sum: &mut Totals, more: &Totals) {
    let (now, more) = (sum.numbers(), more.numbers());
    *sum = Totals::from_numbers(std::array::from_fn(|i| now[i] + more[i]));
}

/// Clusters on one list, all orders.
pub fn on_list(counts: &ListCounts, list: List) -> u32 {
    counts[list as usize].iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn point(ts: u64, zswap: u64, out: u64) -> Point {
        Point {
            ts,
            mix: [0, 0, 0, zswap, 0],
            delta: Totals { zswpout: out, ..Totals::default() },
            events: out,
            span_ns: S / 4,
        }
    }

    #[test]
    fn rate_is_what_happened_in_the_last_second() {
        let history: Vec<Point> = (1..=20).map(|i| point(i * S / 4, i * 10, 10)).collect();
        let r = rates(&history, 0, 5 * S);
        assert!((r.zswap_out - 40.0).abs() < 1e-9, "{r:?}");
        assert_eq!(r.zswap_in, 0.0);
    }

    #[test]
    fn rate_falls_to_zero_when_nothing_happens() {
        let history: Vec<Point> = (1..=4).map(|i| point(i * S / 4, 10, 10)).collect();
        assert!(rates(&history, 0, S).zswap_out > 0.0);
        assert_eq!(rates(&history, 0, 3 * S), Rates::default());
    }

    #[test]
    fn long_intervals_still_have_a_rate() {
        let history = [
            Point { span_ns: 5 * S, ..point(5 * S, 1, 500) },
            Point { span_ns: 5 * S, ..point(10 * S, 1, 500) },
        ];
        assert!((rates(&history, 0, 10 * S).zswap_out - 100.0).abs() < 1e-9);
    }

    #[test]
    fn silent_seconds_repeat_the_state_and_the_running_second_is_left_out() {
        let history = [point(S / 2, 5, 5), point(3 * S + 1, 9, 4), point(4 * S + 1, 10, 1)];
        let b = bins(&history, 4 * S + 2);
        let mixes: Vec<u64> = b.iter().map(|b| b.mix[3]).collect();
        assert_eq!(mixes, [5, 5, 5, 9]);
        let outs: Vec<u64> = b.iter().map(|b| b.delta.zswpout).collect();
        assert_eq!(outs, [5, 0, 0, 4]);
    }

    #[test]
    fn history_is_bounded_and_starts_from_the_state_before() {
        let history: Vec<Point> = (0..1000).map(|i| point(i * S + 1, i, 1)).collect();
        let b = bins(&history, 1000 * S);
        assert_eq!(b.len(), BINS);
        assert_eq!((b[0].mix[3], b[BINS - 1].mix[3]), (760, 999));
        let b = bins(&history[..1], 5000 * S);
        assert_eq!(b.len(), BINS, "long silence after one event");
    }

    #[test]
    fn a_clock_that_went_back_does_not_panic() {
        let history = [point(9 * S, 1, 1), point(3 * S, 2, 1)];
        bins(&history, 2 * S);
        rates(&history, 9 * S, 2 * S);
    }

    #[test]
    fn clusters_are_counted_by_list_and_order() {
        let cells = [
            ClusterCell { list: List::Frag, order: 4, ..ClusterCell::default() },
            ClusterCell { list: List::Frag, order: 4, ..ClusterCell::default() },
            ClusterCell { list: List::Full, order: 200, ..ClusterCell::default() },
        ];
        let counts = lists(&cells);
        assert_eq!(counts[List::Frag as usize][4], 2);
        assert_eq!(on_list(&counts, List::Full), 1);
    }
}

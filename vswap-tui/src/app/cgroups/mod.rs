//! Rows of the cgroup view: the owners of a snapshot as a tree with sums, or flat; sorted, filtered, folded.

mod tree;

use crate::app::baseline::Baseline;
use crate::app::frame::Frame;
use crate::snapshot::{Backend, MemcgView, Mix};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use vswap_common::why::WRITEBACKS;

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// Slots in use.
    Slots,
    /// Pages in zswap.
    Zswap,
    /// Pages on devices.
    Phys,
    /// Zero pages.
    Zero,
    /// Pages moved out a second.
    Out,
    /// Pages that came in a second.
    In,
    /// Pages written back a second.
    Writeback,
    /// Difference to what the kernel says.
    Audit,
    /// Path.
    Path,
}

impl SortBy {
    /// In the order in which a key walks through them.
    pub const ALL: [Self; 9] = [
        Self::Slots,
        Self::Zswap,
        Self::Phys,
        Self::Zero,
        Self::Out,
        Self::In,
        Self::Writeback,
        Self::Audit,
        Self::Path,
    ];

    /// Word for it: head of the column, and what a command calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slots => "slots",
            Self::Zswap => "zswap",
            Self::Phys => "phys",
            Self::Zero => "zero",
            Self::Out => "out/s",
            Self::In => "in/s",
            Self::Writeback => "wb/s",
            Self::Audit => "audit",
            Self::Path => "path",
        }
    }

    /// The one after it, round and round.
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|s| *s == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// State of the view; survives switching away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupState {
    /// As a tree.
    pub tree: bool,
    /// Order.
    pub sort: SortBy,
    /// Smallest first.
    pub reverse: bool,
    /// Only paths that contain this.
    pub filter: String,
    /// Paths whose children are hidden.
    pub folded: BTreeSet<String>,
    /// Row under the cursor.
    pub cursor: usize,
    /// First visible row.
    pub top: usize,
}

impl Default for CgroupState {
    fn default() -> Self {
        Self {
            tree: true,
            sort: SortBy::Slots,
            reverse: false,
            filter: String::new(),
            folded: BTreeSet::new(),
            cursor: 0,
            top: 0,
        }
    }
}

/// Figures of an owner, or of all below a path.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// Slots in use.
    pub slots: u64,
    /// By backend.
    pub mix: Mix,
    /// Charged slots.
    pub charged: u64,
    /// Compressed bytes.
    pub zswap_bytes: u64,
    /// Pages out, in and written back since the start.
    pub moved: [u64; 3],
    /// The same a second.
    pub rates: [f64; 3],
    /// Pages written back from zswap since the start by [`vswap_common::why::Writeback`].
    pub writebacks: [u64; WRITEBACKS],
    /// Pages of those that were read from the device again.
    pub refaults: u64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.slots += other.slots;
        self.charged += other.charged;
        self.zswap_bytes += other.zswap_bytes;
        self.mix.iter_mut().zip(other.mix).for_each(|(a, b)| *a += b);
        self.moved.iter_mut().zip(other.moved).for_each(|(a, b)| *a += b);
        self.rates.iter_mut().zip(other.rates).for_each(|(a, b)| *a += b);
        self.writebacks.iter_mut().zip(other.writebacks).for_each(|(a, b)| *a += b);
        self.refaults += other.refaults;
    }
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Whole path, or `#id`.
    pub path: String,
    /// What of the path is shown.
    pub label: String,
    /// Levels below the top.
    pub depth: usize,
    /// Rows there would be below it.
    pub below: usize,
    /// They are hidden.
    pub folded: bool,
    /// Its own figures, in a tree with those of all below it.
    pub sums: Sums,
    /// Index among the snapshot's owners; `None` for a path that only leads to some.
    pub memcg: Option<usize>,
    /// What the kernel charges beyond what we count, bytes; `None` where the kernel was not read.
    pub audit: Option<i64>,
}

/// The rows of a frame.
pub fn rows(state: &CgroupState, frame: &Frame, baseline: &Baseline, page: u64) -> Vec<Row> {
    let memcgs = &frame.snapshot.memcgs;
    let before = baseline.before(frame.now);
    let then: FxHashMap<u16, [u64; 3]> =
        before.map(|(s, _)| s.memcgs.iter().map(|m| (m.id, moved(m))).collect()).unwrap_or_default();
    let seconds = before.map_or(0.0, |(_, s)| s);
    let figures = |m: &MemcgView| {
        let now = moved(m);
        let was = then.get(&m.id).copied().unwrap_or(now);
        let rate =
            |i: usize| if seconds > 0.0 { now[i].saturating_sub(was[i]) as f64 / seconds } else { 0.0 };
        Sums {
            slots: m.slots,
            mix: m.mix,
            charged: m.charged,
            zswap_bytes: m.zswap_bytes,
            moved: now,
            rates: [rate(0), rate(1), rate(2)],
            writebacks: m.writebacks,
            refaults: m.refaults,
        }
    };
    let wanted = memcgs.iter().enumerate().filter(|(_, m)| m.path.contains(&state.filter));
    let mut out = Vec::new();
    if state.tree {
        tree::add(state, wanted.map(|(i, m)| (i, m, figures(m))), memcgs, page, &mut out);
    } else {
        out.extend(wanted.map(|(i, m)| Row {
            path: m.path.to_string(),
            label: name(m),
            sums: figures(m),
            memcg: Some(i),
            audit: audit(m, page),
            ..Row::default()
        }));
        out.sort_by(|a, b| order(state, (&a.sums, a.audit, &a.path), (&b.sums, b.audit, &b.path)));
    }
    out
}

const fn moved(m: &MemcgView) -> [u64; 3] {
    [m.out, m.into, m.written_back]
}

fn name(m: &MemcgView) -> String {
    if m.id == 0 && m.path.starts_with('#') { "(nobody charged)".into() } else { m.path.to_string() }
}

/// `memory.swap.current` less our count at that moment, bytes.
fn audit(m: &MemcgView, page: u64) -> Option<i64> {
    let kernel = m.usage.as_ref()?.swap?;
    let ours = m.charged_then.saturating_mul(page);
    Some(i64::try_from(kernel).unwrap_or(i64::MAX).saturating_sub(i64::try_from(ours).unwrap_or(i64::MAX)))
}

type Key<'a> = (&'a Sums, Option<i64>, &'a str);

/// Most first, equal ones by path so that rows do not jump.
fn order(state: &CgroupState, a: Key<'_>, b: Key<'_>) -> std::cmp::Ordering {
    let mix = |b: Backend| move |k: Key<'_>| k.0.mix[b as usize] as f64;
    let value = |k: Key<'_>| match state.sort {
        SortBy::Slots => k.0.slots as f64,
        SortBy::Zswap => mix(Backend::Zswap)(k),
        SortBy::Phys => mix(Backend::Phys)(k),
        SortBy::Zero => mix(Backend::Zero)(k),
        SortBy::Out => k.0.rates[0],
        SortBy::In => k.0.rates[1],
        SortBy::Writeback => k.0.rates[2],
        SortBy::Audit => k.1.map_or(-1.0, |d| d.unsigned_abs() as f64),
        SortBy::Path => 0.0,
    };
    let by = value(b).total_cmp(&value(a)).then_with(|| a.2.cmp(b.2));
    if state.reverse { by.reverse() } else { by }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::CgroupUse;
    use crate::snapshot::Snapshot;
    use std::sync::Arc;

    fn memcg(id: u16, path: &str, zswap: u64, phys: u64) -> MemcgView {
        let mix = [0, 0, 0, zswap, phys];
        MemcgView { id, path: path.into(), slots: zswap + phys, mix, out: phys, ..MemcgView::default() }
    }

    fn frame(now: u64, memcgs: Vec<MemcgView>) -> Frame {
        let snapshot = Snapshot { memcgs, first_ts: 1, ..Snapshot::default() };
        Frame { now, snapshot: Arc::new(snapshot), ..Frame::default() }
    }

    fn machine() -> Vec<MemcgView> {
        let kernel = CgroupUse { swap: Some(70 * 4096 + 8192), ..CgroupUse::default() };
        vec![
            MemcgView { usage: Some(kernel), charged_then: 70, ..memcg(1, "/db", 10, 0) },
            memcg(2, "/db/pinned", 0, 60),
            memcg(3, "/k.slice/pod.slice/a", 5, 0),
            memcg(4, "/k.slice/pod.slice/b", 7, 1),
            MemcgView { out: 3, ..memcg(0, "#0", 1, 0) },
        ]
    }

    fn told(state: &CgroupState) -> Vec<(usize, String, u64)> {
        let rows = rows(state, &frame(1, machine()), &Baseline::default(), 4096);
        rows.into_iter().map(|r| (r.depth, r.label, r.sums.slots)).collect()
    }

    #[test]
    fn a_tree_has_sums_and_joins_steps_that_lead_to_one() {
        let row = |depth, label: &str, slots| (depth, label.to_owned(), slots);
        assert_eq!(
            told(&CgroupState::default()),
            [
                row(0, "db", 70),
                row(1, "pinned", 60),
                row(0, "k.slice/pod.slice", 13),
                row(1, "b", 8),
                row(1, "a", 5),
                row(0, "(nobody charged)", 1)
            ]
        );
        let folded = CgroupState { folded: ["/db".to_owned()].into(), ..CgroupState::default() };
        assert_eq!(told(&folded)[..2], [row(0, "db", 70), row(0, "k.slice/pod.slice", 13)]);
        let some = CgroupState { filter: "pod".into(), sort: SortBy::Path, ..CgroupState::default() };
        assert_eq!(told(&some), [row(0, "k.slice/pod.slice", 13), row(1, "a", 5), row(1, "b", 8)]);
    }

    #[test]
    fn flat_rows_are_sorted_by_what_is_asked_for() {
        let flat = |sort, reverse| {
            let state = CgroupState { tree: false, sort, reverse, ..CgroupState::default() };
            told(&state).into_iter().map(|(_, label, _)| label).collect::<Vec<_>>()
        };
        assert_eq!(flat(SortBy::Phys, false)[0], "/db/pinned");
        assert_eq!(flat(SortBy::Zswap, false)[..2], ["/db", "/k.slice/pod.slice/b"]);
        assert_eq!(flat(SortBy::Slots, true)[0], "(nobody charged)");
        assert_eq!(flat(SortBy::Audit, false)[0], "/db");
    }

    #[test]
    fn rates_and_audit() {
        let mut baseline = Baseline::default();
        baseline.note(&frame(1, machine()));
        let mut later = machine();
        later[1].out += 40;
        (later[0].writebacks, later[1].writebacks, later[1].refaults) = ([0, 1, 0, 0], [0, 2, 5, 0], 3);
        let now = frame(2_000_000_001, later);
        let rows = rows(&CgroupState::default(), &now, &baseline, 4096);
        assert_eq!(
            (rows[0].sums.rates[0], rows[1].sums.rates[0]),
            (20.0, 20.0),
            "a parent has its children's"
        );
        assert_eq!((rows[0].audit, rows[1].audit), (Some(8192), None));
        assert_eq!(
            (rows[0].sums.writebacks, rows[0].sums.refaults),
            ([0, 3, 5, 0], 3),
            "causes of all below it"
        );
    }
}

//! The state machine of the collector, row by row: what each kind of event does to a slot and to the counts.

use std::sync::Arc;
use vswap_common::slot::CLUSTER_SLOTS;
use vswap_common::{Entry, Kind, flags};
use vswap_tui::collector::{Collector, SlotLine};
use vswap_tui::decode::Event;
use vswap_tui::meta::{CgroupInfo, DeviceInfo, Header, HookPlan, HookState, HookTotals, Update};
use vswap_tui::snapshot::{Backend, LatencyKind, List, Snapshot};

const MS: u64 = 1_000_000;

/// An event on device 1.
fn ev(kind: Kind, ts: u64, off: u64, nr: u16) -> Event {
    let order = nr.checked_ilog2().unwrap_or(0) as u8;
    Event {
        ts,
        entry: Entry::new(1, off),
        arg: 0,
        val: 0,
        tid: 1,
        nr,
        memcg: 0,
        cpu: 0,
        flags: 0,
        kind,
        order,
    }
}

fn charge(ts: u64, off: u64, nr: u16, memcg: u16) -> Event {
    Event { memcg, flags: flags::MEMCG, ..ev(Kind::Charge, ts, off, nr) }
}

fn swapon(ts: u64, max: u64) -> Event {
    Event { arg: max - 1, val: -2, ..ev(Kind::SwapOn, ts, max, 0) }
}

fn gap(ts: u64, n: u64) -> Event {
    Event { arg: n, ..ev(Kind::Gap, ts, 0, 0) }
}

/// A collector that has seen everything from the first swapon, and its events.
struct Bed {
    collector: Collector,
}

impl Bed {
    fn new() -> Self {
        let header = Header { from_swapon: true, ..Header::default() };
        let mut bed = Self { collector: Collector::new(Arc::new(header), 250 * MS) };
        bed.apply(&[swapon(1, 4096)]);
        bed
    }

    fn late() -> Self {
        let header = Header {
            devices: vec![DeviceInfo {
                dev: 1,
                name: "/dev/vda".into(),
                pages: 4095,
                ..DeviceInfo::default()
            }],
            ..Header::default()
        };
        Self { collector: Collector::new(Arc::new(header), 250 * MS) }
    }

    fn apply(&mut self, events: &[Event]) -> &mut Self {
        for e in events {
            self.collector.apply(e);
        }
        self
    }

    /// Slots allocated and charged to 7.
    fn with(nr: u16) -> Self {
        let mut bed = Self::new();
        bed.apply(&[ev(Kind::Alloc, 10, 512, nr), charge(11, 512, nr, 7)]);
        bed
    }

    fn slot(&self, off: u64) -> Option<SlotLine<'_>> {
        self.collector.slots().find(|l| l.off == off)
    }

    fn backend(&self, off: u64) -> Option<Backend> {
        self.slot(off).map(|l| l.backend)
    }

    fn snap(&mut self) -> Snapshot {
        self.collector.snapshot()
    }

    #[track_caller]
    fn clean(&mut self) -> Snapshot {
        let s = self.snap();
        assert_eq!((s.losses.contradictions, s.losses.inversions, s.losses.overflow), (0, 0, 0));
        s
    }
}

#[test]
fn alloc_makes_a_confirmed_folio_only_slot_and_charge_names_its_owner() {
    let mut bed = Bed::with(4);
    bed.collector.update(&Update {
        cgroups: vec![CgroupInfo { id: 7, inode: 0, path: "/web".into() }],
        ..Update::default()
    });
    let line = bed.slot(515).unwrap();
    assert_eq!(
        line,
        SlotLine {
            dev: 1,
            off: 515,
            backend: Backend::Folio,
            phys: None,
            memcg: 7,
            memcg_path: Some("/web"),
            order: 2,
            cached: true,
            len: None,
            confirmed: true,
        }
    );
    let s = bed.clean();
    assert_eq!((s.totals.alloc, s.used(), s.cached, s.unconfirmed), (4, 4, 4, 0));
    assert_eq!(s.transitions[0][Backend::Folio as usize], 4);
    assert_eq!((s.memcgs.len(), s.memcgs[0].slots, s.memcgs[0].charged), (1, 4, 4));
}

#[test]
fn alloc_of_a_used_slot_contradicts_and_wins() {
    let mut bed = Bed::with(1);
    bed.apply(&[ev(Kind::ZswapStore, 20, 512, 1), ev(Kind::Alloc, 30, 512, 1)]);
    assert_eq!((bed.backend(512), bed.slot(512).unwrap().memcg), (Some(Backend::Folio), 0));
    assert_eq!(bed.snap().losses.contradictions, 1);
}

#[test]
fn refused_charge_changes_nothing() {
    let mut bed = Bed::new();
    bed.apply(&[
        ev(Kind::Alloc, 10, 512, 1),
        Event { val: -12, ..charge(11, 512, 1, 7) },
        ev(Kind::CacheDel, 12, 512, 1),
        ev(Kind::Free, 13, 512, 1),
    ]);
    let s = bed.clean();
    assert_eq!((s.used(), s.memcgs.len(), s.totals.free), (0, 0, 1));
}

#[test]
fn stored_in_zswap_reclaimed_read_back_and_freed() {
    let mut bed = Bed::with(1);
    bed.apply(&[
        Event { val: 1234, arg: 9000, ..ev(Kind::ZswapStore, 20, 512, 1) },
        Event { flags: flags::SWAPOUT | flags::WORDS, ..ev(Kind::CacheDel, 30, 512, 1) },
    ]);
    let line = bed.slot(512).unwrap();
    assert_eq!((line.backend, line.len, line.cached), (Backend::Zswap, Some(1234), false));
    let s = bed.clean();
    assert_eq!((s.zswap_bytes, s.memcgs[0].zswap_bytes, s.totals.zswpout), (1234, 1234, 1));
    assert_eq!(s.latency[LatencyKind::StoreZswap as usize].count, 1);
    bed.apply(&[
        ev(Kind::CacheAdd, 40, 512, 1),
        Event { flags: flags::IN_LOAD, val: 1234, ..ev(Kind::ZswapFree, 20 + 7 * MS, 512, 1) },
        Event { arg: 5000, ..ev(Kind::LoadZswap, 20 + 7 * MS, 512, 1) },
    ]);
    let line = bed.slot(512).unwrap();
    assert_eq!((line.backend, line.len, line.cached), (Backend::Folio, None, true));
    bed.apply(&[ev(Kind::CacheDel, 20 + 8 * MS, 512, 1), ev(Kind::Free, 21 + 8 * MS, 512, 1)]);
    let s = bed.clean();
    assert_eq!((s.used(), s.cached, s.zswap_bytes, s.totals.zswpin), (0, 0, 0, 1));
    assert_eq!(s.transitions[Backend::Zswap as usize][Backend::Folio as usize], 1);
    let stay = s.latency[LatencyKind::InZswap as usize];
    assert!(stay.count == 1 && stay.max.abs_diff(7 * MS) < MS, "{stay:?}");
}

#[test]
fn invalidation_after_a_free_is_no_news_and_the_stay_ends_with_the_free() {
    let mut bed = Bed::with(1);
    bed.apply(&[
        ev(Kind::ZswapStore, 20, 512, 1),
        ev(Kind::CacheDel, 30, 512, 1),
        ev(Kind::Free, 40, 512, 1),
        ev(Kind::ZswapFree, 41, 512, 1),
    ]);
    let s = bed.clean();
    assert_eq!((s.used(), s.latency[LatencyKind::InZswap as usize].count), (0, 1));
    assert_eq!(s.transitions[Backend::Zswap as usize][0], 1);
}

#[test]
fn invalidation_just_before_a_free_is_no_loss() {
    // Linux 6.12 forgets what zswap has of a run of slots first; elsewhere nothing may take the only copy away.
    let gone = |flags| {
        let mut bed = Bed::with(1);
        bed.apply(&[
            ev(Kind::ZswapStore, 20, 512, 1),
            Event { flags: flags::SWAPOUT, ..ev(Kind::CacheDel, 30, 512, 1) },
            Event { flags, ..ev(Kind::ZswapFree, 40, 512, 1) },
            ev(Kind::Free, 41, 512, 1),
        ]);
        let s = bed.collector.snapshot();
        (s.losses.contradictions, s.transitions[Backend::Zswap as usize][0], s.devices[0].used)
    };
    assert_eq!(gone(flags::IN_FREE), (0, 1, 0));
    assert_eq!(gone(0).0, 1);
}

#[test]
fn slots_that_wait_in_caches_are_counted_apart_where_they_are_told() {
    let free = |function: &str| HookPlan {
        hook: "free".into(),
        function: function.into(),
        state: HookState::Ok,
        ..HookPlan::default()
    };
    let idle = |function: &str, events: &[Event]| {
        let header = Header { from_swapon: true, plan: vec![free(function)], ..Header::default() };
        let mut bed = Bed { collector: Collector::new(Arc::new(header), 250 * MS) };
        bed.apply(&[swapon(1, 4096)]).apply(events);
        bed.collector.snapshot().devices[0].idle
    };
    let told = "swap_entry_range_free + swap_range_alloc";
    let reserve = ev(Kind::Reserve, 5, 512, 64);
    assert_eq!(idle("swap_entry_range_free", &[reserve]), None, "nobody counts them here");
    assert_eq!(idle(told, &[]), Some(0));
    assert_eq!(idle(told, &[reserve]), Some(64));
    let alloc = ev(Kind::Alloc, 6, 512, 1);
    let free = [ev(Kind::CacheDel, 7, 512, 1), ev(Kind::Free, 8, 512, 1)];
    assert_eq!(idle(told, &[reserve, alloc]), Some(63));
    assert_eq!(idle(told, &[reserve, alloc, free[0], free[1]]), Some(64), "parked");
    assert_eq!(idle(told, &[reserve, alloc, free[0], free[1], ev(Kind::Return, 9, 512, 1)]), Some(63));
    assert_eq!(idle(told, &[reserve, gap(6, 1)]), None, "something was not seen");
}

#[test]
fn invalidation_inside_another_folios_store_does_not_bring_the_slot_back() {
    let mut bed = Bed::with(1);
    bed.apply(&[
        ev(Kind::ZswapStore, 20, 512, 1),
        ev(Kind::CacheDel, 30, 512, 1),
        ev(Kind::Free, 40, 512, 1),
        Event { flags: flags::IN_STORE, ..ev(Kind::ZswapFree, 41, 512, 1) },
    ]);
    assert_eq!(bed.clean().used(), 0);
}

#[test]
fn large_store_takes_lengths_page_by_page() {
    let mut bed = Bed::with(2);
    bed.apply(&[
        Event { val: 100, ..ev(Kind::ZswapPage, 20, 512, 1) },
        Event { val: 4096, ..ev(Kind::ZswapPage, 21, 513, 1) },
        Event { val: 1, ..ev(Kind::ZswapStore, 22, 512, 2) },
    ]);
    assert_eq!((bed.slot(512).unwrap().len, bed.slot(513).unwrap().len), (Some(100), Some(4096)));
    assert_eq!(bed.clean().zswap_bytes, 4196);
}

#[test]
fn large_store_that_fails_half_way_leaves_only_the_folio() {
    let mut bed = Bed::with(2);
    bed.apply(&[
        Event { val: 100, ..ev(Kind::ZswapPage, 20, 512, 1) },
        Event { flags: flags::IN_STORE, ..ev(Kind::ZswapFree, 21, 512, 1) },
        ev(Kind::ZswapReject, 22, 512, 2),
    ]);
    assert_eq!((bed.backend(512), bed.backend(513)), (Some(Backend::Folio), Some(Backend::Folio)));
    let s = bed.clean();
    assert_eq!((s.totals.zswap_reject, s.totals.zswpout, s.zswap_bytes), (2, 0, 0));
}

#[test]
fn reject_without_frees_still_empties_zswap() {
    let mut bed = Bed::with(1);
    bed.apply(&[Event { val: 9, ..ev(Kind::ZswapStore, 20, 512, 1) }, ev(Kind::ZswapReject, 30, 512, 1)]);
    assert_eq!((bed.backend(512), bed.clean().zswap_bytes), (Some(Backend::Folio), 0));
}

#[test]
fn written_to_the_device_and_read_back() {
    let mut bed = Bed::with(4);
    bed.apply(&[
        ev(Kind::Write, 20, 512, 4),
        ev(Kind::WriteEnd, 90, 512, 4),
        Event { flags: flags::SWAPOUT, ..ev(Kind::CacheDel, 95, 512, 4) },
        ev(Kind::CacheAdd, 100, 513, 1),
        Event { arg: 10, ..ev(Kind::LoadPhys, 110, 513, 1) },
        ev(Kind::ReadEnd, 400, 513, 1),
    ]);
    assert_eq!((bed.backend(512), bed.slot(513).unwrap().cached), (Some(Backend::Phys), true));
    let s = bed.clean();
    assert_eq!((s.totals.pswpout, s.totals.pswpin, s.totals.zswpwb, s.totals.io_error), (4, 1, 0, 0));
    assert_eq!(s.latency[LatencyKind::WritePhys as usize].max, 70);
    assert_eq!(s.latency[LatencyKind::LoadPhys as usize].count, 1);
    assert!(s.latency[LatencyKind::LoadPhys as usize].max.abs_diff(300) <= 3);
}

#[test]
fn zswap_writeback_moves_the_slot_to_the_device() {
    let mut bed = Bed::with(1);
    bed.apply(&[
        Event { val: 9, ..ev(Kind::ZswapStore, 20, 512, 1) },
        Event { flags: flags::SWAPOUT, ..ev(Kind::CacheDel, 30, 512, 1) },
        ev(Kind::CacheAdd, 40, 512, 1),
        ev(Kind::ZswapFree, 41, 512, 1),
    ]);
    assert_eq!(bed.backend(512), Some(Backend::Folio));
    bed.apply(&[
        Event { flags: flags::WRITEBACK, ..ev(Kind::Write, 42, 512, 1) },
        ev(Kind::ZswapFree, 43, 512, 1),
    ]);
    assert_eq!(bed.backend(512), Some(Backend::Phys), "an entry freed after the write does not undo it");
    let s = bed.clean();
    assert_eq!((s.totals.zswpwb, s.totals.pswpout, s.zswap_bytes), (1, 1, 0));
}

#[test]
fn failed_write_leaves_the_folio_or_nothing_known() {
    let mut bed = Bed::with(1);
    bed.apply(&[
        ev(Kind::Write, 20, 512, 1),
        Event { flags: flags::FAILED, ..ev(Kind::WriteEnd, 30, 512, 1) },
    ]);
    assert_eq!(bed.backend(512), Some(Backend::Folio));
    let s = bed.clean();
    assert_eq!((s.totals.io_error, s.latency[LatencyKind::WritePhys as usize].count), (1, 0));

    let mut bed = Bed::with(1);
    bed.apply(&[
        ev(Kind::Write, 20, 512, 1),
        ev(Kind::CacheDel, 25, 512, 1),
        Event { flags: flags::FAILED, ..ev(Kind::WriteEnd, 30, 512, 1) },
    ]);
    let line = bed.slot(512).unwrap();
    assert_eq!((line.backend, line.confirmed), (Backend::None, false));
}

#[test]
fn reads_are_counted_when_the_kernel_counts_them() {
    let read =
        [ev(Kind::CacheAdd, 40, 512, 1), ev(Kind::LoadPhys, 50, 512, 1), ev(Kind::ReadEnd, 60, 512, 1)];
    for (by_bio, after) in [(false, [0, 0, 1]), (true, [0, 1, 1])] {
        let label = vswap_common::Field::IoByBio.label();
        let layout = by_bio.then(|| (label.to_owned(), 1)).into_iter().collect();
        let header = Header { from_swapon: true, layout, ..Header::default() };
        let mut bed = Bed { collector: Collector::new(Arc::new(header), 250 * MS) };
        bed.apply(&[swapon(1, 4096), ev(Kind::Alloc, 10, 512, 1), ev(Kind::Write, 20, 512, 1)]);
        bed.apply(&[Event { flags: flags::SWAPOUT, ..ev(Kind::CacheDel, 30, 512, 1) }]);
        let counted = read.map(|e| bed.apply(&[e]).snap().totals.pswpin);
        assert_eq!(counted, after, "by bio: {by_bio}");
        bed.clean();
    }
}

#[test]
fn failed_reads_count_as_errors_and_not_as_swapins() {
    let mut bed = Bed::with(1);
    bed.apply(&[
        ev(Kind::Write, 20, 512, 1),
        ev(Kind::LoadPhys, 30, 512, 1),
        Event { flags: flags::FAILED, ..ev(Kind::ReadEnd, 40, 512, 1) },
        Event { val: -5, ..ev(Kind::LoadFail, 50, 512, 1) },
    ]);
    let s = bed.clean();
    assert_eq!((s.totals.pswpin, s.totals.io_error), (0, 2));
    assert_eq!((bed.backend(512), s.latency[LatencyKind::LoadPhys as usize].count), (Some(Backend::Phys), 0));
}

#[test]
fn zero_pages_out_and_in() {
    let mut bed = Bed::with(2);
    bed.apply(&[
        Event { arg: 5, ..ev(Kind::Zero, 20, 512, 2) },
        Event { flags: flags::SWAPOUT | flags::WORDS | flags::ZERO, ..ev(Kind::CacheDel, 30, 512, 2) },
        Event { flags: flags::WORDS | flags::ZERO, ..ev(Kind::CacheAdd, 40, 513, 1) },
        Event { arg: 3, ..ev(Kind::LoadZero, 45, 513, 1) },
    ]);
    assert_eq!((bed.backend(512), bed.backend(513)), (Some(Backend::Zero), Some(Backend::Zero)));
    let s = bed.clean();
    assert_eq!((s.totals.swpout_zero, s.totals.swpin_zero), (2, 1));
    assert_eq!(s.latency[LatencyKind::LoadZero as usize].count, 1);
}

#[test]
fn zero_record_of_a_slot_given_away_meanwhile_is_ignored_and_the_word_settles_the_rest() {
    let mut bed = Bed::with(1);
    bed.apply(&[
        ev(Kind::CacheDel, 100, 512, 1),
        ev(Kind::Free, 101, 512, 1),
        ev(Kind::Alloc, 102, 512, 1),
        Event { arg: 50, ..ev(Kind::Zero, 110, 512, 1) },
    ]);
    assert_eq!(bed.backend(512), Some(Backend::Folio), "the new tenant is not zero");
    let s = bed.snap();
    assert_eq!((s.losses.inversions, s.losses.contradictions, s.totals.swpout_zero), (1, 0, 1));

    bed.apply(&[Event {
        flags: flags::SWAPOUT | flags::WORDS | flags::ZERO,
        ..ev(Kind::CacheDel, 120, 512, 1)
    }]);
    assert_eq!(bed.backend(512), Some(Backend::Zero));
    assert_eq!(bed.snap().losses.contradictions, 0);
}

#[test]
fn a_free_next_door_does_not_make_a_zero_record_late() {
    let mut bed = Bed::with(1);
    bed.apply(&[
        ev(Kind::Alloc, 90, 600, 1),
        ev(Kind::CacheDel, 100, 600, 1),
        ev(Kind::Free, 101, 600, 1),
        Event { arg: 50, ..ev(Kind::Zero, 110, 512, 1) },
    ]);
    assert_eq!(bed.backend(512), Some(Backend::Zero));
    bed.clean();
}

#[test]
fn zero_record_of_a_surely_free_slot_is_late_however_old_the_free() {
    let mut bed = Bed::with(1);
    bed.apply(&[
        ev(Kind::CacheDel, 20, 512, 1),
        ev(Kind::Free, 21, 512, 1),
        Event { arg: 5, ..ev(Kind::Zero, 110, 512, 1) },
    ]);
    assert_eq!((bed.backend(512), bed.snap().losses.inversions), (None, 1));
}

#[test]
fn word_without_the_zero_flag_overrules_the_map() {
    let mut bed = Bed::with(1);
    bed.apply(&[
        ev(Kind::Zero, 20, 512, 1),
        Event { flags: flags::SWAPOUT | flags::WORDS, ..ev(Kind::CacheDel, 30, 512, 1) },
    ]);
    let line = bed.slot(512).unwrap();
    assert_eq!((line.backend, line.confirmed), (Backend::None, false));
    assert_eq!(bed.snap().losses.contradictions, 1);
}

#[test]
fn reclaim_of_a_folio_only_slot_means_we_missed_something() {
    let mut bed = Bed::with(1);
    bed.apply(&[Event { flags: flags::SWAPOUT, ..ev(Kind::CacheDel, 30, 512, 1) }]);
    let line = bed.slot(512).unwrap();
    assert_eq!((line.backend, line.confirmed, line.cached), (Backend::None, false, false));
    let s = bed.snap();
    assert_eq!((s.losses.contradictions, s.unconfirmed), (1, 1));
}

#[test]
fn refused_writeout_makes_the_folio_the_only_copy_whatever_was_before() {
    let mut bed = Bed::with(1);
    bed.apply(&[
        ev(Kind::Write, 20, 512, 1),
        ev(Kind::WriteEnd, 21, 512, 1),
        Event { val: 0x80000, ..ev(Kind::WriteoutReject, 30, 512, 1) },
    ]);
    assert_eq!((bed.backend(512), bed.clean().totals.writeout_reject), (Some(Backend::Folio), 1));
}

#[test]
fn writeback_of_an_entry_behind_a_zero_slot_leaves_it_zero() {
    let mut bed = Bed::with(1);
    bed.apply(&[
        ev(Kind::Zero, 20, 512, 1),
        ev(Kind::ZswapFree, 30, 512, 1),
        Event { flags: flags::WRITEBACK, ..ev(Kind::Write, 31, 512, 1) },
    ]);
    assert_eq!(bed.backend(512), Some(Backend::Zero));
}

#[test]
fn impossible_frees_are_counted_when_we_were_sure() {
    let mut bed = Bed::with(1);
    bed.apply(&[ev(Kind::Free, 20, 600, 1)]);
    assert_eq!(bed.snap().losses.contradictions, 1, "free of a free slot");
    bed.apply(&[ev(Kind::Free, 21, 512, 1)]);
    assert_eq!(bed.snap().losses.contradictions, 2, "free of a cached slot");
    assert_eq!(bed.snap().used(), 0);
    assert_eq!(Bed::late().apply(&[ev(Kind::Free, 20, 600, 1)]).snap().losses.contradictions, 0);
}

#[test]
fn late_attach_learns_from_each_event() {
    for (event, backend, confirmed, cached) in [
        (ev(Kind::CacheAdd, 5, 9, 1), Backend::None, false, true),
        (
            Event { flags: flags::WORDS | flags::ZERO, ..ev(Kind::CacheAdd, 5, 9, 1) },
            Backend::Zero,
            true,
            true,
        ),
        (ev(Kind::CacheDel, 5, 9, 1), Backend::None, false, false),
        (
            Event { flags: flags::WORDS | flags::ZERO, ..ev(Kind::CacheDel, 5, 9, 1) },
            Backend::Zero,
            true,
            false,
        ),
        (charge(5, 9, 1, 3), Backend::Folio, true, true),
        (ev(Kind::Zero, 5, 9, 1), Backend::Zero, true, true),
        (ev(Kind::ZswapStore, 5, 9, 1), Backend::Zswap, true, true),
        (ev(Kind::ZswapPage, 5, 9, 1), Backend::Zswap, true, true),
        (ev(Kind::ZswapReject, 5, 9, 1), Backend::Folio, true, true),
        (ev(Kind::WriteoutReject, 5, 9, 1), Backend::Folio, true, true),
        (Event { flags: flags::IN_LOAD, ..ev(Kind::ZswapFree, 5, 9, 1) }, Backend::Folio, true, true),
        (ev(Kind::Write, 5, 9, 1), Backend::Phys, true, true),
        (ev(Kind::LoadPhys, 5, 9, 1), Backend::Phys, true, true),
    ] {
        let mut bed = Bed::late();
        bed.apply(&[event]);
        let line = bed.slot(9).unwrap_or_else(|| panic!("{:?} makes the slot known", event.kind));
        assert_eq!(
            (line.backend, line.confirmed, line.cached),
            (backend, confirmed, cached),
            "{:?}",
            event.kind
        );
        let s = bed.clean();
        assert_eq!(s.unconfirmed, u64::from(!confirmed));
        assert_eq!(s.transitions, [[0; 5]; 5], "{:?}: a slot that comes into view has not moved", event.kind);
    }
}

#[test]
fn late_news_does_not_make_slots() {
    for kind in
        [Kind::ZswapFree, Kind::LoadZswap, Kind::LoadZero, Kind::LoadFail, Kind::WriteEnd, Kind::ReadEnd]
    {
        let mut bed = Bed::late();
        bed.apply(&[ev(kind, 5, 9, 1), Event { flags: flags::FAILED, ..ev(kind, 6, 9, 1) }]);
        assert_eq!(bed.clean().used(), 0, "{kind:?}");
    }
}

#[test]
fn unknown_place_is_learned_from_zero_loads() {
    let mut bed = Bed::late();
    bed.apply(&[ev(Kind::CacheAdd, 5, 9, 1), ev(Kind::LoadZero, 6, 9, 1)]);
    assert_eq!((bed.backend(9), bed.clean().unconfirmed), (Some(Backend::Zero), 0));
}

#[test]
fn swapon_sets_up_clusters_and_swapoff_empties_the_device() {
    let mut bed = Bed::new();
    let header_slot_and_tail = 2 * u64::from(CLUSTER_SLOTS) + 100;
    bed.apply(&[ev(Kind::SwapOff, 2, 0, 0), swapon(3, header_slot_and_tail)]);
    let s = bed.clean();
    let d = &s.devices[0];
    assert_eq!(
        (d.dev, d.pages, d.prio, d.active, d.name.as_str()),
        (1, header_slot_and_tail - 1, -2, true, "dev 1")
    );
    assert_eq!(
        d.clusters.iter().map(|c| c.list).collect::<Vec<_>>(),
        [List::Nonfull, List::Free, List::Nonfull]
    );

    bed.apply(&[
        ev(Kind::Alloc, 10, 512, 4),
        charge(11, 512, 4, 7),
        Event { val: 5, ..ev(Kind::ZswapStore, 12, 512, 1) },
    ]);
    bed.apply(&[ev(Kind::SwapOff, 20, 0, 0)]);
    let s = bed.snap();
    assert_eq!((s.used(), s.cached, s.unconfirmed, s.zswap_bytes, s.memcgs.len()), (0, 0, 0, 0, 0));
    assert_eq!((s.losses.contradictions, s.devices[0].active), (1, false));
    assert_eq!(bed.collector.slots().count(), 0);
}

#[test]
fn allocations_that_beat_the_swapon_record_stay() {
    let header = Header { from_swapon: true, ..Header::default() };
    let mut bed = Bed { collector: Collector::new(Arc::new(header), 250 * MS) };
    bed.apply(&[ev(Kind::Alloc, 1, 513, 1), swapon(2, 4096), ev(Kind::Alloc, 3, 514, 1)]);
    assert_eq!((bed.backend(513), bed.clean().used()), (Some(Backend::Folio), 2));
    bed.apply(&[swapon(9, 4096)]);
    let s = bed.snap();
    assert_eq!((s.used(), s.losses.contradictions), (0, 1), "a second swapon means a swapoff was missed");
}

#[test]
fn cluster_moves_and_failed_allocations_are_seen() {
    let mut bed = Bed::new();
    bed.apply(&[
        Event { val: 3, order: 4, ..ev(Kind::ClusterMove, 5, 512, 0) },
        Event { val: 77, order: 2, ..ev(Kind::ClusterMove, 6, 1024, 0) },
        Event { val: -12, ..ev(Kind::AllocFail, 7, 0, 0) },
    ]);
    let s = bed.clean();
    let cells = &s.devices[0].clusters;
    assert_eq!(
        (cells[1].list, cells[1].order, cells[2].list, s.totals.alloc_fail),
        (List::Frag, 4, List::None, 1)
    );
}

#[test]
fn a_gap_puts_everything_in_doubt_and_events_take_the_doubt_away() {
    let mut bed = Bed::new();
    bed.apply(&[
        ev(Kind::Alloc, 10, 512, 4),
        ev(Kind::Alloc, 11, 1024, 4),
        ev(Kind::ZswapStore, 12, 1024, 4),
    ]);
    bed.apply(&[gap(20, 33)]);
    let s = bed.snap();
    assert_eq!((s.losses.lost, s.losses.gaps, s.unconfirmed, s.used()), (33, 1, 8, 8));
    assert_eq!(s.devices[0].clusters[1].unconfirmed, 4, "also in clusters that were not touched since");
    assert!((s.confirmed_share() - 0.0).abs() < f64::EPSILON);
    assert!(bed.collector.slots().all(|l| !l.confirmed));

    bed.apply(&[ev(Kind::Write, 30, 512, 4)]);
    let s = bed.snap();
    assert_eq!(
        (s.unconfirmed, s.devices[0].clusters[1].unconfirmed, s.devices[0].clusters[2].unconfirmed),
        (4, 0, 4)
    );
    bed.apply(&[
        ev(Kind::Free, 40, 1024, 4),
        ev(Kind::Free, 41, 600, 1),
        ev(Kind::Alloc, 42, 1500, 1),
        ev(Kind::Alloc, 43, 1500, 1),
    ]);
    let s = bed.snap();
    assert_eq!(s.unconfirmed, 0);
    assert_eq!(s.losses.contradictions, 1, "only the second alloc: in doubt nothing contradicts");

    bed.apply(&[gap(50, 0)]);
    assert_eq!((bed.snap().losses.lost, bed.snap().losses.gaps), (34, 2));
}

#[test]
fn swapon_after_a_gap_is_certain_again() {
    let mut bed = Bed::new();
    bed.apply(&[gap(5, 1), ev(Kind::SwapOff, 6, 0, 0), swapon(7, 4096), ev(Kind::Free, 8, 700, 1)]);
    assert_eq!(bed.snap().losses.contradictions, 1, "after swapon all slots are known to be free");
}

#[test]
fn losses_only_the_hooks_count_are_doubt_too() {
    let mut bed = Bed::with(1);
    let hooks = |lost, fault| Update {
        hooks: vec![HookTotals { hook: "free".into(), lost, fault, ..HookTotals::default() }],
        ..Update::default()
    };
    bed.collector.update(&hooks(0, 0));
    assert_eq!(bed.snap().unconfirmed, 0);
    bed.collector.update(&hooks(2, 1));
    let s = bed.snap();
    assert_eq!((s.losses.lost, s.unconfirmed, s.hooks.len()), (3, 1, 1));
    bed.apply(&[gap(20, 2), ev(Kind::ZswapStore, 21, 512, 1)]);
    bed.collector.update(&hooks(2, 1));
    assert_eq!(
        (bed.snap().losses.lost, bed.snap().unconfirmed),
        (3, 0),
        "the same loss is not counted twice"
    );
}

#[test]
fn what_does_not_decode_is_counted_and_doubted() {
    let mut bed = Bed::with(1);
    bed.collector.note_undecodable(0);
    assert_eq!(bed.snap().unconfirmed, 0);
    bed.collector.note_undecodable(2);
    assert_eq!((bed.snap().losses.undecodable, bed.snap().unconfirmed), (2, 1));
}

#[test]
fn a_blind_write_end_hook_does_not_look_like_an_overflow() {
    let plan = vec![HookPlan { hook: "write_end".into(), state: HookState::Blind, ..HookPlan::default() }];
    let mut bed = Bed { collector: Collector::new(Arc::new(Header { plan, ..Header::default() }), MS) };
    for off in 0..70_000 {
        bed.apply(&[ev(Kind::Write, 5, off, 1)]);
    }
    bed.clean();
}

#[test]
fn idle_snapshots_share_their_big_parts() {
    let mut bed = Bed::with(1);
    let (a, b) = (bed.snap(), bed.snap());
    assert!(
        Arc::ptr_eq(&a.devices[0].clusters, &b.devices[0].clusters) && Arc::ptr_eq(&a.history, &b.history)
    );
    bed.apply(&[ev(Kind::CacheDel, 20, 512, 1)]);
    assert!(!Arc::ptr_eq(&a.devices[0].clusters, &bed.snap().devices[0].clusters));
}

#[test]
fn clusters_far_out_are_kept_in_order_without_a_cell() {
    let mut bed = Bed::late();
    let far = 1u64 << 40;
    bed.apply(&[ev(Kind::Alloc, 5, far + 3, 1), ev(Kind::Alloc, 6, 3, 1), ev(Kind::Alloc, 7, far - 512, 1)]);
    assert_eq!(bed.collector.slots().map(|l| l.off).collect::<Vec<_>>(), [3, far - 512, far + 3]);
    assert_eq!(bed.snap().devices[0].clusters.len(), 1, "far clusters have no cell");
}

//! The state machine of the collector, row by row: what each kind of event does to a slot and to the counts.

mod collector_bed;

use collector_bed::*;
use std::sync::Arc;
use vswap_common::{Kind, flags};
use vswap_tui::collector::{Collector, SlotLine};
use vswap_tui::decode::Event;
use vswap_tui::meta::*;
use vswap_tui::snapshot::*;

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
fn slots_of_a_hibernation_image_are_of_nobody_and_on_the_device() {
    let mut bed = Bed::new();
    bed.apply(&[
        ev(Kind::Hibernate, 10, 512, 1),
        ev(Kind::Hibernate, 11, 513, 1),
        ev(Kind::Free, 12, 512, 1),
    ]);
    let line = bed.slot(513).unwrap();
    assert_eq!((line.backend, line.memcg, line.cached, line.confirmed), (Backend::Phys, 0, false, true));
    let s = bed.clean();
    assert_eq!((s.totals.hibernate, s.totals.alloc, s.totals.free, s.used()), (2, 0, 1, 1));
    assert_eq!(s.transitions[0][Backend::Phys as usize], 2);
    bed.apply(&[ev(Kind::Hibernate, 20, 513, 1)]);
    assert_eq!(bed.snap().losses.contradictions, 1, "the slot has somebody");
}

#[test]
fn clusters_sent_to_be_discarded_are_counted() {
    let mut bed = Bed::new();
    let to = |list: i32, ts| Event { val: list, ..ev(Kind::ClusterMove, ts, 512, 0) };
    bed.apply(&[to(4, 10), to(5, 11), to(1, 12), to(5, 13)]);
    assert_eq!(bed.clean().totals.discards, 2);
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

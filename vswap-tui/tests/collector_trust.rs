//! What the collector is sure of: devices that come and go, recording that begins late, losses.

mod collector_bed;

use collector_bed::*;
use std::sync::Arc;
use vswap_common::slot::CLUSTER_SLOTS;
use vswap_common::{Kind, flags};
use vswap_tui::collector::Collector;
use vswap_tui::decode::Event;
use vswap_tui::meta::*;
use vswap_tui::snapshot::*;

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
        // Whose it is only the charge has told so far.
        assert_eq!(bed.slot(9).map(|l| l.confirmed), Some(event.kind == Kind::Charge), "{:?}", event.kind);
        let word = event.flags & (flags::WORDS | flags::ZERO);
        let owner = if cached { Kind::CacheAdd } else { Kind::CacheDel };
        bed.collector.apply(&Event { memcg: 3, flags: flags::MEMCG | word, ..ev(owner, 6, 9, 1) });
        let line = bed.slot(9).unwrap_or_else(|| panic!("{:?} makes the slot known", event.kind));
        assert_eq!(
            (line.backend, line.confirmed, line.cached, line.memcg),
            (backend, confirmed, cached, 3),
            "{:?}",
            event.kind
        );
        let s = bed.snap();
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
    let known = Event { memcg: 7, flags: flags::MEMCG, ..ev(Kind::CacheAdd, 5, 9, 1) };
    bed.apply(&[known, ev(Kind::LoadZero, 6, 9, 1)]);
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
    assert_eq!(bed.snap().unconfirmed, 8, "the loss may have given the slots to another cgroup");
    bed.apply(&[Event { memcg: 8, flags: flags::MEMCG, ..ev(Kind::CacheDel, 31, 512, 4) }]);
    assert!(bed.collector.slots().take(4).all(|l| l.memcg == 8));
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
    let owner = Event { memcg: 7, flags: flags::MEMCG, ..ev(Kind::CacheDel, 22, 512, 1) };
    bed.apply(&[gap(20, 2), ev(Kind::ZswapStore, 21, 512, 1), owner]);
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

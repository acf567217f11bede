//! Zero-filled pages: what the collector makes of their records, and of late ones.

mod collector_bed;

use collector_bed::*;
use vswap_common::{Kind, flags};
use vswap_tui::decode::Event;
use vswap_tui::snapshot::*;

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

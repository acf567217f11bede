//! Causes: what the records say of them is counted, and how long pages stay where they are.

mod collector_bed;

use collector_bed::*;
use std::sync::Arc;
use vswap_common::why::{RECLAIMER_SHIFT, Reclaimer, Refusal, Writeback, walk};
use vswap_common::{Entry, Kind, flags};
use vswap_tui::collector::Collector;
use vswap_tui::decode::Event;
use vswap_tui::meta::Header;
use vswap_tui::snapshot::why::*;

fn by(who: Reclaimer, e: Event) -> Event {
    Event { flags: e.flags | (who as u16) << RECLAIMER_SHIFT, ..e }
}

/// zswap writes slot `off` back: its folio enters the cache, the entry goes, the write is queued, the folio leaves.
fn written_back(ts: u64, off: u64, cause: Writeback, who: Reclaimer) -> [Event; 4] {
    let write = Event { val: cause as i32, flags: flags::WRITEBACK, ..ev(Kind::Write, ts + 2, off, 1) };
    [
        ev(Kind::CacheAdd, ts, off, 1),
        ev(Kind::ZswapFree, ts + 1, off, 1),
        by(who, write),
        ev(Kind::CacheDel, ts + 3, off, 1),
    ]
}

fn read(ts: u64, off: u64, nr: u16) -> [Event; 2] {
    [ev(Kind::CacheAdd, ts, off, nr), ev(Kind::LoadPhys, ts + 1, off, nr)]
}

/// Slots of owner 7 in zswap since 1 ms.
fn in_zswap(nr: u16) -> Bed {
    let mut bed = Bed::with(nr);
    let leave = Event { flags: flags::SWAPOUT, ..ev(Kind::CacheDel, MS + 1, 512, nr) };
    bed.apply(&[ev(Kind::ZswapStore, MS, 512, nr), leave]);
    bed
}

#[test]
fn writebacks_are_counted_by_cause_reclaimer_and_owner() {
    let mut bed = in_zswap(4);
    bed.apply(&written_back(2 * MS, 512, Writeback::Shrinker, Reclaimer::Proactive));
    bed.apply(&written_back(3 * MS, 513, Writeback::PoolLimit, Reclaimer::Unknown));
    bed.apply(&written_back(4 * MS, 514, Writeback::Shrinker, Reclaimer::Proactive));
    let s = bed.clean();
    assert_eq!(s.why.writeback[Writeback::Shrinker as usize][Reclaimer::Proactive as usize], 2);
    assert_eq!(s.why.written_back(Writeback::PoolLimit), 1);
    assert_eq!(s.why.numbers().sum::<u64>(), s.totals.zswpwb + s.totals.zswpout, "each once, nothing else");
    assert_eq!((s.memcgs[0].id, s.memcgs[0].writebacks), (7, [0, 2, 1, 0]));
}

#[test]
fn a_number_from_a_later_version_is_unknown() {
    let mut bed = in_zswap(1);
    let mut events = written_back(2 * MS, 512, Writeback::Shrinker, Reclaimer::Kswapd);
    (events[2].val, events[2].flags) = (77, flags::WRITEBACK | 7 << RECLAIMER_SHIFT);
    let refused = Event { val: i32::MIN, ..ev(Kind::ZswapReject, 3 * MS, 512, 1) };
    bed.apply(&events).apply(&[ev(Kind::CacheAdd, 3 * MS, 512, 1), refused]);
    let why = bed.clean().why;
    assert_eq!(why.writeback[0][0], 1);
    assert_eq!(why.refusals[Refusal::Unknown as usize].folios, 1);
}

#[test]
fn stays_in_zswap_are_told_apart_by_their_end() {
    let mut bed = in_zswap(8);
    let load = |ts, off| {
        [
            ev(Kind::CacheAdd, ts, off, 1),
            Event { flags: flags::IN_LOAD, ..ev(Kind::ZswapFree, ts + 1, off, 1) },
            ev(Kind::LoadZswap, ts + 2, off, 1),
        ]
    };
    bed.apply(&load(11 * MS, 512));
    bed.apply(&written_back(21 * MS, 513, Writeback::Shrinker, Reclaimer::Kswapd));
    bed.apply(&[ev(Kind::Free, 31 * MS, 514, 2), ev(Kind::ZswapFree, 31 * MS, 514, 1)]);
    let replaced = Event { flags: flags::IN_STORE, ..ev(Kind::ZswapFree, 41 * MS, 516, 1) };
    bed.apply(&[ev(Kind::CacheAdd, 40 * MS, 516, 1), replaced]);
    let stays = bed.clean().why.stays.map(|p| (p.count, p.max / MS));
    assert_eq!(stays, [(1, 10), (1, 20), (1, 40), (2, 30)]);
}

#[test]
fn only_what_zswap_wrote_back_is_a_refault_and_only_once() {
    let mut bed = in_zswap(2);
    // 600 goes to the device by itself.
    bed.apply(&[ev(Kind::Alloc, MS, 600, 1), ev(Kind::Write, MS, 600, 1), ev(Kind::CacheDel, MS, 600, 1)]);
    bed.apply(&written_back(2 * MS, 512, Writeback::MemcgLimit, Reclaimer::Memcg));
    bed.apply(&read(7 * MS, 600, 1)).apply(&read(7 * MS, 512, 1));
    bed.apply(&[ev(Kind::CacheDel, 8 * MS, 512, 1)]).apply(&read(9 * MS, 512, 1));
    let s = bed.clean();
    assert_eq!((s.why.refaults.count, s.why.refaults.max / MS, s.memcgs[0].refaults), (1, 5, 1));
    // Freed and used again without zswap: no refault, whatever the slot was before.
    bed.apply(&written_back(10 * MS, 513, Writeback::Shrinker, Reclaimer::Kswapd));
    bed.apply(&[
        ev(Kind::Free, 11 * MS, 513, 1),
        ev(Kind::Alloc, 12 * MS, 513, 1),
        ev(Kind::Write, 13 * MS, 513, 1),
        ev(Kind::CacheDel, 14 * MS, 513, 1),
    ]);
    bed.apply(&read(15 * MS, 513, 1));
    assert_eq!(bed.clean().why.refaults.count, 1);
}

#[test]
fn after_a_loss_a_slot_may_hold_another_page() {
    let mut bed = in_zswap(1);
    bed.apply(&written_back(2 * MS, 512, Writeback::Shrinker, Reclaimer::Kswapd));
    bed.apply(&[gap(3 * MS, 1)]).apply(&read(4 * MS, 512, 1));
    assert_eq!(bed.snap().why.refaults.count, 0);
}

#[test]
fn folios_without_slots_are_told_by_the_kernel_or_inferred_from_the_map() {
    let mut bed = Bed::new();
    let fail = |order: u8, arg, extra| Event {
        order,
        arg,
        val: -12,
        flags: extra,
        entry: Entry(0),
        ..ev(Kind::AllocFail, 50, 0, 0)
    };
    bed.apply(&[
        fail(4, 1 + 15, 0),
        fail(4, 1 + 16, 0),
        fail(0, 1, 0),
        fail(0, 1 + 3, 0),
        fail(9, 1 + 4000, flags::GIVEN),
        Event { val: -11, ..fail(9, 1, 0) },
        fail(2, 0, 0),
    ]);
    let why = bed.clean().why;
    let told = |reason: Fallback, order: usize| why.fallbacks[reason as usize][order];
    assert_eq!((told(Fallback::NoSpace, 4), told(Fallback::NoRun, 4)), (1, 1));
    assert_eq!((told(Fallback::NoSpace, 0), told(Fallback::Unknown, 0)), (1, 1));
    assert_eq!((told(Fallback::MemcgLimit, 9), told(Fallback::Unsupported, 9)), (1, 1));
    assert_eq!(why.inferred_fallbacks[Fallback::NoRun as usize][2], 1, "4095 slots are free");
    assert_eq!((why.large_fallbacks(Fallback::NoRun), why.numbers().sum::<u64>()), (2, 7));
}

#[test]
fn a_device_of_unknown_size_infers_nothing() {
    let mut c = Collector::new(Arc::new(Header::default()), 250 * MS);
    for e in [ev(Kind::Alloc, 1, 512, 1), Event { entry: Entry(0), ..ev(Kind::AllocFail, 2, 0, 0) }] {
        c.apply(&e);
    }
    assert_eq!(c.snapshot().why.inferred_fallbacks[Fallback::Unknown as usize][0], 1);
}

#[test]
fn walks_and_writeouts_add_up() {
    let mut bed = Bed::with(2);
    let shrink = |cause: Writeback, did| Event {
        entry: Entry(0),
        val: cause as i32,
        arg: walk::pack(did),
        ..ev(Kind::Shrink, 20, 0, 0)
    };
    bed.apply(&[shrink(Writeback::Shrinker, [1, 9, 2, 1]), shrink(Writeback::Shrinker, [4, 0, 0, 0])]);
    bed.apply(&[
        by(Reclaimer::Kswapd, ev(Kind::ZswapStore, 30, 512, 1)),
        by(Reclaimer::Kswapd, ev(Kind::Zero, 31, 513, 1)),
        by(Reclaimer::Direct, Event { val: 0x80000, ..ev(Kind::WriteoutReject, 32, 513, 1) }),
    ]);
    let why = bed.snap().why;
    let walks = why.walks[Writeback::Shrinker as usize];
    assert_eq!(walks, Walks { walks: 2, written: 5, spared: 9, failed: 2, stopped: 1 });
    assert_eq!(why.swapped_out(Reclaimer::Kswapd), 2);
    assert_eq!(why.writeout[Reclaimer::Direct as usize][Outcome::Refused as usize], 1);
}

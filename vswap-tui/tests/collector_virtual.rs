//! Virtual slots in the collector: where their data is, the physical slots behind them, and what their cgroup pays for.

mod collector_bed;

use collector_bed::*;
use proptest::prelude::*;
use std::convert::Infallible;
use std::sync::Arc;
use vswap_common::{Entry, Kind, flags};
use vswap_tui::collector::Collector;
use vswap_tui::decode::Event;
use vswap_tui::meta::{DeviceInfo, Header, HookPlan, HookState};
use vswap_tui::snapshot::{Backend, Fault, List};

/// First virtual slot of the tests, and first physical one; the device is number 1.
const V: u64 = 512;
const P: u64 = 40;

/// A machine with virtual swap from boot, and a device of 4096 slots.
fn bed() -> Bed {
    let virt = DeviceInfo { dev: 0, name: "vswap".into(), r#virtual: true, ..DeviceInfo::default() };
    let plan = HookPlan {
        hook: "cache_add".into(),
        function: "__swap_cache_do_add_folio + alloc_swap_scan_cluster".into(),
        state: HookState::Ok,
        ..HookPlan::default()
    };
    let header = Header { devices: vec![virt], plan: vec![plan], from_swapon: true, ..Header::default() };
    let mut bed = Bed { collector: Collector::new(Arc::new(header), 250 * MS) };
    bed.apply(&[swapon(1, 4096)]);
    bed
}

/// An event on the virtual device.
fn at(kind: Kind, ts: u64, off: u64, nr: u16) -> Event {
    Event { entry: Entry::new(0, off), ..ev(kind, ts, off, nr) }
}

/// `nr` virtual slots of cgroup 7, cached.
fn with(nr: u16) -> Bed {
    let mut bed = bed();
    let owned = Event { memcg: 7, flags: flags::MEMCG, ..at(Kind::Charge, 11, V, nr) };
    bed.apply(&[at(Kind::Alloc, 10, V, nr), owned]);
    bed
}

fn back(ts: u64, phys: u64, virt: u64, nr: u16) -> Event {
    Event { arg: Entry::new(0, virt).0, ..ev(Kind::Back, ts, phys, nr) }
}

fn unback(ts: u64, phys: u64, nr: u16) -> Event {
    ev(Kind::Unback, ts, phys, nr)
}

fn release(ts: u64, off: u64, nr: u16) -> Event {
    Event { flags: flags::CACHED, ..at(Kind::Release, ts, off, nr) }
}

fn written(ts: u64, off: u64, phys: u64, nr: u16) -> Event {
    Event { arg: Entry::new(1, phys).0, ..at(Kind::Write, ts, off, nr) }
}

/// Backend, physical offset and what cgroup 7 is charged.
fn state(bed: &mut Bed, off: u64) -> (Backend, Option<u64>, u64) {
    let charged = bed.snap().memcgs.first().map_or(0, |m| m.charged);
    let slot = bed.slot(off).expect("in use");
    assert!(slot.phys.is_none_or(|p| p.dev() == 1));
    (slot.backend, slot.phys.map(Entry::off), charged)
}

#[test]
fn a_slot_in_zswap_costs_its_cgroup_no_swap_and_no_device_a_slot() {
    let mut bed = with(1);
    assert_eq!(state(&mut bed, V), (Backend::Folio, None, 0));
    bed.apply(&[release(20, V, 1), Event { val: 900, ..at(Kind::ZswapStore, 21, V, 1) }]);
    assert_eq!(state(&mut bed, V), (Backend::Zswap, None, 0));
    let s = bed.clean();
    assert_eq!((s.used(), s.memcgs[0].slots, s.zswap_bytes), (1, 1, 900));
    let used: Vec<_> = s.devices.iter().map(|d| (d.r#virtual, d.used, d.backing)).collect();
    assert_eq!(used, [(true, 1, 0), (false, 0, 0)]);
}

#[test]
fn backing_is_counted_on_both_devices_and_once_in_all() {
    let mut bed = with(4);
    bed.apply(&[back(20, P, V, 4), written(21, V, P, 4)]);
    assert_eq!(state(&mut bed, V + 3), (Backend::Phys, Some(P + 3), 4));
    let s = bed.clean();
    assert_eq!((s.used(), s.mix[Backend::Phys as usize], s.memcgs[0].slots), (4, 4, 4));
    assert_eq!((s.devices[0].used, s.devices[1].used, s.devices[1].backing), (4, 4, 4));
    assert_eq!(s.devices[1].clusters[0].used(), 4);
    assert_eq!(bed.collector.slots().count(), 4, "a slot that backs another is no line of its own");
    bed.apply(&[
        at(Kind::CacheDel, 29, V, 4),
        at(Kind::Free, 30, V, 4),
        at(Kind::Release, 31, V, 4),
        unback(32, P, 4),
    ]);
    let s = bed.clean();
    assert_eq!(
        (s.used(), s.devices[0].used, s.devices[1].used, s.devices[1].clusters[0].used()),
        (0, 0, 0, 0)
    );
    assert!(s.memcgs.is_empty());
}

#[test]
fn slots_that_back_others_leave_fewer_aligned_runs() {
    let mut bed = with(8);
    let fits = |bed: &mut Bed| {
        let device = bed.snap().devices[1].clone();
        (device.aligned[0], device.aligned[4], device.aligned[9], device.aligned_exact)
    };
    // Slot 0 is the header.
    assert_eq!(fits(&mut bed), (4095, 255, 7, true));
    bed.apply(&[back(20, P, V, 4), written(21, V, P, 4), back(22, 512, V + 4, 1)]);
    assert_eq!(fits(&mut bed), (4090, 253, 6, true));
    bed.apply(&[unback(30, 512, 1)]);
    assert_eq!(fits(&mut bed), (4091, 254, 7, true));
    // Who is told of physical slots only when they are written to knows too little.
    let unseen = Header {
        devices: bed.collector.snapshot().header.devices.clone(),
        from_swapon: true,
        ..Header::default()
    };
    let mut bed = Bed { collector: Collector::new(Arc::new(unseen), 250 * MS) };
    bed.apply(&[swapon(1, 4096), at(Kind::Alloc, 10, V, 4), written(21, V, P, 4)]);
    assert_eq!(fits(&mut bed), (4091, 254, 7, false));
}

#[test]
fn a_cluster_looked_into_shows_both_ends_of_a_link() {
    let mut bed = with(4);
    bed.apply(&[back(20, P, V, 2), written(21, V, P, 2)]);
    bed.collector.look_into(Some((0, 1)));
    let near = bed.snap().closeup.unwrap();
    let ends: Vec<_> = (V..V + 3).map(|off| near.at(off).unwrap().other_end()).collect();
    assert_eq!(ends, [Some(Entry::new(1, P)), Some(Entry::new(1, P + 1)), None]);
    bed.collector.look_into(Some((1, 0)));
    let near = bed.snap().closeup.unwrap();
    let held = near.at(P + 1).unwrap();
    assert_eq!((held.other_end(), held.virt), (Some(Entry::new(0, V + 1)), Some(Entry::new(0, V + 1).0)));
    assert_eq!((held.used, held.backend, held.memcg, held.confirmed), (true, Backend::Phys, 7, true));
    assert!(!near.at(P + 2).unwrap().used && near.runs().iter().any(|r| (r.first, r.nr) == (P as u16, 2)));
    bed.apply(&[unback(30, P, 2)]);
    assert!(!bed.snap().closeup.unwrap().at(P).unwrap().used, "given back");
}

#[test]
fn the_charge_audit_counts_what_a_cgroup_pays_for() {
    let mut bed = with(4);
    bed.apply(&[back(20, P, V, 1), written(21, V, P, 1)]);
    let names = vswap_tui::meta::Update {
        cgroups: vec![vswap_tui::meta::CgroupInfo { id: 7, inode: 0, path: "/wl".into() }],
        usage: vec![vswap_tui::meta::CgroupUse { id: 7, swap: Some(4096), ..Default::default() }],
        ..Default::default()
    };
    bed.collector.update(&names);
    let memcg = &bed.snap().memcgs[0];
    assert_eq!((memcg.slots, memcg.charged, memcg.charged_then), (4, 1, 1));
}

#[test]
fn a_write_alone_tells_what_backs_the_slot() {
    let mut bed = with(2);
    bed.apply(&[written(21, V, P, 2)]);
    assert_eq!(state(&mut bed, V + 1), (Backend::Phys, Some(P + 1), 2));
    // Written again to the same slots: nothing new.
    bed.apply(&[written(30, V, P, 2)]);
    assert_eq!(state(&mut bed, V + 1), (Backend::Phys, Some(P + 1), 2));
    assert_eq!(bed.clean().devices[1].backing, 2);
}

#[test]
fn a_refused_charge_gives_the_physical_slot_back_and_the_page_stays() {
    let mut bed = with(1);
    let refused = Event { val: 0x80000, ..at(Kind::WriteoutReject, 22, V, 1) };
    bed.apply(&[back(20, P, V, 1), unback(21, P, 1), refused]);
    assert_eq!(state(&mut bed, V), (Backend::Folio, None, 0));
    assert_eq!(bed.clean().devices[1].used, 0);
}

#[test]
fn writeback_moves_a_slot_and_what_zswap_frees_after_it_is_old_news() {
    let mut bed = with(1);
    bed.apply(&[
        Event { val: 900, ..at(Kind::ZswapStore, 20, V, 1) },
        Event { flags: flags::SWAPOUT | flags::WORDS, ..at(Kind::CacheDel, 21, V, 1) },
        Event { flags: flags::WORDS, ..at(Kind::CacheAdd, 30, V, 1) },
        back(31, P, V, 1),
        Event { flags: flags::WRITEBACK, ..written(32, V, P, 1) },
        Event { flags: flags::WORDS, ..at(Kind::CacheDel, 33, V, 1) },
    ]);
    // Another CPU may have read the page and stored it again before zswap's thread comes to free the old entry.
    bed.apply(&[
        Event { flags: flags::WORDS, ..at(Kind::CacheAdd, 40, V, 1) },
        release(41, V, 1),
        unback(42, P, 1),
        Event { val: 700, ..at(Kind::ZswapStore, 43, V, 1) },
        Event { flags: flags::SWAPOUT | flags::WORDS, ..at(Kind::CacheDel, 44, V, 1) },
        Event { flags: flags::MOVED, val: 900, ..at(Kind::ZswapFree, 45, V, 1) },
    ]);
    assert_eq!(state(&mut bed, V), (Backend::Zswap, None, 0));
    assert_eq!((bed.clean().totals.zswpwb, bed.slot(V).unwrap().len), (1, Some(700)));
}

#[test]
fn swapoff_of_the_device_pulls_pages_back_and_the_virtual_slots_stay() {
    let mut bed = with(1);
    bed.apply(&[
        back(20, P, V, 1),
        written(21, V, P, 1),
        Event { flags: flags::SWAPOUT | flags::WORDS, ..at(Kind::CacheDel, 22, V, 1) },
        Event { flags: flags::WORDS, ..at(Kind::CacheAdd, 30, V, 1) },
        at(Kind::LoadPhys, 31, V, 1),
        release(32, V, 1),
        unback(33, P, 1),
        ev(Kind::SwapOff, 34, 0, 0),
    ]);
    assert_eq!(state(&mut bed, V), (Backend::Folio, None, 0));
    let s = bed.clean();
    assert!(!s.devices[1].active && s.devices[0].active);
}

#[test]
fn a_device_that_goes_with_data_of_virtual_slots_is_a_finding() {
    let mut bed = with(1);
    bed.apply(&[back(20, P, V, 1), written(21, V, P, 1), ev(Kind::SwapOff, 34, 0, 0)]);
    let s = bed.snap();
    assert_eq!(s.findings.counts[Fault::LeakAtSwapoff as usize], 1);
    assert_eq!(state(&mut bed, V), (Backend::Folio, None, 0));
}

#[test]
fn two_owners_of_one_physical_slot_are_proven() {
    let mut bed = with(2);
    bed.apply(&[back(20, P, V, 1), back(21, P, V + 1, 1)]);
    let found = |bed: &mut Bed| bed.snap().findings.counts[Fault::TwoBackings as usize];
    assert_eq!(found(&mut bed), 1);
    assert_eq!(state(&mut bed, V + 1).1, Some(P), "the event wins");
    assert_eq!((state(&mut bed, V).1, bed.snap().devices[1].backing), (None, 1));
    // A virtual slot that gets another physical one leaves the first behind.
    bed.apply(&[back(30, P + 9, V + 1, 1)]);
    assert_eq!((found(&mut bed), bed.snap().devices[1].backing), (2, 1));

    // After a loss nothing is proven.
    let mut bed = with(2);
    bed.apply(&[back(20, P, V, 1), gap(21, 1), back(22, P, V + 1, 1)]);
    assert_eq!(found(&mut bed), 0);
    assert_eq!(state(&mut bed, V + 1).1, Some(P));
}

#[test]
fn giving_back_what_nobody_took_is_a_finding_only_if_taking_is_told() {
    let mut bed = with(1);
    bed.apply(&[unback(20, P, 1)]);
    assert_eq!(bed.snap().findings.counts[Fault::FreeOfFreeSlot as usize], 1);
    let mut bed = with(1);
    bed.apply(&[gap(19, 3), unback(20, P, 1)]);
    assert_eq!(bed.snap().findings.total(), 0);
}

#[test]
fn virtual_clusters_go_with_their_last_slot_and_come_again() {
    let far = 1 << 30;
    let mut bed = bed();
    for round in 0..3 {
        let ts = 10 + 10 * round;
        bed.apply(&[at(Kind::Alloc, ts, V, 1), at(Kind::Alloc, ts + 1, far, 1)]);
        assert_eq!(bed.snap().devices[0].clusters[1].used(), 1);
        bed.apply(&[at(Kind::CacheDel, ts + 2, V, 1), at(Kind::CacheDel, ts + 2, far, 1)]);
        bed.apply(&[at(Kind::Free, ts + 2, V, 1), at(Kind::Free, ts + 3, far, 1)]);
        bed.apply(&[at(Kind::Release, ts + 4, V, 1), at(Kind::Release, ts + 5, far, 1)]);
        bed.apply(&[Event { val: 4, ..at(Kind::ClusterMove, ts + 6, V, 0) }]);
        bed.apply(&[
            at(Kind::Alloc, ts + 7, V, 1),
            at(Kind::CacheDel, ts + 8, V, 1),
            at(Kind::Free, ts + 9, V, 1),
        ]);
        assert_eq!((bed.clean().used(), bed.collector.slots().count()), (0, 0));
        assert_eq!(bed.snap().devices[0].clusters[1].list, List::None, "gone");
    }
    assert_eq!(bed.clean().totals.alloc, 9);
}

#[test]
fn a_release_without_its_folio_in_the_cache_loses_the_data() {
    let mut bed = with(1);
    bed.apply(&[
        Event { val: 900, ..at(Kind::ZswapStore, 20, V, 1) },
        Event { flags: flags::SWAPOUT | flags::WORDS, ..at(Kind::CacheDel, 21, V, 1) },
        at(Kind::Release, 22, V, 1),
    ]);
    assert_eq!(bed.backend(V), Some(Backend::None));
    assert_eq!(bed.snap().findings.counts[Fault::LostBacking as usize], 1);
}

#[test]
fn a_key_frame_and_an_opening_carry_what_backs_what() {
    let mut bed = with(4);
    bed.apply(&[
        back(20, P, V, 4),
        written(21, V, P, 4),
        at(Kind::CacheDel, 22, V, 4),
        at(Kind::Alloc, 23, V + 4, 1),
    ]);
    let lines =
        |c: &Collector| -> Vec<_> { c.slots().map(|l| (l.off, l.backend, l.phys, l.memcg)).collect() };
    let sums = |c: &mut Collector| {
        let s = c.snapshot();
        let devices: Vec<_> = s.devices.iter().map(|d| (d.dev, d.used, d.backing, d.mix)).collect();
        (s.mix, devices, s.memcgs.iter().map(|m| (m.slots, m.charged)).collect::<Vec<_>>())
    };
    let (state, frame): (_, Vec<_>) = (bed.collector.key_state(), bed.collector.key_slots().collect());
    let header = bed.snap().header;
    let mut restored = Collector::restore(Arc::clone(&header), 250 * MS, &[], &state, &[]);
    assert!(frame.iter().all(|r| restored.restore_slot(r)));
    assert_eq!(lines(&restored), lines(&bed.collector));
    assert_eq!(sums(&mut restored), sums(&mut bed.collector));
    let mut opened = Collector::new(header, 250 * MS);
    let mut told = Vec::new();
    let tell = |r| {
        told.push(r);
        opened.apply(&vswap_tui::decode::decode(&r).unwrap());
        Ok::<(), Infallible>(())
    };
    bed.collector.opening(tell).unwrap();
    assert_eq!(lines(&opened), lines(&bed.collector));
    assert_eq!(sums(&mut opened), sums(&mut bed.collector));
    // The one that gives its slots away says the same.
    let mut again = told.iter();
    let tell = |r| {
        assert_eq!(again.next(), Some(&r));
        Ok::<(), Infallible>(())
    };
    bed.collector.into_opening(tell).unwrap();
    assert_eq!(again.next(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Whatever comes in, sums never go below zero, a slot backed by none costs nothing, and no physical slot is listed
    /// behind two virtual ones.
    #[test]
    fn any_history_keeps_the_books(
        events in prop::collection::vec(
            (1u8..=43, 0u8..3, 0u64..40, prop_oneof![4 => Just(1u16), 1 => 2u16..6], 0u64..40, 0u8..3, 0u16..4, 0u16..4096),
            1..200,
        ),
    ) {
        let mut bed = bed();
        for (i, (kind, dev, off, nr, other, other_dev, memcg, flags)) in events.into_iter().enumerate() {
            let kind = Kind::from_u8(kind).unwrap();
            let arg = if matches!(kind, Kind::SwapOn | Kind::ScanDevice) { 4095 } else { Entry::new(other_dev, 505 + other).0 };
            let entry = Entry::new(dev, if kind == Kind::SwapOn { 4096 } else { 505 + off });
            bed.apply(&[Event { entry, arg, memcg, flags, ..ev(kind, 100 + i as u64, 0, nr.min(512 - (505 + off) as u16 % 512)) }]);
        }
        let s = bed.snap();
        let lines: Vec<_> = bed.collector.slots().map(|l| (l.dev, l.phys, l.memcg)).collect();
        let mut behind: Vec<_> = lines.iter().filter_map(|l| l.1).collect();
        let all = behind.len();
        behind.sort_unstable();
        behind.dedup();
        prop_assert_eq!(behind.len(), all);
        prop_assert!(lines.iter().all(|(dev, phys, _)| phys.is_none() || *dev == 0));
        prop_assert_eq!(s.used(), lines.len() as u64);
        for m in &s.memcgs {
            let paid = lines.iter().filter(|(dev, phys, memcg)| *memcg == m.id && (*dev != 0 || phys.is_some())).count();
            prop_assert_eq!(m.charged, paid as u64, "cgroup {}", m.id);
        }
    }
}

//! Histories whose answers are computed by hand, and random ones against a walk.

mod partial;

use super::room::Rooms;
use super::script::{Script, at, header};
use super::*;
use proptest::prelude::*;
use vswap_common::{Entry, Kind};

fn design(name: &str, set: &str) -> Design {
    Design::named(name, Settings::parse(set).unwrap()).unwrap()
}

fn replay(events: &[Event], name: &str, set: &str) -> WhatIf {
    let mut run = WhatIf::new(&header(), design(name, set));
    events.iter().for_each(|e| run.apply(e));
    run
}

fn row(script: &Script, name: &str, set: &str) -> Row {
    let mut run = replay(&script.events, name, set);
    consistent(&mut run);
    run.row()
}

/// Counters against walks.
fn consistent(run: &mut WhatIf) {
    let mut mix = Mix::default();
    let (mut bytes, mut queued) = (0, 0);
    let granted = run
        .threads
        .values()
        .filter_map(super::alloc::Thread::granted)
        .flat_map(|(at, n)| (0..n).map(move |i| at.add(i)));
    let mut slots: Vec<Entry> = granted.collect();
    for (recorded, place) in run.places.all(None) {
        if let Place::Slot(slot) = place {
            slots.push(slot);
            let stored = run.places.stored(recorded);
            bytes += if stored { run.places.len(recorded) } else { 0 };
            queued += usize::from(stored);
        }
    }
    for slot in &slots {
        if let Some(backing) = run.target.model.backing(*slot) {
            *mix.of(backing) += 1;
        }
    }
    assert_eq!(run.target.mix, mix);
    slots.sort_unstable();
    slots.dedup();
    let used: u64 = run.target.model.devices().map(|(_, d)| d.inuse).sum();
    let backing = if run.design.policy.virt.is_some() { mix.phys } else { 0 };
    assert_eq!(slots.len() as u64 + backing, used, "every used slot is somebody's");
    assert_eq!(run.pool.bytes(), bytes);
    assert!(run.pool.queued() == if run.pool.limited() { queued } else { 0 });
    let mut fresh = Rooms::default();
    for (d, device) in run.target.model.devices().filter(|(_, d)| !d.virt) {
        fresh.set_device(d, device.clusters.len());
    }
    assert_eq!(run.target.rooms.now(&run.target.model), fresh.now(&run.target.model));
}

/// 600 pages to zswap, 100 of them written back later.
fn written_back() -> Script {
    let mut script = Script::new(2048);
    for off in 1..=600 {
        script.alloc(off, 1);
        script.store(off, 1, 1000);
    }
    (1..=100).for_each(|off| script.write_back(off));
    script
}

#[test]
fn six_hundred_compressed_pages_with_a_hundred_on_disk() {
    let script = written_back();
    // Nine pages of zswap entries, four physical clusters, one tree head of the device: every design has them.
    let entries = 600u64.div_ceil(73) * 4096;
    let common = entries + 48 * 4 + 16;
    for name in ["as-recorded", "swap-table"] {
        let row = row(&script, name, "");
        assert_eq!((row.peak_phys_slots, row.peak_virtual_slots), (600, 0), "{name}");
        // Two clusters in use; offsets 1 to 600 lie under ten leaves and one node above.
        assert_eq!(row.metadata_bytes_peak, common + 2 * 5120 + 11 * 576, "{name}");
        assert_eq!(row.now, Mix { zswap: 500, phys: 100, ..Mix::default() });
        assert_eq!((row.idle_phys_slots_at_peak, row.phys_slots), (500, 600));
        assert_eq!((row.room.free_slots, row.room_at_peak.free_slots), (2047 - 600, 2047 - 600));
        let charged = Charged { path: "/wl".into(), at_peak: 600, now: 600 };
        assert_eq!((row.charges, row.exact), (vec![charged], true), "{:?}", row.notes);
    }
    // The header cluster of each device is there from the start. Virtual clusters 1 and 2 are in use, node 0 holds
    // the index. RFC v2 gives the physical cluster no memcg table: it holds no page of its own.
    let virtual_part = (96 + 5120) + 2 * 9312 + (16 + 576);
    for (name, physical) in [("vswap-rfc1", 5120), ("vswap-rfc2", 4096), ("vswap", 4096)] {
        let row = row(&script, name, "");
        assert_eq!((row.peak_phys_slots, row.peak_virtual_slots), (100, 600), "{name}");
        assert_eq!(row.metadata_bytes_peak, common + virtual_part + physical, "{name}");
        assert_eq!(row.at_peak, Mix { zswap: 500, phys: 100, ..Mix::default() });
        assert_eq!((row.idle_phys_slots_at_peak, row.zswap_writebacks), (0, 100));
        assert_eq!(row.charges, [Charged { path: "/wl".into(), at_peak: 100, now: 100 }]);
        assert_eq!((row.zswap_bytes_peak, row.exact), (600_000, true), "{:?}", row.notes);
    }
}

#[test]
fn a_pool_with_a_limit_refuses_and_writes_its_oldest_back() {
    let mut script = Script::new(2048);
    for off in 1..=600 {
        script.alloc(off, 1);
        script.store(off, 1, 1000);
    }
    // 100 pages fill it. Then each eleventh is refused and drives the ten oldest out: 45 times, and once more.
    let row = row(&script, "vswap", "zswap-max=100000");
    assert_eq!(row.zswap_writebacks, 460);
    assert_eq!(row.now, Mix { zswap: 94, phys: 506, ..Mix::default() });
    assert_eq!((row.peak_phys_slots, row.zswap_bytes_peak), (506, 100_000));
    assert!(!row.exact && row.notes[0].contains("compressed bytes"));
    let table = self::row(&script, "swap-table", "zswap-max=100000");
    assert_eq!((table.peak_phys_slots, table.now), (600, row.now));
    // A pool that is large enough leaves recorded writebacks out.
    let row = self::row(&written_back(), "vswap", "zswap-max=1M");
    assert_eq!((row.peak_phys_slots, row.zswap_writebacks, row.now.zswap), (0, 0, 600));
}

#[test]
fn a_smaller_device_keeps_pages_in_memory() {
    let mut script = Script::new(2048);
    for off in 1..=100 {
        script.alloc(off, 1);
        script.write(off, 1);
    }
    let vswap = row(&script, "vswap", "phys-pages=50");
    assert_eq!((vswap.peak_phys_slots, vswap.peak_virtual_slots), (50, 100));
    assert_eq!((vswap.kept_pages, vswap.fallbacks_by_order[0]), (50, 50));
    assert_eq!(vswap.now, Mix { folio: 50, phys: 50, ..Mix::default() });
    let table = row(&script, "swap-table", "phys-pages=50");
    assert_eq!((table.peak_phys_slots, table.kept_pages, table.fallbacks_by_order[0]), (50, 50, 50));
    assert_eq!(table.now, Mix { phys: 50, ..Mix::default() });
    let none = row(&script, "vswap", "phys-pages=0");
    assert_eq!((none.peak_phys_slots, none.kept_pages, none.peak_virtual_slots), (0, 100, 100));
    // What stayed in memory is read in and given up like everything else.
    for off in 1..=100 {
        script.read(off, false);
        script.give_up(off);
    }
    let empty = row(&script, "vswap", "phys-pages=50");
    assert_eq!((empty.now, empty.phys_slots, empty.exact), (Mix::default(), 0, true), "{:?}", empty.notes);
}

#[test]
fn large_folios_need_large_clusters_and_whole_runs() {
    let mut script = Script::new(2048);
    for i in 1..=20 {
        script.alloc(i * 16, 16);
        script.store(i * 16, 16, 500);
    }
    script.alloc(512, 512);
    script.write(512, 512);
    let whole = row(&script, "vswap", "");
    assert_eq!(
        (whole.fallbacks_by_order, whole.peak_virtual_slots, whole.peak_phys_slots),
        ([0; 10], 832, 512)
    );
    assert_eq!(whole.room.fits_by_order[9], 2, "clusters 2 and 3 are whole, cluster 0 has the header");
    let small = row(&script, "vswap", "cluster=256");
    assert_eq!((small.fallbacks_by_order[4], small.fallbacks_by_order[9]), (20, 1));
    assert_eq!((small.peak_virtual_slots, small.kept_pages, small.now.zswap), (832, 0, 320));
    // 700 usable slots: the one whole cluster is there, but cut short.
    let cut = row(&script, "vswap", "phys-pages=700");
    assert_eq!((cut.fallbacks_by_order[9], cut.kept_pages, cut.peak_phys_slots), (1, 512, 0));
}

#[test]
fn a_folio_the_record_split_keeps_its_run_under_a_design_with_room() {
    let mut script = Script::new(2048);
    script.refuse(4);
    for off in 1..=10 {
        script.alloc(off, 1);
        script.store(off, 1, 100);
    }
    let recorded = row(&script, "as-recorded", "");
    assert_eq!((recorded.fallbacks_by_order[4], recorded.peak_phys_slots), (1, 10));
    let mut run = replay(&script.events, "vswap", "");
    let places: Vec<Place> = (1..=10).map(|off| run.places.get(at(off))).collect();
    assert_eq!(places, (512..522).map(|off| Place::Slot(at(off))).collect::<Vec<_>>(), "one run");
    assert_eq!((run.row().peak_virtual_slots, run.row().fallbacks_by_order[4]), (16, 0));
    // Six parts needed no slot: the thread reads something in, so it is done with the folio.
    script.read(1, true);
    assert_eq!(row(&script, "vswap", "").now, Mix { folio: 1, zswap: 9, ..Mix::default() });
}

#[test]
fn refused_requests_and_charges_leave_nothing_behind() {
    let mut script = Script::new(2048);
    script.tell(Kind::Alloc, at(5), 1);
    script.tell(Kind::Charge, at(5), 1).val = -12;
    script.tell(Kind::CacheDel, at(5), 1);
    script.tell(Kind::Free, at(5), 1);
    script.tell(Kind::AllocFail, at(0), 0).val = -12;
    script.refuse(0);
    script.tell(Kind::AllocFail, at(0), 0).val = -11;
    let recorded = row(&script, "as-recorded", "");
    assert_eq!((recorded.peak_phys_slots, recorded.fallbacks_by_order[0], recorded.kept_pages), (1, 1, 1));
    assert_eq!((recorded.phys_slots, recorded.charges, recorded.exact), (0, vec![], true));
    let vswap = row(&script, "vswap", "");
    assert_eq!((vswap.fallbacks_by_order[0], vswap.now, vswap.exact), (0, Mix::default(), false));
    assert!(
        vswap.notes.iter().any(|n| n.starts_with("1 requests that the record refused")),
        "{:?}",
        vswap.notes
    );
    assert!(
        vswap.notes.iter().any(|n| n.starts_with("1 charges that swap.max refused")),
        "{:?}",
        vswap.notes
    );
}

#[test]
fn charges_follow_their_owners() {
    let mut script = Script::new(2048);
    for off in 1..=30 {
        script.memcg = if off <= 10 { 7 } else { 8 };
        script.alloc(off, 1);
        if off % 2 == 0 { script.zero(off, 1) } else { script.write(off, 1) }
    }
    script.free(1, 10);
    let charged = |path: &str, at_peak, now| Charged { path: path.into(), at_peak, now };
    assert_eq!(row(&script, "swap-table", "").charges, [charged("/wm", 20, 20), charged("/wl", 10, 0)]);
    let vswap = row(&script, "vswap", "");
    assert_eq!(vswap.charges, [charged("/wm", 10, 10), charged("/wl", 5, 0)]);
    assert_eq!((vswap.peak_phys_slots, vswap.at_peak.zero, vswap.at_peak.phys), (15, 15, 15));
}

/// What a page of the random load is at.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Free,
    Zswap,
    Device,
    Cached(bool),
}

/// A history of single pages, with the most slots in use at one time.
fn history(steps: &[(u64, u8, i32)]) -> (Script, u64) {
    let mut script = Script::new(512);
    let mut states = [State::Free; 301];
    let (mut used, mut most) = (0u64, 0);
    for &(off, what, len) in steps {
        let state = &mut states[off as usize];
        script.memcg = 7 + u16::from(what & 1);
        *state = match (*state, what % 4) {
            (State::Free, how) => {
                script.alloc(off, 1);
                used += 1;
                match how {
                    0 => script.zero(off, 1),
                    1 => script.write(off, 1),
                    _ => script.store(off, 1, len),
                }
                if how > 1 { State::Zswap } else { State::Device }
            }
            (State::Zswap, 0) => {
                script.write_back(off);
                State::Device
            }
            (State::Zswap | State::Device, 1) => {
                script.free(off, 1);
                used -= 1;
                State::Free
            }
            (from @ (State::Zswap | State::Device), _) => {
                script.read(off, from == State::Zswap);
                State::Cached(from == State::Zswap)
            }
            (State::Cached(_), 0) => {
                script.give_up(off);
                used -= 1;
                State::Free
            }
            (State::Cached(true), _) => {
                script.store(off, 1, len);
                State::Zswap
            }
            (State::Cached(false), _) => {
                script.leave(off, 1);
                State::Device
            }
        };
        most = most.max(used);
    }
    (script, most)
}

proptest! {
    #[test]
    fn vswap_never_needs_more_physical_slots_and_as_many_virtual_ones(
        steps in prop::collection::vec((1u64..=300, any::<u8>(), 1i32..4097), 1..400)
    ) {
        let (script, most) = history(&steps);
        let recorded = row(&script, "as-recorded", "");
        prop_assert_eq!((recorded.peak_phys_slots, recorded.exact), (most, true), "{:?}", recorded.notes);
        let table = row(&script, "swap-table", "");
        // The script's slots are not those the allocator takes: only what hangs on the offsets differs.
        let Row { model, metadata, metadata_bytes_peak, room, room_at_peak, .. } = recorded.clone();
        prop_assert_eq!(room.free_slots, table.room.free_slots);
        let same = Row { model, metadata, metadata_bytes_peak, room, room_at_peak, ..table };
        prop_assert_eq!(&same, &recorded);
        for name in ["vswap-rfc1", "vswap-rfc2"] {
            let vswap = row(&script, name, "");
            prop_assert!(vswap.peak_phys_slots <= most, "{name}");
            prop_assert_eq!((vswap.peak_virtual_slots, vswap.exact), (most, true), "{:?}", vswap.notes);
            prop_assert_eq!((vswap.kept_pages, vswap.now), (0, recorded.now));
        }
        let limited = row(&script, "vswap", "zswap-max=20000");
        prop_assert_eq!(limited.peak_virtual_slots, most);
        prop_assert!(limited.zswap_bytes_peak < 20_000 + 4096);
    }

    #[test]
    fn any_events_are_taken_without_panic(
        late in any::<bool>(),
        set in prop_oneof![Just(""), Just("zswap-max=9000"), Just("phys-pages=600"), Just("cluster=256")],
        steps in prop::collection::vec(
            (0usize..Kind::ALL.len(), 0u64..1600, 0u8..6, any::<u16>(), 0u8..3, 0u32..3, -20i32..5000), 1..300)
    ) {
        let header = Header { from_swapon: !late, ..header() };
        for name in ["as-recorded", "swap-table", "vswap-rfc1", "vswap-rfc2"] {
            let mut run = WhatIf::new(&header, design(name, set));
            Script::new(1500).events.iter().for_each(|e| run.apply(e));
            for &(kind, off, order, bits, dev, tid, val) in &steps {
                let kind = Kind::ALL[kind];
                // Devices come and go less often than slots.
                if matches!(kind, Kind::SwapOn | Kind::SwapOff) && bits % 4 != 0 {
                    continue;
                }
                let nr = 1 << order;
                let entry = Entry::new(dev / 2, off & !(u64::from(nr) - 1));
                let (cpu, memcg, arg) = (bits % 4, bits % 9, u64::from(bits));
                run.apply(&Event {
                    ts: 0, entry, arg, val, tid, nr, memcg, cpu, flags: bits, kind, order,
                });
            }
            consistent(&mut run);
            let row = run.row();
            prop_assert!(row.now.elsewhere() + row.now.phys <= row.peak_phys_slots.max(row.peak_virtual_slots) * 2);
        }
    }
}

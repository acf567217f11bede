//! The worked examples of the allocator's specification on the virtual device: recycled indices, the life of one
//! slot, large folios with holes; and where RFC v2 and cgroup v1 differ.

mod model_bed;

use model_bed::{Bed, Locked, Mode};
use vswap_common::Entry;
use vswap_tui::model::backend::{Writeout, Written};
use vswap_tui::model::cache::Removal;
use vswap_tui::model::invariant::Checker;
use vswap_tui::model::policy::{VSWAP_RFC1, VSWAP_RFC2};
use vswap_tui::model::{
    Backing, Cgroup, Config, DeviceSpec, End, Fault, Folio, FolioFacts, Model, Undisturbed, Walk,
};

const RECLAIMED: Removal = Removal::Reclaimed { memcg: 7 };
const REJECTED: Writeout = Writeout { zero: false, stored: 0, writeback_allowed: true };

fn virt(off: u64) -> Entry {
    Entry::new(0, off)
}

/// E6: the lowest index is used again at once; caches that point into the old cluster meet the new one.
#[test]
fn e6_index_recycling_and_stale_caches() {
    let mut bed = Bed::new(VSWAP_RFC1, Mode::Backing);
    assert_eq!([0; 3].map(|cpu| bed.valloc(cpu, 0)), [512, 513, 514]);
    assert_eq!((bed.vc(0, 0), bed.lists(0).as_str()), (515, "frag0 [k1(3)]"));
    assert_eq!(bed.valloc(1, 0), 1024);
    assert_eq!(bed.lists(0), "frag0 [k1(3) k2(1)]");
    bed.vfree(512..515);
    assert_eq!(bed.lists(0), "frag0 [k2(1)]");
    assert_eq!(bed.valloc(1, 4), 512);
    assert_eq!((bed.vc(1, 4), bed.lists(0).as_str()), (528, "frag0 [k2(1)] frag4 [k1(16)]"));
    assert_eq!((bed.vc(0, 0), bed.valloc(0, 0)), (515, 528));
    assert_eq!(bed.lists(0), "frag0 [k2(1)] frag4 [k1(17)]");
    assert_eq!(bed.valloc(1, 4), 544);
    assert_eq!(bed.vc(1, 4), 560);
    assert_eq!(bed.valloc(0, 9), 1536);
    assert_eq!((bed.vc(0, 9), bed.lists(0).as_str()), (0, "frag0 [k2(1)] frag4 [k1(33)] full [k3]"));
    bed.vfree(528..529);
    assert_eq!(bed.lists(0), "frag0 [k2(1)] nonfull4 [k1(32)] full [k3]");
    assert_eq!(bed.valloc(0, 4), 528);
    assert_eq!((bed.vc(0, 4), bed.lists(0).as_str()), (544, "frag0 [k2(1)] frag4 [k1(48)] full [k3]"));
    assert_eq!((bed.valloc(0, 0), bed.vc(0, 0)), (560, 561));
}

/// E7: a failed scan from a cached offset hides the slots below it until the next free in the cluster.
#[test]
fn e7_stranding_by_a_failed_fast_scan() {
    let mut bed = Bed::new(VSWAP_RFC1, Mode::Backing);
    for want in 512..=1021 {
        assert_eq!(bed.valloc(0, 0), want);
    }
    assert_eq!(bed.vc(0, 0), 1022);
    bed.vfree(600..601);
    assert_eq!([1; 3].map(|cpu| bed.valloc(cpu, 0)), [600, 1022, 1023]);
    assert_eq!((bed.vc(1, 0), bed.lists(0).as_str()), (0, "full [k1]"));
    bed.vfree(700..701);
    assert_eq!(bed.lists(0), "nonfull0 [k1(511)]");
    assert_eq!(bed.valloc(0, 0), 1024);
    assert_eq!(bed.lists(0), "frag0 [k1(511) k2(1)]");
    bed.vfree(701..702);
    assert_eq!(bed.lists(0), "nonfull0 [k1(510)] frag0 [k2(1)]");
    assert_eq!(bed.valloc(2, 0), 700);
    assert_eq!(bed.lists(0), "frag0 [k2(1) k1(511)]");
    assert_eq!(bed.valloc(2, 0), 701);
    assert_eq!(bed.lists(0), "frag0 [k2(1)] full [k1]");
}

/// E8: one slot from allocation over zswap and writeback to its end, words as the kernel stores them.
#[test]
fn e8_life_of_one_slot() {
    for policy in [VSWAP_RFC1, VSWAP_RFC2] {
        let mut bed = Bed::new(policy, Mode::Backing);
        let p = bed.swapon(&DeviceSpec::block(1024));
        let (v, phys) = (virt(512), Entry::new(p, 1));
        let charged = |bed: &Bed| bed.model.charges().get(7).swap;
        // (a)
        assert_eq!(bed.outcome(0, 0, 7, &mut Undisturbed).slot, Some(v));
        assert_eq!((bed.model.backing(v), bed.model.memcg(v), charged(&bed)), (Some(Backing::None), 7, 0));
        // (b)
        bed.model.dup(v, 1, &mut Undisturbed).unwrap();
        let stored = Writeout { stored: 1, ..REJECTED };
        assert_eq!(bed.model.writeout(0, v, stored, &mut Undisturbed), Ok(Written::Zswap));
        assert!(matches!(bed.model.backing(v), Some(Backing::Zswap(_))));
        assert_eq!((bed.model.cache_del(v, 0, RECLAIMED), bed.model.zswap_pages()), (Ok(0), (1, 0)));
        // (c)
        let written = bed.model.zswap_writeback(1, v, 99, true, &mut Undisturbed);
        assert_eq!(written, Ok(Written::Device(phys)));
        assert!(bed.model.word(v).is_cached());
        assert_eq!((bed.model.word(phys).0, bed.model.vword(v).0), (0x1004, 0x2000_0000_0000_0009));
        assert_eq!((charged(&bed), bed.model.free_pages(), bed.pco(1, 0)), (1, 1022, 2));
        assert_eq!((bed.lists(p).as_str(), bed.model.zswap_pages()), ("free [c1] frag0 [c0(2)]", (0, 0)));
        bed.model.cache_del(v, 0, RECLAIMED).unwrap();
        assert_eq!((bed.model.count(v), bed.model.word(v).is_cached()), (Some(1), false));
        // (d)
        bed.model.cache_add(v, 0, 100).unwrap();
        assert_eq!(bed.model.swapin(v), Ok(Backing::Phys(phys)));
        bed.model.put(v, 1, false, &mut Undisturbed).unwrap();
        assert_eq!((bed.model.count(v), bed.model.word(phys).0), (Some(0), 0x8000_0000_0000_1004));
        // (e)
        bed.model.dup(v, 1, &mut Undisturbed).unwrap();
        bed.model.cache_del(v, 0, RECLAIMED).unwrap();
        let sticky = policy == VSWAP_RFC1;
        assert_eq!(bed.model.word(phys).cache_only_backing(), sticky, "{}", policy.name);
        // (f)
        bed.model.cache_add(v, 0, 101).unwrap();
        bed.model.put(v, 1, false, &mut Undisturbed).unwrap();
        assert_eq!(bed.model.free_folio_swap(v, FolioFacts::IDLE), Ok(true));
        assert_eq!((bed.model.word(phys).0, bed.lists(p).as_str()), (0, "free [c1] nonfull0 [c0(1)]"));
        assert_eq!((charged(&bed), bed.model.free_pages(), bed.model.word(v).0), (0, 1023, 0));
        assert_eq!((bed.lists(0).as_str(), bed.model.charges().get(7).refs), ("", 0));
        assert_eq!(bed.model.alarms(), vswap_tui::model::Alarms::default());
    }
}

/// E9: a partial store is taken back, the folio gets one physical run, and holes in it serve neither order.
#[test]
fn e9_large_folio_partial_store_and_holes() {
    for policy in [VSWAP_RFC1, VSWAP_RFC2] {
        let mut bed = Bed::new(policy, Mode::Backing);
        let p = bed.swapon(&DeviceSpec::block(1024));
        assert_eq!(bed.outcome(0, 2, 7, &mut Undisturbed).slot, Some(virt(512)));
        assert_eq!((bed.vc(0, 2), bed.lists(0).as_str()), (516, "frag2 [k1(4)]"));
        bed.model.dup(virt(512), 4, &mut Undisturbed).unwrap();
        let partial = Writeout { stored: 2, ..REJECTED };
        let written = bed.model.writeout(0, virt(512), partial, &mut Undisturbed);
        assert_eq!(written, Ok(Written::Device(Entry::new(p, 512))));
        let words = [512, 513, 514, 515].map(|off| bed.model.word(Entry::new(p, off)).0);
        assert_eq!(words, [0x1004, 0x100C, 0x1014, 0x101C]);
        assert_eq!((bed.model.charges().get(7).swap, bed.model.free_pages()), (4, 1019));
        assert_eq!(bed.model.zswap_pages(), (0, 0));
        assert_eq!((bed.pco(0, 2), bed.lists(p).as_str()), (516, "nonfull0 [c0(1)] frag2 [c1(4)]"));
        bed.model.cache_del(virt(512), 0, RECLAIMED).unwrap();
        bed.model.put(virt(513), 2, true, &mut Undisturbed).unwrap();
        assert_eq!(bed.lists(p), "nonfull0 [c0(1)] nonfull2 [c1(2)]");
        assert_eq!((bed.model.charges().get(7).swap, bed.model.free_pages()), (2, 1021));
        assert_eq!(bed.lists(0), "nonfull2 [k1(2)]");
        assert_eq!(bed.valloc(0, 2), 516);
        assert_eq!((bed.vc(0, 2), bed.lists(0).as_str()), (520, "frag2 [k1(6)]"));
        assert_eq!(bed.valloc(0, 0), 1024);
    }
}

/// Between the partial store and its end the vwords differ: v1 leaves [Z Z N N] to PREPARE when writeback is not
/// allowed, v2 undoes the store at once.
#[test]
fn partial_store_without_writeback() {
    for (policy, zswap) in [(VSWAP_RFC1, 2), (VSWAP_RFC2, 0)] {
        let mut bed = Bed::new(policy, Mode::Backing);
        bed.outcome(0, 2, 0, &mut Undisturbed);
        bed.model.dup(virt(512), 4, &mut Undisturbed).unwrap();
        let how = Writeout { zero: false, stored: 2, writeback_allowed: false };
        assert_eq!(bed.model.writeout(0, virt(512), how, &mut Undisturbed), Ok(Written::Reactivated));
        assert_eq!(bed.model.zswap_pages().0, zswap, "{}", policy.name);
    }
}

/// A folio that a device has is written again and zswap takes its first page only. RFC v1 finds the head in zswap and
/// releases all; RFC v2 undoes the store, finds no backing at the head and would forget the tail's.
#[test]
fn partial_store_over_physical_backing() {
    for (policy, leaked) in [(VSWAP_RFC1, 0), (VSWAP_RFC2, 1)] {
        let mut bed = Bed::new(policy, Mode::Backing);
        let p = bed.swapon(&DeviceSpec::block(2048));
        bed.outcome(0, 2, 7, &mut Undisturbed);
        bed.model.dup(virt(512), 4, &mut Undisturbed).unwrap();
        let first = bed.model.writeout(0, virt(512), REJECTED, &mut Undisturbed);
        assert_eq!(first, Ok(Written::Device(Entry::new(p, 512))));
        let partial = Writeout { stored: 1, ..REJECTED };
        let again = bed.model.writeout(0, virt(512), partial, &mut Undisturbed);
        assert!(matches!(again, Ok(Written::Device(at)) if at.dev() == p), "{again:?}");
        assert_eq!(bed.model.alarms().leaked_backing, leaked, "{}", policy.name);
        assert_eq!((bed.model.device(p).unwrap().inuse, bed.model.charges().get(7).swap), (4, 4));
        let mut checker = Checker::default();
        assert!(checker.check(&bed.model), "{:?}", checker.broken());
    }
}

/// A zero folio has no data anywhere; rewritten with data it must leave that state first.
#[test]
fn zero_folio_and_back() {
    for policy in [VSWAP_RFC1, VSWAP_RFC2] {
        let mut bed = Bed::new(policy, Mode::Backing);
        let p = bed.swapon(&DeviceSpec::block(1024));
        bed.outcome(0, 1, 0, &mut Undisturbed);
        bed.model.dup(virt(512), 2, &mut Undisturbed).unwrap();
        let zero = Writeout { zero: true, ..REJECTED };
        assert_eq!(bed.model.writeout(0, virt(512), zero, &mut Undisturbed), Ok(Written::Zero));
        assert_eq!(bed.model.backing(virt(513)), Some(Backing::Zero));
        assert_eq!(bed.model.word(virt(512)).zero(), policy == VSWAP_RFC2);
        let full = Writeout { stored: 2, ..REJECTED };
        assert_eq!(bed.model.writeout(0, virt(512), full, &mut Undisturbed), Ok(Written::Zswap));
        assert!(!bed.model.word(virt(512)).zero());
        let written = bed.model.writeout(0, virt(512), REJECTED, &mut Undisturbed);
        assert_eq!(written, Ok(Written::Device(Entry::new(p, 512))));
        assert_eq!(bed.model.zswap_pages(), (0, 0));
    }
}

/// Physical space and charges are asked for at writeback; a refusal leaves the page in zswap.
#[test]
fn refused_backing_keeps_the_page_where_it_was() {
    let mut bed = Bed::new(VSWAP_RFC1, Mode::Backing);
    let p = bed.swapon(&DeviceSpec::block(1024));
    bed.model.charges_mut().group_mut(7).limit = 0;
    bed.outcome(0, 0, 7, &mut Undisturbed);
    bed.model.dup(virt(512), 1, &mut Undisturbed).unwrap();
    bed.model.writeout(0, virt(512), Writeout { stored: 1, ..REJECTED }, &mut Undisturbed).unwrap();
    bed.model.cache_del(virt(512), 0, RECLAIMED).unwrap();
    let back = bed.model.zswap_writeback(0, virt(512), 1, true, &mut Undisturbed);
    assert_eq!(back, Ok(Written::Reactivated));
    assert!(matches!(bed.model.backing(virt(512)), Some(Backing::Zswap(_))));
    assert_eq!((bed.model.free_pages(), bed.lists(p).as_str()), (1023, "free [c1] nonfull0 [c0(1)]"));
    assert_eq!(bed.model.charges().get(7).events_max, 1);
}

/// Full reclaim takes the backing of cached slots away (v1), or the slots with it (v2).
#[test]
fn backing_reclaim_of_a_full_cluster() {
    for (policy, word_kept) in [(VSWAP_RFC1, true), (VSWAP_RFC2, false)] {
        let mut bed = Bed::new(policy, Mode::Backing);
        let p = bed.swapon(&DeviceSpec::block(512));
        for off in 512..1023 {
            assert_eq!(bed.outcome(0, 0, 7, &mut Locked).slot, Some(virt(off)));
            bed.model.dup(virt(off), 1, &mut Undisturbed).unwrap();
            bed.model.writeout(0, virt(off), REJECTED, &mut Locked).unwrap();
        }
        assert!(bed.model.device(p).unwrap().reclaim_queued);
        bed.model.put(virt(600), 1, false, &mut Undisturbed).unwrap();
        bed.model.run_reclaim_worker(p, &mut Undisturbed).unwrap();
        assert_eq!((bed.lists(p).as_str(), bed.model.free_pages()), ("nonfull0 [c0(511)]", 1));
        assert_eq!(bed.model.word(virt(600)).is_cached(), word_kept, "{}", policy.name);
        assert_eq!(bed.model.charges().get(7).swap, 510);
    }
}

/// swapoff brings the data of virtual slots back to their folios; the slots live on.
#[test]
fn swapoff_unbacks_virtual_slots() {
    let mut bed = Bed::new(VSWAP_RFC1, Mode::Backing);
    let p = bed.swapon(&DeviceSpec::block(1024));
    for off in 512..520 {
        bed.outcome(0, 0, 7, &mut Locked);
        bed.model.dup(virt(off), 1, &mut Undisturbed).unwrap();
        bed.model.writeout(0, virt(off), REJECTED, &mut Locked).unwrap();
        bed.model.cache_del(virt(off), 0, RECLAIMED).unwrap();
    }
    assert_eq!(bed.model.swapoff(p), Ok(()));
    assert_eq!((bed.model.free_pages(), bed.model.total_pages(), bed.model.charges().get(7).swap), (0, 0, 0));
    assert!((512..520).all(|off| bed.model.backing(virt(off)) == Some(Backing::Folio)));
    assert_eq!(bed.pc(0, 0), (None, 9));
    assert_eq!(bed.model.swapon(&DeviceSpec::block(1024)), Ok(p));
}

/// When the virtual device cannot give a slot the folio is mapped to a physical one and charged at once.
#[test]
fn no_virtual_slot_falls_back_to_a_direct_one() {
    let config = Config { virtual_max: 1024, ..Config::new(VSWAP_RFC1) };
    let mut model = Model::new(config);
    let p = model.swapon(&DeviceSpec::block(2048)).unwrap();
    let folio = |order| Folio { pfn: 1, order, memcg: 7 };
    assert_eq!(model.alloc_folio(0, folio(9), &mut Locked).slot, Some(virt(512)));
    let direct = model.alloc_folio(0, folio(9), &mut Locked);
    assert_eq!((direct.slot, direct.end), (Some(Entry::new(p, 512)), End::Done));
    assert!(direct.virt.visited & Walk::NEW != 0);
    assert_eq!((model.virtual_rejects(), model.charges().get(7).swap), (512, 512));
}

/// cgroup v1: the id comes when reclaim drops the folio and goes at swapin; memsw follows.
#[test]
fn cgroup_v1_counts_uncached_slots() {
    let mut model = Model::new(Config { cgroup: Cgroup::V1, ..Config::new(VSWAP_RFC1) });
    let slot = model.alloc_folio(0, Folio { pfn: 1, order: 1, memcg: 7 }, &mut Undisturbed).slot;
    assert_eq!((slot, model.memcg(virt(512))), (Some(virt(512)), 0));
    model.dup(virt(512), 2, &mut Undisturbed).unwrap();
    model.writeout(0, virt(512), Writeout { stored: 2, ..REJECTED }, &mut Undisturbed).unwrap();
    model.cache_del(virt(512), 0, RECLAIMED).unwrap();
    assert_eq!((model.memcg(virt(513)), model.charges().get(7).swap, model.charges().get(7).refs), (7, 2, 2));
    model.put(virt(513), 1, true, &mut Undisturbed).unwrap();
    assert_eq!((model.charges().get(7).swap, model.charges().get(7).refs), (1, 1));
    model.cache_add(virt(512), 0, 2).unwrap();
    assert_eq!((model.memcg(virt(512)), model.charges().get(7).swap, model.charges().get(7).refs), (0, 0, 0));
}

/// Requests that do not fit are refused by name and change nothing.
#[test]
fn misfits_are_faults() {
    let mut bed = Bed::new(VSWAP_RFC1, Mode::Backing);
    bed.swapon(&DeviceSpec::block(1024));
    bed.outcome(0, 0, 7, &mut Undisturbed);
    let before = bed.lists(0);
    assert_eq!(bed.model.free_slots(virt(513), 1), Err(Fault::NotUsed(virt(513))));
    assert_eq!(bed.model.free_slots(Entry::new(9, 1), 1), Err(Fault::NoDevice(9)));
    assert_eq!(bed.model.free_slots(virt(1000), 100), Err(Fault::Range { at: virt(1000), nr: 100 }));
    assert_eq!(bed.model.put(virt(512), 1, false, &mut Undisturbed), Err(Fault::NoCount(virt(512))));
    assert_eq!(bed.model.cache_add(virt(512), 0, 1), Err(Fault::Cached(virt(512))));
    assert_eq!(bed.model.cache_del(virt(600), 0, RECLAIMED), Err(Fault::NotCached(virt(600))));
    let writeback = bed.model.zswap_writeback(0, virt(512), 1, true, &mut Undisturbed);
    assert_eq!(writeback, Err(Fault::Backing(virt(512))));
    assert_eq!(bed.model.swapoff(0), Err(Fault::NoDevice(0)));
    assert_eq!(bed.lists(0), before);
}

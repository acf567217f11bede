//! Rules of the allocator that no worked example reaches.

mod model_bed;

use model_bed::{Bed, Locked, Mode};
use vswap_common::Entry;
use vswap_tui::model::policy::{SWAP_TABLE, VSWAP_RFC1, VSWAP_RFC2};
use vswap_tui::model::{DeviceSpec, End, Fault, Flag, Memory, Model, Oracle, Undisturbed, Walk};

fn plain() -> Bed {
    Bed::new(SWAP_TABLE, Mode::Direct)
}

/// Before an order 0 allocation gives up, waiting discards run and it tries once more.
#[test]
fn synchronous_discard_saves_an_order_0_allocation() {
    let mut bed = plain();
    let p = bed.swapon(&DeviceSpec { page_discard: true, ..DeviceSpec::block(1024) });
    assert_eq!(bed.alloc(0, 9), Some(512));
    for want in 1..=511 {
        assert_eq!(bed.alloc(0, 0), Some(want));
    }
    bed.free(p, 512..1024);
    assert_eq!(bed.lists(p), "discard [c1] full [c0]");
    assert_eq!(bed.alloc(1, 1), None, "larger orders do not wait for discards");
    let outcome = bed.outcome(1, 0, 0, &mut Locked);
    assert_eq!((outcome.slot, outcome.discarded), (Some(Entry::new(p, 512)), 1));
}

/// A refused charge allocates and frees: the cluster moves, the cached offset stays ahead (E-F of the errata).
#[test]
fn a_refused_charge_moves_lists() {
    let mut bed = plain();
    let p = bed.swapon(&DeviceSpec::block(1536));
    bed.model.charges_mut().group_mut(9).limit = 0;
    let outcome = bed.outcome(0, 2, 9, &mut Undisturbed);
    assert_eq!((outcome.slot, outcome.end), (None, End::Refused));
    assert_eq!((bed.lists(p).as_str(), bed.pc(0, 2)), ("free [c2 c1] nonfull0 [c0(1)]", (Some(p), 516)));
    let group = bed.model.charges().get(9);
    assert_eq!((group.events_max, group.events_fail, group.swap, group.refs), (1, 1, 0, 0));
    assert_eq!(bed.alloc(0, 2), Some(1024));
}

/// A limit further up refuses as well; an offline group's swap goes to its nearest online ancestor.
#[test]
fn charges_climb_and_offline_groups_pass_them_on() {
    let mut bed = plain();
    bed.swapon(&DeviceSpec::block(1536));
    let groups = bed.model.charges_mut();
    (groups.group_mut(5).parent, groups.group_mut(5).online) = (4, false);
    (groups.group_mut(4).parent, groups.group_mut(3).limit) = (3, 1);
    assert_eq!(bed.outcome(0, 0, 5, &mut Undisturbed).end, End::Done);
    let own = |bed: &Bed, id| (bed.model.charges().get(id).own, bed.model.charges().get(id).swap);
    assert_eq!([own(&bed, 5), own(&bed, 4), own(&bed, 3)], [(0, 0), (1, 1), (0, 1)]);
    assert_eq!(bed.outcome(0, 0, 4, &mut Undisturbed).end, End::Refused);
    assert_eq!(bed.model.charges().get(3).events_max, 1);
}

/// A large folio that the first device cannot serve fails, whatever lower priorities could do (E-H).
#[test]
fn a_large_order_tries_one_device() {
    let mut bed = plain();
    let high = bed.swapon(&DeviceSpec { priority: 10, ..DeviceSpec::block(512) });
    let low = bed.swapon(&DeviceSpec::block(2048));
    assert_eq!(bed.model.avail(), [high, low]);
    assert_eq!(bed.alloc_on(0, 4), None);
    for _ in 1..512 {
        assert_eq!(bed.alloc_on(0, 0).map(|(d, _)| d), Some(high));
    }
    assert_eq!(bed.alloc_on(0, 4), Some((low, 512)));
    assert_eq!(bed.alloc_on(0, 0), Some((low, 1)), "an order 0 walks on by priority");
}

/// A regular file never takes a large folio.
#[test]
fn a_file_takes_order_0_alone() {
    let mut bed = plain();
    let p = bed.swapon(&DeviceSpec { block_device: false, ..DeviceSpec::block(2048) });
    assert_eq!((bed.alloc(0, 1), bed.alloc(0, 0)), (None, Some(1)));
    assert_eq!(bed.lists(p), "free [c1 c2 c3] frag0 [c0(2)]");
}

/// zap gives up what only the cache holds, the fault path does not; on the virtual device neither does.
#[test]
fn put_reclaims_physical_slots_when_asked() {
    for (reclaim, left) in [(false, 1), (true, 0)] {
        let mut bed = plain();
        let p = bed.swapon(&DeviceSpec::block(1024));
        let at = Entry::new(p, bed.alloc(0, 0).expect("a slot"));
        assert_eq!(bed.model.dup(at, 1, &mut Undisturbed), Ok(()));
        assert_eq!(bed.model.put(at, 1, reclaim, &mut Undisturbed), Ok(()));
        assert_eq!(bed.model.device(p).map(|d| d.inuse), Some(left));
    }
    let mut bed = Bed::new(VSWAP_RFC1, Mode::Backing);
    let at = Entry::new(0, bed.valloc(0, 0));
    assert_eq!(bed.model.dup(at, 1, &mut Undisturbed), Ok(()));
    assert_eq!(bed.model.put(at, 1, true, &mut Undisturbed), Ok(()));
    assert!(bed.model.word(at).is_cache_only());
}

/// Physical swap more than half used makes v1 reclaim virtual slots in its scans; v2 does not look at it.
#[test]
fn pressure_on_the_virtual_device() {
    for (policy, want) in [(VSWAP_RFC1, 512), (VSWAP_RFC2, 513)] {
        let mut bed = Bed::new(policy, Mode::Backing);
        bed.swapon(&DeviceSpec::block(4));
        for _ in 0..2 {
            let slot = Entry::new(0, bed.valloc(0, 0));
            assert!(bed.model.realloc(0, slot, 0, &mut Locked).1.is_ok());
        }
        assert!(bed.model.swap_full());
        bed.model.free_slots(Entry::new(0, 513), 1).expect("in use");
        bed.swapon(&DeviceSpec { priority: 5, ..DeviceSpec::block(2) });
        let phys = bed.model.realloc(0, Entry::new(0, 512), 0, &mut Locked);
        assert!(phys.1.is_ok());
        while !bed.model.swap_full() {
            let slot = Entry::new(0, bed.valloc(1, 1));
            assert!(bed.model.realloc(1, slot, 0, &mut Locked).1.is_ok());
        }
        let slot = bed.outcome(2, 0, 0, &mut Undisturbed).slot;
        assert_eq!(slot, Some(Entry::new(0, want)), "{}", policy.name);
    }
}

/// A hibernation slot has a user and no folio, and uses the CPU's cache when it names the device.
#[test]
fn hibernation_slots() {
    let mut bed = plain();
    let a = bed.swapon(&DeviceSpec::block(1024));
    let b = bed.swapon(&DeviceSpec::block(1024));
    assert_eq!(bed.alloc_on(0, 0), Some((a, 1)));
    let slot = bed.model.alloc_hibernation(0, a, &mut Undisturbed);
    assert_eq!(slot, Some(Entry::new(a, 2)));
    assert_eq!(bed.model.count(Entry::new(a, 2)), Some(1));
    assert_eq!(bed.model.alloc_hibernation(0, b, &mut Undisturbed), Some(Entry::new(b, 1)));
    assert_eq!(bed.pc(0, 0), (Some(b), 2));
}

/// An interrupted swapoff leaves the device warm, behind its equals.
#[test]
fn interrupted_swapoff() {
    let mut bed = plain();
    let a = bed.swapon(&DeviceSpec::block(1024));
    let b = bed.swapon(&DeviceSpec::block(1024));
    assert_eq!(bed.alloc_on(0, 0), Some((a, 1)));
    assert_eq!(bed.model.swapoff_begin(a), Ok(()));
    assert_eq!((bed.model.avail(), bed.model.free_pages()), (&[b][..], 1022));
    assert_eq!(bed.alloc_on(0, 0), Some((b, 1)));
    assert_eq!(bed.model.swapoff_finish(a), Err(Fault::NoDevice(a)), "a slot is in use");
    assert_eq!(bed.model.swapoff_abort(a), Ok(()));
    assert_eq!((bed.model.avail(), bed.model.free_pages()), (&[b, a][..], 2044));
    assert_eq!(bed.model.swapoff(a), Ok(()));
    assert_eq!(bed.model.swapon(&DeviceSpec::block(2048)), Ok(a));
}

/// Memory that fails: tables of a free cluster, a virtual cluster, the extend table.
#[test]
fn memory_failures() {
    struct Without(Memory);
    impl Oracle for Without {
        fn memory(&mut self, what: Memory) -> bool {
            what != self.0
        }
    }
    let mut bed = plain();
    let p = bed.swapon(&DeviceSpec::block(1536));
    assert_eq!(bed.outcome(0, 2, 0, &mut Without(Memory::Tables)).slot, None);
    assert_eq!(bed.lists(p), "free [c2 c1] nonfull0 [c0(1)]");

    let at = Entry::new(p, bed.alloc(0, 0).expect("a slot"));
    for _ in 0..14 {
        assert_eq!(bed.model.dup(at, 1, &mut Without(Memory::Extend)), Ok(()));
    }
    assert_eq!(bed.model.dup(at, 1, &mut Without(Memory::Extend)), Err(Fault::NoMemory));
    assert_eq!(bed.model.count(at), Some(14));

    let mut bed = Bed::new(VSWAP_RFC1, Mode::Backing);
    let p = bed.swapon(&DeviceSpec::block(1536));
    let outcome = bed.outcome(0, 0, 0, &mut Without(Memory::VirtualCluster));
    assert_eq!(outcome.slot, Some(Entry::new(p, 1)));
    assert!(outcome.virt.visited & Walk::NEW != 0);
}

/// Headers that swapon refuses.
#[test]
fn refused_areas() {
    let mut bed = plain();
    let refused = |bed: &mut Bed, spec: &DeviceSpec| matches!(bed.model.swapon(spec), Err(Fault::Setup(_)));
    assert!(refused(&mut bed, &DeviceSpec::block(1)));
    assert!(refused(&mut bed, &DeviceSpec { bad_pages: vec![7, 7], ..DeviceSpec::block(100) }));
    assert!(refused(&mut bed, &DeviceSpec { bad_pages: vec![100], ..DeviceSpec::block(100) }));
    assert!(refused(&mut bed, &DeviceSpec { bad_pages: vec![1], ..DeviceSpec::block(2) }));
    let file = DeviceSpec { block_device: false, bad_pages: vec![7], ..DeviceSpec::block(100) };
    assert!(refused(&mut bed, &file));
    assert_eq!(bed.model.devices().count(), 0);
}

/// Without THP swap clusters have 256 slots and only order 0 exists.
#[test]
fn clusters_without_thp_swap() {
    let config = vswap_tui::model::Config { thp_swap: false, ..vswap_tui::model::Config::new(SWAP_TABLE) };
    let mut model = Model::new(config);
    let p = model.swapon(&DeviceSpec::block(768)).expect("swapon");
    let alloc = |model: &mut Model, order| {
        model.alloc_folio(0, vswap_tui::model::Folio { pfn: 1, order, memcg: 0 }, &mut Locked).slot
    };
    assert_eq!(alloc(&mut model, 1), None);
    for want in 1..=256 {
        assert_eq!(alloc(&mut model, 0), Some(Entry::new(p, want)));
    }
    assert_eq!(model.cluster_state(p, 0), Some((Flag::Full, 0, 256)));
    assert_eq!(model.cluster_state(p, 1), Some((Flag::Frag, 0, 1)));
}

/// Priorities told after swapon, in any order, give the avail list that `swapon` itself would have made.
#[test]
fn priorities_told_late_put_devices_where_they_belong() {
    for order in [[0u8, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let mut bed = plain();
        for _ in 0..3 {
            bed.swapon(&DeviceSpec::block(1024));
        }
        for d in order {
            bed.model.set_priority(d, [3, 7, 3][usize::from(d)]);
        }
        assert_eq!(bed.model.avail(), [1, 0, 2], "told in the order {order:?}");
    }
}

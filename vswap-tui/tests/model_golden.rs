//! The worked examples of the allocator's specification on physical devices, lists and caches after each step.
//! Examples that do not depend on what a slot holds run twice: direct-mapped, and as backing of virtual slots.

mod model_bed;

use model_bed::{Bed, MODES, Mode};
use vswap_common::Entry;
use vswap_tui::model::policy::SWAP_TABLE;
use vswap_tui::model::{DeviceSpec, ListId, Path, Step, Undisturbed};

/// E1: header cluster first, a free cluster for another CPU, orders apart, order 9 from free clusters alone.
#[test]
fn e1_basics() {
    for mode in MODES {
        let mut bed = Bed::physical(mode);
        let p = bed.swapon(&DeviceSpec::block(1536));
        assert_eq!(bed.device_pages(p), 1535);
        assert_eq!(bed.lists(p), "free [c1 c2] nonfull0 [c0(1)]");
        let steps: [(usize, u8, Option<u64>, &str, u64); 8] = [
            (0, 0, Some(1), "free [c1 c2] frag0 [c0(2)]", 2),
            (0, 0, Some(2), "free [c1 c2] frag0 [c0(3)]", 3),
            (1, 0, Some(512), "free [c2] frag0 [c0(3) c1(1)]", 513),
            (0, 2, Some(1024), "frag0 [c0(3) c1(1)] frag2 [c2(4)]", 1028),
            (1, 2, Some(1028), "frag0 [c0(3) c1(1)] frag2 [c2(8)]", 1032),
            (0, 2, Some(1032), "frag0 [c0(3) c1(1)] frag2 [c2(12)]", 1036),
            (1, 2, Some(1036), "frag0 [c0(3) c1(1)] frag2 [c2(16)]", 1040),
            (1, 9, None, "frag0 [c0(3) c1(1)] frag2 [c2(16)]", 0),
        ];
        for (i, (cpu, order, want, lists, cache)) in steps.into_iter().enumerate() {
            assert_eq!(bed.alloc(cpu, order), want, "{mode:?} step {}", i + 1);
            assert_eq!(bed.lists(p), lists, "{mode:?} step {}", i + 1);
            assert_eq!(bed.pco(cpu, order), cache, "{mode:?} step {}", i + 1);
        }
        let device = bed.model.device(p).unwrap();
        assert_eq!((device.inuse, bed.model.free_pages()), (19, 1516));
    }
}

/// E2: a free makes the cluster nonfull, an emptied one goes to the tail of free, a cached offset into it is stale.
#[test]
fn e2_frees_and_rotation_of_free() {
    for mode in MODES {
        let mut bed = Bed::physical(mode);
        let p = bed.swapon(&DeviceSpec::block(1536));
        for want in 1..=5 {
            assert_eq!(bed.alloc(0, 0), Some(want));
        }
        assert_eq!((bed.pco(0, 0), bed.lists(p).as_str()), (6, "free [c1 c2] frag0 [c0(6)]"));
        bed.free(p, 2..3);
        assert_eq!(bed.lists(p), "free [c1 c2] nonfull0 [c0(5)]");
        assert_eq!(bed.alloc(1, 0), Some(2));
        assert_eq!((bed.pco(1, 0), bed.lists(p).as_str()), (3, "free [c1 c2] frag0 [c0(6)]"));
        assert_eq!(bed.alloc(0, 0), Some(6));
        assert_eq!(bed.alloc(1, 0), Some(7));
        assert_eq!(bed.alloc(0, 4), Some(512));
        assert_eq!((bed.pco(0, 4), bed.lists(p).as_str()), (528, "free [c2] frag0 [c0(8)] frag4 [c1(16)]"));
        bed.free(p, 512..528);
        assert_eq!((bed.pco(0, 4), bed.lists(p).as_str()), (528, "free [c2 c1] frag0 [c0(8)]"));
        let c1 = &bed.model.device(p).unwrap().clusters[1];
        assert!(c1.order == 0 && c1.tables.is_none());
        assert_eq!(bed.alloc(1, 0), Some(8));
        assert_eq!(bed.alloc(0, 4), Some(1024));
        assert_eq!((bed.pco(0, 4), bed.lists(p).as_str()), (1040, "free [c1] frag0 [c0(9)] frag4 [c2(16)]"));
    }
}

/// E3: order 0 steals from the lowest order that has a cluster; the order of the cluster stays.
#[test]
fn e3_stealing() {
    for mode in MODES {
        let mut bed = Bed::physical(mode);
        let p = bed.swapon(&DeviceSpec::block(1536));
        assert_eq!(bed.alloc(0, 4), Some(512));
        assert_eq!(bed.alloc(1, 3), Some(1024));
        for want in 1..=511 {
            assert_eq!(bed.alloc(0, 0), Some(want));
        }
        assert_eq!((bed.pco(0, 0), bed.lists(p).as_str()), (0, "frag3 [c2(8)] frag4 [c1(16)] full [c0]"));
        assert_eq!(bed.alloc(0, 0), Some(1032));
        assert_eq!((bed.pco(0, 0), bed.lists(p).as_str()), (1033, "frag3 [c2(9)] frag4 [c1(16)] full [c0]"));
        assert_eq!(bed.alloc(0, 0), Some(1033));
        assert_eq!(bed.alloc(0, 4), Some(528));
        assert_eq!(bed.alloc(1, 4), Some(544));
        assert_eq!(bed.lists(p), "frag3 [c2(10)] frag4 [c1(48)] full [c0]");
        bed.free(p, 1024..1032);
        assert_eq!(bed.lists(p), "nonfull3 [c2(2)] frag4 [c1(48)] full [c0]");
        bed.free(p, 7..8);
        assert_eq!(bed.lists(p), "nonfull0 [c0(511)] nonfull3 [c2(2)] frag4 [c1(48)]");
        assert_eq!(bed.alloc(0, 0), Some(1034));
        assert_eq!(bed.lists(p), "nonfull0 [c0(511)] frag3 [c2(3)] frag4 [c1(48)]");
        assert_eq!(bed.alloc(1, 0), Some(7));
        assert_eq!((bed.pco(1, 0), bed.lists(p).as_str()), (0, "frag3 [c2(3)] frag4 [c1(48)] full [c0]"));
    }
}

/// 601 slots of a 1024 page device, each one then a Shadow with one user unless `spare` names it.
fn mostly_used(spare: &[u64]) -> (Bed, u8) {
    let mut bed = Bed::new(SWAP_TABLE, Mode::Direct);
    let p = bed.swapon(&DeviceSpec::block(1024));
    for want in (1..=511).chain(512..=601) {
        assert_eq!(bed.alloc(0, 0), Some(want));
    }
    for off in (1..=601).filter(|off| !spare.contains(off)) {
        bed.shadow(Entry::new(p, off));
    }
    (bed, p)
}

/// E4: reclaim of a full cluster inside an allocation helps only a later one.
#[test]
fn e4_full_reclaim_does_not_serve_the_same_call() {
    let (mut bed, p) = mostly_used(&[5]);
    assert_eq!((bed.model.free_pages(), bed.model.swap_full()), (422, true));
    assert_eq!(bed.lists(p), "frag0 [c1(90)] full [c0]");
    let first = bed.outcome(1, 0, 0, &mut Undisturbed);
    assert_eq!(first.slot, Some(Entry::new(p, 602)));
    assert!(first.phys.visited & vswap_tui::model::Walk::RECLAIM != 0);
    assert_eq!(bed.lists(p), "nonfull0 [c0(511)] frag0 [c1(91)]");
    let second = bed.outcome(2, 0, 0, &mut Undisturbed);
    assert_eq!(second.slot, Some(Entry::new(p, 5)));
    assert_eq!((bed.pco(2, 0), bed.lists(p).as_str()), (0, "frag0 [c1(91)] full [c0]"));
}

/// E4b: a scan under pressure reclaims on its way; without pressure it passes over what only the cache holds.
#[test]
fn e4b_reclaim_in_the_scan() {
    let (mut bed, p) = mostly_used(&[9, 20]);
    bed.free(p, 20..21);
    assert_eq!(bed.lists(p), "nonfull0 [c0(511)] frag0 [c1(90)]");
    assert_eq!(bed.outcome(1, 0, 0, &mut Undisturbed).slot, Some(Entry::new(p, 9)));
    assert_eq!((bed.pco(1, 0), bed.lists(p).as_str()), (10, "frag0 [c1(90) c0(511)]"));
    assert_eq!(bed.outcome(1, 0, 0, &mut Undisturbed).slot, Some(Entry::new(p, 20)));
    assert_eq!((bed.pco(1, 0), bed.lists(p).as_str()), (0, "frag0 [c1(90)] full [c0]"));

    // The same without pressure: a second device keeps more than half of all swap free.
    let (mut bed, p) = mostly_used(&[9, 20]);
    bed.swapon(&DeviceSpec::block(4096));
    bed.free(p, 20..21);
    assert!(!bed.model.swap_full());
    assert_eq!(bed.outcome(1, 0, 0, &mut Undisturbed).slot, Some(Entry::new(p, 20)));
}

/// E5: equal priorities rotate per slow call, also when it fails; an order above 0 tries one device.
#[test]
fn e5_two_devices_of_equal_priority() {
    for mode in MODES {
        let mut bed = Bed::physical(mode);
        let a = bed.swapon(&DeviceSpec::block(1024));
        let b = bed.swapon(&DeviceSpec::block(1024));
        type Place = Option<(u8, u64)>;
        let steps: [(usize, u8, Place, [u8; 2]); 8] = [
            (0, 0, Some((a, 1)), [b, a]),
            (1, 0, Some((b, 1)), [a, b]),
            (0, 2, Some((a, 512)), [b, a]),
            (1, 2, Some((b, 512)), [a, b]),
            (0, 9, None, [b, a]),
            (0, 9, None, [a, b]),
            (0, 0, Some((a, 2)), [a, b]),
            (1, 0, Some((b, 2)), [a, b]),
        ];
        assert_eq!(bed.model.avail(), [a, b]);
        for (i, (cpu, order, want, avail)) in steps.into_iter().enumerate() {
            assert_eq!(bed.alloc_on(cpu, order), want, "{mode:?} step {}", i + 1);
            assert_eq!(bed.model.avail(), avail, "{mode:?} step {}", i + 1);
        }
    }
}

/// E10: with page discard free clusters come first, and an emptied one waits for the worker.
#[test]
fn e10_page_discard() {
    for mode in MODES {
        let mut bed = Bed::physical(mode);
        let p = bed.swapon(&DeviceSpec { page_discard: true, ..DeviceSpec::block(1536) });
        assert_eq!(bed.alloc(0, 0), Some(512));
        assert_eq!(bed.lists(p), "free [c2] nonfull0 [c0(1)] frag0 [c1(1)]");
        bed.free(p, 512..513);
        assert_eq!((bed.pco(0, 0), bed.lists(p).as_str()), (513, "free [c2] discard [c1] nonfull0 [c0(1)]"));
        assert!(bed.model.device(p).unwrap().discard_queued);
        assert_eq!(bed.alloc(0, 0), Some(1024));
        assert_eq!(bed.model.run_discard_worker(p, u32::MAX), Ok(1));
        assert_eq!(bed.lists(p), "free [c1] nonfull0 [c0(1)] frag0 [c2(1)]");
        assert_eq!(bed.alloc(1, 0), Some(512));
        assert_eq!(bed.lists(p), "nonfull0 [c0(1)] frag0 [c2(1) c1(1)]");
        assert_eq!(bed.alloc(2, 0), Some(1));
    }
}

/// E11: a rotational device has one cache for all CPUs.
#[test]
fn e11_rotational() {
    for mode in MODES {
        let mut bed = Bed::physical(mode);
        let p = bed.swapon(&DeviceSpec { solid_state: false, ..DeviceSpec::block(1536) });
        for (cpu, order, want) in [(0, 0, 1), (1, 0, 2), (0, 2, 512), (1, 2, 516), (0, 0, 3)] {
            assert_eq!(bed.alloc(cpu, order), Some(want));
        }
        let shared = bed.model.device(p).unwrap().shared;
        assert_eq!((shared[0], shared[2]), (4, 520));
        for cpu in 0..2 {
            assert_eq!((bed.pc(cpu, 0), bed.pc(cpu, 2)), ((None, 0), (None, 0)));
        }
    }
}

/// E12: clusters with bad pages and a padded tail start on nonfull[0] and never serve a larger order.
#[test]
fn e12_bad_page_and_tail() {
    for mode in MODES {
        let mut bed = Bed::physical(mode);
        let p = bed.swapon(&DeviceSpec { bad_pages: vec![700], ..DeviceSpec::block(1300) });
        assert_eq!((bed.device_pages(p), bed.lists(p).as_str()), (1298, "nonfull0 [c0(1) c1(1) c2(236)]"));
        assert_eq!([0, 1, 2].map(|cpu| bed.alloc(cpu, 0)), [Some(1), Some(512), Some(1024)]);
        assert_eq!(bed.lists(p), "frag0 [c0(2) c1(2) c2(237)]");
        assert_eq!(bed.alloc(0, 1), None);
        assert_eq!(bed.model.free_pages(), 1295);
        assert_eq!(bed.alloc(3, 0), Some(2));
        assert_eq!(bed.lists(p), "frag0 [c1(2) c2(237) c0(3)]");
    }
}

/// E13: a full device leaves the avail list and comes back behind its equals.
#[test]
fn e13_full_device() {
    for mode in MODES {
        let mut bed = Bed::physical(mode);
        let a = bed.swapon(&DeviceSpec::block(512));
        let b = bed.swapon(&DeviceSpec::block(1024));
        for want in 1..=511 {
            assert_eq!(bed.alloc_on(0, 0), Some((a, want)));
        }
        assert_eq!((bed.model.avail(), bed.pc(0, 0)), (&[b][..], (Some(a), 0)));
        assert_eq!(bed.alloc_on(0, 0), Some((b, 1)));
        bed.free(a, 9..10);
        assert_eq!((bed.model.avail(), bed.lists(a).as_str()), (&[b, a][..], "nonfull0 [c0(511)]"));
        assert_eq!(bed.alloc_on(0, 0), Some((b, 2)));
        assert_eq!(bed.alloc_on(1, 0), Some((b, 512)));
        assert_eq!(bed.model.avail(), [a, b]);
    }
}

/// E14: counts of 15 and more live in the extend table, which goes when the last of them does.
#[test]
fn e14_counts() {
    let mut bed = Bed::new(SWAP_TABLE, Mode::Direct);
    let p = bed.swapon(&DeviceSpec::block(1024));
    let at = Entry::new(p, bed.alloc(0, 0).unwrap());
    for _ in 0..13 {
        bed.model.dup(at, 1, &mut Undisturbed).unwrap();
    }
    let state = |bed: &Bed| {
        let device = bed.model.device(p).unwrap();
        let cell = device.clusters[0].tables.as_ref().unwrap().extend.as_ref().map(|cells| cells[1]);
        (bed.model.count(at).unwrap(), bed.model.word(at).count(), cell, device.extends)
    };
    assert_eq!(state(&bed), (13, 13, None, 0));
    for want in [(14, 14, None, 0), (15, 15, Some(15), 1), (16, 15, Some(16), 1)] {
        bed.model.dup(at, 1, &mut Undisturbed).unwrap();
        assert_eq!(state(&bed), want);
    }
    for want in [(15, 15, Some(15), 1), (14, 14, None, 0)] {
        bed.model.put(at, 1, false, &mut Undisturbed).unwrap();
        assert_eq!(state(&bed), want);
    }
}

/// The way of E1's third call, step by step: the CPU has no cache, nonfull[0] is empty, the head of free serves.
#[test]
fn steps_and_lists_visited_are_told() {
    let mut bed = Bed::new(SWAP_TABLE, Mode::Direct);
    let p = bed.swapon(&DeviceSpec::block(1536));
    bed.alloc(0, 0);
    bed.model.record_steps();
    let outcome = bed.outcome(1, 0, 0, &mut Undisturbed);
    assert_eq!(outcome.phys.path, Path::Slow);
    assert!(outcome.phys.saw(ListId::Nonfull(0)) && outcome.phys.saw(ListId::Free));
    assert!(!outcome.phys.saw(ListId::Frag(0)));
    use vswap_tui::model::Flag;
    assert_eq!(
        bed.model.take_steps(),
        [
            Step::Device(p),
            Step::Isolate(p, ListId::Nonfull(0), None),
            Step::Isolate(p, ListId::Free, Some(1)),
            Step::Move(p, 1, Flag::None, 0),
            Step::Scan(p, 1, 512, Some(512)),
            Step::Move(p, 1, Flag::Frag, 0),
        ]
    );
    assert_eq!(bed.outcome(1, 0, 0, &mut Undisturbed).phys.path, Path::Fast);
    assert_eq!(bed.model.take_steps(), [Step::Scan(p, 1, 513, Some(513))]);
}

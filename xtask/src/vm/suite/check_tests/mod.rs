//! The checks themselves must be able to fail: one good case, then one lie at a time.

mod equalities;

use super::check;
use super::evidence::{Kernel, Place, Slot, Summary, Vswap};
use super::scenario::{Scenario, full};
use super::ways::Ways;
use serde_json::json;
use std::collections::BTreeMap;

fn scenario(name: &str) -> Scenario {
    full().into_iter().flat_map(|b| b.scenarios).find(|s| s.name == name).unwrap()
}

fn slot(off: u64, backend: &str, cached: bool) -> Slot {
    let backend = backend.into();
    Slot { dev: 0, off, backend, phys: None, memcg: Some("/wl".into()), cached, confirmed: true, order: 0 }
}

/// Three pages swapped out, one of them zero, and a fourth that was read back and kept its slot.
fn good() -> (Kernel, Vswap) {
    let kernel = Kernel {
        truth: BTreeMap::from([(1, "zero"), (2, "comp"), (3, "rand")].map(|(o, k)| ((0, o), k.to_owned()))),
        summaries: vec![Summary {
            present: 1,
            swapped: 3,
            freed: 0,
            slots: 3,
            shared: false,
            shared_swapped: 0,
            shared_away: BTreeMap::new(),
        }],
        used: vec![("/dev/vda".into(), 4)],
        vmstat: BTreeMap::from(
            [("zswpout", 3000), ("zswpin", 301), ("swpout_zero", 900), ("swpin_zero", 90), ("pswpin", 0)]
                .map(|(k, v)| (k.to_owned(), v)),
        ),
        swap_current: BTreeMap::from([("/wl".to_owned(), 4 * 4096)]),
        virtual_used: None,
        stored_pages: Some(2),
        zswapped: 2 * 4096,
        zswap_bytes: 5000,
        swapcached: 1,
        invalidated: Some(4096),
        ..Kernel::default()
    };
    let hooks: Vec<serde_json::Value> = [
        ("cache_add", 4491, 4491),
        ("store_page", 0, 3000),
        ("zswap_free", 2998, 2998),
        ("writeout_enter", 0, 3900),
        ("store_enter", 0, 3000),
        ("read_enter", 0, 391),
        ("load_enter", 0, 301),
        ("write", 0, 0),
        ("write_end", 0, 0),
        ("alloc_enter", 0, 4100),
    ]
    .into_iter()
    .map(|(hook, emitted, runs)| json!({"hook": hook, "emitted": emitted, "runs": runs}))
    .collect();
    let vswap = Vswap {
        record_code: 0,
        slots: vec![
            slot(1, "zero", false),
            slot(2, "zswap", false),
            slot(3, "zswap", false),
            slot(4, "folio", true),
        ],
        report_code: 0,
        report: json!({
            "events": 9, "lost": 0, "unconfirmed": 0, "host": {"cpus": 1},
            "backends": {"folio": 1, "zero": 1, "zswap": 2, "phys": 0},
            "devices": [{"dev": 0, "used": 4}], "findings": [],
            "totals": {"zswpout": 3000, "zswpin": 301, "zswpwb": 0, "pswpout": 0, "pswpin": 0, "swpout_zero": 900,
                       "swpin_zero": 90, "alloc": 4100, "free": 4096, "hibernate": 0, "alloc_fail": 0,
                       "zswap_reject": 0, "writeout_reject": 0},
            "cached": 1, "zswap_bytes": 5000, "hooks": hooks,
        }),
        check: json!({"allocations": 5, "agreed": 5, "misses": {}, "invariants": [{"name": "x", "broken": 0}],
                      "shadow": {"faults": []},
                      "models": [{"model": "as-recorded", "phys_slots": 4, "peak_phys_slots": 5},
                                 {"model": "swap-table", "phys_slots": 4, "peak_phys_slots": 5}]}),
    };
    (kernel, vswap)
}

/// Failures after `lie` changed the good case.
fn after(lie: impl FnOnce(&mut Kernel, &mut Vswap)) -> Vec<String> {
    let (mut kernel, mut vswap) = good();
    lie(&mut kernel, &mut vswap);
    let scenario = scenario("order0");
    let mut failures = check::load(&scenario, 1, &kernel);
    failures.extend(check::trace(&scenario, &kernel, &vswap));
    failures
}

#[test]
fn a_model_that_picks_another_slot_is_found() {
    let bad = after(|_, v| v.check["agreed"] = json!(4));
    assert!(bad.len() == 1 && bad[0].contains("4 of 5"), "{bad:?}");
    // One in five hundred is forgiven on several CPUs, but not without a reason.
    let several = |v: &mut Vswap, misses| {
        v.report["host"]["cpus"] = json!(4);
        v.check = json!({"allocations": 1000, "agreed": 999, "misses": misses, "invariants": [],
                         "shadow": {"faults": []}, "models": v.check["models"]});
    };
    assert_eq!(after(|_, v| several(v, json!({"contention": 1}))), [] as [String; 0]);
    assert!(after(|_, v| several(v, json!({"model": 1})))[0].contains("not explained"));
    let bad = after(|_, v| v.check["invariants"][0]["broken"] = json!(2));
    assert!(bad[0].contains("invariants"), "{bad:?}");
    let bad = after(|_, v| v.check["models"][1]["phys_slots"] = json!(3));
    assert!(bad.len() == 1 && bad[0].contains("swap-table"), "{bad:?}");
    let bad = after(|_, v| v.check["models"][0]["peak_phys_slots"] = json!(6));
    assert!(bad.len() == 1 && bad[0].contains("peaks"), "{bad:?}");
    let bad = after(|_, v| v.check["moves"] = json!({"misses": {"model": 1}}));
    assert!(bad[0].contains("/moves/misses"), "{bad:?}");
    let bad = after(|_, v| v.check["shadow"]["faults"] = json!([{"fault": "two_owners"}]));
    assert!(bad[0].contains("two_owners"), "{bad:?}");
}

#[test]
fn the_good_case_holds() {
    assert_eq!(after(|_, _| ()), [] as [String; 0]);
}

#[test]
fn every_lie_is_found() {
    type Lie = fn(&mut Kernel, &mut Vswap);
    let lies: [(&str, Lie); 16] = [
        ("not listed", |_, v| drop(v.slots.remove(1))),
        ("no page is in", |_, v| v.slots.push(slot(9, "zswap", false))),
        ("twice", |_, v| v.slots.push(slot(4, "folio", true))),
        ("not sorted", |_, v| v.slots.swap(0, 1)),
        ("kind zero are said to be zswap", |_, v| v.slots[0].backend = "zswap".into()),
        ("kind comp are said to be phys", |_, v| v.slots[1].backend = "phys".into()),
        ("not confirmed", |_, v| v.slots[2].confirmed = false),
        ("stored_pages is 3", |k, _| k.stored_pages = Some(3)),
        ("/proc/swaps says 5", |k, _| k.used[0].1 = 5),
        ("totals.zswpin", |k, _| assert!(k.vmstat.insert("zswpin".into(), 302).is_some())),
        ("memory.swap.current is 3", |k, _| assert!(k.swap_current.insert("/wl".into(), 3 * 4096).is_some())),
        ("charge no swap", |k, _| k.swap_current.clear()),
        ("lost: 1", |_, v| v.report["lost"] = json!(1)),
        ("exit code of vswap record: 3", |_, v| v.record_code = 3),
        ("backends.zero", |_, v| v.report["backends"]["zero"] = json!(2)),
        ("too weak: zswpout", |k, _| assert!(k.vmstat.insert("zswpout".into(), 7).is_some())),
    ];
    for (words, lie) in lies {
        let failures = after(lie);
        assert!(failures.iter().any(|f| f.contains(words)), "'{words}' not in {failures:?}");
    }
}

#[test]
fn what_a_scenario_is_about_must_be_seen() {
    let judged = |name: &str, lie: &dyn Fn(&mut Kernel, &mut Vswap)| {
        let (mut kernel, mut vswap) = good();
        lie(&mut kernel, &mut vswap);
        check::trace(&scenario(name), &kernel, &vswap).join("\n")
    };
    assert!(judged("hibernation", &|_, _| ()).contains("slots of the image: 0, wanted 40"));
    assert!(judged("cgroup-gone", &|_, _| ()).contains("/gone (deleted)"));
    assert!(judged("discard", &|_, _| ()).contains("never told to discard"));
    let discarded = |k: &mut Kernel, _: &mut Vswap| assert!(k.discarded.insert("n0".into(), 4096).is_none());
    assert!(judged("discard", &discarded).contains("sectors of discarded clusters: 0, wanted 4096"));
    assert!(judged("write-errors", &|_, _| ()).contains("no page was to be written"));
    let written = |_: &mut Kernel, v: &mut Vswap| v.slots[2] = slot(1100, "phys", false);
    let known = |k: &mut Kernel, v: &mut Vswap| {
        written(k, v);
        k.truth.insert((0, 1100), "rand".into());
    };
    assert!(judged("write-errors", &known).contains("1 slots whose write failed"));
    assert!(judged("swap-full", &|_, _| ()).contains("0 folios found no slot"));
    assert!(judged("zswap-full", &|_, _| ()).contains("did not reach its limit"));
    assert!(judged("orders", &|_, _| ()).contains("no slot is of order 9"));
    // An image has no owner, and its slots are on the device.
    let image = |owner: &'static str| {
        judged("hibernation", &|k, v| {
            k.truth.insert((0, 3), "hibernation".into());
            v.slots[2].backend = "phys".into();
            v.slots[2].memcg = Some(owner.into());
        })
    };
    assert!(image("/wl").contains("slots of an image have an owner"));
    assert!(!image("#0").contains("have an owner") && !image("#0").contains("kind hibernation"));
}

#[test]
fn loss_and_damage_must_be_admitted() {
    let (kernel, mut vswap) = good();
    let lossy = scenario("small-ring");
    assert!(check::trace(&lossy, &kernel, &vswap).len() >= 4, "a clean recording is no loss");
    vswap.record_code = 3;
    vswap.report_code = 3;
    vswap.report["lost"] = json!(7);
    vswap.report["unconfirmed"] = json!(1);
    vswap.report["losses"] = json!({"gaps": 1});
    assert!(check::trace(&lossy, &kernel, &vswap)[0].contains("not told where they happened"));
    vswap.report["losses"] = json!({"gaps": 10});
    assert_eq!(check::trace(&lossy, &kernel, &vswap), [] as [String; 0]);
    vswap.slots[1].backend = "phys".into();
    assert!(check::trace(&lossy, &kernel, &vswap)[0].contains("called confirmed"));

    let killed = scenario("killed");
    let (kernel, mut vswap) = good();
    assert_eq!(check::trace(&killed, &kernel, &vswap).len(), 2);
    vswap.record_code = 137;
    vswap.report_code = 5;
    assert_eq!(check::trace(&killed, &kernel, &vswap), [] as [String; 0]);
}

#[test]
fn idle_slots_are_told_where_slots_wait_and_only_there() {
    let idle = |n: u64, used: u64, charged: u64| {
        after(|k, v| {
            k.ways = Ways::of("6.12");
            k.used[0].1 = used;
            k.swap_current.insert("/wl".into(), charged * 4096);
            v.slots[2].backend = "phys".into();
            k.stored_pages = Some(1);
            k.zswapped = 4096;
            v.report["hooks"][2]["runs"] = json!(2999);
            v.report["backends"] = json!({"folio": 1, "zero": 1, "zswap": 1, "phys": 1});
            v.report["devices"][0]["idle"] = json!(n);
        })
    };
    assert_eq!(idle(7, 11, 4), [] as [String; 0]);
    assert_eq!(idle(7, 11, 11), [] as [String; 0], "given up and still charged");
    assert!(idle(7, 12, 4)[0].contains("7 idle"));
    assert!(idle(7, 11, 12)[0].contains("memory.swap.current is 12"));
    assert!(idle(129, 133, 4)[0].contains("room for 128"));
    let bad = after(|_, v| v.report["devices"][0]["idle"] = json!(0));
    assert!(bad[0].contains("room for 0"), "{bad:?}");
}

#[test]
fn a_late_recording_must_know_every_slot_and_agree_with_the_tables() {
    let late = scenario("late-order0");
    let judged = |lie: &dyn Fn(&mut Vswap)| {
        let (kernel, mut vswap) = good();
        vswap.report["devices"][0]["name"] = json!("/dev/vda");
        vswap.report["scan"] = json!({"slots": 64, "complete": true});
        vswap.report["verify"] = json!({"checked": 4, "unknown": 0, "differing": 0, "complete": true});
        vswap.report["losses"] = json!({"contradictions": 0});
        vswap.check["from_scan"] = json!(true);
        // Counts of before the recording are not its own.
        vswap.report["totals"] = json!({});
        lie(&mut vswap);
        check::trace(&late, &kernel, &vswap)
    };
    assert_eq!(judged(&|_| ()), [] as [String; 0]);
    for (lie, said) in [
        (("/scan/complete", json!(false)), "did not read everything"),
        (("/scan/slots", json!(0)), "slots read by the scan"),
        (("/verify/differing", json!(1)), "differ from the kernel's tables"),
        (("/verify/unknown", json!(2)), "slots nobody knows"),
        (("/unconfirmed", json!(1)), "unconfirmed"),
        (("/losses/contradictions", json!(3)), "contradict the scan"),
        (("/devices/0/name", json!("dev 0")), "wanted /dev/vda"),
    ] {
        let (at, value) = &lie;
        let bad = judged(&|v| *v.report.pointer_mut(at).unwrap() = value.clone());
        assert!(bad.len() == 1 && bad[0].contains(said), "{at}: {bad:?}");
    }
    for (key, value, said) in [
        ("from_scan", json!(false), "did not begin with what the scan found"),
        ("misses", json!({"model": 1}), "not explained"),
    ] {
        let bad = judged(&|v| v.check[key] = value.clone());
        assert!(bad.len() == 1 && bad[0].contains(said), "{key}: {bad:?}");
    }
    let one_cpu = judged(&|v| {
        v.report["host"]["cpus"] = json!(1);
        v.check["agreed"] = json!(4);
    });
    assert!(one_cpu.iter().any(|bad| bad.contains("kernel's slot in 4 of 5 allocations")), "{one_cpu:?}");
    let missed = judged(&|v| v.slots[1].confirmed = false);
    assert!(missed.len() == 1 && missed[0].contains("not confirmed"), "{missed:?}");
}

/// The same pages on a kernel with virtual swap: one that was written back is on the device, and paid for.
fn virtual_case(lie: impl FnOnce(&mut Kernel, &mut Vswap)) -> Vec<String> {
    after(|k, v| {
        k.ways = k.ways.with_virtual_swap(0);
        (k.virtual_used, k.used, k.stored_pages) = (Some(4), vec![("/dev/vda".into(), 1)], Some(2));
        k.swap_current = BTreeMap::from([("/wl".to_owned(), 4096)]);
        // Read back and clean: the device has it too.
        v.slots[3].phys = Some(Place { dev: 1, off: 77 });
        v.report["devices"] = json!([{"dev": 0, "used": 4, "virtual": true}, {"dev": 1, "used": 1, "backing": 1, "virtual": false}]);
        // zswap is told of physical slots alone.
        (k.invalidated, v.report["totals"]["unbacked"]) = (Some(5), json!(5));
        // No designs are held against it.
        v.check["models"] = json!(null);
        lie(k, v);
    })
}

#[test]
fn virtual_slots_are_held_against_both_devices() {
    assert_eq!(virtual_case(|_, _| ()), [] as [String; 0]);
    type Lie = fn(&mut Kernel, &mut Vswap);
    let lies: [(&str, Lie); 8] = [
        ("the model picks the kernel's slot", |_, v| v.check["agreed"] = json!(1)),
        ("the kernel uses 5", |k, _| k.virtual_used = Some(5)),
        ("two owners", |_, v| v.slots[1].phys = v.slots[3].phys),
        ("not named", |_, v| v.slots[1].backend = "phys".into()),
        ("/proc/swaps says", |k, _| k.used[0].1 = 2),
        ("memory.swap.current", |k, _| k.swap_current = BTreeMap::from([("/wl".to_owned(), 8192)])),
        ("that back virtual ones", |_, v| v.report["devices"][1]["backing"] = json!(2)),
        ("is virtual", |_, v| v.report["devices"][0]["virtual"] = json!(false)),
    ];
    for (word, lie) in lies {
        let bad = virtual_case(lie);
        assert!(bad.iter().any(|b| b.contains(word)), "{word}: {bad:?}");
    }
}

#[test]
fn slots_that_earlier_loads_left_are_no_part_of_this_one() {
    let left = |k: &mut Kernel| {
        k.virtual_left = 500;
        k.ways = k.ways.with_virtual_swap(500);
    };
    // The model's virtual layer begins empty, and says nothing here.
    let bad = virtual_case(|k, v| {
        left(k);
        v.report["totals"]["free"] = json!(4096 + 500);
        v.check = serde_json::Value::Null;
    });
    assert_eq!(bad, [] as [String; 0]);
    let (mut kernel, _) = good();
    kernel.ways = kernel.ways.with_virtual_swap(0);
    kernel.virtual_used = Some(4 + 600);
    let too_many = check::load(&scenario("order0"), 1, &kernel);
    assert!(too_many.iter().any(|bad| bad.contains("slots are used, the workload knows")), "{too_many:?}");
    left(&mut kernel);
    assert_eq!(check::load(&scenario("order0"), 1, &kernel).len() + 1, too_many.len());
}

#[test]
fn after_a_loss_what_is_certain_must_be_what_the_tables_say() {
    let churn = scenario("churn-lossy");
    let judged = |lie: &dyn Fn(&mut Vswap)| {
        let (kernel, mut vswap) = good();
        (vswap.record_code, vswap.report["lost"]) = (3, json!(7));
        vswap.report["scan"] = json!({"scans": 1});
        vswap.report["verify"] = json!({"checked": 4, "unknown": 9, "differing": 0, "complete": true});
        lie(&mut vswap);
        check::trace(&churn, &kernel, &vswap)
    };
    assert_eq!(judged(&|_| ()), [] as [String; 0]);
    assert!(
        judged(&|v| v.report["verify"]["differing"] = json!(1))[0]
            .contains("differ from the kernel's tables")
    );
    assert!(judged(&|v| v.report["scan"] = json!(null))[0].contains("scans after a loss"));
    assert!(
        judged(&|v| v.report["verify"]["checked"] = json!(1))[0].contains("were compared after the loss")
    );
    assert!(judged(&|v| v.report["lost"] = json!(0))[0].contains("lost"));
    assert!(judged(&|v| v.record_code = 0)[0].contains("exit code"));
}

#[test]
fn pages_that_could_not_be_read_are_counted_and_stay_on_the_device() {
    let lost = scenario("read-errors");
    let judged = |errors: u64, held: bool| {
        let (kernel, mut vswap) = good();
        vswap.report["totals"]["io_error"] = json!(errors);
        for n in 0..300 {
            vswap.slots.push(slot(100 + n, "phys", held));
        }
        let bad = check::trace(&lost, &kernel, &vswap);
        bad.into_iter()
            .filter(|b| b.contains("read failed") || b.contains("could not be read"))
            .collect::<Vec<_>>()
    };
    assert_eq!(judged(300, true), [] as [String; 0]);
    assert!(judged(299, true)[0].contains("299, wanted 300"));
    assert!(judged(300, false)[0].contains("0 slots on the device"));
}

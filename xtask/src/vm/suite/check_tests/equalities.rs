//! Each equality can fail, in pages and in folios.

use super::{after, good, scenario, virtual_case};
use crate::vm::suite::check;
use crate::vm::suite::evidence::{Kernel, Vswap};
use crate::vm::suite::ways::Ways;
use serde_json::json;

#[test]
fn every_equality_can_fail() {
    type Lie = fn(&mut Kernel, &mut Vswap);
    let lies: [(&str, Lie); 17] = [
        ("1. ", |_, v| v.report["totals"]["alloc"] = json!(4101)),
        ("2. ", |k, _| k.swapcached = 0),
        ("4. ", |_, v| v.report["hooks"][3]["runs"] = json!(3899)),
        ("5. ", |_, v| v.report["hooks"][1]["runs"] = json!(3001)),
        ("6. pages charged", |_, v| v.report["hooks"][2]["runs"] = json!(2999)),
        ("6. pages in zswap", |k, _| k.zswapped = 4096),
        ("6. 5000 bytes in zswap", |k, _| k.zswap_bytes = 4999),
        ("7. ", |_, v| v.report["totals"]["zswap_reject"] = json!(1)),
        ("8. reads", |_, v| v.report["hooks"][5]["runs"] = json!(392)),
        ("8. pages asked", |_, v| v.report["hooks"][6]["runs"] = json!(300)),
        ("9. ", |_, v| v.report["hooks"][0]["emitted"] = json!(4492)),
        ("9. ", |_, v| v.report["hooks"][0]["emitted"] = json!(4490)),
        ("10. slots freed", |k, _| k.invalidated = None),
        ("10. completions", |k, _| assert!(k.vmstat.insert("nrswpout".into(), 1).is_none())),
        ("10. folios", |_, v| v.report["hooks"][7]["emitted"] = json!(1)),
        ("fail in memory.swap.events", |k, _| k.swap_fails = 1),
        ("counts no runs", |_, v| v.report["hooks"] = json!([])),
    ];
    for (words, lie) in lies {
        let failures = after(lie);
        assert!(failures.iter().any(|f| f.contains(words)), "'{words}' not in {failures:?}");
    }
}

#[test]
fn slots_refused_before_anybody_was_told_are_given_back_too() {
    let refused = |calls: u64, folios: u64| {
        after(|k, v| {
            k.ways = Ways::of("6.18");
            k.invalidated = Some(calls);
            v.report["why"] = json!({"no_slot": [{"reason": "memcg_limit", "order": 2, "folios": folios},
                                                 {"reason": "no_space", "order": 0, "folios": 9}]});
        })
    };
    assert_eq!(refused(4096 + 8, 2), [] as [String; 0]);
    assert!(refused(4096, 2)[0].contains("zswap_invalidate"));
}

#[test]
fn without_zswap_the_device_is_asked() {
    let device = scenario("device");
    let judged = |lie: &dyn Fn(&mut Kernel, &mut Vswap)| {
        let (mut k, mut v) = good();
        k.ways = Ways::of("6.18").without_zswap();
        (k.stored_pages, k.zswapped, k.zswap_bytes, k.invalidated) = (None, 0, 0, None);
        let moved = [("zswpout", 0), ("zswpin", 0), ("pswpout", 3000), ("pswpin", 301)]
            .map(|(of, n)| (of.to_owned(), n));
        for (of, n) in &moved {
            v.report["totals"][of] = json!(n);
        }
        k.vmstat.extend(moved);
        let runs =
            [("store_page", 0), ("zswap_free", 0), ("store_enter", 0), ("load_enter", 0), ("write", 3000)];
        let hooks = v.report["hooks"].as_array_mut().unwrap();
        for hook in hooks {
            if let Some((_, n)) = runs.iter().find(|(name, _)| hook["hook"] == json!(name)) {
                hook["runs"] = json!(n);
            }
        }
        v.report["zswap_bytes"] = json!(0);
        v.report["backends"] = json!({"folio": 1, "zero": 1, "zswap": 0, "phys": 2});
        for slot in &mut v.slots[1..3] {
            slot.backend = "phys".into();
        }
        lie(&mut k, &mut v);
        check::trace(&device, &k, &v)
    };
    assert_eq!(judged(&|_, _| ()), [] as [String; 0]);
    let bad = judged(&|k, _| assert!(k.vmstat.insert("pswpin".into(), 302).is_some()));
    assert!(bad.iter().any(|b| b.starts_with("8. reads")), "{bad:?}");
    let bad = judged(&|_, v| v.report["hooks"][7]["runs"] = json!(8000));
    assert!(bad.iter().any(|b| b.starts_with("4. ")), "{bad:?}");
}

#[test]
fn every_ask_for_a_physical_slot_writes_a_page_or_gives_up() {
    let asks = |asks: u64, given_up: u64| {
        virtual_case(|k, v| {
            k.reallocs = Some(asks);
            v.report["totals"]["writeout_reject"] = json!(given_up);
        })
    };
    assert_eq!(asks(0, 0), [] as [String; 0]);
    assert!(asks(1, 0)[0].starts_with("11. "));
    assert!(!asks(1, 1).iter().any(|bad| bad.starts_with("11. ")));
}

#[test]
fn folios_of_many_pages_are_held_call_by_call() {
    let thp = scenario("thp");
    // 512 writeouts: 500 stored, one of them refused half-way, 12 of zeroes.
    let judged = |lie: &dyn Fn(&mut Kernel, &mut Vswap)| {
        let (mut k, mut v) = good();
        let hooks = [
            ("writeout_enter", 0, 512),
            ("writeout_exit", 12, 512),
            ("store_enter", 0, 500),
            ("store_page", 0, 3004),
            ("read_enter", 0, 30),
            ("read_exit", 10, 30),
            ("load_exit", 20, 20),
            ("alloc_enter", 9, 9),
            ("cache_add", 37, 37),
        ];
        let hook = |(hook, emitted, runs)| json!({"hook": hook, "emitted": emitted, "runs": runs});
        v.report["hooks"] = hooks.into_iter().map(hook).collect();
        v.report["totals"]["zswap_reject"] = json!(8);
        v.report["totals"]["free"] = json!(3);
        // One of nine found no slot, one its cgroup refused.
        v.report["why"] = json!({"no_slot": [{"reason": "no_space", "order": 9, "folios": 1},
                                             {"reason": "memcg_limit", "order": 9, "folios": 1}]});
        lie(&mut k, &mut v);
        let bad = check::trace(&thp, &k, &v);
        let by_number = |bad: &String| ["4. ", "5. ", "8. ", "9. "].iter().any(|n| bad.starts_with(n));
        bad.into_iter().filter(by_number).collect::<Vec<_>>()
    };
    assert_eq!(judged(&|_, _| ()), [] as [String; 0]);
    type Lie = fn(&mut Kernel, &mut Vswap);
    let lies: [(&str, Lie); 8] = [
        ("4. ", |_, v| v.report["hooks"][0]["runs"] = json!(511)),
        ("4. ", |_, v| v.report["hooks"][2]["runs"] = json!(400)),
        ("4. ", |_, v| v.report["hooks"][1]["emitted"] = json!(8)),
        ("5. ", |_, v| v.report["hooks"][3]["runs"] = json!(3009)),
        ("5. ", |_, v| v.report["hooks"][3]["runs"] = json!(2999)),
        ("8. ", |_, v| v.report["hooks"][6]["emitted"] = json!(19)),
        ("9. ", |_, v| v.report["hooks"][8]["emitted"] = json!(36)),
        ("9. ", |_, v| v.report["hooks"][8]["emitted"] = json!(39)),
    ];
    for (number, lie) in lies {
        let bad = judged(&lie);
        assert!(bad.len() == 1 && bad[0].starts_with(number), "'{number}' not in {bad:?}");
    }
    // In the cache for a moment, with slots that its cgroup refuses.
    assert_eq!(judged(&|_, v| v.report["hooks"][8]["emitted"] = json!(38)), [] as [String; 0]);
}

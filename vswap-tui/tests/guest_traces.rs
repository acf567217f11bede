//! Traces of real kernels, recorded in guests by the suite: they must load and mean the same for ever.

#![allow(clippy::unwrap_used, reason = "tests")]

use assert_cmd::Command;
use serde_json::Value;
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn json(args: &[&str], name: &str) -> Value {
    let run = Command::cargo_bin("vswap").unwrap().args(args).arg(fixture(name)).assert().success();
    serde_json::from_slice(&run.get_output().stdout).unwrap()
}

fn number(v: &Value, pointer: &str) -> u64 {
    v.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("no number at {pointer}"))
}

/// Name, minor version of the format, bytes, CRC-32C of the file, records in it. These files are frozen: they stand for
/// what is on the disks of users, so a change of the reader that needs a change here is wrong. Newer formats get files
/// of their own; kinds of records that no guest brought in a small file are in `kept_kinds.rs`.
const FROZEN: [(&str, u16, usize, u32, u64); 13] = [
    ("format-1.1.vswap", 1, 53626, 0xdd636576, 32477),
    ("linux-6.12-1cpu-order0.vswap", 0, 65051, 0xf2e50edd, 28069),
    ("linux-6.18-1cpu-order0.vswap", 1, 66029, 0x424f51a1, 23282),
    ("linux-7.3-1cpu-mixed.vswap", 0, 222279, 0xfb96c6fb, 81649),
    ("linux-7.3-1cpu-order0.vswap", 0, 66867, 0x32938cde, 28495),
    ("linux-7.3-4cpu-mixed.vswap", 0, 227410, 0x18b103ef, 78826),
    ("linux-7.3-4cpu-thp.vswap", 0, 49582, 0x0a69a5ec, 32477),
    ("linux-7.2-partial.vswap", 1, 29788, 0x20bf2600, 10137),
    ("linux-7.3-1cpu-late.vswap", 1, 32536, 0xd7e2eaf4, 8621),
    ("linux-7.3-hibernation.vswap", 1, 26691, 0xd64d9d58, 9693),
    ("linux-7.3-lossy.vswap", 1, 14507, 0xe61e8f49, 3062),
    ("linux-vswap-rfc-v1-2cpu-limit.vswap", 1, 80860, 0xb391cc21, 26966),
    ("linux-vswap-rfc-v2-1cpu-late.vswap", 1, 39442, 0xd2486d99, 9160),
];

#[test]
fn kept_traces_are_frozen_and_load_for_ever() {
    for (name, minor, len, checksum, records) in FROZEN {
        let bytes = std::fs::read(fixture(name)).unwrap();
        assert_eq!(
            (bytes.len(), crc32c::crc32c(&bytes)),
            (len, checksum),
            "{name} is frozen: it must not change"
        );
        assert_eq!(bytes[8..12], [1, 0, minor as u8, 0], "{name}");
        let run = Command::cargo_bin("vswap").unwrap().args(["report", "--json"]).arg(fixture(name)).assert();
        let r: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
        assert_eq!((number(&r, "/events"), number(&r, "/losses/undecodable")), (records, 0), "{name}");
        // Of what the ring had no room for, each event is counted.
        let lost = if name == "linux-7.3-lossy.vswap" { 12_172 } else { 0 };
        assert_eq!((number(&r, "/lost"), number(&r, "/losses/contradictions")), (lost, 0), "{name}");
        run.code(if lost == 0 { 0 } else { 3 });
        assert!(r["damage"].is_null(), "{name}: {}", r["damage"]);
    }
}

#[test]
fn one_cpu_order_0_is_what_the_kernel_counted() {
    // vmstat of the guest said so around the recording.
    let r = json(&["report", "--json"], "linux-7.3-1cpu-order0.vswap");
    let counted =
        [("zswpout", 3276), ("zswpin", 552), ("swpout_zero", 982), ("swpin_zero", 172), ("pswpout", 0)];
    for (name, want) in counted {
        assert_eq!(number(&r, &format!("/totals/{name}")), want, "{name}");
    }
    assert_eq!((number(&r, "/lost"), number(&r, "/unconfirmed")), (0, 0));
    assert_eq!(number(&r, "/losses/contradictions"), 0);
}

#[test]
fn linux_6_12_is_what_the_kernel_counted_slots_in_per_cpu_caches_included() {
    let name = "linux-6.12-1cpu-order0.vswap";
    let r = json(&["report", "--json"], name);
    // What does not compress is refused there, and written.
    let counted =
        [("zswpout", 2153), ("zswpin", 360), ("swpout_zero", 982), ("swpin_zero", 169), ("pswpout", 1085)];
    for (name, want) in counted {
        assert_eq!(number(&r, &format!("/totals/{name}")), want, "{name}");
    }
    assert_eq!((number(&r, "/lost"), number(&r, "/unconfirmed")), (0, 0));
    assert_eq!(number(&r, "/losses/contradictions"), 0);
    // /proc/swaps said 15560 KiB; no page was in 46 of these slots.
    let used = number(&r, "/devices/0/used") + number(&r, "/devices/0/idle");
    assert_eq!((used * 4, number(&r, "/devices/0/idle")), (15560, 46));
    assert_eq!(r["memcgs"][0]["path"], "/wl");
    // Its allocator is another one.
    let check =
        Command::cargo_bin("vswap").unwrap().args(["replay", "--check"]).arg(fixture(name)).assert().code(7);
    let said = String::from_utf8(check.get_output().stderr.clone()).unwrap();
    assert!(said.contains("swap-map"), "{said}");
}

#[test]
fn linux_6_18_is_what_the_kernel_counted() {
    let name = "linux-6.18-1cpu-order0.vswap";
    let r = json(&["report", "--json"], name);
    assert_eq!(r["layout"], "swap-table-prepare");
    let counted =
        [("zswpout", 3276), ("zswpin", 552), ("swpout_zero", 982), ("swpin_zero", 172), ("pswpout", 0)];
    for (name, want) in counted {
        assert_eq!(number(&r, &format!("/totals/{name}")), want, "{name}");
    }
    assert_eq!((number(&r, "/lost"), number(&r, "/unconfirmed")), (0, 0));
    assert_eq!(number(&r, "/losses/contradictions"), 0);
    // /proc/swaps said 15376 KiB, memory.swap.current 15745024, stored_pages 2565.
    assert_eq!(
        (number(&r, "/devices/0/used"), number(&r, "/memcgs/0/charged")),
        (15376 / 4, 15_745_024 / 4096)
    );
    assert_eq!((number(&r, "/backends/zswap"), &r["memcgs"][0]["path"]), (2565, &Value::from("/wl")));
    let check =
        Command::cargo_bin("vswap").unwrap().args(["replay", "--check"]).arg(fixture(name)).assert().code(7);
    let said = String::from_utf8(check.get_output().stderr.clone()).unwrap();
    assert!(said.contains("swap-table-prepare"), "{said}");
}

#[test]
fn virtual_swap_is_what_the_kernel_counted_on_both_devices() {
    let name = "linux-vswap-rfc-v1-2cpu-limit.vswap";
    let r = json(&["report", "--json"], name);
    assert_eq!(r["layout"], "virtual-swap-rfc1");
    assert_eq!((number(&r, "/lost"), number(&r, "/unconfirmed")), (0, 0));
    assert_eq!((number(&r, "/losses/contradictions"), r["findings"].as_array().unwrap().len()), (0, 0));
    // The kernel's `used` of virtual slots, its stored_pages, /proc/swaps (1000 KiB), memory.swap.current (1024000).
    assert_eq!((number(&r, "/devices/0/used"), r["devices"][0]["virtual"].as_bool()), (1462, Some(true)));
    assert_eq!(number(&r, "/backends/zswap"), 673);
    assert_eq!((number(&r, "/devices/1/used"), number(&r, "/devices/1/backing")), (250, 250));
    assert_eq!(number(&r, "/memcgs/0/charged"), 250);
    let slots = Command::cargo_bin("vswap").unwrap().arg("slots").arg(fixture(name)).assert().success();
    let lines: Vec<Value> = String::from_utf8_lossy(&slots.get_output().stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let behind: std::collections::BTreeSet<u64> =
        lines.iter().filter(|l| l["phys"]["dev"] == 1).map(|l| number(l, "/phys/off")).collect();
    assert_eq!((lines.len(), behind.len()), (1462, 250));
    assert!(lines.iter().all(|l| l["dev"] == 0 && (l["backend"] != "phys" || !l["phys"].is_null())));
    // Virtual slots for folios, and physical ones behind 252 of them: by two allocators over one set of lists.
    let check = json(&["replay", "--check", "--json"], name);
    assert_eq!((number(&check, "/allocations"), number(&check, "/agreed")), (2607, 2607));
    assert_eq!((number(&check, "/paths/compared"), number(&check, "/paths/agreed")), (2607, 2607));
    assert_eq!((number(&check, "/moves/compared"), number(&check, "/moves/agreed")), (76, 76));
    assert_eq!(number(&check, "/faults"), 0);
    assert!(check["invariants"].as_array().unwrap().iter().all(|i| i["broken"] == 0));
    // Designs are held against kernels that have no such layer of their own.
    let compare = ["replay", "--check", "--compare", "swap-table"];
    let refused = Command::cargo_bin("vswap").unwrap().args(compare).arg(fixture(name)).assert().code(7);
    let said = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(said.contains("virtual layer of its own"), "{said}");
}

#[test]
fn the_second_posting_of_virtual_swap_is_known_by_a_scan_slot_by_slot() {
    let name = "linux-vswap-rfc-v2-1cpu-late.vswap";
    let r = json(&["report", "--json"], name);
    assert_eq!(r["layout"], "virtual-swap-rfc2");
    assert_eq!(
        (number(&r, "/lost"), number(&r, "/unconfirmed"), number(&r, "/losses/contradictions")),
        (0, 0, 0)
    );
    assert_eq!(number(&r, "/scan/slots"), 7680);
    assert_eq!((number(&r, "/verify/checked"), number(&r, "/verify/differing")), (3884, 0));
    // The kernel's `used` of virtual slots, /proc/swaps (12028 KiB), memory.swap.current (12316672).
    assert_eq!(number(&r, "/devices/0/used"), 3884);
    assert_eq!((number(&r, "/devices/1/used"), number(&r, "/devices/1/backing")), (3007, 3007));
    assert_eq!(number(&r, "/memcgs/0/charged"), 3007);
    // The model's virtual layer begins empty.
    let check =
        Command::cargo_bin("vswap").unwrap().args(["replay", "--check"]).arg(fixture(name)).assert().code(7);
    let said = String::from_utf8(check.get_output().stderr.clone()).unwrap();
    assert!(said.contains("no slot was in use when it began"), "{said}");
}

#[test]
fn the_model_picks_every_slot_of_real_kernels() {
    for (name, allocations) in [
        ("linux-7.3-1cpu-order0.vswap", 4096),
        ("linux-7.3-4cpu-thp.vswap", 32),
        // Order 0 and large folios at once, zswap at its limit, swapoff at the end.
        ("linux-7.3-1cpu-mixed.vswap", 6134),
        ("linux-7.3-4cpu-mixed.vswap", 5518),
    ] {
        let r = json(&["replay", "--check", "--json"], name);
        for compared in ["paths", "moves"] {
            let what = |key: &str| number(&r, &format!("/{compared}/{key}"));
            assert!(what("compared") > 0 && what("compared") == what("agreed"), "{name} {compared}");
        }
        assert_eq!(number(&r, "/paths/compared"), allocations, "{name}");
        assert_eq!(r["shadow"]["faults"], serde_json::json!([]), "{name}");
        assert_eq!((number(&r, "/allocations"), number(&r, "/agreed")), (allocations, allocations), "{name}");
        assert_eq!(number(&r, "/faults"), 0, "{name}");
        assert!(r["first_divergence"].is_null() && r["references"] == true && r["from_swapon"] == true);
    }
}

#[test]
fn large_folios_are_stored_page_by_page() {
    let r = json(&["report", "--json"], "linux-7.3-4cpu-thp.vswap");
    assert_eq!(number(&r, "/lost"), 0);
    assert!(number(&r, "/totals/zswpout") > 9000 && number(&r, "/totals/swpout_zero") > 2000);
    let slots =
        Command::cargo_bin("vswap").unwrap().arg("slots").arg(fixture("linux-7.3-4cpu-thp.vswap")).assert();
    let lines = String::from_utf8(slots.success().get_output().stdout.clone()).unwrap();
    let zswap: Vec<Value> = lines
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .filter(|s: &Value| s["backend"] == "zswap")
        .collect();
    assert!(
        !zswap.is_empty() && zswap.iter().all(|s| s["order"] == 9 && s["len"].as_u64() > Some(0)),
        "{:?}",
        zswap.first()
    );
}

#[test]
fn the_model_runs_beside_a_stream_and_tells_in_the_summary() {
    let input = fixture("linux-7.3-4cpu-mixed.vswap");
    let live = |more: &[&str]| {
        let mut run = Command::cargo_bin("vswap").unwrap();
        run.args(["live", "--headless"]).args(more).arg("--input").arg(&input);
        run.assert().success().get_output().stdout.clone()
    };
    let json: Value = serde_json::from_slice(&live(&["--check", "--json"])).unwrap();
    assert_eq!((number(&json, "/check/allocations"), number(&json, "/check/agreed")), (5518, 5518));
    assert!(number(&json, "/check/invariants/0/checked") > 0, "checked at the end at least");
    let text = String::from_utf8(live(&["--check"])).unwrap();
    assert!(
        text.contains("Model beside the kernel") && text.contains("Agreed       5518 (100.000 %)"),
        "{text}"
    );
    let without: Value = serde_json::from_slice(&live(&["--json"])).unwrap();
    assert!(without.get("check").is_none());
}

#[test]
fn the_text_tells_of_waste_and_fragmentation_what_the_json_does() {
    let path = fixture("linux-7.3-4cpu-thp.vswap");
    let run = Command::cargo_bin("vswap").unwrap().arg("report").arg(path).assert().success();
    let text = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    let r = json(&["report", "--json"], "linux-7.3-4cpu-thp.vswap");
    let device = &r["devices"][0];
    // In tables thousands are set apart.
    let line = |first: &str| {
        let line = text.lines().find(|line| line.starts_with(first)).unwrap();
        line.replace(',', "").split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let fits: Vec<u64> = serde_json::from_value(device["aligned"].clone()).unwrap();
    let mut wanted: Vec<String> = fits.iter().map(u64::to_string).collect();
    wanted.insert(0, "exact".to_owned());
    wanted.push("/dev/vda".to_owned());
    assert_eq!(line("  exact "), wanted);
    assert_eq!(line("  0  ").iter().nth_back(1), Some(&device["waste"].to_string()));
}

//! The reference allocator on one core: allocations and frees per second, and bytes per slot.
//!
//! `cargo bench -p vswap-tui --bench model`; with `-- memory` only the memory figures. One element is one allocation
//! or one free of a folio; the users that a slot gets where swap is nearly full are extra work and not counted. The
//! figure for 64 M slots takes 0.6 to 1.1 GB and is skipped where less than twice that is free.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

use criterion::{BatchSize, Criterion, Throughput};
use vswap_common::Entry;
use vswap_tui::model::backend::Writeout;
use vswap_tui::model::cache::Removal;
use vswap_tui::model::policy::{SWAP_TABLE, VSWAP_RFC2};
use vswap_tui::model::{Config, DeviceSpec, Folio, Model, Policy, Undisturbed};

const OPERATIONS: usize = 1 << 20;
const DEVICE: u64 = 1 << 20;

fn machine(policy: Policy) -> Model {
    let mut model = Model::new(Config { cpus: 4, ..Config::new(policy) });
    model.swapon(&DeviceSpec::block(DEVICE)).unwrap();
    model
}

/// splitmix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One request, as a trace would give it.
#[derive(Clone, Copy)]
enum Request {
    Alloc { cpu: u8, order: u8, pfn: u32 },
    Free { slot: Entry, order: u8 },
}

/// Slots in use that are allocated and freed in random order around a steady number. The requests are made
/// beforehand by a first model and replayed on a second one: what is measured is the model, not the search for a
/// slot to free, which misses the cache just as often as the model does.
struct Churn {
    policy: Policy,
    /// Every slot has a user. Needed where swap is more than half used: slots that only the cache holds would be
    /// reclaimed there.
    users: bool,
    fill: Vec<Request>,
    measured: Vec<Request>,
}

impl Churn {
    fn new(policy: Policy, slots: u64, orders: &[u8]) -> Self {
        let (mut model, mut live, mut random, mut used) = (machine(policy), Vec::new(), 1, 0);
        let mut churn = Self { policy, users: slots > DEVICE / 2, fill: Vec::new(), measured: Vec::new() };
        let alloc = |model: &mut Model, random: &mut u64, live: &mut Vec<(Entry, u8)>| {
            let number = next(random);
            let order = orders[(number % orders.len() as u64) as usize];
            let request = Request::Alloc { cpu: (number >> 32) as u8 % 4, order, pfn: number as u32 };
            live.push((play(model, request, churn.users).unwrap(), order));
            request
        };
        while used < slots {
            churn.fill.push(alloc(&mut model, &mut random, &mut live));
            used += 1 << live.last().unwrap().1;
        }
        while churn.measured.len() < OPERATIONS {
            churn.measured.push(alloc(&mut model, &mut random, &mut live));
            let at = next(&mut random) as usize % live.len();
            let (slot, order) = live.swap_remove(at);
            let request = Request::Free { slot, order };
            play(&mut model, request, churn.users);
            churn.measured.push(request);
        }
        churn
    }

    fn filled(&self) -> Model {
        let mut model = machine(self.policy);
        self.fill.iter().for_each(|&request| assert!(play(&mut model, request, self.users).is_some()));
        model
    }

    fn run(&self, model: &mut Model) {
        let given =
            self.measured.iter().filter(|&&request| play(model, request, self.users).is_some()).count();
        assert_eq!(given, OPERATIONS / 2);
    }
}

/// Plays one request; the slot it gave, if any.
fn play(model: &mut Model, request: Request, user: bool) -> Option<Entry> {
    match request {
        Request::Alloc { cpu, order, pfn } => {
            let folio = Folio { pfn: pfn.into(), order, memcg: 7 };
            let slot = model.alloc_folio(cpu.into(), folio, &mut Undisturbed).slot;
            if let (Some(slot), true) = (slot, user) {
                model.dup(slot, 1 << order, &mut Undisturbed).unwrap();
            }
            slot
        }
        Request::Free { slot, order } => {
            model.free_slots(slot, 1 << order).unwrap();
            None
        }
    }
}

/// Pages of a process: out in runs, back in runs, as reclaim and exit do it.
fn runs(model: &mut Model) {
    let mut first = Vec::with_capacity(4096);
    for round in 0..OPERATIONS / 8192 {
        for i in 0..4096 {
            let folio = Folio { pfn: i, order: 0, memcg: 7 };
            first.extend(model.alloc_folio(round % 4, folio, &mut Undisturbed).slot);
        }
        first.drain(..).for_each(|slot| model.free_slots(slot, 1).unwrap());
    }
}

/// A page's whole way on the virtual device: slot, user, zswap, out of the cache, in again, given up.
fn lives(model: &mut Model) {
    let how = Writeout { zero: false, stored: 1, writeback_allowed: true };
    for i in 0..OPERATIONS as u64 / 2 {
        let folio = Folio { pfn: i, order: 0, memcg: 7 };
        let slot = model.alloc_folio(0, folio, &mut Undisturbed).slot.unwrap();
        model.dup(slot, 1, &mut Undisturbed).unwrap();
        model.writeout(0, slot, how, &mut Undisturbed).unwrap();
        model.cache_del(slot, 0, Removal::Reclaimed { memcg: 7 }).unwrap();
        model.put(slot, 1, true, &mut Undisturbed).unwrap();
    }
}

fn speed(c: &mut Criterion) {
    let mut group = c.benchmark_group("model");
    group.throughput(Throughput::Elements(OPERATIONS as u64)).sample_size(10);
    for (name, policy) in [("swap_table", SWAP_TABLE), ("vswap_rfc2", VSWAP_RFC2)] {
        group.bench_function(format!("{name}/runs"), |b| {
            b.iter_batched_ref(|| machine(policy), runs, BatchSize::LargeInput);
        });
        for (load, share, orders) in [
            ("two_fifths_full", DEVICE / 5 * 2, &[0][..]),
            ("nine_tenths_full", DEVICE / 10 * 9, &[0][..]),
            ("thp", DEVICE / 5 * 2, &[0, 0, 0, 2, 4][..]),
        ] {
            group.bench_function(format!("{name}/random/{load}"), |b| {
                let churn = Churn::new(policy, share, orders);
                b.iter_batched_ref(|| churn.filled(), |model| churn.run(model), BatchSize::PerIteration);
            });
        }
    }
    group.bench_function("vswap_rfc2/life", |b| {
        b.iter_batched_ref(|| machine(VSWAP_RFC2), lives, BatchSize::LargeInput);
    });
    group.finish();
}

fn available_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"));
    line.and_then(|l| l.trim().strip_suffix(" kB")).and_then(|n| n.trim().parse::<u64>().ok()).unwrap_or(0)
        * 1024
}

fn memory() {
    for (name, policy) in [("swap_table", SWAP_TABLE), ("vswap_rfc2", VSWAP_RFC2)] {
        for slots in [1u64 << 20, 1 << 26] {
            let need = slots * if policy.virt.is_some() { 17 } else { 9 };
            if available_bytes() < 2 * need {
                println!(
                    "model/memory/{name} {slots} slots: skipped, less than {} MiB available",
                    need >> 19
                );
                continue;
            }
            let mut model = Model::new(Config::new(policy));
            if policy.virt.is_none() {
                model.swapon(&DeviceSpec::block(slots + 512)).unwrap();
            }
            for i in 0..slots / 512 {
                model.alloc_folio(0, Folio { pfn: i, order: 9, memcg: 7 }, &mut Undisturbed).slot.unwrap();
            }
            let bytes: usize = model.devices().map(|(_, dev)| dev.bytes()).sum();
            println!("model/memory/{name} {slots} slots: {:.2} bytes per slot", bytes as f64 / slots as f64);
        }
    }
}

fn main() {
    if !std::env::args().any(|arg| arg == "memory") {
        let mut criterion = Criterion::default().configure_from_args();
        speed(&mut criterion);
        criterion.final_summary();
    }
    memory();
}

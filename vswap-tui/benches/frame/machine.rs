//! The machine whose dashboard is measured: 8192 clusters of one device in use, a thousand cgroups, five minutes of
//! history, and in every table of a view as much as it can hold. All of it is counted by the real collector.

use std::sync::Arc;
use vswap_common::slot::CLUSTER_SLOTS;
use vswap_common::why::{RECLAIMER_SHIFT, RECLAIMERS, REFUSALS, WRITEBACKS, walk};
use vswap_common::{Entry, Hook, Kind, Record, flags};
use vswap_tui::app::App;
use vswap_tui::app::frame::Frame;
use vswap_tui::check::{Beside, BesideView};
use vswap_tui::cli::Workload;
use vswap_tui::collector::Collector;
use vswap_tui::collector::journal::Journal;
use vswap_tui::decode::decode;
use vswap_tui::meta::{CgroupInfo, CgroupUse, Header, HookPlan, HookState, HookTotals, KernelInfo, Update};
use vswap_tui::source::Source as _;
use vswap_tui::source::generator::Generator;
use vswap_tui::whatif::Design;

const CLUSTERS: u64 = 8192;
const SLOTS: u64 = CLUSTERS * CLUSTER_SLOTS as u64;
const CGROUPS: u16 = 1000;
const S: u64 = 1_000_000_000;
const HISTORY_NS: u64 = S / 2;
/// Folios of order 4, swapped out over five minutes.
const RUN: u64 = 16;
const STEP_NS: u64 = 300 * S / (SLOTS / RUN);

/// Collector and journal of the machine.
pub(crate) struct Machine {
    collector: Collector,
    journal: Journal,
    beside: Arc<BesideView>,
    ts: u64,
    runs: u64,
}

impl Machine {
    /// The machine with all its slots in use.
    pub(crate) fn new() -> Self {
        let mut machine = Self {
            collector: Collector::new(Arc::new(header()), HISTORY_NS),
            journal: Journal::default(),
            beside: beside(),
            ts: S,
            runs: 0,
        };
        let max = SLOTS;
        machine.take(Record {
            kind: Kind::SwapOn as u8,
            entry: Entry::new(0, max).0,
            arg: max - 1,
            ..Record::default()
        });
        machine.collector.update(&news());
        // The last runs come when frames are asked for, so that there is always something new.
        machine.run(SLOTS / RUN - 4096);
        machine.collector.update(&news());
        machine
    }

    /// `n` more folios are swapped out, and what else happens meanwhile.
    fn run(&mut self, n: u64) {
        for _ in 0..n {
            let first = RUN * (self.runs % (SLOTS / RUN));
            self.folio(first.max(1));
            self.runs += 1;
            self.ts += STEP_NS;
        }
    }

    fn folio(&mut self, off: u64) {
        let i = self.runs;
        let nr = (RUN - off % RUN) as u16;
        let memcg = 1 + (i % u64::from(CGROUPS)) as u16;
        let by = ((i % RECLAIMERS as u64) as u16) << RECLAIMER_SHIFT;
        let cpu = (i % 64) as u16;
        let base = Record {
            ts: self.ts,
            entry: Entry::new(0, off).0,
            nr,
            order: if nr == 16 { 4 } else { 0 },
            cpu,
            tid: 1000 + i as u32 % 97,
            ..Record::default()
        };
        let kind = |kind: Kind| Record { kind: kind as u8, ..base };
        self.take(kind(Kind::Alloc));
        self.take(Record { memcg, flags: flags::MEMCG, ..kind(Kind::Charge) });
        // Every path of a page out and back, with durations over five powers of ten.
        let ns = 500 + (i.wrapping_mul(0x9e37_79b9) % 1000) * (1 << (i % 14));
        match i % 8 {
            0 => self.take(Record { arg: ns, flags: by, ..kind(Kind::Zero) }),
            1 | 2 => {
                self.take(Record { flags: by, ..kind(Kind::Write) });
                self.take(Record { ts: self.ts + ns, ..kind(Kind::WriteEnd) });
            }
            _ => {
                for page in 0..u64::from(nr) {
                    let entry = Entry::new(0, off + page).0;
                    self.take(Record { entry, nr: 1, val: 900 + (i % 800) as i32, ..kind(Kind::ZswapPage) });
                }
                self.take(Record { arg: ns, val: 0, flags: by, ..kind(Kind::ZswapStore) });
            }
        }
        self.take(Record { flags: flags::SWAPOUT, ..kind(Kind::CacheDel) });
        match i % 16 {
            0 => {
                self.take(kind(Kind::CacheAdd));
                self.take(Record { arg: ns, ..kind(Kind::LoadZero) });
            }
            1 => {
                self.take(kind(Kind::CacheAdd));
                self.take(Record { arg: ns / 2, ..kind(Kind::LoadPhys) });
                self.take(Record { ts: self.ts + ns, ..kind(Kind::ReadEnd) });
            }
            3 => {
                self.take(kind(Kind::CacheAdd));
                let cause = (i / 16 % WRITEBACKS as u64) as i32;
                self.take(Record { flags: flags::WRITEBACK | by, val: cause, ..kind(Kind::Write) });
                self.take(Record { ts: self.ts + ns, ..kind(Kind::WriteEnd) });
                if i % 32 == 3 {
                    // Too early, as it turns out.
                    self.take(Record { ts: self.ts + 5_000_000, arg: 900, ..kind(Kind::LoadPhys) });
                    self.take(Record { ts: self.ts + 5_000_000 + ns, ..kind(Kind::ReadEnd) });
                }
                let counts = walk::pack([nr, 3, 1, 0]);
                self.take(Record { nr: 0, val: cause, arg: counts, ..kind(Kind::Shrink) });
            }
            4 => {
                self.take(kind(Kind::CacheAdd));
                self.take(Record { flags: flags::IN_LOAD, ..kind(Kind::ZswapFree) });
                self.take(Record { arg: ns, ..kind(Kind::LoadZswap) });
            }
            5 => {
                self.take(kind(Kind::CacheAdd));
                self.take(Record {
                    val: (i / 16 % REFUSALS as u64) as i32,
                    arg: ns,
                    ..kind(Kind::ZswapReject)
                });
            }
            6 => self.take(Record { nr: 0, order: 4, arg: 100, ..kind(Kind::AllocFail) }),
            _ => {}
        }
        if off.is_multiple_of(u64::from(CLUSTER_SLOTS)) {
            let (list, order) = (1 + (i / 32 % 4) as i32, (i / 32 % 10) as u8);
            self.take(Record { nr: 0, val: list, order, ..kind(Kind::ClusterMove) });
        }
    }

    fn take(&mut self, record: Record) {
        let event = decode(&record).expect("a record as the hooks write them");
        self.collector.apply(&event);
        self.journal.push(&event);
    }

    /// A slot that was used not long ago.
    pub(crate) fn busy_slot(&self) -> u64 {
        RUN * ((self.runs - 100) % (SLOTS / RUN)) + 3
    }

    /// What the pump would publish for the shown view, a little later each time.
    pub(crate) fn frame(&mut self, app: &App) -> Frame {
        self.run(64);
        let watch = app.watch();
        self.collector.look_into(watch.cluster);
        if *self.journal.wanted() != watch {
            self.journal.watch(watch);
        }
        let snapshot = Arc::new(self.collector.snapshot());
        Frame {
            now: snapshot.ts,
            snapshot,
            events_per_s: 100_000.0,
            watched: self.journal.view(),
            beside: Some(Arc::clone(&self.beside)),
            ..Frame::default()
        }
    }
}

/// Everything that the doctor lists.
fn header() -> Header {
    let plan = Hook::ALL.iter().map(|hook| HookPlan {
        hook: hook.program().into(),
        function: "__swap_cache_do_add_folio".into(),
        how: "fentry".into(),
        shows: "what it makes visible".into(),
        state: if *hook as usize % 9 == 8 { HookState::Blind } else { HookState::Ok },
        reason: if *hook as usize % 9 == 8 {
            "the function is not in this kernel".into()
        } else {
            String::new()
        },
        ..HookPlan::default()
    });
    Header {
        kernel: KernelInfo {
            release: "7.3.0".into(),
            machine: "x86_64".into(),
            cpus: 64,
            page_size: 4096,
            cluster_slots: 512,
        },
        plan: plan.collect(),
        from_swapon: true,
        layout_name: "swap-table-memcg-ops".into(),
        ..Header::default()
    }
}

/// Names and the kernel's figures of every cgroup, counters of every hook.
fn news() -> Update {
    let path = |id: u16| {
        format!("/kubepods.slice/kubepods-burstable.slice/pod{:03}.slice/container-{id}.scope", id / 10)
    };
    let usage = |id| CgroupUse {
        id,
        swap: Some(16 << 20),
        swap_max: Some(1 << 30),
        zswap: Some(4 << 20),
        zswap_max: None,
    };
    Update {
        cgroups: (1..=CGROUPS).map(|id| CgroupInfo { id, inode: id.into(), path: path(id) }).collect(),
        usage: (1..=CGROUPS).map(usage).collect(),
        hooks: Hook::ALL
            .iter()
            .map(|hook| HookTotals { hook: hook.program().into(), emitted: 1 << 30, ..HookTotals::default() })
            .collect(),
        ..Update::default()
    }
}

/// Model and designs beside a generated load.
fn beside() -> Arc<BesideView> {
    let mut generator = Generator::unpaced(Workload::Mixed, 1);
    let header = generator.header().clone();
    let mut beside = Beside::new(String::new()).with_model(&header).with_designs(&header, &Design::SHOWN);
    for record in generator.records(100_000) {
        if let Ok(event) = decode(&record) {
            beside.apply(&event);
        }
    }
    beside.view()
}

/// What views would show less of would be measured too cheap.
pub(crate) fn check(frame: &Frame, app: &App) {
    let s = &frame.snapshot;
    assert!(s.used() >= 4_000_000 - 70_000, "{} slots in use", s.used());
    assert_eq!((s.memcgs.len(), s.devices[0].clusters.len()), (usize::from(CGROUPS), CLUSTERS as usize));
    assert!(s.memcgs.iter().all(|m| m.usage.is_some()));
    assert!(s.history.len() >= 590, "{} points of history", s.history.len());
    assert!(s.latency.iter().all(|l| l.count > 1000), "{:?}", s.latency.map(|l| l.count));
    assert!(!s.latencies.worst.is_empty() && s.why.refaults.count > 0);
    let watch = app.watch();
    assert_eq!(s.closeup.is_some(), watch.cluster.is_some());
    assert_eq!(frame.watched.log.events.len(), if watch.log.is_some() { 512 } else { 0 });
    assert!(watch.slot.is_none() || !frame.watched.slot.events.is_empty());
    assert!(frame.beside.as_ref().is_some_and(|b| b.agreement.is_some() && !b.designs.is_empty()));
}

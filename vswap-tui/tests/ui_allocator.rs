//! The allocator view: agreement of kernel and model, scans of the kernel's tables, faults, lists, caches, designs.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{MONO, S, app, busy, line_with, lines};
use std::sync::Arc;
use vswap_common::Entry;
use vswap_tui::app::message::{Action, Control, Effect, Step};
use vswap_tui::app::{App, Message, View, update};
use vswap_tui::check::{Agreement, BesideView, Cause, Compared, CpuCaches, Divergence, Invariant};
use vswap_tui::meta::Header;
use vswap_tui::snapshot::{Fault, Finding, ScanView, Snapshot, VerifyView};
use vswap_tui::whatif::Row;

/// A recording that began late, with its last scan and comparison.
fn late(scan: Option<ScanView>, verify: Option<VerifyView>) -> App {
    let header = Header { from_swapon: false, ..(*busy(3).header).clone() };
    let mut app = app(Snapshot { header: Arc::new(header), scan, verify, ..busy(3) }, 100, 60);
    app.view = View::Allocator;
    app
}

#[test]
fn a_late_start_without_a_scan_is_not_called_whole() {
    let frame = lines(&late(None, None), MONO);
    assert!(frame[0].contains("not all slots known") && !frame[0].contains("100 %"), "{}", frame[0]);
    line_with(&frame, &["scan", "not read: slots in use before the start are unknown"]);
    let scan = ScanView { scans: 3, slots: 4608, ns: 63_000_000, doubtful: 2, ended: true, complete: true };
    let frame = lines(&late(Some(scan), None), MONO);
    assert!(frame[0].contains("100 % confirmed"), "{}", frame[0]);
    line_with(
        &frame,
        &["scan", "4,608 slots in 63.0 ms; 2 whose place they do not tell; 2 times again after a loss"],
    );
}

#[test]
fn a_comparison_shows_its_result_its_cost_and_why_it_is_not_possible() {
    let verify = |differing, ended| VerifyView {
        checked: 3844,
        differing,
        looks: 2,
        ns: 9_000_000,
        ended,
        complete: true,
        examples: vec![
            "slot 0:50 is free in the map, zswap in the kernel's tables".into();
            differing as usize
        ],
        ..VerifyView::default()
    };
    assert!(lines(&late(None, Some(verify(0, false))), MONO)[0].contains("verifying"));
    let frame = lines(&late(None, Some(verify(0, true))), MONO);
    assert!(frame[0].contains("verified: 0 differ"), "{}", frame[0]);
    line_with(
        &frame,
        &["verified", "3,844 slots compared, 0 differ, 0 not known for certain; 2 looks, 9.00 ms"],
    );
    let frame = lines(&late(None, Some(verify(1, true))), MONO);
    assert!(frame[0].contains("verified: 1 differ"), "{}", frame[0]);
    line_with(&frame, &["slot 0:50 is free in the map, zswap in the kernel's tables"]);
    let mut refused = late(None, None);
    refused.frame.refused = Some("no addresses".into());
    let frame = lines(&refused, MONO);
    assert!(frame[0].contains("cannot verify"), "{}", frame[0]);
    line_with(&frame, &["verify", "not possible: no addresses"]);
    let asked = update(&mut refused, Message::Do(Action::Verify));
    assert_eq!(asked, Some(Effect::Pump(Control::Verify)));
}

/// The dashboard with a model beside it that differs from the kernel.
fn beside(agreement: Option<Agreement>) -> App {
    let mut dashboard = app(busy(3), 80, 24);
    let mut next = [None; 10];
    (next[0], next[4]) = (Some((0, 5120)), Some((1, 77 << 20)));
    let view = BesideView {
        agreement,
        why_not: "start with `vswap live --check`".into(),
        caches: vec![CpuCaches { cpu: 3, next }],
        designs: vec![
            Row { model: "as-recorded".into(), peak_phys_slots: 2000, ..Row::default() },
            Row { model: "vswap-rfc2".into(), peak_phys_slots: 500, ..Row::default() },
        ],
    };
    dashboard.frame.beside = Some(Arc::new(view));
    dashboard.view = View::Allocator;
    dashboard
}

#[test]
fn allocator_says_whether_the_kernel_does_what_the_model_does() {
    let miss = Divergence {
        ts: 102 * S,
        request: 9374,
        cpu: 3,
        order: 0,
        kernel: Some(Entry::new(0, 10_244).into()),
        model: None,
        cause: Cause::Contention,
        context: "cache of cpu 3, order 0: none\n  the kernel's way: 0:nonfull[0] -> cluster 20".into(),
    };
    let compared = |misses: u64| Compared {
        compared: 45_659,
        agreed: 45_659 - misses,
        misses: (misses > 0).then_some((Cause::Model, misses)).into_iter().collect(),
        first: None,
    };
    let agreement = Agreement {
        allocations: 45_659,
        agreed: 45_656,
        refused: 7,
        misses: [(Cause::Contention, 3)].into(),
        first_divergence: Some(miss),
        paths: compared(0),
        moves: compared(2),
        from_swapon: true,
        references: true,
        invariants: vec![Invariant { name: "FOLIO backing has a folio", checked: 50, broken: 1 }],
        ..Agreement::default()
    };
    let mut dashboard = beside(Some(agreement));
    let frame = lines(&dashboard, MONO);
    line_with(&frame, &["same slot", "45,656 of 45,659 allocations (>99.9 %), 7 refused by the kernel"]);
    line_with(&frame, &["3 missed: another CPU was at work in between"]);
    line_with(&frame, &["same way", "45,659 of 45,659"]);
    line_with(&frame, &["2 differ: NOT EXPLAINED"]);
    line_with(&frame, &["first miss", "request 9,374 after 2.0 s, cpu 3, order 0: kernel 0:10244, model"]);
    line_with(&frame, &["the kernel's way: 0:nonfull[0] -> cluster 20"]);
    line_with(&frame, &["invariants", "1, 50 checks, 1 BROKEN"]);
    line_with(&frame, &["FOLIO backing has a folio"]);
    line_with(&frame, &["slot states", "no event contradicts"]);
    line_with(&frame, &["Clusters of /dev/vda by list and order"]);
    // What does not fit is scrolled to.
    let mut frame = Vec::new();
    for _ in 0..20 {
        update(&mut dashboard, Message::Do(Action::Move(Step::Down)));
        frame.extend(lines(&dashboard, MONO));
    }
    line_with(&frame, &["all", "o0", "o1", "o9"]);
    line_with(&frame, &["nonfull", "1,366", "274", "273"]);
    line_with(&frame, &["cpu 3", "o0 0:5120", "o4 1:80740352"]);
    line_with(&frame, &["The same load under other designs of swap"]);
    line_with(&frame, &["vswap-rfc2 would free 1,500 of 2,000 physical slots (5.86 MiB) at the peak"]);
    line_with(&frame, &["Physical slots at peak", "2,000", "500"]);
}

#[test]
fn allocator_without_a_model_says_why_and_shows_faults_and_lists() {
    let mut dashboard = beside(None);
    let mut snapshot = busy(3);
    snapshot.findings.counts[Fault::TwoOwners as usize] = 2;
    snapshot.findings.first = Arc::new(vec![Finding {
        fault: Fault::TwoOwners,
        ts: 5,
        event: "cache_add",
        dev: 1,
        off: 77,
        nr: 1,
        cpu: 2,
        tid: 9,
    }]);
    dashboard.frame.snapshot = Arc::new(snapshot);
    let frame = lines(&dashboard, MONO);
    line_with(&frame, &["no model", "start with `vswap live --check`"]);
    line_with(&frame, &["FAULT", "two owners of one slot: 2, first cache_add of 1:77"]);
    line_with(&frame, &["free", "1,366"]);
}

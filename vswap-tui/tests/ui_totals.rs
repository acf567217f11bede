//! What a user reads off the screen of totals.

#![allow(clippy::unwrap_used, reason = "tests")]

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::BTreeMap;
use vswap_tui::app::totals::{TotalsApp, TotalsEffect};
use vswap_tui::kernel::ladder::Rung;
use vswap_tui::meta::{HookPlan, HookState};
use vswap_tui::totals::{BLIND, CgroupRow, Device, LEFT_OUT, Reclaim, Row, SwapIo, Trust, View};
use vswap_tui::ui::theme::{Depth, Theme};
use vswap_tui::ui::totals::draw;

fn row(name: &'static str, total: u64, rate: f64, trust: Trust) -> Row {
    Row { name, total, rate, by: "memcg:count_memcg_events X".into(), trust, counter: Some(total) }
}

fn cgroup(n: u64) -> CgroupRow {
    CgroupRow {
        path: format!("/pod-{n}"),
        inode: n,
        slots: Some(4096),
        out_rate: 30.0,
        in_rate: 2.5,
        sums: BTreeMap::from([("zswpout", 1_234)]),
    }
}

fn view() -> View {
    View {
        left_out: LEFT_OUT,
        rung: Rung::Tracepoint,
        why: "the kernel refuses this type of program".into(),
        kernel: "6.18.44".into(),
        seconds: 63.0,
        now: BTreeMap::new(),
        counted: BTreeMap::new(),
        devices: vec![Device { name: "/dev/vda".into(), pages: 1 << 18, used: 1 << 16 }],
        transitions: vec![
            row("out to zswap", 1_234_567, 1_200.0, Trust::Exact),
            row("slots charged", 77, 0.0, Trust::AtLeast),
        ],
        reclaim: vec![Reclaim {
            by: "direct",
            runs: Some(12),
            ns: Some(4_500_000),
            written: 321,
            rate: 0.0,
            trust: Trust::Approximate,
        }],
        swap_io: Some(SwapIo {
            reads: 9,
            read_bytes: 40_960,
            writes: 1_000,
            written_bytes: 1 << 22,
            rates: [0.0, 0.0],
            trust: Trust::Exact,
            left_out: "",
        }),
        cgroups: (0..40).map(cgroup).collect(),
        unattributed: 0,
        missed: BTreeMap::from([("t_state", 2)]),
        tracepoints: vec![HookPlan {
            function: "memcg:gone".into(),
            state: HookState::Blind,
            reason: "this kernel has none".into(),
            ..HookPlan::default()
        }],
        blind: BLIND,
    }
}

fn lines(app: &TotalsApp, width: u16, height: u16) -> Vec<String> {
    let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
    draw(app, Theme::new(Depth::Mono, true), &mut buf);
    let cells = buf.content().chunks(usize::from(width));
    cells.map(|line| line.iter().map(ratatui::buffer::Cell::symbol).collect()).collect()
}

fn has(lines: &[String], words: &[&str]) {
    let found = lines.iter().any(|line| {
        let mut rest = line.as_str();
        words.iter().all(|w| rest.split_once(w).map(|(_, after)| rest = after).is_some())
    });
    assert!(found, "no line with {words:?} in\n{}", lines.join("\n"));
}

fn press(app: &mut TotalsApp, code: KeyCode) -> Option<TotalsEffect> {
    app.key(&KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn the_screen_tells_sums_and_that_they_are_only_sums() {
    let shown = lines(&TotalsApp::new(view()), 80, 24);
    has(&shown, &["vswap totals", "01:03.0", "6.18.44", "rung: tracepoint", "missed 2"]);
    has(&shown, &["no slot map", "? says why"]);
    has(&shown, &["256 MiB of 1.00 GiB in use on /dev/vda"]);
    has(&shown, &["out to zswap", "1,200", "1,234,567", "direct", "12", "4.50 ms", "~321"]);
    has(&shown, &["slots charged", ">77"]);
    has(&shown, &["read", "9", "40.0 KiB"]);
    has(&shown, &["Cgroups 40", "slots", "out/s", "in/s"]);
    has(&shown, &["/pod-0", "4,096", "30", "2.5", "1,234"]);
    has(&shown, &["more"]);
}

#[test]
fn a_host_without_swap_is_told_that_nothing_can_move() {
    let idle = View { devices: Vec::new(), cgroups: Vec::new(), ..view() };
    let shown = lines(&TotalsApp::new(idle), 80, 24);
    has(&shown, &["No swap device is on"]);
    has(&shown, &["none has swapped"]);
}

#[test]
fn the_help_says_why_and_what_is_missing() {
    let mut app = TotalsApp::new(view());
    assert_eq!(press(&mut app, KeyCode::Char('?')), None);
    let shown = lines(&app, 80, 50);
    has(&shown, &["the kernel refuses this type of program"]);
    has(&shown, &["which slot a page is in", "no tracepoint"]);
    has(&shown, &["out to zswap", "count_memcg_events", "exact"]);
    has(&shown, &["memcg:gone", "this kernel has none"]);
    has(&shown, &["t_state: 2 calls missed"]);
    press(&mut app, KeyCode::PageDown);
    let later = lines(&app, 80, 24);
    assert!(!later.iter().any(|l| l.contains("Why there is no slot map")), "it scrolls");
    press(&mut app, KeyCode::Esc);
    assert!(!app.help);
}

#[test]
fn cgroups_scroll_and_keys_lead_out() {
    let mut app = TotalsApp::new(view());
    press(&mut app, KeyCode::PageDown);
    has(&lines(&app, 80, 24), &["/pod-10"]);
    app.show(View { cgroups: vec![cgroup(7)], ..view() });
    has(&lines(&app, 80, 24), &["/pod-7"]);
    assert_eq!(press(&mut app, KeyCode::Char('d')), Some(TotalsEffect::Demo));
    assert_eq!(press(&mut app, KeyCode::Char('q')), Some(TotalsEffect::Quit));
    let ctrl = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(app.key(&ctrl), Some(TotalsEffect::Quit));
}

#[test]
fn any_size_is_drawn_without_panic() {
    for (w, h) in [(1, 1), (39, 9), (40, 10), (74, 12), (80, 24), (200, 60)] {
        let mut app = TotalsApp::new(view());
        lines(&app, w, h);
        app.help = true;
        app.help_top = 1 << 40;
        lines(&app, w, h);
    }
}

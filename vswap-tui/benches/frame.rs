//! Frame time at 200x60 with 4 M slots in use (8192 clusters), and what a new frame costs before it is drawn.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, criterion_group, criterion_main};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use vswap_tui::app::frame::Frame;
use vswap_tui::app::{App, Message, Origin, View, update};
use vswap_tui::snapshot::{ClusterCell, DeviceView, List, MemcgView, Percentiles, Point, Snapshot, Totals};
use vswap_tui::ui;
use vswap_tui::ui::theme::{Depth, Theme};

const CLUSTERS: usize = 8192;
const S: u64 = 1_000_000_000;

fn snapshot() -> Snapshot {
    let lists = [List::Full, List::Nonfull, List::Frag];
    let cells = (0..CLUSTERS).map(|i| ClusterCell {
        mix: [0, 12, 100, 200, 200],
        unconfirmed: 0,
        list: lists[i % 3],
        order: (i % 10) as u8,
    });
    let mix = [0, 12, 100, 200, 200].map(|n| n * CLUSTERS as u64);
    let device = DeviceView {
        name: "/dev/nvme0n1p3".into(),
        pages: CLUSTERS as u64 * 512,
        used: mix.iter().sum(),
        mix,
        active: true,
        clusters: Arc::new(cells.collect()),
        ..DeviceView::default()
    };
    let memcgs = (0..1000).map(|i| MemcgView {
        path: format!("/kubepods.slice/kubepods-burstable.slice/pod{i}.slice/container.scope").into(),
        slots: 4000,
        mix: [0, 10, 990, 2000, 1000],
        ..MemcgView::default()
    });
    let history = (1..=600).map(|i| Point {
        ts: i * S / 2,
        mix: mix.map(|n| n * i / 600),
        delta: Totals { zswpout: 600, zswpin: 50, alloc: 700, ..Totals::default() },
        events: 1000,
        span_ns: S / 2,
    });
    let latency =
        Percentiles { p50: 81_000, p99: 4_560_000, max: 1_200_000_000, count: 777, ..Percentiles::default() };
    Snapshot {
        ts: 300 * S,
        first_ts: 1,
        events: 1 << 30,
        mix,
        zswap_bytes: 2 << 30,
        devices: vec![device],
        memcgs: memcgs.collect(),
        latency: [latency; 6],
        history: Arc::new(history.collect()),
        ..Snapshot::default()
    }
}

fn frames(c: &mut Criterion) {
    let (width, height) = (200, 60);
    let snapshot = Arc::new(snapshot());
    assert!(snapshot.used() >= 4_000_000);
    let frame = Frame { now: snapshot.ts, snapshot, ..Frame::default() };
    let mut app = App::new(Origin::Live, Duration::from_millis(250), None, Size::new(width, height));
    c.bench_function("frame/take_in", |b| {
        b.iter(|| update(&mut app, Message::Frame(black_box(frame.clone()))));
    });
    let theme = Theme::new(Depth::Sixteen, false);
    for view in View::ALL {
        app.view = view;
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        c.bench_function(&format!("frame/draw_{}_200x60", view.name().to_lowercase()), |b| {
            b.iter(|| {
                buf.reset();
                ui::draw(black_box(&app), theme, &mut buf);
            });
        });
    }
    // What goes to the terminal: the difference to the picture before, here the worst case of another view.
    let [mut a, mut b] = [View::Overview, View::Clusters].map(|view| {
        app.view = view;
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        ui::draw(&app, theme, &mut buf);
        buf
    });
    c.bench_function("frame/diff_200x60", |bench| {
        bench.iter(|| {
            std::mem::swap(&mut a, &mut b);
            black_box(a.diff(&b).len())
        });
    });
}

criterion_group!(benches, frames);
criterion_main!(benches);

//! Snapshots made by hand and a reader for drawn frames.

#![allow(dead_code, reason = "each test file uses a part of it")]

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Size;
use std::sync::Arc;
use std::time::Duration;
use vswap_tui::app::frame::Frame;
use vswap_tui::app::{App, Message, Origin, update};
use vswap_tui::meta::{CgroupUse, ClockPair, Header, KernelInfo};
use vswap_tui::snapshot::{ClusterCell, DeviceView, List, MemcgView, Percentiles, Point, Snapshot, Totals};
use vswap_tui::ui;
use vswap_tui::ui::theme::{Depth, Theme};

/// One second in ns.
pub(crate) const S: u64 = 1_000_000_000;
/// Characters alone.
pub(crate) const MONO: Theme = Theme::new(Depth::Mono, true);
/// What most terminals get.
pub(crate) const COLOUR: Theme = Theme::new(Depth::Sixteen, false);

fn cluster(i: usize) -> ClusterCell {
    let list = [List::Free, List::Nonfull, List::Frag, List::Full, List::None, List::Discard][i % 6];
    let mix = match list {
        List::Full => [0, 12, 100, 200, 200],
        List::Free | List::Discard => [0; 5],
        _ => [1, 5, 50, 100, 100],
    };
    ClusterCell { mix, unconfirmed: 1, list, order: (i % 10) as u8 }
}

/// A machine in the middle of things: two devices of 8192 and 100 clusters, `cgroups` cgroups, a minute of history.
pub(crate) fn busy(cgroups: usize) -> Snapshot {
    let device = |dev: u8, name: &str, n: usize| DeviceView {
        dev,
        name: name.into(),
        pages: n as u64 * 512,
        used: n as u64 * 256,
        mix: [8, 2_000, 40_000, 150_000, 70_000],
        prio: -2 - i32::from(dev),
        active: true,
        clusters: Arc::new((0..n).map(cluster).collect()),
        ..DeviceView::default()
    };
    let memcg = |i: usize| MemcgView {
        id: i as u16 + 1,
        path: format!("/kubepods.slice/pod-{i}/db-ü-日本").into(),
        slots: 1_000 - i as u64 % 1000,
        mix: [0, 10, 200, 500, 290],
        charged: 990,
        zswap_bytes: 500_000,
        ..MemcgView::default()
    };
    let mix = [8, 2_000, 40_000, 150_000, 70_000];
    let history = (1..=120u64)
        .map(|i| Point {
            ts: 100 * S + i * S / 2,
            mix: mix.map(|n| n * i / 120),
            delta: Totals {
                zswpout: 600,
                zswpin: 50,
                pswpout: 20,
                alloc: 700,
                free: 300,
                ..Totals::default()
            },
            events: 1000,
            span_ns: S / 2,
        })
        .collect();
    let slow = Percentiles {
        p50: 81_000,
        p90: 200_000,
        p99: 4_560_000,
        p999: 9_000_000,
        max: 1_200_000_000,
        count: 777,
    };
    Snapshot {
        ts: 160 * S,
        first_ts: 100 * S,
        header: Arc::new(Header {
            kernel: KernelInfo { release: "7.3.4-amd64".into(), page_size: 4096, ..KernelInfo::default() },
            clock: ClockPair { monotonic_ns: 100 * S, realtime_ns: 1_700_000_000 * S },
            from_swapon: true,
            ..Header::default()
        }),
        events: 120_000,
        mix,
        cached: 12_345,
        zswap_bytes: 150_000 * 1024,
        devices: vec![device(0, "/dev/vda", 8192), device(3, "/swapfile", 100)],
        memcgs: (0..cgroups).map(memcg).collect(),
        latency: [Percentiles::default(), Percentiles::default(), slow, slow, slow, slow],
        history: Arc::new(history),
        ..Snapshot::default()
    }
}

/// A dashboard that shows a snapshot.
pub(crate) fn app(snapshot: Snapshot, width: u16, height: u16) -> App {
    let mut app = App::new(Origin::Live, Duration::from_millis(250), None, Size::new(width, height));
    let frame =
        Frame { now: snapshot.ts, snapshot: Arc::new(snapshot), events_per_s: 2_000.0, ..Frame::default() };
    update(&mut app, Message::Frame(frame));
    app
}

/// What the dashboard draws on a terminal of its size, line by line.
pub(crate) fn lines(app: &App, theme: Theme) -> Vec<String> {
    let (width, height) = (app.size.width, app.size.height);
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| ui::draw(app, theme, frame.buffer_mut())).unwrap();
    let buffer = terminal.backend().buffer();
    (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>()).collect()
}

/// The drawing as one text.
pub(crate) fn screen(app: &App, theme: Theme) -> String {
    lines(app, theme).join("\n")
}

/// The line that has all these words, in order.
pub(crate) fn line_with<'a>(lines: &'a [String], words: &[&str]) -> &'a str {
    lines
        .iter()
        .find(|line| {
            let mut rest = line.as_str();
            words.iter().all(|w| rest.split_once(w).map(|(_, after)| rest = after).is_some())
        })
        .unwrap_or_else(|| panic!("no line with {words:?} in\n{}", lines.join("\n")))
}

/// A machine at the bounds: 64 M slots in 131,072 clusters, a thousand cgroups with long paths.
pub(crate) fn huge() -> Snapshot {
    let mut snapshot = busy(1000);
    let cell = snapshot.devices[0].clusters[3];
    let device = &mut snapshot.devices[0];
    device.clusters = Arc::new(vec![cell; 131_072]);
    device.pages = 64 << 20;
    device.used = 60 << 20;
    device.aligned = [4 << 20, 1 << 20, 1 << 18, 1 << 16, 4711, 1 << 12, 1 << 9, 64, 3, 0];
    for (i, m) in snapshot.memcgs.iter_mut().enumerate() {
        m.path = format!("/kubepods.slice/{}/コンテナ-{i}", "burstable-".repeat(20)).into();
        m.usage = Some(CgroupUse { swap: Some(990 * 4096), ..CgroupUse::default() });
        m.charged_then = 990;
    }
    snapshot
}

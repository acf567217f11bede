//! What a frame costs at 200x60 on a machine with 4 M slots in use: taking it in, drawing it, and finding what changed
//! on the screen. Every view, the opened cluster and the help; before that, what the pump pays for the snapshot. Times
//! are CPU time of the one thread that does it, so that other work on the machine does not count.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

mod machine;

use criterion::{Criterion, criterion_group, criterion_main};
use machine::Machine;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::time::Duration;
use vswap_common::slot::CLUSTER_SLOTS;
use vswap_tui::app::message::Action;
use vswap_tui::app::{App, Message, Origin, View, update};
use vswap_tui::ui;
use vswap_tui::ui::theme::{Depth, Theme};

const SIZE: Size = Size::new(200, 60);

/// CPU time of `n` times `work`.
fn cpu_time(n: u64, mut work: impl FnMut()) -> Duration {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
    let before = now();
    (0..n).for_each(|_| work());
    now().saturating_sub(before)
}

/// A screen by the keys that lead to it.
struct Shown {
    name: String,
    keys: Vec<Action>,
}

fn screens() -> Vec<Shown> {
    let mut all: Vec<Shown> = View::ALL
        .into_iter()
        .map(|view| Shown { name: view.name().to_lowercase(), keys: vec![Action::Show(view)] })
        .collect();
    all.push(Shown { name: "opened_cluster".into(), keys: vec![Action::Show(View::Clusters), Action::Open] });
    all.push(Shown { name: "cgroups_flat".into(), keys: vec![Action::Show(View::Cgroups), Action::Tree] });
    all.push(Shown { name: "help".into(), keys: vec![Action::Help] });
    all
}

fn frames(c: &mut Criterion) {
    let mut machine = Machine::new();
    let theme = Theme::new(Depth::Indexed, false);
    let mut group = c.benchmark_group("frame");
    group.bench_function("snapshot", |b| {
        let app = App::new(Origin::Live, Duration::from_millis(250), None, SIZE);
        b.iter_custom(|n| cpu_time(n, || drop(black_box(machine.frame(&app)))));
    });
    for Shown { name, keys } in screens() {
        let mut app = App::new(Origin::Live, Duration::from_millis(250), None, SIZE);
        let first = machine.frame(&app);
        update(&mut app, Message::Frame(first));
        // A slot that something happened to not long ago.
        app.mapping.off = machine.busy_slot();
        app.clusters.cursor = (app.mapping.off / u64::from(CLUSTER_SLOTS)) as usize;
        for key in keys {
            update(&mut app, Message::Do(key));
        }
        // Two instants in turn, so that there are differences to find.
        let two = [machine.frame(&app), machine.frame(&app)];
        two.iter().for_each(|frame| machine::check(frame, &app));
        let area = Rect::new(0, 0, SIZE.width, SIZE.height);
        let (mut now, mut before) = (Buffer::empty(area), Buffer::empty(area));
        let mut turn = 0;
        group.bench_function(format!("{name}_200x60"), |b| {
            b.iter_custom(|n| {
                cpu_time(n, || {
                    turn ^= 1;
                    update(&mut app, Message::Frame(black_box(two[turn].clone())));
                    std::mem::swap(&mut now, &mut before);
                    now.reset();
                    ui::draw(black_box(&app), theme, &mut now);
                    black_box(before.diff(&now).len());
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);

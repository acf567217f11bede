//! Tests of [`super::Pump`] with a source made of prepared batches.

use super::*;
use crate::cli::Speed;
use crate::decode::Event;
use crate::meta::{Header, Trailer};
use std::collections::VecDeque;
use vswap_common::{Entry, Kind};

/// Gives its batches one by one, then ends.
struct Prepared {
    header: Header,
    batches: VecDeque<Vec<Event>>,
    trailer: Option<Trailer>,
    damage: Option<String>,
}

impl Source for Prepared {
    fn header(&self) -> &Header {
        &self.header
    }

    fn poll(&mut self, batch: &mut Batch, _timeout: Duration) -> anyhow::Result<Polled> {
        batch.clear();
        match self.batches.pop_front() {
            Some(events) => {
                batch.events = events;
                Ok(Polled::More)
            }
            None => Ok(Polled::End { trailer: self.trailer.take(), damage: self.damage.take() }),
        }
    }
}

const MS: u64 = 1_000_000;

fn alloc(ts: u64, off: u64) -> Event {
    Event {
        ts,
        entry: Entry::new(0, off),
        arg: 0,
        val: 0,
        tid: 1,
        nr: 1,
        memcg: 0,
        cpu: 0,
        flags: 0,
        kind: Kind::Alloc,
        order: 0,
    }
}

/// 40 allocations a millisecond apart, in batches of 10.
fn source() -> Box<dyn Source> {
    let batches =
        (0..4).map(|b| (0..10).map(|i| alloc((1 + b * 10 + i) * MS, b * 10 + i)).collect()).collect();
    Box::new(Prepared { header: Header::default(), batches, trailer: Some(Trailer::default()), damage: None })
}

fn run_to_end(pump: &mut Pump) {
    for _ in 0..1000 {
        match pump.advance(Duration::ZERO).unwrap() {
            Advanced::Ended => return,
            Advanced::Wait(wait) => std::thread::sleep(wait.unwrap_or_default()),
            Advanced::Busy => {}
        }
    }
    panic!("the pump does not end");
}

#[test]
fn everything_is_taken_in_and_the_end_is_told() {
    let mut pump = Pump::new(source(), None, None, None);
    assert!(pump.frame().end.is_none());
    run_to_end(&mut pump);
    let frame = pump.frame();
    assert_eq!((frame.snapshot.events, frame.snapshot.used()), (40, 40));
    assert_eq!(frame.end, Some(End { clean: true, damage: None }));
    assert_eq!(frame.now, 40 * MS, "time stops with the last event");
    assert_eq!(pump.finish().exit(), crate::exit::Exit::Ok);
}

#[test]
fn damage_is_told_and_decides_the_exit_code() {
    let batches = VecDeque::from([vec![alloc(MS, 1)]]);
    let damaged =
        Prepared { header: Header::default(), batches, trailer: None, damage: Some("bit rot".into()) };
    let mut pump = Pump::new(Box::new(damaged), None, None, None);
    run_to_end(&mut pump);
    let outcome = pump.finish();
    assert_eq!(outcome.snapshot.events, 1, "what is whole is used");
    assert_eq!(outcome.end.as_ref().and_then(|e| e.damage.as_deref()), Some("bit rot"));
    assert_eq!(outcome.exit(), crate::exit::Exit::Damaged);
}

#[test]
fn lost_records_decide_the_exit_code() {
    let gap = Event { kind: Kind::Gap, arg: 7, nr: 0, ..alloc(2 * MS, 0) };
    let batches = VecDeque::from([vec![alloc(MS, 1), gap]]);
    let lossy =
        Prepared { header: Header::default(), batches, trailer: Some(Trailer::default()), damage: None };
    let mut pump = Pump::new(Box::new(lossy), None, None, None);
    run_to_end(&mut pump);
    let outcome = pump.finish();
    assert_eq!(outcome.snapshot.losses.lost, 7);
    assert_eq!(outcome.exit(), crate::exit::Exit::Lost);
}

#[test]
fn a_limit_in_event_time_cuts_at_the_same_event_every_time() {
    for speed in [Speed::Max, Speed::Times(5.0)] {
        let mut pump = Pump::new(source(), None, Some(Pace::new(speed)), Some(Duration::from_millis(14)));
        run_to_end(&mut pump);
        assert_eq!(pump.finish().snapshot.events, 15);
    }
}

#[test]
fn a_paced_source_waits_for_its_time() {
    let mut pump = Pump::new(source(), None, Some(Pace::new(Speed::Times(0.001))), None);
    assert_eq!(pump.advance(Duration::ZERO).unwrap(), Advanced::Busy);
    let Advanced::Wait(Some(wait)) = pump.advance(Duration::ZERO).unwrap() else {
        panic!("the second event is a second away")
    };
    assert!(wait > Duration::from_millis(500), "{wait:?}");
    let frame = pump.frame();
    assert_eq!(frame.snapshot.events, 1);
    assert!((MS..2 * MS).contains(&frame.now));
}

#[test]
fn steps_take_one_event_or_the_rest_of_a_block_and_pause() {
    let mut pump = Pump::new(source(), None, Some(Pace::new(Speed::Times(1e-6))), None);
    pump.control(Control::Pause(true)).unwrap();
    assert_eq!(pump.advance(Duration::ZERO).unwrap(), Advanced::Wait(None));
    let mut events = |control| {
        pump.control(control).unwrap();
        assert_eq!(pump.advance(Duration::ZERO).unwrap(), Advanced::Wait(None), "a step pauses");
        let frame = pump.frame();
        assert_eq!(frame.now, frame.snapshot.ts);
        assert!(frame.playback.is_some_and(|p| p.paused));
        frame.snapshot.events
    };
    assert_eq!(events(Control::StepEvent), 1);
    assert_eq!(events(Control::StepEvent), 2);
    assert_eq!(events(Control::StepBlock), 10);
    assert_eq!(events(Control::StepBlock), 20);
    assert_eq!(events(Control::StepEvent), 21);
}

#[test]
fn stepping_over_the_end_ends_and_more_steps_do_nothing() {
    let mut pump = Pump::new(source(), None, Some(Pace::new(Speed::Times(1.0))), None);
    for _ in 0..9 {
        pump.control(Control::StepBlock).unwrap();
    }
    let frame = pump.frame();
    assert_eq!(frame.snapshot.events, 40);
    assert!(frame.end.is_some());
    assert_eq!(pump.advance(Duration::ZERO).unwrap(), Advanced::Ended);
}

#[test]
fn speed_can_change_to_max_on_the_way() {
    let mut pump = Pump::new(source(), None, Some(Pace::new(Speed::Times(1e-6))), None);
    assert_eq!(pump.advance(Duration::ZERO).unwrap(), Advanced::Busy);
    pump.control(Control::Speed(Speed::Max)).unwrap();
    run_to_end(&mut pump);
    assert_eq!(pump.frame().snapshot.events, 40);
}

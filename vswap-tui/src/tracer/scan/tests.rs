use super::ScanResult;
use super::steps::{AGAIN, MAX_LOOKS, Purpose, SETTLE, Scan, Step};
use std::time::{Duration, Instant};
use vswap_common::scan::{CLUSTERS_A_RUN, answer, op};
use vswap_common::{Entry, Kind, Record, flags};

/// Runs a scan against a machine of one device of `clusters` clusters of which `used` are in use.
fn drive(clusters: u64, used: &[u64], mut answer_slots: impl FnMut(u64) -> u32) -> (Vec<Step>, ScanResult) {
    let mut base = 0;
    let mut scan = Scan::new(Instant::now(), Purpose::Start, 2);
    let (mut steps, mut now) = (Vec::new(), Instant::now() + SETTLE);
    let tell = |scan: &mut Scan, kind: Kind, off: u64, nr: u16| {
        let record = Record { kind: kind as u8, entry: Entry::new(3, off).0, nr, ..Record::default() };
        scan.look(&Record { memcg: 5, flags: flags::MEMCG, ..record });
    };
    for _ in 0..100_000 {
        let Some(step) = scan.next(now) else {
            now += AGAIN;
            continue;
        };
        steps.push(step);
        let answer = match step.op {
            op::DEVICE if step.a == 3 => {
                tell(&mut scan, Kind::ScanDevice, clusters * 512, 0);
                1
            }
            op::DEVICE => answer::NONE,
            op::CLUSTERS => {
                let told = CLUSTERS_A_RUN.min(clusters - step.b);
                for i in step.b..step.b + told {
                    tell(&mut scan, Kind::ScanCluster, i * 512, if used.contains(&i) { 512 } else { 0 });
                }
                if told == 0 { answer::NONE } else { told as u32 }
            }
            op::READ if step.b >= clusters * 512 - 32 => answer::NONE,
            op::READ => {
                base = step.b - step.b % 64;
                64
            }
            op::TELL => {
                tell(&mut scan, Kind::ScanSlots, base + step.a, 1);
                answer_slots(base + step.a)
            }
            _ => 1,
        };
        if scan.done(step, answer) {
            return (steps, scan.result());
        }
    }
    panic!("the scan does not end");
}

fn asked(steps: &[Step], op: u64) -> Vec<u64> {
    steps.iter().filter(|s| s.op == op).map(|s| s.b).collect()
}

#[test]
fn every_slot_of_every_cluster_in_use_is_read_once() {
    let (steps, result) = drive(33, &[0, 31], |_| 16);
    assert_eq!(asked(&steps, op::CLUSTERS), [0, 16, 32, 0, 16, 32], "the lists once more at the end");
    let candidates: Vec<(u64, u64)> =
        steps.iter().filter(|s| s.op == op::CANDIDATES).map(|s| (s.a, s.b)).collect();
    assert_eq!(candidates, [(0, 0), (1, 0), (3, 1)], "each CPU, then the device for all of them");
    let want: Vec<u64> = (0..8).map(|i| i * 64).chain((0..8).map(|i| 31 * 512 + i * 64)).collect();
    assert_eq!(asked(&steps, op::READ), want);
    let told: Vec<u64> = steps.iter().filter(|s| s.op == op::TELL).map(|s| s.a).collect();
    assert_eq!(told, [0, 16, 32, 48].repeat(16));
    assert_eq!((result.slots, result.failed), (1024, None));
    let owners: Vec<u64> = steps.iter().filter(|s| s.op == op::OWNER).map(|s| s.a).collect();
    assert_eq!(owners, [5], "each cgroup is asked for once");
    assert_eq!((steps[0].op, steps[steps.len() - 1].op), (op::BEGIN, op::END));
}

#[test]
fn a_device_may_end_inside_a_chunk() {
    let (steps, result) = drive(1, &[0], |off| if off == 448 { 7 } else { 16 });
    assert_eq!((result.slots, asked(&steps, op::READ).len()), (448 + 7, 8));
}

#[test]
fn a_full_ring_is_asked_for_the_rest() {
    let mut first = true;
    let (steps, result) = drive(1, &[0], |_| if std::mem::take(&mut first) { 10 | answer::FULL } else { 16 });
    let told: Vec<u64> = steps.iter().filter(|s| s.op == op::TELL).map(|s| s.a).collect();
    assert_eq!(told[..4], [0, 10, 26, 42]);
    assert!(result.failed.is_none());
}

#[test]
fn locked_folios_are_looked_at_again_and_not_for_ever() {
    let mut looks = 0;
    let (steps, _) = drive(1, &[0], |off| {
        looks += u32::from(off == 128);
        if off == 128 && looks < 4 { 16 | answer::DOUBT } else { 16 }
    });
    assert_eq!(asked(&steps, op::READ)[8..], [128, 128, 128]);
    let (steps, result) = drive(1, &[0], |_| 16 | answer::DOUBT);
    assert_eq!(asked(&steps, op::READ).len(), 8 + 8 * MAX_LOOKS as usize);
    assert!(result.failed.is_none());
}

#[test]
fn what_cannot_be_read_ends_the_scan_and_says_so() {
    let (steps, result) = drive(4, &[0, 1], |off| if off == 64 { answer::FAULT } else { 16 });
    assert!(result.failed.unwrap().contains("could not be read"));
    assert_eq!(steps.last().unwrap().op, op::END);
    let (_, result) = drive(4, &[0, 1], |_| answer::FULL);
    assert!(result.failed.unwrap().contains("--ring-size"));
}

#[test]
fn what_another_cpu_hides_is_waited_for_and_not_for_ever() {
    let now = Instant::now();
    let mut scan = Scan::new(now, Purpose::Start, 1);
    assert!(scan.waits(now) && scan.waits(now + Duration::from_secs(9)));
    // It came out: the next wait begins anew.
    let later = now + Duration::from_secs(9);
    assert_eq!(scan.next(later).map(|step| step.op), Some(op::BEGIN));
    assert!(scan.waits(later) && scan.waits(later + Duration::from_secs(9)));
    assert!(!scan.waits(later + Duration::from_secs(11)), "it goes to its end");
    assert_eq!(scan.next(later).map(|step| step.op), Some(op::END));
    assert!(scan.result().failed.is_some_and(|why| why.contains("does not come out of the ring")));
    assert!(!scan.waits(later), "and ends");
}

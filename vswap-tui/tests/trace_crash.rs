//! What a crash, a full disk or a bad disk does to a recording of a real kernel: all that is whole is used, the rest is
//! counted, and no slot is shown where it is not.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail their test")]

use assert_cmd::Command;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vswap_common::{Kind, Record};
use vswap_tui::collector::Collector;
use vswap_tui::decode::decode;
use vswap_tui::meta::{Header, Trailer};
use vswap_tui::snapshot::Backend;
use vswap_tui::trace::format::{BlockHeader, PREAMBLE_LEN};
use vswap_tui::trace::{Item, TraceReader, TraceWriter};

const HISTORY: u64 = 1 << 40;
/// Enough of a real trace to have everything in it, few enough to read it thousands of times.
const RECORDS: usize = 600;
const BLOCK: usize = 75;

/// Device, offset and what is known of a confirmed slot.
type Slots = BTreeMap<(u8, u64), (Backend, bool, Option<u16>)>;

struct Real {
    bytes: Vec<u8>,
    records: Vec<Record>,
    /// The slot map after so many records.
    truth: BTreeMap<u64, Slots>,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn slots(collector: &Collector) -> Slots {
    let confirmed = collector.slots().filter(|s| s.confirmed);
    confirmed.map(|s| ((s.dev, s.off), (s.backend, s.cached, s.len))).collect()
}

/// The beginning of a recording of Linux 7.3, in small blocks, with a key frame in the middle.
fn real() -> Real {
    let mut reader = TraceReader::new(File::open(fixture("linux-7.3-1cpu-mixed.vswap")).unwrap()).unwrap();
    let mut records = Vec::new();
    let mut updates = Vec::new();
    while records.len() < RECORDS {
        if let Item::Update(update) = reader.next(&mut records).unwrap() {
            updates.push(update);
        }
    }
    records.truncate(RECORDS);
    let header = reader.header().clone();
    let mut collector = Collector::new(Arc::new(header.clone()), HISTORY);
    let mut writer = TraceWriter::new(Vec::new(), &header).unwrap();
    let mut truth = BTreeMap::from([(0, Slots::new())]);
    for update in &updates {
        writer.update(update).unwrap();
        collector.update(update);
    }
    for (i, block) in records.chunks(BLOCK).enumerate() {
        block.iter().for_each(|r| collector.apply(&decode(r).unwrap()));
        block.iter().for_each(|r| writer.push(r).unwrap());
        writer.flush().unwrap();
        truth.insert(((i + 1) * BLOCK) as u64, slots(&collector));
        if i == 3 {
            writer.key_frame(&collector.key_state(), collector.key_slots()).unwrap();
        }
    }
    let trailer = Trailer { records: RECORDS as u64, ..Trailer::default() };
    Real { bytes: writer.finish(&trailer).unwrap(), records, truth }
}

/// Reads what there is and holds it against the truth: every record in its place, gaps exactly as wide as what is
/// missing, no slot confirmed that is not so. Returns records read and lost, and whether anything was wrong.
fn check(real: &Real, bytes: &[u8], context: &str) -> Option<(u64, u64, bool)> {
    let mut reader = TraceReader::new(bytes).ok()?;
    let mut collector = Collector::new(Arc::new(reader.header().clone()), HISTORY);
    let (mut at, mut read, mut out) = (0u64, 0, Vec::new());
    loop {
        out.clear();
        match reader.next(&mut out).unwrap() {
            Item::Update(update) => collector.update(&update),
            Item::Records => {}
            Item::End(_) => break,
        }
        for r in &out {
            if r.kind == Kind::Gap as u8 {
                at += r.arg;
            } else {
                assert_eq!(*r, real.records[at as usize], "{context}: record {at}");
                at += 1;
                read += 1;
            }
            collector.apply(&decode(r).unwrap());
        }
    }
    let truth = &real.truth[&at];
    for (slot, (backend, cached, len)) in slots(&collector) {
        // A length that was lost is not known; one that is shown is true.
        let real = truth.get(&slot).map(|(b, c, n)| (*b, *c, len.and(*n)));
        assert_eq!(real, Some((backend, cached, len)), "{context}: slot {slot:?} is wrong");
    }
    let lost = reader.damage().map_or(0, |d| d.lost_records);
    assert_eq!(at, read + lost, "{context}: what is missing is not counted");
    Some((read, lost, reader.damage().is_some()))
}

#[test]
fn a_real_trace_cut_at_every_byte_gives_all_whole_blocks() {
    let real = real();
    let mut ends = Vec::new();
    let (mut at, mut records) = (PREAMBLE_LEN, 0);
    while at < real.bytes.len() {
        let h = BlockHeader::decode(real.bytes[at..].first_chunk().unwrap()).unwrap();
        at += h.block_len();
        records += u64::from(h.count);
        ends.push((at, records));
    }
    assert!(real.bytes.len() > 2000, "{} bytes", real.bytes.len());
    for cut in 0..real.bytes.len() {
        let whole = ends.iter().rev().find(|(end, _)| *end <= cut).map(|(_, n)| *n);
        let got = check(&real, &real.bytes[..cut], &format!("cut at {cut}"));
        assert_eq!(got, whole.map(|n| (n, 0, true)), "cut at {cut}");
    }
    assert_eq!(check(&real, &real.bytes, "whole"), Some((RECORDS as u64, 0, false)));
}

#[test]
fn a_bit_flipped_anywhere_in_a_real_trace_costs_one_block_and_shows_no_wrong_slot() {
    let real = real();
    for at in 0..real.bytes.len() {
        let mut bytes = real.bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        let context = format!("byte {at}");
        match check(&real, &bytes, &context) {
            Some((read, _, damaged)) => {
                assert!(damaged, "{context}: not noticed");
                assert!(read >= (RECORDS - BLOCK) as u64, "{context}: {read} records");
            }
            None => assert!(at < 8, "{context}: refused"),
        }
    }
}

#[test]
fn many_flips_and_lost_sectors_are_survived_too() {
    let real = real();
    let mut random = 1u64;
    let mut next = |n: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % n
    };
    for round in 0..300 {
        let mut bytes = real.bytes.clone();
        for _ in 0..1 + next(8) {
            let at = 8 + next(bytes.len() - 8);
            bytes[at] ^= 1 << next(8);
        }
        // A power cut loses sectors anywhere in what was not forced to the disk.
        let sector = 512 * (1 + next(bytes.len() / 512));
        let end = (sector + 512).min(bytes.len());
        bytes[sector.min(end)..end].fill(0);
        check(&real, &bytes, &format!("round {round}"));
    }
}

/// Fails once, when so many bytes were written; half of that write arrives.
struct Full {
    out: Vec<u8>,
    at: usize,
    failed: bool,
}

impl Write for Full {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.failed || self.out.len() + buf.len() < self.at {
            self.out.extend_from_slice(buf);
            return Ok(buf.len());
        }
        if self.out.len() < self.at {
            let part = (self.at - self.out.len()).min(buf.len());
            self.out.extend_from_slice(&buf[..part]);
            return Ok(part);
        }
        self.failed = true;
        Err(io::ErrorKind::StorageFull.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_is_full_for_a_moment_costs_what_it_refused_and_that_is_counted() {
    let real = real();
    for at in (600..real.bytes.len() - 400).step_by(53) {
        let sink = Full { out: Vec::new(), at, failed: false };
        let mut writer = TraceWriter::new(sink, &Header { from_swapon: true, ..Header::default() }).unwrap();
        let mut refused = 0;
        for block in real.records.chunks(BLOCK) {
            block.iter().for_each(|r| writer.push(r).unwrap());
            refused += u64::from(writer.flush().is_err());
        }
        let Ok(sink) = writer.finish(&Trailer::default()) else { continue };
        assert!(refused <= 1);
        let (read, lost, damaged) = check(&real, &sink.out, &format!("full at {at}")).unwrap();
        assert_eq!((read + lost, lost), (RECORDS as u64, refused * BLOCK as u64), "full at {at}");
        assert_eq!(damaged, sink.failed);
    }
}

fn vswap() -> Command {
    Command::cargo_bin("vswap").unwrap()
}

#[test]
fn no_space_left_ends_with_the_reason() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let binary = assert_cmd::cargo::cargo_bin("vswap");
    let run = std::process::Command::new(binary)
        .args(["generate", "-o", "-", "--events", "100K"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
}

#[test]
fn a_killed_writer_leaves_a_trace_that_is_read_and_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.vswap");
    let binary = assert_cmd::cargo::cargo_bin("vswap");
    let mut child = std::process::Command::new(binary)
        .args(["generate", "--events", "1G", "-o"])
        .arg(&path)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while fs::metadata(&path).map_or(0, |m| m.len()) < 500_000 {
        assert!(begin.elapsed() < Duration::from_secs(60), "nothing is written");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // The kill may fall between two blocks; the torn half of one makes it sure.
    let len = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len - 7).unwrap();

    let said = |args: &[&str], path: &Path, code: i32| {
        let run = vswap().args(args).arg(path).assert().code(code);
        let out = run.get_output();
        (String::from_utf8(out.stdout.clone()).unwrap(), String::from_utf8(out.stderr.clone()).unwrap())
    };
    let (damaged, why) = said(&["report", "--json"], &path, 5);
    assert!(why.contains("cut short at byte") && why.contains("did not end cleanly"), "{why}");
    let repaired = dir.path().join("r.vswap");
    let run = vswap().arg("repair").arg(&path).arg("-o").arg(&repaired).assert().success();
    let told = String::from_utf8(run.get_output().stderr.clone()).unwrap();
    assert!(told.contains("cut short at byte"), "{told}");
    let (whole, _) = said(&["report", "--json"], &repaired, 0);
    let json = |s: &str| serde_json::from_str::<serde_json::Value>(s).unwrap();
    let (damaged, whole) = (json(&damaged), json(&whole));
    for same in ["events", "totals", "backends", "transitions", "latency_ns", "memcgs"] {
        assert_eq!(damaged[same], whole[same], "{same}");
    }
    assert!(damaged["events"].as_u64() > Some(10_000));
    assert_eq!(said(&["slots"], &path, 5).0, said(&["slots"], &repaired, 0).0);
}

#[test]
fn repair_keeps_the_hole_of_a_damaged_block_as_a_gap() {
    let real = real();
    let dir = tempfile::tempdir().unwrap();
    let (bad, good) = (dir.path().join("bad"), dir.path().join("good"));
    let mut bytes = real.bytes.clone();
    let mut at = PREAMBLE_LEN;
    loop {
        let h = BlockHeader::decode(bytes[at..].first_chunk().unwrap()).unwrap();
        if h.before == 2 * BLOCK as u64 && h.count > 0 {
            break;
        }
        at += h.block_len();
    }
    bytes[at + 70..at + 90].fill(0x55);
    fs::write(&bad, &bytes).unwrap();
    vswap().arg("repair").arg(&bad).arg("-o").arg(&good).assert().success();
    let mut reader = TraceReader::new(File::open(&good).unwrap()).unwrap();
    let mut records = Vec::new();
    while !matches!(reader.next(&mut records).unwrap(), Item::End(Some(_))) {}
    assert_eq!(reader.damage(), None);
    let gaps: Vec<u64> = records.iter().filter(|r| r.kind == Kind::Gap as u8).map(|r| r.arg).collect();
    assert_eq!((gaps, records.len()), (vec![BLOCK as u64], RECORDS - BLOCK + 1));
    vswap().arg("report").arg(&good).assert().code(3);
    assert_ne!(reader.header(), &Header::default());
}

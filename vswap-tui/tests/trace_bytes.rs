//! The trace file byte by byte: whatever happens to it, nothing panics and no record appears that was not written.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail their test")]

use proptest::prelude::*;
use std::io::Read;
use vswap_common::{Entry, Kind, Record};
use vswap_tui::meta::{CgroupInfo, DeviceInfo, Header, Trailer, Update};
use vswap_tui::trace::Damage;
use vswap_tui::trace::format::{self, BlockHeader, block_type, encoding};
use vswap_tui::trace::{Item, TraceError, TraceReader, TraceWriter};

fn header() -> Header {
    Header {
        tool_version: "0.1.0".into(),
        origin: "host".into(),
        devices: vec![DeviceInfo { dev: 1, name: "/dev/vda".into(), pages: 4096, ..Default::default() }],
        ..Header::default()
    }
}

fn update() -> Update {
    Update { cgroups: vec![CgroupInfo { id: 7, inode: 99, path: "/wl".into() }], ..Update::default() }
}

fn trailer(records: u64) -> Trailer {
    Trailer { records, reason: "signal".into(), ..Trailer::default() }
}

fn record(i: u64) -> Record {
    Record {
        ts: 1_000_000 + i * 731,
        entry: Entry::new(1, i / 4).0,
        arg: if i % 4 == 3 { 5_000 + i } else { 0 },
        seq: i as u32,
        val: if i % 4 == 2 { 1234 } else { 0 },
        tid: 77,
        nr: 1,
        memcg: 7,
        kind: [Kind::Alloc, Kind::Charge, Kind::ZswapPage, Kind::ZswapStore][i as usize % 4] as u8,
        ..Record::default()
    }
}

/// Three blocks of `per_block` records, an update between the first two.
fn small(per_block: u64) -> Vec<u8> {
    let mut w = TraceWriter::new(Vec::new(), &header()).unwrap();
    for i in 0..3 * per_block {
        w.push(&record(i)).unwrap();
        if i == per_block - 1 {
            w.update(&update()).unwrap();
        } else if i % per_block == per_block - 1 {
            w.flush().unwrap();
        }
    }
    w.finish(&trailer(3 * per_block)).unwrap()
}

struct Outcome {
    header: Header,
    records: Vec<Record>,
    updates: Vec<Update>,
    trailer: Option<Trailer>,
    damage: Option<Damage>,
}

fn read(bytes: impl Read) -> Result<Outcome, TraceError> {
    let mut reader = TraceReader::new(bytes)?;
    let mut records = Vec::new();
    let mut updates = Vec::new();
    loop {
        match reader.next(&mut records)? {
            Item::Records => {}
            Item::Update(u) => updates.push(u),
            Item::End(trailer) => {
                let (header, damage) = (reader.header().clone(), reader.damage().cloned());
                return Ok(Outcome { header, records, updates, trailer, damage });
            }
        }
    }
}

/// Every record is one that was written, in order; gaps stand exactly where records are missing. Returns how
/// many records were read.
fn assert_true(o: &Outcome, context: &str) -> u64 {
    let mut next = 0;
    let mut seen = 0;
    for r in &o.records {
        if r.kind == Kind::Gap as u8 {
            assert!(o.damage.is_some(), "{context}: a gap without damage");
            assert!(r.arg > 0, "{context}: an empty gap");
            next += r.arg;
        } else {
            assert_eq!(*r, record(next), "{context}: record {next} differs");
            next += 1;
            seen += 1;
        }
    }
    seen
}

#[test]
fn everything_written_is_read() {
    let o = read(&small(50)[..]).unwrap();
    assert_eq!(o.header, header());
    assert_eq!(assert_true(&o, "whole"), 150);
    assert_eq!(o.updates, [update()]);
    assert_eq!(o.trailer, Some(trailer(150)));
    assert_eq!(o.damage, None);
}

#[test]
fn a_pipe_that_drips_gives_the_same() {
    struct Drip<'a>(&'a [u8]);
    impl Read for Drip<'_> {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            let n = self.0.len().min(buf.len()).min(7);
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }
    let bytes = small(50);
    let o = read(Drip(&bytes)).unwrap();
    assert_eq!(assert_true(&o, "dripping"), 150);
    assert_eq!((o.trailer, o.damage), (Some(trailer(150)), None));
}

#[test]
fn empty_foreign_and_truncated_heads_are_told_apart() {
    assert!(matches!(read(&b""[..]), Err(TraceError::CutShort { at: 0 })));
    assert!(matches!(read(&b"\x89VSW"[..]), Err(TraceError::CutShort { at: 4 })));
    assert!(matches!(read(&b"{}"[..]), Err(TraceError::NotATrace)));
    assert!(matches!(read(&[b'x'; 4096][..]), Err(TraceError::NotATrace)));
    assert!(matches!(read(&small(4)[..40]), Err(TraceError::CutShort { .. })));
}

#[test]
fn every_cut_keeps_all_whole_blocks_and_says_where_it_ends() {
    let bytes = small(8);
    let mut ends = vec![format::PREAMBLE_LEN];
    while *ends.last().unwrap() < bytes.len() {
        let at = *ends.last().unwrap();
        let h = BlockHeader::decode(bytes[at..].first_chunk().unwrap()).unwrap();
        ends.push(at + h.block_len());
    }
    assert_eq!(ends.len(), 8, "preamble, header, records, update, 2 x records, index, trailer");
    let records_at = [0, 0, 8, 8, 16, 24, 24, 24];
    for cut in 0..bytes.len() {
        let whole = ends.iter().filter(|e| **e <= cut).count();
        if whole < 2 {
            assert!(matches!(read(&bytes[..cut]), Err(TraceError::CutShort { .. })), "cut at {cut}");
            continue;
        }
        let o = read(&bytes[..cut]).unwrap();
        assert_eq!(assert_true(&o, "cut"), records_at[whole - 1], "cut at {cut}");
        assert_eq!(o.trailer, None);
        let damage = o.damage.unwrap();
        assert_eq!(damage.torn_at, Some(ends[whole - 1] as u64), "cut at {cut}");
        assert_eq!(damage.skips, 0, "a torn tail is no damage in the middle");
        let text = damage.to_string();
        assert!(text.contains(&format!("byte {}", ends[whole - 1])) && text.contains("no trailer"), "{text}");
    }
}

#[test]
fn every_flipped_bit_is_noticed_and_costs_at_most_its_block() {
    let bytes = small(8);
    for bit in 0..bytes.len() * 8 {
        let mut b = bytes.clone();
        b[bit / 8] ^= 1 << (bit % 8);
        let context = format!("bit {bit}");
        match read(&b[..]) {
            Ok(o) => {
                let n = assert_true(&o, &context);
                assert!(n >= 16, "{context}: one block at most is lost, {n} records read");
                assert!(o.damage.is_some(), "{context}: not noticed");
                assert!(!o.damage.unwrap().to_string().is_empty());
            }
            Err(e) => assert!(bit < 64 && matches!(e, TraceError::NotATrace), "{context}: {e}"),
        }
    }
}

#[test]
fn a_lost_block_is_a_gap_of_its_size_and_the_rest_is_used() {
    let bytes = small(8);
    let mut b = bytes.clone();
    let second = find(&bytes, block_type::RECORDS, 1);
    for byte in &mut b[second..second + 60] {
        *byte = 0;
    }
    let o = read(&b[..]).unwrap();
    assert_eq!(assert_true(&o, "zeroed block"), 16);
    let gaps: Vec<_> = o.records.iter().filter(|r| r.kind == Kind::Gap as u8).map(|r| r.arg).collect();
    assert_eq!(gaps, [8]);
    let damage = o.damage.unwrap();
    assert_eq!((damage.at, damage.skips, damage.lost_records), (second as u64, 1, 8));
    assert_eq!(o.trailer, Some(trailer(24)));
}

#[test]
fn cut_out_inserted_and_repeated_bytes_are_survived() {
    let bytes = small(8);
    for at in (0..bytes.len() - 40).step_by(3) {
        let mut cut = bytes.clone();
        cut.drain(at..at + 37);
        let mut inserted = bytes.clone();
        inserted.splice(at..at, [0x56, 0x42, 0x4c, 0x4b, 3, 2]);
        let mut doubled = bytes.clone();
        doubled.splice(at..at, bytes.iter().copied());
        for (name, b) in [("cut", cut), ("inserted", inserted), ("doubled", doubled)] {
            if let Ok(o) = read(&b[..]) {
                assert_true(&o, &format!("{name} at {at}"));
            }
        }
    }
}

#[test]
fn traces_pasted_together_do_not_replay_their_records() {
    let mut bytes = small(8);
    let cut = find(&bytes, block_type::TRAILER, 0);
    let copy = bytes.clone();
    bytes.splice(cut.., copy);
    let o = read(&bytes[..]).unwrap();
    assert_eq!(assert_true(&o, "pasted"), 24);
    assert!(o.damage.is_some());
}

#[test]
fn a_damaged_header_block_costs_names_not_records() {
    let mut bytes = small(8);
    bytes[format::PREAMBLE_LEN + format::BLOCK_HEADER_LEN + 3] ^= 0x10;
    let o = read(&bytes[..]).unwrap();
    assert_eq!(o.header, Header::default());
    assert_eq!(assert_true(&o, "no header"), 24);
    assert!(o.damage.is_some());
}

#[test]
fn a_newer_major_is_refused_by_name() {
    let mut bytes = small(4);
    bytes[8] = format::MAJOR as u8 + 1;
    let crc = crc32c::crc32c(&bytes[..12]).to_le_bytes();
    bytes[12..16].copy_from_slice(&crc);
    let Err(e) = read(&bytes[..]) else { panic!("must be refused") };
    assert!(matches!(e, TraceError::Newer { .. }));
    assert!(e.to_string().contains("newer"), "{e}");
}

#[test]
fn what_a_later_minor_adds_is_ignored() {
    let json = br#"{"tool_version":"9","future":{"a":[1]},"kernel":{"release":"8.0","more":true}}"#;
    let mut bytes = format::preamble().to_vec();
    let mut block = |kind, number, payload: &[u8]| {
        let h = BlockHeader {
            kind,
            encoding: encoding::PLAIN,
            raw_len: payload.len() as u32,
            stored_len: payload.len() as u32,
            number,
            payload_crc: crc32c::crc32c(payload),
            ..BlockHeader::default()
        };
        bytes.extend_from_slice(&h.encode());
        bytes.extend_from_slice(payload);
    };
    block(block_type::HEADER, 0, json);
    block(200, 1, b"a block type of the future");
    block(block_type::TRAILER, 2, b"{}");
    let o = read(&bytes[..]).unwrap();
    assert_eq!((o.header.tool_version.as_str(), o.header.kernel.release.as_str()), ("9", "8.0"));
    assert_eq!((o.trailer, o.damage), (Some(Trailer::default()), None));
}

#[test]
fn a_block_with_true_checksum_and_false_content_is_refused_whole() {
    let good = small(8);
    let at = find(&good, block_type::RECORDS, 1);
    let mut h = BlockHeader::decode(good[at..].first_chunk().unwrap()).unwrap();
    h.count = 9;
    let mut bytes = good.clone();
    bytes[at..at + format::BLOCK_HEADER_LEN].copy_from_slice(&h.encode());
    let o = read(&bytes[..]).unwrap();
    assert_eq!(assert_true(&o, "false count"), 16);
    assert!(o.damage.unwrap().why.contains("column"));
}

/// Offset of the `n`th block of a type in a whole trace.
fn find(bytes: &[u8], kind: u8, n: usize) -> usize {
    let mut at = format::PREAMBLE_LEN;
    let mut seen = 0;
    loop {
        let h = BlockHeader::decode(bytes[at..].first_chunk().unwrap()).unwrap();
        if h.kind == kind {
            if seen == n {
                return at;
            }
            seen += 1;
        }
        at += h.block_len();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_records_and_any_flushes_round_trip(
        raw in prop::collection::vec((any::<[u8; 48]>(), 0..20u8), 0..400)
    ) {
        let mut w = TraceWriter::new(Vec::new(), &header()).unwrap();
        let mut written = Vec::new();
        for (bytes, action) in &raw {
            let r = Record::from_bytes(bytes);
            w.push(&r).unwrap();
            written.push(r);
            if *action == 0 {
                w.flush().unwrap();
            }
        }
        prop_assert_eq!(w.records(), written.len() as u64);
        let n = w.bytes();
        prop_assert!(n > 0);
        let bytes = w.finish(&trailer(1)).unwrap();
        let o = read(&bytes[..]).unwrap();
        prop_assert_eq!(o.records, written);
        prop_assert_eq!(o.damage, None);
    }

    #[test]
    fn any_bytes_after_the_preamble_are_survived(tail in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut bytes = format::preamble().to_vec();
        bytes.extend_from_slice(&tail);
        let cut_short = matches!(read(&bytes[..]), Err(TraceError::CutShort { .. }));
        prop_assert!(cut_short);
    }

    #[test]
    fn random_scribbles_never_invent_records(
        scribbles in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let mut bytes = small(20);
        for (at, byte) in &scribbles {
            let i = at.index(bytes.len());
            bytes[i] = *byte;
        }
        if let Ok(o) = read(&bytes[..]) {
            assert_true(&o, "scribbled");
        }
    }
}

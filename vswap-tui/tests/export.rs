//! Exports of recordings of real kernels: what they say is what `report` says. What other people's tools make of them
//! is checked by `cargo xtask test`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail their test")]

use assert_cmd::Command;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const FIXTURES: [&str; 3] =
    ["linux-6.12-1cpu-order0.vswap", "linux-7.3-4cpu-thp.vswap", "linux-7.3-1cpu-mixed.vswap"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn vswap() -> Command {
    Command::cargo_bin("vswap").unwrap()
}

fn stdout(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

fn report(name: &str) -> Value {
    serde_json::from_str(&stdout(vswap().args(["report", "--json"]).arg(fixture(name)))).unwrap()
}

fn export(name: &str, to: &str, more: &[&str], dir: &TempDir) -> PathBuf {
    let out = dir.path().join(to);
    vswap().arg("export").arg(fixture(name)).args(["--force", "-o"]).arg(&out).args(more).assert().success();
    out
}

/// Pages by kind, and those written back from zswap.
fn sums(rows: impl Iterator<Item = (String, u64, u64)>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (kind, nr, flags) in rows {
        if kind == "write" && flags & 2 != 0 {
            *sums.entry("zswpwb".to_owned()).or_default() += nr;
        }
        *sums.entry(kind).or_default() += nr;
    }
    sums
}

fn assert_sums(sums: &BTreeMap<String, u64>, report: &Value, context: &str) {
    let of = |kind: &str| sums.get(kind).copied().unwrap_or(0);
    let pairs = [
        ("alloc", "alloc"),
        ("free", "free"),
        ("zswap_store", "zswpout"),
        ("load_zswap", "zswpin"),
        ("zero", "swpout_zero"),
        ("load_zero", "swpin_zero"),
        ("write", "pswpout"),
        ("zswpwb", "zswpwb"),
    ];
    for (kind, total) in pairs {
        assert_eq!(Some(of(kind)), report["totals"][total].as_u64(), "{context}: {total}");
    }
}

fn field<'a>(row: &'a Row, name: &str) -> &'a Field {
    row.get_column_iter().find(|(n, _)| *n == name).map(|(_, f)| f).unwrap()
}

fn number(f: &Field) -> u64 {
    match f {
        Field::UByte(n) => (*n).into(),
        Field::UShort(n) => (*n).into(),
        Field::UInt(n) => (*n).into(),
        Field::ULong(n) => *n,
        other => panic!("{other:?} is no number"),
    }
}

#[test]
fn parquet_has_the_events_and_a_row_group_a_block() {
    let dir = tempfile::tempdir().unwrap();
    for name in FIXTURES {
        let report = report(name);
        let reader =
            SerializedFileReader::new(File::open(export(name, "e.parquet", &[], &dir)).unwrap()).unwrap();
        let blocks = vswap_tui::trace::Index::load(&File::open(fixture(name)).unwrap()).unwrap().blocks;
        let groups: Vec<i64> =
            reader.metadata().row_groups().iter().map(RowGroupMetaData::num_rows).collect();
        assert_eq!(groups, blocks.iter().map(|b| i64::from(b.count)).collect::<Vec<_>>(), "{name}");
        let rows: Vec<Row> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(Some(rows.len() as u64), report["events"].as_u64(), "{name}");
        let kinds = rows.iter().map(|r| {
            let Field::Str(kind) = field(r, "kind") else { panic!("kind is text") };
            (kind.clone(), number(field(r, "nr")), number(field(r, "flags")))
        });
        assert_sums(&sums(kinds), &report, name);
        assert!(rows.iter().any(|r| matches!(field(r, "cgroup"), Field::Str(s) if s == "/wl")), "{name}");
        let facts = reader.metadata().file_metadata().key_value_metadata().unwrap();
        let fact = |key: &str| facts.iter().find(|k| k.key == key).and_then(|k| k.value.clone());
        assert_eq!(fact("vswap.kernel").as_deref(), report["kernel"].as_str());
        assert_eq!(fact("vswap.lost").as_deref(), Some("0"));
    }
}

#[test]
fn slots_are_the_same_in_every_table_and_at_any_time() {
    let dir = tempfile::tempdir().unwrap();
    let name = "linux-7.3-1cpu-mixed.vswap";
    for at in [&[][..], &["--at", "600ms"]] {
        let told = stdout(vswap().arg("slots").arg(fixture(name)).args(at));
        let told: Vec<Value> = told.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let more = [&["--slots"], at].concat();
        let lines = fs::read_to_string(export(name, "s.ndjson", &more, &dir)).unwrap();
        let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let csv = fs::read_to_string(export(name, "s.csv", &more, &dir)).unwrap();
        let parquet =
            SerializedFileReader::new(File::open(export(name, "s.parquet", &more, &dir)).unwrap()).unwrap();
        let rows: Vec<Row> = parquet.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        // At its end the device is gone; in its middle it is full.
        assert_eq!(told.is_empty(), at.is_empty());
        assert_eq!((lines.len(), csv.lines().count() - 1, rows.len()), (told.len(), told.len(), told.len()));
        for ((slot, line), row) in told.iter().zip(&lines).zip(&rows) {
            for key in ["dev", "off", "backend", "order", "cached", "len", "confirmed"] {
                assert_eq!(slot[key], line[key], "{key}");
            }
            assert_eq!(slot["off"].as_u64(), Some(number(field(row, "off"))));
            assert_eq!(slot["memcg"], line["cgroup"]);
        }
    }
}

#[test]
fn lines_fit_their_schema_and_the_report() {
    let dir = tempfile::tempdir().unwrap();
    let schema: Value = serde_json::from_str(&stdout(vswap().args(["export", "--json-schema"]))).unwrap();
    let required: Vec<&str> =
        schema["required"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    for name in FIXTURES {
        let report = report(name);
        let lines = fs::read_to_string(export(name, "e.ndjson", &[], &dir)).unwrap();
        let objects: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        for o in &objects {
            let keys: Vec<&String> = o.as_object().unwrap().keys().collect();
            assert_eq!(keys.len(), required.len());
            assert!(required.iter().all(|r| o.get(*r).is_some()));
            assert!(schema["properties"]["kind"]["enum"].as_array().unwrap().contains(&o["kind"]));
        }
        let row = |o: &Value| {
            (o["kind"].as_str().unwrap().to_owned(), o["nr"].as_u64().unwrap(), o["flags"].as_u64().unwrap())
        };
        assert_sums(&sums(objects.iter().map(row)), &report, name);
        let csv = fs::read_to_string(export(name, "e.csv", &[], &dir)).unwrap();
        let mut csv = csv.lines().map(|l| l.split(',').map(str::to_owned).collect::<Vec<_>>());
        let header = csv.next().unwrap();
        let at = |name: &str| header.iter().position(|h| h == name).unwrap();
        let rows = csv
            .map(|r| (r[at("kind")].clone(), r[at("nr")].parse().unwrap(), r[at("flags")].parse().unwrap()));
        assert_sums(&sums(rows), &report, name);
    }
}

#[test]
fn damage_and_wrong_names_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = fs::read(fixture(FIXTURES[0])).unwrap();
    let cut = dir.path().join("cut.vswap");
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let out = dir.path().join("cut.parquet");
    vswap().arg("export").arg(&cut).arg("-o").arg(&out).assert().code(5);
    let reader = SerializedFileReader::new(File::open(&out).unwrap()).unwrap();
    let facts = reader.metadata().file_metadata().key_value_metadata().unwrap();
    assert!(facts.iter().any(|k| k.key == "vswap.damage"), "{facts:?}");
    let wrong = vswap().arg("export").arg(&cut).args(["-o", "x.what"]).assert().code(2);
    let said = String::from_utf8(wrong.get_output().stderr.clone()).unwrap();
    assert!(said.contains(".parquet") && said.contains("--format"), "{said}");
    vswap().arg("export").arg(&cut).arg("-o").arg(&out).assert().code(1);
}

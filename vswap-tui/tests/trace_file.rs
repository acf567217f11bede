//! Opening a trace for writing, and scanning one for its index.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail their test")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use vswap_common::{Kind, Record};
use vswap_tui::meta::{Header, Trailer};
use vswap_tui::trace::file::create;
use vswap_tui::trace::{Index, TraceError, TraceWriter};

#[test]
fn a_new_file_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.vswap");
    create(&path, false).unwrap().write_all(b"x").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_existing_file_needs_force_and_the_message_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.vswap");
    fs::write(&path, "precious").unwrap();
    let message = create(&path, false).unwrap_err().to_string();
    assert!(message.contains("--force") && message.contains("t.vswap"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn force_puts_a_new_private_file_under_the_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.vswap");
    let linked = dir.path().join("hard-link");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::hard_link(&path, &linked).unwrap();
    let before = fs::metadata(&path).unwrap().ino();
    create(&path, true).unwrap().write_all(b"new").unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_ne!(after.ino(), before);
    assert_eq!(after.permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::read(&linked).unwrap(), b"old", "the other name keeps the old data");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn a_symbolic_link_is_never_followed() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("target");
    fs::write(&target, "precious").unwrap();
    for (name, to) in [("link", target.as_path()), ("dangling", Path::new("nowhere"))] {
        let link = dir.path().join(name);
        symlink(to, &link).unwrap();
        for force in [false, true] {
            let message = create(&link, force).unwrap_err().to_string();
            assert!(message.contains("symbolic link"), "{message}");
        }
    }
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    assert!(!dir.path().join("nowhere").exists());
}

#[test]
fn directories_and_missing_folders_are_named() {
    let dir = tempfile::tempdir().unwrap();
    assert!(create(dir.path(), true).unwrap_err().to_string().contains("not a regular file"));
    let message = format!("{:#}", create(&dir.path().join("no/such/t"), false).unwrap_err());
    assert!(message.contains("no/such/t") && message.contains("No such file"), "{message}");
}

fn trace(path: &Path, blocks: u64) -> u64 {
    let mut w = TraceWriter::new(create(path, false).unwrap(), &Header::default()).unwrap();
    for i in 0..blocks * 10 {
        w.push(&Record { ts: 1000 + i, kind: Kind::Alloc as u8, nr: 1, ..Record::default() }).unwrap();
        if i % 10 == 9 {
            w.flush().unwrap();
        }
    }
    let whole = w.bytes();
    w.finish(&Trailer::default()).unwrap();
    whole
}

#[test]
fn index_lists_blocks_with_their_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.vswap");
    let without_trailer = trace(&path, 3);
    let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let index = Index::scan(&file).unwrap();
    assert!(index.whole);
    assert_eq!((index.records(), index.span()), (30, Some((1000, 1029))));
    let times: Vec<_> = index.blocks.iter().map(|b| (b.before, b.count, b.first_ts, b.last_ts)).collect();
    assert_eq!(times, [(0, 10, 1000, 1009), (10, 10, 1010, 1019), (20, 10, 1020, 1029)]);

    file.set_len(without_trailer - 1).unwrap();
    let cut = Index::scan(&file).unwrap();
    assert!(!cut.whole);
    assert_eq!(cut.blocks, index.blocks[..2]);
}

#[test]
fn index_of_something_else_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    fs::write(&path, "short").unwrap();
    assert!(matches!(Index::scan(&fs::File::open(&path).unwrap()), Err(TraceError::CutShort { at: 5 })));
    fs::write(&path, [b'x'; 100]).unwrap();
    assert!(matches!(Index::scan(&fs::File::open(&path).unwrap()), Err(TraceError::NotATrace)));
}

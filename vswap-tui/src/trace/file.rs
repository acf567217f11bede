//! Opening a trace for writing: private, never through a symbolic link, never over something by accident.

use anyhow::{Context, bail};
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Opens the output of a recording, mode 0600. `-` is standard output, an existing named pipe is written to, and
/// an existing file is replaced only with `force`: by a new file under its name, so that a reader of the old one
/// keeps what it has.
///
/// # Errors
/// Says what is in the way and how to get past it.
pub fn create(path: &Path, force: bool) -> anyhow::Result<File> {
    if path == Path::new("-") {
        return stdout();
    }
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_symlink() => {
            bail!("{shown} is a symbolic link, and traces are never written through one: give the real path")
        }
        Ok(meta) if meta.file_type().is_fifo() => {
            let opened = private().open(path).with_context(|| format!("open {shown}"))?;
            // Between the look and the open the pipe may have become something else.
            if !opened.metadata().with_context(|| format!("read {shown}"))?.file_type().is_fifo() {
                bail!("{shown} was replaced while it was opened");
            }
            Ok(opened)
        }
        Ok(meta) if !meta.is_file() => {
            bail!("{shown} is not a regular file: give a file name, a named pipe, or - for standard output")
        }
        Ok(_) if !force => bail!("{shown} exists: give another name, or --force to replace it"),
        Ok(_) => replace(path),
        Err(e) if e.kind() == ErrorKind::NotFound => fresh(path).with_context(|| format!("create {shown}")),
        Err(e) => Err(e).with_context(|| format!("create {shown}")),
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    options
}

fn fresh(path: &Path) -> io::Result<File> {
    private().create_new(true).open(path)
}

/// A new file takes the name of the old one. Truncating the old one would keep its mode and its hard links.
fn replace(path: &Path) -> anyhow::Result<File> {
    let temporary = beside(path).with_context(|| format!("{} has no file name", path.display()))?;
    let file = fresh(&temporary).with_context(|| format!("create {}", temporary.display()))?;
    if let Err(e) = fs::rename(&temporary, path) {
        // The rename's error is the one to tell; a leftover empty file is the lesser evil.
        let _ = fs::remove_file(&temporary);
        return Err(e).with_context(|| format!("replace {}", path.display()));
    }
    Ok(file)
}

fn beside(path: &Path) -> Option<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name()?);
    name.push(format!(".{}", std::process::id()));
    Some(path.with_file_name(name))
}

fn stdout() -> anyhow::Result<File> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        bail!(
            "standard output is a terminal, and a trace is binary: pipe it (| vswap live --input -) or give -o FILE"
        );
    }
    Ok(File::from(stdout.as_fd().try_clone_to_owned().context("open standard output")?))
}

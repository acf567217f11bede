//! Running other programs, and the places of the workspace.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Root folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The workspace's target folder: every product of xtask lies below it.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// The cargo that runs us, so that a toolchain chosen on the command line stays chosen.
pub(crate) fn cargo() -> Command {
    let mut cmd = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cmd.current_dir(root()).env("CARGO_TARGET_DIR", target());
    cmd
}

/// A progress line on stderr.
pub(crate) fn say(message: impl AsRef<str>) {
    eprintln!("==> {}", message.as_ref());
}

/// Runs to the end with our own stdin, stdout and stderr.
pub(crate) fn run(cmd: &mut Command) -> Result<()> {
    let status = cmd.status().with_context(|| format!("cannot start {}", shown(cmd)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(cmd));
    }
    Ok(())
}

/// As [`run`], announced before and timed after.
pub(crate) fn step(title: &str, cmd: &mut Command) -> Result<()> {
    timed(title, || run(cmd))
}

/// Announces a step, runs it, and says how long it took.
pub(crate) fn timed<T>(title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    say(title);
    let start = Instant::now();
    let value = work().with_context(|| title.to_owned())?;
    say(format!("{title}: ok, {:.1} s", start.elapsed().as_secs_f64()));
    Ok(value)
}

/// Standard output of a program that must succeed; its stderr is part of the error.
pub(crate) fn output(cmd: &mut Command) -> Result<String> {
    let out = cmd.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", shown(cmd)))?;
    if !out.status.success() {
        bail!("{} ended with {}: {}", shown(cmd), out.status, String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The first file of that name on `PATH`, in cargo's own bin folder or in the system folders an
/// unprivileged `PATH` leaves out.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(cargo_bin())
        .chain(["/usr/sbin", "/sbin", "/bin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// Where `cargo install` puts programs.
pub(crate) fn cargo_bin() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")))?;
    Some(home.join("bin"))
}

/// `PATH` with cargo's bin folder in it, for children that look up `bpf-linker`.
pub(crate) fn path_with_cargo_bin() -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(cargo_bin());
    std::env::join_paths(dirs).unwrap_or(path)
}

/// Program and arguments for a message.
fn shown(cmd: &Command) -> String {
    let words = std::iter::once(cmd.get_program()).chain(cmd.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_name_the_command_and_its_words() {
        let err = output(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err().to_string();
        assert!(err.contains("sh -c") && err.contains("why") && err.contains('3'), "{err}");
        let err = run(&mut Command::new("/no/such/program")).unwrap_err().to_string();
        assert!(err.contains("/no/such/program"), "{err}");
    }

    #[test]
    fn finds_programs() {
        assert!(which("sh").is_some());
        assert!(which("no-such-program-of-vswap").is_none());
        assert!(root().join("Cargo.toml").is_file());
    }
}

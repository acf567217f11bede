//! `cargo xtask build`: the eBPF object with its own compiler, then the binary with the object inside.

use crate::{setup, sh};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// The machine that the static binary runs on.
const STATIC_TARGET: &str = "x86_64-unknown-linux-gnu";

/// `v3` for bounded loops, 32-bit compares and atomics: all kernels we support verify it. The debug information is
/// what bpf-linker turns into the object's BTF.
const EBPF_FLAGS: &str = "-Ctarget-cpu=v3 -Cdebuginfo=2 -Clink-arg=--btf";

/// Options of `build`.
#[derive(clap::Args, Default)]
pub(crate) struct BuildArgs {
    /// Also target/dist/vswap, without shared libraries
    #[arg(long = "static")]
    pub(crate) static_: bool,
    /// Only the eBPF object
    #[arg(long, conflicts_with = "static_")]
    ebpf_only: bool,
}

/// Runs the command.
pub(crate) fn run(args: &BuildArgs) -> Result<()> {
    let object = ebpf()?;
    println!("{}", object.display());
    if args.ebpf_only {
        return Ok(());
    }
    println!("{}", vswap()?.display());
    if args.static_ {
        println!("{}", static_vswap()?.display());
    }
    Ok(())
}

/// Builds the eBPF object; returns its place.
pub(crate) fn ebpf() -> Result<PathBuf> {
    let toolchain = setup::ebpf()?;
    let crate_dir = sh::root().join("vswap-ebpf");
    if !crate_dir.join("Cargo.toml").is_file() {
        bail!("{} has no Cargo.toml", crate_dir.display());
    }
    let out = sh::target().join("ebpf");
    let mut cmd = toolchain.cargo();
    cmd.current_dir(&crate_dir).env("CARGO_TARGET_DIR", &out).env("RUSTFLAGS", EBPF_FLAGS);
    cmd.args(["build", "--release", "-Z", "build-std=core", "--target", "bpfel-unknown-none"]);
    sh::step("Building the eBPF object", &mut cmd)?;
    let object = sh::target().join("bpf/vswap.bpf.o");
    copy_if_changed(&out.join("bpfel-unknown-none/release/vswap-ebpf"), &object)?;
    Ok(object)
}

/// Builds the binary for this host with whatever object there is; returns its place.
pub(crate) fn vswap() -> Result<PathBuf> {
    let mut cmd = sh::cargo();
    cmd.args(["build", "--release", "--package", "vswap-tui", "--bin", "vswap"]);
    sh::step("Building vswap", &mut cmd)?;
    Ok(sh::target().join("release/vswap"))
}

/// Builds the static binary; returns `target/dist/vswap`.
pub(crate) fn static_vswap() -> Result<PathBuf> {
    static_binary("vswap-tui", "vswap")
}

/// Builds the static workload program for guests.
pub(crate) fn static_workload() -> Result<PathBuf> {
    static_binary("vswap-workload", "vswap-workload")
}

fn static_binary(package: &str, bin: &str) -> Result<PathBuf> {
    let out = sh::target().join("static");
    let mut cmd = sh::cargo();
    // Its own folder: other flags in the same one would rebuild everything back and forth.
    cmd.env("CARGO_TARGET_DIR", &out).env("RUSTFLAGS", "-C target-feature=+crt-static");
    cmd.args(["build", "--release", "--target", STATIC_TARGET, "--package", package, "--bin", bin]);
    sh::step(&format!("Building static {bin}"), &mut cmd)?;
    let dist = sh::target().join("dist").join(bin);
    copy_if_changed(&out.join(STATIC_TARGET).join("release").join(bin), &dist)?;
    Ok(dist)
}

/// Copies only a file that differs: the time of the copy decides what cargo rebuilds.
fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let new = fs::read(from).with_context(|| from.display().to_string())?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    // Copy beside, then rename: the old one may be running. Two of us may do so at the same time.
    let part = to.with_extension(format!("{}.part", std::process::id()));
    fs::copy(from, &part).with_context(|| part.display().to_string())?;
    fs::rename(&part, to).with_context(|| to.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unchanged_copy_keeps_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("a"), dir.path().join("out/b"));
        fs::write(&from, "one").unwrap();
        copy_if_changed(&from, &to).unwrap();
        let old = std::time::SystemTime::UNIX_EPOCH;
        fs::File::options().write(true).open(&to).unwrap().set_modified(old).unwrap();
        copy_if_changed(&from, &to).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().modified().unwrap(), old);
        fs::write(&from, "two").unwrap();
        copy_if_changed(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "two");
    }
}

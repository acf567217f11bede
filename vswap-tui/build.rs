//! Puts the eBPF object where the tracer includes it: `OUT_DIR/vswap.bpf.o`.
//!
//! `cargo xtask build` leaves the object in `target/bpf`. Without it the copy is empty and the binary says so when
//! it is asked to trace: tests, `replay` and `demo` need neither the eBPF toolchain nor this file.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=VSWAP_BPF_OBJECT");
    let object = match env::var_os("VSWAP_BPF_OBJECT") {
        Some(path) => {
            let path = PathBuf::from(path);
            println!("cargo::rerun-if-changed={}", path.display());
            path
        }
        None => built_object(&var("CARGO_MANIFEST_DIR")?),
    };
    let copy = var("OUT_DIR")?.join("vswap.bpf.o");
    match fs::read(&object) {
        Ok(bytes) => fs::write(copy, bytes),
        Err(err) if err.kind() == io::ErrorKind::NotFound => fs::write(copy, []),
        Err(err) => Err(io::Error::new(err.kind(), format!("{}: {err}", object.display()))),
    }
}

/// The object of this workspace. Watches the folder, not the file: cargo takes a watched file that does not exist
/// for changed every time, and the folder's time tells when the object appears or vanishes.
fn built_object(manifest: &Path) -> PathBuf {
    let folder = manifest.join("../target/bpf");
    if folder.is_dir() || fs::create_dir_all(&folder).is_ok() {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    folder.join("vswap.bpf.o")
}

fn var(name: &str) -> io::Result<PathBuf> {
    env::var_os(name)
        .map(PathBuf::from)
        .ok_or_else(|| io::Error::other(format!("{name} is not set by cargo")))
}

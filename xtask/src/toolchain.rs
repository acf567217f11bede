//! Which compiler builds the eBPF object. Stable Rust cannot: the BPF target has no prebuilt `core`.

use crate::sh;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's second rustc: newer than the suite's own, with library source and an LLVM to link bpf-linker against.
const PAIR_RUSTC: &str = "/usr/bin/rustc";
const PAIR_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/core/src/lib.rs";

/// The packages of the pair. LLVM's major version must be the one rustc-web was built with.
pub(crate) const PAIR_PACKAGES: [&str; 4] = ["rustc-web", "rust-web-src", "llvm-22-dev", "libpolly-22-dev"];

/// A compiler with library source, and the linker that fits its LLVM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EbpfToolchain {
    /// Debian's `rustc-web` and `rust-web-src`, driven by the cargo that runs us.
    DebianPair,
    /// rustup's nightly with the `rust-src` component.
    Nightly,
}

/// What is there and what is missing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probe {
    /// A compiler with library source.
    pub(crate) compiler: Option<EbpfToolchain>,
    /// `bpf-linker`.
    pub(crate) linker: Option<PathBuf>,
}

impl Probe {
    /// Looks for files only, so that a second run of anything costs nothing.
    pub(crate) fn here() -> Self {
        let pair = Path::new(PAIR_RUSTC).is_file() && Path::new(PAIR_SOURCE).is_file();
        let compiler = if pair {
            Some(EbpfToolchain::DebianPair)
        } else if nightly_with_source() {
            Some(EbpfToolchain::Nightly)
        } else {
            None
        };
        Self { compiler, linker: sh::which("bpf-linker") }
    }

    /// The toolchain, or what to run to get one.
    pub(crate) fn ready(&self) -> Result<EbpfToolchain> {
        match (&self.compiler, &self.linker) {
            (Some(toolchain), Some(_)) => Ok(toolchain.clone()),
            (None, _) => bail!("no Rust compiler that can build for eBPF; `cargo xtask setup` installs one"),
            (_, None) => bail!("no bpf-linker; `cargo xtask setup` installs it"),
        }
    }
}

impl EbpfToolchain {
    /// A cargo command with this compiler, to be run in the eBPF crate's folder.
    pub(crate) fn cargo(&self) -> Command {
        let mut cmd = match self {
            Self::DebianPair => {
                let mut cmd = sh::cargo();
                // The pair is a stable compiler; build-std is a nightly option.
                cmd.env("RUSTC", PAIR_RUSTC).env("RUSTC_BOOTSTRAP", "1");
                cmd
            }
            Self::Nightly => {
                let mut cmd = Command::new("rustup");
                cmd.args(["run", "nightly", "cargo"]);
                // Set by the cargo that runs us; they would drag its stable compiler in.
                for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
                    cmd.env_remove(name);
                }
                cmd
            }
        };
        cmd.env_remove("CARGO_ENCODED_RUSTFLAGS").env("PATH", sh::path_with_cargo_bin());
        cmd
    }

    /// `rustc -vV` of this compiler.
    pub(crate) fn verbose_version(&self) -> Result<String> {
        match self {
            Self::DebianPair => sh::output(Command::new(PAIR_RUSTC).arg("-vV")),
            Self::Nightly => sh::output(
                Command::new("rustup")
                    .args(["run", "nightly", "rustc", "-vV"])
                    .env_remove("RUSTUP_TOOLCHAIN"),
            ),
        }
    }
}

/// Major LLVM version in the output of `rustc -vV`.
pub(crate) fn llvm_major(verbose_version: &str) -> Option<u32> {
    let line = verbose_version.lines().find_map(|l| l.strip_prefix("LLVM version: "))?;
    line.split('.').next()?.trim().parse().ok()
}

/// rustup's folder of a nightly toolchain has the library source.
fn nightly_with_source() -> bool {
    let home = std::env::var_os("RUSTUP_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".rustup")));
    let Some(Ok(toolchains)) = home.map(|home| std::fs::read_dir(home.join("toolchains"))) else {
        return false;
    };
    toolchains.flatten().any(|entry| {
        entry.file_name().to_string_lossy().starts_with("nightly-")
            && entry.path().join("lib/rustlib/src/rust/library/core/src/lib.rs").is_file()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llvm_of_rustc() {
        assert_eq!(llvm_major("rustc 1.96.0\nrelease: 1.96.0\nLLVM version: 22.1.8\n"), Some(22));
        assert_eq!(llvm_major("rustc 1.96.0"), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        let err = Probe::default().ready().unwrap_err().to_string();
        assert!(err.contains("cargo xtask setup"), "{err}");
        let no_linker = Probe { compiler: Some(EbpfToolchain::Nightly), linker: None };
        assert!(no_linker.ready().unwrap_err().to_string().contains("bpf-linker"));
    }
}

//! `cargo xtask setup`: finds what is needed, installs what it can, prints the command for the rest.

use crate::sh;
use crate::toolchain::{EbpfToolchain, PAIR_PACKAGES, Probe, llvm_major};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Options of `setup`.
#[derive(clap::Args, Default)]
pub(crate) struct SetupArgs {
    /// Also QEMU and what building a guest needs
    #[arg(long)]
    pub(crate) vm: bool,
}

/// A program a guest needs on the host, and the Debian package that carries it.
const VM_TOOLS: [(&str, &str); 6] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("cpio", "cpio"),
    ("xz", "xz-utils"),
    ("gzip", "gzip"),
    ("tar", "tar"),
];

/// Runs the command.
pub(crate) fn run(args: &SetupArgs) -> Result<()> {
    let toolchain = ebpf()?;
    sh::say(format!("eBPF toolchain: {}", describe(&toolchain)));
    if args.vm {
        vm()?;
        sh::say("guest tools: present");
    }
    Ok(())
}

fn describe(toolchain: &EbpfToolchain) -> &'static str {
    match toolchain {
        EbpfToolchain::DebianPair => "rustc-web with rust-web-src, bpf-linker",
        EbpfToolchain::Nightly => "rustup nightly with rust-src, bpf-linker",
    }
}

/// The eBPF toolchain, installed if need be.
pub(crate) fn ebpf() -> Result<EbpfToolchain> {
    // Rust links with the system's compiler driver; a bare Debian has none.
    if sh::which("cc").is_none() {
        install(&["gcc", "libc6-dev"], "a C compiler driver for linking")?;
    }
    let probe = Probe::here();
    if let Ok(toolchain) = probe.ready() {
        return Ok(toolchain);
    }
    let compiler = match probe.compiler {
        Some(compiler) => compiler,
        None => install_compiler()?,
    };
    if probe.linker.is_none() {
        install_linker(&compiler)?;
    }
    Probe::here().ready()
}

fn install_compiler() -> Result<EbpfToolchain> {
    let mut tried = Vec::new();
    match apt_has(PAIR_PACKAGES[0]) {
        Ok(true) => {
            install(&PAIR_PACKAGES, "a Rust compiler with library source")?;
            return Ok(EbpfToolchain::DebianPair);
        }
        Ok(false) => tried.push(format!("apt has no package {}", PAIR_PACKAGES[0])),
        Err(err) => tried.push(format!("{err:#}")),
    }
    let rustup = "rustup toolchain install nightly --profile minimal --component rust-src";
    if sh::which("rustup").is_some() {
        match sh::step("Installing nightly Rust with rust-src", Command::new("sh").args(["-c", rustup])) {
            Ok(()) => return Ok(EbpfToolchain::Nightly),
            Err(err) => tried.push(format!("{err:#}")),
        }
    } else {
        tried.push("rustup is not installed".to_owned());
    }
    bail!(
        "no Rust compiler that can build for eBPF ({}). One of these installs one:\n  {rustup}\n  {}",
        tried.join("; "),
        apt_command(&PAIR_PACKAGES)
    )
}

/// bpf-linker reads the compiler's bitcode, so it must be built with the compiler's LLVM.
fn install_linker(compiler: &EbpfToolchain) -> Result<()> {
    let version = compiler.verbose_version()?;
    let llvm = llvm_major(&version).context("rustc -vV names no LLVM version")?;
    let prefix = PathBuf::from(format!("/usr/lib/llvm-{llvm}"));
    let (dev, polly) = (format!("llvm-{llvm}-dev"), format!("libpolly-{llvm}-dev"));
    if !prefix.join("include/llvm-c/Core.h").is_file() {
        install(&[&dev, &polly], "LLVM headers for bpf-linker")?;
    }
    // The eBPF compiler's environment must not reach this build: it is an ordinary program for this host.
    let mut cmd = sh::cargo();
    cmd.env_remove("CARGO_TARGET_DIR").env("LLVM_PREFIX", &prefix);
    cmd.args(["install", "bpf-linker", "--locked", "--no-default-features"]);
    cmd.args(["--features", &format!("llvm-{llvm}")]);
    sh::step("Installing bpf-linker (about a minute)", &mut cmd)
}

/// What booting guests needs, installed if need be.
pub(crate) fn vm() -> Result<()> {
    let mut missing: Vec<&str> = VM_TOOLS
        .iter()
        .filter(|(program, _)| sh::which(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    if busybox().is_err() && !missing.contains(&"busybox-static") {
        missing.push("busybox-static");
    }
    if !missing.is_empty() {
        install(&missing, "booting guests")?;
    }
    busybox().map(|_| ())
}

/// Other recorders, to compare ours with: trace-cmd and perf, installed if need be.
pub(crate) fn tracers() -> Result<Vec<PathBuf>> {
    const TRACERS: [(&str, &str); 2] = [("trace-cmd", "trace-cmd"), ("perf", "linux-perf")];
    let missing: Vec<&str> =
        TRACERS.iter().filter(|(name, _)| sh::which(name).is_none()).map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        install(&missing, "comparing recorders")?;
    }
    TRACERS.iter().map(|(name, _)| sh::which(name).with_context(|| format!("no {name}"))).collect()
}

/// A busybox that runs without shared libraries.
pub(crate) fn busybox() -> Result<PathBuf> {
    let path = sh::which("busybox").context("no busybox; the Debian package is busybox-static")?;
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    // The path of the dynamic loader stands near the head of every program that needs one.
    let head = &bytes[..bytes.len().min(4096)];
    if head.windows(8).any(|w| w == b"ld-linux") || head.windows(7).any(|w| w == b"ld-musl") {
        bail!("{} needs shared libraries; install busybox-static", path.display());
    }
    Ok(path)
}

/// Installs Debian packages if we may, otherwise fails with the command that would.
fn install(packages: &[&str], purpose: &str) -> Result<()> {
    let by_hand = || format!("{purpose}: please run\n  {}", apt_command(packages));
    if sh::which("apt-get").is_none() {
        bail!(
            "{purpose}: this system has no apt-get; please install the equivalents of {}",
            packages.join(" ")
        );
    }
    if !is_root() {
        bail!("{}", by_hand());
    }
    apt_update();
    let mut cmd = Command::new("apt-get");
    cmd.args(["install", "-y", "--no-install-recommends"]).args(packages);
    cmd.env("DEBIAN_FRONTEND", "noninteractive");
    sh::step(&format!("Installing {} ({purpose})", packages.join(" ")), &mut cmd).with_context(by_hand)
}

fn apt_command(packages: &[&str]) -> String {
    format!("sudo apt-get update && sudo apt-get install -y --no-install-recommends {}", packages.join(" "))
}

/// Refreshes the package lists. A source that fails leaves the others usable, so this only warns.
fn apt_update() {
    if let Err(err) = sh::step("apt-get update", Command::new("apt-get").args(["update", "-qq"])) {
        sh::say(format!("going on with the package lists there are: {err:#}"));
    }
}

/// True if apt could install `package`; asks again after an update, as a fresh machine has no lists.
pub(crate) fn apt_has(package: &str) -> Result<bool> {
    if sh::which("apt-get").is_none() {
        bail!("this system has no apt-get");
    }
    let known = || {
        sh::output(Command::new("apt-cache").args(["show", "--no-all-versions", package]))
            .is_ok_and(|text| text.contains("Version:"))
    };
    if known() {
        return Ok(true);
    }
    if is_root() {
        apt_update();
    }
    Ok(known())
}

/// Effective user id 0, read where no system call binding is needed.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(Path::new("/proc/self")).is_ok_and(|meta| meta.uid() == 0)
}

//! `cargo xtask vm`: a real kernel under QEMU with vswap and the workload program in it.
//!
//! ```text
//! kernel (Debian package or file) --.
//! static vswap, workload, busybox  --+-> initramfs -> QEMU -> console (markers) + out disk -> --out
//! script (given, or our suite)     --'                   `-> live port -> `vswap live --input -`
//! ```

pub(crate) mod console;
mod initramfs;
mod kernel;
mod live;
mod qemu;
pub(crate) mod size;
pub(crate) mod suite;

use crate::{build, setup, sh};
use anyhow::{Context, Result};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Options of `vm`.
#[derive(clap::Args, Clone)]
pub(crate) struct VmArgs {
    /// Kernel: a version like 7.3 or 6.12 (newest Debian package of it), or the path of a bzImage
    #[arg(long, default_value = "7.3")]
    kernel: String,
    /// Folder with the modules of a kernel given by path (lib/modules/VERSION)
    #[arg(long)]
    modules: Option<PathBuf>,
    /// Fetch the newest package even if one is in the cache
    #[arg(long)]
    refresh: bool,
    /// Shell script to run in the guest; without it: our suite
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Suite only: boots or scenarios whose name contains this
    #[arg(long, value_name = "NAME", conflicts_with = "script")]
    only: Option<String>,
    /// Suite only: judge what the last run left, without booting
    #[arg(long, conflicts_with = "script")]
    judge: bool,
    /// The suite on every kernel that we know
    #[arg(long, conflicts_with_all = ["script", "kernel", "only", "judge", "live"])]
    matrix: bool,
    /// Suite only: so many guests at a time. Most have one busy CPU; beside others a load may be too slow for its test
    #[arg(long, value_name = "N", default_value = "1", conflicts_with_all = ["script", "live"])]
    guests: NonZero<u8>,
    /// Where to put what the guest left in /out
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Memory of the guest in MiB
    #[arg(long, default_value_t = 2000)]
    memory: u32,
    /// CPUs of the guest
    #[arg(long, default_value_t = 2)]
    cpus: u32,
    /// Size of the swap disk in MiB
    #[arg(long, default_value_t = 512)]
    swap: u64,
    /// More words for the kernel's command line, e.g. lockdown=confidentiality
    #[arg(long, value_name = "WORDS", default_value = "")]
    append: String,
    /// Stream a recording from the guest into the dashboard of the host, while a workload (or --script) runs
    #[arg(long)]
    live: bool,
    /// Options of `vswap live` on the host, with --live
    #[arg(last = true, requires = "live")]
    live_args: Vec<String>,
    /// Give up after this time
    #[arg(long, default_value = "10m", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

/// A guest to run.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    /// Kernel to boot.
    pub(crate) kernel: kernel::Kernel,
    /// Name of the run: its folder below target/vm.
    pub(crate) name: String,
    /// What the guest does: a shell script.
    pub(crate) script: String,
    /// Memory in MiB.
    pub(crate) memory: u32,
    /// CPUs.
    pub(crate) cpus: u32,
    /// Swap disk in MiB.
    pub(crate) swap: u64,
    /// More words for the kernel's command line.
    pub(crate) append: String,
    /// Its CPUs run in turn on one thread. Needed where hooks are attached under load: emulated side by side, a CPU
    /// may run the breakpoint of a patched instruction after the patching is over, which no real one can.
    pub(crate) in_turn: bool,
    /// Time after which the run is a failure.
    pub(crate) timeout: Duration,
    /// Show the console while it runs.
    pub(crate) echo: bool,
}

impl Guest {
    /// Folder with everything of this run.
    pub(crate) fn dir(&self) -> PathBuf {
        sh::target().join("vm").join(&self.name)
    }
}

/// The static programs that go into a guest.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// `vswap` with the eBPF object inside.
    pub(crate) vswap: PathBuf,
    /// The test workload.
    pub(crate) workload: PathBuf,
    /// Programs of the host and their libraries, at the same places; only what a benchmark compares with.
    pub(crate) tools: Vec<PathBuf>,
}

impl Programs {
    /// Builds them.
    pub(crate) fn build() -> Result<Self> {
        build::ebpf()?;
        Ok(Self { vswap: build::static_vswap()?, workload: build::static_workload()?, tools: Vec::new() })
    }
}

/// Runs the command; returns the exit code of the script.
pub(crate) fn run(args: &VmArgs) -> Result<u8> {
    setup::vm()?;
    if args.matrix {
        suite::run_versions(&suite::MATRIX, args.refresh, args.guests)?;
        return Ok(0);
    }
    let kernel = kernel::find(&args.kernel, args.modules.as_deref(), args.refresh)?;
    let programs = Programs::build()?;
    let script = match &args.script {
        Some(path) => std::fs::read_to_string(path).with_context(|| path.display().to_string())?,
        None if args.live => live::WORKLOAD.to_owned(),
        None => {
            let options = suite::Options {
                out: args.out.clone(),
                only: args.only.clone(),
                judge_only: args.judge,
                guests: args.guests,
            };
            return suite::run_on(&kernel, &programs, &options).map(|()| 0);
        }
    };
    let guest = Guest {
        name: format!("{}-{}", kernel.name, if args.live { "live" } else { "script" }),
        kernel,
        script,
        memory: args.memory,
        cpus: args.cpus,
        swap: args.swap,
        append: args.append.clone(),
        in_turn: false,
        timeout: args.timeout,
        echo: !args.live,
    };
    if args.live {
        return live::run(&guest, &programs, &args.live_args);
    }
    let default_out = guest.dir().join("out");
    let out = args.out.as_deref().unwrap_or(&default_out);
    let code = boot(&guest, &programs, out)?;
    sh::say(format!("script ended with {code}; /out of the guest is in {}", out.display()));
    Ok(code)
}

/// Boots, runs the script, brings /out back. Returns the script's exit code; a guest that crashed or hung is an error.
pub(crate) fn boot(guest: &Guest, programs: &Programs, out: &Path) -> Result<u8> {
    let image = initramfs::make(guest, programs)?;
    let run = || -> Result<u8> {
        let disks = qemu::Disks::create(guest)?;
        let code = qemu::start(guest, &image, &disks, None)?.wait()?;
        disks.unpack(out)?;
        Ok(code)
    };
    match run() {
        Err(err) if err.is::<qemu::EmulatorFault>() => {
            sh::say(format!(
                "{err:#}\nThis is how the emulation of several CPUs fails now and then: once more"
            ));
            run()
        }
        other => other,
    }
}

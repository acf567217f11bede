//! The virtual machine: start, watch the console, end.

use super::{Guest, console::Console, initramfs::Initramfs};
use crate::sh;
use anyhow::{Context, Result, anyhow, bail};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// The kernel's command line. Stall detectors get time: emulated CPUs share real ones with everything else here.
const BOOT_WORDS: &str = "console=ttyS0 panic=-1 oops=panic quiet mitigations=off \
     rcupdate.rcu_cpu_stall_timeout=120 watchdog_thresh=60";

/// Size of the disk that brings /out back.
const OUT_BYTES: u64 = 1 << 30;

/// After the kernel said it is in trouble: time for the rest of its message.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Longest time from power on to the guest's first program: some fifty times what it takes on a machine at rest.
const TO_START: Duration = Duration::from_secs(180);

/// Longest time without looking whether somebody wants the guest to end.
const LOOK_UP: Duration = Duration::from_millis(250);

/// Swap disk (vda) and out disk (vdb), both sparse. Removed when dropped: a run of the suite would fill a small disk.
#[derive(Debug)]
pub(crate) struct Disks {
    swap: PathBuf,
    out: PathBuf,
}

impl Disks {
    /// Makes empty ones.
    pub(crate) fn create(guest: &Guest) -> Result<Self> {
        let disks = Self { swap: guest.dir().join("swap.img"), out: guest.dir().join("out.img") };
        for (path, bytes) in [(&disks.swap, guest.swap << 20), (&disks.out, OUT_BYTES)] {
            let file = File::create(path).with_context(|| path.display().to_string())?;
            file.set_len(bytes).with_context(|| path.display().to_string())?;
        }
        Ok(disks)
    }

    /// Unpacks what the guest left into `out`, which is emptied before.
    pub(crate) fn unpack(&self, out: &Path) -> Result<()> {
        if out.exists() {
            fs::remove_dir_all(out).with_context(|| out.display().to_string())?;
        }
        fs::create_dir_all(out).with_context(|| out.display().to_string())?;
        sh::run(Command::new("tar").arg("xf").arg(&self.out).arg("-C").arg(out))
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        for path in [&self.swap, &self.out] {
            // What is left behind is written over by the next run.
            let _ = fs::remove_file(path);
        }
    }
}

/// What QEMU's emulation of several CPUs now and then does to a kernel that patches its own code: a CPU executes an
/// instruction that is no longer there. The kernel hangs or dies before the guest's first program, or dies of a
/// breakpoint that nobody owns (LKML, July 2023, "booting with 8.0.0 still see int3"). No statement about the kernel
/// or about us, unless it comes again.
#[derive(Debug)]
pub(crate) struct EmulatorFault(String);

impl std::fmt::Display for EmulatorFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EmulatorFault {}

/// A running guest. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Machine {
    name: String,
    child: Child,
    lines: Receiver<String>,
    log: File,
    log_path: PathBuf,
    deadline: Instant,
    timeout: Duration,
    echo: bool,
}

/// Starts QEMU. With `port` the guest has a virtio serial port that is this socket on the host; the machine waits
/// until somebody connects, so that no byte is lost.
pub(crate) fn start(
    guest: &Guest,
    initramfs: &Initramfs,
    disks: &Disks,
    port: Option<&Path>,
) -> Result<Machine> {
    let mut cmd = Command::new("qemu-system-x86_64");
    // Emulation also where the host has KVM: nested hosts announce it and then fail, and results stay comparable.
    let threads = if guest.in_turn { "single" } else { "multi" };
    cmd.arg("-accel").arg(format!("tcg,thread={threads}"));
    cmd.args(["-cpu", "max", "-nic", "none", "-display", "none"]);
    cmd.args(["-monitor", "none", "-serial", "stdio", "-no-reboot"]);
    cmd.args(["-smp", &guest.cpus.to_string(), "-m", &guest.memory.to_string()]);
    cmd.arg("-kernel").arg(&guest.kernel.image).arg("-initrd").arg(initramfs.path());
    cmd.arg("-append").arg(format!("{BOOT_WORDS} {}", guest.append));
    for disk in [&disks.swap, &disks.out] {
        cmd.arg("-drive").arg(format!("file={},if=virtio,format=raw,cache=unsafe", disk.display()));
    }
    if let Some(port) = port {
        cmd.args(["-device", "virtio-serial-pci"]);
        cmd.arg("-chardev").arg(format!("socket,id=live,path={},server=on,wait=on", port.display()));
        cmd.args(["-device", "virtserialport,chardev=live,name=vswap.live"]);
    }
    let mut child = cmd
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start qemu-system-x86_64; `cargo xtask setup --vm` installs it")?;
    let stdout = child.stdout.take().context("console of the guest")?;
    let (send, lines) = sync_channel(1024);
    thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if send.send(text).is_err() {
                break;
            }
            line.clear();
        }
    });
    let log_path = guest.dir().join("console.log");
    let log = File::create(&log_path).with_context(|| log_path.display().to_string())?;
    let deadline = Instant::now() + guest.timeout;
    Ok(Machine {
        name: guest.name.clone(),
        child,
        lines,
        log,
        log_path,
        deadline,
        timeout: guest.timeout,
        echo: guest.echo,
    })
}

impl Machine {
    /// Watches the console to the end. Returns the script's exit code.
    pub(crate) fn wait(self) -> Result<u8> {
        let code = self.wait_unless(&AtomicBool::new(false))?;
        code.context("the guest was stopped")
    }

    /// As [`Machine::wait`]; ends the guest and returns `None` when `stop` becomes true.
    pub(crate) fn wait_unless(mut self, stop: &AtomicBool) -> Result<Option<u8>> {
        let mut console = Console::default();
        let silent_until = Instant::now() + TO_START;
        loop {
            if !console.started() && console.trouble().is_none() && Instant::now() > silent_until {
                bail!(EmulatorFault(format!(
                    "the guest's kernel did not come to its first program within {TO_START:?}. Last lines of {}:\n{}",
                    self.log_path.display(),
                    console.tail()
                )));
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left.min(LOOK_UP)) {
                Ok(line) => {
                    writeln!(self.log, "{line}").context("console.log")?;
                    if self.echo || line.contains("VSWAP-") {
                        eprintln!("    {}: {line}", self.name);
                    }
                    console.line(&line);
                    if console.trouble().is_some() {
                        // Not longer than this, however long the kernel goes on.
                        self.deadline = self.deadline.min(Instant::now() + LAST_WORDS);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if left > LOOK_UP => {}
                Err(RecvTimeoutError::Timeout) if console.trouble().is_some() => break,
                Err(RecvTimeoutError::Timeout) => {
                    bail!(
                        "the guest hung: no end within {:?}. Last lines of {}:\n{}",
                        self.timeout,
                        self.log_path.display(),
                        console.tail()
                    );
                }
            }
        }
        if let Some(trouble) = console.trouble() {
            let message = format!(
                "the guest's kernel is in trouble: {trouble}\nLast lines of {}:\n{}",
                self.log_path.display(),
                console.tail()
            );
            let emulator = !console.started() || console.stray_breakpoint();
            return Err(if emulator { anyhow!(EmulatorFault(message)) } else { anyhow!(message) });
        }
        let Some(code) = console.done() else {
            bail!(
                "the guest ended without finishing its script. Last lines of {}:\n{}",
                self.log_path.display(),
                console.tail()
            );
        };
        self.child.wait().context("qemu")?;
        Ok(Some(code))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Fails when it has ended by itself, which is the usual case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

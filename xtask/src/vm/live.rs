//! `vm --live`: a recording streams out of the guest into the dashboard of the host, as over ssh.

use super::{Guest, Programs, initramfs, qemu};
use crate::{build, sh};
use anyhow::{Context, Result, bail};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// Something to look at: a cgroup that swaps for as long as the guest runs.
pub(crate) const WORKLOAD: &str = include_str!("../../guest/live.sh");

/// Starts the recorder on the port before the script, stops it after.
const STREAM: &str = include_str!("../../guest/stream.sh");

/// Runs guest and dashboard until the dashboard is left or the guest ends. Returns the dashboard's exit code.
pub(crate) fn run(guest: &Guest, programs: &Programs, live_args: &[String]) -> Result<u8> {
    let vswap = build::vswap()?;
    let guest = Guest { script: format!("{STREAM}\n{}", guest.script), ..guest.clone() };
    let image = initramfs::make(&guest, programs)?;
    let disks = qemu::Disks::create(&guest)?;
    let port = guest.dir().join("live.sock");
    // Left over from a run that was killed; QEMU would refuse to listen.
    let _ = std::fs::remove_file(&port);
    let machine = qemu::start(&guest, &image, &disks, Some(&port))?;
    let mut stream = connect(&port)?;
    let closer = stream.try_clone().context("live port")?;
    let mut dashboard = Command::new(&vswap)
        .args(["live", "--input", "-"])
        .args(live_args)
        .stdin(Stdio::piped())
        .spawn()
        .context("vswap live --input -")?;
    let mut stdin = dashboard.stdin.take().context("stdin of vswap live")?;
    thread::spawn(move || {
        // Ends when the guest ends or the dashboard is left: neither is an error of the pump.
        let _ = io::copy(&mut stream, &mut stdin);
    });
    let left = Arc::new(AtomicBool::new(false));
    let leaving = Arc::clone(&left);
    let viewer = thread::spawn(move || {
        let status = dashboard.wait();
        leaving.store(true, Ordering::Relaxed);
        status
    });
    let ended = machine.wait_unless(&left);
    // Wakes the pump, which ends the dashboard's input.
    let _ = closer.shutdown(std::net::Shutdown::Both);
    let Ok(status) = viewer.join() else { bail!("the thread that waits for the dashboard died") };
    if let Some(code) = ended? {
        sh::say(format!("the guest's script ended with {code}"));
    }
    Ok(status.context("vswap live --input -")?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// QEMU makes the socket a moment after it starts.
fn connect(port: &Path) -> Result<UnixStream> {
    let start = Instant::now();
    loop {
        match UnixStream::connect(port) {
            Ok(stream) => return Ok(stream),
            Err(err) if start.elapsed() > Duration::from_secs(10) => {
                return Err(err).with_context(|| format!("QEMU's port {}", port.display()));
            }
            Err(_) => sleep(Duration::from_millis(50)),
        }
    }
}

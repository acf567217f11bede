//! The binary on a pseudo-terminal: what a terminal would get, and what it is left like.

mod screen;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcgetwinsize, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Shared builders are slow at times.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program on a terminal of its own.
pub(crate) struct Pty {
    child: Child,
    master: File,
    /// Keeps the terminal open after the program, so that its modes can be read.
    slave: File,
    output: Arc<Mutex<Vec<u8>>>,
}

impl Pty {
    /// Starts `command` on a terminal of this size.
    pub(crate) fn spawn(mut command: Command, columns: u16, rows: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let (master, slave) = (File::from(master), File::from(slave));
        tcsetwinsize(&slave, size(columns, rows)).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let child = command
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .env("TERM", "xterm")
            .env("LANG", "C.UTF-8")
            .env_remove("LC_ALL")
            .env_remove("NO_COLOR")
            .process_group(0)
            .spawn()
            .unwrap();
        let output = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, sink) = (master.try_clone().unwrap(), Arc::clone(&output));
        std::thread::spawn(move || {
            let mut chunk = [0; 65536];
            while let Ok(n) = reader.read(&mut chunk) {
                sink.lock().unwrap().extend_from_slice(&chunk[..n]);
            }
        });
        Self { child, master, slave, output }
    }

    /// The binary on a terminal that goes away as soon as the screen is up (a closed window, a dropped
    /// connection); returns how it ended.
    pub(crate) fn hung_up(args: &[&str]) -> ExitStatus {
        // Closed on exec: the program itself must not keep its terminal alive.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let mut master = File::from(openpt(flags).unwrap());
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = File::from(rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap());
        tcsetwinsize(&slave, size(80, 24)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vswap"));
        command.args(args).env("TERM", "xterm").process_group(0);
        command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
        let mut child = command.spawn().unwrap();
        // The command holds the other end of the terminal as long as it lives.
        drop(command);
        let mut chunk = [0; 256];
        assert!(master.read(&mut chunk).unwrap() > 0);
        drop(master);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() >= deadline {
                child.kill().unwrap();
                panic!("runs on without a terminal");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The binary under test with these arguments.
    pub(crate) fn vswap(args: &[&str], columns: u16, rows: u16) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vswap"));
        command.args(args);
        Self::spawn(command, columns, rows)
    }

    /// Everything the terminal got so far.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap()).into_owned()
    }

    /// Waits until what came after `from` contains a text; returns where the text ends. Blanks between plain words
    /// may have been on the screen before, so look for single words.
    pub(crate) fn wait_for(&self, from: usize, text: &str) -> usize {
        let end = || {
            let output = self.output();
            output.get(from..).and_then(|o| o.find(text)).map(|at| from + at + text.len())
        };
        self.until(&format!("'{text}' after {from}"), || end().is_some());
        end().unwrap()
    }

    /// What is on the screen now.
    pub(crate) fn screen(&self) -> String {
        let size = tcgetwinsize(&self.slave).unwrap();
        screen::Screen::of(&self.output(), size.ws_col.into(), size.ws_row.into()).text()
    }

    /// Waits until the screen shows a text.
    pub(crate) fn shows(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.screen().contains(text) {
            assert!(Instant::now() < deadline, "no '{text}' on the screen:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            if Instant::now() >= deadline {
                let output = self.output();
                let end: String = output.chars().skip(output.chars().count().saturating_sub(600)).collect();
                panic!("no {what}; the output ends with {end:?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Types.
    pub(crate) fn keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Changes the size, as a terminal emulator does.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        tcsetwinsize(&self.slave, size(columns, rows)).unwrap();
        self.signal(Signal::WINCH);
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until the program is stopped (or, with false, runs again).
    pub(crate) fn wait_stopped(&self, stopped: bool) {
        let stat = format!("/proc/{}/stat", self.child.id());
        self.until("change of job state", || {
            let text = std::fs::read_to_string(&stat).unwrap();
            let state = text.rsplit(')').next().and_then(|s| s.trim().chars().next());
            (state == Some('T')) == stopped
        });
    }

    /// The terminal is in line mode with echo, as a shell leaves it.
    pub(crate) fn is_cooked(&self) -> bool {
        tcgetattr(&self.slave).unwrap().local_modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// Waits for the end of the program and checks that the terminal is as it was.
    pub(crate) fn restored(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "does not end; {:?}", self.output());
            std::thread::sleep(Duration::from_millis(20));
        };
        // The last bytes may still be on their way through the reader.
        self.until("leaving of the alternate screen", || self.output().contains("\x1b[?1049l"));
        let output = self.output();
        assert!(self.is_cooked(), "line mode and echo");
        assert!(output.rfind("\x1b[?1049l") > output.rfind("\x1b[?1049h"), "left the alternate screen");
        assert!(output.rfind("\x1b[?25h") > output.rfind("\x1b[?25l"), "cursor shown");
        status
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const fn size(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

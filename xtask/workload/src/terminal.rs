//! A conversation with a program on a terminal of its own: wait for a text, type the keys, wait for the next one.

use anyhow::{Context, Result, bail};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longest wait for a text, and for the end: an emulated machine is slow.
const PATIENCE: Duration = Duration::from_secs(90);
/// A terminal of another size is drawn anew, whole: what changed cell by cell before is in one piece then.
const REDRAW: Duration = Duration::from_secs(1);
const ROWS: u16 = 50;
const COLUMNS: u16 = 160;

/// A text to wait for, or `wait:FILE`, or `text:FILE` for the text that will be in a file; and what to type then, or `mark:FILE`: others wait for each other likewise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    wanted: String,
    typed: String,
}

/// Reads `TEXT|KEYS`.
pub(crate) fn line(text: &str) -> Result<Line, String> {
    match text.split_once('|') {
        Some((wanted, typed)) if !wanted.is_empty() => {
            Ok(Line { wanted: wanted.to_owned(), typed: typed.to_owned() })
        }
        _ => Err(format!("'{text}' is not like TEXT|KEYS")),
    }
}

/// Holds the conversation; the program must end well when it is over. Says what was on the screen.
pub(crate) fn talk(lines: &[Line], command: &[String], out: &mut impl Write) -> Result<()> {
    let (name, args) = command.split_first().context("no command")?;
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
        .context("no terminal; is /dev/pts mounted?")?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let slave = rustix::fs::open(
        ptsname(&master, Vec::new())?,
        OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let (mut master, slave) = (File::from(master), File::from(slave));
    let end = || slave.try_clone().map(Stdio::from);
    resize(&slave, COLUMNS)?;
    let mut child = Command::new(name)
        .args(args)
        .env("TERM", "xterm-256color")
        .env("LANG", "C.UTF-8")
        .stdin(end()?)
        .stdout(end()?)
        .spawn()
        .with_context(|| name.clone())?;
    let screen = Arc::new(Mutex::new(Vec::new()));
    let (mut reader, sink) = (master.try_clone()?, Arc::clone(&screen));
    std::thread::spawn(move || {
        let mut chunk = [0; 65536];
        while let Ok(n @ 1..) = reader.read(&mut chunk) {
            sink.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..n]);
        }
    });
    // The screen moves over blanks instead of drawing them.
    let says = |wanted: &str, seen: &str| solid(seen).contains(&solid(wanted));
    let heard = |wanted: &str, seen: &str| match (wanted.strip_prefix("wait:"), wanted.strip_prefix("text:"))
    {
        (Some(file), _) => Path::new(file).exists(),
        (_, Some(file)) => std::fs::read_to_string(file).is_ok_and(|text| says(&text, seen)),
        (None, None) => says(wanted, seen),
    };
    let seen = || text(&screen.lock().unwrap_or_else(PoisonError::into_inner));
    for line in lines {
        let (begin, mut drawn, mut columns) = (Instant::now(), Instant::now(), COLUMNS);
        while !heard(&line.wanted, &seen()) {
            if let Some(status) = child.try_wait()? {
                bail!("it ended with {status} before it said '{}':\n{}", line.wanted, seen());
            }
            if begin.elapsed() > PATIENCE {
                child.kill()?;
                bail!("it does not say '{}':\n{}", line.wanted, seen());
            }
            if drawn.elapsed() > REDRAW {
                drawn = Instant::now();
                columns = if columns == COLUMNS { COLUMNS - 1 } else { COLUMNS };
                screen.lock().unwrap_or_else(PoisonError::into_inner).clear();
                resize(&slave, columns)?;
                signal(&child)?;
            }
            sleep(Duration::from_millis(50));
        }
        writeln!(out, "{}", seen())?;
        screen.lock().unwrap_or_else(PoisonError::into_inner).clear();
        match line.typed.strip_prefix("mark:") {
            Some(file) => std::fs::write(file, "").with_context(|| file.to_owned())?,
            None => master.write_all(line.typed.as_bytes())?,
        }
    }
    let begin = Instant::now();
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if begin.elapsed() > PATIENCE => {
                child.kill()?;
                bail!("it does not end");
            }
            None => sleep(Duration::from_millis(50)),
        }
    };
    if status.success() { Ok(()) } else { bail!("it ended with {status}") }
}

fn resize(slave: &File, columns: u16) -> Result<()> {
    let size = Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(slave, size).context("size of the terminal")
}

/// Tells the program of the new size: the terminal is not the one that controls it, so the kernel does not.
fn signal(child: &std::process::Child) -> Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).context("its pid")?;
    rustix::process::kill_process(pid, rustix::process::Signal::WINCH).context("telling of the size")
}

/// Without blanks and ends of lines.
fn solid(text: &str) -> String {
    text.split_whitespace().collect()
}

/// What was printed, without colours; where the cursor moved, a new line begins.
fn text(bytes: &[u8]) -> String {
    let all = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    let mut rest = all.chars();
    while let Some(c) = rest.next() {
        if c != '\x1b' {
            out.push(c);
            continue;
        }
        // CSI, parameters, a final letter; other sequences have one letter.
        let last = match rest.next() {
            Some('[') => rest.find(|c| ('@'..='~').contains(c)),
            other => other,
        };
        if last != Some('m') {
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn colours_do_not_cut_a_text_and_moves_do() {
        assert_eq!(text(b"\x1b[?25la\x1b[1;31mb\x1b[0mc\x1b[3;4Hd\x1b7e"), "\nabc\nd\ne");
        assert_eq!(text(b"x\x1b["), "x\n");
    }

    #[test]
    fn a_conversation_is_held_to_its_end() {
        let mark = std::env::temp_dir().join(format!("vswap-terminal.{}", std::process::id()));
        let told = std::env::temp_dir().join(format!("vswap-terminal-told.{}", std::process::id()));
        std::fs::write(&told, "hello me\n").unwrap();
        let lines = ["who|me\n", "text:%|mark:@", "wait:@|\n"]
            .map(|l| l.replace('@', &mark.to_string_lossy()).replace('%', &told.to_string_lossy()));
        let lines = lines.map(|l| line(&l).unwrap());
        let mut out = Vec::new();
        let script = words(&["sh", "-c", "echo who; read n; echo hello $n; read end"]);
        talk(&lines, &script, &mut out).unwrap();
        assert!(String::from_utf8_lossy(&out).contains("hello me"));
        std::fs::remove_file(mark).unwrap();
        std::fs::remove_file(told).unwrap();
        let dead = talk(&[line("never|").unwrap()], &words(&["sh", "-c", "echo no; exit 3"]), &mut out);
        assert!(dead.unwrap_err().to_string().contains("before it said 'never'"));
        let failed =
            talk(&[line("yes|").unwrap()], &words(&["sh", "-c", "echo yes; sleep 0.3; exit 3"]), &mut out);
        assert!(failed.unwrap_err().to_string().contains("it ended with"));
        assert!(line("|v").is_err() && line("v").is_err());
    }
}

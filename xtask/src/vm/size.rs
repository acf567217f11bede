//! `cargo xtask bench size`: what an event takes on disk, beside `trace-cmd record` and `perf record` of the same kernel
//! functions under the same load in the same run of a guest.

use super::{Guest, Programs, boot, kernel, suite};
use crate::{setup, sh};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const SCRIPT: &str = include_str!("../../guest/size.sh");

/// Runs the guest and prints a table.
pub(crate) fn run() -> Result<()> {
    setup::vm()?;
    let tools = setup::tracers()?;
    let kernel = kernel::find("7.3", None, false)?;
    let mut programs = Programs::build()?;
    programs.tools = with_libraries(&tools)?;
    let guest = Guest {
        name: format!("{}-size", kernel.name),
        kernel,
        script: format!("{}\n{SCRIPT}\nexit $failed\n", suite::LIB),
        memory: 3000,
        cpus: 2,
        swap: 512,
        append: String::new(),
        in_turn: false,
        timeout: Duration::from_secs(1200),
        echo: true,
    };
    let out = guest.dir().join("out");
    let code = boot(&guest, &programs, &out)?;
    ensure!(code == 0, "the guest's script ended with {code}");
    let path = out.join("size/figures");
    let figures = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    print!("{}", table(&figures, &guest.kernel.name)?);
    Ok(())
}

/// One line for each recorder. Each has its own count of events: we have more hooks than entries of functions.
fn table(figures: &str, kernel: &str) -> Result<String> {
    let mut text = format!("size: Linux {kernel}, the same load, all recorders at once\n");
    for line in figures.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["calls", calls] => text += &format!("size: {calls} calls of the functions\n"),
            [name, bytes, events] => {
                let (bytes, events): (f64, f64) =
                    (bytes.parse()?, events.parse().with_context(|| line.to_owned())?);
                ensure!(events > 0.0, "{name} recorded nothing");
                text += &format!(
                    "size: {name:<10} {events:>9} events {bytes:>11} bytes {:>7.2} bytes an event\n",
                    bytes / events
                );
            }
            _ => anyhow::bail!("no figures: {line}"),
        }
    }
    Ok(text)
}

/// The programs and the shared libraries they load, as `ldd` finds them.
fn with_libraries(programs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut all: BTreeSet<PathBuf> = programs.iter().cloned().collect();
    for program in programs {
        all.extend(libraries(&sh::output(Command::new("ldd").arg(program))?)?);
    }
    Ok(all.into_iter().collect())
}

/// Paths in what `ldd` prints: `name => path (address)`, or the loader's `path (address)`.
fn libraries(ldd: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for line in ldd.lines().map(str::trim) {
        ensure!(!line.contains("not found"), "a shared library is missing: {line}");
        let path = line.split_once(" => ").map_or(line, |(_, path)| path);
        let path = path.split(" (").next().unwrap_or(path);
        if path.starts_with('/') {
            found.push(PathBuf::from(path));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_or_missed() {
        let ldd = "\tlinux-vdso.so.1 (0x00007f)\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f)\n\t/lib64/ld.so (0x00007f)\n";
        assert_eq!(libraries(ldd).unwrap(), [PathBuf::from("/lib/libc.so.6"), PathBuf::from("/lib64/ld.so")]);
        assert!(libraries("\tlibx.so => not found\n").is_err());
    }

    #[test]
    fn a_table_needs_figures() {
        let text = table("calls 10\nvswap 100 40\nperf 900 10\n", "7.3").unwrap();
        assert!(text.contains("2.50 bytes an event") && text.contains("90.00 bytes an event"), "{text}");
        assert!(table("perf 900 \n", "7.3").is_err() && table("perf 900 0\n", "7.3").is_err());
    }
}

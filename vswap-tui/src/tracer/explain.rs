//! The kernel's refusals in words: what it means and what to do.

use crate::exit::{Exit, ExitError};
use crate::kernel::caps::Caps;
use aya::EbpfError;
use aya::maps::MapError;
use aya::programs::ProgramError;
use rustix::io::Errno;
use std::error::Error;
use std::io;

/// What is known about this process and kernel.
pub(super) struct Explain<'a> {
    pub(super) caps: Caps,
    pub(super) lockdown: &'a str,
}

impl Explain<'_> {
    /// Why the object as a whole could not be loaded.
    pub(super) fn load(&self, error: &EbpfError) -> anyhow::Error {
        let io = match error {
            EbpfError::MapError(MapError::CreateError { io_error, .. }) => Some(io_error),
            other => io_in(other),
        };
        if is_permission(io) {
            return ExitError::new(
                Exit::NotPermitted,
                format!("cannot create eBPF maps: {}", self.permission()),
            );
        }
        ExitError::new(Exit::Failure, format!("cannot load the eBPF object: {}", chain(error)))
    }

    /// Why one program could not be attached, with the exit code if that ends the run.
    pub(super) fn attach(&self, error: &ProgramError) -> (Exit, String) {
        let (io, log) = match error {
            ProgramError::LoadError { io_error, verifier_log } => (Some(io_error), verifier_log.to_string()),
            ProgramError::IOError(e) => (Some(e), String::new()),
            other => (io_in(other), String::new()),
        };
        if is_permission(io) {
            return (Exit::NotPermitted, self.permission());
        }
        let text = match io.and_then(errno) {
            Some(Errno::BUSY) => {
                "the function has no tracing site (built notrace, or an out-of-line copy)".to_owned()
            }
            Some(Errno::NOENT) => "BTF names the function, but it has no address".to_owned(),
            _ if !log.trim().is_empty() => {
                log::debug!("verifier: {log}");
                format!("the verifier refused the program: {}", last_lines(&log))
            }
            _ => chain(error),
        };
        (Exit::NotSupported, text)
    }

    fn permission(&self) -> String {
        let missing = self.caps.missing();
        if !missing.is_empty() {
            return format!(
                "this user lacks {}. Run as root, or `setcap cap_bpf,cap_perfmon,cap_dac_read_search+ep` on the binary",
                missing.join(" and ")
            );
        }
        if self.lockdown == "confidentiality" {
            return "kernel lockdown 'confidentiality' forbids reading kernel memory; boot with lockdown=integrity or none"
                .to_owned();
        }
        "the kernel refuses this type of program (EPERM) although every capability is there: tracing of functions is \
         switched off on this kernel or by a security module"
            .to_owned()
    }
}

/// `EPERM` only: the verifier answers `EACCES` for programs it dislikes.
fn is_permission(io: Option<&io::Error>) -> bool {
    io.and_then(errno) == Some(Errno::PERM)
}

fn errno(e: &io::Error) -> Option<Errno> {
    Errno::from_io_error(e)
}

fn io_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut next: Option<&'a (dyn Error + 'static)> = Some(error);
    while let Some(e) = next {
        if let Some(io) = e.downcast_ref::<io::Error>() {
            return Some(io);
        }
        next = e.source();
    }
    None
}

fn chain(error: &dyn Error) -> String {
    let mut out = error.to_string();
    let mut next = error.source();
    while let Some(e) = next {
        let text = e.to_string();
        if !out.contains(&text) {
            out.push_str(": ");
            out.push_str(&text);
        }
        next = e.source();
    }
    out
}

/// The verifier's reason: the last words before the statistics at the end of a long log.
fn last_lines(log: &str) -> String {
    let statistics = ["processed ", "verification time ", "stack depth ", "subprog "];
    let lines = log.lines().map(str::trim).filter(|l| !l.is_empty());
    let reason: Vec<&str> = lines.take_while(|l| !statistics.iter().any(|s| l.starts_with(s))).collect();
    reason[reason.len().saturating_sub(2)..].join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn why(lockdown: &str) -> Explain<'_> {
        Explain { caps: Caps::read(Path::new("/nonexistent")), lockdown }
    }

    #[test]
    fn permission_names_the_capability() {
        let error = ProgramError::IOError(io::Error::from_raw_os_error(1));
        let (exit, text) = why("").attach(&error);
        assert_eq!(exit, Exit::NotPermitted);
        assert!(text.contains("CAP_BPF and CAP_PERFMON") && text.contains("setcap"), "{text}");
    }

    #[test]
    fn notrace_and_no_address_are_told_apart() {
        let busy = ProgramError::IOError(io::Error::from_raw_os_error(16));
        assert!(why("").attach(&busy).1.contains("no tracing site"));
        let noent = ProgramError::IOError(io::Error::from_raw_os_error(2));
        assert!(why("").attach(&noent).1.contains("no address"));
    }

    #[test]
    fn verifier_log_ends_with_its_reason() {
        assert_eq!(
            last_lines(
                "0: r1 = 1\n1: r0 = 0\nR1 invalid mem access\n\nstack depth max 0\nprocessed 7 insns\n"
            ),
            "1: r0 = 0 | R1 invalid mem access"
        );
    }
}

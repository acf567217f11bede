//! The kernel's refusals in words: what it means and what to do.

use crate::exit::{Exit, ExitError};
use crate::kernel::caps::Rights;
use crate::kernel::hooks::How;
use aya::EbpfError;
use aya::maps::MapError;
use aya::programs::ProgramError;
use rustix::io::Errno;
use std::error::Error;
use std::io;

/// Asked for a probe, such a kernel only says that there is no such file.
const NO_KPROBES: &str = "this kernel has no kprobes (built without CONFIG_KPROBE_EVENTS)";

/// The verifier's word for a helper that lockdown took away: the kernel names no reason itself.
const HIDDEN_LOCKDOWN: &str = "the kernel does not lend the helper that reads kernel memory, which is what lockdown \
     'confidentiality' does. Boot with lockdown=integrity or without";

/// What is known about this process and kernel.
pub(super) struct Explain<'a> {
    pub(super) rights: &'a Rights,
    /// The kernel has kprobes at all.
    pub(super) kprobes: bool,
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
                format!("cannot create eBPF maps: {}", self.rights.refusal()),
            );
        }
        ExitError::new(Exit::Failure, format!("cannot load the eBPF object: {}", chain(error)))
    }

    /// Why one program could not be attached, with the exit code if that ends the run.
    pub(super) fn attach(&self, error: &ProgramError, how: How) -> (Exit, String) {
        if how.is_kprobe() && !self.kprobes {
            return (Exit::NotSupported, NO_KPROBES.to_owned());
        }
        let (io, log) = match error {
            ProgramError::LoadError { io_error, verifier_log } => (Some(io_error), verifier_log.to_string()),
            ProgramError::IOError(e) => (Some(e), String::new()),
            other => (io_in(other), String::new()),
        };
        if is_permission(io) {
            return (Exit::NotPermitted, self.rights.refusal());
        }
        // Not from the verifier: the probe itself, which some distributions keep from everybody but CAP_SYS_ADMIN.
        if how.is_kprobe() && log.is_empty() && io.and_then(errno) == Some(Errno::ACCESS) {
            return (Exit::NotPermitted, self.rights.probe_refusal());
        }
        if lacks_reading_helper(&log) {
            return (Exit::NotPermitted, HIDDEN_LOCKDOWN.to_owned());
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

/// The verifier's words for a helper that it does not lend, before and since Linux 6.9.
fn lacks_reading_helper(log: &str) -> bool {
    ["cannot use helper", "unknown func"].iter().any(|w| log.contains(&format!("{w} bpf_probe_read_kernel")))
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

    fn explain<T>(look: impl FnOnce(&Explain<'_>) -> T) -> T {
        // No status to read there: no capability.
        let rights = Rights::read(Path::new("/nonexistent"));
        look(&Explain { rights: &rights, kprobes: false })
    }

    #[test]
    fn permission_names_the_capability() {
        let error = ProgramError::IOError(io::Error::from_raw_os_error(1));
        let (exit, text) = explain(|w| w.attach(&error, How::Fentry));
        assert_eq!(exit, Exit::NotPermitted);
        assert!(text.contains("CAP_BPF and CAP_PERFMON") && text.contains("setcap"), "{text}");
    }

    #[test]
    fn notrace_and_no_address_are_told_apart() {
        let busy = ProgramError::IOError(io::Error::from_raw_os_error(16));
        assert!(explain(|w| w.attach(&busy, How::Fentry)).1.contains("no tracing site"));
        let noent = ProgramError::IOError(io::Error::from_raw_os_error(2));
        assert!(explain(|w| w.attach(&noent, How::Fentry)).1.contains("no address"));
        let (exit, text) = explain(|w| w.attach(&noent, How::Kprobe));
        assert!(exit == Exit::NotSupported && text.contains("no kprobes"), "{text}");
    }

    #[test]
    fn refused_probe_names_the_setting() {
        let rights = Rights { perf_event_paranoid: Some(3), ..Rights::default() };
        let why = Explain { rights: &rights, kprobes: true };
        let error = ProgramError::IOError(io::Error::from_raw_os_error(13));
        let (exit, text) = why.attach(&error, How::Kprobe);
        assert_eq!(exit, Exit::NotPermitted);
        assert!(text.contains("kernel.perf_event_paranoid = 3") && text.contains("CAP_SYS_ADMIN"), "{text}");
        assert_eq!(why.attach(&error, How::Fentry).0, Exit::NotSupported, "the verifier's answer");
    }

    #[test]
    fn helper_taken_away_is_noticed() {
        assert!(lacks_reading_helper(
            "7: (85) call bpf_probe_read_kernel#113\nprogram of this type cannot use helper bpf_probe_read_kernel#113\n"
        ));
        assert!(lacks_reading_helper("unknown func bpf_probe_read_kernel#113\n"));
        assert!(!lacks_reading_helper("7: (85) call bpf_probe_read_kernel#113\nR1 invalid mem access\n"));
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

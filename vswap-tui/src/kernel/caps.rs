//! What this process may do and what the machine's settings forbid: to say which capability or setting is missing
//! instead of "operation not permitted".

use serde::Serialize;
use std::path::Path;

/// Effective capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps(u64);

/// How to get every capability that tracing and the scan need; `CAP_SYSLOG` is for the addresses in `/proc/kallsyms`.
pub const WAY_OUT: &str = "Run as root, or `setcap cap_bpf,cap_perfmon,cap_syslog+ep` on the binary";

const SYS_ADMIN: u32 = 21;
const PERFMON: u32 = 38;
const BPF: u32 = 39;

impl Caps {
    fn parse(status: &str) -> Self {
        let hex = field(status, "CapEff:").unwrap_or("0");
        Self(u64::from_str_radix(hex, 16).unwrap_or(0))
    }

    const fn has(self, cap: u32) -> bool {
        self.0 >> cap & 1 == 1
    }

    /// What tracing needs and this process lacks. `CAP_SYS_ADMIN` includes both.
    pub fn missing(self) -> Vec<&'static str> {
        if self.has(SYS_ADMIN) {
            return Vec::new();
        }
        [(BPF, "CAP_BPF"), (PERFMON, "CAP_PERFMON")]
            .into_iter()
            .filter(|(cap, _)| !self.has(*cap))
            .map(|(_, n)| n)
            .collect()
    }
}

/// Everything that decides whether this process may trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rights {
    /// Capabilities that tracing needs and this process lacks.
    pub missing: Vec<&'static str>,
    /// Kernel lockdown: `none`, `integrity`, `confidentiality`, or empty if there is none.
    pub lockdown: String,
    /// `kernel.unprivileged_bpf_disabled`. Tracing needs its capabilities whatever it says.
    pub unprivileged_bpf_disabled: Option<i32>,
    /// `kernel.perf_event_paranoid`. The same.
    pub perf_event_paranoid: Option<i32>,
    /// `kernel.kptr_restrict`: 2 hides the addresses of the kernel's data from everybody.
    pub kptr_restrict: Option<i32>,
    /// The process is in a user namespace: its capabilities are not those of the machine.
    pub user_namespace: bool,
    /// A seccomp filter may refuse the system call.
    pub seccomp_filter: bool,
}

impl Rights {
    /// Reads the files below `root`; what cannot be read is taken for not set.
    pub fn read(root: &Path) -> Self {
        let text = |p: &str| std::fs::read_to_string(root.join(p)).unwrap_or_default();
        let setting = |name: &str| text(&format!("proc/sys/kernel/{name}")).trim().parse().ok();
        let status = text("proc/self/status");
        Self {
            missing: Caps::parse(&status).missing(),
            lockdown: lockdown(&text("sys/kernel/security/lockdown"), &text("proc/cmdline")),
            unprivileged_bpf_disabled: setting("unprivileged_bpf_disabled"),
            perf_event_paranoid: setting("perf_event_paranoid"),
            kptr_restrict: setting("kptr_restrict"),
            user_namespace: in_user_namespace(&text("proc/self/uid_map")),
            seccomp_filter: field(&status, "Seccomp:") == Some("2"),
        }
    }

    /// Tracing programs cannot run at all under this lockdown, whoever loads them: the kernel takes away the helper
    /// that reads its memory (`LOCKDOWN_BPF_READ_KERNEL`).
    pub fn locked_down(&self) -> bool {
        self.lockdown == "confidentiality"
    }

    /// What stands in the way of tracing, and the way out. The last resort is that the kernel itself does not allow
    /// it, so ask only after it refused.
    pub fn refusal(&self) -> String {
        if self.locked_down() {
            return "kernel lockdown 'confidentiality' forbids programs that read kernel memory, to root too. Boot \
                    with lockdown=integrity or without (/sys/kernel/security/lockdown shows it)"
                .to_owned();
        }
        if !self.missing.is_empty() {
            return format!("this user lacks {}{}. {WAY_OUT}", self.missing.join(" and "), self.settings());
        }
        if self.user_namespace {
            return "this process is root only in a user namespace (a container): tracing needs CAP_BPF and \
                    CAP_PERFMON of the machine itself. Run vswap outside, or record there and show the stream here"
                .to_owned();
        }
        let filter = if self.seccomp_filter { ", a seccomp filter (this process has one)" } else { "" };
        format!(
            "the kernel refuses this type of program (EPERM) although every capability is there: tracing of \
             functions is switched off on this kernel, by a security module{filter} or by its build"
        )
    }

    /// Why the kernel gives no probe (`perf_event_open`, EACCES) to a process that may trace otherwise. Values above 2
    /// are a distribution's own: Debian's 7.0 asks for `CAP_SYS_ADMIN` there, its 7.3 does not.
    pub fn probe_refusal(&self) -> String {
        let value = self.perf_event_paranoid.map_or_else(String::new, |v| format!(" = {v}"));
        format!(
            "kernel.perf_event_paranoid{value} keeps kprobes from everybody without CAP_SYS_ADMIN on this kernel: \
             `sysctl kernel.perf_event_paranoid=2`, or run as root"
        )
    }

    /// The settings that somebody may have heard of, so that nobody changes them in vain.
    fn settings(&self) -> String {
        let known = [
            ("unprivileged_bpf_disabled", self.unprivileged_bpf_disabled),
            ("perf_event_paranoid", self.perf_event_paranoid),
        ];
        let told: Vec<String> =
            known.iter().filter_map(|(name, v)| v.map(|v| format!("kernel.{name} = {v}"))).collect();
        if told.is_empty() {
            String::new()
        } else {
            format!(" ({}; no value of them replaces it)", told.join(", "))
        }
    }
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|l| l.strip_prefix(name)).map(str::trim)
}

/// `none [integrity] confidentiality` to `integrity`. Where securityfs is not mounted, what the kernel was booted
/// with; it can only have become stricter since.
fn lockdown(file: &str, cmdline: &str) -> String {
    let chosen = file.split_once('[').and_then(|(_, t)| t.split_once(']')).map(|(s, _)| s);
    let booted = || cmdline.split_whitespace().filter_map(|w| w.strip_prefix("lockdown=")).next_back();
    chosen.or_else(booted).unwrap_or_default().to_owned()
}

/// The initial namespace maps every id to itself.
fn in_user_namespace(uid_map: &str) -> bool {
    let words: Vec<&str> = uid_map.split_whitespace().collect();
    !words.is_empty() && words != ["0", "0", "4294967295"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        let missing = |text: &str| Caps::parse(text).missing();
        assert_eq!(missing("CapEff:\t000001ffffffffff\n"), Vec::<&str>::new());
        assert_eq!(missing("CapInh:\t1\nCapEff:\t0000000000000000\n"), vec!["CAP_BPF", "CAP_PERFMON"]);
        assert_eq!(missing("CapEff:\t0000008000000000\n"), vec!["CAP_PERFMON"]);
        assert_eq!(missing("CapEff:\t000000c000000000\n"), Vec::<&str>::new());
        assert_eq!(missing("rubbish").len(), 2);
    }

    #[test]
    fn lockdown_is_read_from_its_file_or_from_the_boot() {
        assert_eq!(lockdown("none [integrity] confidentiality\n", "lockdown=confidentiality"), "integrity");
        assert_eq!(lockdown("[none] integrity confidentiality\n", ""), "none");
        assert_eq!(lockdown("", "quiet lockdown=confidentiality ro"), "confidentiality");
        assert_eq!(lockdown("", "quiet lockdown=none lockdown=integrity"), "integrity");
        assert_eq!(lockdown("", ""), "");
    }

    #[test]
    fn containers_are_told_from_the_machine() {
        assert!(!in_user_namespace("         0          0 4294967295\n") && !in_user_namespace(""));
        assert!(in_user_namespace("0 100000 65536\n"));
    }

    #[test]
    fn a_root_folder_is_read_and_a_refusal_names_the_first_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let file = dir.path().join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        put("proc/self/status", "Name:\tx\nCapEff:\t0000000000000000\nSeccomp:\t2\n");
        put("proc/self/uid_map", "0 1000 1\n");
        put("proc/sys/kernel/unprivileged_bpf_disabled", "2\n");
        put("proc/sys/kernel/perf_event_paranoid", "-1\n");
        put("sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
        let mut rights = Rights::read(dir.path());
        assert_eq!(rights.unprivileged_bpf_disabled, Some(2));
        assert_eq!((rights.perf_event_paranoid, rights.kptr_restrict), (Some(-1), None));
        assert!(rights.user_namespace && rights.seccomp_filter && rights.locked_down());
        assert!(rights.refusal().contains("lockdown=integrity"), "{}", rights.refusal());
        rights.lockdown = "integrity".into();
        let text = rights.refusal();
        assert!(text.contains("CAP_BPF and CAP_PERFMON") && text.contains("setcap"), "{text}");
        assert!(text.contains("kernel.unprivileged_bpf_disabled = 2"), "{text}");
        rights.missing.clear();
        assert!(rights.refusal().contains("user namespace"));
        rights.user_namespace = false;
        assert!(rights.refusal().contains("seccomp"));
    }
}

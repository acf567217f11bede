//! Capabilities of this process, to say which one is missing instead of "operation not permitted".

use std::path::Path;

/// Effective capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps(u64);

const SYS_ADMIN: u32 = 21;
const PERFMON: u32 = 38;
const BPF: u32 = 39;

impl Caps {
    /// Reads `/proc/self/status` below `root`; none if it cannot be read.
    pub fn read(root: &Path) -> Self {
        let status = std::fs::read_to_string(root.join("proc/self/status")).unwrap_or_default();
        Self::parse(&status)
    }

    fn parse(status: &str) -> Self {
        let hex = status.lines().find_map(|l| l.strip_prefix("CapEff:")).unwrap_or("0");
        Self(u64::from_str_radix(hex.trim(), 16).unwrap_or(0))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        assert_eq!(Caps::parse("CapEff:\t000001ffffffffff\n").missing(), Vec::<&str>::new());
        assert_eq!(Caps::parse("CapEff:\t0000000000000000\n").missing(), vec!["CAP_BPF", "CAP_PERFMON"]);
        assert_eq!(Caps::parse("CapEff:\t0000008000000000\n").missing(), vec!["CAP_PERFMON"]);
        assert_eq!(Caps::parse("rubbish").missing().len(), 2);
    }
}

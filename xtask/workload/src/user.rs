//! Runs a program as another user with a few capabilities and no others, as systemd's `User=` with
//! `AmbientCapabilities=` does: what the tests of vswap's own privileges start it with.

use anyhow::{Context, Result, bail};
use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, configure_capability_in_ambient_set, set_capabilities,
    set_keep_capabilities, set_thread_gid, set_thread_groups, set_thread_uid,
};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A capability by the name that `setcap` knows.
pub(crate) fn capability(name: &str) -> Result<CapabilitySet, String> {
    let upper = name.strip_prefix("cap_").unwrap_or(name).to_uppercase();
    CapabilitySet::from_name(&upper).ok_or_else(|| format!("'{name}' is not a capability like cap_bpf"))
}

/// Becomes `command`, run by `id` with `capabilities`. Comes back only with an error.
pub(crate) fn become_user(id: u32, capabilities: &[CapabilitySet], command: &[String]) -> Result<()> {
    let Some((program, args)) = command.split_first() else { bail!("--as-user needs a command after --") };
    set_keep_capabilities(true).context("keep capabilities")?;
    set_thread_groups(&[]).context("setgroups")?;
    set_thread_gid(Gid::from_raw(id)).context("setgid")?;
    set_thread_uid(Uid::from_raw(id)).context("setuid")?;
    let all: CapabilitySet = capabilities.iter().copied().collect();
    set_capabilities(None, CapabilitySets { effective: all, permitted: all, inheritable: all })
        .context("capset")?;
    for one in capabilities {
        configure_capability_in_ambient_set(*one, true).context("ambient capabilities")?;
    }
    Err(Command::new(program).args(args).exec()).with_context(|| format!("cannot run {program}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_by_name() {
        assert_eq!(capability("cap_bpf"), Ok(CapabilitySet::BPF));
        assert_eq!(capability("perfmon"), Ok(CapabilitySet::PERFMON));
        assert!(capability("cap_everything").is_err());
    }
}

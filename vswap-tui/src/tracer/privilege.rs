//! Giving up every privilege once attached.
//!
//! What is left to do needs none: the ring is mapped, counters are read through descriptors that are open, programs
//! are detached by closing them, and `/proc/swaps` and cgroup folders are readable by everybody. The user id stays:
//! a recorder started as root may still touch root's own files, but nothing else that root may.

use anyhow::Context;
use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};

/// Empties every capability set of the calling thread, the bounding set too where that is allowed (it takes
/// `CAP_SETPCAP`), and forbids that any program run from here on gets more.
///
/// Capabilities belong to threads, and new threads take those of the thread that starts them: call this before the
/// first one is started.
///
/// # Errors
/// If the kernel refuses, which it does not have a reason to; then nothing may be taken for given up.
pub fn drop_all() -> anyhow::Result<()> {
    empty_bounding_set().context("cannot empty the bounding set of capabilities")?;
    clear_ambient_capability_set().context("cannot give up ambient capabilities")?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .context("cannot give up capabilities")?;
    set_no_new_privs(true).context("cannot set no_new_privs")?;
    log::info!("gave up every capability; no_new_privs is set");
    Ok(())
}

fn empty_bounding_set() -> rustix::io::Result<()> {
    for bit in 0..u64::BITS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
            Ok(()) => {}
            // The first number the kernel does not know: that was the last one.
            Err(Errno::INVAL) => return Ok(()),
            // Without CAP_SETPCAP it stays as it is; no_new_privs keeps anything from being drawn from it.
            Err(Errno::PERM) => return Ok(()),
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(status: &str) -> Vec<(String, u64)> {
        let names = ["CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd", "NoNewPrivs"];
        let pairs = status.lines().filter_map(|l| l.split_once(':'));
        pairs
            .filter(|(name, _)| names.contains(name))
            .map(|(name, v)| (name.to_owned(), u64::from_str_radix(v.trim(), 16).unwrap()))
            .collect()
    }

    /// On a thread of its own, so that the other tests keep what they have.
    #[test]
    fn nothing_is_left_and_threads_started_later_have_nothing_either() {
        let before = sets(&std::fs::read_to_string("/proc/thread-self/status").unwrap());
        let (own, child) = std::thread::spawn(|| {
            drop_all().unwrap();
            let own = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let child = std::thread::spawn(|| std::fs::read_to_string("/proc/thread-self/status").unwrap());
            (own, child.join().unwrap())
        })
        .join()
        .unwrap();
        let bounding_may_go = before.iter().any(|(name, v)| name == "CapEff" && v >> 8 & 1 == 1);
        for after in [sets(&own), sets(&child)] {
            assert_eq!(after.len(), 6, "{after:?}");
            for (name, value) in after {
                match name.as_str() {
                    "NoNewPrivs" => assert_eq!(value, 1),
                    "CapBnd" if !bounding_may_go => {}
                    _ => assert_eq!(value, 0, "{name}"),
                }
            }
        }
    }
}

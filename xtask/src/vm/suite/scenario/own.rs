//! Scripts that judge by themselves: rights, tracepoints, causes, losses, rotation, lockdown.

use super::{BOOT, Boot};

/// Privileges: given up, enough, missing.
const RIGHTS: &str = include_str!("../../../../guest/rights.sh");
/// Sums of tracepoints, where functions are not traced.
const TRACEPOINTS: &str = include_str!("../../../../guest/tracepoints.sh");
/// What was lost, against the kernel's own counts of calls and runs.
const LOSSES: &str = include_str!("../../../../guest/losses.sh");
/// A recording over several files whose recorder is killed.
const ROTATED: &str = include_str!("../../../../guest/rotated.sh");
/// Causes, each forced and held against the kernel's own counters.
const CAUSES: &str = include_str!("../../../../guest/causes.sh");
/// Reclaim of the whole machine, by kswapd and by threads that run out of pages.
const PRESSURE: &str = include_str!("../../../../guest/pressure.sh");
/// A kernel that lets nobody read its memory.
const LOCKDOWN: &str = include_str!("../../../../guest/lockdown.sh");

/// The boots of this part.
pub(super) fn boots() -> Vec<Boot> {
    vec![
        Boot { name: "rights", extra: RIGHTS, ..BOOT },
        Boot { name: "tracepoints", extra: TRACEPOINTS, ..BOOT },
        Boot { name: "causes", prepare: "load_more", extra: CAUSES, ..BOOT },
        Boot { name: "pressure", extra: PRESSURE, ..BOOT },
        Boot { name: "losses", cpus: 4, extra: LOSSES, ..BOOT },
        // Its hooks are attached under load.
        Boot { name: "rotated", in_turn: true, extra: ROTATED, ..BOOT },
        Boot { name: "lockdown", cpus: 1, append: "lockdown=confidentiality", extra: LOCKDOWN, ..BOOT },
    ]
}

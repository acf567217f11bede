//! What a recording says to those who drive the model with it: the check and the what-if.

use crate::decode::Event;
use crate::meta::{Header, HookState};
use crate::model::DeviceSpec;
use vswap_common::{Hook, device};

/// `-EAGAIN` and `-EINVAL`: the folio was too large to begin with, no slot was looked for.
const NOT_LOOKED: [i32; 2] = [-11, -22];

/// Threads remembered; more than a machine has on their way through the allocator at one time.
pub(crate) const MAX_THREADS: usize = 16_384;

/// The device of a `SwapOn` record. Bad pages are not in it.
pub(crate) fn device(e: &Event, priority: i32) -> DeviceSpec {
    DeviceSpec {
        block_device: e.flags & device::BLOCK != 0,
        solid_state: e.flags & device::SOLID_STATE != 0,
        synchronous: e.flags & device::SYNCHRONOUS != 0,
        page_discard: e.flags & device::PAGE_DISCARD != 0,
        priority,
        ..DeviceSpec::block(e.entry.off())
    }
}

/// An `AllocFail` without a search for slots before it.
pub(crate) fn not_looked(e: &Event) -> bool {
    NOT_LOOKED.contains(&e.val)
}

/// The hook was attached; a generated recording has no plan and all records.
pub(crate) fn attached(header: &Header, hook: Hook) -> bool {
    let ok = |p: &crate::meta::HookPlan| p.hook == hook.program() && p.state == HookState::Ok;
    header.plan.is_empty() || header.plan.iter().any(ok)
}

/// References to slots are in the recording.
pub(crate) fn references(header: &Header) -> bool {
    [Hook::Dup, Hook::DupDirect, Hook::Put].into_iter().all(|hook| attached(header, hook))
}

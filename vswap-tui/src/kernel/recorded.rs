//! The ladder of a recording, from its header: what its hooks tell of each transition. Sums below the hooks are in no
//! recording: what no hook tells is blind there, unless the recorded host is this one and its own counters are at hand.

use super::counters::Counters;
use super::ladder::{Below, Transition, ladder};
use crate::meta::{Header, HookPlan};
use vswap_common::tally::Items;
use vswap_common::{Field, Hook, Layout};

/// The transitions in the order of a slot's life; none where nothing is attached, as in a generated load. `counters` are
/// those of the host that the events come from, empty where that is another one.
pub fn transitions(header: &Header, counters: &Counters) -> Vec<Transition> {
    if header.plan.is_empty() {
        return Vec::new();
    }
    let planned = |hook: &Hook| {
        let known = header.plan.iter().find(|p| p.hook == hook.program());
        known.cloned().unwrap_or_else(|| HookPlan {
            hook: hook.program().to_owned(),
            reason: "the recorder did not know it".to_owned(),
            ..HookPlan::default()
        })
    };
    let hooks: Vec<HookPlan> = Hook::ALL.iter().map(planned).collect();
    let mut layout = Layout::EMPTY;
    for field in Field::ALL {
        if let Some(value) = header.layout.get(field.label()) {
            layout.set(*field, *value);
        }
    }
    let below = Below { points: &[], items: &Items::EMPTY, counters };
    ladder(&hooks, &layout, &below, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ladder::{Rung, Sight};
    use crate::meta::HookState;

    #[test]
    fn hooks_are_found_by_name_and_one_of_a_newer_version_is_told() {
        let none = Counters::default();
        assert!(transitions(&Header::default(), &none).is_empty());
        let ok = |hook: &Hook| HookPlan {
            hook: hook.program().to_owned(),
            how: "fentry".to_owned(),
            state: HookState::Ok,
            ..HookPlan::default()
        };
        // Another order than ours, and one hook less.
        let plan: Vec<_> = Hook::ALL.iter().rev().filter(|h| **h != Hook::Isolate).map(ok).collect();
        let all = transitions(&Header { plan, ..Header::default() }, &none);
        let find = |name: &str| all.iter().find(|t| t.transition == name).unwrap();
        assert_eq!(find("free").state, Sight::Seen);
        assert_eq!(find("allocator's choices").state, Sight::Blind);
        assert!(find("allocator's choices").reason.contains("did not know it"));
    }

    #[test]
    fn counters_of_the_host_stand_in_for_hooks_that_it_does_not_have() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("proc")).unwrap();
        std::fs::write(dir.path().join("proc/vmstat"), "zswpout 12\n").unwrap();
        let plan = vec![HookPlan {
            hook: "store_exit".to_owned(),
            reason: "gone".to_owned(),
            ..HookPlan::default()
        }];
        let header = Header { plan, ..Header::default() };
        let place = |counters: &Counters| {
            let all = transitions(&header, counters);
            let out = all.into_iter().find(|t| t.transition == "swap-out to zswap").unwrap();
            (out.state, out.rung, out.by)
        };
        assert_eq!(place(&Counters::default()), (Sight::Blind, Rung::Nothing, vec![]));
        let by = vec!["zswpout in /proc/vmstat".to_owned()];
        assert_eq!(place(&Counters::read(dir.path())), (Sight::Inferred, Rung::Counters, by));
    }
}

//! Why, in one line: who reclaims, why zswap writes back and refuses, why folios get no slot. Shares since the start.

use crate::app::App;
use crate::snapshot::why::{Fallback, Why};
use crate::ui::format;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use ratatui::style::Style;
use vswap_common::why::{Reclaimer, Refusal, Writeback};

/// Draws the line if there is anything to say; what does not fit is cut from its end.
pub(super) fn draw(pen: &mut Pen<'_>, theme: Theme, why: &Why) {
    pen.put(1, 0, "Why", theme.strong());
    pen.put(5, 0, &parts(why).join("; "), Style::new());
}

/// Whether anything occurred that has a cause.
pub(super) fn any(app: &App) -> bool {
    !parts(&app.frame.snapshot.why).is_empty()
}

fn parts(why: &Why) -> Vec<String> {
    let out = Reclaimer::ALL.iter().map(|who| (who.name(), why.swapped_out(*who)));
    let back = Writeback::ALL.iter().map(|cause| (words(*cause), why.written_back(*cause)));
    let refused = Refusal::ALL.iter().map(|r| (reason(*r), why.refusals[*r as usize].pages));
    let slots = [Fallback::NoRun, Fallback::NoSpace, Fallback::MemcgLimit, Fallback::Unsupported]
        .map(|reason| (fallback(reason), why.large_fallbacks(reason)));
    let mut parts: Vec<String> = [("out by", shares(out)), ("written back for", shares(back))]
        .into_iter()
        .filter_map(|(what, shares)| Some(format!("{what} {}", shares?)))
        .collect();
    let written: u64 = Writeback::ALL.iter().map(|cause| why.written_back(*cause)).sum();
    if written > 0 && why.refaults.count > 0 {
        let again = why.refaults.count.min(written);
        parts.push(format!("{} of that read again", format::percent_of(again, written)));
    }
    if let Some(shares) = shares(refused) {
        parts.push(format!("zswap refused: {shares}"));
    }
    if let Some(shares) = shares(slots.into_iter()) {
        parts.push(format!("large folios split: {shares}"));
    }
    parts
}

/// The parts that are there, largest first, as shares of their sum.
fn shares(of: impl Iterator<Item = (&'static str, u64)>) -> Option<String> {
    let mut some: Vec<_> = of.filter(|(_, n)| *n > 0).collect();
    some.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let sum: u64 = some.iter().map(|(_, n)| n).sum();
    let text: Vec<String> =
        some.iter().map(|(name, n)| format!("{name} {}", format::percent_of(*n, sum))).collect();
    (!text.is_empty()).then(|| text.join(", "))
}

const fn words(cause: Writeback) -> &'static str {
    match cause {
        Writeback::Unknown => "unknown",
        Writeback::Shrinker => "shrinker",
        Writeback::PoolLimit => "full pool",
        Writeback::MemcgLimit => "cgroup limit",
    }
}

const fn reason(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Unknown => "unknown",
        Refusal::Disabled => "off",
        Refusal::PoolLimit => "full pool",
        Refusal::MemcgLimit => "cgroup limit",
        Refusal::CompressFail | Refusal::CompressPoor => "incompressible",
        Refusal::AllocFail | Refusal::EntryFail => "no memory",
    }
}

const fn fallback(reason: Fallback) -> &'static str {
    match reason {
        Fallback::Unknown => "unknown",
        Fallback::NoSpace => "no space",
        Fallback::NoRun => "no aligned run",
        Fallback::MemcgLimit => "cgroup limit",
        Fallback::Unsupported => "not supported",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_where_nothing_occurred_and_the_largest_share_comes_first() {
        let mut why = Why::default();
        assert!(parts(&why).is_empty());
        why.writeout[Reclaimer::Memcg as usize][0] = 25;
        why.writeout[Reclaimer::Kswapd as usize][2] = 75;
        // A refused writeout is no page out.
        why.writeout[Reclaimer::Direct as usize][3] = 900;
        why.writeback[Writeback::PoolLimit as usize][0] = 8;
        why.refaults.count = 2;
        why.fallbacks[Fallback::NoRun as usize] = [5, 0, 0, 0, 3, 0, 0, 0, 0, 0];
        assert_eq!(
            parts(&why),
            [
                "out by kswapd 75.0 %, memcg 25.0 %",
                "written back for full pool 100 %",
                "25.0 % of that read again",
                "large folios split: no aligned run 100 %",
            ]
        );
    }
}

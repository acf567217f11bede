//! Causes in words: who reclaims, why zswap writes back and refuses, why folios get no slot. The overview has their
//! shares since the start in one line, the flow what they come to in a second, the cgroups each its own.

use crate::app::App;
use crate::snapshot::why::{Fallback, Why};
use crate::ui::format;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use ratatui::style::Style;
use vswap_common::why::{Reclaimer, Refusal, Writeback};

/// Draws the line if there is anything to say; what does not fit is cut from its end.
pub(super) fn line(pen: &mut Pen<'_>, theme: Theme, why: &Why) {
    pen.put(1, 0, "Why", theme.strong());
    pen.put(5, 0, &parts(why).join("; "), Style::new());
}

/// Whether anything occurred that has a cause.
pub(super) fn any(app: &App) -> bool {
    !parts(&app.frame.snapshot.why).is_empty()
}

/// A question and its answers: how many pages (folios, where none got a slot) had which cause.
pub(super) struct Question {
    /// In a few words.
    pub(super) head: &'static str,
    /// Cause and number, those with none as well.
    pub(super) answers: Vec<(&'static str, u64)>,
}

/// All that is known of causes.
pub(super) fn questions(why: &Why) -> [Question; 4] {
    let out = Reclaimer::ALL.iter().map(|who| (who.name(), why.swapped_out(*who)));
    let back = Writeback::ALL.iter().map(|w| (cause(*w), why.written_back(*w)));
    let mut refused: Vec<(&str, u64)> = Vec::new();
    for r in Refusal::ALL {
        let (name, pages) = (reason(*r), why.refusals[*r as usize].pages);
        match refused.iter_mut().find(|(known, _)| *known == name) {
            // Two causes that are one to a reader.
            Some((_, sum)) => *sum += pages,
            None => refused.push((name, pages)),
        }
    }
    let slots = [Fallback::NoRun, Fallback::NoSpace, Fallback::MemcgLimit, Fallback::Unsupported]
        .map(|reason| (fallback(reason), why.large_fallbacks(reason)));
    [
        Question { head: "out by", answers: out.collect() },
        Question { head: "written back for", answers: back.collect() },
        Question { head: "zswap refused:", answers: refused },
        Question { head: "large folios split:", answers: slots.into() },
    ]
}

fn parts(why: &Why) -> Vec<String> {
    let told = |q: &Question| Some(format!("{} {}", q.head, shares(q.answers.iter().copied())?));
    let [out, back, refused, slots] = questions(why);
    let mut parts: Vec<String> = [told(&out), told(&back)].into_iter().flatten().collect();
    let written: u64 = back.answers.iter().map(|(_, n)| n).sum();
    if written > 0 && why.refaults.count > 0 {
        let again = why.refaults.count.min(written);
        parts.push(format!("{} of that read again", format::percent_of(again, written)));
    }
    parts.extend([told(&refused), told(&slots)].into_iter().flatten());
    parts
}

/// The parts that are there, largest first, as shares of their sum.
pub(super) fn shares(of: impl Iterator<Item = (&'static str, u64)>) -> Option<String> {
    let mut some: Vec<_> = of.filter(|(_, n)| *n > 0).collect();
    some.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let sum: u64 = some.iter().map(|(_, n)| n).sum();
    let text: Vec<String> =
        some.iter().map(|(name, n)| format!("{name} {}", format::percent_of(*n, sum))).collect();
    (!text.is_empty()).then(|| text.join(", "))
}

/// Why zswap wrote back, in words.
pub(super) const fn cause(cause: Writeback) -> &'static str {
    match cause {
        Writeback::Unknown => "unknown",
        Writeback::Shrinker => "shrinker",
        Writeback::PoolLimit => "full pool",
        Writeback::MemcgLimit => "cgroup limit",
    }
}

/// Why zswap refused, in words.
pub(super) const fn reason(refusal: Refusal) -> &'static str {
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
        why.refusals[Refusal::CompressFail as usize].pages = 3;
        why.refusals[Refusal::CompressPoor as usize].pages = 1;
        why.fallbacks[Fallback::NoRun as usize] = [5, 0, 0, 0, 3, 0, 0, 0, 0, 0];
        assert_eq!(
            parts(&why),
            [
                "out by kswapd 75.0 %, memcg 25.0 %",
                "written back for full pool 100 %",
                "25.0 % of that read again",
                "zswap refused: incompressible 100 %",
                "large folios split: no aligned run 100 %",
            ]
        );
    }
}

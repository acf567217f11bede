//! Cluster moves of kernel and model, matched cluster by cluster.
//!
//! The kernel tells a move under the cluster's lock, after the allocation or the free that caused it; the model makes
//! all moves of a request at once, when its outcome is known. So either side may be ahead, but for one cluster the
//! order is the same on both. What one side did and the other never does shows when the cluster moves again.

use super::Compared;
use crate::model::Flag;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// Moves one side may be ahead for one cluster; more is a disagreement.
const MOST_AHEAD: usize = 8;

/// A cluster's place after a move: `enum swap_cluster_flags` and, on lists that have one, the order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) flag: u8,
    pub(super) order: u8,
}

impl Place {
    /// The place a move leads to. Only partial clusters have a list by order.
    pub(super) const fn new(flag: u8, order: u8) -> Self {
        let partial = flag == Flag::Nonfull as u8 || flag == Flag::Frag as u8;
        Self { flag, order: if partial { order } else { 0 } }
    }
}

/// Who made a move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Kernel,
    Model,
}

struct Ahead {
    side: Side,
    moves: VecDeque<Place>,
}

/// Moves that wait for the other side, by device and cluster.
#[derive(Default)]
pub(super) struct Moves {
    ahead: FxHashMap<(u8, u32), Ahead>,
}

impl Moves {
    /// Takes in a move. Returns the moves that only one side made, as far as this one shows it.
    pub(super) fn take(&mut self, at: (u8, u32), side: Side, to: Place, tally: &mut Compared) -> u64 {
        let Some(waiting) = self.ahead.get_mut(&at) else {
            self.ahead.insert(at, Ahead { side, moves: VecDeque::from([to]) });
            return 0;
        };
        if waiting.side == side {
            waiting.moves.push_back(to);
            if waiting.moves.len() <= MOST_AHEAD {
                return 0;
            }
            waiting.moves.pop_front();
            tally.compared += 1;
            return 1;
        }
        // Behind a place that never came the two meet again.
        let met = waiting.moves.iter().position(|&place| place == to);
        let odd = met.unwrap_or(1) as u64;
        tally.compared += 1 + met.unwrap_or(0) as u64;
        tally.agreed += u64::from(met.is_some());
        if let Some(met) = met {
            waiting.moves.drain(..=met);
            if waiting.moves.is_empty() {
                self.ahead.remove(&at);
            }
        }
        odd
    }

    /// The sides are brought together by force: nothing waits any more.
    pub(super) fn forget(&mut self) {
        self.ahead.clear();
    }

    /// A device is gone.
    pub(super) fn forget_device(&mut self, dev: u8) {
        self.ahead.retain(|(d, _), _| *d != dev);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: (u8, u32) = (0, 7);

    fn run(moves: &[(Side, u8)]) -> (u64, u64, usize) {
        let (mut ledger, mut tally) = (Moves::default(), Compared::default());
        for &(side, flag) in moves {
            ledger.take(AT, side, Place::new(flag, 0), &mut tally);
        }
        (tally.compared, tally.agreed, ledger.ahead.len())
    }

    #[test]
    fn either_side_may_be_ahead() {
        use Side::{Kernel, Model};
        assert_eq!(run(&[(Model, 2), (Model, 3), (Kernel, 2), (Kernel, 3)]), (2, 2, 0));
        assert_eq!(run(&[(Kernel, 2), (Kernel, 3), (Model, 2), (Model, 3)]), (2, 2, 0));
    }

    #[test]
    fn a_move_only_one_side_made_is_odd_and_the_rest_is_followed() {
        use Side::{Kernel, Model};
        assert_eq!(run(&[(Model, 2), (Model, 3), (Kernel, 3), (Model, 4), (Kernel, 4)]), (3, 2, 0));
        assert_eq!(
            run(&[(Model, 2), (Kernel, 5), (Kernel, 2)]),
            (2, 1, 0),
            "the kernel's move is the odd one"
        );
        let endless = [(Model, 2); 20];
        assert_eq!(run(&endless), (20 - MOST_AHEAD as u64, 0, 1));
    }

    #[test]
    fn order_matters_on_lists_by_order_only() {
        assert_ne!(Place::new(2, 4), Place::new(2, 0));
        assert_eq!(Place::new(1, 4), Place::new(1, 0));
    }
}

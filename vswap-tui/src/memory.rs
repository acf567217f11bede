//! How much memory a recording, a stream or a kernel may make this program take (`--memory-limit`).
//!
//! What grows with the input - slot maps, links, models, places of a what-if, names, indices - asks here before it
//! grows, and goes without where nothing is left: what could not be followed is counted and told. The program itself,
//! its buffers and its history have fixed sizes and do not ask. Without a limit the fixed caps of each structure hold.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// The least that is of any use: a device of 3 GiB, or a few small ones.
pub const LEAST: u64 = 8 << 20;

static PROCESS: OnceLock<Arc<Budget>> = OnceLock::new();

/// Bytes that may still be taken, by all who share it.
#[derive(Debug)]
pub struct Budget {
    left: AtomicU64,
}

impl Budget {
    /// A budget of so many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self { left: AtomicU64::new(bytes) }
    }

    /// Bytes left.
    pub fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: u64) -> bool {
        let less = |left: u64| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    fn give(&self, bytes: u64) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Limits this process; once, before anything asks. Without it there is no limit.
pub fn limit_process(bytes: u64) {
    // A second call would find claims on the first: it changes nothing.
    let _ = PROCESS.set(Arc::new(Budget::new(bytes)));
}

/// The budget of this process.
pub fn process() -> &'static Arc<Budget> {
    PROCESS.get_or_init(|| Arc::new(Budget::new(u64::MAX)))
}

/// What one structure holds of a budget; given back when it goes.
#[derive(Debug)]
pub struct Claim {
    budget: Arc<Budget>,
    held: u64,
}

impl Default for Claim {
    fn default() -> Self {
        Self::on(process())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.budget.give(self.held);
    }
}

impl Claim {
    /// Nothing yet, of this budget.
    pub fn on(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), held: 0 }
    }

    /// Takes so many bytes more; false, and nothing taken, if they are not there.
    #[must_use]
    pub fn grow(&mut self, bytes: u64) -> bool {
        let there = self.budget.take(bytes);
        self.held += if there { bytes } else { 0 };
        there
    }

    /// Gives bytes back that [`Claim::grow`] took.
    pub fn shrink(&mut self, bytes: u64) {
        let bytes = bytes.min(self.held);
        self.held -= bytes;
        self.budget.give(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_missing_until_it_is_given_back() {
        let budget = Arc::new(Budget::new(100));
        let (mut a, mut b) = (Claim::on(&budget), Claim::on(&budget));
        assert!(a.grow(60) && !b.grow(41) && b.grow(40));
        assert_eq!((budget.left(), b.grow(1)), (0, false));
        a.shrink(10);
        assert!(b.grow(10));
        drop(a);
        assert_eq!(budget.left(), 50);
        b.shrink(1000);
        assert_eq!(budget.left(), 100, "no more than was taken");
    }
}

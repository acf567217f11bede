//! A bounded slot between two threads: holds the newest value, never makes the sender wait.

use std::sync::{Mutex, PoisonError};

/// One place; putting replaces.
#[derive(Debug)]
pub(super) struct Mailbox<T>(Mutex<Option<T>>);

impl<T> Mailbox<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Replaces what is there; the old value is dropped after the lock.
    pub(super) fn put(&self, value: T) {
        // A value is written in one step, so a panic elsewhere cannot have left half of one.
        let old = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(value);
        drop(old);
    }

    /// Takes the newest value, if one came since the last time.
    pub(super) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_is_kept() {
        let m = Mailbox::new();
        assert_eq!(m.take(), None);
        m.put(1);
        m.put(2);
        assert_eq!(m.take(), Some(2));
        assert_eq!(m.take(), None);
    }
}

//! Exit codes of the binary (a contract: scripts branch on them) and the errors that carry one.

use std::fmt;

/// What the process ends with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// All well.
    Ok = 0,
    /// Any failure without a code of its own.
    Failure = 1,
    /// Wrong command line (clap exits with it by itself).
    Usage = 2,
    /// Events were lost: what is shown is incomplete and says where.
    Lost = 3,
    /// The model and the kernel differ, or an invariant is broken.
    Divergence = 4,
    /// The trace is cut short or damaged; what is whole was used.
    Damaged = 5,
    /// A capability or setting is missing.
    NotPermitted = 6,
    /// This kernel lacks what is needed.
    NotSupported = 7,
}

/// An error with its exit code, to be put into an `anyhow` chain.
#[derive(Debug)]
pub struct ExitError {
    /// Code the process ends with.
    pub exit: Exit,
    /// What happened and what to do about it.
    pub message: String,
}

impl ExitError {
    /// An `anyhow` error that ends the process with `exit`.
    #[expect(clippy::new_ret_no_self, reason = "only ever used inside an anyhow chain")]
    pub fn new(exit: Exit, message: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self { exit, message: message.into() })
    }
}

impl fmt::Display for ExitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ExitError {}

/// The code of an error: that of the innermost [`ExitError`] in its chain, else [`Exit::Failure`].
pub fn code_of(err: &anyhow::Error) -> Exit {
    err.chain().filter_map(|e| e.downcast_ref::<ExitError>()).last().map_or(Exit::Failure, |e| e.exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn code_survives_context() {
        let err =
            Err::<(), _>(ExitError::new(Exit::NotPermitted, "no CAP_BPF")).context("record").unwrap_err();
        assert_eq!(code_of(&err), Exit::NotPermitted);
        assert_eq!(code_of(&anyhow::anyhow!("other")), Exit::Failure);
    }
}

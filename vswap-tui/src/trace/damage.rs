//! What a reader says of a trace that is not whole.

use std::fmt;

/// Where a trace is not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Offset of the first damage in bytes.
    pub at: u64,
    /// What is wrong there.
    pub why: String,
    /// Places in the middle of the file that had to be skipped.
    pub skips: u64,
    /// Bytes skipped there.
    pub skipped_bytes: u64,
    /// Records known to be lost there.
    pub lost_records: u64,
    /// Offset at which the trace stops without a trailer; `None` if it was closed cleanly.
    pub torn_at: Option<u64>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.skips > 0 {
            write!(
                f,
                "damaged at byte {}: {}; skipped {} bytes in {} places with {} records",
                self.at, self.why, self.skipped_bytes, self.skips, self.lost_records
            )?;
        }
        if let Some(at) = self.torn_at {
            let joint = if self.skips > 0 { "; " } else { "" };
            write!(f, "{joint}cut short at byte {at}: ")?;
            if self.skips == 0 && self.at == at && !self.why.is_empty() {
                write!(f, "{}, ", self.why)?;
            }
            f.write_str("no trailer was found, the recording did not end cleanly")?;
        }
        Ok(())
    }
}

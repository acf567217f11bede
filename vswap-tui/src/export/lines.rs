//! Tables as text: NDJSON and CSV.

use super::row::{EVENT_COLUMNS, EventRow, Names, SLOT_COLUMNS, SlotRow};
use super::{Export, Facts};
use crate::source::Batch;
use std::fmt::Display;
use std::io::{self, Write};

/// One JSON object a line.
pub struct Ndjson<W: Write>(W);

impl<W: Write> Ndjson<W> {
    /// Lines into `out`.
    pub const fn new(out: W) -> Self {
        Self(out)
    }

    /// The slots, one object a line.
    ///
    /// # Errors
    /// If writing fails.
    pub fn slots<'a>(mut self, slots: impl Iterator<Item = SlotRow<'a>>) -> io::Result<()> {
        for slot in slots {
            serde_json::to_writer(&mut self.0, &slot)?;
            self.0.write_all(b"\n")?;
        }
        self.0.flush()
    }
}

impl<W: Write> Export for Ndjson<W> {
    fn batch(&mut self, batch: &Batch, names: &Names) -> anyhow::Result<()> {
        for event in &batch.events {
            serde_json::to_writer(&mut self.0, &EventRow::new(event, names))?;
            self.0.write_all(b"\n")?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, _: &Facts, _: &Names) -> anyhow::Result<()> {
        Ok(self.0.flush()?)
    }
}

/// Comma-separated values (RFC 4180), an empty field for what is not known.
pub struct Csv<W: Write>(W);

impl<W: Write> Csv<W> {
    /// A table of events into `out`.
    ///
    /// # Errors
    /// If writing fails.
    pub fn events(mut out: W) -> io::Result<Self> {
        writeln!(out, "{}", EVENT_COLUMNS.join(","))?;
        Ok(Self(out))
    }

    /// The slots as a table into `out`.
    ///
    /// # Errors
    /// If writing fails.
    pub fn slots<'a>(mut out: W, slots: impl Iterator<Item = SlotRow<'a>>) -> io::Result<()> {
        writeln!(out, "{}", SLOT_COLUMNS.join(","))?;
        for s in slots {
            writeln!(
                out,
                "{},{},{},{},{},{},{},{},{},{},{}",
                s.dev,
                s.off,
                s.backend,
                known(s.phys_dev),
                known(s.phys_off),
                s.memcg,
                text(s.cgroup),
                s.order,
                s.cached,
                known(s.len),
                s.confirmed
            )?;
        }
        out.flush()
    }
}

impl<W: Write> Export for Csv<W> {
    fn batch(&mut self, batch: &Batch, names: &Names) -> anyhow::Result<()> {
        for event in &batch.events {
            let r = EventRow::new(event, names);
            writeln!(
                self.0,
                "{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
                r.ts,
                known(r.time_ns),
                r.kind,
                known(r.dev),
                known(r.off),
                r.nr,
                r.order,
                known(r.memcg),
                text(r.cgroup),
                r.cpu,
                r.tid,
                r.val,
                r.arg,
                r.flags
            )?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, _: &Facts, _: &Names) -> anyhow::Result<()> {
        Ok(self.0.flush()?)
    }
}

fn known(value: Option<impl Display>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

/// A field that may hold anything: a path may contain commas, quotes and line breaks.
fn text(value: Option<&str>) -> String {
    let value = value.unwrap_or_default();
    if value.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_commas_and_quotes_are_quoted() {
        assert_eq!(text(Some("/a")), "/a");
        assert_eq!(text(Some("/a,b \"c\"\n")), "\"/a,b \"\"c\"\"\n\"");
        assert_eq!(
            (text(None), known(None::<u8>), known(Some(7))),
            (String::new(), String::new(), "7".into())
        );
    }
}

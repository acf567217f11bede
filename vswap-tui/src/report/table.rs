//! Tables of the text report.

use std::io::{self, Write};

/// Columns as wide as their longest cell. Cells that begin with a blank are words and stand left, numbers right.
pub(super) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(head: &[&str; N]) -> Self {
        Self { rows: vec![head.map(String::from)] }
    }

    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// Writes title and rows after an empty line, nothing if there are no rows.
    pub(super) fn write(&self, title: &str, out: &mut impl Write) -> io::Result<()> {
        if self.rows.len() < 2 {
            return Ok(());
        }
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        writeln!(out, "\n{title}")?;
        for row in &self.rows {
            let mut line = String::new();
            for (cell, &width) in row.iter().zip(&widths) {
                if !line.is_empty() {
                    line.push_str("  ");
                }
                if cell.starts_with(' ') {
                    line.push_str(&format!("{cell:<width$}"));
                } else {
                    line.push_str(&format!("{cell:>width$}"));
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_empty_tables_are_left_out() {
        let mut table = Table::new(&["  name", "n"]);
        let mut out = Vec::new();
        table.write("Empty", &mut out).unwrap();
        assert!(out.is_empty());
        table.row(["  long name".into(), "7".into()]);
        table.row(["  x".into(), "1,000".into()]);
        table.write("Title", &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\nTitle\n  name           n\n  long name      7\n  x          1,000\n"
        );
    }
}

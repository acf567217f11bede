//! A panel of lines that can be longer than the screen.

use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use ratatui::style::Style;

/// Lines of one panel, drawn from any of them on.
#[derive(Default)]
pub struct Lines {
    rows: Vec<Row>,
}

enum Row {
    Title(String),
    Cells(Vec<Cell>),
}

/// A text that begins at `x`, or with `right` ends before it.
pub struct Cell {
    x: u16,
    right: bool,
    text: String,
    style: Style,
}

impl Lines {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The head of a panel.
    pub fn title(&mut self, text: impl Into<String>) {
        self.rows.push(Row::Title(text.into()));
    }

    /// A line to put texts into.
    pub fn line(&mut self) -> &mut Vec<Cell> {
        self.rows.push(Row::Cells(Vec::new()));
        match self.rows.last_mut() {
            Some(Row::Cells(cells)) => cells,
            _ => unreachable!("a row of cells was pushed just now"),
        }
    }

    /// A name and what is to be said about it, over as many lines as it takes.
    pub fn pair(&mut self, name: &str, text: &str, width: u16, style: Style) {
        let room = usize::from(width.saturating_sub(NAME + 1)).max(10);
        let mut name = name;
        for part in wrap(text, room) {
            let cells = self.line();
            cells.put(1, name, Style::new());
            cells.put(NAME, &part, style);
            name = "";
        }
    }

    /// Draws from line `top` on.
    pub fn draw(&self, pen: &mut Pen<'_>, theme: Theme, top: usize) {
        for (y, row) in (0..pen.height()).zip(self.rows.iter().skip(top)) {
            match row {
                Row::Title(text) => title(pen, y, theme, text, &[]),
                Row::Cells(cells) => {
                    for cell in cells {
                        if cell.right {
                            pen.right(cell.x, y, &cell.text, cell.style);
                        } else {
                            pen.put(cell.x, y, &cell.text, cell.style);
                        }
                    }
                }
            }
        }
    }
}

/// Column of what is said about a name.
pub const NAME: u16 = 13;

/// Texts of a line.
pub trait Put {
    /// A text that begins at `x`.
    fn put(&mut self, x: u16, text: &str, style: Style);
    /// A text that ends before `end`.
    fn right(&mut self, end: u16, text: &str, style: Style);
}

impl Put for Vec<Cell> {
    fn put(&mut self, x: u16, text: &str, style: Style) {
        self.push(Cell { x, right: false, text: text.to_owned(), style });
    }

    fn right(&mut self, end: u16, text: &str, style: Style) {
        self.push(Cell { x: end, right: true, text: text.to_owned(), style });
    }
}

/// Breaks at blanks into parts of at most `room` columns; a longer word stands alone and is cut by the screen.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match parts.last_mut() {
            Some(part) if part.chars().count() + 1 + word.chars().count() <= room => {
                part.push(' ');
                part.push_str(word);
            }
            _ => parts.push(word.to_owned()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_broken_at_blanks_and_nothing_is_lost() {
        let text = "nonfull[0] (15) 11 20 19; free (10) 22";
        let parts = wrap(text, 12);
        assert!(parts.iter().all(|p| p.len() <= 12), "{parts:?}");
        assert_eq!(parts.join(" "), text);
        assert_eq!(wrap("abcdefghijklm x", 5), ["abcdefghijklm", "x"]);
        assert!(wrap("", 5).is_empty());
    }
}

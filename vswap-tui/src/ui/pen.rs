//! Clipped writing into a rectangle: nothing drawn through a pen can leave its area, whatever the terminal size.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

/// A rectangle of the screen with coordinates of its own, (0, 0) at its top left.
pub struct Pen<'a> {
    buf: &'a mut Buffer,
    area: Rect,
}

impl<'a> Pen<'a> {
    /// A pen for the part of `area` that is on the buffer.
    pub fn new(buf: &'a mut Buffer, area: Rect) -> Self {
        let area = area.intersection(buf.area);
        Self { buf, area }
    }

    /// Columns.
    pub const fn width(&self) -> u16 {
        self.area.width
    }

    /// Rows.
    pub const fn height(&self) -> u16 {
        self.area.height
    }

    /// Writes at a place; what does not fit is cut off.
    pub fn put(&mut self, x: u16, y: u16, text: &str, style: Style) {
        if x < self.area.width && y < self.area.height {
            let room = usize::from(self.area.width - x);
            self.buf.set_stringn(self.area.x + x, self.area.y + y, text, room, style);
        }
    }

    /// Writes so that the text ends before column `end`; what does not fit is cut off at its start.
    pub fn right(&mut self, end: u16, y: u16, text: &str, style: Style) {
        let text = tail(text, usize::from(end));
        self.put(end.saturating_sub(width(&text) as u16), y, &text, style);
    }

    /// Writes in the middle of a row.
    pub fn centre(&mut self, y: u16, text: &str, style: Style) {
        let x = usize::from(self.area.width).saturating_sub(width(text)) / 2;
        self.put(x as u16, y, text, style);
    }

    /// One character cell.
    pub fn cell(&mut self, x: u16, y: u16, c: char, style: Style) {
        if x < self.area.width && y < self.area.height {
            let cell = &mut self.buf[(self.area.x + x, self.area.y + y)];
            cell.set_char(c);
            cell.set_style(style);
        }
    }

    /// Fills a row with one symbol.
    pub fn row(&mut self, y: u16, symbol: &str, style: Style) {
        for x in 0..self.area.width {
            self.put(x, y, symbol, style);
        }
    }
}

/// Columns a text takes on the screen.
pub fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// The end of a text in at most `columns`, marked with `..` where its start was cut: of a path the last part says
/// most.
pub fn tail(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept: Vec<char> = Vec::new();
    let mut used = 2;
    for c in text.chars().rev() {
        let w = Span::raw(c.to_string()).width();
        if used + w > columns {
            break;
        }
        used += w;
        kept.push(c);
    }
    let dots = ".".repeat(columns.min(2));
    dots + &kept.iter().rev().collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_fits_and_marks_the_cut() {
        assert_eq!(tail("/system.slice", 20), "/system.slice");
        assert_eq!(tail("/kubepods/pod1/container", 11), "..container");
        assert_eq!(tail("abc", 1), ".");
        assert_eq!(tail("abc", 0), "");
        assert!(width(&tail("/日本語/日本語", 7)) <= 7);
    }

    #[test]
    fn nothing_leaves_the_area() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 10, 3));
        let mut pen = Pen::new(&mut buf, Rect::new(2, 1, 4, 1));
        pen.put(0, 0, "abcdefgh", Style::new());
        pen.put(9, 0, "x", Style::new());
        pen.put(0, 7, "x", Style::new());
        pen.right(90, 0, "", Style::new());
        pen.cell(4, 0, 'x', Style::new());
        let all: String = buf.content().iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(all.trim(), "abcd");
        assert_eq!(Pen::new(&mut buf, Rect::new(50, 50, 9, 9)).width(), 0);
    }
}

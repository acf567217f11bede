//! One row of history.

use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use ratatui::style::Style;

/// Level 0 to 8 of a value: zero is level 0 and nothing else is, the largest is level 8.
pub fn level(value: u64, max: u64) -> usize {
    if value == 0 || max == 0 {
        return 0;
    }
    let eighths = (u128::from(value) * 8).div_ceil(u128::from(max));
    (eighths as usize).min(8)
}

/// Draws the newest values, newest at the right end; each row has its own scale, from zero to its largest value.
pub fn draw(
    pen: &mut Pen<'_>,
    (x, y): (u16, u16),
    width: u16,
    theme: Theme,
    style: Style,
    values: impl ExactSizeIterator<Item = u64> + Clone,
) {
    let n = values.len();
    let shown = n.min(usize::from(width));
    let newest = values.skip(n - shown);
    let max = newest.clone().max().unwrap_or(0);
    let start = x + width - shown as u16;
    let glyphs = theme.spark();
    for (i, value) in newest.enumerate() {
        pen.put(start + i as u16, y, glyphs[level(value, max)], style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Depth;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;

    #[test]
    fn only_nothing_is_drawn_as_nothing() {
        assert_eq!(level(0, 100), 0);
        assert_eq!(level(1, u64::MAX), 1);
        assert_eq!(level(100, 100), 8);
        assert_eq!(level(u64::MAX, u64::MAX), 8);
        assert_eq!(level(5, 0), 0);
    }

    #[test]
    fn newest_is_at_the_right() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 6, 1));
        let theme = Theme::new(Depth::Mono, true);
        let mut pen = Pen::new(&mut buf, Rect::new(0, 0, 6, 1));
        draw(&mut pen, (0, 0), 6, theme, Style::new(), [9, 0, 8].into_iter());
        let row: String = buf.content().iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(row, "   @ @");
        let mut buf = Buffer::empty(Rect::new(0, 0, 6, 1));
        let mut pen = Pen::new(&mut buf, Rect::new(0, 0, 6, 1));
        draw(&mut pen, (2, 0), 2, theme, Style::new(), [1, 1, 4, 8].into_iter());
        let row: String = buf.content().iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(row, "  =@  ");
    }
}

//! Small drawings that several views share.

pub mod lines;
pub mod mix_bar;
pub mod spark;
pub mod stack;

use crate::ui::pen::{Pen, width};
use crate::ui::theme::Theme;

/// The head of a panel: a rule with the title in it, and column heads that end before the given columns.
pub fn title(pen: &mut Pen<'_>, y: u16, theme: Theme, text: &str, heads: &[(u16, &str)]) {
    pen.row(y, theme.rule(), theme.dim());
    pen.put(1, y, &format!(" {text} "), theme.strong());
    for (end, head) in heads {
        let start = end.saturating_sub(width(head) as u16 + 1);
        if *end <= pen.width() && usize::from(start) > width(text) + 2 {
            pen.put(start, y, &format!(" {head} "), theme.dim());
        }
    }
}

//! History of the backend mix as stacked columns, one a second.

use crate::app::summary::Bin;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use crate::ui::widgets::mix_bar::{self, ORDER};

/// Draws the newest seconds over the whole pen; the tallest column is the largest use shown.
pub fn draw(pen: &mut Pen<'_>, theme: Theme, bins: &[Bin]) {
    let (width, height) = (pen.width(), pen.height());
    let shown = &bins[bins.len().saturating_sub(usize::from(width))..];
    let most = shown.iter().map(|b| b.mix.iter().sum::<u64>()).max().unwrap_or(0);
    if most == 0 {
        return;
    }
    let start = width - shown.len() as u16;
    for (i, bin) in shown.iter().enumerate() {
        let cells = mix_bar::columns(&bin.mix, most, height);
        let mut y = height;
        for backend in ORDER.iter().rev() {
            let fill = if theme.colour() { ' ' } else { Theme::backend_char(*backend) };
            for _ in 0..cells[*backend as usize] {
                y -= 1;
                pen.cell(start + i as u16, y, fill, theme.backend_area(*backend));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Depth;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;

    #[test]
    fn columns_grow_from_the_ground_with_disk_lowest() {
        let area = Rect::new(0, 0, 3, 4);
        let mut buf = Buffer::empty(area);
        let bin = |zswap, phys| Bin { mix: [0, 0, 0, zswap, phys], ..Bin::default() };
        let theme = Theme::new(Depth::Mono, true);
        draw(&mut Pen::new(&mut buf, area), theme, &[bin(0, 0), bin(2, 2), bin(0, 1)]);
        let rows: Vec<String> = (0..4).map(|y| (0..3).map(|x| buf[(x, y)].symbol()).collect()).collect();
        assert_eq!(rows, [" z ", " z ", " % ", " %%"]);
    }
}

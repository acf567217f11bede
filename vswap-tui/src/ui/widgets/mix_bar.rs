//! The backend mix as one bar: every backend in use has at least one column, and says its name where it has room.

use crate::snapshot::{Backend, Mix};
use crate::ui::format;
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;

/// Backends in the order of the bar: from memory outwards, what is not known last.
pub const ORDER: [Backend; 5] = [Backend::Folio, Backend::Zero, Backend::Zswap, Backend::Phys, Backend::None];

/// Columns of each backend (indexed as [`Mix`]) in a bar of `width` whose whole is `whole` slots: nothing that is
/// there vanishes, and the columns never sum to more than the bar.
pub fn columns(mix: &Mix, whole: u64, width: u16) -> [u16; 5] {
    let used: u64 = mix.iter().sum();
    let whole = whole.max(used);
    let mut cells = [0u16; 5];
    if whole == 0 || width == 0 {
        return cells;
    }
    for (cell, n) in cells.iter_mut().zip(mix) {
        let share = u128::from(*n) * u128::from(width) / u128::from(whole);
        *cell = (share as u16).max(u16::from(*n > 0));
    }
    // Rounding down leaves columns over; in a full bar they go to the largest part.
    let target = (u128::from(used) * u128::from(width)).div_ceil(u128::from(whole)) as u16;
    let sum = |cells: &[u16; 5]| cells.iter().map(|c| u32::from(*c)).sum::<u32>();
    let largest = |cells: &[u16; 5]| (0..5).max_by_key(|i| cells[*i]).unwrap_or(0);
    let short = u32::from(target).saturating_sub(sum(&cells)) as u16;
    cells[largest(&cells)] += short;
    while sum(&cells) > u32::from(width) {
        cells[largest(&cells)] -= 1;
    }
    cells
}

/// Draws the bar from column `x` over `width` columns; what is free of `whole` stays empty.
pub fn draw(pen: &mut Pen<'_>, (x, y): (u16, u16), width: u16, theme: Theme, mix: &Mix, whole: u64) {
    let used: u64 = mix.iter().sum();
    let cells = columns(mix, whole, width);
    let mut at = x;
    for backend in ORDER {
        let n = cells[backend as usize];
        let style = theme.backend_area(backend);
        let fill = if theme.colour() { ' ' } else { Theme::backend_char(backend) };
        for i in 0..n {
            pen.cell(at + i, y, fill, style);
        }
        let name = Theme::backend_name(backend);
        let long = format!(" {name} {} ", format::percent_of(mix[backend as usize], used));
        let label = if long.len() + 1 < usize::from(n) { long } else { format!(" {name} ") };
        if label.len() < usize::from(n) {
            pen.put(at + (n - label.len() as u16) / 2, y, &label, style);
        }
        at += n;
    }
    for i in at..x + width {
        pen.cell(i, y, if theme.colour() { ' ' } else { '_' }, theme.empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slot_is_visible_beside_a_million() {
        let c = columns(&[0, 1, 0, 1_000_000, 0], 0, 40);
        assert_eq!((c[1], c[3], c.iter().sum::<u16>()), (1, 39, 40));
    }

    #[test]
    fn free_space_of_a_device_stays_empty() {
        assert_eq!(columns(&[0, 0, 0, 0, 50], 100, 40), [0, 0, 0, 0, 20]);
        assert_eq!(columns(&[0; 5], 100, 40), [0; 5]);
        assert_eq!(columns(&[0, 0, 0, 0, 200], 100, 40)[4], 40, "more used than the device has");
    }

    #[test]
    fn any_mix_fits_any_width() {
        for width in [0, 1, 3, 5, 80, u16::MAX] {
            for mix in [[1; 5], [0; 5], [u64::MAX / 8; 5], [0, 0, 1, 0, 1 << 40], [3, 1, 4, 1, 5]] {
                for whole in [0, 1, 14, 1 << 60] {
                    let sum: u32 = columns(&mix, whole, width).iter().map(|c| u32::from(*c)).sum();
                    assert!(sum <= u32::from(width));
                }
            }
        }
    }
}

//! One cell of the map: the character alone says list and fill, the colour repeats it.

use crate::app::Paint;
use crate::snapshot::{Backend, ClusterCell, List};
use crate::ui::theme::Theme;
use ratatui::style::Style;
use vswap_common::slot::CLUSTER_SLOTS;

/// Clusters that share a cell, as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// List most of them are on; of equals the one with more slots in use.
    pub list: List,
    /// Order of the first cluster on that list.
    pub order: u8,
    /// Slots in use by backend.
    pub mix: [u32; 5],
    /// Slots of all.
    pub slots: u32,
}

impl Group {
    /// Sums clusters up; of none it is an empty free one.
    pub fn of(clusters: &[ClusterCell]) -> Self {
        let mut lists = [0u32; 6];
        let mut mix = [0u32; 5];
        for c in clusters {
            lists[c.list as usize] += 1;
            for (sum, n) in mix.iter_mut().zip(c.mix) {
                *sum += u32::from(n);
            }
        }
        // A few used clusters among free ones must not vanish: "free" only if all are.
        let used = mix.iter().sum::<u32>() > 0;
        let all = [List::None, List::Nonfull, List::Frag, List::Full, List::Discard];
        let list = all
            .into_iter()
            .filter(|l| lists[*l as usize] > 0 && (*l != List::None || used))
            .max_by_key(|l| lists[*l as usize])
            .unwrap_or(List::Free);
        let order = clusters.iter().find(|c| c.list == list).map_or(0, |c| c.order);
        Self { list, order, mix, slots: clusters.len() as u32 * CLUSTER_SLOTS }
    }

    /// Slots in use.
    pub fn used(&self) -> u32 {
        self.mix.iter().sum()
    }

    /// Tenths of the slots in use, 1 to 9 unless empty (0) or full (10).
    pub fn tenths(&self) -> u16 {
        let used = self.used();
        if used == 0 {
            0
        } else if used >= self.slots {
            10
        } else {
            (u64::from(used) * 10 / u64::from(self.slots)).clamp(1, 9) as u16
        }
    }

    fn main_backend(&self) -> Option<Backend> {
        let most = Backend::ALL.into_iter().max_by_key(|b| self.mix[*b as usize])?;
        (self.mix[most as usize] > 0).then_some(most)
    }

    /// Character and style.
    pub fn look(&self, theme: Theme, paint: Paint) -> (char, Style) {
        let tenths = self.tenths();
        match paint {
            Paint::List => (self.list_char(tenths), theme.list(self.list)),
            Paint::Fill => (tenth_char('0', tenths), theme.fill(tenths)),
            Paint::Backend => match self.main_backend() {
                None => ('.', theme.dim()),
                Some(b) => (Theme::backend_char(b), theme.backend(b)),
            },
            Paint::Order if tenths == 0 => ('.', theme.dim()),
            Paint::Order => ((b'0' + self.order.min(9)) as char, theme.order(self.order)),
        }
    }

    fn list_char(&self, tenths: u16) -> char {
        match self.list {
            List::Free => '.',
            List::Nonfull => tenth_char('0', tenths),
            List::Frag => tenth_char('`', tenths),
            List::None => tenth_char('@', tenths),
            List::Full => '#',
            List::Discard => 'x',
        }
    }
}

/// `base` is the character before the one of the first tenth; empty is `.`, full is `#` whatever the list.
const fn tenth_char(base: char, tenths: u16) -> char {
    match tenths {
        0 => '.',
        1..=9 => (base as u8 + tenths as u8) as char,
        _ => '#',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Depth;

    fn cluster(list: List, zswap: u16) -> ClusterCell {
        ClusterCell { mix: [0, 0, 0, zswap, 0], list, order: 3, ..ClusterCell::default() }
    }

    fn look(clusters: &[ClusterCell], paint: Paint) -> char {
        Group::of(clusters).look(Theme::new(Depth::Mono, true), paint).0
    }

    #[test]
    fn characters_alone_tell_list_and_fill() {
        assert_eq!(look(&[cluster(List::Free, 0)], Paint::List), '.');
        assert_eq!(look(&[cluster(List::Nonfull, 256)], Paint::List), '5');
        assert_eq!(look(&[cluster(List::Frag, 256)], Paint::List), 'e');
        assert_eq!(look(&[cluster(List::None, 256)], Paint::List), 'E');
        assert_eq!(look(&[cluster(List::Full, 512)], Paint::List), '#');
        assert_eq!(look(&[cluster(List::Discard, 0)], Paint::List), 'x');
    }

    #[test]
    fn one_slot_is_not_empty_and_one_free_is_not_full() {
        assert_eq!(look(&[cluster(List::Nonfull, 1)], Paint::List), '1');
        assert_eq!(look(&[cluster(List::Frag, 511)], Paint::List), 'i');
        assert_eq!(look(&[cluster(List::Nonfull, 1)], Paint::Fill), '1');
    }

    #[test]
    fn a_used_cluster_among_free_ones_is_seen() {
        let mut many = vec![cluster(List::Free, 0); 63];
        many.push(cluster(List::Frag, 3));
        assert_eq!(look(&many, Paint::List), 'a');
        assert_eq!(look(&many, Paint::Backend), 'z');
        assert_eq!(look(&many, Paint::Order), '3');
    }

    #[test]
    fn nothing_is_free() {
        assert_eq!(look(&[], Paint::List), '.');
        assert_eq!(look(&[cluster(List::None, 0)], Paint::List), '.');
    }
}

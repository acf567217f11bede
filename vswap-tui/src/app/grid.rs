//! Geometry of the cluster map: which clusters a cell stands for, at any size and zoom.

use crate::app::layout::LABEL;
use ratatui::layout::Rect;
use std::ops::Range;

/// How the clusters of a device lie on the cells of the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Clusters of the device.
    pub clusters: usize,
    /// Clusters one cell stands for, a power of two.
    pub per_cell: usize,
    /// Cells in a row.
    pub columns: usize,
    /// Rows the whole device takes.
    pub rows: usize,
    /// Rows visible at once.
    pub visible: usize,
}

impl Grid {
    /// Fits `clusters` into the map; each zoom step halves the clusters of a cell, down to one.
    pub fn new(clusters: usize, map: Rect, zoom: u8) -> Self {
        let room = usize::from(map.width.saturating_sub(LABEL)).max(1);
        // Rows that begin at round numbers are easier to read than full ones, and 64 easier than 144.
        let widest = if room >= 16 { room / 16 * 16 } else { room };
        let visible = usize::from(map.height).max(1);
        let fits = |per_cell: usize, columns: usize| clusters.div_ceil(per_cell).div_ceil(columns) <= visible;
        let mut fit = 1;
        while !fits(fit, widest) {
            fit *= 2;
        }
        let per_cell = (fit >> zoom.min(31)).max(1);
        let columns = [64, 128].into_iter().find(|c| *c <= widest && fits(per_cell, *c)).unwrap_or(widest);
        let rows = clusters.div_ceil(per_cell).div_ceil(columns);
        Self { clusters, per_cell, columns, rows, visible }
    }

    /// Zoom steps that still change something.
    pub fn max_zoom(clusters: usize, map: Rect) -> u8 {
        Self::new(clusters, map, 0).per_cell.trailing_zeros() as u8
    }

    /// Clusters of the cell at `column` of `row`; empty beyond the device.
    pub fn cell(&self, row: usize, column: usize) -> Range<usize> {
        let first = (row * self.columns + column).saturating_mul(self.per_cell);
        first.min(self.clusters)..(first + self.per_cell).min(self.clusters)
    }

    /// Row and column of a cluster.
    pub fn place(&self, cluster: usize) -> (usize, usize) {
        let cell = cluster / self.per_cell;
        (cell / self.columns, cell % self.columns)
    }

    /// First visible row nearest to `top` that keeps the cluster visible and the screen full.
    pub fn top_for(&self, cluster: usize, top: usize) -> usize {
        let (row, _) = self.place(cluster);
        let lowest = (row + 1).saturating_sub(self.visible);
        top.clamp(lowest, row).min(self.rows.saturating_sub(self.visible))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: Rect = Rect::new(0, 0, 9 + 64, 10);

    #[test]
    fn small_device_has_a_cell_a_cluster() {
        let g = Grid::new(100, MAP, 0);
        assert_eq!((g.per_cell, g.columns, g.rows), (1, 64, 2));
        assert_eq!(g.cell(1, 35), 99..100);
        assert!(g.cell(1, 36).is_empty());
    }

    #[test]
    fn large_device_fits_and_zooms_to_single_clusters() {
        let g = Grid::new(8192, MAP, 0);
        assert_eq!(g.per_cell, 16);
        assert!(g.rows <= g.visible);
        assert_eq!(Grid::max_zoom(8192, MAP), 4);
        let g = Grid::new(8192, MAP, 4);
        assert_eq!((g.per_cell, g.rows), (1, 128));
        assert_eq!(Grid::new(8192, MAP, 200).per_cell, 1);
    }

    #[test]
    fn every_cluster_has_one_cell_at_every_size() {
        for width in [0, 1, 9, 10, 25, 26, 80, 300] {
            for height in [0, 1, 7, 60] {
                for clusters in [0, 1, 63, 1000, 4099] {
                    for zoom in [0, 1, 9] {
                        let g = Grid::new(clusters, Rect::new(0, 0, width, height), zoom);
                        for c in (0..clusters).step_by(61) {
                            let (row, column) = g.place(c);
                            assert!(g.cell(row, column).contains(&c));
                            assert!(row < g.rows && column < g.columns);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn scrolling_follows_the_cursor_and_wastes_no_row() {
        let g = Grid::new(8192, MAP, 4);
        assert_eq!(g.top_for(0, 50), 0);
        assert_eq!(g.top_for(64 * 60, 55), 55, "visible already: nothing moves");
        assert_eq!(g.top_for(64 * 60, 0), 51);
        assert_eq!(g.top_for(8191, 500), 118);
    }
}

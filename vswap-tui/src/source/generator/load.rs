//! What the generated load wants at a time: how fast, how full, which sizes. All in integers.

use crate::cli::Workload;

const S: u64 = 1_000_000_000;
const MIB: u64 = 1 << 20;

/// Parameters of one workload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Operations (swap-outs, swap-ins, exits, writebacks) per second of event time.
    pub(super) ops_per_s: u64,
    /// Fill of all devices at the trough and the crest of a wave, permille.
    fill: (u64, u64),
    /// Length of a wave, ns.
    pub(super) wave_ns: u64,
    /// Weight of each folio order.
    pub(super) orders: &'static [(u8, u64)],
    /// Folios of zeroes, permille.
    pub(super) zero: u64,
    /// Folios zswap refuses although it has room, permille.
    pub(super) incompressible: u64,
    /// Compressed bytes at which zswap begins to write back.
    pub(super) pool_limit: u64,
    /// Writeback goes on down to this part of the limit, percent.
    pub(super) pool_low: u64,
    /// Folios that stay in the swap cache after their writeout, permille.
    pub(super) linger: u64,
    /// Weight of swap-ins against swap-outs at 100.
    pub(super) faults: u64,
    /// Folios unmapped at a time.
    pub(super) unmapped: u64,
}

/// Slots for which the figures of the workloads were made; more slots bring more load, so that the waves keep their
/// shape.
pub(super) const USUAL_SLOTS: u64 = 96 << 10;

impl Load {
    /// A workload on devices of `slots` slots.
    pub(super) fn of(workload: Workload, slots: u64) -> Self {
        let usual = Self::usual(workload);
        Self {
            ops_per_s: (usual.ops_per_s * slots / USUAL_SLOTS).clamp(100, 1_000_000),
            pool_limit: usual.pool_limit * slots / USUAL_SLOTS,
            ..usual
        }
    }

    const fn usual(workload: Workload) -> Self {
        let mixed = Self {
            ops_per_s: 4_000,
            fill: (250, 800),
            wave_ns: 24 * S,
            orders: &[(0, 900), (2, 50), (4, 45), (9, 5)],
            zero: 120,
            incompressible: 60,
            pool_limit: 48 * MIB,
            pool_low: 80,
            linger: 60,
            faults: 60,
            unmapped: 1,
        };
        match workload {
            Workload::Mixed => mixed,
            Workload::Thp => Self {
                ops_per_s: 500,
                fill: (200, 850),
                wave_ns: 30 * S,
                orders: &[(0, 300), (2, 150), (3, 50), (4, 300), (6, 50), (9, 250)],
                faults: 30,
                unmapped: 2,
                ..mixed
            },
            Workload::Writeback => Self {
                fill: (500, 800),
                wave_ns: 20 * S,
                zero: 40,
                incompressible: 20,
                pool_limit: 8 * MIB,
                pool_low: 40,
                faults: 30,
                ..mixed
            },
            Workload::Churn => Self {
                ops_per_s: 9_000,
                fill: (40, 160),
                wave_ns: 6 * S,
                orders: &[(0, 1)],
                linger: 250,
                faults: 95,
                ..mixed
            },
            Workload::Oom => Self {
                fill: (900, 1100),
                wave_ns: 16 * S,
                orders: &[(0, 850), (4, 120), (9, 30)],
                incompressible: 250,
                faults: 25,
                ..mixed
            },
        }
    }

    /// Fill wanted `ns` after the start, permille: a triangle between trough and crest.
    pub(super) const fn wanted_fill(&self, ns: u64) -> u64 {
        let half = self.wave_ns / 2;
        let phase = ns % self.wave_ns;
        let up = if phase < half { phase } else { self.wave_ns - phase };
        self.fill.0 + (self.fill.1 - self.fill.0) * up / half
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_run_between_trough_and_crest() {
        let load = Load::of(Workload::Mixed, USUAL_SLOTS);
        assert_eq!(
            [0, 6 * S, 12 * S, 18 * S, 24 * S].map(|t| load.wanted_fill(t)),
            [250, 525, 800, 525, 250]
        );
    }
}

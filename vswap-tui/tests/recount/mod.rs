//! The sums of a snapshot, checked against a count over all slots.

use std::collections::BTreeMap;
use vswap_tui::collector::Collector;
use vswap_tui::snapshot::{Mix, Snapshot};

/// Counts everything again from the slot dump and compares it with the snapshot.
pub(crate) fn recount(collector: &mut Collector) -> Snapshot {
    let s = collector.snapshot();
    let mut mix = Mix::default();
    let (mut cached, mut unconfirmed, mut bytes) = (0, 0, 0);
    let mut devices: BTreeMap<u8, Mix> = BTreeMap::new();
    let mut cells: BTreeMap<(u8, u64), ([u16; 5], u16)> = BTreeMap::new();
    let mut memcgs: BTreeMap<u16, (Mix, u64)> = BTreeMap::new();
    let mut last = None;
    for line in collector.slots() {
        assert!(last < Some((line.dev, line.off)), "slots are sorted and each comes once");
        last = Some((line.dev, line.off));
        let (b, len) = (line.backend as usize, u64::from(line.len.unwrap_or(0)));
        mix[b] += 1;
        devices.entry(line.dev).or_default()[b] += 1;
        cached += u64::from(line.cached);
        unconfirmed += u64::from(!line.confirmed);
        bytes += len;
        let cell = cells.entry((line.dev, line.off / 512)).or_default();
        cell.0[b] += 1;
        cell.1 += u16::from(!line.confirmed);
        let row = memcgs.entry(line.memcg).or_default();
        row.0[b] += 1;
        row.1 += len;
    }
    assert_eq!((s.mix, s.cached, s.unconfirmed, s.zswap_bytes), (mix, cached, unconfirmed, bytes));
    for d in &s.devices {
        assert_eq!(d.mix, devices.remove(&d.dev).unwrap_or_default());
        assert_eq!(d.used, d.mix.iter().sum::<u64>());
        for (i, cell) in (0..).zip(d.clusters.iter()) {
            let counted = cells.remove(&(d.dev, i)).unwrap_or_default();
            assert_eq!((cell.mix, cell.unconfirmed), counted, "device {} cluster {}", d.dev, i);
        }
    }
    assert!(devices.is_empty());
    assert!(cells.keys().all(|(_, i)| *i >= 131_072), "only clusters far out have no cell");
    for m in &s.memcgs {
        assert_eq!((m.mix, m.zswap_bytes), memcgs.remove(&m.id).unwrap_or_default());
        assert_eq!(m.slots, m.mix.iter().sum::<u64>());
    }
    assert!(memcgs.is_empty());
    s
}

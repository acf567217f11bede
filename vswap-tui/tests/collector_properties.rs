//! Whatever comes in: no panic, and the sums kept in passing equal a recount over all slots.

mod recount;

use proptest::prelude::*;
use recount::recount;
use std::sync::Arc;
use vswap_common::{Entry, Kind, Record};
use vswap_tui::collector::Collector;
use vswap_tui::decode::decode;
use vswap_tui::meta::{CgroupInfo, Header, HookTotals, Update};

prop_compose! {
    /// Events that meet each other: few devices, clusters, owners and sizes, all kinds and flags.
    fn record()(
        kind in 1u8..=23, dev in 0u8..3, cluster in prop_oneof![9 => 0u64..3, 1 => Just(200_000u64)],
        start in 0u64..16, order in prop_oneof![4 => Just(0u8), 1 => 1u8..=2, 1 => Just(9u8)],
        step in 0u64..3_000_000, arg in prop_oneof![0u64..1000, Just(u64::MAX)], val in -2i32..5000,
        memcg in 0u16..4, flags in 0u16..256,
    ) -> Record {
        let off = if order == 9 { cluster * 512 } else { cluster * 512 + start * (1 << order) };
        Record {
            ts: step,
            entry: Entry::new(dev, off).0,
            arg: if kind == Kind::SwapOn as u8 { arg % 5000 } else { arg },
            val: if kind == Kind::Charge as u8 && val < 4000 { 0 } else { val },
            nr: 1 << order,
            memcg,
            flags,
            kind,
            order,
            ..Record::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn sums_always_equal_a_recount(records in prop::collection::vec(record(), 1..300), from_swapon: bool) {
        let mut collector = Collector::new(Arc::new(Header { from_swapon, ..Header::default() }), 1_000_000);
        let mut ts = 0;
        for (i, mut r) in records.into_iter().enumerate() {
            ts += r.ts;
            r.ts = ts;
            collector.apply(&decode(&r).unwrap());
            if i % 32 == 0 {
                recount(&mut collector);
            }
        }
        let s = recount(&mut collector);
        prop_assert!(s.history.iter().all(|p| p.span_ns == 1_000_000) && s.history.len() <= 600);
    }

    #[test]
    fn any_record_that_decodes_is_taken(parts in prop::collection::vec(prop::array::uniform6(any::<u64>()), 0..64)) {
        let mut collector = Collector::new(Arc::new(Header::default()), 0);
        for p in parts {
            let mut bytes = [0u8; 48];
            for (i, word) in p.iter().enumerate() {
                bytes[i * 8..i * 8 + 8].copy_from_slice(&word.to_le_bytes());
            }
            bytes[15] &= 0x7f;
            bytes[46] = bytes[46] % 23 + 1;
            bytes[47] %= 10;
            match decode(&Record::from_bytes(&bytes)) {
                Ok(event) => collector.apply(&event),
                Err(_) => collector.note_undecodable(1),
            }
        }
        recount(&mut collector);
    }

    #[test]
    fn updates_never_disturb_the_sums(id: u16, path in ".{0,12}", lost: u64, fault: u64, records in prop::collection::vec(record(), 0..50)) {
        let mut collector = Collector::new(Arc::new(Header::default()), 1000);
        for r in &records {
            collector.apply(&decode(r).unwrap());
        }
        let hook = HookTotals { lost: lost >> 1, fault: fault >> 2, ..HookTotals::default() };
        collector.update(&Update {
            cgroups: vec![CgroupInfo { id, inode: 1, path }],
            hooks: vec![hook.clone(), hook],
            ..Update::default()
        });
        recount(&mut collector);
    }
}

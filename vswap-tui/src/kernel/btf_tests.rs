use super::*;
use proptest::prelude::*;

fn blob() -> Vec<u8> {
    fixture::swap_table_memcg().build()
}

#[test]
fn members_sizes_enums_and_signatures_are_found() {
    let btf = Btf::parse(blob()).unwrap();
    assert_eq!(btf.member("folio", "swap").map(|m| m.offset), Some(56), "inside an anonymous union");
    assert_eq!(btf.member("mem_cgroup", "css.parent").map(|m| m.offset), Some(48));
    assert_eq!(btf.member("mem_cgroup", "id.id").map(|m| m.offset), Some(240));
    assert_eq!(btf.size_of("swap_cluster_info"), Some(80));
    assert_eq!(btf.member("swap_table", "entries").and_then(|m| btf.array_len(m)), Some(512));
    assert_eq!(btf.enum_value("pageflags", "PG_head"), Some(9));
    assert_eq!(
        btf.signature("swap_writeout"),
        Some(vec!["swap_io_ctx *".into(), "folio *".into(), "int".into()])
    );
    assert_eq!(btf.signature("__swap_cache_do_add_folio").unwrap()[2], "swp_entry_t");
}

#[test]
fn what_is_not_there_is_none() {
    let btf = Btf::parse(blob()).unwrap();
    assert_eq!(btf.member("folio", "nope"), None);
    assert_eq!(btf.member("nope", "x"), None);
    assert_eq!(btf.signature("nope"), None);
    assert_eq!(btf.enum_value("pageflags", "PG_nope"), None);
    assert_eq!(btf.any_enum_value("SWP_NOPE"), None);
    assert_eq!(btf.any_enum_value("SWP_BLKDEV"), Some(8), "of an enum without a name");
    assert_eq!(btf.array_len(Member { offset: 0, type_id: 1 }), None);
}

#[test]
fn empty_short_foreign_and_newer_are_named() {
    assert_eq!(Btf::parse(Vec::new()).err(), Some(BtfError::Short(0)));
    assert_eq!(Btf::parse(vec![0xeb, 0x9f, 1, 0]).err(), Some(BtfError::Magic(0x9feb)));
    let mut b = blob();
    b[2] = 2;
    assert_eq!(Btf::parse(b).err(), Some(BtfError::Version(2)));
    let full = blob();
    for n in 0..full.len() {
        assert!(Btf::parse(full[..n].to_vec()).is_err(), "cut at {n} must not parse");
    }
}

#[test]
fn unknown_kind_ends_the_parse() {
    let mut b = blob();
    // First type: byte 3 of its info word carries the kind.
    b[24 + 7] = 31;
    assert_eq!(Btf::parse(b).err(), Some(BtfError::Kind { kind: 31, id: 1 }));
}

#[test]
fn a_type_that_refers_to_itself_ends() {
    let mut b = fixture::Builder::new();
    let me = b.typedef("loop", 2);
    assert_eq!(me, 2);
    b.structure("s", 8, &[("a", me, 0)]);
    let btf = Btf::parse(b.build()).unwrap();
    assert_eq!(btf.member("s", "a.b"), None);
    assert_eq!(btf.member("s", "a").and_then(|m| btf.array_len(m)), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn flipped_bytes_never_panic(at in 0usize..2000, bit in 0u8..8) {
        let mut b = blob();
        let at = at % b.len();
        b[at] ^= 1 << bit;
        if let Ok(btf) = Btf::parse(b) {
            for s in ["folio", "swap_info_struct", "mem_cgroup"] {
                let _ = btf.member(s, "swap");
                let _ = btf.member(s, "css.parent");
                let _ = btf.size_of(s);
            }
            let _ = btf.signature("swap_writeout");
            let _ = btf.enum_value("pageflags", "PG_head");
        }
    }

    #[test]
    fn random_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for (i, b) in [0x9f, 0xeb, 1, 0, 24, 0, 0, 0].iter().enumerate() {
            if let Some(slot) = bytes.get_mut(i) { *slot = *b; }
        }
        let _ = Btf::parse(bytes);
    }
}

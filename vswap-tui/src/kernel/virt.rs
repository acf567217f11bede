//! Virtual swap, by what BTF says of it: the three ways a word of a virtual table tells where a slot's data is.
//!
//! A word keeps a tag in its low three bits. Which tag means what differs between the postings of the series and the
//! tree it is heading for, and so does the place of the device number in a word that names a physical slot. The
//! enumerators and the functions around them decide; a combination that is none of the three is not guessed at.

use super::btf::Btf;

/// How words of virtual tables are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Words {
    /// Name of the layout generation.
    pub name: &'static str,
    /// Tag of a word that names a physical slot.
    pub phys: u32,
    /// Tag of a word that points to a zswap entry.
    pub zswap: u32,
    /// Tag of a zero-filled slot; none where the flag in the swap table word says it.
    pub zero: Option<u32>,
    /// Bit at which the device number of a physical slot begins; below it, from bit 3 on, the offset.
    pub type_at: u32,
}

const ENUM: &str = "enum vswap_backing_type";

/// What the kernel keeps of virtual slots; `None` without virtual swap.
///
/// # Errors
/// The enumerators and functions that make no known combination.
pub fn words(btf: &Btf) -> Option<Result<Words, String>> {
    btf.member("swap_cluster_info_dynamic", "virtual_table")?;
    // The programs take a virtual cluster for the cluster in it.
    if btf.member("swap_cluster_info_dynamic", "ci").is_none_or(|ci| ci.offset != 0) {
        return Some(Err("the cluster is not the first member of swap_cluster_info_dynamic".to_owned()));
    }
    let tag = |name: &str| btf.enum_value("vswap_backing_type", name).and_then(|v| u32::try_from(v).ok());
    let (none, phys, zswap) = (tag("VSWAP_NONE"), tag("VSWAP_SWAPFILE"), tag("VSWAP_ZSWAP"));
    let (zero, folio) = (tag("VSWAP_ZERO"), tag("VSWAP_FOLIO"));
    let has = |func: &str| btf.signature(func).is_some();
    // The whole entry, moved up by the tag's three bits: the device number of bit 58 sits at bit 61.
    let moved =
        |name, zero| Words { name, phys: 1, zswap: if zero { 3 } else { 2 }, zero: None, type_at: 61 };
    Some(match (none, phys, zswap) {
        (Some(0), Some(1), Some(3))
            if (zero, folio) == (Some(2), Some(4))
                && has("vswap_release_backing")
                && has("vswap_store_folio") =>
        {
            Ok(Words { zero, ..moved("virtual-swap-rfc1", true) })
        }
        (Some(0), Some(1), Some(2))
            if has("__vswap_release_backing") && has("folio_release_non_phys_swap_backing") =>
        {
            Ok(moved("virtual-swap-rfc2", false))
        }
        (Some(0), Some(2), Some(1)) if has("__vswap_release_backing") => {
            Ok(Words { name: "virtual-swap", phys: 2, zswap: 1, zero: None, type_at: 59 })
        }
        _ => Err(unknown(&[
            ("VSWAP_NONE", none),
            ("VSWAP_SWAPFILE", phys),
            ("VSWAP_ZSWAP", zswap),
            ("VSWAP_ZERO", zero),
            ("VSWAP_FOLIO", folio),
        ])),
    })
}

fn unknown(values: &[(&str, Option<u32>)]) -> String {
    let say = |(name, value): &(&str, Option<u32>)| match value {
        Some(value) => format!("{name} = {value}"),
        None => format!("no {name}"),
    };
    let values: Vec<String> = values.iter().map(say).collect();
    format!(
        "this kernel has virtual swap of a kind not known: {ENUM} has {}, and the functions that give backing up \
         fit none of the known layouts",
        values.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::super::btf::fixture::{self, Generation};
    use super::*;

    fn known(generation: Generation) -> Option<Result<Words, String>> {
        words(&Btf::parse(fixture::described(generation).build()).unwrap())
    }

    #[test]
    fn three_encodings_are_told_apart_and_plain_kernels_have_none() {
        for plain in [Generation::SlotCaches, Generation::Memcg, Generation::Ops] {
            assert_eq!(known(plain), None);
        }
        let of = |generation| {
            let w = known(generation).unwrap().unwrap();
            (w.name, w.phys, w.zswap, w.zero, w.type_at)
        };
        assert_eq!(of(Generation::VirtualRfc1), ("virtual-swap-rfc1", 1, 3, Some(2), 61));
        assert_eq!(of(Generation::VirtualRfc2), ("virtual-swap-rfc2", 1, 2, None, 61));
        assert_eq!(of(Generation::Virtual), ("virtual-swap", 2, 1, None, 59));
    }

    #[test]
    fn unknown_combinations_are_named_not_guessed() {
        let describe = |values: &[(&str, u32)], funcs: &[&str]| {
            let mut b = fixture::Builder::new();
            b.structure("swap_cluster_info_dynamic", 64, &[("ci", 1, 0), ("virtual_table", 1, 8)]);
            b.enumeration("vswap_backing_type", values);
            for func in funcs {
                b.func(func, &[1], 0);
            }
            words(&Btf::parse(b.build()).unwrap()).unwrap().unwrap_err()
        };
        let v1 = [
            ("VSWAP_NONE", 0),
            ("VSWAP_SWAPFILE", 1),
            ("VSWAP_ZERO", 2),
            ("VSWAP_ZSWAP", 3),
            ("VSWAP_FOLIO", 4),
        ];
        let why = describe(&v1, &["vswap_release_backing"]);
        assert!(why.contains("VSWAP_ZSWAP = 3") && why.contains("enum vswap_backing_type"), "{why}");
        // A tree of the series that has no physical backing yet.
        let why = describe(&[("VSWAP_NONE", 0), ("VSWAP_ZSWAP", 1)], &["__vswap_release_backing"]);
        assert!(why.contains("no VSWAP_SWAPFILE"), "{why}");
        assert!(describe(&[], &[]).contains("no VSWAP_NONE"));
        let mut b = fixture::Builder::new();
        b.structure("swap_cluster_info_dynamic", 64, &[("ci", 1, 8), ("virtual_table", 1, 0)]);
        assert!(words(&Btf::parse(b.build()).unwrap()).unwrap().unwrap_err().contains("first member"));
    }
}

//! Lists and texts in a trace's JSON, with the most that a recorder writes: a block of 8 MiB of `{},{},` would else
//! become a hundred times as much in memory before anybody looks at it.

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// Devices in one list; the kernel has 32 numbers for them.
pub(crate) const DEVICES: usize = 1024;
/// Hooks, fields and the like in one list.
pub(crate) const HOOKS: usize = 4096;
/// Cgroups in one list: their ids have 16 bits.
pub(crate) const CGROUPS: usize = 1 << 16;
/// Bytes of a path (`PATH_MAX`).
pub(crate) const PATH: usize = 4096;

struct List<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for List<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = seq.next_element()? {
            if all.len() == MOST {
                return Err(A::Error::custom(format_args!(
                    "a list of more than {MOST}, which no recorder writes"
                )));
            }
            all.push(one);
        }
        Ok(all)
    }
}

/// A list of at most `MOST`; a longer one is an error.
pub(crate) fn list<'de, D, T, const MOST: usize>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    from.deserialize_seq(List::<T, MOST>(PhantomData))
}

/// A text of at most `MOST` bytes; a longer one is an error.
pub(crate) fn text<'de, D: Deserializer<'de>, const MOST: usize>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    if text.len() > MOST {
        return Err(D::Error::custom(format_args!(
            "a text of more than {MOST} bytes, which no recorder writes"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use crate::meta::{Header, Update};
    use crate::trace::KeyState;

    #[test]
    fn a_list_without_end_is_refused_early() {
        let many = |n: usize| vec!["{}"; n].join(",");
        let update =
            |member: &str, n| serde_json::from_str::<Update>(&format!("{{\"{member}\":[{}]}}", many(n)));
        for (member, most) in [
            ("cgroups", super::CGROUPS),
            ("devices", super::DEVICES),
            ("hooks", super::HOOKS),
            ("usage", super::CGROUPS),
        ] {
            assert!(update(member, most).is_ok(), "{member}");
            let why = update(member, most + 1).unwrap_err().to_string();
            assert!(why.contains("no recorder writes"), "{member}: {why}");
        }
        assert!(
            serde_json::from_str::<Header>(&format!("{{\"plan\":[{}]}}", many(super::HOOKS + 1))).is_err()
        );
        let key =
            |member: &str, n| serde_json::from_str::<KeyState>(&format!("{{\"{member}\":[{}]}}", many(n)));
        for member in ["devices", "memcgs", "described", "hooks"] {
            assert!(key(member, 3).is_ok() && key(member, super::CGROUPS + 1).is_err(), "{member}");
        }
    }

    #[test]
    fn a_path_no_kernel_has_is_refused() {
        let update = |path: &str| {
            serde_json::from_str::<Update>(&format!("{{\"cgroups\":[{{\"path\":\"{path}\"}}]}}"))
        };
        assert!(update(&"p".repeat(4096)).is_ok());
        assert!(update(&"p".repeat(4097)).is_err());
    }
}

//! What a typed filter means for the event log: words that all must fit.
//!
//! `free write` kinds (or parts of their names, any of them), `0:4711` a slot, `dev0`, `cpu3`, `tid99`, `#21` or `/web`
//! an owner.

use crate::snapshot::watch::EventFilter;
use std::collections::BTreeMap;
use std::sync::Arc;
use vswap_common::Kind;

/// Owners one path may stand for.
const OWNERS: usize = 256;

/// Parses a filter; `paths` has those of all cgroups by id.
///
/// # Errors
/// The word that means nothing, in words.
pub fn parse(text: &str, paths: &BTreeMap<u16, Arc<str>>) -> Result<EventFilter, String> {
    let mut filter = EventFilter::default();
    let mut owners: Option<Vec<u16>> = None;
    for word in text.split_whitespace() {
        let number = |prefix: &str| word.strip_prefix(prefix).and_then(|n| n.parse::<u64>().ok());
        if let Some((dev, off)) = slot(word) {
            filter.dev = dev.or(filter.dev);
            filter.off = Some(off);
        } else if let Some(dev) = number("dev") {
            filter.dev = Some(u8::try_from(dev).map_err(|_| format!("'{word}': no such device"))?);
        } else if let Some(cpu) = number("cpu") {
            filter.cpu = Some(u16::try_from(cpu).map_err(|_| format!("'{word}': no such CPU"))?);
        } else if let Some(tid) = number("tid") {
            filter.tid = Some(u32::try_from(tid).map_err(|_| format!("'{word}': no such thread"))?);
        } else if let Some(id) = number("#") {
            owners
                .get_or_insert_default()
                .push(u16::try_from(id).map_err(|_| format!("'{word}': no such id"))?);
        } else if word.contains('/') {
            let ids = paths.iter().filter(|(_, path)| path.contains(word)).map(|(id, _)| *id);
            let owners = owners.get_or_insert_default();
            let before = owners.len();
            owners.extend(ids.take(OWNERS));
            if owners.len() == before {
                return Err(format!("no cgroup has '{word}' in its path"));
            }
        } else {
            let kinds = Kind::ALL.into_iter().filter(|k| k.name().contains(word));
            let before = filter.kinds;
            kinds.for_each(|k| filter.add(k));
            if filter.kinds == before {
                return Err(format!(
                    "'{word}' is no kind of event, DEV:OFF, devN, cpuN, tidN, #ID or /cgroup"
                ));
            }
        }
    }
    filter.memcgs = owners.unwrap_or_default().into();
    Ok(filter)
}

/// `0:4711`, or `4711` for the device that is looked at.
pub fn slot(word: &str) -> Option<(Option<u8>, u64)> {
    match word.split_once(':') {
        Some((dev, off)) => Some((Some(dev.parse().ok()?), off.parse().ok()?)),
        None => Some((None, word.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_conditions() {
        let paths = BTreeMap::from([(21, Arc::from("/web/a"))]);
        let f = parse("free write_end 1:77 cpu3 tid99 /web #4", &paths).unwrap();
        assert_eq!((f.dev, f.off, f.cpu, f.tid), (Some(1), Some(77), Some(3), Some(99)));
        assert_eq!(&*f.memcgs, [21, 4]);
        let bits = |kinds: &[Kind]| kinds.iter().map(|k| 1u64 << *k as u8).sum::<u64>();
        assert_eq!(f.kinds, bits(&[Kind::Free, Kind::ZswapFree, Kind::WriteEnd]));
        assert_eq!(parse("  ", &paths), Ok(EventFilter::default()));
        assert_eq!(
            parse("5 dev2", &paths).unwrap(),
            EventFilter { dev: Some(2), off: Some(5), ..EventFilter::default() }
        );
    }

    #[test]
    fn what_means_nothing_is_named() {
        for wrong in ["nonsense", "/nobody", "dev900", "cpu99999", "#70000", "1:x"] {
            assert!(parse(wrong, &BTreeMap::new()).unwrap_err().contains(wrong), "{wrong}");
        }
    }
}

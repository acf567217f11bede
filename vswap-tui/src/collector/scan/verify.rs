//! A scan that only compares: what the map says for certain against what the kernel's tables say.

use super::backend;
use crate::collector::Collector;
use crate::collector::cluster::Word;
use crate::decode::Event;
use crate::snapshot::Backend;
use vswap_common::{flags, place};

/// Differing slots remembered from one look to the next; more are counted as differing at the first look.
const MAX_SUSPECTS: usize = 1 << 20;
/// Differing slots named in the result.
const NAMED: usize = 8;

impl Collector {
    /// Compares what the map says for certain with what the tables say. A slot differs if two looks in a row find it
    /// so: one alone may have read between an event and the change it tells of.
    pub(super) fn compare(&mut self, e: &Event) {
        let suspects = &self.scanning.suspects;
        let (mut found, mut checked, mut unknown, mut at) = (Vec::new(), 0, 0, e.entry);
        let second = self.scanning.verify.as_ref().is_some_and(|v| v.looks > 1);
        self.map.each(e, |word| {
            let entry = at;
            at = at.add(1);
            let used = !place::unused(place::place(e.arg));
            if !word.confirmed() || (used && backend(e).is_none()) {
                unknown += u64::from(word.used() || used);
                return;
            }
            checked += u64::from(word.used() || used);
            if differs(word, e) && (!second || suspects.contains(&entry.0)) {
                found.push((entry, word));
            }
        });
        let Some(verify) = &mut self.scanning.verify else { return };
        verify.checked += checked;
        verify.unknown += unknown;
        verify.differing += found.len() as u64;
        for (entry, word) in found {
            if self.scanning.found.len() < MAX_SUSPECTS {
                self.scanning.found.insert(entry.0);
            }
            if verify.examples.len() < NAMED {
                verify.examples.push(format!(
                    "slot {}:{} is {} in the map, {} in the kernel's tables",
                    entry.dev(),
                    entry.off(),
                    describe(word),
                    describe_found(e)
                ));
            }
        }
    }
}

fn differs(word: Word, e: &Event) -> bool {
    let cached = e.flags & flags::CACHED != 0;
    let Some(found) = backend(e) else { return word.used() };
    if !word.used() || word.cached() != cached || (e.has_memcg() && word.memcg() != e.memcg) {
        return true;
    }
    let told = word.backend();
    // A cached page may be written to at any time, which no hook tells: what lies behind it is stale then, or was
    // before the folio went back to being clean.
    if cached && matches!((told, found), (Backend::Phys, Backend::Folio)) {
        return false;
    }
    let lengths = i32::from(word.len()) != e.val && word.len() > 0 && e.val > 0;
    told != found || (found == Backend::Zswap && lengths)
}

fn describe(word: Word) -> String {
    if !word.used() {
        return "free".into();
    }
    words(word.backend(), word.cached(), word.memcg(), i32::from(word.len()))
}

fn describe_found(e: &Event) -> String {
    match backend(e) {
        None => "free".into(),
        Some(backend) => words(backend, e.flags & flags::CACHED != 0, e.memcg, e.val),
    }
}

fn words(backend: Backend, cached: bool, memcg: u16, len: i32) -> String {
    let cached = if cached { ", cached" } else { "" };
    let len = if len > 0 { format!(" of {len} bytes") } else { String::new() };
    format!("{}{len}{cached}, cgroup #{memcg}", backend.name())
}

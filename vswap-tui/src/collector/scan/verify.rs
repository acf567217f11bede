//! A scan that only compares: what the map says for certain against what the kernel's tables say.

use super::backend;
use crate::collector::Collector;
use crate::collector::cluster::Word;
use crate::decode::Event;
use crate::snapshot::Backend;
use vswap_common::{Entry, flags, place};

/// Differing slots remembered from one look to the next; more are counted as differing at the first look.
const MAX_SUSPECTS: usize = 1 << 20;
/// Differing slots named in the result.
const NAMED: usize = 8;

impl Collector {
    /// Compares what the map says for certain with what the tables say. A slot differs if two looks in a row find it
    /// so: one alone may have read between an event and the change it tells of.
    pub(super) fn compare(&mut self, e: &Event) {
        self.compare_holders(e);
        let (mut found, mut checked, mut unknown, mut at) = (Vec::new(), 0, 0, e.entry);
        self.map.each(e, |word| {
            let entry = at;
            at = at.add(1);
            let used = !place::unused(place::place(e.arg));
            if !word.confirmed() || (used && backend(e).is_none()) {
                unknown += u64::from(word.used() || used);
                return;
            }
            checked += u64::from(word.used() || used);
            if differs(word, e) {
                found.push((entry, word));
            }
        });
        if let Some(verify) = &mut self.scanning.verify {
            verify.checked += checked;
            verify.unknown += unknown;
        }
        for (entry, word) in found {
            self.differs(entry, || (describe(word), describe_found(e)));
        }
    }

    /// Compares the links of virtual slots to the physical ones that the kernel's virtual table names.
    pub(super) fn compare_links(&mut self, e: &Event) {
        for i in 0..u64::from(e.nr) {
            let (virt, phys) = (Entry(e.arg).add(i), e.entry.add(i));
            let told = self.map.links.phys_of(virt);
            if told != Some(phys) && self.sure_of(e, virt) {
                self.differs(virt, || (behind(told), behind(Some(phys))));
            }
        }
    }

    /// Compares which slots of a device hold the data of virtual ones.
    fn compare_holders(&mut self, e: &Event) {
        let holds = place::place(e.arg) == place::BACKS;
        if !holds && self.map.links.is_empty() {
            return;
        }
        let epoch = self.map.epoch();
        let whole = self.map.device_mut(e.entry.dev()).known_whole(epoch);
        for phys in (0..u64::from(e.nr)).map(|i| e.entry.add(i)) {
            let owner = self.map.links.owner_of(phys);
            let sure = owner.map_or(whole, |virt| self.sure_of(e, virt));
            if owner.is_some() != holds && sure {
                let holder =
                    |holds: bool| if holds { "behind a virtual slot" } else { "behind no virtual slot" };
                self.differs(phys, || (holder(!holds).to_owned(), holder(holds).to_owned()));
            }
        }
    }

    /// What the map says of the slot is certain.
    fn sure_of(&mut self, e: &Event, at: Entry) -> bool {
        let mut sure = false;
        self.map.each(&Event { entry: at, nr: 1, ..*e }, |word| sure = word.confirmed());
        sure
    }

    /// The slot is one way in the map and another in the kernel's tables: in the second look only if in the first too.
    fn differs(&mut self, entry: Entry, say: impl FnOnce() -> (String, String)) {
        let Some(verify) = &mut self.scanning.verify else { return };
        if verify.looks > 1 && !self.scanning.suspects.contains(&entry.0) {
            return;
        }
        verify.differing += 1;
        if self.scanning.found.len() < MAX_SUSPECTS {
            self.scanning.found.insert(entry.0);
        }
        if verify.examples.len() < NAMED {
            let (map, tables) = say();
            verify.examples.push(format!(
                "slot {}:{} is {map} in the map, {tables} in the kernel's tables",
                entry.dev(),
                entry.off()
            ));
        }
    }
}

fn behind(phys: Option<Entry>) -> String {
    match phys {
        Some(phys) => format!("backed by {}:{}", phys.dev(), phys.off()),
        None => "not backed".to_owned(),
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

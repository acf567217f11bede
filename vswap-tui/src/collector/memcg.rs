//! Slots by owner: one row per kernel-private memcg id.

use crate::memory::Claim;
use crate::meta::{CgroupInfo, CgroupUse};
use crate::snapshot::{MemcgView, Mix};
use crate::trace::keyframe::KeyMemcg;
use std::collections::BTreeMap;
use std::sync::Arc;
use vswap_common::why::WRITEBACKS;

/// Cgroups a snapshot shows at most; the rest have fewer slots than all of these.
const SHOWN: usize = 1024;

/// What one owner has in swap.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// Slots in use by backend.
    pub(super) mix: Mix,
    /// Virtual slots in use that no physical slot is held for: they cost the cgroup no swap.
    pub(super) uncharged: u64,
    /// Compressed bytes in zswap, as far as known.
    pub(super) zswap_bytes: u64,
    /// Pages written back from zswap by cause.
    pub(super) writebacks: [u64; WRITEBACKS],
    /// Pages read from the device after that.
    pub(super) refaults: u64,
    /// Pages moved out to zero, zswap or the device, without writeback.
    pub(super) out: u64,
    /// Pages served to swap-ins.
    pub(super) into: u64,
    /// Pages that zswap wrote back to a device.
    pub(super) written_back: u64,
    /// What the kernel's files say.
    usage: Option<CgroupUse>,
    /// Charged slots of it and all below it when `usage` was told.
    charged_then: u64,
    /// Where the id is mounted; the kernel reuses ids, so this can change.
    path: Option<Arc<str>>,
}

impl Row {
    /// Slots in use.
    fn slots(&self) -> u64 {
        self.mix.iter().sum()
    }

    /// Slots charged to `memory.swap`: a slot of a device at its allocation (`__mem_cgroup_try_charge_swap`), a virtual
    /// one when it gets a physical one (`__mem_cgroup_charge_backing_phys_swap`).
    fn charged(&self) -> u64 {
        self.slots() - self.uncharged
    }
}

/// All owners, indexed by id: ids are 16 bits, so the table is bounded.
#[derive(Debug, Default)]
pub(super) struct Memcgs {
    rows: Vec<Row>,
    /// What the paths take.
    names: Claim,
    /// The paths that the last snapshot got, while still true.
    shared: Option<Arc<BTreeMap<u16, Arc<str>>>>,
}

impl Memcgs {
    /// Learns or replaces the path of an id.
    pub(super) fn name(&mut self, info: &CgroupInfo) {
        let before = self.path(info.id).map_or(0, str::len) as u64;
        self.names.shrink(before);
        // Without memory for its name an owner is shown by its number.
        let named = self.names.grow(info.path.len() as u64);
        self.row_mut(info.id).path = named.then(|| Arc::from(info.path.as_str()));
        self.shared = None;
    }

    /// All paths by id; made anew only after a name came.
    pub(super) fn paths(&mut self) -> Arc<BTreeMap<u16, Arc<str>>> {
        let rows = &self.rows;
        let told =
            || (0u16..=u16::MAX).zip(rows).filter_map(|(id, row)| Some((id, Arc::clone(row.path.as_ref()?))));
        Arc::clone(self.shared.get_or_insert_with(|| Arc::new(told().collect())))
    }

    /// The row of an id, made when it is the first we hear of it.
    #[inline]
    pub(super) fn row_mut(&mut self, id: u16) -> &mut Row {
        let i = usize::from(id);
        if i >= self.rows.len() {
            self.rows.resize_with(i + 1, Row::default);
        }
        &mut self.rows[i]
    }

    /// Ids with counts by cause: pages written back, pages read after that.
    pub(super) fn causes(&self) -> Vec<(u16, [u64; WRITEBACKS], u64)> {
        let rows = (0u16..=u16::MAX).zip(&self.rows);
        let told = rows.filter(|(_, row)| row.refaults > 0 || row.writebacks.iter().any(|n| *n > 0));
        told.map(|(id, row)| (id, row.writebacks, row.refaults)).collect()
    }

    /// Takes over what [`Memcgs::causes`] gave.
    pub(super) fn restore_causes(&mut self, causes: &[(u16, [u64; WRITEBACKS], u64)]) {
        for (id, writebacks, refaults) in causes {
            let row = self.row_mut(*id);
            (row.writebacks, row.refaults) = (*writebacks, *refaults);
        }
    }

    /// Path of an id, if anybody told it.
    pub(super) fn path(&self, id: u16) -> Option<&str> {
        self.rows.get(usize::from(id))?.path.as_deref()
    }

    /// Path of an id, to be kept.
    pub(super) fn shared_path(&self, id: u16) -> Option<&Arc<str>> {
        self.rows.get(usize::from(id))?.path.as_ref()
    }

    /// Learns what the kernel's files say of an id.
    pub(super) fn note_use(&mut self, usage: &CgroupUse) {
        let below = self.path(usage.id).map_or(0, |path| self.charged_below(path));
        let row = self.row_mut(usage.id);
        row.usage = Some(usage.clone());
        row.charged_then = below;
    }

    /// Charged slots of the cgroup at `path` and of all below it.
    fn charged_below(&self, path: &str) -> u64 {
        let inside = |p: &str| {
            path == "/" || p.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let rows = self.rows.iter().filter(|row| row.path.as_deref().is_some_and(inside));
        rows.map(Row::charged).sum()
    }

    /// What a key frame has of each owner: all but its slots, which come one by one.
    pub(super) fn dump(&self) -> Vec<KeyMemcg> {
        let key = |(id, row): (usize, &Row)| KeyMemcg {
            id: id as u16,
            out: row.out,
            into: row.into,
            written_back: row.written_back,
            usage: row.usage.clone(),
            charged_then: row.charged_then,
        };
        let told = |k: &KeyMemcg| k.out + k.into + k.written_back > 0 || k.usage.is_some();
        self.rows.iter().enumerate().map(key).filter(told).collect()
    }

    /// Takes over what [`Memcgs::dump`] gave.
    pub(super) fn restore(&mut self, keys: &[KeyMemcg]) {
        for key in keys {
            let row = self.row_mut(key.id);
            (row.out, row.into, row.written_back) = (key.out, key.into, key.written_back);
            (row.usage, row.charged_then) = (key.usage.clone(), key.charged_then);
        }
    }

    /// Owners with slots, most first; equal ones by id so that rows do not jump on the screen.
    pub(super) fn view(&self) -> Vec<MemcgView> {
        let mut by_slots: Vec<(u64, u16)> = self
            .rows
            .iter()
            .enumerate()
            .map(|(id, row)| (row.slots(), id as u16))
            .filter(|(slots, _)| *slots > 0)
            .collect();
        by_slots.sort_unstable_by_key(|(slots, id)| (std::cmp::Reverse(*slots), *id));
        by_slots.truncate(SHOWN);
        by_slots.into_iter().map(|(slots, id)| self.row_view(id, slots)).collect()
    }

    fn row_view(&self, id: u16, slots: u64) -> MemcgView {
        let row = &self.rows[usize::from(id)];
        MemcgView {
            id,
            path: row.path.clone().unwrap_or_else(|| format!("#{id}").into()),
            out: row.out,
            into: row.into,
            written_back: row.written_back,
            usage: row.usage.clone(),
            charged_then: row.charged_then,
            slots,
            mix: row.mix,
            charged: row.charged(),
            zswap_bytes: row.zswap_bytes,
            writebacks: row.writebacks,
            refaults: row.refaults,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(id: u16, path: &str) -> CgroupInfo {
        CgroupInfo { id, inode: 0, path: path.to_owned() }
    }

    #[test]
    fn sorted_by_slots_and_named_by_path_or_number() {
        let mut m = Memcgs::default();
        m.name(&info(7, "/web"));
        m.row_mut(7).mix = [0, 1, 0, 2, 0];
        m.row_mut(9).mix = [0, 0, 0, 0, 5];
        m.name(&info(3, "/idle"));
        let v = m.view();
        assert_eq!(v.iter().map(|r| (&*r.path, r.slots)).collect::<Vec<_>>(), [("#9", 5), ("/web", 3)]);
    }

    #[test]
    fn use_is_held_against_the_slots_of_the_subtree_at_that_moment() {
        let mut m = Memcgs::default();
        for (id, path, slots) in [(1, "/a", 5), (2, "/a/b", 7), (3, "/ab", 100)] {
            m.name(&info(id, path));
            m.row_mut(id).mix[1] = slots;
        }
        m.note_use(&CgroupUse { id: 1, swap: Some(12 * 4096), ..CgroupUse::default() });
        m.row_mut(2).mix[1] = 9;
        let a = m.view().into_iter().find(|r| r.id == 1).unwrap();
        assert_eq!((a.charged_then, a.slots, a.usage.unwrap().swap), (12, 5, Some(49_152)));
    }

    #[test]
    fn virtual_slots_without_a_physical_one_cost_neither_their_cgroup_nor_its_parents() {
        let mut m = Memcgs::default();
        for (id, path, slots, uncharged) in [(1, "/a", 5, 2), (2, "/a/b", 7, 7)] {
            m.name(&info(id, path));
            (m.row_mut(id).mix[3], m.row_mut(id).uncharged) = (slots, uncharged);
        }
        for id in [1, 2] {
            m.note_use(&CgroupUse { id, swap: Some(0), ..CgroupUse::default() });
        }
        let told: Vec<_> = m.view().iter().map(|r| (r.id, r.slots, r.charged, r.charged_then)).collect();
        assert_eq!(told, [(2, 7, 0, 0), (1, 5, 3, 3)]);
    }

    #[test]
    fn a_reused_id_gets_its_new_path() {
        let mut m = Memcgs::default();
        m.name(&info(7, "/old"));
        m.name(&info(7, "/new"));
        assert_eq!((m.path(7), m.path(8), m.path(60_000)), (Some("/new"), None, None));
        let told = m.paths();
        assert!(Arc::ptr_eq(&told, &m.paths()), "nothing new: not made anew");
        m.name(&info(9, "/other"));
        assert_eq!(
            m.paths().iter().map(|(id, path)| (*id, &**path)).collect::<Vec<_>>(),
            [(7, "/new"), (9, "/other")]
        );
    }

    #[test]
    fn view_is_bounded() {
        let mut m = Memcgs::default();
        for id in 0..2000 {
            m.row_mut(id).mix[1] = u64::from(id);
        }
        let v = m.view();
        assert_eq!((v.len(), v[0].slots), (SHOWN, 1999));
    }
}

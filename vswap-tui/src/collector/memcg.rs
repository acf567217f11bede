//! Slots by owner: one row per kernel-private memcg id.

use crate::meta::CgroupInfo;
use crate::snapshot::{MemcgView, Mix};
use std::sync::Arc;
use vswap_common::why::WRITEBACKS;

/// Cgroups a snapshot shows at most; the rest have fewer slots than all of these.
const SHOWN: usize = 512;

/// What one owner has in swap.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// Slots in use by backend.
    pub(super) mix: Mix,
    /// Compressed bytes in zswap, as far as known.
    pub(super) zswap_bytes: u64,
    /// Pages written back from zswap by cause.
    pub(super) writebacks: [u64; WRITEBACKS],
    /// Pages read from the device after that.
    pub(super) refaults: u64,
    /// Where the id is mounted; the kernel reuses ids, so this can change.
    path: Option<Arc<str>>,
}

/// All owners, indexed by id: ids are 16 bits, so the table is bounded.
#[derive(Debug, Default)]
pub(super) struct Memcgs {
    rows: Vec<Row>,
}

impl Memcgs {
    /// Learns or replaces the path of an id.
    pub(super) fn name(&mut self, info: &CgroupInfo) {
        self.row_mut(info.id).path = Some(Arc::from(info.path.as_str()));
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

    /// Owners with slots, most first; equal ones by id so that rows do not jump on the screen.
    pub(super) fn view(&self) -> Vec<MemcgView> {
        let mut by_slots: Vec<(u64, u16)> = self
            .rows
            .iter()
            .enumerate()
            .map(|(id, row)| (row.mix.iter().sum::<u64>(), id as u16))
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
            path: row.path.as_deref().map_or_else(|| format!("#{id}"), str::to_owned),
            slots,
            mix: row.mix,
            // Without the virtual layer every slot in use is charged (`__mem_cgroup_try_charge_swap`).
            charged: slots,
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
        assert_eq!(
            v.iter().map(|r| (r.path.as_str(), r.slots)).collect::<Vec<_>>(),
            [("#9", 5), ("/web", 3)]
        );
    }

    #[test]
    fn a_reused_id_gets_its_new_path() {
        let mut m = Memcgs::default();
        m.name(&info(7, "/old"));
        m.name(&info(7, "/new"));
        assert_eq!((m.path(7), m.path(8), m.path(60_000)), (Some("/new"), None, None));
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

//! Writing and reading of cached folios, with zswap in between: what its hooks see.

use super::kernel::{Eyes, Kernel};
use super::ring::{about, draft};
use super::runs::Content;
use crate::model::Backing;
use crate::model::backend::{Writeout, Written};
use vswap_common::slot::CLUSTER_SLOTS;
use vswap_common::why::{Writeback, walk};
use vswap_common::{Entry, Kind, Record, flags};

const US: u64 = 1_000;
const ENOENT: i32 = -2;
const EIO: i32 = -5;
/// `AOP_WRITEPAGE_ACTIVATE`.
const ACTIVATE: i32 = 0x8_0000;

impl Kernel {
    /// The folio cached at `at` is written out: zero, to zswap page by page, or to the device.
    pub(super) fn writeout(
        &mut self,
        at: Entry,
        order: u8,
        how: Writeout,
        content: Content,
    ) -> Option<Written> {
        let begun = self.ring.now();
        let nr = 1u16 << order;
        let old = Bits::of(nr, |i| self.model.word(at.add(i.into())).in_zswap());
        let done = self.model.writeout(self.cpu(), at, how, &mut Eyes::on(&self.runs));
        self.tell_all(0);
        let written = match done {
            Ok(written) => written,
            Err(fault) => {
                self.check(Err(fault));
                return None;
            }
        };
        match written {
            Written::Freed => {}
            Written::Zero => {
                self.ring.spend(2 * US);
                let arg = self.ring.now() - begun;
                self.ring.push(Record { arg, ..about(Kind::Zero, at, nr, order) });
            }
            Written::Zswap => self.store(at, order, nr, &old, content),
            Written::Device(_) | Written::Reactivated | Written::Mismatch(_) => {
                self.store(at, order, how.stored.min(u64::from(nr) - 1) as u16, &old, content);
                if written == Written::Reactivated {
                    let arg = self.ring.now() - begun;
                    self.ring.push(Record {
                        arg,
                        val: ACTIVATE,
                        ..about(Kind::WriteoutReject, at, nr, order)
                    });
                } else {
                    self.ring.push(about(Kind::Write, at, nr, order));
                }
            }
        }
        Some(written)
    }

    /// `zswap_store` takes the first `stored` pages of a folio. If that is not all, it gives them up again, and the
    /// `old` entries with them.
    fn store(&mut self, at: Entry, order: u8, stored: u16, old: &Bits, content: Content) {
        let begun = self.ring.now();
        let nr = 1u16 << order;
        for i in 0..stored {
            let page = at.add(i.into());
            if old.has(i) {
                self.entry_freed(page, flags::IN_STORE);
            }
            let len = content.len(i.into());
            self.ring.spend(2 * US);
            self.pool_bytes += u64::from(len);
            if let Some(cell) = self.len_mut(page) {
                *cell = len;
            }
            if order > 0 {
                self.ring.push(Record { val: len.into(), ..about(Kind::ZswapPage, page, 1, 0) });
            }
        }
        let mut result = about(Kind::ZswapStore, at, nr, order);
        if stored < nr {
            self.ring.spend(3 * US);
            for i in (0..nr).filter(|i| *i < stored || old.has(*i)) {
                self.entry_freed(at.add(i.into()), flags::IN_STORE);
            }
            result = Record { val: self.refusal as i32, ..about(Kind::ZswapReject, at, nr, order) };
        } else if order == 0 {
            result.val = content.len(0).into();
        }
        result.arg = self.ring.now() - begun;
        self.ring.push(result);
    }

    /// The folio cached at `at` is read in. Where from; a read from the device has only begun.
    pub(super) fn swapin(&mut self, at: Entry) -> Option<Backing> {
        let begun = self.ring.now();
        let source = match self.model.swapin(at) {
            Ok(source) => source,
            Err(fault) => {
                self.check(Err(fault));
                return None;
            }
        };
        self.ring.spend(US);
        let (kind, val) = match source {
            Backing::Zero => (Kind::LoadZero, 0),
            Backing::Zswap(_) => {
                self.ring.spend(2 * US);
                self.entry_freed(at, flags::IN_LOAD);
                (Kind::LoadZswap, 0)
            }
            _ => (Kind::LoadPhys, ENOENT),
        };
        let arg = self.ring.now() - begun;
        self.ring.push(Record { arg, val, ..about(kind, at, 1, 0) });
        Some(source)
    }

    /// zswap cannot decompress the page cached at `at`.
    pub(super) fn load_fails(&mut self, at: Entry) {
        let begun = self.ring.now();
        self.ring.spend(2 * US);
        let arg = self.ring.now() - begun;
        self.ring.push(Record { arg, val: EIO, ..about(Kind::LoadFail, at, 1, 0) });
    }

    /// zswap moves one page to the device; false if it could not be decompressed. It has looked at others before.
    pub(super) fn writeback(&mut self, at: Entry, decompresses: bool, cause: Writeback) -> bool {
        let pfn = self.pfn(0);
        self.tell_cache_add(at);
        let done = self.model.zswap_writeback(self.cpu(), at, pfn, decompresses, &mut Eyes::on(&self.runs));
        self.ring.spend(3 * US);
        self.tell_all(0);
        let written = matches!(done, Ok(Written::Device(_)));
        self.check(done.map(drop));
        if written {
            self.set_cached(at, true);
            self.entry_freed(at, 0);
            let val = cause as i32;
            self.ring.push(Record { val, flags: flags::WRITEBACK, ..about(Kind::Write, at, 1, 0) });
        }
        let spared = (at.off() % 3) as u16;
        let arg = walk::pack([u16::from(written), spared, u16::from(!written), 0]);
        self.ring.push_along(Record { arg, val: cause as i32, ..draft(Kind::Shrink) });
        written
    }

    /// A zswap entry is freed; `why` are the flags of the record.
    pub(super) fn entry_freed(&mut self, at: Entry, why: u16) {
        let len = self.len_mut(at).map_or(0, |len| *len);
        self.pool_bytes -= u64::from(len);
        self.ring.push(Record { val: len.into(), flags: why, ..about(Kind::ZswapFree, at, 1, 0) });
    }

    fn len_mut(&mut self, at: Entry) -> Option<&mut u16> {
        self.lens.get_mut(usize::from(at.dev()))?.get_mut(at.off() as usize)
    }
}

/// Pages of a folio, one bit each.
struct Bits([u64; CLUSTER_SLOTS as usize / 64]);

impl Bits {
    fn of(nr: u16, is: impl Fn(u16) -> bool) -> Self {
        let mut bits = [0; CLUSTER_SLOTS as usize / 64];
        for i in (0..nr).filter(|i| is(*i)) {
            bits[usize::from(i / 64)] |= 1 << (i % 64);
        }
        Self(bits)
    }

    const fn has(&self, i: u16) -> bool {
        self.0[i as usize / 64] >> (i % 64) & 1 == 1
    }
}

//! One event as a line: when, where, what, whose.

use super::causes;
use crate::app::App;
use crate::decode::Event;
use crate::snapshot::{Backend, List};
use crate::ui::format;
use crate::ui::pen::{Pen, tail, width};
use crate::ui::theme::Theme;
use ratatui::style::Style;
use vswap_common::why::{Refusal, Writeback, walk};
use vswap_common::{Kind, flags};

/// Ends and beginnings of the columns.
const TIME: u16 = 13;
const CPU: u16 = 17;
const KIND: u16 = 18;
const SLOT: u16 = 34;
const DETAIL: u16 = 50;
/// Columns that an owner gets, even if they are not there.
const OWNER: usize = 12;

/// Column heads for [`draw`].
pub(super) fn heads(pen: &mut Pen<'_>, y: u16, theme: Theme) {
    pen.right(TIME, y, "seconds", theme.dim());
    pen.right(CPU, y, "cpu", theme.dim());
    pen.put(KIND, y, "event", theme.dim());
    pen.put(SLOT, y, "slot", theme.dim());
    pen.put(DETAIL, y, "what", theme.dim());
}

/// Seconds since the first event, to the microsecond.
pub(super) fn seconds(ts: u64, first: u64) -> String {
    let us = ts.saturating_sub(first) / 1000;
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// Draws one line; what does not fit on the right is cut.
pub(super) fn draw(pen: &mut Pen<'_>, y: u16, theme: Theme, app: &App, e: &Event) {
    pen.right(TIME, y, &seconds(e.ts, app.frame.snapshot.first_ts), Style::new());
    pen.right(CPU, y, &e.cpu.to_string(), theme.dim());
    pen.put(KIND, y, e.kind.name(), kind_style(theme, e));
    if has_place(e.kind) {
        let run = if e.nr > 1 { format!("+{}", e.nr) } else { String::new() };
        pen.put(SLOT, y, &format!("{}:{}{run}", e.entry.dev(), e.entry.off()), Style::new());
    }
    let mut text = detail(e);
    if let Some(other) = e.other_end() {
        let link = if e.kind == Kind::Back { "for" } else { "to" };
        let comma = if text.is_empty() { "" } else { ", " };
        text.push_str(&format!("{comma}{link} {}:{}", other.dev(), other.off()));
    }
    if e.has_memcg() {
        if !text.is_empty() {
            text.push_str(", ");
        }
        // Of a path the end says most, so it is cut at its front.
        let room = usize::from(pen.width().saturating_sub(DETAIL)).saturating_sub(width(&text));
        let owner = match (e.memcg, app.frame.snapshot.path(e.memcg)) {
            (0, _) => "nobody".into(),
            (_, Some(path)) => tail(path, room.max(OWNER)),
            (id, None) => format!("#{id}"),
        };
        text.push_str(&owner);
    }
    pen.put(DETAIL, y, &text, Style::new());
}

/// The event is about a place of a device; others only have zeroes there.
const fn has_place(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Gap
            | Kind::AllocFail
            | Kind::AllocBegin
            | Kind::ScanBegin
            | Kind::ScanOwner
            | Kind::ScanEnd
            | Kind::Shrink
    )
}

fn kind_style(theme: Theme, e: &Event) -> Style {
    match e.kind {
        Kind::Gap | Kind::LoadFail | Kind::AllocFail => theme.bad(),
        _ if e.failed() => theme.bad(),
        Kind::Alloc | Kind::CacheAdd => theme.backend(Backend::Folio),
        Kind::Zero | Kind::LoadZero => theme.backend(Backend::Zero),
        Kind::ZswapStore | Kind::ZswapPage | Kind::ZswapFree | Kind::LoadZswap => {
            theme.backend(Backend::Zswap)
        }
        Kind::Write | Kind::WriteEnd | Kind::LoadPhys | Kind::ReadEnd => theme.backend(Backend::Phys),
        Kind::ZswapReject | Kind::WriteoutReject => theme.warn(),
        _ => Style::new(),
    }
}

/// What the kind's own fields say.
fn detail(e: &Event) -> String {
    let order = || if e.order > 0 { format!("order {}", e.order) } else { String::new() };
    let len = || if e.val > 0 { format!("{} B", e.val) } else { String::new() };
    let both = |a: String, b: String| match (a.is_empty(), b.is_empty()) {
        (false, false) => format!("{a}, {b}"),
        _ => a + &b,
    };
    match e.kind {
        Kind::Gap => format!("{} records lost before this", format::count(e.arg.max(1))),
        Kind::Alloc | Kind::AllocBegin => order(),
        Kind::AllocFail | Kind::LoadFail => both(order(), format!("error {}", e.val)),
        Kind::Charge if e.val != 0 => format!("refused, error {}", e.val),
        Kind::CacheDel if e.flags & flags::SWAPOUT != 0 => "reclaimed".into(),
        Kind::Zero | Kind::LoadZero | Kind::LoadZswap => format::duration(e.arg),
        Kind::ZswapStore => both(len(), format::duration(e.arg)),
        Kind::ZswapReject => {
            let why = Refusal::from_number(e.val.unsigned_abs().into());
            format!("refused after {}: {}", format::duration(e.arg), causes::reason(why))
        }
        Kind::ZswapPage => len(),
        Kind::ZswapFree if e.flags & flags::IN_LOAD != 0 => "in a load".into(),
        Kind::ZswapFree if e.flags & flags::IN_STORE != 0 => "in a store".into(),
        Kind::LoadPhys => format!("{} before the read", format::duration(e.arg)),
        Kind::Write if e.writeback() => format!("writeback from zswap: {}", causes::cause(told(e))),
        Kind::Shrink => {
            let [written, spared, failed, stopped] = walk::unpack(e.arg);
            let mut text = format!("{}: wrote back {written}", causes::cause(told(e)));
            for (n, what) in [(spared, "spared"), (failed, "failed"), (stopped, "stopped at")] {
                if n > 0 {
                    text.push_str(&format!(", {what} {n}"));
                }
            }
            text
        }
        Kind::WriteEnd | Kind::ReadEnd if e.failed() => "FAILED".into(),
        Kind::SwapOn => format!("{} pages", format::count(e.arg)),
        Kind::ClusterMove | Kind::Isolate | Kind::ScanCluster => {
            both(format!("cluster {}, list {}", e.entry.off() / 512, list(e.val)), order())
        }
        Kind::WriteoutReject => format!("refused ({})", e.val),
        _ => String::new(),
    }
}

/// The cause that a record of zswap's writeback carries.
fn told(e: &Event) -> Writeback {
    Writeback::from_number(e.val.unsigned_abs().into())
}

fn list(n: i32) -> &'static str {
    match List::from_kernel(n) {
        List::None => "none",
        List::Free => "free",
        List::Nonfull => "nonfull",
        List::Frag => "frag",
        List::Full => "full",
        List::Discard => "discard",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vswap_common::{Entry, Record};

    fn told(kind: Kind, val: i32, arg: u64, flags: u16) -> String {
        let entry = Entry::new(0, 8).0;
        let record = Record { kind: kind as u8, nr: 1, entry, val, arg, flags, ..Record::default() };
        detail(&crate::decode::decode(&record).unwrap())
    }

    #[test]
    fn causes_are_told_where_a_record_has_one() {
        assert_eq!(told(Kind::Write, 2, 0, flags::WRITEBACK), "writeback from zswap: full pool");
        assert_eq!(told(Kind::Write, 0, 0, 0), "");
        assert_eq!(told(Kind::ZswapReject, 4, 1500, 0), "refused after 1.50 us: incompressible");
        let looked = walk::pack([2, 5, 0, 1]);
        assert_eq!(told(Kind::Shrink, 1, looked, 0), "shrinker: wrote back 2, spared 5, stopped at 1");
        assert!(!has_place(Kind::Shrink) && has_place(Kind::ClusterMove));
    }
}

//! Clusters of the shown device by list and order, as the kernel's moves tell.

use crate::app::App;
use crate::app::summary::{off_list, on_list};
use crate::snapshot::List;
use crate::ui::format::count_in;
use crate::ui::theme::Theme;
use crate::ui::widgets::lines::{Lines, Put};
use ratatui::style::Style;
use vswap_common::slot::ORDERS;

/// Columns: the list's name, all orders, one column an order.
const ALL: u16 = 17;
const COLUMN: u16 = 6;

pub(super) fn add(lines: &mut Lines, theme: Theme, app: &App) {
    let Some(device) = app.device() else { return };
    lines.title(format!("Clusters of {} by list and order", device.name));
    let heads = lines.line();
    heads.right(ALL, "all", theme.dim());
    for order in 0..ORDERS as u16 {
        heads.right(ALL + (order + 1) * COLUMN, &format!("o{order}"), theme.dim());
    }
    for (list, name) in [
        (List::Free, "free"),
        (List::Nonfull, "nonfull"),
        (List::Frag, "frag"),
        (List::Full, "full"),
        (List::Discard, "discard"),
        (List::None, off_list(&app.summary.lists)),
    ] {
        let counts = &app.summary.lists[list as usize];
        let all = on_list(&app.summary.lists, list);
        if all == 0 && matches!(list, List::Discard | List::None) {
            continue;
        }
        let cells = lines.line();
        cells.put(1, name, theme.list(list));
        cells.right(ALL, &count_in(all.into(), 7), Style::new());
        // Only partial clusters are kept by order.
        for (order, n) in counts.iter().enumerate().filter(|_| matches!(list, List::Nonfull | List::Frag)) {
            let end = ALL + (order as u16 + 1) * COLUMN;
            let text = if *n == 0 { ".".into() } else { count_in((*n).into(), 5) };
            cells.right(end, &text, if *n == 0 { theme.dim() } else { theme.order(order as u8) });
        }
    }
}

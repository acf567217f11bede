//! Beside or below the map: the cluster under the cursor, the legend, the lists by order.

use super::OFF_LIST;
use crate::app::App;
use crate::app::grid::Grid;
use crate::app::summary::{off_list, on_list};
use crate::snapshot::{Backend, DeviceView, List};
use crate::ui::format;
use crate::ui::pen::{Pen, width};
use crate::ui::theme::Theme;
use crate::ui::widgets::mix_bar::{self, ORDER};
use crate::ui::widgets::title;
use ratatui::style::Style;
use vswap_common::slot::{CLUSTER_SLOTS, ORDERS};

const LISTS: [List; 6] = [List::Free, List::Nonfull, List::Frag, List::Full, List::Discard, List::None];

fn name(app: &App, list: List) -> &'static str {
    match list {
        List::None => off_list(&app.summary.lists),
        List::Free => "free",
        List::Nonfull => "nonfull",
        List::Frag => "frag",
        List::Full => "full",
        List::Discard => "discard",
    }
}

/// Draws the panel; the cursor's cluster first, because it is what was asked for.
pub(super) fn draw(pen: &mut Pen<'_>, theme: Theme, app: &App, device: &DeviceView, grid: &Grid) {
    let y = under_cursor(pen, 0, theme, app, device, grid);
    let y = aligned(pen, y, theme, device);
    let y = legend(pen, y, theme, app);
    lists(pen, y, theme, app);
}

fn under_cursor(pen: &mut Pen<'_>, y: u16, theme: Theme, app: &App, device: &DeviceView, grid: &Grid) -> u16 {
    let at = app.clusters.cursor;
    let Some(c) = device.clusters.get(at) else { return y };
    let first = at as u64 * u64::from(CLUSTER_SLOTS);
    let last = first + u64::from(CLUSTER_SLOTS) - 1;
    let head =
        if grid.per_cell > 1 { format!("Cluster {at}, first of its cell") } else { format!("Cluster {at}") };
    title(pen, y, theme, &head, &[]);
    let slots = format!("slots {first}-{last}");
    let text = format!("{}, order {}, {} of {CLUSTER_SLOTS} used", name(app, c.list), c.order, c.used());
    let doubt = if c.unconfirmed > 0 { format!(", {} unconfirmed", c.unconfirmed) } else { String::new() };
    // Wide panels below the map have room for both in one line.
    let y = if pen.width() >= 70 {
        pen.put(1, y + 1, &slots, Style::new());
        pen.put(30, y + 1, &format!("{text}{doubt}"), theme.list(c.list));
        y + 2
    } else {
        pen.put(1, y + 1, &format!("{slots}{doubt}"), Style::new());
        pen.put(1, y + 2, &text, theme.list(c.list));
        y + 3
    };
    let bar = pen.width().saturating_sub(2);
    mix_bar::draw(pen, (1, y), bar, theme, &c.mix.map(u64::from), u64::from(CLUSTER_SLOTS));
    let mut x = 1;
    for backend in ORDER {
        let n = c.mix[backend as usize];
        if n == 0 && backend == Backend::None {
            continue;
        }
        let text = format!("{} {n}", Theme::backend_name(backend));
        pen.put(x, y + 1, &text, if n > 0 { theme.backend(backend) } else { Style::new() });
        x += width(&text) as u16 + 2;
    }
    y + 2
}

/// How fragmented the device is: folios of each order that would still find an aligned run of free slots.
fn aligned(pen: &mut Pen<'_>, mut y: u16, theme: Theme, device: &DeviceView) -> u16 {
    if device.r#virtual {
        pen.put(1, y, "fits by order", theme.strong());
        pen.put(16, y, "any: virtual clusters are made as needed", Style::new());
        return y + 1;
    }
    let sure = if device.aligned_exact { "" } else { ", at most" };
    let texts: Vec<String> = device
        .aligned
        .iter()
        .enumerate()
        .map(|(order, n)| format!("{order}:{}", format::count_in(*n, 5)))
        .collect();
    let mut x = 1;
    let mut first = 0;
    if pen.height() > 14 {
        title(pen, y + 1, theme, &format!("Aligned free runs by order{sure}"), &[]);
        y += 2;
    } else {
        let head = format!("fits by order{sure}");
        pen.put(1, y, &head, theme.strong());
        x = width(&head) as u16 + 2;
        // Order 0 is all free slots, which other lines tell too: low orders go first when there is no room.
        let room = usize::from(pen.width().saturating_sub(x)) + 1;
        let long = |from: usize| texts[from..].iter().map(|t| width(t) + 1).sum::<usize>();
        first = (0..texts.len()).find(|from| long(*from) <= room).unwrap_or(0);
    }
    for (order, (text, n)) in texts.iter().zip(device.aligned).enumerate().skip(first) {
        let long = width(text) as u16 + 1;
        if x + long > pen.width() + 1 && pen.height() > 14 {
            x = 1;
            y += 1;
        }
        // None left is what a reader looks for.
        pen.put(x, y, text, if n == 0 { theme.warn() } else { theme.order(order as u8) });
        x += long;
    }
    y + 1
}

/// Characters and their meaning, as many a line as fit.
fn legend(pen: &mut Pen<'_>, mut y: u16, theme: Theme, app: &App) -> u16 {
    if pen.height() > 14 {
        title(pen, y + 1, theme, "Cells", &[]);
        y += 2;
    }
    let mut x = 1;
    for (chars, meaning) in super::legend(app.clusters.paint) {
        let off = format!("{}, tenths used", off_list(&app.summary.lists));
        let meaning = if *chars == OFF_LIST { &off } else { *meaning };
        let long = (width(chars) + width(meaning) + 3) as u16;
        if x > 1 && x + long > pen.width() {
            x = 1;
            y += 1;
        }
        pen.put(x, y, chars, theme.strong());
        pen.put(x + width(chars) as u16 + 1, y, meaning, Style::new());
        x += long;
    }
    y + 1
}

/// Clusters by list; with room, by list and order.
fn lists(pen: &mut Pen<'_>, y: u16, theme: Theme, app: &App) {
    let counts = &app.summary.lists;
    let room = pen.height().saturating_sub(y);
    if room < 8 {
        let mut x = 1;
        for list in LISTS {
            let n = on_list(counts, list);
            let text = format!("{} {}", name(app, list), format::count(u64::from(n)));
            pen.put(x, y, &text, theme.list(list));
            x += width(&text) as u16 + 3;
        }
        for (i, list) in [List::Nonfull, List::Frag, List::Full].into_iter().enumerate() {
            orders_in_a_line(pen, y + 1 + i as u16, theme, app, list);
        }
        return;
    }
    title(pen, y + 1, theme, "Clusters by list, and by order:number", &[]);
    let mut row = y + 2;
    for list in LISTS {
        let n = on_list(counts, list);
        pen.put(1, row, name(app, list), theme.list(list));
        pen.right(18, row, &format::count(u64::from(n)), Style::new());
        let mut x = 21;
        // A free cluster serves no order.
        for order in (0..ORDERS).filter(|_| !matches!(list, List::Free | List::Discard)) {
            let n = counts[list as usize][order];
            if n > 0 {
                let text = format!("{order}:{n}");
                if x + width(&text) as u16 > pen.width() {
                    row += 1;
                    x = 21;
                }
                pen.put(x, row, &text, theme.order(order as u8));
                x += width(&text) as u16 + 1;
            }
        }
        row += 1;
    }
}

/// `nonfull by order 0:12 4:3`, orders without clusters left out.
fn orders_in_a_line(pen: &mut Pen<'_>, y: u16, theme: Theme, app: &App, list: List) {
    let counts = &app.summary.lists[list as usize];
    let head = format!("{} by order", name(app, list));
    pen.put(1, y, &head, theme.list(list));
    let mut x = width(&head) as u16 + 2;
    for (order, n) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
        let text = format!("{order}:{n}");
        pen.put(x, y, &text, theme.order(order as u8));
        x += width(&text) as u16 + 1;
    }
}

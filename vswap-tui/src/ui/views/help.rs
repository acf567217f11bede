//! The keys, printed from the table that input uses, and how to read the screens.

use crate::app::App;
use crate::app::keymap::{Key, Scope};
use crate::app::keys::KEYS;
use crate::snapshot::Backend;
use crate::ui::pen::{Pen, width};
use crate::ui::theme::Theme;
use crate::ui::widgets::title;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// A line of the help.
enum Line {
    Head(&'static str),
    Pair(String, String, Style),
    Blank,
}

/// Draws the help over the view.
pub fn draw(buf: &mut Buffer, body: Rect, theme: Theme, app: &App) {
    for position in body.positions() {
        if let Some(cell) = buf.cell_mut(position) {
            cell.reset();
        }
    }
    let mut pen = Pen::new(buf, body);
    title(&mut pen, 0, theme, "Help", &[]);
    let lines = lines(theme, app);
    let rows = usize::from(body.height.saturating_sub(1));
    let top = app.help_top.min(lines.len().saturating_sub(rows));
    for (i, line) in lines.iter().skip(top).take(rows).enumerate() {
        let y = 1 + i as u16;
        match line {
            Line::Head(text) => pen.put(1, y, text, theme.strong()),
            Line::Pair(left, right, style) => {
                pen.put(3, y, left, *style);
                pen.put(22, y, right, Style::new());
            }
            Line::Blank => {}
        }
    }
    if lines.len() > rows {
        let text = format!(" {}-{} of {} ", top + 1, (top + rows).min(lines.len()), lines.len());
        let x = pen.width().saturating_sub(width(&text) as u16 + 1);
        pen.put(x, 0, &text, theme.dim());
    }
}

fn lines(theme: Theme, app: &App) -> Vec<Line> {
    let mut out = Vec::new();
    for scope in Scope::ALL {
        // Keys that mean something else here would only mislead.
        let other = if app.plays() { Scope::Watching } else { Scope::Playing };
        if scope == other {
            continue;
        }
        out.push(Line::Head(scope.title()));
        for b in KEYS.iter().filter(|b| b.scope == scope) {
            let keys: Vec<String> = b.keys.iter().map(|k| Key::name(*k)).collect();
            out.push(Line::Pair(keys.join(" "), b.help.into(), theme.strong()));
        }
        out.push(Line::Blank);
    }
    out.push(Line::Head("Where a swapped page can be"));
    for (backend, text) in [
        (Backend::Folio, "only in the page in memory: nothing was written yet, or it came back"),
        (Backend::Zero, "nowhere: the page was all zeroes"),
        (Backend::Zswap, "compressed in memory"),
        (Backend::Phys, "on the swap device"),
        (Backend::None, "in use, but no event has told yet where"),
    ] {
        let name = format!("{} {}", Theme::backend_char(backend), Theme::backend_name(backend));
        out.push(Line::Pair(name, text.into(), theme.backend(backend)));
    }
    out.push(Line::Blank);
    out.push(Line::Head("Words"));
    for (word, text) in [
        ("slot", "one page-sized place of a swap device"),
        ("cluster", "512 slots; each serves folios of one order"),
        ("confirmed", "the state came from an event, not from a guess"),
        ("lost", "records the kernel could not hand over; what they touched is unconfirmed"),
        ("zswap>phys", "zswap writeback: pages moved from zswap to the device; phys out counts them too"),
        ("refused", "zswap stores and writeouts refused, folios that found no slot"),
        ("stay zswap", "time a page spent in zswap"),
        ("charged", "slots that count in memory.swap.current"),
    ] {
        out.push(Line::Pair(word.into(), text.into(), theme.strong()));
    }
    out
}

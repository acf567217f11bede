//! The screens.

pub mod allocator;
mod causes;
pub mod cgroups;
pub mod clusters;
pub mod doctor;
mod event;
pub mod flow;
pub mod help;
pub mod latency;
pub mod mapping;
pub mod overview;
mod slot;

use crate::app::{App, Origin};
use crate::ui::pen::Pen;
use crate::ui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Instead of a view without data: why there is none and what to do about it.
fn empty(buf: &mut Buffer, area: Rect, theme: Theme, app: &App) {
    let mut pen = Pen::new(buf, area);
    let devices = app.frame.snapshot.devices.iter().any(|d| d.active);
    let lines: &[&str] = match (app.origin, devices) {
        (Origin::Replay, _) if app.frame.snapshot.events > 0 => {
            &["Nothing is in swap at this instant.", "", "[ and ] move in time, :seek 2s goes to any other."]
        }
        (Origin::Stream, _) if app.frame.snapshot.events > 0 => &[
            "Nothing is in swap at this instant.",
            "",
            "This screen fills by itself once pages are swapped.",
        ],
        (Origin::Live, false) => &[
            "No swap device is in use.",
            "",
            "Turn one on (swapon FILE), or look at a generated load: vswap demo",
            "This screen fills by itself once pages are swapped.",
        ],
        (Origin::Live, true) => &[
            "No swap event yet: nothing was swapped since vswap attached.",
            "",
            "This screen fills by itself. To see something now, let the kernel reclaim:",
            "echo 64M > /sys/fs/cgroup/NAME/memory.reclaim",
        ],
        (Origin::Stream, _) => &[
            "No event has arrived yet.",
            "",
            "The sender is:  vswap record -o - | vswap live --input -",
            "Its own messages are on its standard error.",
        ],
        (Origin::Replay, _) => {
            &["No event up to here.", "", "Space goes on, n takes one event, + is faster."]
        }
        (Origin::Demo, _) => &["The generator is starting."],
    };
    let top = pen.height().saturating_sub(lines.len() as u16) / 2;
    for (i, line) in lines.iter().enumerate() {
        let style = if i == 0 { theme.strong() } else { Style::new() };
        pen.centre(top + i as u16, line, style);
    }
}

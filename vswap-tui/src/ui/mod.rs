//! Pure drawing: reads the dashboard's state, writes cells, changes nothing.

pub mod footer;
pub mod format;
pub mod header;
pub mod pen;
pub mod theme;
pub mod timeline;
pub mod totals;
pub mod views;
pub mod widgets;

use crate::app::{App, View, layout};
use pen::Pen;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use theme::Theme;

/// Draws the whole dashboard into a buffer of any size.
pub fn draw(app: &App, theme: Theme, buf: &mut Buffer) {
    let size = Size::new(buf.area.width, buf.area.height);
    if size.width < layout::MIN.width || size.height < layout::MIN.height {
        return too_small(size, buf);
    }
    let screen = layout::screen(size, app.timeline.is_some());
    header::draw(&mut Pen::new(buf, screen.header), theme, app);
    match app.view {
        View::Overview => views::overview::draw(buf, screen.body, theme, app),
        View::Clusters => views::clusters::draw(buf, screen.body, theme, app),
        View::Mapping => views::mapping::draw(buf, screen.body, theme, app),
        View::Cgroups => views::cgroups::draw(buf, screen.body, theme, app),
        View::Latency => views::latency::draw(buf, screen.body, theme, app),
        View::Flow => views::flow::draw(buf, screen.body, theme, app),
        View::Doctor => views::doctor::draw(buf, screen.body, theme, app),
        View::Allocator => views::allocator::draw(buf, screen.body, theme, app),
    }
    if let Some(timeline) = &app.timeline {
        timeline::draw(&mut Pen::new(buf, screen.timeline), theme, app, timeline);
    }
    if app.help {
        views::help::draw(buf, screen.body, theme, app);
    }
    footer::draw(&mut Pen::new(buf, screen.footer), theme, app);
}

fn too_small(size: Size, buf: &mut Buffer) {
    let area = Rect::new(0, 0, size.width, size.height);
    let mut pen = Pen::new(buf, area);
    let lines = [
        format!("{}x{} is too small", size.width, size.height),
        format!("need {}x{}", layout::MIN.width, layout::MIN.height),
        "q quits".into(),
    ];
    for (y, line) in lines.iter().enumerate() {
        pen.put(0, y as u16, line, ratatui::style::Style::new());
    }
}

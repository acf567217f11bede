//! The screen of totals: what it shows and what keys do to it. One view and its help; nothing to choose.

use crate::totals::View;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// State of the screen.
#[derive(Clone, Debug)]
pub struct TotalsApp {
    /// The last look.
    pub view: View,
    /// The explanations are shown.
    pub help: bool,
    /// First line shown of the explanations.
    pub help_top: usize,
    /// First cgroup shown.
    pub top: usize,
}

/// What the loop is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TotalsEffect {
    /// End the program.
    Quit,
    /// Stop like any program under job control.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Leave for the demo: the dashboard that this kernel does not fill.
    Demo,
}

/// Lines of a page.
const PAGE: isize = 10;

impl TotalsApp {
    /// Shows a first look.
    pub const fn new(view: View) -> Self {
        Self { view, help: false, help_top: 0, top: 0 }
    }

    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent) -> Option<TotalsEffect> {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if ctrl => return Some(TotalsEffect::Quit),
            KeyCode::Char('z') if ctrl => return Some(TotalsEffect::Suspend),
            KeyCode::Char('l') if ctrl => return Some(TotalsEffect::Redraw),
            KeyCode::Char(_) if ctrl => {}
            KeyCode::Char('q') => return Some(TotalsEffect::Quit),
            KeyCode::Char('d') => return Some(TotalsEffect::Demo),
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.help = !self.help,
            KeyCode::Esc => self.help = false,
            KeyCode::Down | KeyCode::Char('j') => self.scroll(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll(-1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scroll(PAGE),
            KeyCode::PageUp => self.scroll(-PAGE),
            KeyCode::Home | KeyCode::Char('g') => self.scroll(isize::MIN),
            _ => {}
        }
        None
    }

    fn scroll(&mut self, by: isize) {
        let cgroups = self.view.cgroups.len().saturating_sub(1);
        let (top, last) = if self.help { (&mut self.help_top, usize::MAX) } else { (&mut self.top, cgroups) };
        *top = top.saturating_add_signed(by).min(last);
    }

    /// Takes a newer look.
    pub fn show(&mut self, view: View) {
        self.top = self.top.min(view.cgroups.len().saturating_sub(1));
        self.view = view;
    }
}

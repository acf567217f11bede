//! The one table of keys: input looks a key up in it, the help and the footer print it.

use crate::app::message::{Action, Step};
use crate::app::state::{App, View};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// A key as the table names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character, shift included in it.
    Char(char),
    /// A character with Ctrl.
    Ctrl(char),
    /// Any other key.
    Code(KeyCode),
}

impl Key {
    /// Name in the help.
    pub fn name(self) -> String {
        match self {
            Self::Char(' ') => "Space".into(),
            Self::Char(c) => c.to_string(),
            Self::Ctrl(c) => format!("Ctrl-{}", c.to_ascii_uppercase()),
            Self::Code(KeyCode::BackTab) => "Shift-Tab".into(),
            Self::Code(KeyCode::PageUp) => "PgUp".into(),
            Self::Code(KeyCode::PageDown) => "PgDn".into(),
            Self::Code(code) => code.to_string(),
        }
    }

    fn matches(self, event: &KeyEvent) -> bool {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        match (self, event.code) {
            (Self::Char(c), KeyCode::Char(e)) => c == e && !ctrl && !alt,
            (Self::Ctrl(c), KeyCode::Char(e)) => ctrl && c == e.to_ascii_lowercase(),
            (Self::Code(k), e) => k == e,
            _ => false,
        }
    }
}

/// When a binding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Always, under the help too.
    Anywhere,
    /// In every view.
    Views,
    /// In this view.
    In(View),
    /// In every view, where time cannot be controlled.
    Watching,
    /// In every view of a replay.
    Playing,
    /// While the help is shown.
    Help,
}

impl Scope {
    /// Whether the binding holds now.
    pub fn holds(self, app: &App) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Views => !app.help,
            Self::In(view) => !app.help && app.view == view,
            Self::Watching => !app.help && !app.plays(),
            Self::Playing => !app.help && app.plays(),
            Self::Help => app.help,
        }
    }

    /// Head of its part of the help.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Anywhere => "Anywhere",
            Self::Views => "In every view",
            Self::In(View::Overview) => "In the overview",
            Self::In(View::Clusters) => "In the cluster map",
            Self::In(View::Allocator) => "In the allocator view",
            Self::Watching => "Live and demo",
            Self::Playing => "Replay",
            Self::Help => "In this help",
        }
    }

    /// All scopes in the order of the help.
    pub const ALL: [Self; 8] = [
        Self::Views,
        Self::Watching,
        Self::Playing,
        Self::In(View::Overview),
        Self::In(View::Clusters),
        Self::In(View::Allocator),
        Self::Help,
        Self::Anywhere,
    ];
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Any of these keys.
    pub keys: &'static [Key],
    /// When.
    pub scope: Scope,
    /// What it does.
    pub action: Action,
    /// What it does, in words.
    pub help: &'static str,
    /// Word in the footer; empty where the footer does not name it.
    pub hint: &'static str,
}

const fn bind(
    keys: &'static [Key],
    scope: Scope,
    action: Action,
    help: &'static str,
    hint: &'static str,
) -> Binding {
    Binding { keys, scope, action, help, hint }
}

use Key::{Char, Code, Ctrl};

/// All keys.
pub const KEYS: &[Binding] = &[
    bind(&[Char('q')], Scope::Views, Action::Quit, "quit", "quit"),
    bind(&[Ctrl('c')], Scope::Anywhere, Action::Quit, "quit", ""),
    bind(&[Ctrl('z')], Scope::Anywhere, Action::Suspend, "suspend; `fg` brings it back", ""),
    bind(&[Ctrl('l')], Scope::Anywhere, Action::Redraw, "draw the screen anew", ""),
    bind(&[Char('?'), Code(KeyCode::F(1))], Scope::Views, Action::Help, "all keys", "help"),
    bind(&[Char('h')], Scope::In(View::Overview), Action::Help, "all keys", ""),
    bind(
        &[Char(' ')],
        Scope::Watching,
        Action::Freeze,
        "freeze the picture, collection goes on; again: go on",
        "freeze",
    ),
    bind(&[Char('+'), Char('=')], Scope::Watching, Action::Plus, "longer interval between frames", ""),
    bind(&[Char('-')], Scope::Watching, Action::Minus, "shorter interval between frames", ""),
    bind(&[Char(' ')], Scope::Playing, Action::Freeze, "pause; again: go on", "pause"),
    bind(&[Char('+'), Char('=')], Scope::Playing, Action::Plus, "faster", "faster"),
    bind(&[Char('-')], Scope::Playing, Action::Minus, "slower", ""),
    bind(&[Char('n')], Scope::Playing, Action::StepEvent, "pause and step one event", "event"),
    bind(&[Char('.')], Scope::Playing, Action::StepBlock, "pause and step one block of events", "block"),
    bind(&[Code(KeyCode::Tab)], Scope::Views, Action::NextView, "next view", "view"),
    bind(&[Code(KeyCode::BackTab)], Scope::Views, Action::PreviousView, "view before", ""),
    bind(&[Char('1')], Scope::Views, Action::Show(View::Overview), "overview", ""),
    bind(&[Char('2')], Scope::Views, Action::Show(View::Clusters), "cluster map", ""),
    bind(&[Char('3')], Scope::Views, Action::Show(View::Allocator), "allocator", ""),
    bind(&[Code(KeyCode::Esc)], Scope::Views, Action::Back, "back to the overview", ""),
    bind(
        &[Code(KeyCode::Down), Char('j')],
        Scope::In(View::Overview),
        Action::Move(Step::Down),
        "scroll cgroups down",
        "",
    ),
    bind(
        &[Code(KeyCode::Up), Char('k')],
        Scope::In(View::Overview),
        Action::Move(Step::Up),
        "scroll cgroups up",
        "",
    ),
    bind(
        &[Code(KeyCode::PageDown), Ctrl('d')],
        Scope::In(View::Overview),
        Action::Move(Step::PageDown),
        "ten cgroups down",
        "",
    ),
    bind(
        &[Code(KeyCode::PageUp), Ctrl('u')],
        Scope::In(View::Overview),
        Action::Move(Step::PageUp),
        "ten cgroups up",
        "",
    ),
    bind(
        &[Code(KeyCode::Home), Char('g')],
        Scope::In(View::Overview),
        Action::Move(Step::First),
        "first cgroup",
        "",
    ),
    bind(
        &[Code(KeyCode::End), Char('G')],
        Scope::In(View::Overview),
        Action::Move(Step::Last),
        "last cgroup",
        "",
    ),
    bind(
        &[Code(KeyCode::Left), Char('h')],
        Scope::In(View::Clusters),
        Action::Move(Step::Left),
        "cursor left",
        "",
    ),
    bind(
        &[Code(KeyCode::Down), Char('j')],
        Scope::In(View::Clusters),
        Action::Move(Step::Down),
        "cursor down",
        "",
    ),
    bind(&[Code(KeyCode::Up), Char('k')], Scope::In(View::Clusters), Action::Move(Step::Up), "cursor up", ""),
    bind(
        &[Code(KeyCode::Right), Char('l')],
        Scope::In(View::Clusters),
        Action::Move(Step::Right),
        "cursor right",
        "",
    ),
    bind(
        &[Code(KeyCode::PageDown), Ctrl('d')],
        Scope::In(View::Clusters),
        Action::Move(Step::PageDown),
        "a screen down",
        "",
    ),
    bind(
        &[Code(KeyCode::PageUp), Ctrl('u')],
        Scope::In(View::Clusters),
        Action::Move(Step::PageUp),
        "a screen up",
        "",
    ),
    bind(
        &[Code(KeyCode::Home), Char('g')],
        Scope::In(View::Clusters),
        Action::Move(Step::First),
        "first cluster",
        "",
    ),
    bind(
        &[Code(KeyCode::End), Char('G')],
        Scope::In(View::Clusters),
        Action::Move(Step::Last),
        "last cluster",
        "",
    ),
    bind(&[Char('z')], Scope::In(View::Clusters), Action::ZoomIn, "zoom in: fewer clusters a cell", "zoom"),
    bind(&[Char('Z')], Scope::In(View::Clusters), Action::ZoomOut, "zoom out: more clusters a cell", ""),
    bind(&[Char('d')], Scope::In(View::Clusters), Action::NextDevice, "next swap device", "device"),
    bind(&[Char('D')], Scope::In(View::Clusters), Action::PreviousDevice, "swap device before", ""),
    bind(
        &[Char('c')],
        Scope::In(View::Clusters),
        Action::Paint,
        "cells show: list and fill, fill, main backend, order",
        "colour",
    ),
    bind(&[Char('d')], Scope::In(View::Allocator), Action::NextDevice, "next swap device", "device"),
    bind(&[Char('D')], Scope::In(View::Allocator), Action::PreviousDevice, "swap device before", ""),
    bind(
        &[Code(KeyCode::Down), Char('j')],
        Scope::In(View::Allocator),
        Action::Move(Step::Down),
        "scroll down",
        "scroll",
    ),
    bind(
        &[Code(KeyCode::Up), Char('k')],
        Scope::In(View::Allocator),
        Action::Move(Step::Up),
        "scroll up",
        "",
    ),
    bind(
        &[Code(KeyCode::PageDown), Ctrl('d')],
        Scope::In(View::Allocator),
        Action::Move(Step::PageDown),
        "ten lines down",
        "",
    ),
    bind(
        &[Code(KeyCode::PageUp), Ctrl('u')],
        Scope::In(View::Allocator),
        Action::Move(Step::PageUp),
        "ten lines up",
        "",
    ),
    bind(
        &[Code(KeyCode::Home), Char('g')],
        Scope::In(View::Allocator),
        Action::Move(Step::First),
        "first line",
        "",
    ),
    bind(
        &[Code(KeyCode::Esc), Char('q'), Char('?'), Char('h'), Code(KeyCode::F(1))],
        Scope::Help,
        Action::Back,
        "close it",
        "close",
    ),
    bind(&[Code(KeyCode::Down), Char('j')], Scope::Help, Action::Move(Step::Down), "scroll down", "scroll"),
    bind(&[Code(KeyCode::Up), Char('k')], Scope::Help, Action::Move(Step::Up), "scroll up", ""),
    bind(&[Code(KeyCode::PageDown)], Scope::Help, Action::Move(Step::PageDown), "half a screen down", ""),
    bind(&[Code(KeyCode::PageUp)], Scope::Help, Action::Move(Step::PageUp), "half a screen up", ""),
];

/// What a key means now; `None` for keys without meaning and for key releases.
pub fn action(app: &App, event: &KeyEvent) -> Option<Action> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    KEYS.iter().find(|b| b.scope.holds(app) && b.keys.iter().any(|k| k.matches(event))).map(|b| b.action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Origin, Playback};
    use crate::cli::Speed;
    use ratatui::layout::Size;
    use std::time::Duration;

    /// Every situation in which bindings can meet.
    fn situations() -> Vec<App> {
        let mut all = Vec::new();
        for view in View::ALL {
            for help in [false, true] {
                for playing in [false, true] {
                    let mut app = App::new(Origin::Live, Duration::from_millis(250), None, Size::new(80, 24));
                    app.view = view;
                    app.help = help;
                    app.frame.playback = playing.then_some(Playback { paused: false, speed: Speed::Max });
                    all.push(app);
                }
            }
        }
        all
    }

    fn event(key: Key) -> KeyEvent {
        match key {
            Key::Char(c) => KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE),
            Key::Ctrl(c) => KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL),
            Key::Code(code) => KeyEvent::new(code, KeyModifiers::NONE),
        }
    }

    #[test]
    fn no_key_has_two_meanings_at_once() {
        for app in situations() {
            let active: Vec<&Binding> = KEYS.iter().filter(|b| b.scope.holds(&app)).collect();
            for (i, a) in active.iter().enumerate() {
                for b in &active[i + 1..] {
                    let both = a.keys.iter().find(|k| b.keys.contains(k));
                    assert!(both.is_none(), "{both:?} is '{}' and '{}'", a.help, b.help);
                }
            }
        }
    }

    #[test]
    fn every_binding_can_be_reached_by_each_of_its_keys() {
        for b in KEYS {
            assert!(!b.keys.is_empty() && !b.help.is_empty());
            for key in b.keys {
                let reached = situations()
                    .iter()
                    .filter(|app| b.scope.holds(app))
                    .all(|app| action(app, &event(*key)) == Some(b.action));
                assert!(reached, "{} does not '{}'", key.name(), b.help);
            }
        }
    }

    #[test]
    fn every_scope_is_in_the_help() {
        for b in KEYS {
            assert!(Scope::ALL.contains(&b.scope));
        }
    }

    #[test]
    fn there_is_always_a_way_out() {
        for app in situations() {
            assert_eq!(action(&app, &event(Key::Ctrl('c'))), Some(Action::Quit));
            assert!(matches!(action(&app, &event(Key::Char('q'))), Some(Action::Quit | Action::Back)));
        }
    }

    #[test]
    fn control_and_alt_are_not_the_plain_key() {
        let app = &situations()[0];
        let alt = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT);
        assert_eq!(action(app, &alt), None);
        let mut release = event(Key::Char('q'));
        release.kind = KeyEventKind::Release;
        assert_eq!(action(app, &release), None);
        let shifted = KeyEvent::new(KeyCode::Char('?'), KeyModifiers::SHIFT);
        assert_eq!(action(app, &shifted), Some(Action::Help));
    }
}

//! What a key means now. The table is in [`keys`](crate::app::keys): input looks keys up in it, help and footer print it.

use crate::app::keys::KEYS;
use crate::app::message::Action;
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

    pub(crate) fn matches(self, event: &KeyEvent) -> bool {
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
    /// While a command or a filter is typed.
    Prompt,
}

impl Scope {
    /// Whether the binding holds now.
    pub fn holds(self, app: &App) -> bool {
        let views = !app.help && app.prompt.is_none();
        match self {
            Self::Anywhere => true,
            Self::Views => views,
            Self::In(view) => views && app.view == view,
            Self::Watching => views && !app.plays(),
            Self::Playing => views && app.plays(),
            Self::Help => app.help && app.prompt.is_none(),
            Self::Prompt => app.prompt.is_some(),
        }
    }

    /// Head of its part of the help.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Anywhere => "Anywhere",
            Self::Views => "In every view",
            Self::In(View::Overview) => "In the overview",
            Self::In(View::Clusters) => "In the cluster map",
            Self::In(View::Mapping) => "In the mapping",
            Self::In(View::Cgroups) => "In the cgroups",
            Self::In(View::Latency) => "In the latencies",
            Self::In(View::Flow) => "In the flow",
            Self::In(View::Allocator) => "In the allocator view",
            Self::In(View::Doctor) => "In the doctor",
            Self::Watching => "Live and demo",
            Self::Playing => "Replay",
            Self::Help => "In this help",
            Self::Prompt => "While typing a command or filter",
        }
    }

    /// All scopes with bindings, in the order of the help.
    pub const ALL: [Self; 11] = [
        Self::Views,
        Self::Watching,
        Self::Playing,
        Self::In(View::Clusters),
        Self::In(View::Mapping),
        Self::In(View::Cgroups),
        Self::In(View::Flow),
        Self::In(View::Allocator),
        Self::Prompt,
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

/// What a key means now; `None` for keys without meaning and for key releases.
pub fn action(app: &App, event: &KeyEvent) -> Option<Action> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let bound = KEYS.iter().find(|b| b.scope.holds(app) && b.keys.iter().any(|k| k.matches(event)));
    match (bound, event.code) {
        (Some(binding), _) => Some(binding.action),
        (None, KeyCode::Char(c))
            if app.prompt.is_some() && !event.modifiers.contains(KeyModifiers::CONTROL) =>
        {
            Some(Action::Type(c))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::prompt::{Ask, Prompt};
    use crate::app::{Origin, Playback};
    use crate::cli::Speed;
    use ratatui::layout::Size;
    use std::time::Duration;

    /// Every situation in which bindings can meet.
    fn situations() -> Vec<App> {
        let mut all = Vec::new();
        for view in View::ALL {
            for (help, typing) in [(false, false), (true, false), (false, true)] {
                for playing in [false, true] {
                    let mut app = App::new(Origin::Live, Duration::from_millis(250), None, Size::new(80, 24));
                    app.view = view;
                    app.help = help;
                    app.prompt = typing.then(|| Prompt::new(Ask::Command));
                    app.frame.playback =
                        playing.then_some(Playback { paused: false, speed: Speed::Max, seeking: false });
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
            let q = action(&app, &event(Key::Char('q')));
            assert!(matches!(q, Some(Action::Quit | Action::Back | Action::Type('q'))));
            assert!(action(&app, &event(Key::Code(KeyCode::Esc))).is_some());
        }
    }

    #[test]
    fn every_view_has_its_digit_and_typing_takes_every_character() {
        for (i, view) in View::ALL.into_iter().enumerate() {
            let digit = Key::Char(char::from(b'1' + i as u8));
            assert_eq!(action(&situations()[0], &event(digit)), Some(Action::Show(view)));
        }
        let typing = situations().into_iter().find(|app| app.prompt.is_some()).unwrap();
        for c in (' '..='~').chain("ü日".chars()) {
            assert_eq!(action(&typing, &event(Key::Char(c))), Some(Action::Type(c)));
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

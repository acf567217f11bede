//! Every colour and character of the dashboard in one place.
//!
//! Three looks: 16 colours (the terminal's own palette, so that any background works), `NO_COLOR` (characters
//! alone carry the meaning; bold and reverse only stress it), and ASCII where the locale or the Linux console
//! font cannot be trusted with block characters.

use crate::snapshot::{Backend, List};
use ratatui::style::{Color, Modifier, Style};

/// Colours on or off, and the characters to draw with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// False under `NO_COLOR`.
    pub colour: bool,
    /// Only characters 0x20 to 0x7e.
    pub ascii: bool,
}

impl Theme {
    /// Look for this environment: `NO_COLOR` (non-empty) turns colours off; a locale without UTF-8, or the Linux
    /// console with its 256 glyphs, gets plain ASCII.
    pub fn from_env(var: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| var(name).filter(|v| !v.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let utf8 = locale.to_ascii_lowercase().replace('-', "").contains("utf8");
        let console = set("TERM").is_some_and(|t| t == "linux");
        Self { colour: set("NO_COLOR").is_none(), ascii: !utf8 || console }
    }

    fn paint(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// Lines and column heads.
    pub fn dim(self) -> Style {
        if self.colour { Style::new().fg(Color::Cyan) } else { Style::new() }
    }

    /// Names of panels, keys, what the eye should find first.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// First and last line of the screen.
    pub fn bar(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Something is missing or broken.
    pub fn bad(self) -> Style {
        if self.colour {
            Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD)
        } else {
            Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED)
        }
    }

    /// Something deserves a look.
    pub fn warn(self) -> Style {
        self.paint(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// The element under the cursor.
    pub fn cursor(self) -> Style {
        if self.colour {
            Style::new().fg(Color::Black).bg(Color::White).add_modifier(Modifier::BOLD)
        } else {
            Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
        }
    }

    const fn backend_colour(backend: Backend) -> Color {
        match backend {
            Backend::None => Color::Magenta,
            Backend::Folio => Color::Cyan,
            Backend::Zero => Color::LightBlue,
            Backend::Zswap => Color::Green,
            Backend::Phys => Color::Yellow,
        }
    }

    /// Text about a backend.
    pub fn backend(self, backend: Backend) -> Style {
        self.paint(Self::backend_colour(backend))
    }

    /// An area that stands for a backend; without colour its character does it.
    pub fn backend_area(self, backend: Backend) -> Style {
        if self.colour {
            Style::new().fg(Color::Black).bg(Self::backend_colour(backend))
        } else {
            Style::new()
        }
    }

    /// An area that stands for nothing, told from the background.
    pub fn empty(self) -> Style {
        if self.colour { Style::new().bg(Color::DarkGray) } else { Style::new() }
    }

    /// Character that stands for a backend.
    pub const fn backend_char(backend: Backend) -> char {
        match backend {
            Backend::None => '?',
            Backend::Folio => '=',
            Backend::Zero => 'o',
            Backend::Zswap => 'z',
            Backend::Phys => '%',
        }
    }

    /// Word for a backend among slots in use.
    pub const fn backend_name(backend: Backend) -> &'static str {
        match backend {
            Backend::None => "unknown",
            other => other.name(),
        }
    }

    /// Text about a list of clusters.
    pub fn list(self, list: List) -> Style {
        match list {
            List::None => self.paint(Color::Magenta),
            List::Free => self.dim(),
            List::Nonfull => self.paint(Color::Green),
            List::Frag => self.paint(Color::Yellow),
            List::Full => self.paint(Color::LightRed),
            List::Discard => self.paint(Color::LightBlue),
        }
    }

    /// Colours of the orders 0 to 9, cold to warm.
    pub fn order(self, order: u8) -> Style {
        const RAMP: [Color; 10] = [
            Color::White,
            Color::LightBlue,
            Color::Blue,
            Color::Cyan,
            Color::LightCyan,
            Color::Green,
            Color::LightGreen,
            Color::Yellow,
            Color::LightRed,
            Color::LightMagenta,
        ];
        self.paint(RAMP[usize::from(order.min(9))])
    }

    /// Colours of the tenths of a fill, 0 (empty) to 10 (full).
    pub fn fill(self, tenths: u16) -> Style {
        match tenths {
            0 => self.dim(),
            1..=3 => self.paint(Color::Green),
            4..=6 => self.paint(Color::LightGreen),
            7..=9 => self.paint(Color::Yellow),
            _ => self.paint(Color::LightRed),
        }
    }

    /// Levels of a sparkline, lowest first; level 0 is "nothing".
    pub const fn spark(self) -> [&'static str; 9] {
        if self.ascii {
            [" ", ".", ":", "-", "=", "+", "*", "#", "@"]
        } else {
            [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        }
    }

    /// Horizontal rule.
    pub const fn rule(self) -> &'static str {
        if self.ascii { "-" } else { "─" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(vars: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        move |name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    #[test]
    fn environment_decides_the_look() {
        assert_eq!(Theme::from_env(env(&[("LANG", "en_GB.UTF-8")])), Theme { colour: true, ascii: false });
        assert_eq!(Theme::from_env(env(&[])), Theme { colour: true, ascii: true });
        assert_eq!(
            Theme::from_env(env(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")])),
            Theme { colour: true, ascii: true }
        );
        assert!(Theme::from_env(env(&[("LANG", "C.utf8"), ("TERM", "linux")])).ascii);
        assert!(!Theme::from_env(env(&[("NO_COLOR", "1")])).colour);
        assert!(Theme::from_env(env(&[("NO_COLOR", "")])).colour, "an empty NO_COLOR does not count");
    }

    #[test]
    fn without_colour_no_style_has_one() {
        let mono = Theme { colour: false, ascii: true };
        let mut styles = vec![mono.dim(), mono.strong(), mono.bar(), mono.bad(), mono.warn(), mono.cursor()];
        styles.extend(Backend::ALL.iter().flat_map(|b| [mono.backend(*b), mono.backend_area(*b)]));
        styles.extend((0..=10).map(|t| mono.fill(t)));
        styles.extend((0..=9).map(|o| mono.order(o)));
        styles.push(mono.list(List::Frag));
        assert!(styles.iter().all(|s| s.fg.is_none() && s.bg.is_none()));
    }

    #[test]
    fn backends_differ_by_character() {
        let mut chars: Vec<char> = Backend::ALL.iter().map(|b| Theme::backend_char(*b)).collect();
        chars.sort_unstable();
        chars.dedup();
        assert_eq!(chars.len(), Backend::ALL.len());
    }
}

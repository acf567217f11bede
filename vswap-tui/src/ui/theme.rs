//! Every colour and character of the dashboard in one place.
//!
//! Colours by what the terminal can: none (`NO_COLOR`; characters alone carry the meaning, bold and reverse only stress
//! it), the terminal's own 16 (so that any background works), 256, or 24 bits. And ASCII where the locale or the Linux
//! console's font cannot be trusted with block characters.

use crate::snapshot::{Backend, List};
use ratatui::style::{Color, Modifier, Style};

/// Colours of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None.
    Mono,
    /// The terminal's own palette.
    Sixteen,
    /// The palette of xterm.
    Indexed,
    /// 24 bits.
    True,
}

/// Colours, and the characters to draw with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Colours there are.
    pub depth: Depth,
    /// Only characters 0x20 to 0x7e.
    pub ascii: bool,
}

/// A colour at each depth from 16 on.
#[derive(Clone, Copy)]
struct Hue(Color, u8, (u8, u8, u8));

const UNKNOWN: Hue = Hue(Color::Magenta, 170, (214, 93, 196));
const FOLIO: Hue = Hue(Color::Cyan, 44, (43, 196, 206));
const ZERO: Hue = Hue(Color::LightBlue, 75, (106, 164, 255));
const ZSWAP: Hue = Hue(Color::Green, 71, (92, 184, 92));
const PHYS: Hue = Hue(Color::Yellow, 179, (222, 170, 70));
const FRAG: Hue = Hue(Color::Yellow, 214, (240, 173, 60));
const FULL: Hue = Hue(Color::LightRed, 203, (240, 98, 88));
const DIM: Hue = Hue(Color::Cyan, 66, (98, 140, 148));
const WARN: Hue = Hue(Color::Yellow, 220, (245, 205, 60));
const EMPTY: Hue = Hue(Color::DarkGray, 236, (48, 48, 52));

impl Theme {
    /// A look of its own.
    pub const fn new(depth: Depth, ascii: bool) -> Self {
        Self { depth, ascii }
    }

    /// Look for this environment: `NO_COLOR` (non-empty) turns colours off, `COLORTERM` and `TERM` tell how many there
    /// are; a locale without UTF-8, or the Linux console with its 256 glyphs, gets plain ASCII.
    pub fn from_env(var: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| var(name).filter(|v| !v.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let utf8 = locale.to_ascii_lowercase().replace('-', "").contains("utf8");
        let term = set("TERM").unwrap_or_default();
        let many = set("COLORTERM").is_some_and(|c| c == "truecolor" || c == "24bit");
        let depth = match () {
            () if set("NO_COLOR").is_some() => Depth::Mono,
            () if many || term.ends_with("-direct") => Depth::True,
            () if term.contains("256color") => Depth::Indexed,
            () if monochrome(&term) => Depth::Mono,
            () => Depth::Sixteen,
        };
        Self { depth, ascii: !utf8 || term == "linux" }
    }

    /// There are colours.
    pub fn colour(self) -> bool {
        self.depth != Depth::Mono
    }

    const fn hue(self, Hue(basic, indexed, (r, g, b)): Hue) -> Color {
        match self.depth {
            Depth::Mono => Color::Reset,
            Depth::Sixteen => basic,
            Depth::Indexed => Color::Indexed(indexed),
            Depth::True => Color::Rgb(r, g, b),
        }
    }

    fn paint(self, hue: Hue) -> Style {
        if self.colour() { Style::new().fg(self.hue(hue)) } else { Style::new() }
    }

    /// A step of a scale from cold to warm, `of` steps in all.
    fn ramp(self, step: usize, of: usize) -> Style {
        const BASIC: [Color; 10] = [
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
        const INDEXED: [u8; 10] = [39, 38, 37, 36, 71, 107, 143, 179, 209, 203];
        let at = (step * 9 / of.max(2).saturating_sub(1)).min(9);
        let mix = |cold: u8, warm: u8| (usize::from(cold) * (9 - at) + usize::from(warm) * at) as u16 / 9;
        let rgb = (mix(70, 240) as u8, mix(150, 98) as u8, mix(240, 70) as u8);
        self.paint(Hue(BASIC[at], INDEXED[at], rgb))
    }

    /// Lines and column heads.
    pub fn dim(self) -> Style {
        self.paint(DIM)
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
        if self.colour() {
            Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD)
        } else {
            Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED)
        }
    }

    /// Something deserves a look.
    pub fn warn(self) -> Style {
        self.paint(WARN).add_modifier(Modifier::BOLD)
    }

    /// The element under the cursor.
    pub fn cursor(self) -> Style {
        if self.colour() {
            Style::new().fg(Color::Black).bg(Color::White).add_modifier(Modifier::BOLD)
        } else {
            Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
        }
    }

    const fn backend_hue(backend: Backend) -> Hue {
        match backend {
            Backend::None => UNKNOWN,
            Backend::Folio => FOLIO,
            Backend::Zero => ZERO,
            Backend::Zswap => ZSWAP,
            Backend::Phys => PHYS,
        }
    }

    /// Text about a backend.
    pub fn backend(self, backend: Backend) -> Style {
        self.paint(Self::backend_hue(backend))
    }

    /// An area that stands for a backend; without colour its character does it.
    pub fn backend_area(self, backend: Backend) -> Style {
        if self.colour() {
            Style::new().fg(Color::Black).bg(self.hue(Self::backend_hue(backend)))
        } else {
            Style::new()
        }
    }

    /// An area that stands for nothing, told from the background.
    pub fn empty(self) -> Style {
        if self.colour() { Style::new().bg(self.hue(EMPTY)) } else { Style::new() }
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
            List::None => self.paint(UNKNOWN),
            List::Free => self.dim(),
            List::Nonfull => self.paint(ZSWAP),
            List::Frag => self.paint(FRAG),
            List::Full => self.paint(FULL),
            List::Discard => self.paint(ZERO),
        }
    }

    /// Colours of the orders 0 to 9, cold to warm.
    pub fn order(self, order: u8) -> Style {
        self.ramp(usize::from(order), 10)
    }

    /// Colours of the tenths of a fill, 0 (empty) to 10 (full).
    pub fn fill(self, tenths: u16) -> Style {
        match (tenths, self.depth) {
            (0, _) => self.dim(),
            // Sixteen colours have no scale that reads as one: four steps.
            (1..=3, Depth::Sixteen) => self.paint(ZSWAP),
            (4..=6, Depth::Sixteen) => Style::new().fg(Color::LightGreen),
            (7..=9, Depth::Sixteen) => self.paint(FRAG),
            (_, Depth::Sixteen) => self.paint(FULL),
            _ => self.ramp(usize::from(tenths.saturating_sub(1)), 10),
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

/// Terminals that have no colours, by the names that terminfo gives them.
fn monochrome(term: &str) -> bool {
    let vt = term.strip_prefix("vt").and_then(|n| n.chars().next()).is_some_and(|c| c.is_ascii_digit());
    (vt && !term.starts_with("vt525")) || ["-m", "-mono"].iter().any(|end| term.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(vars: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        move |name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    #[test]
    fn environment_decides_the_look() {
        assert_eq!(Theme::from_env(env(&[("LANG", "en_GB.UTF-8")])), Theme::new(Depth::Sixteen, false));
        assert_eq!(Theme::from_env(env(&[])), Theme::new(Depth::Sixteen, true));
        assert_eq!(
            Theme::from_env(env(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")])),
            Theme::new(Depth::Sixteen, true)
        );
        assert!(Theme::from_env(env(&[("LANG", "C.utf8"), ("TERM", "linux")])).ascii);
        assert!(!Theme::from_env(env(&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")])).colour());
        assert!(Theme::from_env(env(&[("NO_COLOR", "")])).colour(), "an empty NO_COLOR does not count");
        let depth = |vars: &[(&str, &str)]| Theme::from_env(env(vars)).depth;
        assert_eq!(depth(&[("TERM", "xterm-256color")]), Depth::Indexed);
        for none in ["vt100", "vt220-w", "xterm-mono", "linux-m"] {
            assert_eq!(depth(&[("TERM", none)]), Depth::Mono, "{none}");
        }
        for some in ["vt525", "vte", "linux", "xterm", "screen"] {
            assert_eq!(depth(&[("TERM", some)]), Depth::Sixteen, "{some}");
        }
        assert_eq!(depth(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), Depth::True);
    }

    #[test]
    fn without_colour_no_style_has_one() {
        let mono = Theme::new(Depth::Mono, true);
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

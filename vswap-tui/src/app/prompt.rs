//! The line at the bottom where a command or a filter is typed.

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A command by name.
    Command,
    /// What to show only.
    Filter,
    /// A slot to jump to.
    Slot,
}

impl Ask {
    /// The character the line begins with.
    pub const fn mark(self) -> char {
        match self {
            Self::Command => ':',
            Self::Filter | Self::Slot => '/',
        }
    }
}

/// Characters a line can have.
const LONGEST: usize = 200;

/// A line being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// What for.
    pub ask: Ask,
    /// What was typed so far.
    pub text: String,
}

impl Prompt {
    /// An empty line.
    pub const fn new(ask: Ask) -> Self {
        Self { ask, text: String::new() }
    }

    /// One more character.
    pub fn push(&mut self, c: char) {
        if self.text.chars().count() < LONGEST && !c.is_control() {
            self.text.push(c);
        }
    }

    /// Completes the last word as far as the candidates agree; several candidates leave it where they part.
    pub fn complete(&mut self, candidates: &[String]) {
        let start = self.text.rfind(' ').map_or(0, |i| i + 1);
        let word = &self.text[start..];
        let fits: Vec<&String> = candidates.iter().filter(|c| c.starts_with(word)).collect();
        let Some(first) = fits.first() else { return };
        let mut common = first.as_str();
        for other in &fits {
            let same = common.char_indices().zip(other.chars()).take_while(|((_, a), b)| a == b).last();
            common = same.map_or("", |((i, c), _)| &common[..i + c.len_utf8()]);
        }
        let whole = fits.len() == 1;
        self.text.replace_range(start.., common);
        if whole {
            self.text.push(' ');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completion_goes_as_far_as_it_is_sure() {
        let words = ["save", "seek", "sort", "sort-other", "日本", "日曜"].map(String::from);
        let done = |text: &str| {
            let mut p = Prompt { text: text.into(), ..Prompt::new(Ask::Command) };
            p.complete(&words);
            p.text
        };
        assert_eq!(done("sa"), "save ");
        assert_eq!(done("s"), "s");
        assert_eq!(done("so"), "sort");
        assert_eq!(done("x"), "x");
        assert_eq!(done("sort sa"), "sort save ");
        assert_eq!(done("日"), "日");
    }

    #[test]
    fn a_line_is_bounded_and_has_no_control_characters() {
        let mut p = Prompt::new(Ask::Filter);
        p.push('\u{1b}');
        (0..500).for_each(|_| p.push('ü'));
        assert_eq!(p.text.chars().count(), LONGEST);
    }
}

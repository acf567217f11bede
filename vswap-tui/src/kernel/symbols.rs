//! Names in `/proc/kallsyms`: is a function there, or only as a copy the compiler renamed?

use std::collections::HashSet;

/// Function and data names of the running kernel (without addresses: they may be hidden, and are never stored).
#[derive(Default, Debug)]
pub struct Symbols {
    names: HashSet<String>,
    suffixed: HashSet<String>,
}

/// How a function name occurs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occurs {
    /// Under its own name.
    Plain,
    /// Only with a compiler suffix (`.isra.0`, `.constprop.0`): fentry has no address for it.
    Suffixed,
    /// Not at all: inlined or not built.
    Absent,
}

impl Symbols {
    /// Parses the text of kallsyms; lines it does not understand are skipped.
    pub fn parse(text: &str) -> Self {
        let mut out = Self::default();
        for line in text.lines() {
            let Some(name) = line.split_whitespace().nth(2) else { continue };
            match name.split_once('.') {
                Some((base, _)) if !base.is_empty() => out.suffixed.insert(base.to_owned()),
                _ => out.names.insert(name.to_owned()),
            };
        }
        out
    }

    /// How `name` occurs.
    pub fn occurs(&self, name: &str) -> Occurs {
        if self.names.contains(name) {
            Occurs::Plain
        } else if self.suffixed.contains(name) {
            Occurs::Suffixed
        } else {
            Occurs::Absent
        }
    }

    /// True when nothing could be read.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_suffixed_and_absent() {
        let s = Symbols::parse(
            "0000000000000000 T zswap_store\n0 t move_cluster.isra.0\nrubbish\n\n0 b swap_info\t[mod]\n",
        );
        assert_eq!(s.occurs("zswap_store"), Occurs::Plain);
        assert_eq!(s.occurs("move_cluster"), Occurs::Suffixed);
        assert_eq!(s.occurs("swap_info"), Occurs::Plain);
        assert_eq!(s.occurs("nope"), Occurs::Absent);
        assert!(Symbols::parse("").is_empty());
    }
}

//! The configuration file: how the dashboard looks and starts. TOML, by default `vswap/config.toml` in
//! `$XDG_CONFIG_HOME` or `~/.config`; the command line goes before it. `--print-config` shows what holds.

use crate::app::cgroups::SortBy;
use crate::app::{App, Paint, View};
use crate::ui::theme::{Depth, Theme};
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the file can say. Unknown words are errors: a typing mistake must not pass for a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Time between two frames, as `250ms`.
    pub interval: String,
    /// `auto`, `none`, `16`, `256` or `true`.
    pub colours: String,
    /// Only ASCII characters: `auto`, `yes` or `no`.
    pub ascii: String,
    /// The wheel scrolls, clicks choose views and clusters; the terminal's own selecting needs Shift then.
    pub mouse: bool,
    /// View to start with.
    pub view: String,
    /// What the cluster map shows: `list`, `fill`, `backend` or `order`.
    pub paint: String,
    /// Cgroups as a tree.
    pub tree: bool,
    /// Column the cgroups are sorted by.
    pub sort: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: "250ms".into(),
            colours: "auto".into(),
            ascii: "auto".into(),
            mouse: false,
            view: "overview".into(),
            paint: "list".into(),
            tree: true,
            sort: "slots".into(),
        }
    }
}

impl Config {
    /// Reads `file`, or the default one, which need not exist.
    ///
    /// # Errors
    /// If a named file cannot be read, or a file says what cannot be.
    pub fn load(file: Option<&Path>, var: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let path = match file {
            Some(path) => path.to_owned(),
            None => match default_file(var).filter(|p| p.exists()) {
                Some(path) => path,
                None => return Ok(Self::default()),
            },
        };
        let shown = || format!("configuration {}", path.display());
        let text = std::fs::read_to_string(&path).with_context(shown)?;
        Self::parse(&text).with_context(shown)
    }

    /// What the text of a file says.
    ///
    /// # Errors
    /// If it is no TOML, or says what cannot be.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        self.interval()?;
        self.theme(|_| None)?;
        self.start()?;
        Ok(())
    }

    /// Time between two frames.
    ///
    /// # Errors
    /// If it is no time.
    pub fn interval(&self) -> anyhow::Result<Duration> {
        humantime::parse_duration(&self.interval)
            .with_context(|| format!("interval = \"{}\" is no time like 250ms", self.interval))
    }

    /// The look, in this environment where the file leaves it to that.
    ///
    /// # Errors
    /// If it names none.
    pub fn theme(&self, var: impl Fn(&str) -> Option<String>) -> anyhow::Result<Theme> {
        let found = Theme::from_env(var);
        let depth = match self.colours.as_str() {
            "auto" => found.depth,
            "none" => Depth::Mono,
            "16" => Depth::Sixteen,
            "256" => Depth::Indexed,
            "true" => Depth::True,
            other => bail!("colours = \"{other}\" is none of auto, none, 16, 256, true"),
        };
        let ascii = match self.ascii.as_str() {
            "auto" => found.ascii,
            "yes" => true,
            "no" => false,
            other => bail!("ascii = \"{other}\" is none of auto, yes, no"),
        };
        Ok(Theme::new(depth, ascii))
    }

    fn start(&self) -> anyhow::Result<(View, Paint, SortBy)> {
        let view = View::ALL.into_iter().find(|v| v.name().to_lowercase() == self.view);
        let paint = Paint::ALL.into_iter().find(|p| p.word() == self.paint);
        let sort = SortBy::ALL.into_iter().find(|s| s.name() == self.sort);
        let none = |what: &str, word: &str, all: Vec<String>| {
            format!("{what} = \"{word}\" is none of {}", all.join(", "))
        };
        let views = View::ALL.map(|v| v.name().to_lowercase()).to_vec();
        let paints = Paint::ALL.map(|p| p.word().to_owned()).to_vec();
        let sorts = SortBy::ALL.map(|s| s.name().to_owned()).to_vec();
        Ok((
            view.with_context(|| none("view", &self.view, views))?,
            paint.with_context(|| none("paint", &self.paint, paints))?,
            sort.with_context(|| none("sort", &self.sort, sorts))?,
        ))
    }

    /// Puts a fresh dashboard into the state to start with.
    ///
    /// # Errors
    /// If the configuration names what there is not.
    pub fn begin(&self, app: &mut App) -> anyhow::Result<()> {
        let (view, paint, sort) = self.start()?;
        app.view = view;
        app.clusters.paint = paint;
        (app.cgroups.tree, app.cgroups.sort) = (self.tree, sort);
        Ok(())
    }

    /// As a file would have it.
    ///
    /// # Errors
    /// Never with these members; the writer says so all the same.
    pub fn to_toml(&self) -> anyhow::Result<String> {
        toml::to_string(self).context("write the configuration as TOML")
    }
}

/// Where the file is looked for when none is named.
fn default_file(var: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| var(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(folder.join("vswap/config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Origin;
    use ratatui::layout::Size;

    fn load(text: &str) -> anyhow::Result<Config> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("c.toml");
        std::fs::write(&file, text)?;
        Config::load(Some(&file), |_| None)
    }

    #[test]
    fn a_missing_default_is_fine_and_a_missing_named_file_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let home = |name: &str| (name == "HOME").then(|| dir.path().display().to_string());
        assert_eq!(Config::load(None, home).unwrap(), Config::default());
        let named = dir.path().join("none.toml");
        let error = format!("{:#}", Config::load(Some(&named), home).unwrap_err());
        assert!(error.contains("none.toml"), "{error}");
        std::fs::create_dir_all(dir.path().join(".config/vswap")).unwrap();
        std::fs::write(dir.path().join(".config/vswap/config.toml"), "mouse = true\n").unwrap();
        assert!(Config::load(None, home).unwrap().mouse);
    }

    #[test]
    fn what_is_printed_can_be_read_and_changes_the_start() {
        let config = Config { view: "flow".into(), sort: "phys".into(), tree: false, ..Config::default() };
        assert_eq!(load(&config.to_toml().unwrap()).unwrap(), config);
        let mut app = App::new(Origin::Demo, config.interval().unwrap(), None, Size::new(80, 24));
        config.begin(&mut app).unwrap();
        assert_eq!((app.view, app.cgroups.sort, app.cgroups.tree), (View::Flow, SortBy::Phys, false));
    }

    #[test]
    fn the_look_is_chosen_or_found() {
        let theme = |text: &str| {
            load(text).unwrap().theme(|n| (n == "TERM").then(|| "xterm-256color".into())).unwrap()
        };
        assert_eq!(theme("").depth, Depth::Indexed);
        assert_eq!(theme("colours = \"true\"\nascii = \"yes\""), Theme::new(Depth::True, true));
        assert_eq!(theme("colours = \"none\"").depth, Depth::Mono);
    }

    #[test]
    fn mistakes_name_the_file_and_the_choices() {
        for (text, word) in [
            ("interval = \"soon\"", "250ms"),
            ("colours = \"8\"", "256"),
            ("ascii = \"maybe\"", "yes"),
            ("view = \"x\"", "doctor"),
            ("sort = \"x\"", "phys"),
            ("paint = \"x\"", "backend"),
            ("intervall = \"1s\"", "intervall"),
            ("mouse = 3", "mouse"),
        ] {
            let error = format!("{:#}", load(text).unwrap_err());
            assert!(error.contains(word) && error.contains("c.toml"), "{text}: {error}");
        }
    }
}

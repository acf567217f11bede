//! Which design a trace is replayed under, and on what machine: parsed from the command line.

use crate::cli::parse_bytes;
use crate::model::Policy;
use crate::model::policy::{POLICIES, SWAP_TABLE, VSWAP_RFC2};
use std::fmt;
use thiserror::Error;

/// What the recorded kernel really did: its design, its slots.
const AS_RECORDED: &str = "as-recorded";
/// The virtual layer as it stands today: the newest RFC.
const VSWAP: &str = "vswap";
/// Pages in a device of the largest `--set phys-pages`: offsets of a swap device are 32 bits wide.
const MOST_PAGES: u64 = u32::MAX as u64 - 1;

/// Why a `--model`, `--compare` or `--set` is refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DesignError {
    /// No design has this name.
    #[error(
        "unknown model '{0}': there are as-recorded, swap-table, vswap-rfc1, vswap-rfc2, vswap (= vswap-rfc2)"
    )]
    Model(String),
    /// The same design is named twice.
    #[error("model '{0}' is named twice")]
    ModelTwice(String),
    /// Not `name=value`, or an unknown name.
    #[error("unknown setting '{0}': there are zswap-max=BYTES, phys-pages=N, cluster=512|256")]
    Setting(String),
    /// The same setting is given twice.
    #[error("setting '{0}' is given twice")]
    SettingTwice(&'static str),
    /// The value does not fit its setting.
    #[error("{name}={value}: {reason}")]
    Value {
        /// Name of the setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it, and what would do.
        reason: String,
    },
    /// Settings without a design that they could change.
    #[error("--set changes no model: 'as-recorded' is what the recorded machine did; name another one")]
    NothingToSet,
}

/// Sizes that differ from the recorded machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Compressed bytes zswap may hold; `None`: stores and writebacks happen as recorded.
    pub zswap_max: Option<u64>,
    /// Usable pages of the one physical device that takes the place of the recorded ones; 0: there is none.
    pub phys_pages: Option<u64>,
    /// Clusters of 512 slots (`CONFIG_THP_SWAP`), or of 256 and order 0 only.
    pub thp_swap: Option<bool>,
}

impl Settings {
    /// `zswap-max=64M,phys-pages=32768,cluster=256`.
    ///
    /// # Errors
    /// See [`DesignError`].
    pub fn parse(text: &str) -> Result<Self, DesignError> {
        let mut settings = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| DesignError::Setting(part.to_owned()))?;
            settings.set(name.trim(), value.trim())?;
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), DesignError> {
        let bad = |name, reason: &str| DesignError::Value {
            name,
            value: value.to_owned(),
            reason: reason.to_owned(),
        };
        let twice = match name {
            "zswap-max" => {
                let bytes = parse_bytes(value).map_err(|reason| bad("zswap-max", &reason))?;
                self.zswap_max.replace(bytes).map(|_| "zswap-max")
            }
            "phys-pages" => {
                let pages = value.parse().ok().filter(|pages| *pages <= MOST_PAGES);
                let pages =
                    pages.ok_or_else(|| bad("phys-pages", "not a number of pages from 0 to 4294967294"))?;
                self.phys_pages.replace(pages).map(|_| "phys-pages")
            }
            "cluster" => {
                let thp_swap = match value {
                    "512" => true,
                    "256" => false,
                    _ => return Err(bad("cluster", "a cluster has 512 slots, or 256 without THP swap")),
                };
                self.thp_swap.replace(thp_swap).map(|_| "cluster")
            }
            _ => return Err(DesignError::Setting(name.to_owned())),
        };
        twice.map_or(Ok(()), |name| Err(DesignError::SettingTwice(name)))
    }
}

/// A design on a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Design {
    /// Rules of the model.
    pub policy: Policy,
    /// Every slot is the recorded one; only for the design of the recorded kernel.
    pub forced: bool,
    /// Sizes that differ from the recorded machine.
    pub settings: Settings,
}

impl Design {
    /// What the recorded kernel did.
    pub const AS_RECORDED: Self = Self {
        policy: SWAP_TABLE,
        forced: true,
        settings: Settings { zswap_max: None, phys_pages: None, thp_swap: None },
    };

    /// Those a dashboard shows if nobody chose: what happened, and the virtual layer as it stands today.
    pub const SHOWN: [Self; 2] =
        [Self::AS_RECORDED, Self { policy: VSWAP_RFC2, forced: false, ..Self::AS_RECORDED }];

    /// The design called `name`, with `settings` unless it is the recorded one.
    ///
    /// # Errors
    /// [`DesignError::Model`].
    pub fn named(name: &str, settings: Settings) -> Result<Self, DesignError> {
        let policy = match name {
            AS_RECORDED => return Ok(Self::AS_RECORDED),
            VSWAP => VSWAP_RFC2,
            _ => Policy::named(name).ok_or_else(|| DesignError::Model(name.to_owned()))?,
        };
        Ok(Self { policy, forced: false, settings })
    }

    /// The designs of a list of names, in its order.
    ///
    /// # Errors
    /// See [`DesignError`].
    pub fn list<'a>(
        names: impl IntoIterator<Item = &'a str>,
        settings: Settings,
    ) -> Result<Vec<Self>, DesignError> {
        let mut designs: Vec<Self> = Vec::new();
        for name in names.into_iter().map(str::trim) {
            let design = Self::named(name, settings)?;
            if designs.contains(&design) {
                return Err(DesignError::ModelTwice(name.to_owned()));
            }
            designs.push(design);
        }
        if settings != Settings::default() && designs.iter().all(|design| design.forced) {
            return Err(DesignError::NothingToSet);
        }
        Ok(designs)
    }

    /// All that can be compared, without settings.
    pub fn all() -> Vec<Self> {
        let modelled = POLICIES.map(|policy| Self { policy, ..Self { forced: false, ..Self::AS_RECORDED } });
        std::iter::once(Self::AS_RECORDED).chain(modelled).collect()
    }

    /// Name without settings.
    pub const fn name(&self) -> &'static str {
        if self.forced { AS_RECORDED } else { self.policy.name }
    }
}

/// Name with the settings that differ.
impl fmt::Display for Design {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let Settings { zswap_max, phys_pages, thp_swap } = self.settings;
        let parts = [
            zswap_max.map(|bytes| format!("zswap-max={bytes}")),
            phys_pages.map(|pages| format!("phys-pages={pages}")),
            thp_swap.map(|thp| format!("cluster={}", if thp { 512 } else { 256 })),
        ];
        for (i, part) in parts.into_iter().flatten().enumerate() {
            write!(f, "{}{part}", if i == 0 { " " } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_shown() {
        let settings = Settings::parse("zswap-max=64M, phys-pages=32768,cluster=256").unwrap();
        assert_eq!((settings.zswap_max, settings.phys_pages), (Some(64 << 20), Some(32768)));
        assert_eq!(settings.thp_swap, Some(false));
        let design = Design::named("vswap", settings).unwrap();
        assert_eq!(design.to_string(), "vswap-rfc2 zswap-max=67108864,phys-pages=32768,cluster=256");
        assert_eq!(Design::named("as-recorded", settings).unwrap(), Design::AS_RECORDED);
        assert_eq!(Settings::parse("").unwrap(), Settings::default());
        assert_eq!(Design::all().len(), 4);
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_choices() {
        for (text, part) in [
            ("zswap-max", "there are zswap-max=BYTES"),
            ("colour=red", "unknown setting 'colour'"),
            ("zswap-max=lots", "zswap-max=lots: 'lots' is not a size"),
            ("phys-pages=-1", "not a number of pages"),
            ("phys-pages=4294967295", "not a number of pages"),
            ("cluster=128", "512 slots, or 256"),
            ("cluster=512,cluster=256", "'cluster' is given twice"),
        ] {
            let error = Settings::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let list = |names: &[&str], set| Design::list(names.iter().copied(), Settings::parse(set).unwrap());
        assert_eq!(list(&["vswap", "vswap-rfc2"], ""), Err(DesignError::ModelTwice("vswap-rfc2".into())));
        assert!(matches!(list(&["plan9"], ""), Err(DesignError::Model(_))));
        assert_eq!(list(&["as-recorded"], "cluster=256"), Err(DesignError::NothingToSet));
        assert_eq!(list(&["as-recorded", "swap-table"], "cluster=256").map(|l| l.len()), Ok(2));
    }
}

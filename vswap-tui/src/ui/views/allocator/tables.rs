//! The kernel's tables: what reading them cost, and how the slot map compares with them.

use super::Lines;
use crate::app::App;
use crate::ui::format::{count, duration};
use crate::ui::theme::Theme;
use ratatui::style::Style;

pub(super) fn add(lines: &mut Lines, width: u16, theme: Theme, app: &App) {
    let s = &app.frame.snapshot;
    if s.scan.is_none() && s.verify.is_none() && app.frame.refused.is_none() && s.header.from_swapon {
        return;
    }
    lines.title("The kernel's tables");
    match s.scan {
        None if !s.header.from_swapon => {
            let text = "not read: slots in use before the start are unknown until something happens to them";
            lines.pair("scan", text, width, theme.warn());
        }
        None => {}
        Some(scan) => {
            let mut text = match (scan.ended, scan.complete) {
                (false, _) => "runs".to_owned(),
                (true, whole) => {
                    let part = if whole { "" } else { ", NOT ALL of them" };
                    format!("{} slots in {}{part}", count(scan.slots), duration(scan.ns))
                }
            };
            if scan.doubtful > 0 {
                text += &format!("; {} whose place they do not tell", count(scan.doubtful));
            }
            if scan.scans > 1 {
                text += &format!("; {} times again after a loss", scan.scans - 1);
            }
            let bad = scan.ended && !scan.complete;
            lines.pair("scan", &text, width, if bad { theme.warn() } else { Style::new() });
        }
    }
    if let Some(why) = &app.frame.refused {
        lines.pair("verify", &format!("not possible: {why}"), width, theme.warn());
    }
    if let Some(v) = &s.verify {
        let text = match v.ended {
            false => "runs".to_owned(),
            true => format!(
                "{} slots compared, {} differ, {} not known for certain; {} looks, {}{}",
                count(v.checked),
                count(v.differing),
                count(v.unknown),
                v.looks,
                duration(v.ns),
                if v.complete { "" } else { "; NOT ALL of them" }
            ),
        };
        let bad = v.ended && v.differing > 0;
        lines.pair("verified", &text, width, if bad { theme.bad() } else { Style::new() });
        v.examples.iter().for_each(|example| lines.pair("", example, width, theme.bad()));
    }
}

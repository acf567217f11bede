//! Commands by name: what `:` runs, and the words Tab completes.

use crate::app::cgroups::SortBy;
use crate::app::message::{Control, Effect, Landmark};
use crate::app::prompt::{Ask, Prompt};
use crate::app::state::{App, View};
use crate::app::tempo::{set_interval, set_speed};
use crate::app::typing::{jump_to, set_filter};
use crate::app::update::{choose_device, zoom};
use crate::app::views::Paint;
use crate::cli::parse_speed;
use std::time::Duration;
use vswap_common::Kind;

/// A command.
struct Command {
    name: &'static str,
    /// What may follow, for the list of candidates.
    words: fn(&App) -> Vec<String>,
    run: fn(&mut App, &str) -> Result<Option<Effect>, String>,
}

const fn command(
    name: &'static str,
    words: fn(&App) -> Vec<String>,
    run: fn(&mut App, &str) -> Result<Option<Effect>, String>,
) -> Command {
    Command { name, words, run }
}

const COMMANDS: [Command; 19] = [
    command("overview", none, |app, _| show(app, View::Overview)),
    command("clusters", none, |app, _| show(app, View::Clusters)),
    command("mapping", none, |app, _| show(app, View::Mapping)),
    command("cgroups", none, |app, _| show(app, View::Cgroups)),
    command("latency", none, |app, _| show(app, View::Latency)),
    command("flow", none, |app, _| show(app, View::Flow)),
    command("allocator", none, |app, _| show(app, View::Allocator)),
    command("doctor", none, |app, _| show(app, View::Doctor)),
    command("help", none, |app, _| {
        app.help = true;
        Ok(None)
    }),
    command("quit", none, |_, _| Ok(Some(Effect::Quit))),
    command("save", none, |_, file| Ok(Some(Effect::Save((!file.is_empty()).then(|| file.to_owned()))))),
    command("sort", |_| SortBy::ALL.map(|s| s.name().to_owned()).into(), sort),
    command("filter", none, |app, text| set_filter(app, text).map(|()| None)),
    command("totals", none, |app, _| {
        app.flow.totals = !app.flow.totals;
        show(app, View::Flow)
    }),
    command("device", devices, device),
    command("slot", none, |app, text| jump_to(app, text).map(|()| None)),
    command("paint", |_| Paint::ALL.map(|p| p.word().to_owned()).into(), paint),
    command(
        "zoom",
        |_| vec!["in".into(), "out".into()],
        |app, text| {
            match text {
                "in" => zoom(app, 1),
                "out" => zoom(app, -1),
                _ => return Err("zoom in, or zoom out".into()),
            }
            Ok(None)
        },
    ),
    command("interval", none, |app, text| {
        let interval = duration(text)?.clamp(Duration::from_millis(20), Duration::from_secs(3600));
        Ok(Some(set_interval(app, interval)))
    }),
];

/// Commands of a replay.
const TIMED: [Command; 3] = [
    command("seek", none, seek),
    command(
        "speed",
        |_| ["0.1x", "1x", "10x", "max"].map(String::from).into(),
        |app, text| {
            let speed = parse_speed(text)?;
            Ok(Some(set_speed(app, speed)))
        },
    ),
    command(
        "find",
        |_| ["loss", "divergence", "writeback"].map(String::from).into(),
        |_, text| {
            let landmark = match text {
                "loss" => Landmark::Loss,
                "divergence" => Landmark::Divergence,
                "writeback" => Landmark::Writeback,
                _ => return Err("find loss, divergence or writeback".into()),
            };
            Ok(Some(Effect::Pump(Control::Find(landmark))))
        },
    ),
];

fn none(_: &App) -> Vec<String> {
    Vec::new()
}

/// Commands that mean something now.
fn commands(app: &App) -> impl Iterator<Item = &'static Command> {
    let timed: &[Command] = if app.plays() { &TIMED } else { &[] };
    COMMANDS.iter().chain(timed)
}

/// Runs what was typed; a name may be cut short where it stays the only one.
///
/// # Errors
/// What is wrong with it, in words.
pub fn run(app: &mut App, text: &str) -> Result<Option<Effect>, String> {
    let (name, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    if name.is_empty() {
        return Ok(None);
    }
    let fits: Vec<&Command> = commands(app).filter(|c| c.name.starts_with(name)).collect();
    let exact = fits.iter().find(|c| c.name == name);
    match (exact, &fits[..]) {
        (Some(command), _) => (command.run)(app, rest.trim()),
        (None, [command]) => (command.run)(app, rest.trim()),
        (None, []) => Err(format!("no command '{name}'; Tab shows what there is")),
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|c| c.name).collect();
            Err(format!("'{name}' is one of {}", names.join(", ")))
        }
    }
}

/// Words that fit at the end of what was typed.
pub fn candidates(app: &App, prompt: &Prompt) -> Vec<String> {
    let before = prompt.text.trim_start();
    let words = match (prompt.ask, before.split_once(' ')) {
        (Ask::Slot, _) => Vec::new(),
        (Ask::Filter, _) if app.view == View::Flow => Kind::ALL.iter().map(|k| k.name().to_owned()).collect(),
        (Ask::Filter, _) => app.frame.snapshot.memcgs.iter().take(64).map(|m| m.path.to_string()).collect(),
        (Ask::Command, None) => commands(app).map(|c| c.name.to_owned()).collect(),
        (Ask::Command, Some((name, _))) => {
            commands(app).find(|c| c.name == name).map(|c| (c.words)(app)).unwrap_or_default()
        }
    };
    let last = prompt.text.rsplit(' ').next().unwrap_or_default();
    words.into_iter().filter(|w| w.starts_with(last)).collect()
}

fn show(app: &mut App, view: View) -> Result<Option<Effect>, String> {
    app.view = view;
    Ok(None)
}

fn sort(app: &mut App, text: &str) -> Result<Option<Effect>, String> {
    let by = SortBy::ALL.into_iter().find(|s| s.name().starts_with(text) && !text.is_empty());
    let names = SortBy::ALL.map(SortBy::name).join(", ");
    app.cgroups.sort = by.ok_or(format!("sort by one of {names}"))?;
    show(app, View::Cgroups)
}

fn paint(app: &mut App, text: &str) -> Result<Option<Effect>, String> {
    let paint = Paint::ALL.into_iter().find(|p| p.word() == text);
    app.clusters.paint = paint.ok_or("paint list, fill, backend or order")?;
    show(app, View::Clusters)
}

fn devices(app: &App) -> Vec<String> {
    app.frame.snapshot.devices.iter().map(|d| d.name.clone()).collect()
}

fn device(app: &mut App, text: &str) -> Result<Option<Effect>, String> {
    let all = &app.frame.snapshot.devices;
    let found = all.iter().find(|d| d.name == text || Ok(d.dev) == text.parse());
    let dev = found.map(|d| d.dev).ok_or(format!("no device '{text}': {}", devices(app).join(", ")))?;
    choose_device(app, dev);
    Ok(None)
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| format!("'{text}' is no time: {e} (like 500ms, 2s, 1m)"))
}

/// `seek 12s` after the first event, `seek +5s`, `seek -5s`.
fn seek(app: &mut App, text: &str) -> Result<Option<Effect>, String> {
    let span = |text: &str| duration(text).map(|d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX));
    let now = app.frame.now;
    let start = app.timeline.as_ref().map_or(app.frame.snapshot.first_ts, |t| t.start);
    let to = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(on), _) => now.saturating_add(span(on)?),
        (_, Some(back)) => now.saturating_sub(span(back)?),
        _ => start.saturating_add(span(text)?),
    };
    Ok(Some(Effect::Pump(Control::Seek(to.max(start)))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Origin;
    use crate::app::frame::Playback;
    use crate::cli::Speed;
    use crate::snapshot::{DeviceView, Snapshot};
    use ratatui::layout::Size;
    use std::sync::Arc;

    fn app() -> App {
        let mut app = App::new(Origin::Replay, Duration::from_millis(250), None, Size::new(80, 24));
        let device = DeviceView { dev: 3, name: "/swap".into(), pages: 5000, ..DeviceView::default() };
        app.frame.snapshot =
            Arc::new(Snapshot { devices: vec![device], first_ts: 1_000, ..Snapshot::default() });
        app
    }

    #[test]
    fn every_command_can_be_run_by_its_name_and_no_name_begins_another() {
        for c in COMMANDS.iter().chain(&TIMED) {
            let fits = COMMANDS.iter().chain(&TIMED).filter(|o| o.name.starts_with(c.name));
            assert_eq!(fits.count(), 1, "{}", c.name);
        }
        for view in View::ALL {
            let mut app = app();
            assert_eq!(run(&mut app, &view.name().to_lowercase()), Ok(None));
            assert_eq!(app.view, view);
        }
    }

    #[test]
    fn commands_do_what_they_say_or_say_why_not() {
        let mut app = app();
        assert_eq!(run(&mut app, "q"), Ok(Some(Effect::Quit)));
        assert!(run(&mut app, "s").unwrap_err().contains("save, sort, slot"));
        assert!(run(&mut app, "seek 1s").unwrap_err().contains("no command"), "time is not ours here");
        assert_eq!(run(&mut app, "save /tmp/x.json"), Ok(Some(Effect::Save(Some("/tmp/x.json".into())))));
        assert_eq!((run(&mut app, "sort phys"), app.cgroups.sort), (Ok(None), SortBy::Phys));
        assert_eq!((run(&mut app, "paint order"), app.clusters.paint), (Ok(None), Paint::Order));
        assert_eq!(
            (run(&mut app, "slot 3:4711"), app.mapping.off, app.view),
            (Ok(None), 4711, View::Mapping)
        );
        assert!(run(&mut app, "slot 3:4711000").unwrap_err().contains("ends at slot 5000"));
        assert!(run(&mut app, "slot 9:1").unwrap_err().contains("no device 9"));
        assert!(run(&mut app, "device /swap").is_ok() && run(&mut app, "device 3").is_ok());
        assert!(run(&mut app, "device 7").unwrap_err().contains("/swap"));
        let effect = Effect::Pump(Control::Interval(Duration::from_millis(500)));
        assert_eq!(run(&mut app, "interval 500ms"), Ok(Some(effect)));
        assert_eq!(run(&mut app, ""), Ok(None));
        app.frame.playback = Some(Playback { paused: true, speed: Speed::Max, seeking: false });
        app.frame.now = 9_000;
        assert_eq!(run(&mut app, "seek 1us"), Ok(Some(Effect::Pump(Control::Seek(2_000)))));
        assert_eq!(run(&mut app, "seek +1us"), Ok(Some(Effect::Pump(Control::Seek(10_000)))));
        assert_eq!(run(&mut app, "seek -1s"), Ok(Some(Effect::Pump(Control::Seek(1_000)))));
        assert_eq!(run(&mut app, "speed max"), Ok(Some(Effect::Pump(Control::Speed(Speed::Max)))));
        assert_eq!(run(&mut app, "find loss"), Ok(Some(Effect::Pump(Control::Find(Landmark::Loss)))));
    }

    #[test]
    fn words_are_offered_for_what_they_follow() {
        let mut app = app();
        let offered =
            |app: &App, ask, text: &str| candidates(app, &Prompt { text: text.into(), ..Prompt::new(ask) });
        assert_eq!(offered(&app, Ask::Command, "so"), ["sort"]);
        assert_eq!(offered(&app, Ask::Command, "sort zs"), ["zswap"]);
        assert_eq!(offered(&app, Ask::Command, "device "), ["/swap"]);
        assert!(offered(&app, Ask::Command, "see").is_empty());
        app.view = View::Flow;
        assert_eq!(offered(&app, Ask::Filter, "free write_"), ["write_end"]);
    }
}

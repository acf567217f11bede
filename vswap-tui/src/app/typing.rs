//! What is typed in the line at the bottom, and what it does: commands, filters, slots.

use crate::app::message::Effect;
use crate::app::prompt::{Ask, Prompt};
use crate::app::state::{App, View};
use crate::app::update::jump;
use crate::app::views::FlowState;
use crate::app::{event_filter, palette};

/// Begins a line; a filter that holds is edited.
pub(super) fn ask_for(app: &mut App, ask: Ask) {
    let mut prompt = Prompt::new(ask);
    if ask == Ask::Filter {
        prompt.text = match app.view {
            View::Cgroups => app.cgroups.filter.clone(),
            View::Flow => app.flow.text.clone(),
            _ => String::new(),
        };
    }
    app.prompt = Some(prompt);
}

/// What was typed is meant; why it is not possible is told instead.
pub(super) fn accept(app: &mut App) -> Option<Effect> {
    let prompt = app.prompt.take()?;
    let done = match prompt.ask {
        Ask::Command => palette::run(app, &prompt.text),
        Ask::Filter => set_filter(app, prompt.text.trim()).map(|()| None),
        Ask::Slot => jump_to(app, prompt.text.trim()).map(|()| None),
    };
    done.unwrap_or_else(|why| {
        app.notice = Some(why);
        None
    })
}

/// Shows only what fits, in the shown view.
pub(super) fn set_filter(app: &mut App, text: &str) -> Result<(), String> {
    match app.view {
        View::Cgroups => {
            app.cgroups.filter = text.to_owned();
            (app.cgroups.cursor, app.cgroups.top) = (0, 0);
        }
        View::Flow => {
            let filter = event_filter::parse(text, &app.frame.snapshot.paths)?;
            app.flow = FlowState { text: text.to_owned(), filter, up: 0, totals: app.flow.totals };
        }
        _ => return Err("a filter is for the cgroups (4) and the flow (6)".into()),
    }
    Ok(())
}

/// Puts the cursor on the slot that was typed.
pub(super) fn jump_to(app: &mut App, text: &str) -> Result<(), String> {
    let named = |name: &str| app.frame.snapshot.devices.iter().find(|d| d.name == name).map(|d| d.dev);
    let by_name =
        || text.rsplit_once(':').and_then(|(name, off)| Some((Some(named(name)?), off.parse().ok()?)));
    let (dev, off) = event_filter::slot(text)
        .or_else(by_name)
        .ok_or(format!("'{text}' is no slot: OFFSET or DEVICE:OFFSET, a device by number or name"))?;
    let dev = dev.or(app.device().map(|d| d.dev)).ok_or("no swap device is known")?;
    if !app.frame.snapshot.devices.iter().any(|d| d.dev == dev) {
        return Err(format!("there is no device {dev}"));
    }
    jump(app, dev, off);
    if app.mapping.off == off {
        Ok(())
    } else {
        Err(format!("device {dev} ends at slot {}", app.mapping.off))
    }
}

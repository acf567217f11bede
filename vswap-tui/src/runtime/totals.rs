//! The screen of totals: one thread, a look a second, keys in between.

use crate::app::totals::{TotalsApp, TotalsEffect};
use crate::runtime::keyboard::{Keyboard, Ready};
use crate::term::{Screen, Signals};
use crate::totals::{Sampler, View};
use crate::ui;
use crate::ui::theme::Theme;
use anyhow::Context;
use crossterm::event::{self, Event, KeyEventKind};
use std::time::{Duration, Instant};

/// Longest wait before signals and clock are looked at again.
const TICK: Duration = Duration::from_millis(50);

/// How the screen was left, with the last look.
pub struct Left {
    /// The demo was asked for.
    pub demo: bool,
    /// What was shown last.
    pub view: View,
}

/// Shows totals until the user leaves or `duration` is over.
///
/// # Errors
/// Those of the terminal and of reading; the terminal is as before in any case.
pub fn run(
    sampler: &mut Sampler,
    interval: Duration,
    duration: Option<Duration>,
    theme: Theme,
) -> anyhow::Result<Left> {
    let signals = Signals::install().context("install signal handlers")?;
    let mut app = TotalsApp::new(sampler.look()?);
    let mut screen = Screen::enter().context("set up the terminal")?;
    let keyboard = Keyboard::open().context("find the terminal that keys come from")?;
    let end = duration.and_then(|d| Instant::now().checked_add(d));
    let mut next = Instant::now() + interval;
    let mut size = screen.size()?;
    let (mut dirty, mut demo) = (true, false);
    loop {
        let now = Instant::now();
        if signals.quit() || end.is_some_and(|end| now >= end) {
            break;
        }
        if signals.resumed() {
            screen.resume()?;
            dirty = true;
        }
        if signals.suspend() {
            screen.suspend()?;
        }
        if now >= next {
            app.show(sampler.look()?);
            next = now + interval;
            dirty = true;
        }
        if size != screen.size()? {
            size = screen.size()?;
            dirty = true;
        }
        if std::mem::take(&mut dirty) {
            screen.draw(|buf| ui::totals::draw(&app, theme, buf))?;
        }
        match keyboard.wait(TICK)? {
            Ready::Gone => break,
            Ready::Nothing => continue,
            Ready::Keys => {}
        }
        let mut left = false;
        while Keyboard::pending()? {
            dirty = true;
            let Event::Key(key) = event::read()? else { continue };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            match app.key(&key) {
                Some(effect @ (TotalsEffect::Quit | TotalsEffect::Demo)) => {
                    demo = effect == TotalsEffect::Demo;
                    left = true;
                    break;
                }
                Some(TotalsEffect::Suspend) => screen.suspend_job()?,
                Some(TotalsEffect::Redraw) => screen.resume()?,
                None => {}
            }
        }
        if left {
            break;
        }
    }
    Ok(Left { demo, view: app.view })
}

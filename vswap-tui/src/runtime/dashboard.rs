//! The dashboard's two threads: the pump on one, keys and drawing on this one.

use crate::app::frame::Timeline;
use crate::app::message::Control;
use crate::app::{App, Effect, Frame, Message, Origin, Playback, keymap, update};
use crate::check::Beside;
use crate::config::Config;
use crate::kernel::counters::Counters;
use crate::runtime::Outcome;
use crate::runtime::keyboard::{Keyboard, Ready};
use crate::runtime::mailbox::Mailbox;
use crate::runtime::pace::Pace;
use crate::runtime::pump::{Advanced, Pump};
use crate::runtime::save;
use crate::snapshot::watch::Watch;
use crate::source::Source;
use crate::term::{self, Screen, Signals};
use crate::ui;
use crate::ui::theme::Theme;
use anyhow::{Context, anyhow};
use crossterm::event::{self, Event, MouseButton, MouseEvent, MouseEventKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longest wait of either thread before it looks at the other side again.
const TICK: Duration = Duration::from_millis(50);
/// Keys taken in before the next drawing, so that a held key cannot stop the screen.
const KEYS_A_FRAME: usize = 64;
/// How long the pump may take to end; a source that blocks in a read is left to the end of the process.
const FAREWELL: Duration = Duration::from_millis(500);

/// How a dashboard is set up.
pub struct Options {
    /// Word in the header.
    pub origin: Origin,
    /// Time between two frames.
    pub interval: Duration,
    /// End by itself after this time.
    pub duration: Option<Duration>,
    /// Extent of a whole recording.
    pub timeline: Option<Timeline>,
    /// Look.
    pub theme: Theme,
    /// How it starts.
    pub config: Config,
}

/// Shows `source` until the user leaves.
///
/// # Errors
/// Those of the terminal and of the source; the terminal is as before in any case.
pub fn run(
    source: Box<dyn Source>,
    beside: Option<Beside>,
    pace: Option<Pace>,
    options: Options,
) -> anyhow::Result<Outcome> {
    let signals = Signals::install().context("install signal handlers")?;
    if options.config.mouse {
        term::use_mouse();
    }
    let mut screen = Screen::enter().context("set up the terminal")?;
    let mailbox = Arc::new(Mailbox::new());
    // Keys come one at a time and the pump looks at least every tick; a full channel means it is gone or stuck.
    let (control, orders) = sync_channel(256);
    let pump = {
        let (mailbox, interval) = (Arc::clone(&mailbox), options.interval);
        let pump = Pump::new(source, beside, pace, None).with_journal();
        std::thread::Builder::new()
            .name("pump".into())
            .spawn(move || PumpThread { pump, interval, next_frame: Instant::now() }.run(&mailbox, &orders))
            .context("start the collector thread")?
    };
    let deadline = options.duration.and_then(|d| Instant::now().checked_add(d));
    let mut app = App::new(options.origin, options.interval, options.timeline, screen.size()?);
    options.config.begin(&mut app)?;
    if options.origin == Origin::Live {
        app.counters = Counters::read(Path::new("/"));
    }
    // The keys of a replay hold from the start, not from the first frame on.
    app.frame.playback = pace.map(|p| Playback { paused: p.paused(), speed: p.speed(), seeking: false });
    let looped =
        screen_loop(&mut app, &mut screen, options.theme, &signals, &mailbox, &control, &pump, deadline);
    drop(screen);
    // Either the pump takes the order, or it sees that the channel is closed.
    let _ = control.try_send(Control::Stop);
    drop(control);
    let joined = join(pump);
    looped?;
    match joined {
        Some(outcome) => outcome,
        None => Ok(last_seen(&app)),
    }
}

/// What the screen showed last (or would have shown, if frozen): all there is when the pump hangs in a read.
fn last_seen(app: &App) -> Outcome {
    let frame: &Frame = app.held.as_ref().unwrap_or(&app.frame);
    Outcome {
        snapshot: Arc::clone(&frame.snapshot),
        beside: frame.beside.clone(),
        end: frame.end.clone(),
        trailer: None,
    }
}

fn join(pump: JoinHandle<anyhow::Result<Outcome>>) -> Option<anyhow::Result<Outcome>> {
    let until = Instant::now() + FAREWELL;
    while !pump.is_finished() {
        if Instant::now() >= until {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Some(pump.join().unwrap_or_else(|_| Err(anyhow!("the collector thread panicked, see above"))))
}

#[expect(clippy::too_many_arguments, reason = "the one place where everything meets")]
fn screen_loop(
    app: &mut App,
    screen: &mut Screen,
    theme: Theme,
    signals: &Signals,
    mailbox: &Mailbox<Frame>,
    control: &SyncSender<Control>,
    pump: &JoinHandle<anyhow::Result<Outcome>>,
    deadline: Option<Instant>,
) -> anyhow::Result<()> {
    let keyboard = Keyboard::open().context("find the terminal that keys come from")?;
    let (mut dirty, mut pending) = (true, false);
    let mut watched = Watch::default();
    loop {
        if signals.quit() || pump.is_finished() || deadline.is_some_and(|d| Instant::now() >= d) {
            return Ok(());
        }
        // Continuing comes first: it takes back the stop that it ends.
        if signals.resumed() {
            screen.resume()?;
            dirty = true;
        }
        if signals.suspend() {
            screen.suspend()?;
        }
        if let Some(frame) = mailbox.take() {
            update(app, Message::Frame(frame));
            dirty = true;
        }
        let size = screen.size()?;
        if size != app.size {
            update(app, Message::Resize(size));
            dirty = true;
        }
        // Asked again if the channel was full.
        let wanted = app.watch();
        if wanted != watched && control.try_send(Control::Watch(wanted.clone())).is_ok() {
            watched = wanted;
        }
        if std::mem::take(&mut dirty) {
            screen.draw(|buf| ui::draw(app, theme, buf))?;
        }
        // Keys crossterm has already read do not show on the terminal any more.
        let wait = if pending { Duration::ZERO } else { TICK };
        match keyboard.wait(wait)? {
            Ready::Gone => return Ok(()),
            Ready::Nothing if !pending => continue,
            Ready::Nothing | Ready::Keys => {}
        }
        pending = Keyboard::pending()?;
        for _ in 0..KEYS_A_FRAME {
            if !pending {
                break;
            }
            dirty = true;
            let message = match event::read()? {
                Event::Key(key) => keymap::action(app, &key).map(Message::Do),
                Event::Mouse(mouse) => pointed(&mouse),
                _ => None,
            };
            match message.and_then(|message| update(app, message)) {
                None => {}
                Some(Effect::Quit) => return Ok(()),
                Some(Effect::Suspend) => screen.suspend_job()?,
                Some(Effect::Redraw) => screen.resume()?,
                Some(Effect::Save(file)) => {
                    let told = save::write(app, file.as_deref());
                    update(app, Message::Told(told));
                }
                // Dropped only if the pump has not looked for 256 keys.
                Some(Effect::Pump(order)) => drop(control.try_send(order)),
            }
            pending = Keyboard::pending()?;
        }
    }
}

/// What the mouse did, if it means anything.
fn pointed(mouse: &MouseEvent) -> Option<Message> {
    let scrolled = match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => None,
        MouseEventKind::ScrollUp => Some(-3),
        MouseEventKind::ScrollDown => Some(3),
        _ => return None,
    };
    Some(Message::Mouse(mouse.column, mouse.row, scrolled))
}

/// The pump's thread: take in what is due, obey, publish.
struct PumpThread {
    pump: Pump,
    interval: Duration,
    next_frame: Instant,
}

impl PumpThread {
    /// False once it is time to end.
    fn obey(&mut self, order: Control) -> anyhow::Result<bool> {
        match order {
            Control::Stop => return Ok(false),
            Control::Interval(interval) => self.interval = interval,
            other => self.pump.control(other)?,
        }
        // What was asked for is shown at once.
        self.next_frame = Instant::now();
        Ok(true)
    }

    fn left(&self) -> Duration {
        self.next_frame.saturating_duration_since(Instant::now())
    }

    /// Publishing may take a fifth of the time at most: draining comes first.
    fn publish(&mut self, mailbox: &Mailbox<Frame>) {
        let before = Instant::now();
        mailbox.put(self.pump.frame());
        let after = Instant::now();
        self.next_frame = after + self.interval.max(4 * after.duration_since(before));
    }

    fn run(mut self, mailbox: &Mailbox<Frame>, orders: &Receiver<Control>) -> anyhow::Result<Outcome> {
        loop {
            let wait = match self.pump.advance(self.left().min(TICK))? {
                Advanced::Busy => Duration::ZERO,
                Advanced::Wait(wait) => wait.unwrap_or(TICK),
                Advanced::Ended => TICK,
            };
            if self.left().is_zero() {
                self.publish(mailbox);
            }
            match orders.recv_timeout(wait.min(TICK).min(self.left())) {
                Ok(order) => {
                    if !self.obey(order)? {
                        return Ok(self.pump.finish());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(self.pump.finish()),
            }
        }
    }
}

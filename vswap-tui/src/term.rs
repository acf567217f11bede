//! The terminal: taken for the dashboard, given back on every way out.
//!
//! Ways out and who gives the terminal back: return and error - [`Screen`]'s drop; panic on any thread - the panic
//! hook; SIGINT, SIGTERM, SIGHUP - the loop ends, then drop; SIGTSTP - given back before stopping, taken again on
//! SIGCONT. Only SIGKILL leaves it (`reset` helps then).

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::execute;
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Size;
use signal_hook::consts::signal::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use std::io::{self, BufWriter, IsTerminal, Stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

/// The dashboard has the terminal. Global because a panic hook has nothing else to look at.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The mouse is wanted; it is taken and given back with the terminal.
static MOUSE: AtomicBool = AtomicBool::new(false);

/// From the next time on the mouse is taken with the terminal.
pub fn use_mouse() {
    MOUSE.store(true, Ordering::SeqCst);
}

/// Why there can be no dashboard here; `None` if there can.
pub fn obstacle(var: impl Fn(&str) -> Option<String>) -> Option<String> {
    if !io::stdout().is_terminal() {
        return Some(
            "standard output is not a terminal: add --headless (and --json) to get a summary instead".into(),
        );
    }
    // Keys come from the terminal even when standard input is a stream of records.
    if !io::stdin().is_terminal() && std::fs::File::open("/dev/tty").is_err() {
        return Some("no terminal to read keys from: add --headless to get a summary instead".into());
    }
    match var("TERM").as_deref() {
        None | Some("" | "dumb") => Some(
            "TERM is dumb or not set, so the screen cannot be drawn: set TERM (for example xterm), or add \
             --headless to get a summary instead"
                .into(),
        ),
        Some(_) => None,
    }
}

/// The terminal in the dashboard's hands.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    log_level: log::LevelFilter,
}

impl Screen {
    /// Takes the terminal: alternate screen, raw input, no cursor.
    ///
    /// # Errors
    /// If it cannot be taken; it is given back then.
    pub fn enter() -> io::Result<Self> {
        install_panic_hook();
        // Messages would be written across the picture; with stderr in a file they are kept.
        let log_level = log::max_level();
        if io::stderr().is_terminal() {
            log::set_max_level(log::LevelFilter::Off);
        }
        take()?;
        match terminal() {
            Ok(terminal) => Ok(Self { terminal, log_level }),
            Err(err) => {
                give_back();
                Err(err)
            }
        }
    }

    /// Size of the terminal now.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn size(&self) -> io::Result<Size> {
        self.terminal.size()
    }

    /// Draws a frame; only cells that changed are sent.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn draw(&mut self, paint: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        // After a panic on another thread the message must stay readable.
        if TAKEN.load(Ordering::SeqCst) {
            self.terminal.draw(|frame| paint(frame.buffer_mut()))?;
        }
        Ok(())
    }

    /// Gives the terminal back and stops this process; returns when it goes on.
    ///
    /// # Errors
    /// If the process cannot be stopped or the terminal not be taken again.
    pub fn suspend(&mut self) -> io::Result<()> {
        give_back();
        signal_hook::low_level::emulate_default_handler(SIGTSTP)?;
        self.resume()
    }

    /// Stops the whole job, as Ctrl-Z does to any program: raw input keeps the terminal from telling the other
    /// processes of a pipeline.
    ///
    /// # Errors
    /// As [`Screen::suspend`].
    pub fn suspend_job(&mut self) -> io::Result<()> {
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
        self.suspend()
    }

    /// Takes the terminal again and draws everything anew at the next frame.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn resume(&mut self) -> io::Result<()> {
        take()?;
        // A new terminal, not `clear`: that asks where the cursor is, and not every terminal answers.
        self.terminal = terminal()?;
        execute!(io::stdout(), Clear(ClearType::All))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
        log::set_max_level(self.log_level);
    }
}

/// Frames are written in one go: nothing half-drawn is ever seen.
fn terminal() -> io::Result<Terminal<CrosstermBackend<BufWriter<Stdout>>>> {
    Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stdout())))
}

fn take() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    let taken = enable_raw_mode().and_then(|()| execute!(io::stdout(), EnterAlternateScreen, Hide));
    let taken = taken.and_then(|()| match MOUSE.load(Ordering::SeqCst) {
        true => execute!(io::stdout(), EnableMouseCapture),
        false => Ok(()),
    });
    if taken.is_err() {
        give_back();
    }
    taken
}

/// Gives the terminal back; does nothing if it is not taken. Errors are ignored: a terminal that is gone needs no
/// restoring, and this runs where nobody could handle them.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        if MOUSE.load(Ordering::SeqCst) {
            let _ = execute!(io::stdout(), DisableMouseCapture);
        }
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// Puts giving back the terminal before the message of any panic.
fn install_panic_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back();
            before(info);
        }));
    });
}

/// Signals as flags for a loop to look at.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    quit: Arc<AtomicBool>,
    suspend: Arc<AtomicBool>,
    resumed: Arc<AtomicBool>,
}

impl Signals {
    /// Flags for a dashboard: the ends, stop and continue.
    ///
    /// # Errors
    /// If a handler cannot be installed.
    pub fn install() -> io::Result<Self> {
        let signals = Self { quit: stop_flag()?, ..Self::default() };
        signal_hook::flag::register(SIGTSTP, Arc::clone(&signals.suspend))?;
        signal_hook::flag::register(SIGCONT, Arc::clone(&signals.resumed))?;
        Ok(signals)
    }

    /// SIGINT, SIGTERM or SIGHUP came.
    pub fn quit(&self) -> bool {
        self.quit.load(Ordering::Relaxed)
    }

    /// SIGTSTP came since the last call.
    pub fn suspend(&self) -> bool {
        self.suspend.swap(false, Ordering::Relaxed)
    }

    /// SIGCONT came since the last call.
    pub fn resumed(&self) -> bool {
        let resumed = self.resumed.swap(false, Ordering::Relaxed);
        if resumed {
            // The stop that this continues was obeyed already.
            self.suspend.store(false, Ordering::Relaxed);
        }
        resumed
    }
}

/// A flag that SIGINT, SIGTERM and SIGHUP set: end cleanly.
///
/// # Errors
/// If a handler cannot be installed.
pub fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

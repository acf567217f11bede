//! Everything that can change the dashboard, and everything the dashboard can ask of the pump.

use crate::app::frame::Frame;
use crate::app::state::View;
use crate::cli::Speed;
use ratatui::layout::Size;
use std::time::Duration;

/// A change of the dashboard's state.
#[derive(Clone, Debug)]
pub enum Message {
    /// A key was pressed that means this.
    Do(Action),
    /// The pump published a new instant.
    Frame(Frame),
    /// The terminal has this size now.
    Resize(Size),
}

/// What a key can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// End the program.
    Quit,
    /// Stop like any program under job control, come back with `fg`.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Show the keys.
    Help,
    /// Leave help, or the view for the first one.
    Back,
    /// The next view.
    NextView,
    /// The view before.
    PreviousView,
    /// This view.
    Show(View),
    /// Move the cursor or scroll.
    Move(Step),
    /// Hold the picture (live) or time (replay), or let it go on.
    Freeze,
    /// Longer interval, or higher speed in a replay.
    Plus,
    /// Shorter interval, or lower speed in a replay.
    Minus,
    /// Replay: pause and take the next event.
    StepEvent,
    /// Replay: pause and take the next block of events.
    StepBlock,
    /// Next swap device of the cluster map.
    NextDevice,
    /// Swap device before.
    PreviousDevice,
    /// Fewer clusters a cell.
    ZoomIn,
    /// More clusters a cell.
    ZoomOut,
    /// Let the map show another property.
    Paint,
}

/// A movement of cursor or page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One up.
    Up,
    /// One down.
    Down,
    /// One to the left.
    Left,
    /// One to the right.
    Right,
    /// A screen up.
    PageUp,
    /// A screen down.
    PageDown,
    /// To the first.
    First,
    /// To the last.
    Last,
}

/// What the event loop has to do after an update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    /// End.
    Quit,
    /// Give the terminal back and stop.
    Suspend,
    /// Clear the terminal before the next drawing.
    Redraw,
    /// Ask the pump.
    Pump(Control),
}

/// What can be asked of the pump.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Control {
    /// Publish this often.
    Interval(Duration),
    /// Let event time stand still, or go on.
    Pause(bool),
    /// Let event time run at this speed.
    Speed(Speed),
    /// Take in one event and pause.
    StepEvent,
    /// Take in what is left of the batch and pause.
    StepBlock,
    /// End the thread.
    Stop,
}

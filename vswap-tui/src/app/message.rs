//! Everything that can change the dashboard, and everything the dashboard can ask of the pump.

use crate::app::frame::Frame;
use crate::app::prompt::Ask;
use crate::app::state::View;
use crate::cli::Speed;
use crate::snapshot::watch::Watch;
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
    /// The mouse pressed this cell, or scrolled over it (lines down).
    Mouse(u16, u16, Option<i8>),
    /// What came of an effect, in words.
    Told(String),
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
    /// Replay: pause and take what happens in a second.
    StepSecond,
    /// Replay: on (or back) by a twentieth of the recording.
    Skip(i8),
    /// Replay: to the beginning.
    Restart,
    /// Replay: on to the next event of this sort.
    Find(Landmark),
    /// Longer interval or lower speed (true), shorter or higher (false).
    Slower(bool),
    /// Compare the slot map with the kernel's tables now.
    Verify,
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
    /// Look into what is under the cursor: a cluster, a slot's physical one, the cgroups below.
    Open,
    /// Back to the slot that was followed.
    Return,
    /// The cluster map at the slot under the cursor.
    Map,
    /// Sort by the next column.
    Sort,
    /// Turn the order round.
    Reverse,
    /// Tree or flat.
    Tree,
    /// Figures of a second or since the start.
    Totals,
    /// Fold or unfold everything.
    FoldAll,
    /// Save the shown instant.
    Save,
    /// Begin to type.
    Ask(Ask),
    /// A character was typed.
    Type(char),
    /// Take back the last character.
    Erase,
    /// Take back everything typed.
    EraseAll,
    /// Complete what was typed.
    Complete,
    /// What was typed is meant.
    Accept,
}

/// What a replay can jump to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landmark {
    /// Records that were lost.
    Loss,
    /// The model's choice and the kernel's differ, or a slot's state was contradicted.
    Divergence,
    /// Many pages written back by zswap at once.
    Writeback,
}

impl Landmark {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Divergence => "divergence",
            Self::Writeback => "writeback burst",
        }
    }
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
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// End.
    Quit,
    /// Give the terminal back and stop.
    Suspend,
    /// Clear the terminal before the next drawing.
    Redraw,
    /// Write the shown instant to this file; without a name to one made from the time.
    Save(Option<String>),
    /// Ask the pump.
    Pump(Control),
}

/// What can be asked of the pump.
#[derive(Clone, Debug, PartialEq)]
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
    /// Take in what happens in this much event time and pause (ns).
    StepTime(u64),
    /// Go to this instant of event time, back or on, and stay paused if paused.
    Seek(u64),
    /// Go on to the next event of this sort and pause there.
    Find(Landmark),
    /// What the shown view wants beyond the sums.
    Watch(Watch),
    /// Compare with the kernel's tables now.
    Verify,
    /// End the thread.
    Stop,
}

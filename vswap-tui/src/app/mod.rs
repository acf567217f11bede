//! The dashboard's state and what changes it, apart from drawing.
//!
//! ```text
//! keys ----> keymap ---> Message -.
//! resize --------------> Message -+-> update(&mut App) -> Effect (for the pump: pause, speed, interval, step)
//! pump ----> Frame ----> Message -'        |
//!                                          v
//!                                   ui::draw(&App)      (pure: reads, never changes)
//! ```
//!
//! What a view needs from millions of slots was counted by the collector; what it needs from a frame's history or
//! clusters is counted here once a frame ([`summary`]), not once a drawing.

pub mod baseline;
pub mod cgroups;
pub mod event_filter;
pub mod frame;
pub mod grid;
pub mod keymap;
pub mod keys;
pub mod layout;
pub mod message;
mod movement;
pub mod palette;
pub mod prompt;
pub mod state;
pub mod summary;
mod tempo;
pub mod totals;
mod typing;
pub mod update;
pub mod views;

pub use frame::{End, Frame, Playback};
pub use message::{Effect, Message};
pub(crate) use movement::SLOTS_A_ROW;
pub use state::{App, Origin, View};
pub use update::update;
pub use views::Paint;
